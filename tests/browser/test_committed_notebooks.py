"""Every committed notebook, run whole in a real JupyterLab: *Run All*, and every cell as it should.

Headless runs are in `tests/notebook/test_run.py`.  The two are not the same: in Lab a person can
type, and is asked; and actions are shown in the live view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import jupyter
from support.notebooks import (
    NOTEBOOKS,
    answer,
    check_ran_whole,
    codes_of,
    put_blank,
    shown,
    unattended,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_in_lab(
    path: Path,
    chromium: Browser,
    server: jupyter.Server,
    screenshot: Callable[[jupyter.Notebook, str], None],
) -> None:
    """No cell fails but those whose failure is the point, and the file holds no widget.

    What is to be confirmed is asked about, and its name is typed.
    """
    copy = server.folder / path.name
    codes = put_blank(path, copy)
    context = chromium.new_context(viewport={"width": 1100, "height": 1400})
    notebook = jupyter.Notebook(context, server, copy, "lab")
    try:
        notebook.open()
        notebook.run_all()
        asked = answer(notebook, len(codes) - 1)
        saved = notebook.save()
        screenshot(notebook, f"{path.stem}-in-lab")
    finally:
        notebook.close()
        context.close()
    check_ran_whole(codes, saved)
    # What needs a word where nobody can type has been confirmed here by one.
    assert bool(asked) is bool(unattended(saved))
    records = "\n".join(map(shown, codes_of(saved)))
    for name in asked:
        assert f"{name} · exit 0" in records
        assert "by the action's name, which" in records
