"""The line of `%nomad_action_all`: the flags of `nomad job action`, and those of many at once.

Pure.  `-alloc` is none of them; `-group` and `-task` narrow, and may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import UsageError
from nomad_magic.go import go_quote, parse_bool
from nomad_magic.line import flags
from nomad_magic.line.flag_table import BY_NAME, FLEET_BY_NAME, fleet_help_text
from nomad_magic.line.flags import HelpRequested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nomad_magic.line.flags import ActionArgs

PARALLEL: Final = 32
"""How many run at the same time unless the line says otherwise."""

MOST_PARALLEL: Final = 1000
"""How many may: each is a connection, and a system bounds those of a process."""

_MORE_HELP: Final = "%nomad_action_all -help explains the flags."


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetArgs:
    """What a line asks for.

    Attributes:
        args: What it asks for in each allocation; it names none.
        parallel: How many run at the same time.
        fail_fast: Begin no more once one has failed.
    """

    args: ActionArgs
    parallel: int = PARALLEL
    fail_fast: bool = False

    def command_line(self) -> str:
        """Return the line of the magic that repeats this one, with nothing secret in it."""
        words = ["%nomad_action_all"]
        if self.parallel != PARALLEL:
            words.append(f"-parallel={self.parallel}")
        if self.fail_fast:
            words.append("-fail-fast")
        return f"{' '.join(words)} {self.args.command_line().removeprefix('nomad job action ')}"


def parse(argv: Sequence[str], *, environ: Mapping[str, str], stdin_is_tty: bool) -> FleetArgs:
    """Read the words after `%nomad_action_all`.

    Args:
        argv: The words.
        environ: As for `flags.parse`.
        stdin_is_tty: What `-t` is when the line does not say.

    Raises:
        HelpRequested: `-h`, `-help` or `--help`; its text is the help.
        UsageError: The line cannot be run as written.
    """
    own, rest = _split(argv)
    try:
        args = flags.parse(rest, environ=environ, stdin_is_tty=stdin_is_tty)
    except HelpRequested as help_requested:
        raise HelpRequested(fleet_help_text(), warnings=help_requested.warnings) from None
    if args.alloc:
        raise UsageError(
            "-alloc names one allocation, and this runs in all of them",
            hint="%nomad_action takes -alloc; -group and -task narrow here.",
        )
    return FleetArgs(
        args=args,
        parallel=_number(own.get("parallel", str(PARALLEL))),
        fail_fast=_switch(own.get("fail-fast", "false")),
    )


def _split(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Take out the flags that are ours alone, by Go's rules; what is wrong with others stays."""
    own: dict[str, str] = {}
    rest: list[str] = []
    words = list(argv)
    while words and len(words[0]) > 1 and words[0].startswith("-") and words[0] != "--":
        word = words.pop(0)
        name, equals, text = word[2 if word.startswith("--") else 1 :].partition("=")
        ours = FLEET_BY_NAME.get(name)
        flag = ours or BY_NAME.get(name)
        value = [text] if equals else []
        if flag is not None and flag.kind == "string" and not equals and words:
            value = [words.pop(0)]
        if ours is None:
            rest += [word] if equals else [word, *value]
        elif ours.kind == "boolean":
            own[name] = text if equals else "true"
        elif value:
            own[name] = value[0]
        else:
            raise UsageError(f"flag needs an argument: -{name}", hint=_MORE_HELP)
    return own, rest + words


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_PARALLEL:
        raise UsageError(
            f"invalid value {go_quote(text)} for flag -parallel: "
            f"it is a number from 1 to {MOST_PARALLEL}",
            hint=_MORE_HELP,
        )
    return int(text)


def _switch(text: str) -> bool:
    value = parse_bool(text)
    if value is None:
        raise UsageError(
            f"invalid boolean value {go_quote(text)} for -fail-fast: parse error",
            hint="Write -fail-fast or -fail-fast=false",
        )
    return value
