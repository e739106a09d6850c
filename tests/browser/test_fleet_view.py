"""The live view of many runs in a real browser: what a person sees, and what a click does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from support.nomads import Setup, embedded
from support.saved import check_saved, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator
    from support.jupyter import Notebook

SERVER = "-job=cache -group=redis -task=server"
MS = 60_000

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


def start(notebook: Notebook, index: int = 1) -> Locator:
    """Load the extension, and start the fleet of one cell; return its rows."""
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(index)
    cell = notebook.cell(index)
    expect(cell.get_by_role("button", name="running · 3")).to_be_visible(timeout=MS)
    return cell.get_by_role("grid", name="Allocations")


def test_one_row_and_then_all_are_stopped(
    opened: Callable[..., Notebook],
    place: tuple[str, str | None],
    screenshot: Callable[[Notebook, str], None],
) -> None:
    """A row's Stop ends it alone, it is found by its state, its output is there on demand."""
    notebook = opened([f"r = %nomad_action_all {SERVER} forever", "print(r.state)"], *place)
    rows = start(notebook)
    cell = notebook.cell(1)
    expect(rows.get_by_role("row")).to_have_count(3)
    expect(rows.get_by_role("row").nth(1)).to_contain_text("tick 2", timeout=MS)
    rows.get_by_role("button", name="Stop cache.redis[1]").click()
    stopped = cell.get_by_role("button", name="stopped · 1")
    expect(stopped).to_be_visible(timeout=MS)
    # Nothing moves away from under the pointer.
    expect(rows.get_by_role("row").nth(1)).to_contain_text("interrupted (exit 130)")
    notebook.page.mouse.move(0, 0)
    notebook.page.evaluate("document.activeElement.blur()")
    expect(rows.get_by_role("row").nth(2)).to_contain_text("cache.redis[1]", timeout=MS)
    stopped.click()
    expect(rows.get_by_role("row")).to_have_count(1)
    cell.get_by_role("button", name="all · 3").click()
    # The output of one that runs, and then of the one that has ended.
    for name, words in (("cache.redis[2]", "running"), ("cache.redis[1]", "interrupted")):
        rows.get_by_role("row").filter(has_text=name).click()
        detail = cell.get_by_role("group", name=f"Output of {name}")
        expect(detail.locator(".xterm")).to_contain_text("tick 2", timeout=MS)
        expect(detail.get_by_role("status")).to_contain_text(words, timeout=MS)
    screenshot(notebook, f"fleet-opened-{place[0]}-{place[1] or 'newest'}")
    cell.get_by_role("button", name="Close", exact=True).click()
    expect(cell.locator(".xterm")).to_have_count(0)
    cell.get_by_role("button", name="Stop all", exact=True).click()
    notebook.wait_done(1)
    notebook.run(2)
    notebook.wait_done(2)
    saved = notebook.save()
    check_saved(saved)
    assert shown(saved, 2).strip() == "3 of 3 interrupted (exit 130)"
    assert "cache.redis[1]" in shown(saved, 1)


