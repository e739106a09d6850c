"""Which job, allocation and task a line means.

Pure: it is given what the agent answered, and for the one random choice a function that
makes it.  The words of the errors are the CLI's (measured on Nomad 2.0.6), the hints ours.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import LocateError
from nomad_magic.go import go_quote
from nomad_magic.line.nearest import listed, nearest
from nomad_magic.nomad.alternatives import did_you_mean
from nomad_magic.record.facts import SHORT_ID
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nomad_magic.nomad.models import Action, Allocation, AllocationStub, Job, JobStub, Task

JOBS_PER_PAGE: Final = 20
"""How many jobs the CLI asks for when it looks a prefix up."""


def choose_job(
    word: str, jobs: Sequence[JobStub], *, all_namespaces: bool = False
) -> tuple[str, str]:
    """Choose the job that a word means.

    Args:
        word: What `-job` said, an id or a prefix.
        jobs: The jobs whose id begins with it, sorted by id, at most `JOBS_PER_PAGE`.
        all_namespaces: The line asked for the namespace `*`.

    Returns:
        The job's id and its namespace.

    Raises:
        LocateError: There is none, or it is not clear which.
    """
    if not jobs:
        raise LocateError(f"No job(s) with prefix or ID {go_quote(word)} found")
    first = jobs[0]
    if len(jobs) > 1:
        elsewhere = all_namespaces and first.id == jobs[1].id
        if first.id != word or elsewhere:
            more = "\n(results may be truncated)" if len(jobs) >= JOBS_PER_PAGE else ""
            raise LocateError(
                f"Prefix {go_quote(word)} matched multiple jobs\n\n"
                f"{_job_table(jobs, all_namespaces)}{more}",
                hint="Name one of them in full"
                + (", and its namespace with -namespace." if elsewhere else " with -job."),
            )
    return first.id, first.own_namespace


def choose_allocation(
    job: str,
    group: str,
    allocations: Sequence[AllocationStub],
    choose: Callable[[Sequence[AllocationStub]], AllocationStub],
) -> AllocationStub:
    """Choose an allocation of a group, a running one where there is one.

    Args:
        job: The job's id.
        group: The group's name.
        allocations: All of the job's.
        choose: Makes the random choice among those that qualify.

    Raises:
        LocateError: The job or the group has none.
    """
    if not allocations:
        raise LocateError(
            f"Error fetching allocations: job {go_quote(job)} doesn't exist or it has no "
            "allocations"
        )
    of_group = [stub for stub in allocations if stub.task_group == group]
    if not of_group:
        groups = {stub.task_group for stub in allocations}
        there = f"Groups with allocations: {listed(groups)}."
        raise LocateError(
            f"Error fetching allocations: task group {go_quote(group)} doesn't exist or it has "
            "no allocations",
            hint=f"{did_you_mean(group, groups)} {there}".lstrip(),
        )
    running = [stub for stub in of_group if stub.client_status == "running"]
    return choose(running or of_group)


def sanitize_prefix(prefix: str) -> str:
    """Cut an id prefix to an even number of hexadecimal digits, which the agent insists on."""
    digits = len(prefix) - prefix.count("-")
    return prefix[: len(prefix) - digits % 2]


def no_id(word: str) -> str:
    """Return that a word cannot be the beginning of an allocation's id; empty where it can."""
    if re.fullmatch(r"[0-9a-fA-F-]{0,36}", word):
        return ""
    return "-alloc takes the id of an allocation or its beginning, as 8b5c6a3e: not its name."


def choose_by_prefix(
    prefix: str, allocations: Sequence[AllocationStub], *, now: float
) -> AllocationStub:
    """Choose the one allocation whose id begins with a prefix.

    Args:
        prefix: What `-alloc` said.
        allocations: Those that the agent found for it.
        now: Seconds since 1970, for the ages in the table.

    Raises:
        LocateError: There is none, or there are several.
    """
    if not allocations:
        raise LocateError(f"No allocation(s) with prefix or id {go_quote(prefix)} found")
    if len(allocations) > 1:
        raise LocateError(
            f"Prefix matched multiple allocations\n\n{_allocation_table(allocations, now)}",
            hint="Give -alloc more characters of the one you mean.",
        )
    return allocations[0]


