"""Front ends that are not as JupyterLab with all its extensions: what still works, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect
from support.contrast import CONTRASTS

from nomad_magic.notebook.live.contract import CONTROL_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route, WebSocketRoute
    from support.jupyter import Notebook

SERVER = "-job=cache -group=redis -task=server"
MS = 60_000

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


class Gateway:
    """On the way to a kernel: it lets none of our messages on the control channel pass."""

    def __init__(self) -> None:
        self.kept: list[Callable[[], None]] = []

    def open(self, route: WebSocketRoute) -> None:
        """Take a page's websocket."""
        kernel = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            text = message if isinstance(message, str) else message.decode(errors="replace")
            if CONTROL_MESSAGE in text:
                self.kept.append(lambda: kernel.send(message))
            else:
                kernel.send(message)

        route.on_message(pass_on)

    def let_pass(self) -> None:
        """Let what was kept pass after all, in its order."""
        assert self.kept
        for late in self.kept:
            late()


def test_a_background_run_stops_where_no_control_message_passes(
    opened: Callable[..., Notebook],
) -> None:
    """Voilà and some gateways drop them in silence; nothing is done twice where they come late."""
    busy = "import os, time\nwhile not os.path.exists('pass-on'):\n    time.sleep(0.05)"
    notebook = opened([f"run = %nomad_action {SERVER} stubborn &", busy])
    go_on = notebook.server.folder / "pass-on"
    go_on.unlink(missing_ok=True)
    gateway = Gateway()
    notebook.page.route_web_socket("**/channels?*", gateway.open)
    notebook.save()
    notebook.reload()
    notebook.wait_open()
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    notebook.wait_done(1)
    terminal = notebook.cell(1).locator(".xterm-rows")
    expect(notebook.stop_button()).to_be_visible(timeout=MS)
    # Its last letter begins no token: what may begin one is shown with what comes next.
    notebook.cell(1).locator(".xterm-helper-textarea").press_sequentially("first")
    expect(terminal).to_contain_text("first", timeout=MS)
    notebook.stop_button().click()
    expect(notebook.cell(1).get_by_role("status")).to_have_text(
        "stopping · Ctrl-C sent", timeout=MS
    )
    expect(notebook.stop_button("Force stop")).to_be_visible()
    gateway.let_pass()
    # What is typed last comes last.
    notebook.cell(1).locator(".xterm-helper-textarea").press_sequentially("last")
    expect(terminal).to_contain_text("last", timeout=MS)
    shown = terminal.inner_text()
    assert [shown.count(typed) for typed in ("first", "^C", "last")] == [1, 1, 1], shown
    # Whoever goes on typing begins the ladder anew.  The comm is not heard while a cell runs.
    notebook.run(2)
    notebook.stop_button().click()
    hint = notebook.cell(1).get_by_text("only when the cell that runs is over")
    expect(hint).to_be_visible(timeout=MS)
    go_on.touch()
    notebook.stop_button("Force stop").click(timeout=MS)
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 131)", timeout=MS)
    # Its websocket is no other test's.
    notebook.close()


NEVER_ANSWERED = "from nomad_magic.notebook.live.pages import front_end\nfront_end.answered = False"
OLDER_ANYWIDGET = """
from traitlets import Unicode
from nomad_magic.notebook.live import widget
version = Unicode("~0.9.*").tag(sync=True)
versions = {"_model_module_version": version, "_view_module_version": version}
widget.ActionWidget = type("ActionWidget", (widget.ActionWidget,), versions)
"""


def without_extension(notebook: Notebook, name: str) -> None:
    """Have the page loaded again as by a server whose environment lacks an extension."""
    kept_back: list[str] = []

    def refuse(route: Route) -> None:
        kept_back.append(route.request.url)
        route.fulfill(status=404)

    notebook.save()
    notebook.page.route(f"**/lab/extensions/{name}/**", refuse)
    notebook.reload()
    notebook.wait_open()
    assert kept_back


@pytest.mark.parametrize(
    "missing", ["@jupyter-widgets/jupyterlab-manager", "anywidget", "another version"]
)
def test_a_server_without_what_the_view_needs_gets_text(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None], missing: str
) -> None:
    """The output, and why it comes as text, in a cell that ■ stops; then the record, once."""
    setup = NEVER_ANSWERED + (OLDER_ANYWIDGET if missing == "another version" else "")
    background = f"run = %nomad_action {SERVER} quiet &"
    cells = [setup, f"%nomad_action {SERVER} forever", background, "run.stop(grace=9).exit_code"]
    notebook = opened(cells)
    if missing != "another version":
        without_extension(notebook, missing)
    for index in (0, 1):
        notebook.run(index)
        notebook.wait_done(index)
    notebook.run(2)
    cell = notebook.cell(2)
    expect(cell).to_contain_text("(it needs jupyterlab_widgets and anywidget 0.", timeout=MS)
    expect(cell).to_contain_text("tick 2", timeout=MS)
    screenshot(notebook, f"no-page-{missing.rpartition('/')[2].replace(' ', '-')}")
    notebook.command("notebook:interrupt-kernel")
    notebook.wait_done(2)
    expect(cell.locator(".nomad-magic")).to_contain_text("interrupted (exit 130)", timeout=MS)
    notebook.run(3)
    expect(notebook.cell(3)).to_contain_text(".stop() on its session stops it", timeout=MS)
    notebook.run(4)
    expect(notebook.cell(3).locator(".nomad-magic")).to_contain_text("exit 130", timeout=MS)
    expect(notebook.cell(3)).not_to_contain_text(".stop()")
    for saved in notebook.save().cells[2:4]:
        kinds = [kind for output in saved.outputs for kind in output.get("data", {})]
        assert not any("widget" in kind for kind in kinds)
    # It is no page for another test.
    notebook.close()


