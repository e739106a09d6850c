"""The committed notebooks: what is committed is what a run gives.

`notebooks/run.py` runs them, as `make notebook` and `make demo` do.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from support.notebooks import AGENT_LINE, FOLDER, NOTEBOOKS, codes_of, read
from support.ports import END, given_by_the_system
from support.settled import UUID, settled

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager
    from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
RUNNER = FOLDER / "run.py"


def run(*words: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, RUNNER, *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL
    )


def notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    written = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(written, path)
    return path


def shape(outputs: list[Any]) -> list[tuple[str, Any]]:
    """A cell's outputs without what varies; the two streams are two pipes, and may overtake."""
    streams: dict[str, str] = {}
    others: list[tuple[str, Any]] = []
    for output in outputs:
        if output.output_type == "stream":
            streams[output.name] = streams.get(output.name, "") + output.text
        elif output.output_type == "error":
            others.append((output.ename, settled(output.evalue)))
        else:
            data = {kind: settled(text) for kind, text in output.data.items()}
            others.append((output.output_type, data))
    return [(name, settled(text)) for name, text in sorted(streams.items())] + others


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def committed(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def again(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[NotebookNode, str]:
    """A committed notebook as it runs now, and what the runner printed."""
    folder = tmp_path_factory.mktemp("again")
    for path in (committed, *FOLDER.glob("*.nomad.hcl")):
        (folder / path.name).write_bytes(path.read_bytes())
    ran = run(folder / committed.name, "--save")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return read(folder / committed.name), ran.stdout


def test_the_committed_outputs_are_what_a_run_gives(
    committed: Path, again: tuple[NotebookNode, str]
) -> None:
    """Cell by cell the same, but for times, ids, counts and names of machines."""
    before, now = read(committed), again[0]
    assert len(before.cells) == len(now.cells)
    for one, other in zip(before.cells, now.cells, strict=True):
        assert one.source == other.source
        if one.cell_type == "code":
            assert shape(one.outputs) == shape(other.outputs)


def test_the_runner_prints_each_cell_and_its_output(again: tuple[NotebookNode, str]) -> None:
    """In the order in which they stand, failures and records included."""
    notebook, printed = again
    assert "\x1b" not in printed
    position = 0
    for cell in codes_of(notebook):
        position = printed.index(cell.source.splitlines()[0], position)
        for output in cell.outputs:
            text = output.get("text") or output.get("evalue") or output.data["text/plain"]
            for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines():
                assert printed.find(line, position) > 0, line


def test_a_committed_notebook_is_whole(committed: Path) -> None:
    """Valid, every cell run, in order; the agent is started by the first alone, and ended."""
    notebook = read(committed)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].source.startswith("# ")
    first, *others, last = codes_of(notebook)
    assert AGENT_LINE.search(first.source)
    assert not any(AGENT_LINE.search(cell.source) for cell in (*others, last))
    assert last.source.startswith("%nomad_agent stop")
    counts = [cell.execution_count for cell in (first, *others, last)]
    assert counts == list(range(1, len(counts) + 1))
    assert "application/vnd.jupyter.widget" not in committed.read_text(encoding="utf-8")
    assert len(counts) <= (10 if committed.stem == "quickstart" else 15)
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"[{committed.stem}]({committed.name})" in listed


def test_a_committed_notebook_holds_nothing_of_the_machine_that_ran_it(committed: Path) -> None:
    """No token, no path of a home or of a work tree, no host; the outputs would tell it."""
    text = committed.read_text(encoding="utf-8")
    outputs = "".join(str(cell.outputs) for cell in codes_of(read(committed)))
    assert not re.search(r"NOMAD_TOKEN\s*[=:]", outputs)
    assert not re.search(r"/(?:home|root|Users|work|tmp|var|opt)/", text)
    assert set(re.findall(r"\bon node ([\w.-]+)", outputs)) == {"laptop"}
    known = set(re.findall(rf"(?:allocation|node|alloc)\W+({UUID})", text))
    known |= set(re.findall(rf"({UUID})\W+[\w.-]+\[\d+\]", text))
    ids = set(re.findall(UUID, text))
    # A token has the form of an id; each id here is said to be an allocation's or a node's.
    assert ids <= known


def test_several_run_one_after_the_other_up_to_one_that_fails(tmp_path: Path) -> None:
    """The runner's exit code is that one's, and what comes after it is not run."""
    paths = [
        notebook(tmp_path / f"{name}.ipynb", source)
        for name, source in (("a", "print(1 + 1)"), ("b", "1 / 0"), ("c", "print(2 + 2)"))
    ]
    ran = run(*paths)
    assert ran.returncode == 1
    assert "| 2\n" in ran.stdout
    assert "ZeroDivisionError" in ran.stdout
    assert "c.ipynb" not in ran.stdout


def test_what_is_given_where_nobody_can_type_is_not_saved(tmp_path: Path) -> None:
    """The cell of parameters runs with it, shows it, and is saved as it was."""
    path = notebook(tmp_path / "given.ipynb", "word = ''", "print('word:', word)")
    made = read(path)
    made.cells[0].metadata.update(tags=["parameters"], unattended={"word": "it's"})
    nbformat.write(made, path)
    ran = run(path, "--save")
    assert ran.returncode == 0
    assert '     word = "it\'s"\n' in ran.stdout
    first, second = read(path).cells
    assert first.source == "word = ''"
    assert second.outputs[0].text == "word: it's\n"


def test_the_demo_names_the_other_notebooks() -> None:
    """`make demo` ends with what else there is; off a terminal it serves nothing."""
    ran = run(FOLDER / "fleet.ipynb", "--serve")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    last = ran.stdout.splitlines()[-1]
    assert last.startswith("Beside it in ")
    assert all(path.stem in last for path in NOTEBOOKS if path.stem != "fleet")


def test_a_kernel_that_dies_before_its_first_word_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ports may be taken when it binds them: twice here, and each cell runs once.

    A third time is an error, and no cell has run.
    """
    starts = tmp_path / "starts"
    start = f"""\
        import pathlib, sys
        started = pathlib.Path({str(starts)!r})
        with started.open("a") as file:
            file.write("x")
        if started.stat().st_size <= {{}}:
            sys.exit("Address already in use")
        from ipykernel import kernelapp
        kernelapp.launch_new_instance()
    """
    spec = tmp_path / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    path = notebook(tmp_path / "once.ipynb", "print('a', 'cell')")
    for deaths, code in ((2, 0), (9, 1)):
        starts.unlink(missing_ok=True)
        program = textwrap.dedent(start).format(deaths)
        argv = [sys.executable, "-c", program, "-f", "{connection_file}"]
        spec.write_text(
            json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
        )
        ran = run(path)
        assert (ran.returncode, starts.stat().st_size) == (code, 3), ran.stdout + ran.stderr
        assert ran.stdout.count("a cell") == 1 - code
        assert ("the kernel died" in ran.stdout) == bool(code)
        assert "Traceback" not in ran.stderr


def test_a_kernel_of_these_tests_has_ports_that_nobody_else_is_given(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    """Neither by the system, which gives from a range of its own, nor by another kernel."""
    manager, _ = kernel
    used = [
        getattr(manager, f"{name}_port") for name in ("shell", "iopub", "stdin", "hb", "control")
    ]
    assert len(set(used)) == len(used)
    assert not set(used) & set(given_by_the_system())
    assert given_by_the_system().start > END


def test_a_failing_cell_is_the_runners_exit_code(tmp_path: Path) -> None:
    """The cells after it do not run, and its output and error are on the page."""
    path = notebook(tmp_path / "fails.ipynb", "print('before')", "1 / 0", "print('after')")
    ran = run(path)
    assert ran.returncode == 1
    assert "| before\n" in ran.stdout
    assert "ZeroDivisionError" in ran.stdout
    assert "after" not in ran.stdout


def test_a_progress_bar_ends_as_its_last_state(tmp_path: Path) -> None:
    """Off a terminal a line that is drawn over and over is printed once."""
    source = "import sys, time\nfor n in range(4):\n    print(f'\\r{n} of 3', end='', flush=True)\n"
    path = notebook(tmp_path / "bar.ipynb", source + "    time.sleep(0.3)\nprint('\\r\\nend')")
    ran = run(path)
    printed = [line for line in ran.stdout.splitlines() if line.startswith("     |")]
    assert printed == ["     | 3 of 3", "     | end"]
