"""The job file of the README, and its line, on the agents that there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support import nomads, pages

import nomad_magic

if TYPE_CHECKING:
    from pathlib import Path

README = pages.pages()["README.md"]
(TEXT,) = pages.blocks(README, "hcl")


@pytest.mark.parametrize("name", nomads.AGENTS)
def test_the_job_of_the_readme_runs_its_action(name: str, tmp_path: Path) -> None:
    """On a real agent as on the embedded one: the file and the line are to be copied."""
    (saved,) = re.findall(r"Save this as `(.+?)`", README)
    path = tmp_path / saved
    path.write_text(TEXT, encoding="utf-8")
    (line,) = re.findall(r"^%nomad_action (-job=cache .+)$", README, re.MULTILINE)
    setup = nomads.Setup(jobs=[path], ready=lambda agent: bool(agent.allocations("cache", "redis")))
    with nomads.either(name, tmp_path, setup) as agent:
        result = nomad_magic.run(line, env=agent.environ)
    assert result.text.startswith("PONG from cache.redis[0]\n")
    # Whoever saves it beside the quickstart writes over nothing.
    assert not (pages.ROOT / "notebooks" / saved).exists()
