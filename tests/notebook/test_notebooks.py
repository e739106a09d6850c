"""Whole notebooks, run as runners run them: a failure stops them, and the file is evidence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support.notebooks import shown

if TYPE_CHECKING:
    from support.nomads import Agent

SERVER = "-job=cache -group=redis -task=server"


@pytest.fixture(autouse=True)
def agent(named_agent: Agent) -> Agent:
    return named_agent


@pytest.fixture(scope="session", autouse=True)
def kernel(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A kernel of this very interpreter, whatever kernels the machine has."""
    from ipykernel.kernelspec import install  # noqa: PLC0415 - only these tests need it

    prefix = tmp_path_factory.mktemp("kernels")
    install(prefix=str(prefix), kernel_name="python3")
    os.environ["JUPYTER_PATH"] = str(prefix / "share" / "jupyter")


def notebook(*cells: str) -> Any:
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in ("%load_ext nomad_magic", *cells)]
    made.metadata.kernelspec = {"name": "python3", "display_name": "x", "language": "python"}
    return made


FAILING = (
    f"%nomad_action {SERVER} hello",
    f"%nomad_action {SERVER} fail",
    "print('never')",
)


def check_stopped(saved: Any) -> None:
    # Papermill adds cells of its own that mark the error.
    hello, fail, never = [cell for cell in saved.cells if cell.cell_type == "code"][-3:]
    assert "hello\n" in shown(hello)
    assert "hello · exit 0 in" in shown(hello)
    assert "partial\n" in shown(fail)
    assert "bad\n" in shown(fail)
    assert "fail · exit 3 in" in shown(fail)
    assert "fail left with exit code 3" in shown(fail)
    assert [output.ename for output in fail.outputs if output.output_type == "error"] == [
        "ActionFailed"
    ]
    assert never.outputs == []


def test_nbclient_stops_at_the_cell_whose_action_fails(agent: Agent) -> None:
    """The run fails there; the notebook holds the action's output and its exit code."""
    run = notebook(*FAILING)
    with pytest.raises(CellExecutionError, match="exit code 3"):
        NotebookClient(run, timeout=60).execute()
    check_stopped(run)
    text = nbformat.writes(run)
    assert agent.environ["NOMAD_TOKEN"] not in text
    assert "widget" not in text


def test_papermill_stops_at_the_cell_whose_action_fails(tmp_path: Path, agent: Agent) -> None:
    """The same with papermill, whose saved file says what happened."""
    source, saved = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(notebook(*FAILING), source)
    with pytest.raises(papermill.PapermillExecutionError, match="exit code 3"):
        papermill.execute_notebook(source, saved, progress_bar=False)
    after = nbformat.read(saved, as_version=4)
    check_stopped(after)
    assert agent.environ["NOMAD_TOKEN"] not in saved.read_text()


@pytest.mark.parametrize("runner", ["nbclient", "papermill"])
def test_many_at_once_leave_one_record_and_one_error(
    agent: Agent, tmp_path: Path, runner: str
) -> None:
    """Text before and after, the facts as metadata, a value to compute with; a failure once."""
    run = notebook(
        f"r = %nomad_action_all {SERVER} hello",
        "print(r.ok, len(r), [len(group) for group in r.groups])",
        f"%%nomad_action_all {SERVER} cat\nfrom the cell",
        f"%nomad_action_all {SERVER} fail",
        "print('never')",
    )
    said = "fail failed in 3 of 3 allocations"
    if runner == "nbclient":
        with pytest.raises(CellExecutionError, match=said):
            NotebookClient(run, timeout=60).execute()
    else:
        source, saved = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
        nbformat.write(run, source)
        with pytest.raises(papermill.PapermillExecutionError, match=said):
            papermill.execute_notebook(source, saved, progress_bar=False)
        run = nbformat.read(saved, as_version=4)
    hello, value, body, fail, never = [one for one in run.cells if one.cell_type == "code"][-5:]
    assert shown(hello).startswith("hello in 3 allocations: cache.redis[0-2]\n")
    assert "✔ hello · 3 of 3 exit 0 in" in shown(hello)
    (facts,) = [one.metadata["nomad_magic"] for one in hello.outputs if "data" in one]
    assert (facts["kind"], facts["counts"]) == ("fleet", {"exit 0": 3})
    assert shown(value).split() == ["True", "3", "[3]"]
    assert "    from the cell" in shown(body)
    assert "✖ fail · 3 of 3 exit 3 in" in shown(fail)
    assert [one.ename for one in fail.outputs if one.output_type == "error"] == ["FleetFailed"]
    assert never.outputs == []
    text = nbformat.writes(run)
    assert agent.environ["NOMAD_TOKEN"] not in text
    assert "widget" not in text


