"""A notebook open in nbclassic, the front end that Jupyter Notebook was up to version 6."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import nbformat

from support.jupyter import SECONDS, Notebook, Server
from support.nomads import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Locator

NUMBERED = re.compile(r"\[\d+\]:")
IDLE = """() => {
    const { notebook } = window.Jupyter ?? {};
    return Boolean(notebook?._fully_loaded && notebook.kernel?.is_connected());
}"""


class ClassicNotebook(Notebook):
    """The same as in the newer ones; its page has other names for everything."""

    def __init__(self, context: BrowserContext, made: Server, path: Path) -> None:
        super().__init__(context, made, path, "nbclassic")
        self.url = f"{made.url}nbclassic/notebooks/{path.name}?token={made.token}"

    def reload(self) -> None:
        """Load the page again; its kernel goes on."""
        self.page.reload()
        self.page.wait_for_selector("#notebook-container .cell", timeout=SECONDS * 1000)

    def wait_open(self) -> None:
        """Wait until its kernel answers."""
        self.page.wait_for_function(IDLE, timeout=SECONDS * 1000)
        until(self._answers, seconds=SECONDS, what="the kernel answers")

    def _answers(self) -> bool:
        return bool(
            self.page.evaluate(
                """() => {
                    const late = new Promise(done => setTimeout(() => done(false), 5000));
                    const told = new Promise(done =>
                        window.Jupyter.notebook.kernel.kernel_info(() => done(true)));
                    return Promise.race([told, late]);
                }"""
            )
        )

    def fill(self, cells: Sequence[str]) -> None:
        """Put these cells in the place of those that are there."""
        self.wait_open()
        self.page.evaluate(
            """sources => {
                const { notebook } = window.Jupyter;
                const before = notebook.ncells();
                sources.forEach((source, index) =>
                    notebook.insert_cell_at_index('code', index).set_text(source));
                notebook.delete_cells(
                    [...Array(before).keys()].map(index => index + sources.length));
            }""",
            list(cells),
        )

    def run(self, index: int) -> None:
        """Run one cell."""
        self.page.evaluate(
            """index => {
                const { notebook } = window.Jupyter;
                notebook.select(index);
                notebook.execute_cell();
            }""",
            index,
        )

    def cell(self, index: int) -> Locator:
        return self.page.locator("#notebook-container .code_cell").nth(index)

    def prompt(self, index: int) -> str:
        return self.cell(index).locator(".input_prompt").inner_text()

    def wait_done(self, index: int) -> None:
        """Wait until a cell has its number."""
        from playwright.sync_api import expect  # noqa: PLC0415 - only where one is found

        prompt = self.cell(index).locator(".input_prompt")
        expect(prompt).to_have_text(NUMBERED, timeout=SECONDS * 1000)

    def save(self) -> Any:
        """Save it, and give the file."""
        self.page.evaluate("async () => { await window.Jupyter.notebook.save_notebook() }")
        return nbformat.read(self.path, as_version=4)
