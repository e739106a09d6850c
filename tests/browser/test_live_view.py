"""The live view in a real browser: what a person sees, and what a click does."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser
    from support.jupyter import Notebook

SERVER = "-job=cache -group=redis -task=server"
MS = 30_000

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


def running(notebook: Notebook, index: int) -> None:
    """Wait until a cell's widget shows a running action."""
    expect(notebook.cell(index).get_by_role("button", name="Stop", exact=True)).to_be_visible(
        timeout=MS
    )
    expect(notebook.cell(index).get_by_role("status")).to_contain_text("running", timeout=MS)


def shown(saved: Any, index: int) -> str:
    return "\n".join(
        output.get("data", {}).get("text/plain", "") + output.get("text", "")
        for output in saved.cells[index].outputs
    )


def check_saved(saved: Any) -> None:
    """No widget is left in a saved notebook."""
    for cell in saved.cells:
        for output in cell.outputs:
            assert not any("widget" in kind for kind in output.get("data", {}))
    assert "widgets" not in saved.metadata


def start(notebook: Notebook, index: int = 1) -> None:
    """Load the extension, and start the action of one cell."""
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(index)
    running(notebook, index)


def test_stop_stops_a_silent_action(
    opened: Callable[..., Notebook], one_cell_place: tuple[str, str | None]
) -> None:
    """A click ends the process and the cell, in every front end and on every kernel."""
    notebook = opened([f"r = %nomad_action {SERVER} quiet", "print(r.exit_code)"], *one_cell_place)
    start(notebook)
    took = notebook.click_and_time(1)
    notebook.run(2)
    notebook.wait_done(2)
    saved = notebook.save()
    assert "interrupted (exit 130) after" in shown(saved, 1)
    assert shown(saved, 2).strip() == "130"
    check_saved(saved)
    assert took < 5000, "the figure that counts is printed by the benchmark"


def test_stop_stops_a_flood(
    opened: Callable[..., Notebook], one_cell_place: tuple[str, str | None]
) -> None:
    """The same while the action writes at full speed."""
    cells = [f"r = %nomad_action {SERVER} flood500", "print(r.exit_code)"]
    notebook = opened(cells, *one_cell_place)
    start(notebook)
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("xxxx", timeout=MS)
    notebook.click_and_time(1)
    notebook.run(2)
    notebook.wait_done(2)
    saved = notebook.save()
    assert shown(saved, 2).strip() in {"130", "0"}
    check_saved(saved)


def test_run_all_keeps_its_order(opened: Callable[..., Notebook]) -> None:
    """Three cells with Stop in the first: the others run after it, in order."""
    notebook = opened(
        [
            f"order = []\n%nomad_action {SERVER} quiet\norder.append(1)",
            "order.append(2)",
            "order.append(3)\nprint(order)",
        ]
    )
    notebook.run_all()
    running(notebook, 1)
    notebook.click_and_time(1)
    notebook.wait_done(3)
    assert shown(notebook.save(), 3).strip() == "[1, 2, 3]"


def test_run_all_stops_at_a_failure(opened: Callable[..., Notebook]) -> None:
    """With a failing first the others do not run."""
    notebook = opened([f"%nomad_action {SERVER} fail", "print('never')"])
    notebook.run_all()
    notebook.wait_done(1)
    expect(notebook.cell(1)).to_contain_text("ActionFailed", timeout=MS)
    saved = notebook.save()
    assert saved.cells[2].outputs == []
    assert "fail: exit 3 in" in shown(saved, 1)
    check_saved(saved)


def test_the_interrupt_button_interrupts_the_action(opened: Callable[..., Notebook]) -> None:
    """■ stops the action in order, and the cell fails."""
    notebook = opened([f"%nomad_action {SERVER} forever", "print('never')"])
    notebook.run_all()
    running(notebook, 1)
    notebook.command("notebook:interrupt-kernel")
    notebook.wait_done(1)
    saved = notebook.save()
    assert "interrupted (exit 130)" in shown(saved, 1)
    assert saved.cells[2].outputs == []


def type_and_see(notebook: Notebook, index: int, text: str) -> None:
    """Type a line into a cell's terminal, and wait until it is shown."""
    notebook.cell(index).locator(".xterm-helper-textarea").press_sequentially(f"{text}\n")
    expect(notebook.cell(index).locator(".xterm")).to_contain_text(text, timeout=MS)


def test_a_page_reloaded_in_mid_run_shows_the_tail_and_can_stop(
    opened: Callable[..., Notebook], place: tuple[str, str | None]
) -> None:
    """The widget is there again after a reload, with what came before, and Stop works."""
    notebook = opened([f"r = %nomad_action {SERVER} cat", "print(r.exit_code)"], *place)
    start(notebook)
    type_and_see(notebook, 1, "before")
    notebook.save()
    notebook.reload()
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("before", timeout=MS)
    type_and_see(notebook, 1, "after")
    notebook.cell(1).get_by_role("button", name="Stop", exact=True).click()
    expect(notebook.cell(1)).to_contain_text("exit 130", timeout=MS)
    # A run that is over shows no button.
    expect(notebook.stop_button()).to_have_count(0, timeout=MS)


