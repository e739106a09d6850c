"""Front ends that are not as JupyterLab with all its extensions: what still works there, and how."""

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


def without_control_messages(route: WebSocketRoute) -> None:
    """Let a kernel's websocket pass, but for our messages on its control channel."""
    kernel = route.connect_to_server()

    def pass_on(message: str | bytes) -> None:
        text = message if isinstance(message, str) else message.decode(errors="replace")
        if CONTROL_MESSAGE not in text:
            kernel.send(message)

    route.on_message(pass_on)


def test_a_background_run_stops_where_no_control_message_passes(
    opened: Callable[..., Notebook],
) -> None:
    """Voilà and some gateways drop them in silence; one press is still one rung."""
    notebook = opened([f"run = %nomad_action {SERVER} stubborn &", "run.stop(grace=0).exit_code"])
    notebook.page.route_web_socket("**/channels?*", without_control_messages)
    notebook.save()
    notebook.reload()
    notebook.wait_open()
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    notebook.stop_button().click(timeout=MS)
    expect(notebook.cell(1).get_by_role("status")).to_have_text(
        "stopping · Ctrl-C sent", timeout=MS
    )
    expect(notebook.stop_button("Force stop")).to_be_visible()
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("^C", timeout=MS)
    assert notebook.cell(1).locator(".xterm-rows").inner_text().count("^C") == 1
    notebook.stop_button("Force stop").click()
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 131)", timeout=MS)
    # Its websocket is no other test's.
    notebook.close()
