"""The same cases, against the embedded agent and, where there is a `nomad`, a real one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from support import nomads
from support.secured import secured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.certificates import Certificates

RIGHTS = {
    "everything": list(nomads.CAPABILITIES),
    "exec-alone": ["alloc-exec", "alloc-node-exec"],
    **{
        f"no-{left}": [one for one in nomads.CAPABILITIES if one != left]
        for left in nomads.CAPABILITIES
    },
}
"""The tokens of `guarded`, and what each may do in the namespace `default`."""


@pytest.fixture(scope="session")
def real_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nomads.Agent]:
    with nomads.real(tmp_path_factory.mktemp("nomad")) as agent:
        yield agent


@pytest.fixture(scope="session", params=nomads.AGENTS)
def started_agent(request: pytest.FixtureRequest) -> nomads.Agent:
    name = "embedded_agent" if request.param == "embedded" else "real_agent"
    agent: nomads.Agent = request.getfixturevalue(name)
    return agent


@pytest.fixture
def agent(started_agent: nomads.Agent, no_agent_from_outside: None) -> nomads.Agent:  # noqa: ARG001 - it must be first
    """The agent of this case, named by the environment as for the CLI."""
    os.environ.update(started_agent.environ)
    return started_agent


@pytest.fixture(scope="session", params=nomads.AGENTS)
def secured_agent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[nomads.Agent, Certificates]]:
    """An agent with ACL, mutual TLS and two namespaces."""
    with secured(request.param, tmp_path_factory.mktemp("secured")) as started:
        yield started


@pytest.fixture(scope="session", params=nomads.AGENTS)
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[nomads.Agent]:
    """An agent that asks for tokens, and has one for each of `RIGHTS`."""
    setup = nomads.Setup(rights={name: {"default": rights} for name, rights in RIGHTS.items()})
    with nomads.either(request.param, tmp_path_factory.mktemp("guarded"), setup) as started:
        yield started
