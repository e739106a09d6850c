"""Why an agent may have refused a session, and what can be done: hints from what is known here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import RequestError
from nomad_magic.go import path_escape
from nomad_magic.line import mistakes
from nomad_magic.line.flag_table import BY_NAME
from nomad_magic.nomad import locate, suggestions
from nomad_magic.nomad.alternatives import did_you_mean
from nomad_magic.nomad.explain import PERMISSION_DENIED
from nomad_magic.nomad.models import JobVersions
from nomad_magic.nomad.suggestions import HINT_SECONDS
from nomad_magic.record.facts import SHORT_ID
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.resolve import Resolved

UNISOLATED: Final = frozenset({"raw_exec"})
"""The drivers whose tasks are not kept apart from their node."""


async def hint(reason: str, args: ActionArgs, resolved: Resolved, client: Client) -> str:
    """Return what can be added to an agent's reason; empty when that is nothing.

    Args:
        reason: The agent's words.
        args: The line.
        resolved: Where it was to run.
        client: To ask what else there is.
    """
    task, allocation = resolved.task, resolved.allocation
    action = args.action
    if not action:
        return "The action's name is empty."
    if reason.startswith(f"action {action} not found"):
        on = sorted(name for name in args.given if getattr(args, BY_NAME[name].field) is True)
        if args.ignored and (meant := mistakes.of_action(action, on)):
            return meant
        return _other_actions(action, resolved, await _newer_versions(action, resolved, client))
    if reason == PERMISSION_DENIED:
        need = "alloc-exec"
        if task.driver in UNISOLATED:
            need += f" and alloc-node-exec (the driver {task.driver} does not isolate the task)"
        sent = bool(client.target.token)
        needs = f"The token needs {need} in the namespace {allocation.namespace}"
        if not sent:
            needs = suggestions.rights(need, allocation.namespace, sent=False).removesuffix(".")
        return f"{needs}; or the node's agent allows no remote execution (disable_remote_exec)."
    if reason == f"job {resolved.job} does not have allocation {allocation.id}":
        job = visible_name(allocation.job_id)
        return f"Allocation {allocation.id[:SHORT_ID]} is of another job: -job={job}"
    if "not started yet" in reason:
        # Seen for a moment where the allocation counts as running already (Nomad 1.8.4).
        return f"Allocation {allocation.id[:SHORT_ID]} is being started: once more in a moment."
    if "is not running" in reason:
        return f"Allocation {allocation.id[:SHORT_ID]} is {allocation.client_status}."
    return ""


async def _newer_versions(action: str, resolved: Resolved, client: Client) -> list[int]:
    """Ask which newer versions of the job have the action in this task.

    For a run that has failed: an answer that does not come is not a failure too.
    """
    job, allocation = resolved.allocation.job, resolved.allocation
    if job is None or (job.job_modify_index and job.job_modify_index == resolved.newest_index):
        return []
    try:
        async with asyncio.timeout(HINT_SECONDS):
            found = await client.get(
                f"/v1/job/{path_escape(job.id)}/versions",
                {"namespace": allocation.namespace},
                JobVersions,
            )
    except (RequestError, TimeoutError):
        return []
    place = (allocation.task_group, resolved.task.name)
    return sorted(
        one.version
        for one in found.versions or ()
        if one.version > job.version and place in locate.where(one, action)
    )


def _other_actions(action: str, resolved: Resolved, newer: Sequence[int]) -> str:
    task, allocation = resolved.task, resolved.allocation
    own = [one.name for one in task.actions or ()]
    name = visible_name(task.name)
    hints = [did_you_mean(action, own) or locate.near(allocation, action)]
    hints.append(locate.elsewhere(allocation, action))
    version = allocation.job.version if allocation.job else 0
    if newer:
        listed = ", ".join(map(str, newer))
        has = "has" if len(newer) == 1 else "have"
        hints.append(
            f"Version{'s' * (len(newer) > 1)} {listed} of the job {has} it in this task; this "
            f"allocation runs version {version}, and keeps to that until it is replaced."
        )
    names = ", ".join(map(visible_name, own))
    hints.append(
        f"Task {name} has these actions: {names}." if names else f"Task {name} has no actions."
    )
    if not newer:
        hints.append(f"(Version {version} of the job, which this allocation runs.)")
    return " ".join(filter(None, hints))
