"""How many exec sessions one agent takes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nomad_magic.errors import RequestError
from nomad_magic.nomad.models import AgentSelf

if TYPE_CHECKING:
    from nomad_magic.nomad.client import Client

MOST_AT_AN_ADDRESS: Final = 88
"""How many sessions there are with one agent at a time where it does not say how many it takes:
that is 100 connections of a client, unless it is told otherwise (`http_max_conns_per_client`;
measured on Nomad 2.0.6: the next gets status 429, or nothing)."""

OTHERS: Final = 12
"""How many of them are left for questions, and for the second sessions that stop runs."""


async def sessions_at_once(client: Client, wanted: int) -> int:
    """Return how many sessions there may be with one agent at a time.

    It is asked only where more are wanted than any takes that was not told otherwise, and says it
    to a token that may read agents.

    Args:
        client: Of the configured address; what it says counts for the nodes too.
        wanted: How many there are to be.
    """
    if wanted <= MOST_AT_AN_ADDRESS:
        return wanted
    try:
        agent = await client.get("/v1/agent/self", {}, AgentSelf)
    except RequestError:
        return MOST_AT_AN_ADDRESS
    limits = agent.config.limits if agent.config else None
    if limits is None or limits.http_max_connections is None:
        return MOST_AT_AN_ADDRESS
    most = limits.http_max_connections
    return max(1, min(wanted, most - OTHERS)) if most else wanted