def test_a_flood_does_not_fill_the_notebook() -> None:
    """50 MB leave a notebook of less than 200 KB, with head and tail right to the byte."""
    run = notebook(
        f"r = %nomad_action {SERVER} flood",
        "whole = r.stdout_bytes\n"
        "print(len(whole), whole[:65536] == (b'x' * 99 + b'\\n') * 655 + b'x' * 36)",
    )
    NotebookClient(run, timeout=120).execute()
    assert len(nbformat.writes(run)) < 200_000
    stdout = "".join(output.text for output in run.cells[1].outputs if "text" in output)
    head, _, tail = stdout.partition("\n[… ")
    notice, _, tail = tail.partition("…]\n")
    assert head.encode() == ((b"x" * 99 + b"\n") * 656)[: 1 << 16]
    assert "left out here" in notice
    whole = (b"x" * 99 + b"\n") * 529583 + b"x" * 83
    assert tail.encode() == whole[-(1 << 16) :]
    assert shown(run.cells[2]).split() == [str(len(whole)), "True"]


def test_a_progress_bar_is_kept_in_its_last_state(tmp_path: Path) -> None:
    """A runner would keep every step; what a screen showed at last is in the record."""
    cell = "%nomad_action -t -job=cache -group=redis -task=server progress"
    path, done = tmp_path / "bar.ipynb", tmp_path / "done.ipynb"
    nbformat.write(notebook(cell), path)
    papermill.execute_notebook(str(path), str(done), progress_bar=False, kernel_name="python3")
    outputs = nbformat.read(done, as_version=4).cells[-1].outputs
    streams = "".join(one.text for one in outputs if one.output_type == "stream")
    assert streams.split("\n")[0] == "5/5"
    assert "1/5" not in streams


def test_an_action_that_prints_the_token_does_not_save_it(agent: Agent) -> None:
    """What is shown and saved is masked; the bytes in `.stdout` are left alone."""
    token = agent.environ["NOMAD_TOKEN"]
    run = notebook(
        f"%%nomad_action {SERVER} cat\ntoken={token}\n",
        "import os\nassert os.environ['NOMAD_TOKEN'] in _.stdout",
        f"r = %nomad_action {SERVER} -token=$NOMAD_TOKEN hello\nr",
    )
    NotebookClient(run, timeout=60).execute()
    assert "token=[masked]" in shown(run.cells[1])
    for cell in run.cells:
        assert token not in shown(cell)


def test_two_hundred_runs_leave_nothing_behind() -> None:
    """After 200 runs in one kernel there is no more of anything than after ten."""
    count = (
        "import gc, psutil\n"
        "def count():\n"
        "    gc.collect()\n"
        "    me = psutil.Process()\n"
        "    return (me.num_threads(), me.num_fds(), len(me.children(True)),"
        " len(me.net_connections()))\n"
    )
    run_some = (
        "from IPython.utils.capture import capture_output\n"
        "def some(times):\n"
        "    for _ in range(times):\n"
        "        with capture_output():\n"
        f"            get_ipython().run_line_magic('nomad_action', '{SERVER} hello')\n"
    )
    run = notebook(
        count, run_some, "some(10)\nbefore = count()", "some(190)\nprint(before, count())"
    )
    NotebookClient(run, timeout=120).execute()
    before, after = shown(run.cells[-1]).strip()[1:-1].split(") (")
    assert after == before


def test_a_background_run_gives_its_session_at_once() -> None:
    """With & the cell ends at once; `wait` gives the result."""
    run = notebook(
        f"s = %nomad_action {SERVER} -t forever &\nprint(s.done)",
        "while not s.result.transcript.size: pass\ns.stop()\nprint(s.wait(10).state)",
    )
    NotebookClient(run, timeout=60).execute()
    (said,) = [output.text for output in run.cells[1].outputs if output.output_type == "stream"]
    assert said == "False\n"
    assert shown(run.cells[2]).startswith("interrupted (exit 130) after")


def records(cell: Any) -> list[dict[str, Any]]:
    """Return what stands as a record's facts in the metadata of a saved cell."""
    found = [output.get("metadata", {}).get("nomad_magic") for output in cell.outputs]
    return [one for one in found if one]


@pytest.mark.parametrize("magic", ["nomad_action", "nomad_action_all"])
# It ends in its own cell, or in a later one.
@pytest.mark.parametrize("later", [("s.wait()", "None"), ("None", "s.wait(); None")])
def test_the_record_of_a_background_run_is_in_its_cell(magic: str, later: tuple[str, str]) -> None:
    """Whichever cell runs as it ends, and as text where nobody looks."""
    run = notebook(f"s = %{magic} {SERVER} hello &\n{later[0]}", later[1], "s.done")
    NotebookClient(run, timeout=60).execute()
    (facts,) = records(run.cells[1])
    assert facts["exit_code" if magic == "nomad_action" else "counts"] in (0, {"exit 0": 3})
    assert "hello · " in shown(run.cells[1])
    assert "exit 0" in shown(run.cells[1])
    assert [records(cell) for cell in run.cells[2:]] == [[], []]


