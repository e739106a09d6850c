"""The quickstart: what is committed is what a run gives."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from support.settled import settled

if TYPE_CHECKING:
    from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"
RUNNER = ROOT / "notebooks" / "run.py"


def run(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUNNER), *options, str(path)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL
    )


def notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    written = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(written, path)
    return path


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


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


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> tuple[NotebookNode, str]:
    """The quickstart as it runs now, and what the runner printed."""
    path = tmp_path_factory.mktemp("quickstart") / "quickstart.ipynb"
    path.write_bytes(QUICKSTART.read_bytes())
    ran = run(path, "--save")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return read(path), ran.stdout


def test_the_committed_outputs_are_what_a_run_gives(again: tuple[NotebookNode, str]) -> None:
    """Cell by cell the same, but for times, ids, counts and names of machines."""
    committed, now = read(QUICKSTART), again[0]
    assert len(committed.cells) == len(now.cells)
    for before, after in zip(committed.cells, now.cells, strict=True):
        assert before.source == after.source
        if before.cell_type == "code":
            assert shape(before.outputs) == shape(after.outputs)


def test_the_runner_prints_each_cell_and_its_output(again: tuple[NotebookNode, str]) -> None:
    """In the order in which they stand, failures and records included."""
    notebook, printed = again
    position = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            position = printed.index(cell.source.splitlines()[0], position)
    for words in (
        "Hello from demo.web[",
        "hello · exit 0 in ",
        "error: replica 2: no route to host",
        "ActionFailed: fail left with exit code 3",
        "3 lines on stdin",
        "100%",
        "interrupted (exit 130)",
        "bytes in ",
    ):
        assert words in printed
    assert "\x1b" not in printed


def test_the_quickstart_is_a_whole_notebook() -> None:
    """Valid, ten cells of code at most, every one run, in order, with its outputs."""
    quickstart = read(QUICKSTART)
    nbformat.validate(quickstart)
    code = [cell for cell in quickstart.cells if cell.cell_type == "code"]
    assert len(code) <= 10
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(cell.outputs for cell in code)
    assert quickstart.metadata.kernelspec.name == "python3"


def test_the_quickstart_holds_nothing_of_the_machine_that_ran_it() -> None:
    """No token, no path of a home or of a work tree; the outputs would tell it."""
    text = QUICKSTART.read_text(encoding="utf-8")
    assert not re.search(r"NOMAD_TOKEN\s*[=:]", text)
    assert not re.search(r"/(?:home|root|Users|work|tmp|var|opt)/", text)
    known = set(re.findall(r"allocation  (\S{36})|node        (\S{36})", text))
    ids = set(re.findall(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", text))
    # A token has the form of an id; each id here is an allocation's or a node's.
    assert ids <= {one for pair in known for one in pair}


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
