"""A notebook that a page has saved, held against the log of what it ran."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import nomad_magic
from nomad_magic.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.jupyter import Notebook

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

MS = 60_000
SERVER = "-job=cache -group=redis -task=server"

CELLS = [
    "%config NomadMagics.raise_on_error = False",
    f"r = %nomad_action {SERVER} hello",
    f"%nomad_action {SERVER} fail\nprint('between')\n%nomad_action -t=false {SERVER} hello",
    "r",
    f"s = %nomad_action {SERVER} hello &",
    "s.wait().exit_code",
    f"%nomad_action_all {SERVER} hello",
    f"%config NomadMagics.view = 'text'\n%nomad_action {SERVER} hello",
]


@pytest.mark.parametrize("front_end", ["lab", "notebook"])
def test_what_a_page_saves_is_as_the_log_has_it(
    front_end: str,
    opened: Callable[..., Notebook],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Live views, one in the background, a value, text; a cell that is run again is no fault."""
    log = f"%config NomadMagics.log_dir = {str(tmp_path / 'log')!r}"
    notebook = opened([log, *CELLS], front_end)
    notebook.run_all()
    notebook.wait_done(len(CELLS) + 1)
    # The record of the one in the background comes by itself.
    expect(notebook.cell(6).locator(".nomad-magic")).to_be_visible(timeout=MS)
    saved = notebook.save()
    argv = ["verify", str(notebook.path), "--log", str(tmp_path / "log")]
    code = main(argv)
    out = capsys.readouterr().out
    assert code == 0, out
    assert out == f"{notebook.path}: 6 records, all as the log has them\n"

    before = saved.cells[4].outputs
    notebook.run(4)
    expect(notebook.cell(4).locator(".jp-InputPrompt")).to_have_text(
        f"[{len(CELLS) + 3}]:", timeout=MS
    )
    assert notebook.save().cells[4].outputs != before
    code = main(argv)
    out = capsys.readouterr().out
    assert code == 0, out
    assert out.count("was before: the cell was run again") == 2


def test_what_a_page_puts_there_by_itself_is_too(
    opened: Callable[..., Notebook], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record of a page that was loaded in mid-run, and what stays of a kernel that was killed.

    The end of that run is not known, which is no forgery.
    """
    log = f"%config NomadMagics.log_dir = {str(tmp_path / 'log')!r}"
    cells = [f"{log}\nimport os; print(os.getpid())", *[f"%nomad_action {SERVER} cat"] * 2]
    notebook = opened(cells)

    def started(at: int) -> None:
        notebook.run(at)
        expect(notebook.cell(at).locator(".xterm")).to_be_visible(timeout=MS)
        notebook.cell(at).locator(".xterm-helper-textarea").press_sequentially(f"typed {at}\n")
        expect(notebook.cell(at).locator(".xterm")).to_contain_text(f"typed {at}", timeout=MS)

    for at in (0, 1):
        notebook.run(at)
        notebook.wait_done(at)
    started(2)
    notebook.save()
    notebook.reload()
    notebook.stop_button().click(timeout=MS)
    ended = notebook.cell(2).locator(".nomad-magic")
    expect(ended).to_contain_text("interrupted (exit 130)", timeout=MS)
    notebook.wait_open()
    started(3)
    pid = int(notebook.save().cells[1].outputs[0]["text"])
    os.kill(pid, signal.SIGKILL)
    gone = notebook.cell(3).locator(".nomad-magic")
    expect(gone).to_contain_text("the kernel is gone", timeout=MS)
    notebook.save()
    code = main(["verify", str(notebook.path), "--log", str(tmp_path / "log")])
    out = capsys.readouterr().out
    assert code == 0, out
    assert "2 records, all as the log has them\n" in out
    assert "of cat: started, end not known." in out
    (entry,) = [one for one in nomad_magic.runs(tmp_path / "log") if one.outcome == "unknown"]
    assert (entry.state, entry.stdout.count("typed 3")) == ("started, end not known", 2)
    notebook.close()
