"""The command line of `nomad job action`: its flags, by Go's rules.

Two outside facts are kept here.  The syntax is that of Go's flag package
(https://pkg.go.dev/flag): a string flag takes the next word whatever it is, a boolean never
does, parsing ends at the first word that is not a flag.  What is checked, in which order and in
which words, is Nomad's CLI; the recorded answers of a real one are
`tests/data/cli/parse.json`.  Pure.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any

from nomad_magic.errors import NAMED_AGAIN, FlagError, UsageError
from nomad_magic.go import go_quote, parse_bool, to_bytes
from nomad_magic.line import mistakes
from nomad_magic.line.flag_table import BY_NAME, FLAGS, help_text
from nomad_magic.record.masking import MASK
from nomad_magic.record.userinfo import has_password, without_password
from nomad_magic.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MORE_HELP = "For additional help try 'nomad job action -help'"
_HELP_WORDS = frozenset({"-h", "-help", "--help"})
_NO_COLOR = frozenset({"-no-color", "--no-color"})
_FORCE_COLOR = frozenset({"-force-color", "--force-color"})


class HelpRequested(Exception):
    """The line asks for the help instead of a run.

    `text` is for stdout, the lines in `warnings` are for stderr before it.
    """

    def __init__(self, text: str, *, warnings: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.warnings = warnings


class ActionArgs(Value):
    """What a line asks for; of the environment only the colours are in it.

    Attributes:
        action: The action's name; can be empty, which the agent refuses.
        job: The job's id, or the beginning of it; never empty.
        alloc: The allocation's id or the beginning of it; this and every other string that
            follows is empty when its flag was not given, or given as empty.
        group: The task group's name, as `task` is the task's.
        stdin: `-i`: whether stdin is passed.
        tty: `-t`, or what stands for it: whether the action gets a pty.
        escape: The escape character, one byte; empty when there is none.
        address: `-address`.  May hold a password: not in the repr.
        no_color: From the flag anywhere in the line or from the environment.
        force_color: The same; False when `no_color` holds.
        ca_cert: A path, as are `ca_path`, `client_cert` and `client_key`.
        tls_server_name: `-tls-server-name`.
        tls_skip_verify: `-tls-skip-verify`; False also when it was not given.
        token: `-token`.  Secret: not in the repr.
        ignored: The words after the action that have no effect, with secrets masked.
        warnings: Lines that the CLI writes to stderr before all else.
        given: The names of the flags that the line has, by the table.
        misread: What in the line was probably not meant as it was read; mostly empty.
    """

    action: str
    job: str
    alloc: str = ""
    group: str = ""
    task: str = ""
    stdin: bool = True
    tty: bool = False
    escape: str = "~"
    address: str = field(default="", repr=False)
    region: str = ""
    namespace: str = ""
    no_color: bool = False
    force_color: bool = False
    ca_cert: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    tls_skip_verify: bool = False
    token: str = field(default="", repr=False)
    ignored: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    misread: str = field(default="", repr=False, compare=False)

    def command_line(self) -> str:
        """Return the `nomad job action …` line that repeats this one, with nothing secret in it.

        Quoted for a POSIX shell; a magic's line reads it the same way.  It follows the fields,
        also those of a copy with an allocation filled in.  What the surroundings decide (the
        terminal, the colours) is left to them unless the line had decided it.
        """
        words = ["nomad", "job", "action"]
        for flag in FLAGS:
            value = getattr(self, flag.field)
            decided = value != _DEFAULTS[flag.field] and flag.field not in _SURROUNDINGS
            if flag.name == "token" or not (decided or flag.name in self.given):
                continue
            if flag.kind == "boolean":
                words.append(f"-{flag.name}" if value else f"-{flag.name}=false")
            elif flag.name == "e":
                words.append(f"-e={shlex.quote(value or 'none')}")
            elif value:
                shown = without_password(value) if flag.name == "address" else value
                words.append(f"-{flag.name}={shlex.quote(shown)}")
        if len(self.action) > 1 and self.action.startswith("-"):
            words.append("--")
        words.append(shlex.quote(self.action))
        return " ".join(words)


_SURROUNDINGS = frozenset({"tty", "no_color", "force_color"})
_DEFAULTS = {known.name: known.default for known in fields(ActionArgs)}


def parse(argv: Sequence[str], *, environ: Mapping[str, str], stdin_is_tty: bool) -> ActionArgs:
    """Read the words after `nomad job action`, up to the check of the escape character.

    The CLI looks at TLS settings and address next, and only then at the group: `check_target`.

    Args:
        argv: The words.
        environ: Only its colour and hint variables are read.
        stdin_is_tty: What `-t` is when the line does not say.

    Raises:
        HelpRequested: `-h`, `-help` or `--help` stands in the line, before any `--`.
        FlagError: Go's flag package refuses the line.
        UsageError: A check of the CLI refuses it.  The message of both is what the CLI writes
            to stderr, `output` what it writes to stdout, without their last newline.
    """
    warnings = _warnings(environ)
    # The CLI's own frame (github.com/hashicorp/cli) looks for these words before any flag is
    # parsed, even where one would be another flag's value, and stops looking at a `--`.
    before_dashes = argv[: argv.index("--")] if "--" in argv else argv
    if not _HELP_WORDS.isdisjoint(before_dashes):
        raise HelpRequested(help_text(), warnings=warnings)
    try:
        given, words = parse_flags(argv)
        args = _build(given, words, stdin_is_tty=stdin_is_tty)
    except UsageError as error:
        message = "\n".join([*warnings, error.message])
        raise type(error)(message, output=error.output, hint=error.hint) from None
    no_color = bool(environ.get("NOMAD_CLI_NO_COLOR")) or not _NO_COLOR.isdisjoint(argv)
    force_color = bool(environ.get("NOMAD_CLI_FORCE_COLOR")) or not _FORCE_COLOR.isdisjoint(argv)
    return replace(
        args, no_color=no_color, force_color=force_color and not no_color, warnings=warnings
    )


def check_target(args: ActionArgs) -> None:
    """Make sure that the line says where the action is to run.

    Raises:
        UsageError: No allocation is named, and no group or no task either.
    """
    for what, name in (("group", args.group), ("task", args.task)):
        if not (name or args.alloc):
            raise _usage_error(
                f"A {what} name is required if no allocation is provided",
                args.misread or mistakes.SHAPE,
            )


def parse_flags(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split the words into flags, each with its last value, and what follows them.

    Raises:
        FlagError: Go's flag package refuses them.
    """
    given: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words[0]
        if len(word) < 2 or not word.startswith("-"):
            break
        del words[0]
        if word == "--":
            break
        name, equals, text = word[2 if word.startswith("--") else 1 :].partition("=")
        if not name or name.startswith("-"):
            raise _flag_error(
                f"bad flag syntax: {_masked([word])[0]}", "A flag is written -name=value"
            )
        flag = BY_NAME.get(name)
        if flag is None:
            if name in {"h", "help"}:
                # The one refusal that Go's package does not print itself.
                raise FlagError("Error parsing flags: flag: help requested", output=help_text())
            raise _flag_error(
                f"flag provided but not defined: -{name}", mistakes.unknown_flag(name)
            )
        if flag.kind == "boolean":
            given[flag.name] = _boolean(name, text) if equals else "true"
        elif equals or words:
            given[flag.name] = text if equals else words.pop(0)
        else:
            raise _flag_error(f"flag needs an argument: -{name}", mistakes.no_value(flag))
    return given, words


