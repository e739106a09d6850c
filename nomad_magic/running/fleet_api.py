"""Running an action in many allocations from Python: `run_all`, `arun_all` and `start_all`."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from nomad_magic.errors import Interrupted, NomadMagicError
from nomad_magic.line import fleet_flags
from nomad_magic.nomad import cache
from nomad_magic.nomad.options import Options
from nomad_magic.nomad.target import read_target
from nomad_magic.running.api import carry, line_notices, split_line
from nomad_magic.running.fleet import Fleet
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
) -> Fleet:
    """Check a line and return the fleet, not yet started.

    Args:
        argv: The words after `%nomad_action_all`.
        stdin: What each of them reads.
        environ: Where the NOMAD_* variables are.
        stdin_is_tty: The default of `-t`.
        options: What a command line has no flags for.
        size: The terminals' height and width in cells.

    Raises:
        HelpRequested: `-h`; its text is the help.
        UsageError: The flags.
        SettingsError: The address or a certificate.
    """
    with settling(argv, environ):
        line = fleet_flags.parse(argv, environ=environ, stdin_is_tty=stdin_is_tty)
        target = read_target(line.args, environ, argv)
        try:
            cache.check(target)
        except NomadMagicError as error:
            error.message = "\n".join([*line.args.warnings, error.message])
            raise
    fleet = Fleet(line, target, options or Options(), stdin=stdin, size=size)
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
) -> Fleet:
    """Start an action in every running allocation that has it, and return at once.

    Args:
        args: The words after `%nomad_action_all`: the flags of `nomad job action` but `-alloc`,
            and `-parallel=N` and `-fail-fast`; or a line, as for `start`.
        stdin: What each of them reads, then the end of stdin; None for nothing.
        env: Instead of the environment.
        options: As for `start`, for each of them.

    Raises:
        UsageError: The line.
        SettingsError: The address or a certificate.
    """
    return _prepare(args, stdin, env, options).start()


@sealed
def run_all(
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
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

    Raises:
        FleetFailed: With `check`, one has failed; its `result` has all.
        NomadMagicError: Nothing could be run.
    """
    fleet = _prepare(args, stdin, env, options)
    try:
        with fleet:
            fleet.start().wait()
    except BaseException as interruption:
        if isinstance(interruption, KeyboardInterrupt):
            said = f"{fleet.result.action}: {fleet.result.state}"
            raise Interrupted(said, exit_code=1, result=fleet.result) from None
        carry(interruption, fleet.result)
        raise
    return _outcome(fleet, check=check)


@sealed
async def arun_all(
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> FleetResult:
    """`run_all` to be awaited, in any event loop.

    Cancelling it stops all of them, as cancelling `arun` stops one.
    """
    fleet = _prepare(args, stdin, env, options).start()
    try:
        await fleet
    except asyncio.CancelledError as cancelled:
        fleet.wind_down(fleet.options.grace)
        while not fleet.done:
            try:
                await fleet
            except asyncio.CancelledError:
                fleet.disconnect()
        carry(cancelled, fleet.result)
        raise
    return _outcome(fleet, check=check)


def _prepare(
    args: str | Sequence[str],
    stdin: str | bytes | None,
    env: Mapping[str, str] | None,
    options: Options | None,
) -> Fleet:
    environ = os.environ if env is None else env
    with settling((), environ):
        argv = args if not isinstance(args, str) else split_line(args, environ)
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return prepare(argv, stdin=data, environ=environ, options=options)


def _outcome(fleet: Fleet, *, check: bool) -> FleetResult:
    error = fleet.error
    if error is not None and (check or not fleet.result.runs):
        raise error.with_traceback(None)
    return fleet.result