def test_a_row_is_clicked_however_the_list_is_scrolled(
    opened: Callable[..., Notebook], tmp_path: Path
) -> None:
    """Pressed, scrolled along under the pointer, down or up, and let go: its output is shown.

    The list has elements for those in sight alone, and is drawn between the two.
    """
    task = {
        "Name": "t",
        "Driver": "raw_exec",
        "Config": {"command": "/bin/sleep", "args": ["100000"]},
        "Actions": [{"Name": "wait", "Command": "/bin/sleep", "Args": ["100000"]}],
    }
    job = {"ID": "many", "TaskGroups": [{"Name": "g", "Count": 40, "Tasks": [task]}]}
    path = tmp_path / "many.json"
    path.write_text(json.dumps({"Job": job}))
    setup = Setup(jobs=[path], ready=lambda agent: len(agent.allocations("many", "g")) == 40)
    with embedded(tmp_path, setup) as agent:
        there = f"-address={agent.address} -token={agent.environ['NOMAD_TOKEN']}"
        notebook = opened([f"%nomad_action_all {there} -job=many wait"])
        notebook.run(0)
        notebook.wait_done(0)
        notebook.run(1)
        page, cell = notebook.page, notebook.cell(1)
        running = cell.get_by_role("button", name="running · 32")
        expect(running).to_be_visible(timeout=MS)
        rows = cell.get_by_role("grid", name="Allocations")
        running.click()
        height = rows.get_by_role("row").first.bounding_box()["height"]
        x, y = (rows.bounding_box()[name] for name in "xy")
        scroll = "(list, by) => { list.scrollTop += by; return list.scrollTop }"
        for number, by in ((11, 7), (12, -5)):
            name = f"many.g[{number}]"
            # It goes so many rows up or down, and stays in sight.
            top = rows.evaluate("list => list.scrollTop")
            at = y + (number + 0.5) * height - top
            page.mouse.move(x + 60, at)
            page.mouse.down()
            assert rows.evaluate(scroll, by * height) == top + by * height
            # Drawn: the row next to those in sight is there.
            page.evaluate(
                "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
            )
            page.mouse.move(x + 60, at - by * height)
            page.mouse.up()
            detail = cell.get_by_role("group", name=f"Output of {name}", exact=True)
            expect(detail.locator(".xterm")).to_be_visible(timeout=MS)
            order = rows.get_by_role("row").evaluate_all("all => all.map(one => +one.ariaRowIndex)")
            assert order == sorted(order)
        cell.get_by_role("button", name="Stop all", exact=True).click()
        notebook.wait_done(1)


def test_the_interrupt_button_stops_all_of_them(opened: Callable[..., Notebook]) -> None:
    """■ stops each in order, and the record says so."""
    notebook = opened([f"%nomad_action_all {SERVER} quiet", "print('never')"])
    notebook.run_all()
    expect(notebook.cell(1)).to_contain_text("running · 3", timeout=MS)
    notebook.command("notebook:interrupt-kernel")
    notebook.wait_done(1)
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 130) · cache.redis", timeout=MS)
    saved = notebook.save()
    assert "cache.redis[0-2]" in shown(saved, 1)
    assert saved.cells[2].outputs == []


def test_keyboard_and_screen_reader(opened: Callable[..., Notebook]) -> None:
    """Stop all, Copy, the counts, the rows in the order of Tab; a row by its keys."""
    notebook = opened([f"%nomad_action_all {SERVER} quiet"])
    rows = start(notebook)
    page, cell = notebook.page, notebook.cell(1)
    nodes = notebook.accessible()
    for node in (
        ("group", "Nomad action in many allocations: quiet"),
        ("button", "Stop all"),
        ("progressbar", ""),
        ("group", "Rows to list"),
        ("grid", "Allocations"),
        ("button", "Stop cache.redis[2]"),
    ):
        assert node in nodes
    expect(cell.get_by_role("progressbar")).to_have_attribute("aria-valuetext", "0 of 3 have ended")
    focused = "() => document.activeElement.ariaLabel || document.activeElement.innerText"
    cell.get_by_role("button", name="Stop all", exact=True).focus()
    walked = []
    for _ in range(8):
        page.keyboard.press("Tab")
        walked.append(page.evaluate(focused))
    kinds = ["all · 3", "failed · 0", "running · 3", "waiting · 0", "stopped · 0", "exit 0 · 0"]
    assert walked == ["Copy", *kinds, "Allocations"]
    page.keyboard.press("End")
    at = "id => document.getElementById(id).innerText"
    assert "cache.redis[2]" in page.evaluate(at, rows.get_attribute("aria-activedescendant"))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    detail = cell.get_by_role("group", name="Output of cache.redis[1]")
    expect(detail.get_by_role("status")).to_contain_text("running", timeout=MS)
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Close"
    page.keyboard.press("Escape")
    expect(detail).to_have_count(0)
    assert page.evaluate(focused) == "Allocations"
    page.keyboard.press("Delete")
    expect(cell.get_by_role("button", name="stopped · 1")).to_be_visible(timeout=MS)
    expect(cell.get_by_role("status")).to_contain_text("1 stopped", timeout=MS)
    cell.get_by_role("button", name="Stop all", exact=True).focus()
    page.keyboard.press("Enter")
    notebook.wait_done(1)


