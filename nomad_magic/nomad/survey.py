"""In which allocations of a job an action is to run, and in which not: asked once for all.

A job of a thousand allocations takes a handful of questions: the job, its allocations, one of each
version of the job, each node.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import LocateError
from nomad_magic.nomad import alternatives, locate
from nomad_magic.nomad.models import Allocation
from nomad_magic.nomad.resolve import Resolved, Resolver, placed
from nomad_magic.nomad.side_by_side import each
from nomad_magic.record.fleet_facts import LeftOut
from nomad_magic.record.folding import folded
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.models import AllocationStub, Job, Node, Task
    from nomad_magic.record.facts import Place

AT_ONCE: Final = 16
"""How many questions are asked at the same time."""

NAMES: Final = 20
"""How many folded names a sentence lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where the action is to run once.

    Attributes:
        resolved: The allocation and its task.
        place: The same, as it is shown.
        command: What the action stands for there.
    """

    resolved: Resolved
    place: Place
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What there is.

    Attributes:
        place: What all have in common.
        spots: Where the action is to run.
        left_out: Where not, and why.
        notices: What the user should know before it runs.
    """

    place: Place
    spots: tuple[Spot, ...]
    left_out: tuple[LeftOut, ...]
    notices: tuple[str, ...]


async def survey(args: ActionArgs, client: Client) -> Survey:
    """Find where an action is to run.

    Args:
        args: The line; it names no allocation.
        client: Of the configured address.

    Raises:
        LocateError: There is no such job or action, nothing of it runs, or two tasks of a group
            have the action.
        RequestError: No usable answer.
    """
    notices: list[str] = []
    places: list[Place] = []
    resolver = Resolver(
        args,
        client,
        choose=lambda stubs: stubs[0],
        located=lambda place, _command: places.append(place),
        notice=notices.append,
    )
    job, stubs = await resolver.find_all()
    stubs = sorted(stubs, key=lambda stub: _natural(stub.name))
    wanted = [stub for stub in stubs if args.group in ("", stub.task_group)]
    if not wanted:
        # In the words for one allocation.
        locate.choose_allocation(job, args.group or _first_group(stubs), stubs, lambda of: of[0])
    running = [stub for stub in wanted if stub.client_status == "running"]
    left_out = [
        _left_out(stub, f"is {stub.client_status or 'in no state'}")
        for stub in wanted
        if stub.client_status != "running"
    ]
    if not running:
        raise LocateError(
            f"No allocation of job {visible_name(job)} is running: {_said(left_out)}",
            hint="%nomad_action -alloc=<id> tries one of them all the same.",
        )
    # One of each version of the job tells all of them; a node may have many.
    samples = {stub.job_version: stub for stub in running}
    found = await each(
        lambda version: resolver.allocation(samples[version]), samples, at_once=AT_ONCE
    )
    jobs = {version: one.job for version, one in found.items()}
    ids = sorted({stub.node_id for stub in running})
    nodes = await each(resolver.node, ids, at_once=AT_ONCE)
    region = client.target.region or next((one.region for one in jobs.values() if one), "") or ""
    common = replace(places[-1] if places else client.target.place, job=job, region=region)
    spots, without = _spots(args, running, jobs, nodes, common=common)
    left_out += without
    if not spots:
        raise LocateError(
            f"There is no allocation of job {visible_name(job)} in which "
            f"{visible_name(args.action)} could run: {_said(left_out)}"
        )
    groups = {spot.place.group for spot in spots}
    tasks = {spot.place.task for spot in spots}
    return Survey(
        place=replace(
            common,
            group=groups.pop() if len(groups) == 1 else "",
            task=tasks.pop() if len(tasks) == 1 else "",
        ),
        spots=tuple(spots),
        left_out=tuple(left_out),
        notices=(*notices, *_drift(spots)),
    )


def _spots(
    args: ActionArgs,
    running: Sequence[AllocationStub],
    jobs: Mapping[int, Job | None],
    nodes: Mapping[str, Node | None],
    *,
    common: Place,
) -> tuple[list[Spot], list[LeftOut]]:
    """Return where the action is to run, and where not although the allocation runs."""
    kinds = {(stub.job_version, stub.task_group) for stub in running}
    tasks = {(version, group): _tasks(jobs[version], group, args) for version, group in kinds}
    _check_tasks(tasks, jobs, args)
    known = {group for (_, group), found in tasks.items() if found}
    spots: list[Spot] = []
    left_out: list[LeftOut] = []
    for stub in running:
        version = stub.job_version
        found = tasks[version, stub.task_group]
        node = nodes.get(stub.node_id)
        if not found:
            # A group that never had the action is not meant.
            if stub.task_group in known:
                reason = f"version {version} of its job has no such action there"
                left_out.append(_left_out(stub, reason))
        elif node is not None and node.status == "down":
            left_out.append(_left_out(stub, "its node is down"))
        else:
            resolved = Resolved(
                job=common.job,
                allocation=_allocation(stub, jobs[version]),
                task=found[0],
                node=node,
            )
            spots.append(_spot(resolved, stub, common, args.action))
    return spots, left_out


