"""Running an action in many allocations from Python: `run_all`, `arun_all` and `start_all`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomad_magic.errors import NomadMagicError
from nomad_magic.line import fleet_flags
from nomad_magic.nomad import cache
from nomad_magic.nomad.options import Options
from nomad_magic.nomad.target import read_target
from nomad_magic.running.api import line_notices, read_call
from nomad_magic.running.fleet import Fleet
from nomad_magic.running.handle import arun_through, run_through
from nomad_magic.running.leaving import sealed, settling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nomad_magic.record.fleet_result import FleetResult


def prepare(  # noqa: PLR0913 - each is one thing that a caller may know better
    argv: Sequence[str],
    *,
    stdin: bytes | None,
    environ: Mapping[str, str],
    stdin_is_tty: bool = False,
    options: Options | None = None,
    size: tuple[int, int] = (24, 80),
    confirm: str | None = None,
) -> Fleet:
    """Check a line and return the fleet, not yet started.

    Args:
        argv: The words after `%nomad_action_all`.
        stdin: What each of them reads.
        environ: Where the NOMAD_* variables are.
        stdin_is_tty: The default of `-t`.
        options: What a command line has no flags for.
        size: The terminals' height and width in cells.
        confirm: The action's name, for where it is to be confirmed.

    Raises:
        HelpRequested: `-h`; its text is the help.
        UsageError: The flags.
        SettingsError: The address, a certificate, or a pattern of `Options.confirm`.
    """
    with settling(argv, environ):
        line = fleet_flags.parse(argv, environ=environ, stdin_is_tty=stdin_is_tty)
        target = read_target(line.args, environ, argv)
        try:
            cache.check(target)
        except NomadMagicError as error:
            error.message = "\n".join([*line.args.warnings, error.message])
            raise
        fleet = Fleet(line, target, options or Options(), stdin=stdin, size=size, word=confirm)
    shown = fleet.result.masker.shown
    fleet.result.notices += map(shown, [*line_notices(line.args), *target.notices])
    return fleet


@sealed
def start_all(
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
    confirm: str | None = None,
) -> Fleet:
    """Start an action in every running allocation that has it, and return at once.

    Args:
        args: The words after `%nomad_action_all`: the flags of `nomad job action` but `-alloc`,
            and `-parallel=N` and `-fail-fast`; or a line, as for `start`.
        stdin: What each of them reads, then the end of stdin; None for nothing.
        env: Instead of the environment.
        options: As for `start`, for each of them.
        confirm: As for `start`, once for all.

    Raises:
        UsageError: The line.
        SettingsError: The address, a certificate, or a pattern of `Options.confirm`.
    """
    return _prepare(args, stdin, env, options, confirm).start()


@sealed
def run_all(  # noqa: PLR0913 - as for `prepare`
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
    confirm: str | None = None,
) -> FleetResult:
    """Run an action in every running allocation that has it, and return when all have ended.

    Whatever interrupts the wait stops all of them first, and is raised when they have ended, with
    what is known in its attribute `result`.

    Args:
        args: As for `start_all`.
        stdin: As for `start_all`.
        check: Raise when one has failed; without it only what kept all from running.
        env: As for `start_all`.
        options: As for `start_all`.
        confirm: As for `start_all`.

    Raises:
        FleetFailed: With `check`, one has failed; its `result` has all.
        NotConfirmed: It was to be confirmed, and was not: none was run.
        NomadMagicError: Nothing could be run.
    """
    return run_through(_prepare(args, stdin, env, options, confirm), check=check)


@sealed
async def arun_all(  # noqa: PLR0913 - as for `prepare`
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
    confirm: str | None = None,
) -> FleetResult:
    """`run_all` to be awaited, in any event loop.

    Cancelling it stops all of them, as cancelling `arun` stops one.
    """
    return await arun_through(_prepare(args, stdin, env, options, confirm), check=check)


def _prepare(
    args: str | Sequence[str],
    stdin: str | bytes | None,
    env: Mapping[str, str] | None,
    options: Options | None,
    confirm: str | None,
) -> Fleet:
    argv, data, environ = read_call(args, stdin, env)
    return prepare(argv, stdin=data, environ=environ, options=options, confirm=confirm)