def choose_task(allocation: Allocation, name: str) -> Task:
    """Choose the task of an allocation's group.

    Args:
        allocation: With the job as it was placed.
        name: What `-task` said; empty for the only one.

    Raises:
        LocateError: No such group or task, or several and none was named.
    """
    groups = (allocation.job.task_groups if allocation.job else None) or []
    group = next((group for group in groups if group.name == allocation.task_group), None)
    if group is None:
        raise LocateError(
            f"Could not find allocation task group: {visible_name(allocation.task_group)}"
        )
    tasks = group.tasks or []
    if name:
        for task in tasks:
            if task.name == name:
                return task
        found = "\n".join(visible_name(task.name) for task in tasks)
        raise LocateError(
            f"Could not find task named: {name}, found:\n{found}",
            hint=did_you_mean(name, (task.name for task in tasks)),
        )
    if len(tasks) == 1:
        return tasks[0]
    listed = "".join(f"  * {visible_name(task.name)}\n" for task in tasks)
    raise LocateError(
        f"Allocation {go_quote(allocation.id[:SHORT_ID])} is running the following tasks:\n"
        f"{listed}\nPlease specify the task."
    )


def find_action(task: Task, name: str) -> Action | None:
    """Return the task's action of that name; None where the allocation's job has none."""
    return next((action for action in task.actions or () if action.name == name), None)


def actions(job: Job | None) -> list[tuple[str, str, str]]:
    """Return group, task and name of each action of a job."""
    return [
        (group.name, task.name, action.name)
        for group in (job.task_groups if job else None) or ()
        for task in group.tasks or ()
        for action in task.actions or ()
    ]


def where(job: Job | None, action: str) -> list[tuple[str, str]]:
    """Return the (group, task) pairs of a job that have an action of that name."""
    return list(dict.fromkeys(found[:2] for found in actions(job) if found[2] == action))


def elsewhere(allocation: Allocation, action: str) -> str:
    """Return where in the allocation's job there is an action of that name; empty when nowhere."""
    places = where(allocation.job, action)
    listed = "; ".join(visible_name(f"-group={group} -task={task}") for group, task in places)
    return f"There is an action {action} in {listed}." if listed else ""


def near(allocation: Allocation, action: str) -> str:
    """Return the action of another task that is most like a name; empty when none is."""
    found = nearest(action, (name for _, _, name in actions(allocation.job)))
    return elsewhere(allocation, found) if found and found != action else ""


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Align columns as the CLI does: two blanks between them, none at the end of a line."""
    shown = [[visible_name(cell) or "<none>" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    )
    return "\n".join(lines)


def _job_table(jobs: Iterable[JobStub], with_namespace: bool) -> str:
    head = ["ID", "Namespace", "Type", "Priority", "Status", "Submit Date"]
    rows = [head]
    for job in jobs:
        kind = job.type + "/periodic" * job.periodic + "/parameterized" * job.parameterized
        status = f"{job.status} (stopped)" if job.stop else job.status
        submitted = datetime.fromtimestamp(job.submit_time // 10**9, UTC)
        date = f"{submitted:%Y-%m-%dT%H:%M:%SZ}" if job.submit_time else ""
        rows.append([job.id, job.own_namespace, kind, str(job.priority), status, date])
    if not with_namespace:
        rows = [[row[0], *row[2:]] for row in rows]
    return _table(rows)


def _allocation_table(allocations: Iterable[AllocationStub], now: float) -> str:
    rows = [["ID", "Node ID", "Task Group", "Version", "Desired", "Status", "Created", "Modified"]]
    rows += [
        [
            stub.id[:SHORT_ID],
            stub.node_id[:SHORT_ID],
            stub.task_group,
            str(stub.job_version),
            stub.desired_status,
            stub.client_status,
            age(stub.create_time, now),
            age(stub.modify_time, now),
        ]
        # The newest first, as in the CLI.
        for stub in sorted(allocations, key=lambda one: one.create_index, reverse=True)
    ]
    return _table(rows)


def age(nanoseconds: int, now: float) -> str:
    """Return how long ago a time was, in its two largest units: `3d2h ago`.

    Args:
        nanoseconds: Since 1970, as Nomad gives times; 0 is unknown.
        now: Seconds since 1970.
    """
    if nanoseconds == 0:
        return ""
    rest = round(now) - round(nanoseconds / 10**9)
    suffix = "ago" if rest >= 0 else "from now"
    rest = abs(rest)
    parts = []
    for unit, seconds in (
        ("y", 360 * 86400),
        ("mo", 30 * 86400),
        ("d", 86400),
        ("h", 3600),
        ("m", 60),
        ("s", 1),
    ):
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return f"{''.join(parts[:2]) or '0s'} {suffix}"
