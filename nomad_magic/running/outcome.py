"""How a session ended: its outcome, and the error that says so.

The first line of an error is the CLI's; the hint is ours and says what is known and what to
do.  "Stopped" is never said without an exit frame.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.errors import (
    ActionFailed,
    ConnectionLost,
    Disconnected,
    FleetFailed,
    NomadMagicError,
    SessionRefused,
    UnexpectedAnswer,
    Unreachable,
)
from nomad_magic.nomad.connect import PREFIX
from nomad_magic.nomad.protocol import ExecProtocol, Exited, Lost, Output, Refused, State
from nomad_magic.record.facts import Outcome, StopReason
from nomad_magic.record.folding import folded
from nomad_magic.record.humanize import seconds
from nomad_magic.running import leaving

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from nomad_magic.record.fleet_result import FleetResult
    from nomad_magic.record.result import ActionResult

NAMED: Final = 10
"""How many kinds of failures an error lists, and how many folded names of each."""

TOO_MANY: Final = 429
"""What an agent answers that has too many connections already: it has not looked at the request."""

STOPPED: Final = "stopped before the action was started"
"""Why a run that someone stopped was never asked for."""

NO_ADDRESS: Final = (
    "No address was given and nothing answers on the default one. Set NOMAD_ADDR or -address, or "
    "try an embedded agent: %nomad_agent start"
)
_MAY_HAVE_STARTED = "The action may have been started all the same."


def outcome(protocol: ExecProtocol) -> Outcome:
    """Return how a session ended.

    Args:
        protocol: Its state machine, at its end.
    """
    match protocol.state:
        case State.EXITED if protocol.ladder.touched:
            return Outcome.INTERRUPTED
        case State.EXITED:
            return Outcome.FAILED if protocol.exit_code else Outcome.SUCCEEDED
        case State.REFUSED:
            return Outcome.REFUSED
        case State.DISCONNECTED:
            return Outcome.DISCONNECTED
        case State.NOT_STARTED:
            return Outcome.NOT_STARTED
        case _:
            return Outcome.LOST


def failure_of(event: Output | Exited | Refused | Lost) -> NomadMagicError | None:
    """Return the error that an event of the session is, if it is one."""
    match event:
        case Refused(code=code, reason=reason):
            return SessionRefused(PREFIX + reason, code=code, reason=reason)
        case Lost(reason=reason):
            return ConnectionLost(PREFIX + reason)
        case _:
            return None


def conclude(
    result: ActionResult,
    failure: NomadMagicError | None,
    protocol: ExecProtocol,
    *,
    given: bool,
    timeout: float | None,
) -> NomadMagicError | None:
    """Write down how a session ended, and return the error that it raises; None for no error.

    Args:
        result: Takes what is known.
        failure: What kept it from its end, if anything.
        protocol: Its state machine, at its end.
        given: Someone said which agent is meant.
        timeout: The bound of the action's time, in seconds.
    """
    result.ended = datetime.now().astimezone()
    result.exit_code = protocol.exit_code
    result.outcome = outcome(protocol)
    if failure is not None:
        leaving.settle(failure, result.masker.shown)
        result.reason = failure.message
        _explain(failure, result, protocol, given=given)
        error: NomadMagicError | None = failure
    else:
        if result.outcome is Outcome.NOT_STARTED:
            result.reason = STOPPED
        error = _error_of_end(result, protocol, timeout or 0.0)
    if error is not None:
        # What has been added since, too.
        leaving.settle(error, result.masker.shown)
        error.result = result
    return error


def _explain(
    failure: NomadMagicError, result: ActionResult, protocol: ExecProtocol, *, given: bool
) -> None:
    """Say in a failure's hint what is known of the process, and what to do."""
    if isinstance(failure, ConnectionLost):
        failure.hint = _may_still_run(result, "The connection ended before the action did.")
    if isinstance(failure, Unreachable) and not given:
        failure.hint = NO_ADDRESS
    if protocol.state is State.DISCONNECTED and _MAY_HAVE_STARTED not in failure.hint:
        failure.hint = f"{failure.hint} {_MAY_HAVE_STARTED}".strip()


def _error_of_end(
    result: ActionResult, protocol: ExecProtocol, timeout: float
) -> NomadMagicError | None:
    """Return the error that an end in good order is.

    A session that a person stopped did what it was told: that is not a failure, whatever the
    action made of it.
    """
    match protocol.ladder.reason:
        case StopReason.TIMEOUT:
            return _after_timeout(result, timeout)
        case StopReason.ESCAPE if protocol.state is State.DISCONNECTED:
            return Disconnected(
                f"Connection closed\n{PREFIX}context canceled",
                hint=_may_still_run(result, "The escape character closed the connection."),
            )
        case StopReason.PERSON if protocol.state is not State.EXITED or protocol.ladder.touched:
            return None
    if result.exit_code:
        return ActionFailed(_failed(result), exit_code=result.exit_code)
    return None


def fleet_failure(
    result: FleetResult, failures: Mapping[str, NomadMagicError]
) -> FleetFailed | None:
    """Return the error of many runs of which some have failed; None where none has.

    Args:
        result: All of them.
        failures: What some have failed with, by their allocations' ids.
    """
    if not failures:
        return None
    labels = result.labels
    kinds: dict[str, list[str]] = {}
    for key in failures:
        kinds.setdefault(result.runs[key].ending, []).append(labels[key])
    listed = sorted(kinds.items(), key=lambda one: -len(one[1]))
    lines = [f"{ending}: {folded(names, most=NAMED)}" for ending, names in listed[:NAMED]]
    if len(listed) > NAMED:
        lines.append(f"and {len(listed) - NAMED} more kinds; .result has them all")
    return FleetFailed(
        f"{result.action} failed in {len(failures)} of {len(result)} allocations",
        hint="\n".join(lines),
        result=result,
    )


def is_too_many(error: NomadMagicError | None) -> bool:
    """Whether an agent has refused a session because it has too many connections."""
    return isinstance(error, UnexpectedAnswer) and error.status == TOO_MANY


def _failed(result: ActionResult) -> str:
    place = result.place
    where = " / ".join(
        (f"job {place.job}", f"group {place.group}", f"task {place.task}", place.short)
    )
    return f"{result.action} left with exit code {result.exit_code} in {where}"


def _after_timeout(result: ActionResult, timeout: float) -> NomadMagicError:
    bound = f"the timeout of {seconds(timeout)}"
    if result.exit_code is not None:
        return ActionFailed(
            f"{result.action} was interrupted at {bound}: exit code {result.exit_code}",
            exit_code=result.exit_code or 1,
        )
    return Disconnected(
        f"{PREFIX}context canceled",
        hint=_may_still_run(result, f"The connection was closed at {bound}."),
    )


def _may_still_run(result: ActionResult, why: str) -> str:
    came = sum(result.transcript.count(stream) for stream in ("stdout", "stderr"))
    became = result.became
    return f"{why} {became[:1].upper()}{became[1:]}; {came:,} bytes of output are in .result."


async def caught(work: Coroutine[Any, Any, NomadMagicError | None]) -> NomadMagicError | None:
    """Return what a part of a run fails with, whatever it is: the cell must hear of it."""
    try:
        return await work
    except NomadMagicError as error:
        return error
    except Exception as error:  # noqa: BLE001 - as it says
        failure = NomadMagicError(
            f"nomad_magic failed: {type(error).__name__}: {error}",
            hint="This is a bug in nomad_magic; what the action wrote is in .result.",
        )
        failure.__cause__ = error
        return failure
