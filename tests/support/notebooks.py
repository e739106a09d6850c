"""The committed notebooks: run once more, elsewhere too, and what must have come of each cell."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nbformat

from support.jupyter import SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbformat import NotebookNode

    from support.jupyter import Notebook

FOLDER: Final = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS: Final = sorted(FOLDER.glob("*.ipynb"))
"""Every one that there is: a new one is tested as the others are."""

AGENT_LINE: Final = re.compile(r"^%nomad_agent start.*\n?", re.MULTILINE)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def codes_of(notebook: NotebookNode) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def put_blank(path: Path, copy: Path) -> Sequence[Any]:
    """Copy a notebook without numbers and outputs, and its jobs; return its cells of code."""
    notebook = read(path)
    codes = codes_of(notebook)
    assert len(codes) > 3
    for cell in codes:
        # What a run did before would be taken for what this one does.
        cell.execution_count, cell.outputs = None, []
    nbformat.write(notebook, copy)
    for job in path.parent.glob("*.nomad.hcl"):
        if not (copy.parent / job.name).exists():
            shutil.copy(job, copy.parent)
    return codes


def put_on_cluster(path: Path, copy: Path, address: str, names: Mapping[str, Any]) -> Sequence[Any]:
    """Copy a notebook with its first cell changed for a cluster; return its cells of code.

    Args:
        path: The notebook.
        copy: Where to; without outputs.
        address: Of the agent; its token is in the environment.
        names: What the first cell sets, and is to set otherwise.
    """
    notebook = read(path)
    codes = codes_of(notebook)
    source, count = AGENT_LINE.subn(f"%env NOMAD_ADDR={address}\n", codes[0].source)
    assert count == 1, "the first cell is the one that starts the agent"
    assert not any(AGENT_LINE.search(cell.source) for cell in codes[1:])
    for name, value in names.items():
        source, count = re.subn(
            rf"^{name} = .*$", f"{name} = {value!r}", source, flags=re.MULTILINE
        )
        assert count == 1, f"the first cell sets {name}"
    codes[0].source = source
    for cell in codes:
        cell.execution_count, cell.outputs = None, []
    nbformat.write(notebook, copy)
    return codes


def unattended(notebook: NotebookNode) -> dict[str, Any]:
    """Return the parameters that a notebook is given where nobody can type."""
    found: dict[str, Any] = {}
    for cell in codes_of(notebook):
        found.update(cell.metadata.get("unattended", {}))
    return found


def shown(cell: Any) -> str:
    """Return all text that a saved cell shows."""
    parts = []
    before = None
    for output in cell.outputs:
        if output.output_type != "stream":
            parts.append(output.get("data", {}).get("text/plain", ""))
            parts += output.get("traceback", [])
        elif output.name == before:
            # What was printed together may have come in two pieces.
            parts[-1] += output.text
        else:
            parts.append(output.text)
        before = output.get("name")
    return "\n".join(parts)


def check_ran_whole(codes: Sequence[Any], notebook: Any) -> None:
    """Every cell ran in its turn, none failed but those that are to, and no widget was saved."""
    saved = codes_of(notebook)
    assert len(saved) == len(codes)
    for number, cell in enumerate(saved, 1):
        assert cell.execution_count == number, cell.source
        errors = [one for one in cell.outputs if one.output_type == "error"]
        expected = "raises-exception" in cell.metadata.get("tags", [])
        assert bool(errors) is expected, (cell.source, errors)
        assert "application/vnd.jupyter.widget-view+json" not in str(cell.outputs), cell.source


def answer(notebook: Notebook, last: int) -> list[str]:
    """Type an action's name wherever a cell asks for it, until a cell is done; return those."""
    from playwright.sync_api import expect  # noqa: PLC0415 - only where one is found

    question = notebook.page.locator(".jp-Stdin:has(input)")
    asked: list[str] = []
    for index in range(last + 1):
        prompt = notebook.cell(index).locator(".jp-InputPrompt")
        done = prompt.filter(has_text=re.compile(r"\[\d+\]:"))
        while True:
            expect(question.or_(done).first).to_be_attached(timeout=SECONDS * 1000)
            if done.count():
                break
            words = question.inner_text()
            found = re.search(r"Type (\S+) to run it in ", words)
            assert found, words
            asked.append(found[1])
            question.locator("input").fill(found[1])
            question.locator("input").press("Enter")
            expect(question).to_have_count(0)
    notebook.wait_done(last)
    return asked