def test_a_background_run_that_outlives_the_notebook_leaves_what_is_known() -> None:
    """One line: what was started, where and when, and that its end is not known."""
    run = notebook(
        f"s = %nomad_action {SERVER} -t forever &", "while not s.result.transcript.size: pass"
    )
    NotebookClient(run, timeout=60).execute()
    line = shown(run.cells[1]).strip()
    assert line.startswith("forever · started ")
    assert line.endswith("its end stands below, or is not known")
    assert records(run.cells[1]) == []


def test_background_runs_that_fail_say_so_in_their_cells() -> None:
    """One that left with another code than 0, and one that never began."""
    run = notebook(
        f"s = %nomad_action {SERVER} fail &",
        "n = %nomad_action -job=nosuch -group=redis -task=server hello &",
        "s.wait(); n.wait(); None",
    )
    NotebookClient(run, timeout=60).execute()
    assert records(run.cells[1])[0]["exit_code"] == 3
    assert shown(run.cells[2]).strip() == "hello → not started"
    assert records(run.cells[2]) == []


def test_what_ran_in_the_background_is_as_the_log_has_it(tmp_path: Path) -> None:
    """A notebook that a runner has saved, with runs in the background, verifies."""
    log = tmp_path / "log"
    run = notebook(
        f"%config NomadMagics.log_dir = {str(log)!r}",
        f"s = %nomad_action {SERVER} hello &\nf = %nomad_action_all {SERVER} hello &",
        f"t = %nomad_action {SERVER} fail &",
        "s.wait(); f.wait(); t.wait(); None",
    )
    NotebookClient(run, timeout=60).execute()
    saved = tmp_path / "saved.ipynb"
    nbformat.write(run, saved)
    checked = subprocess.run(
        [sys.executable, "-m", "nomad_magic", "verify", str(saved), "--log", str(log)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "3 records" in checked.stdout


RUNBOOK = (
    "%nomad_action -job={job} -namespace=$namespace -group={group} -task=server hello",
    "%nomad_action_all -job=$job -namespace={namespace} -group=$group -task=server hello",
)


def runbook(path: Path, *before: str) -> None:
    """Write a notebook that takes its job, group and namespace as papermill's parameters."""
    made = notebook('job = "x"\ngroup = "x"\nnamespace = "x"', *before, *RUNBOOK)
    made.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(made, path)


def test_a_runbook_takes_its_parameters_from_papermill(tmp_path: Path, agent: Agent) -> None:
    """Job, group and namespace of its lines; its records name what they led to."""
    source, saved = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    runbook(source)
    parameters = {"job": "cache", "namespace": "default", "group": "redis"}
    papermill.execute_notebook(source, saved, parameters, progress_bar=False)
    *_, one, many = nbformat.read(saved, as_version=4).cells
    assert "hello · exit 0 in" in shown(one)
    (facts,) = [out.metadata["nomad_magic"] for out in one.outputs if "data" in out]
    assert facts["place"]["job"] == "cache"
    assert facts["command_line"] == (
        "nomad job action -job=cache -group=redis -task=server -namespace=default hello"
    )
    assert "hello · 3 of 3 exit 0 in" in shown(many)
    assert agent.environ["NOMAD_TOKEN"] not in saved.read_text()


def test_papermill_fails_where_a_runbook_would_have_to_be_confirmed(tmp_path: Path) -> None:
    """By its own program: a code that is not 0, words that say what to do, and nothing was run."""
    source, saved = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    runbook(source, "%config NomadMagics.confirm = ['namespace=def* job=ca*']")
    given = {"job": "cache", "namespace": "default", "group": "redis"}
    parameters = [word for pair in given.items() for word in ("-p", *pair)]
    program = [sys.executable, "-m", "papermill", "--no-progress-bar", source, saved, *parameters]
    ran = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "was not confirmed, which namespace=def* job=ca* asks for: nobody can be" in ran.stderr
    assert "%config NomadMagics.confirm" in ran.stderr
    *_, one, many = nbformat.read(saved, as_version=4).cells
    assert "hello · would run in cache.redis[" in shown(one)
    assert "hello · exit 0" not in shown(one)
    assert [output.ename for output in one.outputs if output.output_type == "error"] == [
        "NotConfirmed"
    ]
    assert many.outputs == []


def test_python_is_this_one() -> None:
    """The kernel of these tests is the interpreter that runs them."""
    run = notebook("import sys\nprint(sys.executable)")
    NotebookClient(run, timeout=60).execute()
    assert Path(shown(run.cells[1]).strip()).resolve() == Path(sys.executable).resolve()
