"""Running an action from Python: `run`, `arun` and `start`, all on the same session."""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING, Any

from nomad_magic.errors import LineError, NomadMagicError
from nomad_magic.line import flags, shellwords
from nomad_magic.nomad import cache
from nomad_magic.nomad.options import Options
from nomad_magic.nomad.target import read_target
from nomad_magic.running import loop
from nomad_magic.running.handle import arun_through, run_through
from nomad_magic.running.leaving import sealed, settling
from nomad_magic.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nomad_magic.nomad.target import Target
    from nomad_magic.record.result import ActionResult
    from nomad_magic.record.sighting import Sighting


class Typing(enum.Enum):
    """What someone may type into a run."""

    NOTHING = "nothing"
    KEYS = "keys"
    """Into a terminal, where the action has one."""
    LINES = "lines"
    """Into a terminal, or lines into the action's stdin."""


def prepare(  # noqa: PLR0913 - each is one thing that a caller may know better
    argv: Sequence[str],
    *,
    stdin: bytes | None,
    environ: Mapping[str, str],
    stdin_is_tty: bool = False,
    options: Options | None = None,
    typing: Typing = Typing.KEYS,
    size: tuple[int, int] = (24, 80),
    confirm: str | None = None,
) -> Session:
    """Check a line as the CLI does, in its order, and return the session, not yet started.

    Args:
        argv: The words after `nomad job action`.
        stdin: What the action reads; None for what is typed, or for nothing.
        environ: Where the NOMAD_* variables are.
        stdin_is_tty: The default of `-t`.
        options: What a command line has no flags for.
        typing: What someone may type; where nobody can, the action's input ends at once.
        size: The terminal's height and width in cells.
        confirm: The action's name, for where it is to be confirmed.

    Raises:
        HelpRequested: `-h`; its text is the help.
        UsageError: The flags.
        SettingsError: The address, a certificate, or a pattern of `Options.confirm`.
    """
    options = options or Options()
    with settling(argv, environ):
        args, target = _read(argv, environ, stdin_is_tty=stdin_is_tty)
        session = Session(
            args,
            target,
            options,
            stdin=stdin if args.stdin else None,
            typing=typing is Typing.LINES or (args.tty and typing is Typing.KEYS),
            size=size,
            word=confirm,
        )
    session.result.notices += map(
        session.result.masker.shown, [*line_notices(args), *target.notices]
    )
    return session


def _read(
    argv: Sequence[str], environ: Mapping[str, str], *, stdin_is_tty: bool
) -> tuple[flags.ActionArgs, Target]:
    args = flags.parse(argv, environ=environ, stdin_is_tty=stdin_is_tty)
    target = read_target(args, environ, argv)
    try:
        cache.check(target)
        flags.check_target(args)
    except NomadMagicError as error:
        error.message = "\n".join([*args.warnings, error.message])
        raise
    return args, target


def line_notices(args: flags.ActionArgs) -> list[str]:
    """Return what the user should know of a line before it runs."""
    notices = list(args.warnings)
    if args.ignored:
        notices.append(
            f"Words after the action are ignored, as nomad job action ignores them: "
            f"{' '.join(args.ignored)}"
        )
    if args.token:
        notices.append(
            "-token is part of this line and stays wherever the line is kept; "
            "NOMAD_TOKEN in the environment does not."
        )
    return notices


@sealed
def start(
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
    confirm: str | None = None,
) -> Session:
    """Start an action and return its session, which goes on by itself.

    Args:
        args: The words after `nomad job action`, or a line that is split as a shell would;
            `$NAME` in it is an environment variable.
        stdin: What the action reads, then the end of stdin; None for nothing.
        env: Instead of the environment.
        options: Bounds and switches that the command line has no flags for.
        confirm: The action's name: lets it run where a pattern of `Options.confirm` asks for that.
            Else its session ends in `NotConfirmed`, and nothing was run.

    Raises:
        UsageError: The line.
        SettingsError: The address, a certificate, or a pattern of `Options.confirm`.
    """
    return _prepare(args, stdin, env, options, Typing.KEYS, confirm).start()


