"""A committed notebook that is run once more, and what must have come of each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def put_blank(path: Path, copy: Path) -> Sequence[Any]:
    """Copy a notebook without numbers and outputs; return its cells of code."""
    notebook = nbformat.read(path, as_version=4)
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(codes) > 3
    for cell in codes:
        # What a run did before would be taken for what this one does.
        cell.execution_count, cell.outputs = None, []
    nbformat.write(notebook, copy)
    return codes


def check_ran_whole(codes: Sequence[Any], notebook: Any) -> None:
    """Every cell ran in its turn, none failed but those that are to, and no widget was saved."""
    saved = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(saved) == len(codes)
    for number, cell in enumerate(saved, 1):
        assert cell.execution_count == number, cell.source
        errors = [one for one in cell.outputs if one.output_type == "error"]
        expected = "raises-exception" in cell.metadata.get("tags", [])
        assert bool(errors) is expected, (cell.source, errors)
        assert "application/vnd.jupyter.widget-view+json" not in str(cell.outputs), cell.source
