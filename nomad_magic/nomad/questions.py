"""The questions that say what there is: jobs, allocations, actions, namespaces, regions.

A run asks them, and so do the list of actions, what is offered while a line is typed, and the hint
of an error: all have it from the same place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomad_magic.go import path_escape
from nomad_magic.nomad import locate
from nomad_magic.nomad.models import AllocationStub, JobStub, ListedAction, Namespace

if TYPE_CHECKING:
    from nomad_magic.nomad.client import Client


async def jobs(
    client: Client, *, prefix: str = "", namespace: str = "", most: int = 0
) -> list[JobStub]:
    """Ask for jobs, in the order of their ids.

    Args:
        client: To ask.
        prefix: What their ids begin with.
        namespace: Where, or `*`; empty for the target's.
        most: How many at most; 0 for all.

    Raises:
        RequestError: No usable answer, and so of all that follow.
    """
    page = {"per_page": str(most)} if most else {}
    params = {"prefix": prefix, **page} if prefix else page
    return await client.get("/v1/jobs", {**params, **_in(namespace)}, list[JobStub])


async def actions_of(client: Client, job: str, namespace: str = "") -> list[ListedAction]:
    """Ask for the actions of the newest version of a job."""
    path = f"/v1/job/{path_escape(job)}/actions"
    return await client.get(path, _in(namespace), list[ListedAction])


async def allocations_of(client: Client, job: str, namespace: str = "") -> list[AllocationStub]:
    """Ask for the allocations of a job."""
    path = f"/v1/job/{path_escape(job)}/allocations"
    return await client.get(path, {"all": "false", **_in(namespace)}, list[AllocationStub])


async def allocations(client: Client, word: str, *, namespace: str = "") -> list[AllocationStub]:
    """Ask for the allocations whose ids begin with a word, as far as the agent takes it."""
    prefix = locate.sanitize_prefix(word)
    params = {"prefix": prefix} if prefix else {}
    return await client.get("/v1/allocations", {**params, **_in(namespace)}, list[AllocationStub])


async def namespaces(client: Client) -> list[str]:
    """Ask for the namespaces in which the token may do anything at all."""
    return [one.name for one in await client.get("/v1/namespaces", {}, list[Namespace])]


async def regions(client: Client) -> list[str]:
    """Ask for the regions, and for that the agent's own: another may have no way to answer."""
    return await client.get("/v1/regions", {"region": "", "namespace": ""}, list[str])


def _in(namespace: str) -> dict[str, str]:
    return {"namespace": namespace} if namespace else {}
