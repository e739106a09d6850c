"""The line of `%nomad_actions`: which actions are to be listed.  Pure.

Its flags are those of `nomad job action` that narrow, or that say which agent is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nomad_magic.errors import FlagError, UsageError
from nomad_magic.line import mistakes
from nomad_magic.line.flag_table import BY_NAME, LISTING_FLAGS, listing_help_text
from nomad_magic.line.flags import ActionArgs, HelpRequested, parse_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

_MORE_HELP: Final = "%nomad_actions -help explains the flags."
_HELP_WORDS: Final = frozenset({"-h", "-help", "--help"})
_OURS: Final = frozenset(flag.name for flag in LISTING_FLAGS)


def parse(argv: Sequence[str]) -> ActionArgs:
    """Read the words after `%nomad_actions`.

    Args:
        argv: The words.

    Returns:
        What is asked for; of job, group, task and action each is empty where all are meant.

    Raises:
        HelpRequested: `-h`, `-help` or `--help`; its text is the help.
        UsageError: The line cannot be run as written.
    """
    before_dashes = argv[: argv.index("--")] if "--" in argv else argv
    if not _HELP_WORDS.isdisjoint(before_dashes):
        raise HelpRequested(listing_help_text())
    try:
        given, words = parse_flags(argv)
    except FlagError as error:
        # The help that comes with it is another command's.
        raise FlagError(
            error.message, output=listing_help_text(), hint=error.hint or _MORE_HELP
        ) from None
    for name in given:
        if name not in _OURS:
            raise UsageError(f"%nomad_actions has no flag -{name}", hint=_MORE_HELP)
    misread = mistakes.misread(given, words)
    if len(words) > 1:
        raise UsageError("%nomad_actions takes one action at most", hint=misread or _MORE_HELP)
    if misread:
        # Else it would list all, or say that there is none.
        raise UsageError("The line is probably not read as it is meant", hint=misread)
    values: dict[str, Any] = {
        BY_NAME[name].field: value if BY_NAME[name].kind == "string" else value == "true"
        for name, value in given.items()
    }
    return ActionArgs(
        action=words[0] if words else "",
        given=frozenset(given),
        **({"job": ""} | values),
    )
