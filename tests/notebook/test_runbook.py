"""The runbook where nobody can type: as papermill and nbclient run it, with a word and without."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support import nomads
from support.notebooks import FOLDER, codes_of, put_blank, put_on_cluster, read, shown

import nomad_magic

if TYPE_CHECKING:
    from pathlib import Path

RUNBOOK = FOLDER / "runbook-redis-latency.ipynb"
FIX = "expire-now"

# The runbook's cells of code, once papermill has put one after the first.
GIVEN, ASKED, SLOWEST, SLOWLOG, MEMORY, DECIDED, FIXED, VERIFIED, RECORD, END = range(1, 11)


def execute(folder: Path, **parameters: Any) -> tuple[list[Any], str]:
    """Run it by papermill in a folder; return its cells of code, and the error that ended it."""
    source, saved = folder / RUNBOOK.name, folder / "done.ipynb"
    if not source.exists():
        put_blank(RUNBOOK, source)
    error = ""
    try:
        papermill.execute_notebook(source, saved, parameters, progress_bar=False, cwd=folder)
    except papermill.PapermillExecutionError as raised:
        error = f"{raised.ename}: {raised.evalue}"
    # Papermill adds a cell of its own where one has failed.
    own = {"papermill-error-cell-tag"}
    kept = [one for one in codes_of(read(saved)) if own.isdisjoint(one.metadata.get("tags", []))]
    return kept, error


def records(cells: list[Any], action: str) -> list[dict[str, Any]]:
    """Return the facts of all records of an action that there are."""
    found = [
        output.metadata.get("nomad_magic", {})
        for cell in cells
        for output in cell.outputs
        if "metadata" in output
    ]
    return [facts for facts in found if facts.get("action") == action and "run_id" in facts]


def test_with_the_word_it_is_mended(tmp_path: Path) -> None:
    """The slowest is found, the fix is run there and nowhere else, and it is fast then."""
    cells, error = execute(tmp_path, confirmed=FIX)
    assert error == ""
    assert [cell.execution_count for cell in cells] == list(range(1, 12))
    assert f'confirmed = "{FIX}"' in cells[GIVEN].source
    assert "cache.redis[1] is the slowest: p99 47.2 ms" in shown(cells[SLOWEST])
    assert "remove the expired keys" in shown(cells[DECIDED])
    assert f"{FIX} · exit 0 in" in shown(cells[FIXED])
    assert f"by the action's name, which action={FIX} asks for" in shown(cells[FIXED])
    assert "p99 47.2 ms before, 5.2 ms now" in shown(cells[VERIFIED])
    assert "| 47.2 ms | 60,000 | 5.2 ms | 10.0 ms |" in shown(cells[RECORD])
    assert f"**✔ {FIX} · exit 0" in shown(cells[RECORD])


@pytest.mark.parametrize("word", [{}, {"confirmed": "yes"}], ids=["none", "another"])
def test_without_the_word_it_ends_there(tmp_path: Path, word: dict[str, str]) -> None:
    """The fix was not run, nothing after it was, and what was found until then stands there."""
    cells, error = execute(tmp_path, **word)
    assert error.startswith("NotConfirmed: ")
    assert "Nothing was run." in error
    *_, slowlog, memory, decided, fixed, verified, record, end = cells
    assert "slowlog · exit 0" in shown(slowlog)
    assert "60000" in shown(memory)
    assert "remove the expired keys" in shown(decided)
    assert f"{FIX} · exit" not in shown(fixed)
    assert records(cells, FIX) == []
    assert [cell.outputs for cell in (verified, record, end)] == [[], [], []]


def test_where_it_is_fast_enough_nothing_is_done(tmp_path: Path) -> None:
    """With a higher limit the decision is another, no word is needed, and it is no failure."""
    cells, error = execute(tmp_path, p99_limit_ms=100)
    assert error == ""
    assert "nothing to do" in shown(cells[DECIDED])
    assert shown(cells[FIXED]) == "Nothing was changed: nothing to do.\n"
    assert "p99 47.2 ms before, 47.2 ms now" in shown(cells[VERIFIED])
    assert "**cache.redis[1]: nothing to do**" in shown(cells[RECORD])


def test_where_the_fix_does_not_suffice_it_fails_at_the_end(tmp_path: Path) -> None:
    """Whoever has run it hears of that; the record for the ticket is there all the same."""
    cells, error = execute(tmp_path, p99_limit_ms=1, confirmed=FIX)
    assert error.startswith("RuntimeError: cache.redis[1] is still slow (p99 5.2 ms)")
    assert f"{FIX} · exit 0 in" in shown(cells[FIXED])
    assert "| 47.2 ms | 60,000 | 5.2 ms | 1 ms |" in shown(cells[RECORD])


def test_another_cause_is_left_alone(tmp_path: Path, no_agent_from_outside: None) -> None:  # noqa: ARG001 - it must be first
    """Slow without expired keys is for somebody else: nothing is changed, word or not."""
    setup = nomads.Setup(
        jobs=[FOLDER / "cache.nomad.hcl"],
        ready=lambda agent: len(agent.allocations("cache", "redis")) == 3,
    )
    with nomads.embedded(setup=setup) as agent:
        os.environ.update(agent.environ)
        mended = nomad_magic.run_all(f"-job=cache -group=redis {FIX}")
        assert mended.ok
        put_on_cluster(RUNBOOK, tmp_path / RUNBOOK.name, agent.address, {})
        cells, error = execute(tmp_path, p99_limit_ms=1, confirmed=FIX)
    assert "is still slow (p99 5.2 ms): ask whoever is on call for Redis" in error
    assert "Nothing was changed: ask whoever" in shown(cells[FIXED])
    assert "p99 5.2 ms before, 5.2 ms now" in shown(cells[VERIFIED])


def test_the_log_has_all_that_it_has_run(tmp_path: Path) -> None:
    """By papermill's own program; `verify` finds every record as it was run."""
    put_blank(RUNBOOK, tmp_path / RUNBOOK.name)
    words = ["--no-progress-bar", RUNBOOK.name, "done.ipynb"]
    words += ["-p", "confirmed", FIX, "-p", "log_dir", "log"]
    for program in (["papermill", *words], ["nomad_magic", "verify", "done.ipynb", "--log", "log"]):
        ran = subprocess.run(
            [sys.executable, "-m", *program],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout == "done.ipynb: 4 records, all as the log has them\n"
    # The fix was run from Python: what shows it is a value, but the log has it too.
    logged = [run for run in nomad_magic.runs(tmp_path / "log") if run.folder]
    (fix,) = [run for run in logged if run.action == FIX]
    assert fix.exit_code == 0
    assert "no expired keys are left behind" in fix.stdout


def test_nbclient_stops_where_nobody_can_confirm(tmp_path: Path) -> None:
    """The committed notebook as it is, run without a person: it ends at the fix."""
    put_blank(RUNBOOK, tmp_path / RUNBOOK.name)
    notebook = read(tmp_path / RUNBOOK.name)
    resources = {"metadata": {"path": str(tmp_path)}}
    with pytest.raises(CellExecutionError, match="nobody can be asked here"):
        NotebookClient(notebook, timeout=60, resources=resources).execute()
    plan = shown(codes_of(notebook)[FIXED - 1])
    assert f"{FIX} · would run in cache.redis[1]" in plan
    assert f"{FIX} · exit" not in nbformat.writes(notebook)
