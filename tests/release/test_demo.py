"""`make demo` as a newcomer types it: in a clone with nothing set up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.tars import unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git has: the sdist without what is built."""
    unpack(next((ROOT / "build" / "dist").glob("*.tar.gz")), tmp_path)
    (unpacked,) = tmp_path.iterdir()
    for built in (unpacked / "nomad_magic/notebook/static").iterdir():
        built.unlink()
    return unpacked


def make(folder: Path, *words: str) -> str:
    """Run make as from a shell of one's own; return what it says."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    command: Sequence[str] = ["make", *words]
    ran = subprocess.run(
        command, cwd=folder, env=environ, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_demo_runs_from_nothing(clone: Path) -> None:
    """With its own lock, and no more; the tests then get what they need besides."""
    said = make(clone, "demo")
    assert "Hello from demo.web[" in said
    assert "every cell ran as it should" in said
    packages = clone / ".venv" / "lib"
    assert list(packages.glob("*/site-packages/jupyterlab"))
    assert list((clone / "nomad_magic/notebook/static").iterdir())
    assert not list(packages.glob("*/site-packages/playwright"))
    said = make(clone, "core", "ARGS=-n0 -q tests/test_value.py")
    assert " passed" in said
