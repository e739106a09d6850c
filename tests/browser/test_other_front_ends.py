"""Front ends that are not as JupyterLab with all its extensions: what still works, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from nomad_magic.notebook.live.contract import CONTROL_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import WebSocketRoute
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
    notebook = opened([f"run = %nomad_action {SERVER} stubborn &", "run.stop(grace=0).exit_code"])
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
    notebook.cell(1).locator(".xterm-helper-textarea").press_sequentially("once")
    expect(terminal).to_contain_text("once", timeout=MS)
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
    assert [shown.count(typed) for typed in ("once", "^C", "last")] == [1, 1, 1], shown
    # Whoever goes on typing begins the ladder anew.
    notebook.stop_button().click()
    notebook.stop_button("Force stop").click()
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 131)", timeout=MS)
    # Its websocket is no other test's.
    notebook.close()