def _boolean(name: str, text: str) -> str:
    value = parse_bool(text)
    if value is None:
        raise _flag_error(
            f"invalid boolean value {go_quote(text)} for -{name}: parse error",
            mistakes.no_boolean(name),
        )
    return "true" if value else "false"


def _build(given: Mapping[str, str], words: Sequence[str], *, stdin_is_tty: bool) -> ActionArgs:
    """Check what was given, in the CLI's order, and name it."""
    misread = mistakes.misread(given, words)
    if not words:
        raise _usage_error("An action name is required", misread or mistakes.SHAPE)
    if not given.get("job"):
        raise _usage_error("A job ID is required", misread or mistakes.SHAPE)
    stdin = given.get("i") != "false"
    tty = given["t"] == "true" if "t" in given else stdin_is_tty
    if tty and not stdin:
        raise _usage_error(
            "-i must be enabled if running with tty", mistakes.no_stdin(by_default="t" not in given)
        )
    escape = "" if given.get("e") == "none" else given.get("e", "~")
    if len(to_bytes(escape)) > 1:
        raise _usage_error("-e requires 'none' or a single character", misread or mistakes.ESCAPE)
    values: dict[str, Any] = {
        BY_NAME[name].field: value if BY_NAME[name].kind == "string" else value == "true"
        for name, value in given.items()
    }
    return ActionArgs(
        action=words[0],
        # The colour words count wherever they stand, so they are not among the ignored.
        ignored=tuple(word for word in _masked(words[1:]) if word not in _NO_COLOR | _FORCE_COLOR),
        given=frozenset(name for name, value in given.items() if value or name == "e"),
        misread=misread,
        **(values | {"stdin": stdin, "tty": tty, "escape": escape}),
    )


def _masked(words: Sequence[str]) -> list[str]:
    """Mask where words hold a token, and take passwords out of addresses."""
    masked: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if before in {"-token", "--token"}:
            masked.append(MASK)
        else:
            shown = without_password(word) if has_password(word) else word
            masked.append(_TOKEN_IN_WORD.sub(rf"\1{MASK}", shown))
    return masked


_TOKEN_IN_WORD = re.compile(r"^(-+token=).*", re.DOTALL)


def _warnings(environ: Mapping[str, str]) -> tuple[str, ...]:
    hints = environ.get("NOMAD_CLI_SHOW_HINTS", "")
    if not hints or parse_bool(hints) is not None:
        return ()
    name, quoted = "NOMAD_CLI_SHOW_HINTS", go_quote(hints)
    reason = f"strconv.ParseBool: parsing {quoted}: invalid syntax"
    return (f"Invalid value {quoted} for {name}: {reason}",)


def _usage_error(message: str, hint: str) -> UsageError:
    return UsageError(f"{message}\n{_MORE_HELP}", hint=hint)


def _flag_error(message: str, hint: str) -> FlagError:
    """Go's package writes its refusal and the usage; the CLI then names it once more."""
    return FlagError(f"{message}{NAMED_AGAIN}{message}", output=help_text(), hint=hint)
