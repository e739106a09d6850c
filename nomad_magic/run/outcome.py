"""How a session ended: its outcome, and the error that says so.

The first line of an error is the CLI's; the hint is ours and says what is known and what to
do.  "Stopped" is never said without an exit frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomad_magic.errors import (
    ActionFailed,
    ConnectionLost,
    Disconnected,
    NomadMagicError,
    SessionRefused,
    Unreachable,
)
from nomad_magic.nomad import locate
from nomad_magic.nomad.protocol import ExecProtocol, Exited, Lost, Output, Refused, Rung, State
from nomad_magic.record.humanize import seconds
from nomad_magic.record.result import ActionResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.resolve import Journey
    from nomad_magic.run.session import Session

_NO_ADDRESS = (
    "No address was given and nothing answers on the default one. Set NOMAD_ADDR or -address, or "
    "try an embedded agent: %nomad_agent start"
)
UNISOLATED = frozenset({"raw_exec"})
"""The drivers whose tasks are not kept apart from their node."""

_MAY_HAVE_STARTED = "The action may have been started all the same."

_PREFIX = "failed to exec into task: "


def outcome(protocol: ExecProtocol) -> Outcome:
    """Say how a session ended.

    Args:
        protocol: Its state machine, at its end.
    """
    match protocol.state:
        case State.EXITED if protocol.rung is not Rung.NONE:
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
    """Give the error that an event of the session is, if it is one."""
    match event:
        case Refused(code=code, reason=reason):
            return SessionRefused(_PREFIX + reason, code=code, reason=reason)
        case Lost(reason=reason):
            return ConnectionLost(_PREFIX + reason)
        case _:
            return None


async def explain_refusal(
    failure: NomadMagicError, journey: Journey, client: Client
) -> NomadMagicError:
    """Add what is known on our side to the agent's reason, and what can still be asked."""
    if not isinstance(failure, SessionRefused) or journey.allocation is None:
        return failure
    task, allocation, args = journey.task, journey.allocation, journey.args
    if failure.reason.startswith(f"action {args.action} not found"):
        failure.hint = _other_actions(journey, await journey.newer_versions(client))
    elif failure.reason == "Permission denied" and task is not None:
        need = "alloc-exec"
        if task.driver in UNISOLATED:
            need += f" and alloc-node-exec (the driver {task.driver} does not isolate the task)"
        failure.hint = (
            f"The token needs {need} in the namespace {allocation.namespace}; or the node's agent "
            "allows no remote execution (disable_remote_exec)."
        )
    elif "is not running" in failure.reason:
        failure.hint = (
            f"Allocation {allocation.id[: locate.SHORT_ID]} is {allocation.client_status}."
        )
    return failure


def _other_actions(journey: Journey, newer: Sequence[int]) -> str:
    task, allocation = journey.task, journey.allocation
    if task is None or allocation is None:
        return ""
    hints = [locate.elsewhere(allocation, journey.args.action)]
    version = allocation.job.version if allocation.job else 0
    if newer:
        listed = ", ".join(map(str, newer))
        has = "has" if len(newer) == 1 else "have"
        hints.append(
            f"Version{'s' * (len(newer) > 1)} {listed} of the job {has} it in this task; this "
            f"allocation runs version {version}, and keeps to that until it is replaced."
        )
    names = ", ".join(action.name for action in task.actions or ())
    hints.append(
        f"Task {task.name} has these actions: {names}."
        if names
        else f"Task {task.name} has no actions."
    )
    if not newer:
        hints.append(f"(Version {version} of the job, which this allocation runs.)")
    return " ".join(filter(None, hints))


def final_error(
    session: Session, failure: NomadMagicError | None, protocol: ExecProtocol
) -> NomadMagicError | None:
    """Give the error that a finished session raises; None when nothing failed.

    A session that a person stopped did what it was told: that is no failure, whatever the
    action made of it.
    """
    result = session.result
    if failure is not None:
        if isinstance(failure, ConnectionLost):
            failure.hint = _may_still_run(result, "The connection ended before the action did.")
        if isinstance(failure, Unreachable) and not session.target.given:
            failure.hint = _NO_ADDRESS
        if protocol.state is State.DISCONNECTED and _MAY_HAVE_STARTED not in failure.hint:
            failure.hint = f"{failure.hint} {_MAY_HAVE_STARTED}".strip()
        return failure
    if session.timed_out:
        return _after_timeout(session)
    if protocol.escaped:
        return Disconnected(
            f"Connection closed\n{_PREFIX}context canceled",
            hint=_may_still_run(result, "The escape character closed the connection."),
        )
    if session.stopped:
        return None
    if result.exit_code:
        return ActionFailed(_failed(result), exit_code=result.exit_code)
    return None


def _failed(result: ActionResult) -> str:
    place = result.place
    where = " / ".join(
        (f"job {place.job}", f"group {place.group}", f"task {place.task}", place.short)
    )
    return f"{result.action} left with exit code {result.exit_code} in {where}"


def _after_timeout(session: Session) -> NomadMagicError:
    result = session.result
    bound = f"the timeout of {seconds(session.options.timeout or 0.0)}"
    if result.exit_code is not None:
        return ActionFailed(
            f"{result.action} was interrupted at {bound}: exit code {result.exit_code}",
            exit_code=result.exit_code or 1,
        )
    return Disconnected(
        f"{_PREFIX}context canceled",
        hint=_may_still_run(result, f"The connection was closed at {bound}."),
    )


def _may_still_run(result: ActionResult, why: str) -> str:
    came = sum(result.transcript.count(stream) for stream in ("stdout", "stderr"))
    return (
        f"{why} The process may still run in {result.place.short}; "
        f"{came:,} bytes of output are in .result."
    )