def _tasks(job: Job | None, group: str, args: ActionArgs) -> list[Task]:
    """Return the tasks of a group in which the line's action can run."""
    there = next(
        (one for one in (job.task_groups if job else None) or () if one.name == group), None
    )
    return [
        task
        for task in (there.tasks if there else None) or ()
        if args.task in ("", task.name) and locate.find_action(task, args.action)
    ]


def _check_tasks(
    tasks: Mapping[tuple[int, str], list[Task]], jobs: Mapping[int, Job | None], args: ActionArgs
) -> None:
    """Make sure that the line leads to one task of each group, and to one at all."""
    for (_, group), found in tasks.items():
        if len(found) > 1:
            names = ", ".join(visible_name(task.name) for task in found)
            raise LocateError(
                f"{len(found)} tasks of group {visible_name(group)} have an action "
                f"{visible_name(args.action)}: {names}",
                hint="Name one of them with -task.",
            )
    if any(tasks.values()):
        return
    job = jobs[max(jobs)]
    narrowed = "".join(
        f" -{flag}={word}" for flag, word in (("group", args.group), ("task", args.task)) if word
    )
    raise LocateError(
        f"Job {visible_name(job.id if job else args.job)} has no action "
        f"{visible_name(args.action)}{f' with{narrowed}' if narrowed else ''}",
        hint=alternatives.actions(args.action, locate.actions(job)),
    )


def _allocation(stub: AllocationStub, job: Job | None) -> Allocation:
    """Return what the agent would say of an allocation, as far as anyone asks."""
    return Allocation(
        id=stub.id,
        name=stub.name,
        namespace=stub.namespace,
        node_id=stub.node_id,
        node_name=stub.node_name,
        task_group=stub.task_group,
        client_status=stub.client_status,
        job=job,
    )


def _spot(resolved: Resolved, stub: AllocationStub, common: Place, action: str) -> Spot:
    task = resolved.task
    found = locate.find_action(task, action)
    there = replace(common, task=task.name, job_version=stub.job_version, driver=task.driver)
    place = placed(there, stub)
    command = (found.command, *(found.args or ())) if found else ()
    return Spot(resolved=resolved, place=place, command=command)


def _left_out(stub: AllocationStub, reason: str) -> LeftOut:
    return LeftOut(
        allocation=stub.id, name=stub.name, node_name=stub.node_name, reason=visible_name(reason)
    )


def _said(left_out: Sequence[LeftOut]) -> str:
    reasons: dict[str, list[str]] = {}
    for one in left_out:
        reasons.setdefault(one.reason, []).append(one.name)
    return "; ".join(
        f"{folded(map(visible_name, names), most=NAMES)} {reason}"
        for reason, names in reasons.items()
    )


def _drift(spots: Sequence[Spot]) -> list[str]:
    """Say where the action stands for another command in another version of the job."""
    kinds: dict[tuple[str, str, tuple[str, ...]], list[Spot]] = {}
    for spot in spots:
        kinds.setdefault((spot.place.group, spot.place.task, spot.command), []).append(spot)
    by_task: dict[tuple[str, str], list[list[Spot]]] = {}
    for (group, task, _), found in kinds.items():
        by_task.setdefault((group, task), []).append(found)
    notices = []
    for (group, task), variants in by_task.items():
        if len(variants) > 1:
            lines = [
                f"  version {_versions(found)}, {len(found)} × {shlex.join(found[0].command)}"  # noqa: RUF001 - as it is read
                for found in sorted(variants, key=len, reverse=True)
            ]
            head = f"The command differs between versions of group {group}, task {task}:"
            notices.append("\n".join([head, *lines]))
    return notices


def _versions(spots: Sequence[Spot]) -> str:
    return ", ".join(map(str, sorted({spot.place.job_version or 0 for spot in spots})))


def _natural(name: str) -> tuple[object, ...]:
    """Order `cache.redis[10]` after `cache.redis[9]`."""
    parts = re.split(r"(\d+)", name)
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _first_group(stubs: Sequence[AllocationStub]) -> str:
    return stubs[0].task_group if stubs else ""