OLDER_AT = """() => {
    String.prototype.at = function (index) {
        return index >= 0 && index < this.length ? this.slice(index, index + 1) : '';
    };
}"""
"""What nbclassic has done to all of its page: the method as it was proposed before it was one."""


def test_a_page_with_an_older_method_shows_the_view(opened: Callable[..., Notebook]) -> None:
    """Nothing of the view goes by what a library of the page may have replaced."""
    notebook = opened([f"r = %nomad_action {SERVER} forever"])
    notebook.page.evaluate(OLDER_AT)
    notebook.run_all()
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("tick 2", timeout=MS)
    notebook.stop_button().click()
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 130)", timeout=MS)
    notebook.close()


def test_a_view_that_cannot_be_drawn_says_so(opened: Callable[..., Notebook]) -> None:
    """Not an empty frame: what failed, and how the action is stopped; then the record."""
    notebook = opened([f"r = %nomad_action {SERVER} forever"])
    notebook.page.evaluate(
        "() => { window.ResizeObserver = function () { throw new Error('not here') } }"
    )
    notebook.run_all()
    cell = notebook.cell(1)
    expect(cell).to_contain_text("cannot show the action (not here)", timeout=MS)
    expect(cell).to_contain_text("press ■ (interrupt)")
    expect(cell.locator(".nomad-action")).to_have_count(0)
    # Before it has started there would be no exit code.
    expect(cell).to_contain_text("forever · started", timeout=MS)
    notebook.command("notebook:interrupt-kernel")
    expect(cell.locator(".nomad-magic")).to_contain_text("interrupted (exit 130)", timeout=MS)
    notebook.close()


VSCODE = """
:root {
  --vscode-editor-background: rgb(31, 31, 31);
  --vscode-editorWidget-background: rgb(32, 32, 32);
  --vscode-editor-foreground: rgb(204, 204, 204);
  --vscode-panel-border: rgb(43, 43, 43);
  --vscode-errorForeground: rgb(248, 81, 73);
  --vscode-focusBorder: rgb(0, 120, 212);
}
.cell-output-ipywidget-background { background: white !important; }
"""
"""What its dark theme sets, beside JupyterLab's light one, and its frame around a widget."""


def test_the_editors_colours_come_before_jupyters(
    opened: Callable[..., Notebook], screenshot: Callable[[Notebook, str], None]
) -> None:
    """VS Code defines both: the view is dark there, without a white frame, and follows changes."""
    notebook = opened([f"r = %nomad_action {SERVER} forever"])
    notebook.page.add_style_tag(content=VSCODE)
    notebook.run_all()
    view = notebook.cell(1).locator(".nomad-action")
    expect(view.locator(".xterm")).to_contain_text("tick 2", timeout=MS)
    frame = view.locator("..")
    frame.evaluate("element => element.classList.add('cell-output-ipywidget-background')")
    expect(frame).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    expect(view.locator(".nomad-terminal")).to_have_css("background-color", "rgb(31, 31, 31)")
    expect(view.locator(".nomad-head")).to_have_css("background-color", "rgb(32, 32, 32)")
    expect(view.locator(".nomad-head")).to_have_css("color", "rgb(204, 204, 204)")
    expect(view.locator(".xterm-rows")).to_have_css("color", "rgb(204, 204, 204)")
    words = notebook.page.evaluate(CONTRASTS, ".nomad-action")
    assert {"running", "forever", "Stop"} <= {text for text, _ in words}
    assert not [(text, contrast) for text, contrast in words if contrast < 4.5]
    screenshot(notebook, "running-vscode-dark")
    notebook.page.evaluate(
        "() => document.documentElement.style.setProperty("
        "'--vscode-editor-foreground', 'rgb(255, 255, 255)')"
    )
    expect(view.locator(".xterm-rows")).to_have_css("color", "rgb(255, 255, 255)")
    notebook.stop_button().click()
    notebook.wait_done(1)
    record = notebook.cell(1).locator(".nomad-magic")
    expect(record).to_have_css("border-top-color", "rgb(43, 43, 43)")
    # Its style is no other test's.
    notebook.close()
