"""One agent for most tests, as a child process; what changes it starts its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.agent_client import Exec, Peer

from nomad_magic.agent import EmbeddedAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

HERE = Path(__file__).parent
JOBS = HERE.parent / "data" / "jobs"


@pytest.fixture(scope="session")
def agent() -> Iterator[EmbeddedAgent]:
    files = [JOBS / f"{name}.nomad.hcl" for name in ("runbook", "batch", "cachetwo")]
    with EmbeddedAgent([*files, HERE / "odd.json"], token="s3cret") as running:
        yield running


@pytest.fixture(scope="session")
def peer(agent: EmbeddedAgent) -> Iterator[Peer]:
    with Peer(agent.address, agent.token) as connected:
        yield connected


@pytest.fixture(scope="session")
def http(peer: Peer) -> httpx.Client:
    return peer.http


@pytest.fixture
def run(peer: Peer) -> Iterator[Callable[..., Exec]]:
    """Open exec sessions: `run("hello")` is that action in the first redis allocation."""
    opened: list[Exec] = []

    def start(
        action: str, *, tty: bool = False, job: str = "cache", group: str = "redis", **query: str
    ) -> Exec:
        query.setdefault("task", "server")
        query.setdefault("allocID", peer.allocation(job, group)["ID"])
        opened.append(peer.open(job, action=action, tty="true" if tty else "false", **query))
        return opened[-1]

    yield start
    for session in opened:
        session.abort()
