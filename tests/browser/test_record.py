"""The record where a person meets it: with MathJax there, on paper, collapsed, narrow, dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")

from nbconvert import HTMLExporter
from playwright.sync_api import expect
from support.contrast import CONTRASTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page
    from support.jupyter import Notebook

SERVER = "-job=cache -group=redis -task=server"
MS = 60_000

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


def test_no_formula_is_made_of_a_command(opened: Callable[..., Notebook]) -> None:
    """Two `$` in a command stay what they are, where MathJax is there and works."""
    notebook = opened([f"%nomad_action {SERVER} forever", FORMULA])
    notebook.run_all()
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("tick 2", timeout=MS)
    notebook.click_and_time(1)
    notebook.wait_done(2)
    expect(notebook.cell(2).locator("mjx-container").first).to_be_visible(timeout=MS)
    record = notebook.cell(1).locator(".nomad-magic")
    record.locator("summary").click()
    script = "/bin/sh -c i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.2; done"
    expect(record).to_contain_text(script)
    assert notebook.cell(1).locator("mjx-container").count() == 0


FORMULA = "from IPython.display import HTML, display\ndisplay(HTML('<p>a $x^2$ b $y$</p>'))"
DOLLARS = (
    "/bin/sh -c i=0; while [ $i -lt 400 ]; do i=$((i+1)); "
    'echo "$i of $HOME"; done; echo last $$; exit 4'
)
"""The command of an action, as it is written in its job file."""

LAST_LINE = """element => {
    const box = element.getBoundingClientRect();
    const range = document.createRange();
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let last;
    while (walker.nextNode()) last = walker.currentNode;
    range.setStart(last, last.length - 1);
    range.setEnd(last, last.length);
    const end = range.getBoundingClientRect();
    return [end.bottom - box.bottom, element.clientHeight, element.scrollHeight];
}"""
"""How far the last line is below an element's lower edge, what is in sight of it, and all of it."""

IGNORED = """element => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const { data, parentElement } = texts.currentNode;
        if (data.includes("$") && !parentElement.closest(".tex2jax_ignore")) return data;
    }
    return null;
}"""
"""The first text with a `$` of which MathJax, as nbconvert sets it up, would make a formula."""


@pytest.mark.parametrize("front_end", ["lab", "notebook"])
def test_a_long_failure_reads_on_screen_on_paper_and_as_a_page(
    front_end: str,
    opened: Callable[..., Notebook],
    screenshot: Callable[[Notebook, str], None],
    chromium: Browser,
    tmp_path: Path,
) -> None:
    """The error at the end of a long output is seen without a hand; nothing is cut in print.

    The command stands there as it was written, also where MathJax makes formulas of `$`.
    """
    notebook = opened(["%nomad_action -job=ends -group=g -task=main dollars", FORMULA], front_end)
    for index in range(3):
        notebook.run(index)
        notebook.wait_done(index)
    expect(notebook.cell(2).locator("mjx-container").first).to_be_visible(timeout=MS)
    record = notebook.cell(1).locator(".nomad-magic")
    check_long_record(notebook.page, record)
    assert notebook.cell(1).locator("mjx-container").count() == 0
    screenshot(notebook, f"record-long-{front_end}")

    html, _ = HTMLExporter().from_notebook_node(notebook.save())
    converted = tmp_path / "converted.html"
    converted.write_text(html)
    context = chromium.new_context(offline=True)
    try:
        page = context.new_page()
        page.goto(converted.as_uri(), wait_until="domcontentloaded")
        record = page.locator(".nomad-magic")
        check_long_record(page, record)
        assert record.evaluate(IGNORED) is None
    finally:
        context.close()


def check_long_record(page: Page, record: Locator) -> None:
    """The command as written, the last line in sight, and all of it on paper."""
    output = record.get_by_role("region", name="Output of dollars")
    expect(output).to_be_visible(timeout=MS)
    expect(output).to_contain_text(re.compile(r"400 of \S+\s+last \d+"))
    below, height, whole = output.evaluate(LAST_LINE)
    assert below <= 0
    assert height < whole / 4
    page.emulate_media(media="print")
    try:
        _, height, whole = output.evaluate(LAST_LINE)
        assert height == whole
    finally:
        page.emulate_media(media="screen")
    record.locator("summary").click()
    expect(record).to_contain_text(DOLLARS)


