"""The files that an agent is started with: their text, or why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from nomad_magic.agent import files
from nomad_magic.errors import AgentError


def refused(path: Path) -> AgentError:
    with pytest.raises(AgentError) as caught:
        files.read(path)
    return caught.value


def test_why_a_file_cannot_be_read(tmp_path: Path) -> None:
    """The path once, then the reason, without the system's number."""
    assert refused(tmp_path).message == f"{tmp_path}: Is a directory"
    (tmp_path / "latin").write_bytes(b"\xe9")
    assert refused(tmp_path / "latin").message == f"{tmp_path}/latin: not UTF-8 text"
    missing = tmp_path / "no" / "cache.hcl"
    assert str(refused(missing)) == f"{missing}: No such file or directory"


def test_the_file_that_was_probably_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of nearly that name in the same folder, else where a relative path was looked for."""
    monkeypatch.chdir(tmp_path)
    assert refused(Path("cache.hlc")).hint == f"It was looked for in {tmp_path}."
    Path("cache.hcl").write_text("x")
    assert refused(Path("cache.hlc")).hint == "Did you mean cache.hcl?"
    assert files.read(Path("cache.hcl")) == "x"
