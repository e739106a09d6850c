"""`%nomad_agent start` with what the job files need."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.cells import Shell

PUBLIC = Path(__file__).parent.parent / "data" / "jobs" / "public"


def test_variables_and_what_is_left_out(shell: Shell, tmp_path: Path) -> None:
    """Flags are those of `nomad job run`, with one dash or two; what is left out is shown."""
    values = tmp_path / "values.hcl"
    values.write_text('password = "x"\ndatabase = "from-file"\n')
    job = PUBLIC / "postgres.nomad.hcl"
    refused = shell.run(f"%nomad_agent start {job} -var password=x")
    assert "the embedded agent refuses this, for 4 reasons" in str(refused.error)
    assert "NOMAD_ADDR" not in os.environ
    ran = shell.run(
        f"%nomad_agent start --lenient -var-file={values} --var-file {values} "
        f'-var database=orders -var="password=p w" {job}'
    )
    assert ran.error is None
    try:
        said = ran.stdout.decode()
        assert said.startswith("The embedded agent runs at http://127.0.0.1:")
        assert f"{job}: job 'postgres': group 'db': left out: volume, network\n" in said
        ran = shell.run("%nomad_action -job=postgres -group=db -task=server -t=false vacuum")
        assert b"VACUUM orders in" in ran.stdout
    finally:
        shell.run("%nomad_agent stop")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-var", "-var needs NAME=VALUE"),
        ("-var name", "-var needs NAME=VALUE"),
        ("-var-file", "-var-file needs FILE"),
        ("--lenient=yes", "has no flag --lenient=yes"),
        ("--leniant", "has no flag --leniant"),
        ("-no-token", "has no flag -no-token"),
    ],
)
def test_mistakes(shell: Shell, line: str, words: str) -> None:
    """A flag that is not there, or has no value, starts nothing, and says how it is written."""
    ran = shell.run(f"%nomad_agent start {line}")
    assert words in str(ran.error)
    assert "Write " in str(ran.error)
    assert "NOMAD_ADDR" not in os.environ