def test_a_collapsed_output_is_one_line(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None]
) -> None:
    """Of text: what was run, where the cell does not say it, and how it ended."""
    notebook = opened(["action = 'color'\n%nomad_action " + SERVER + " {action}"])
    notebook.run_all()
    notebook.wait_done(1)
    expect(notebook.cell(1).locator(".nomad-magic").last).to_be_visible(timeout=MS)
    notebook.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1 }"
    )
    notebook.command("notebook:hide-cell-outputs")
    shown = notebook.cell(1).locator(".jp-OutputPlaceholder, .jp-Placeholder-content").last
    expect(shown).to_contain_text(f"$ nomad job action {SERVER} color → exit 0 in", timeout=MS)
    assert "<" not in shown.inner_text()
    screenshot(notebook, "record-collapsed")
    notebook.command("notebook:show-cell-outputs")


@pytest.mark.parametrize("name", ["Light", "Dark"])
def test_every_word_reads(
    opened: Callable[..., Notebook],
    theme: Callable[[Notebook, str], None],
    screenshot: Callable[[Notebook, str], None],
    name: str,
) -> None:
    """A contrast of 4.5 at least, of the record's words and of the live view's (WCAG 2, AA)."""
    notebook = opened(
        [
            f"%nomad_action {SERVER} color",
            f"r = %nomad_action {SERVER} -t=false forever",
            f"%nomad_action {SERVER} fail",
        ]
    )
    theme(notebook, name)
    notebook.run_all()
    expect(notebook.cell(2).locator(".xterm")).to_contain_text("tick 2", timeout=MS)
    words = notebook.page.evaluate(CONTRASTS, ".nomad-action")
    assert {"running", "forever", "Stop"} <= {text for text, _ in words}
    notebook.page.set_viewport_size({"width": 620, "height": 900})
    screenshot(notebook, f"running-narrow-{name.lower()}")
    notebook.page.set_viewport_size({"width": 1100, "height": 900})
    notebook.click_and_time(2, "Stop")
    notebook.wait_done(3)
    expect(notebook.cell(3).locator(".nomad-magic")).to_be_visible(timeout=MS)
    for index in (1, 2, 3):
        notebook.cell(index).locator("summary").click()
    words += notebook.page.evaluate(CONTRASTS, ".nomad-magic")
    screenshot(notebook, f"record-{name.lower()}")
    assert any(re.search("SHA-256", text) for text, _ in words)
    dim = [(text, round(contrast, 2)) for text, contrast in words if contrast < 4.5]
    assert not dim


def test_an_action_that_asks_says_that_one_may_type(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None]
) -> None:
    """Silent in the middle of a line, and nobody is in the terminal: a hint, until someone is."""
    notebook = opened([f"%nomad_action {SERVER} cat"])
    notebook.run_all()
    terminal = notebook.cell(1).locator(".xterm")
    expect(terminal).to_be_visible(timeout=MS)
    hint = notebook.cell(1).get_by_text("click into the terminal and type")
    keys = notebook.cell(1).locator(".xterm-helper-textarea")
    keys.focus()
    notebook.page.keyboard.type("Drain node? [y/N] ")
    notebook.cell(1).get_by_role("button", name="Copy").focus()
    expect(hint).to_be_visible(timeout=MS)
    screenshot(notebook, "typing-hint")
    keys.focus()
    expect(hint).to_be_hidden(timeout=MS)
    # Keys are the action's: a Ctrl-C that is typed ends it, and no rung is climbed.
    notebook.page.keyboard.press("Control+c")
    notebook.wait_done(1)
    record = notebook.save().cells[1].outputs[1]["data"]["text/plain"]
    assert record.startswith("✖ cat · exit 130 in ")


def test_what_was_done_to_stop_is_said(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None]
) -> None:
    """In the view, at once and for a screen reader too."""
    notebook = opened([f"%nomad_action {SERVER} stubborn"])
    notebook.run_all()
    notebook.stop_button().click(timeout=MS)
    status = notebook.cell(1).get_by_role("status")
    expect(status).to_have_text("stopping · Ctrl-C sent", timeout=MS)
    screenshot(notebook, "stopping")
    notebook.stop_button("Force stop").click(timeout=MS)
    notebook.wait_done(1)
    record = notebook.save().cells[1].outputs[1]["data"]["text/plain"]
    assert record.startswith("■ stubborn · interrupted (exit 131) after ")


