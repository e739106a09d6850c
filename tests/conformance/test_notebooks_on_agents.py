"""Every committed notebook on an agent of somebody else's, with only its first cell changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from nbclient import NotebookClient
from support import nomads
from support.notebooks import (
    FOLDER,
    NOTEBOOKS,
    check_ran_whole,
    codes_of,
    put_on_cluster,
    read,
    shown,
    unattended,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEMO = FOLDER.parent / "nomad_magic" / "agent" / "demo.json"

RUNNING = {("cache", "redis"): 3, ("cache", "replica"): 8, ("demo", "web"): 2, ("demo", "store"): 1}
"""How many allocations of each group there are to be."""


def all_run(agent: nomads.Agent) -> bool:
    return all(len(agent.allocations(*place)) == count for place, count in RUNNING.items())


@pytest.fixture(scope="module", params=nomads.AGENTS)
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[nomads.Agent]:
    """An agent that was given the notebooks' jobs, as anyone would give them to it."""
    setup = nomads.Setup(jobs=[*FOLDER.glob("*.nomad.hcl"), DEMO], ready=all_run)
    with nomads.either(request.param, tmp_path_factory.mktemp("cluster"), setup) as agent:
        yield agent


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_with_its_first_cell_changed_it_runs_whole(
    path: Path,
    cluster: nomads.Agent,
    tmp_path: Path,
    no_agent_from_outside: None,  # noqa: ARG001 - it must be first
) -> None:
    """Every cell as it should, on the agent that was named, which is there afterwards."""
    names = unattended(read(path))
    codes = put_on_cluster(path, tmp_path / path.name, cluster.address, names)
    notebook = read(tmp_path / path.name)
    os.environ["NOMAD_TOKEN"] = cluster.environ.get("NOMAD_TOKEN", "")
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    check_ran_whole(codes, notebook)
    first, *_, last = map(shown, codes_of(notebook))
    assert f"env: NOMAD_ADDR={cluster.address}" in first
    assert "No embedded agent runs here." in last
    assert all_run(cluster)
