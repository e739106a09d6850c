"""What the live view must do in every front end: one run, and many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect
from support.saved import check_saved, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Opened
    from support.jupyter import Notebook

SERVER = "-job=cache -group=redis -task=server"
MS = 60_000


def test_a_run_streams_stops_and_leaves_its_record(
    opened: Callable[[str, list[str]], Opened], picture: Callable[[Notebook, str], None]
) -> None:
    """The output comes as it is written, Stop ends the process, and the file has the record."""
    cells = [f"r = %nomad_action {SERVER} forever", "print(r.exit_code)"]
    notebook, complaints = opened("one", cells)
    before = set(complaints)
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    cell = notebook.cell(1)
    expect(cell.get_by_role("status")).to_contain_text("running", timeout=MS)
    expect(cell.locator(".xterm")).to_contain_text("tick 3", timeout=MS)
    picture(notebook, "running")
    cell.get_by_role("button", name="Stop", exact=True).click()
    notebook.wait_done(1)
    record = cell.locator(".nomad-magic")
    expect(record).to_contain_text("interrupted (exit 130) after", timeout=MS)
    expect(cell.locator(".nomad-action")).to_have_count(0, timeout=MS)
    notebook.run(2)
    notebook.wait_done(2)
    picture(notebook, "record")
    saved = notebook.save()
    check_saved(saved)
    assert "interrupted (exit 130) after" in shown(saved, 1)
    assert shown(saved, 2).strip() == "130"
    notebook.reload()
    expect(record).to_contain_text("interrupted (exit 130) after", timeout=MS)
    expect(record.locator("pre").first).to_contain_text("tick 3")
    expect(record.locator("summary")).to_have_css("display", "list-item")
    # What the front end says about itself it said before.
    assert set(complaints) <= before


def test_a_fleet_shows_its_rows_and_stops(
    opened: Callable[[str, list[str]], Opened], picture: Callable[[Notebook, str], None]
) -> None:
    """A row has its output on demand, Stop all ends them, and the file has the record."""
    notebook, complaints = opened("many", [f"r = %nomad_action_all {SERVER} forever"])
    before = set(complaints)
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    cell = notebook.cell(1)
    expect(cell.get_by_role("button", name="running · 3")).to_be_visible(timeout=MS)
    rows = cell.get_by_role("grid", name="Allocations")
    rows.get_by_role("row").filter(has_text="cache.redis[1]").click()
    detail = cell.get_by_role("group", name="Output of cache.redis[1]")
    expect(detail.locator(".xterm")).to_contain_text("tick 3", timeout=MS)
    picture(notebook, "fleet")
    cell.get_by_role("button", name="Stop all", exact=True).click()
    notebook.wait_done(1)
    record = cell.locator(".nomad-magic")
    expect(record).to_contain_text("3 of 3 interrupted (exit 130)", timeout=MS)
    saved = notebook.save()
    check_saved(saved)
    assert "3 of 3 interrupted (exit 130)" in shown(saved, 1)
    picture(notebook, "fleet-record")
    notebook.reload()
    expect(record).to_contain_text("3 of 3 interrupted (exit 130)", timeout=MS)
    # What the front end says about itself it said before.
    assert set(complaints) <= before


def test_two_who_work_on_one_notebook(
    shared: Callable[[str, list[str]], tuple[Notebook, Notebook]],
    picture: Callable[[Notebook, str], None],
) -> None:
    """With real-time collaboration each page has the output and a Stop, and then the record."""
    first, second = shared("both", [f"r = %nomad_action {SERVER} forever", "print(r.exit_code)"])
    first.run(0)
    first.wait_done(0)
    first.run(1)
    for notebook in (first, second):
        expect(notebook.cell(1).locator(".xterm")).to_contain_text("tick 3", timeout=MS)
    picture(second, "second-running")
    second.cell(1).get_by_role("button", name="Stop", exact=True).click()
    first.wait_done(1)
    for notebook in (first, second):
        record = notebook.cell(1).locator(".nomad-magic")
        expect(record).to_have_count(1, timeout=MS)
        expect(record).to_contain_text("interrupted (exit 130) after", timeout=MS)
        expect(notebook.cell(1).locator(".nomad-action")).to_have_count(0, timeout=MS)
    second.run(2)
    second.wait_done(2)
    picture(second, "second-record")
    saved = second.save()
    check_saved(saved)
    assert shown(saved, 2).strip() == "130"