def test_a_page_reloaded_in_mid_run_shows_the_rows_and_can_stop(
    opened: Callable[..., Notebook],
) -> None:
    """The rows are there again, with their output; the file then has the record."""
    notebook = opened([f"r = %nomad_action_all {SERVER} forever"])
    start(notebook)
    notebook.save()
    notebook.reload()
    cell = notebook.cell(1)
    rows = cell.get_by_role("grid", name="Allocations")
    rows.get_by_role("row").filter(has_text="cache.redis[1]").click(timeout=MS)
    expect(cell.locator(".xterm")).to_contain_text("tick 1", timeout=MS)
    cell.get_by_role("button", name="Stop all", exact=True).click()
    expect(cell).to_contain_text("3 of 3 interrupted (exit 130)", timeout=MS)
    expect(cell.locator(".nomad-action")).to_have_count(0, timeout=MS)
    saved = notebook.save()
    check_saved(saved)
    assert "not known" not in shown(saved, 1)


def test_a_kernel_that_is_gone_leaves_what_is_known(opened: Callable[..., Notebook]) -> None:
    """Each row as it was, and that it is not known how they ended."""
    notebook = opened([f"%nomad_action_all {SERVER} forever"])
    rows = start(notebook)
    expect(rows.get_by_role("row").nth(2)).to_contain_text("tick 2", timeout=MS)
    notebook.restart()
    record = notebook.cell(1).locator(".nomad-magic")
    expect(record).to_contain_text("how they ended is not known, some may still run", timeout=MS)
    expect(record.locator("pre")).to_contain_text("cache.redis[2]")
    saved = notebook.save()
    check_saved(saved)
    head, left = saved.cells[1].outputs
    assert "how each ended stands below, or is not known" in head["data"]["text/plain"]
    assert left["metadata"]["nomad_magic"]["outcome"] == "unknown"
    notebook.close()


def test_a_fleet_looks_as_it_should(
    opened: Callable[..., Notebook],
    theme: Callable[[Notebook, str], None],
    screenshot: Callable[[Notebook, str], None],
) -> None:
    """Pictures of the running view and of the record, light, dark and narrow, kept as artefacts."""
    notebook = opened(
        [
            f"r = %nomad_action_all {SERVER} forever",
            "%nomad_action_all -job=cache -task=server hello",
        ]
    )
    for name in ("Light", "Dark"):
        theme(notebook, name)
        rows = start(notebook)
        rows.get_by_role("button", name="Stop cache.redis[1]").click()
        expect(notebook.cell(1)).to_contain_text("stopped · 1", timeout=MS)
        rows.get_by_role("row").filter(has_text="cache.redis[0]").click()
        expect(notebook.cell(1).locator(".xterm")).to_contain_text("tick 2", timeout=MS)
        screenshot(notebook, f"fleet-running-{name.lower()}")
        if name == "Light":
            notebook.page.set_viewport_size({"width": 640, "height": 900})
            screenshot(notebook, "fleet-narrow")
            notebook.page.set_viewport_size({"width": 1100, "height": 900})
        notebook.cell(1).get_by_role("button", name="Stop all", exact=True).click()
        notebook.wait_done(1)
        notebook.run(2)
        notebook.wait_done(2)
        record = notebook.cell(2).locator(".nomad-magic")
        expect(record).to_contain_text("cache.redis[0-2]", timeout=MS)
        record.locator("summary").click()
        expect(record).to_contain_text("%nomad_action_all")
        screenshot(notebook, f"fleet-ends-{name.lower()}")