def test_a_narrow_view_reads(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None]
) -> None:
    """On a page of 400 pixels: the buttons in a row, and the target below in all its width."""
    notebook = opened([f"r = %nomad_action {SERVER} forever"])
    notebook.run_all()
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("tick 2", timeout=MS)
    notebook.command("application:toggle-left-area")
    notebook.page.set_viewport_size({"width": 400, "height": 700})
    view = notebook.cell(1).locator(".nomad-action")
    try:
        expect(view.locator(".nomad-rest")).to_have_css("display", "block")
        boxes = [
            view.locator(f".nomad-{part}").bounding_box()
            for part in ("stop", "copy", "target", "head")
        ]
        screenshot(notebook, "running-400")
        stop, copy, target, head = (box for box in boxes if box is not None)
        assert abs(stop["y"] - copy["y"]) < 4  # one row, whatever the fonts
        assert target["y"] >= stop["y"] + stop["height"]
        assert target["height"] <= 3 * 21
        assert target["width"] > 0.8 * head["width"]
        notebook.stop_button().click()
        notebook.wait_done(1)
        expect(notebook.cell(1).locator(".nomad-magic")).to_be_visible(timeout=MS)
        screenshot(notebook, "record-400")
    finally:
        notebook.page.set_viewport_size({"width": 1100, "height": 900})
        notebook.command("application:toggle-left-area")


TABLE = [
    *(("✅", 2), ("❌", 2), ("⚠\ufe0f", 2), ("✔", 1), ("🚀🚀", 4), ("👩\u200d💻", 2)),
    *(("🇨🇭 🇫🇷", 5), ("1\ufe0f\u20e3", 2), ("👍🏽", 2), ("日本語", 6), ("e\u0301é", 2), ("ok", 2)),
]
"""Signs, and how many cells a program takes each for."""

RULES = """root => {
    const found = {};
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        for (const match of texts.currentNode.data.matchAll(/┃/g)) {
            const range = document.createRange();
            range.setStart(texts.currentNode, match.index);
            range.setEnd(texts.currentNode, match.index + 1);
            const { left, top } = range.getBoundingClientRect();
            (found[Math.round(top)] ??= []).push(left - root.getBoundingClientRect().left);
        }
    }
    return Object.values(found);
}"""
"""Where the rules of a table stand, row by row."""


def test_columns_are_straight(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None]
) -> None:
    """What a program counts two cells for takes two, in the live view as in the record."""
    # Unechoed: a terminal may echo one half of a line before, the other after what comes back.
    notebook = opened(["%nomad_action -job=ends -group=g -task=main unechoed"])
    notebook.run_all()
    cell = notebook.cell(1)
    expect(cell.locator(".xterm-rows")).to_contain_text("ready", timeout=MS)
    keys = cell.locator(".xterm-helper-textarea")
    keys.focus()
    keys.evaluate(
        """(element, text) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", text);
            element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }""",
        "".join(f"┃ {sign}{' ' * (8 - width)} ┃ done ┃\n" for sign, width in TABLE),
    )
    rows = len(TABLE)
    expect(cell.locator(".xterm-rows > div", has_text="┃")).to_have_count(rows, timeout=MS)
    expect(cell.locator(".xterm-rows > div", has_text="ok")).to_have_count(1, timeout=MS)
    screenshot(notebook, "columns-live")
    check_columns(cell.locator(".xterm-rows").evaluate(RULES), rows)
    notebook.page.keyboard.press("Control+d")
    notebook.wait_done(1)
    record = cell.locator(".nomad-magic pre").first
    expect(record).to_contain_text("ok", timeout=MS)
    screenshot(notebook, "columns-record")
    check_columns(record.evaluate(RULES), rows)
    assert record.inner_text().splitlines().count("┃ 👩\u200d💻       ┃ done ┃") == 1


def check_columns(rules: list[list[float]], rows: int) -> None:
    assert [len(row) for row in rules] == [3] * rows
    for column in zip(*rules, strict=True):
        assert max(column) - min(column) < 1
