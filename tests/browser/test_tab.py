"""Tab in a real notebook, by keys alone, and the list of actions where a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect
from support.contrast import CONTRASTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator
    from support.jupyter import Notebook

MS = 60_000

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

PATIENT = "from nomad_magic.notebook import completion; completion.SECONDS = 30"
"""How soon an answer comes is measured elsewhere; here the machine may be busy."""

EDIT = """index => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = index;
    notebook.mode = 'edit';
}"""
SOURCE = """() =>
    window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()"""


class Keys:
    """Someone at the keyboard."""

    def __init__(self, notebook: Notebook, index: int) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.page.evaluate(EDIT, index)
        expect(notebook.cell(index).locator(".cm-content")).to_be_focused()

    @property
    def source(self) -> str:
        text: str = self.page.evaluate(SOURCE)
        return text

    @property
    def items(self) -> Locator:
        return self.page.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item")

    def tab(self, *texts: str) -> list[str]:
        """Press Tab, and return what there is once these are there: a long list comes in parts."""
        self.page.keyboard.press("Tab")
        for text in texts:
            # That of the list before may still be there, hidden.
            item = self.items.and_(self.page.locator(f'[data-value="{text}"]'))
            expect(item).to_be_attached(timeout=MS)
        return [one.get_attribute("data-value") or "" for one in self.items.all()]

    def choose(self, text: str) -> None:
        """Press Tab, go down to what is wanted, and take it."""
        there = self.tab(text)
        for _ in range(there.index(text)):
            self.page.keyboard.press("ArrowDown")
        active = self.page.locator(".jp-Completer-item.jp-mod-active")
        expect(active).to_have_attribute("data-value", text)
        self.page.keyboard.press("Enter")
        expect(self.items).to_have_count(0)
        assert self.source.endswith(text)


def at_keys(notebook: Notebook) -> Keys:
    """Run the cells but the last, and go into that."""
    for index in (0, 1):
        notebook.run(index)
        notebook.wait_done(index)
    return Keys(notebook, 2)


@pytest.mark.parametrize("front_end", ["lab", "notebook"])
def test_from_the_beginning_of_a_name_to_a_running_action(
    opened: Callable[..., Notebook],
    screenshot: Callable[[Notebook, str], None],
    front_end: str,
) -> None:
    """By Tab, arrows and Enter: no value is typed, not even its beginning."""
    keys = at_keys(opened([PATIENT, ""], front_end))
    notebook = keys.notebook
    keys.page.keyboard.type("%nomad_act")
    keys.choose("%nomad_action")
    for flag, value in (("-job=", "cache"), ("-group=", "redis"), ("-task=", "sidecar")):
        keys.page.keyboard.type(f" {flag[:3]}")
        keys.choose(flag)
        keys.choose(value)
    keys.page.keyboard.type(" ")
    keys.tab("hello", "-alloc=")
    screenshot(notebook, f"tab-{front_end}")
    keys.page.keyboard.press("Escape")
    keys.page.keyboard.type("h")
    keys.choose("hello")
    assert keys.source == "%nomad_action -job=cache -group=redis -task=sidecar hello"
    keys.page.keyboard.press("Shift+Enter")
    expect(notebook.cell(2)).to_contain_text("from sidecar", timeout=MS)
    expect(notebook.cell(2).locator(".nomad-magic")).to_contain_text("exit 0", timeout=MS)


def test_what_a_completion_is_stands_beside_it_in_one_line(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None]
) -> None:
    """JupyterLab would show a sentence one word over the other."""
    keys = at_keys(opened([PATIENT, ""]))
    keys.page.keyboard.type("r = %nomad_action -job=cache -")
    keys.tab("-group=", "-task=", "-token=")
    screenshot(keys.notebook, "tab-flags")
    shown = keys.page.evaluate(ROWS)
    assert len(shown) > 15
    for text, about, height, row in shown:
        assert about, text
        assert height <= row, text
    # Nothing of Python's, and no file of the folder's.
    assert all(text.startswith("-") for text, *_ in shown)


ROWS = """() => {
    const list = document.querySelector('.jp-Completer:not(.lm-mod-hidden)');
    return [...list.querySelectorAll('.jp-Completer-item')].map(item => {
        const about = item.querySelector('.jp-Completer-typeExtended');
        return [item.dataset.value, about.textContent, about.scrollHeight, item.clientHeight];
    });
}"""


def test_the_list_of_actions_reads(
    opened: Callable[..., Notebook],
    theme: Callable[[Notebook, str], None],
    screenshot: Callable[[Notebook, str], None],
) -> None:
    """Light, dark and narrow; and the one that was asked for stands in the next cell."""
    notebook = opened(["%nomad_actions -job=cache", "%nomad_actions -task=sidecar hello"])
    notebook.run_all()
    notebook.wait_done(2)
    listed = notebook.cell(1).locator(".nomad-magic-list")
    line = "%nomad_action -job=cache -group=redis -task=server flood500"
    expect(listed.get_by_role("row").filter(has_text="flood500").first).to_contain_text("3 running")
    expect(listed.locator("code").filter(has_text=line)).to_have_count(1)
    expect(notebook.cell(3).locator(".cm-content")).to_have_text(
        "%nomad_action -job=cache -group=redis -task=sidecar hello", timeout=MS
    )
    before = notebook.page.viewport_size
    assert before is not None
    try:
        for name in ("Light", "Dark"):
            theme(notebook, name)
            words = notebook.page.evaluate(CONTRASTS, ".nomad-magic-list")
            assert "flood500" in {text for text, _ in words}
            assert not [(text, contrast) for text, contrast in words if contrast < 4.5]
            for width in (before["width"], 640):
                notebook.page.set_viewport_size({**before, "width": width})
                listed.scroll_into_view_if_needed()
                screenshot(notebook, f"actions-{name.lower()}-{width}")
                # Nothing is cut at its side.
                inside = listed.locator(".nomad-magic-output")
                assert inside.evaluate("box => box.scrollWidth <= box.clientWidth")
            notebook.page.set_viewport_size(before)
    finally:
        notebook.page.set_viewport_size(before)
