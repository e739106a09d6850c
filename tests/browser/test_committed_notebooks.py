"""Every committed notebook, run whole in a real JupyterLab: *Run All*, and every cell as it should.

Headless runs are in `tests/notebook/test_quickstart.py`.  The two are not the same: in Lab a
person can type, and actions are shown in the live view.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import jupyter
from support.notebooks import check_ran_whole, put_blank

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
    codes = put_blank(path, copy)
    context = chromium.new_context(viewport={"width": 1100, "height": 1400})
    notebook = jupyter.Notebook(context, server, copy, "lab")
    try:
        notebook.open()
        notebook.run_all()
        notebook.wait_done(len(codes) - 1)
        saved = notebook.save()
        screenshot(notebook, f"{path.stem}-in-lab")
    finally:
        notebook.close()
        context.close()
    check_ran_whole(codes, saved)
