"""Every committed notebook, run whole in a real JupyterLab: *Run All*, and every cell as it should.

Headless runs are in `tests/notebook/test_quickstart.py`.  The two are not the same: in Lab a
person can type, and actions are shown in the live view.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from support import jupyter

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_in_lab(
    path: Path,
    chromium: Browser,
    server: jupyter.Server,
    screenshot: Callable[[jupyter.Notebook, str], None],
) -> None:
    """No cell fails but those whose failure is the point, and the file holds no widget."""
    copy = server.folder / path.name
    shutil.copyfile(path, copy)
    context = chromium.new_context(viewport={"width": 1100, "height": 1400})
    notebook = jupyter.Notebook(context, server, copy, "lab")
    try:
        notebook.open()
        notebook.run_all()
        cells = nbformat.read(path, as_version=4).cells
        codes = [cell for cell in cells if cell.cell_type == "code"]
        notebook.wait_done(len(codes) - 1)
        saved = [cell for cell in notebook.save().cells if cell.cell_type == "code"]
        screenshot(notebook, f"{path.stem}-in-lab")
    finally:
        notebook.close()
        context.close()
    assert len(saved) == len(codes) > 3
    for number, cell in enumerate(saved, 1):
        assert cell.execution_count == number, cell.source
        errors = [one for one in cell.outputs if one.output_type == "error"]
        expected = "raises-exception" in cell.metadata.get("tags", [])
        assert bool(errors) is expected, (cell.source, errors)
        assert "application/vnd.jupyter.widget-view+json" not in str(cell.outputs), cell.source
