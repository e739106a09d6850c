"""What a run would do, from what was found: the plan of one, and that of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomad_magic.errors import LocateError
from nomad_magic.nomad import refusals
from nomad_magic.nomad.connect import PREFIX
from nomad_magic.nomad.ladder import Ladder
from nomad_magic.nomad.models import ALL_NAMESPACES, DEFAULT_NAMESPACE
from nomad_magic.record.facts import Rung
from nomad_magic.record.plan import Plan, PlannedRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.line.fleet_flags import FleetArgs
    from nomad_magic.nomad.address import Address
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.resolve import Resolved
    from nomad_magic.nomad.survey import Spot, Survey
    from nomad_magic.nomad.target import Target
    from nomad_magic.record.fleet_result import FleetResult
    from nomad_magic.record.result import ActionResult


async def check(args: ActionArgs, resolved: Resolved, client: Client) -> None:
    """Make sure that there is such an action where it is to run.

    Raises:
        LocateError: There is none; in the words in which an agent would refuse it.
    """
    task = resolved.task
    if any(one.name == args.action for one in task.actions or ()):
        return
    reason = f"action {args.action} not found in task {task.name}"
    raise LocateError(PREFIX + reason, hint=await refusals.hint(reason, args, resolved, client))


def of_one(
    result: ActionResult,
    args: ActionArgs,
    options: Options,
    resolved: Resolved,
    *,
    chosen_from: int = 0,
) -> Plan:
    """Return the plan of a run in one allocation.

    Args:
        result: The run's, with where it is to run in it.
        args: The line.
        options: How it is to run.
        resolved: Where.
        chosen_from: How many running allocations it was taken from, where the line names none.
    """
    notices = tuple(result.notices)
    if resolved.node is not None and resolved.node.status == "down":
        notices += ("Its node is down: the run would fail.",)
    return Plan(
        action=result.action,
        command_line=result.command_line,
        place=result.place,
        runs=(PlannedRun(result.place, result.command or ()),),
        chosen_from=chosen_from,
        notices=notices,
        tty=args.tty,
        takes_input=args.stdin,
        stdin=None if result.stdin is None else result.stdin[0],
        stop=_rungs(args, options),
        reach=options.reach,
        timeout=options.timeout,
    )


def of_many(
    result: FleetResult,
    line: FleetArgs,
    options: Options,
    spots: Sequence[Spot],
    stdin: bytes | None,
) -> Plan:
    """Return the plan of a run in many allocations.

    Args:
        result: Its facts, with what was found.
        line: The line.
        options: How each is to run.
        spots: Where.
        stdin: What each of them reads.
    """
    masker = result.masker
    return Plan(
        action=result.action,
        command_line=result.command_line,
        place=result.place,
        runs=tuple(
            PlannedRun(spot.place.shown(masker), tuple(map(masker.shown, spot.command)))
            for spot in spots
        ),
        left_out=tuple(result.left_out),
        notices=tuple(result.notices),
        tty=line.args.tty,
        takes_input=line.args.stdin and stdin is not None,
        stdin=None if stdin is None else len(stdin),
        stop=_rungs(line.args, options),
        reach=options.reach,
        timeout=options.timeout,
        parallel=line.parallel,
        fail_fast=line.fail_fast,
    )


def _rungs(args: ActionArgs, options: Options) -> tuple[Rung, ...]:
    """Return the rungs of the ladder that a person would climb."""
    ladder = Ladder(tty=args.tty, reach=options.reach)
    rungs: list[Rung] = []
    while Rung.DISCONNECT not in rungs:
        rungs.append(ladder.next)
        ladder.climb(ladder.next)
    return tuple(rungs)


def values_of_one(target: Target, args: ActionArgs, resolved: Resolved) -> Mapping[str, set[str]]:
    """Return what the patterns of `confirm` are held against: each field in all its forms.

    It is what a run has come to.  A job that `-alloc` stands beside is not looked up: that of the
    allocation counts, too.

    Args:
        target: The agent that is asked.
        args: The line.
        resolved: Where it is to run.
    """
    allocation = resolved.allocation
    jobs = {resolved.job, allocation.job_id, allocation.job.id if allocation.job else ""}
    return _values(target, args, allocation.namespace or target.namespace, jobs)


def values_of_many(target: Target, line: FleetArgs, found: Survey) -> Mapping[str, set[str]]:
    """Return the same for a run in many allocations, which are all of one job.

    Args:
        target: The agent that is asked.
        line: The line.
        found: Where it is to run.
    """
    return _values(target, line.args, found.place.namespace, {found.place.job})


def _values(
    target: Target, args: ActionArgs, namespace: str, jobs: set[str]
) -> Mapping[str, set[str]]:
    known = namespace and namespace != ALL_NAMESPACES
    return {
        "address": _forms(target.address),
        "namespace": {namespace if known else DEFAULT_NAMESPACE},
        "job": {job for job in jobs if job},
        "action": {args.action},
    }


def _forms(address: Address) -> set[str]:
    """Return an address as it is written: whole, with its port, and the host alone."""
    forms = {str(address), address.host, address.path, address.name, address.hostname}
    if address.scheme != "unix":
        forms |= {f"{host}:{address.port}" for host in (address.name, address.hostname) if host}
    return {form for form in forms if form}
