"""Lines that never get as far as an agent: what the real CLI said, the magic says."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.cells import environment

from nomad_magic.line.flag_table import help_text

if TYPE_CHECKING:
    from support.cells import Shell

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "cli" / "parse.json").read_text()
)


def named(case: dict[str, Any]) -> str:
    return " ".join([*(f"{name}={value}" for name, value in case["env"].items()), *case["argv"]])


@pytest.mark.parametrize("case", RECORDED, ids=named)
def test_a_recorded_line_ends_in_the_same_way(case: dict[str, Any], shell: Shell) -> None:
    """The exit code and the words are those that were recorded."""
    with environment({"NOMAD_ADDR": "http://127.0.0.1:1", **case["env"]}):
        ran = shell.run("%nomad_action " + shlex.join(case["argv"]))
    assert ran.exit_code == case["exit_code"]
    if ran.error is None:
        assert ran.stdout.decode() == help_text() + "\n"
    else:
        error = str(ran.error)
        assert error.startswith(case["stderr"].rstrip("\n"))
        # Nothing of ours on the cell's own streams but notices.
        assert (ran.stdout, ran.cli_stderr) == (b"", b"")