def _prepare(  # noqa: PLR0913, PLR0917 - they are those of a call
    args: str | Sequence[str],
    stdin: str | bytes | None,
    env: Mapping[str, str] | None,
    options: Options | None,
    typing: Typing,
    confirm: str | None,
) -> Session:
    argv, data, environ = read_call(args, stdin, env)
    return prepare(
        argv, stdin=data, environ=environ, options=options, typing=typing, confirm=confirm
    )


def read_call(
    args: str | Sequence[str], stdin: str | bytes | None, env: Mapping[str, str] | None
) -> tuple[Sequence[str], bytes | None, Mapping[str, str]]:
    """Return the words, the stdin and the environment that a call from Python means.

    Raises:
        LineError: A line that does not split.
    """
    environ = os.environ if env is None else env
    with settling((), environ):
        argv = args if not isinstance(args, str) else _split(args, environ)
    return argv, stdin.encode() if isinstance(stdin, str) else stdin, environ


@sealed
def run(  # noqa: PLR0913 - as for `prepare`
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
    confirm: str | None = None,
) -> ActionResult:
    """Run an action to its end and return its result.

    Nobody can type into it: without a `stdin` its input ends at once, with a tty too.  Whatever
    interrupts the wait, an exception of a signal handler say, stops the action first, and is raised
    when the run has ended, with what is known of it in its attribute `result`.

    Args:
        args: As for `start`.
        stdin: As for `start`.
        check: Raise when the action fails; without it only what kept it from running.
        env: As for `start`.
        options: As for `start`.
        confirm: As for `start`.

    Raises:
        ActionFailed: With `check`, a non-zero exit code.
        NotConfirmed: It was to be confirmed, and was not.
        NomadMagicError: It could not be run, or not to its end.
    """
    return run_through(_prepare(args, stdin, env, options, Typing.NOTHING, confirm), check=check)


@sealed
async def arun(  # noqa: PLR0913 - as for `prepare`
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
    confirm: str | None = None,
) -> ActionResult:
    """`run` to be awaited, in any event loop.

    Cancelling it stops the action; it is cancelled when the run has ended, and the
    `asyncio.CancelledError` has the result in its attribute `result`.  Cancelling it once more
    closes the connection at once.
    """
    return await arun_through(
        _prepare(args, stdin, env, options, Typing.NOTHING, confirm), check=check
    )


@sealed
def look(
    record: ActionResult | Mapping[str, Any],
    *,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Sighting:
    """Look what became of the process of a run, also of one of another kernel.

    Args:
        record: A result, or a record's facts: what stands under `nomad_magic` in the metadata of
            its output.
        env: Instead of the environment: the token is read from it.
        options: As for `start`.

    Raises:
        UsageError: It is no record, or of a run that never began.
        NomadMagicError: The agent does not say where the allocation is.
    """
    from nomad_magic.running import looking  # noqa: PLC0415 - who only runs does not look

    environ = os.environ if env is None else env
    with settling((), environ):
        facts = looking.facts_of(record)
        return loop.submit(looking.look(facts, environ, options or Options())).result()


def _split(line: str, environ: Mapping[str, str]) -> Sequence[str]:
    """Split a line of Python's into words, with the environment's variables in it.

    Raises:
        LineError: It does not split, or asks for what only a notebook has.
    """

    def evaluate(expression: str) -> object:
        raise LineError(
            f"{{{expression}}}: only a notebook's line evaluates Python",
            hint="Make the line with an f-string.",
        )

    split = shellwords.split(line, variables=environ.__getitem__, evaluate=evaluate)
    if split.background:
        raise LineError(
            "An & at the end is for a notebook's line; use nomad_magic.start or start_all"
        )
    return split.words
