"""What there is where a word led to nothing, and which rights are missing: hints for an error.

Only a run that has failed asks for more, within `HINT_SECONDS`; an answer that does not come is
not a failure too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nomad_magic.errors import RequestError
from nomad_magic.nomad import alternatives, questions
from nomad_magic.nomad.models import ALL_NAMESPACES, DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from nomad_magic.nomad.client import Client

T = TypeVar("T")

HINT_SECONDS: Final = 3.0
"""How long a failure may wait for an answer that only its hint needs."""

JOBS_ASKED: Final = 500
"""How many jobs are looked through for the one that was meant: some hundreds of kilobytes."""


async def other_jobs(word: str, client: Client) -> str:
    """Return where the job is that a word did not lead to, or which jobs there are.

    Args:
        word: What `-job` said.
        client: To ask; where it looked says its target.
    """
    namespace = client.target.namespace or DEFAULT_NAMESPACE
    named = namespace not in (DEFAULT_NAMESPACE, ALL_NAMESPACES)
    jobs, namespaces = await asyncio.gather(
        _asked(questions.jobs(client, namespace=ALL_NAMESPACES, most=JOBS_ASKED)),
        _asked(questions.namespaces(client)) if named else _nothing(),
    )
    return alternatives.jobs(word, namespace, jobs, namespaces)


async def other_allocations(prefix: str, job: str, client: Client) -> str:
    """Return where the allocation is that a prefix did not lead to, or which the job has.

    Args:
        prefix: What `-alloc` said.
        job: What `-job` said.
        client: To ask.
    """
    elsewhere, of_job = await asyncio.gather(
        _asked(questions.allocations(client, prefix, namespace=ALL_NAMESPACES)),
        _asked(questions.allocations_of(client, job)),
    )
    namespace = client.target.namespace or DEFAULT_NAMESPACE
    return alternatives.allocations(job, namespace, elsewhere or [], of_job or [])


async def other_regions(client: Client) -> str:
    """Return which regions there are, where the target's is not one of them."""
    regions = await _asked(questions.regions(client))
    return alternatives.among("region", client.target.region, regions or [])


async def other_namespaces(client: Client) -> str:
    """Return which namespaces there are, where the target's is not one of them."""
    names = await _asked(questions.namespaces(client))
    return alternatives.among("namespace", client.target.namespace, names or [])


def rights(needed: str, namespace: str, *, sent: bool) -> str:
    """Return what is missing where permission is denied.

    Args:
        needed: The capabilities.
        namespace: Where they are needed; empty for the default one.
        sent: Whether a token was sent at all.
    """
    where = f"{needed} in the namespace {namespace or DEFAULT_NAMESPACE}"
    if sent:
        return f"The agent does not know the token, or the token lacks {where}."
    return f"No token was sent: set NOMAD_TOKEN to one that has {where}."


async def _asked(question: Coroutine[Any, Any, T]) -> T | None:
    """Return the answer to a question; None when none comes in time."""
    try:
        async with asyncio.timeout(HINT_SECONDS):
            return await question
    except (RequestError, TimeoutError):
        return None


async def _nothing() -> None:
    return None
