"""The files that are uploaded, as their users get them: from nothing, dependencies from the index.

`make release` builds them, and the tools that check them.  The sdist's own tests run in it on
another Python each: `make pythons`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.installed import Environment, without_npm

ROOT = Path(__file__).parents[2]
DIST = ROOT / "build" / "dist"
TOOLS = ROOT / "build" / "tools" / "bin"

FILES = sorted(DIST.glob("nomad_magic-*"))


def checked(*command: str | Path, cwd: Path = ROOT) -> str:
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_there_are_a_wheel_and_a_sdist() -> None:
    """One of each, and nothing else beside them."""
    assert [path.suffixes[-1] for path in FILES] == [".whl", ".gz"]
    assert sorted(DIST.iterdir()) == FILES


def test_an_index_would_take_them() -> None:
    """What twine and check-wheel-contents say to them, every warning counted."""
    said = checked(TOOLS / "twine", "check", "--strict", *FILES)
    assert said.count("PASSED") == len(FILES)
    checked(TOOLS / "check-wheel-contents", FILES[0])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix)
def test_installed_from_nothing_it_says_hello(path: Path, tmp_path: Path) -> None:
    """With the newest versions that the index has, and where there is no Node and no npm."""
    installed = Environment(tmp_path)
    environ = {**os.environ, **without_npm(tmp_path)}
    installed.pip("install", f"{path}[agent]", environ=environ)
    installed.says_hello()
    assert not (tmp_path / "no-npm-cache").exists()


def test_the_hooks_of_pre_commit_pass(tmp_path: Path) -> None:
    """They are those of `make lint`, with the locked tools, and need no other environment."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "build" / "sdist", folder)
    (folder / ".venv").symlink_to(sys.prefix)
    checked("git", "init", "--quiet", cwd=folder)
    checked("git", "add", "--all", cwd=folder)
    said = checked(TOOLS / "pre-commit", "run", "--all-files", "--color=never", cwd=folder)
    assert said.count("Passed") == 3, said
