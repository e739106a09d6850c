"""What was run, as a list and as a table: from this kernel, and as a log has it."""

from __future__ import annotations

import dataclasses
import gc
import re
from typing import TYPE_CHECKING

import pytest
from support.cells import environment
from support.scripted import leave

import nomad_magic
from nomad_magic import Options, Outcome, RunEntry, SettingsError, UsageError
from nomad_magic.log.table import ROWS, Runs

if TYPE_CHECKING:
    from pathlib import Path

    from support.cells import Shell
    from support.nomads import Agent
    from support.scripted import Script

SERVER = "-job=cache -group=redis -task=server"


@pytest.fixture(autouse=True)
def agent(named_agent: Agent) -> Agent:
    return named_agent


def test_the_runs_of_a_kernel_are_a_list_newest_first(tmp_path: Path) -> None:
    """Frozen, with what they wrote as long as somebody holds the result, or a log has it."""
    held = nomad_magic.run(f"{SERVER} hello")
    nomad_magic.run(f"{SERVER} fail", check=False)
    logged = nomad_magic.run(f"{SERVER} fail", check=False, options=Options(log_dir=tmp_path))
    run_id = logged.run_id
    del logged
    gc.collect()
    newest, gone, first, *_ = nomad_magic.runs(tmp_path)
    assert (first.run_id, first.stdout, first.exit_code) == (held.run_id, "hello\n", 0)
    assert (first.kernel, first.folder, first.state) == ("this kernel", None, held.state)
    assert first.target == held.target
    assert (gone.exit_code, gone.outcome) == (3, Outcome.FAILED)
    with pytest.raises(LookupError, match=f"run {gone.run_id} wrote is not there any more"):
        _ = gone.stdout
    assert (newest.run_id, newest.stdout, newest.stderr) == (run_id, "partial\n", "bad\n")
    assert newest.folder is not None
    assert newest.facts["exit_code"] == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        newest.state = "exit 0"  # type: ignore[misc]
    assert nomad_magic.runs()[0].folder is None


def test_one_that_runs_is_running(script: Script) -> None:
    """And has what it wrote so far; a run that never began says why."""
    script.session = leave
    script.silent = "/v1/jobs"
    session = nomad_magic.start(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
    (entry,) = [one for one in nomad_magic.runs() if one.run_id == session.result.run_id]
    assert (entry.state, entry.outcome, entry.ended) == ("running", Outcome.RUNNING, None)
    script.speak()
    session.wait(20)
    (entry,) = [one for one in nomad_magic.runs() if one.run_id == session.result.run_id]
    assert entry.state == session.result.state


def test_the_table_says_the_same_as_text_and_as_html(shell: Shell, tmp_path: Path) -> None:
    """With no script and no style sheet; the setting's log is in it, or the line's."""
    shell.run(f"%config NomadMagics.log_dir = {str(tmp_path)!r}")
    shell.run(f"r = %nomad_action {SERVER} hello")
    shell.run("%config NomadMagics.log_dir = None")
    result = shell.ipython.user_ns["r"]
    ran = shell.run(f"%nomad_runs {tmp_path}")
    assert isinstance(ran.value, Runs)
    assert ran.value[0].run_id == result.run_id
    assert ran.value[0].folder is not None
    text, html = repr(ran.value), ran.value._repr_html_()
    head, first, *_ = text.splitlines()
    assert head.split() == ["state", "action", "target", "when", "run", "kernel"]
    assert re.split(r"  +", first)[:3] == [f"✔ {result.state}", "hello", result.target]
    for word in (result.run_id, result.state, "hello", "job cache / group redis / task server"):
        assert word in html
    assert not re.search(r"<script|<style|<link|class=\"(?!nomad-magic-runs tex2jax_ignore)", html)
    assert ran.stdout.decode().startswith("Out[")
    assert shell.run("%nomad_runs").value[0].folder is None


def entry(at: int, **more: object) -> RunEntry:
    made = RunEntry(
        run_id=f"{at:016x}",
        action=f"act<{at}>",
        target="",
        outcome=Outcome.SUCCEEDED,
        state="exit 0",
    )
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def test_a_long_table_is_cut_and_a_fleet_is_one_row() -> None:
    """The list has all of them."""
    many = Runs(map(entry, range(ROWS + 7)))
    assert repr(many).endswith("\nand 7 older")
    assert many._repr_html_().count("<tr") == ROWS + 1
    assert "act&lt;0&gt;" in many._repr_html_()
    fleet = entry(99, is_fleet=True)
    runs = Runs([fleet, *(entry(at, fleet=fleet.run_id) for at in range(3))])
    assert len(repr(runs).splitlines()) == 2
    assert repr(Runs()) == "no runs"
    assert Runs()._repr_html_() == "<div>no runs</div>"


def test_a_folder_that_is_none_is_an_error(shell: Shell, tmp_path: Path) -> None:
    """As is more than one, or a name of the line that is found nowhere."""
    with pytest.raises(SettingsError, match="none cannot be read: No such file"):
        nomad_magic.runs(tmp_path / "none")
    with environment({}):
        assert isinstance(shell.run("%nomad_runs one two").error, UsageError)
        assert isinstance(shell.run("%nomad_runs /no/such/folder").error, SettingsError)
        assert isinstance(shell.run("%nomad_runs $no_such_name").error, UsageError)


def test_what_is_no_run_of_a_log_is_passed_over(tmp_path: Path) -> None:
    """Other files, and a record that cannot be read, which is said."""
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "20260101T000000Z-0123456789abcdef").mkdir()
    (found,) = [one for one in nomad_magic.runs(tmp_path) if one.folder is not None]
    assert (found.run_id, found.state) == ("0123456789abcdef", "its record cannot be read")
    assert found.stdout == ""
    assert found.facts == {}