def test_an_actions_output_runs_nothing(opened: Callable[..., Notebook]) -> None:
    """HTML and scripts in the output are text, live and in the record."""
    evil = (
        "<script>window.evil = 1</script><img src=x onerror='window.evil = 2'>"
        "\\033]52;c;ZXZpbA==\\007\\033]8;;javascript:window.evil=3\\007link\\033]8;;\\007"
    )
    cells = [f"%%nomad_action {SERVER} cat\n{evil}\n"]
    notebook = opened(cells)
    notebook.run_all()
    notebook.wait_done(1)
    expect(notebook.cell(1)).to_contain_text("<script>window.evil", timeout=MS)
    assert notebook.page.evaluate("window.evil") is None
    html = notebook.save().cells[1].outputs[1]["data"]["text/html"]
    assert "<script" not in html
    assert "<img" not in html
    notebook.reload()
    expect(notebook.cell(1)).to_contain_text("<script>window.evil", timeout=MS)
    assert notebook.page.evaluate("window.evil") is None


def test_a_page_without_javascript_shows_the_record(
    opened: Callable[..., Notebook], chromium: Browser, tmp_path: Path
) -> None:
    """A notebook made into plain HTML reads the same where no script runs."""
    notebook = opened([f"%nomad_action {SERVER} color", f"r = %nomad_action {SERVER} fail"])
    notebook.run_all()
    notebook.wait_done(2)
    saved = notebook.save()
    html, _ = HTMLExporter().from_notebook_node(saved)
    page = tmp_path / "saved.html"
    page.write_text(html)
    context = chromium.new_context(java_script_enabled=False)
    try:
        plain = context.new_page()
        plain.goto(page.as_uri())
        text = " ".join(plain.locator("body").inner_text().split())
        # What is folded away is there too.
        everything = " ".join((plain.locator("body").text_content() or "").split())
    finally:
        context.close()
    for index in (1, 2):
        record = saved.cells[index].outputs[1]["data"]["text/plain"]
        state, _, rest = record.partition("\n")
        facts, _, output = rest.partition("\n\n")
        assert state.partition(": ")[2] in text
        assert " ".join(output.split()) in text
        for fact in facts.split("\n"):
            assert " ".join(fact.split()[1:]) in everything


def test_ten_background_runs_at_once(opened: Callable[..., Notebook]) -> None:
    """The cell ends at once, ten views go on, and one Stop stops one."""
    start = f"runs = []\nfor _ in range(10):\n    run = %nomad_action {SERVER} forever &\n"
    count = "print([run.wait(10).exit_code for run in runs].count(130))"
    notebook = opened([start + "    runs.append(run)", f"[run.stop() for run in runs]\n{count}"])
    notebook.cell(0).click()
    notebook.command("notebook:run-cell-and-select-next")
    notebook.command("notebook:run-cell-and-select-next")
    notebook.wait_done(1)
    expect(notebook.cell(1).get_by_role("button", name="Stop", exact=True)).to_have_count(
        10, timeout=MS
    )
    expect(notebook.cell(1).locator(".xterm").nth(9)).to_contain_text("tick 2", timeout=MS)
    notebook.cell(1).get_by_role("button", name="Stop", exact=True).first.click()
    expect(notebook.cell(1).get_by_role("button", name="Stop", exact=True)).to_have_count(
        9, timeout=MS
    )
    notebook.cell(2).locator(".jp-Editor").click()
    notebook.command("notebook:run-cell-and-select-next")
    notebook.wait_done(2)
    assert shown(notebook.save(), 2).strip() == "10"


def test_fifty_megabytes_leave_the_page_alive(
    opened: Callable[..., Notebook], record_property: Callable[[str, object], None]
) -> None:
    """The page answers throughout, and the saved notebook stays small."""
    notebook = opened([f"r = %nomad_action {SERVER} -t=false flood"])
    notebook.page.evaluate(
        """() => {
            window.gaps = []; let last = performance.now();
            const tick = now => {
                window.gaps.push(now - last); last = now; requestAnimationFrame(tick);
            };
            requestAnimationFrame(tick);
        }"""
    )
    notebook.run_all()
    notebook.wait_done(1)
    gaps = notebook.page.evaluate("window.gaps")
    record_property("largest_frame_gap_ms", round(max(gaps)))
    record_property("median_frame_gap_ms", round(statistics.median(gaps)))
    saved = notebook.save()
    check_saved(saved)
    assert notebook.path.stat().st_size < 200_000
    record = saved.cells[1].outputs[1]["data"]["text/plain"]
    _, _, output = record.partition("\n\n")
    head, _, rest = output.partition("\n[… ")
    tail = rest.partition("…]\n")[2]
    whole = ("x" * 99 + "\n") * 529583 + "x" * 83
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len(head) > 16_000
    assert len(tail) > 16_000


def test_it_looks_as_it_should(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None]
) -> None:
    """Pictures of the running view and of the ends, light and dark, kept as artefacts."""
    notebook = opened(
        [
            f"%nomad_action {SERVER} color",
            f"r = %nomad_action {SERVER} forever",
            f"%nomad_action {SERVER} fail",
        ]
    )
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        name = theme.rpartition(" ")[2].lower()
        notebook.page.evaluate(
            "theme => { window.jupyterapp.commands.execute('apputils:change-theme', {theme}) }",
            theme,
        )
        notebook.run_all()
        running(notebook, 2)
        expect(notebook.cell(2).locator(".xterm")).to_contain_text("tick 3", timeout=MS)
        screenshot(notebook, f"running-{name}")
        notebook.click_and_time(2)
        notebook.wait_done(3)
        expect(notebook.cell(3)).to_contain_text("ActionFailed", timeout=MS)
        screenshot(notebook, f"ends-{name}")
