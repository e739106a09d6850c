"""A real Jupyter server and a real browser, and a notebook open in both."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from support.browsers import NODE, find_browser
from support.nomads import until
from support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, BrowserContext, Locator

BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KERNELS = Path(sys.prefix) / "kernels"
"""Where `make setup` puts the older ipykernels that the browser tests run against."""

ONE_CELL = frozenset({"7.3.0"})
"""The ipykernels on which only one cell at a time is run.

ipykernel 7.3.0 may not see a request that comes while it sends a reply (measured: 1 of 80, without
anything of ours), and whatever is queued behind that cell then hangs.  `comm_pump.py` has it
look again after a run of ours; a plain cell's reply it knows nothing of.
"""

SECONDS = 60.0


@contextmanager
def browser(firefox: Path | None = None) -> Iterator[Browser]:
    """Run a headless Chromium.

    Args:
        firefox: What starts a Firefox: that is run in its place.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where one is found

    # The Node that playwright brings needs a libatomic, which a bare machine lacks.
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(NODE))
    with sync_playwright() as playwright:
        if firefox:
            made = playwright.firefox.launch(channel="moz-firefox", executable_path=firefox)
        else:
            path = find_browser()
            assert path is not None
            made = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        try:
            yield made
        finally:
            made.close()


@dataclass(frozen=True)
class Server:
    """A Jupyter server: JupyterLab and Notebook 7 on the same notebooks."""

    url: str
    token: str
    folder: Path

    def write(self, name: str, cells: Sequence[str], *, kernel: str) -> Path:
        """Put a notebook into the server's folder."""
        made = nbformat.v4.new_notebook()
        made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        made.metadata.kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
        path = self.folder / name
        nbformat.write(made, path)
        return path

    def ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def end_kernels(self) -> None:
        for session in self.ask("api/sessions"):
            self.ask(f"api/sessions/{session['id']}", "DELETE")


@contextmanager
def server(
    folder: Path, environ: dict[str, str], *, python: str = sys.executable, base_path: str = "/"
) -> Iterator[Server]:
    """Run a Jupyter server with a kernel for each ipykernel there is.

    Args:
        folder: For its notebooks and its settings.
        environ: What its kernels see besides.
        python: Of the environment that it and its kernels run in; another than this one has no
            older kernels.
        base_path: Below which all of it is.
    """
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    for version in [None, *(older_kernels() if python == sys.executable else ())]:
        _install_kernel(folder, version, python)
    port = free_port()
    token = secrets.token_hex(16)
    settings = folder / "config"
    settings.mkdir()
    (settings / "jupyter_server_config.json").write_text(
        json.dumps(
            {
                "ServerApp": {
                    "port": port,
                    "port_retries": 0,
                    "root_dir": str(notebooks),
                    "base_url": base_path,
                },
                "IdentityProvider": {"token": token},
                "LabApp": {"expose_app_in_browser": True},
                "JupyterNotebookApp": {"expose_app_in_browser": True},
            }
        )
    )
    # No question about news in the way of a click.
    quiet = folder / "lab-settings" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("NOMAD_")},
        **environ,
        "JUPYTER_CONFIG_DIR": str(settings),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "lab-settings"),
    }
    command = [python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as process,
    ):
        made = Server(f"http://127.0.0.1:{port}{base_path}", token, notebooks)
        try:
            until(lambda: answers(made), seconds=SECONDS, what="the Jupyter server answers")
            yield made
            made.end_kernels()
        finally:
            process.terminate()


def older_kernels() -> list[str]:
    """Return the versions of ipykernel that there are besides the newest."""
    return sorted(path.name for path in KERNELS.iterdir()) if KERNELS.is_dir() else []


def kernel_name(version: str | None) -> str:
    return "python3" if version is None else f"ipykernel-{version}"


def _install_kernel(folder: Path, version: str | None, python: str) -> None:
    spec = folder / "data" / "kernels" / kernel_name(version)
    spec.mkdir(parents=True)
    command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    environ = {} if version is None else {"PYTHONPATH": str(KERNELS / version)}
    (spec / "kernel.json").write_text(
        json.dumps(
            {
                "argv": command,
                "display_name": kernel_name(version),
                "language": "python",
                "env": environ,
                "metadata": {"supported_features": ["kernel subshells"]},
            }
        )
    )


def answers(made: Server) -> bool:
    """Whether a server that was started is there by now."""
    try:
        return "version" in made.ask("api")
    except (urllib.error.URLError, OSError):
        return False


class Notebook:
    """A notebook open in a page, in JupyterLab or in Notebook 7.

    To load a front end takes seconds, and to start a kernel as well: one notebook is opened once
    and given new cells for each test.
    """

    def __init__(self, context: BrowserContext, made: Server, path: Path, front_end: str) -> None:
        self.context = context
        self.page = context.new_page()
        self.server = made
        self.path = path
        # A workspace of its own: Lab would open the notebooks of other tests again.
        workspace = path.stem.replace(".", "-")
        kind = f"lab/workspaces/{workspace}/tree" if front_end == "lab" else "notebooks"
        self.url = f"{made.url}{kind}/{path.name}?token={made.token}"

    def open(self) -> None:
        """Open it, and wait until its kernel is idle."""
        self.page.goto(self.url)
        self.wait_open()

    def reload(self) -> None:
        """Load the page again; its kernel goes on."""
        self.page.reload()
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=SECONDS * 1000)

    def restart(self) -> None:
        """Restart its kernel, whatever that does."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )

    def reopen(self) -> None:
        """Close the page in the middle of whatever it does, and open another one."""
        self.page.close()
        self.page = self.context.new_page()
        self.page.goto(self.url)
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=SECONDS * 1000)

    def wait_open(self) -> None:
        """Wait until its kernel is idle."""
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=SECONDS * 1000)
        self.page.wait_for_function(
            "() => { const w = window.jupyterapp?.shell?.currentWidget;"
            " return w?.sessionContext?.session?.kernel?.status === 'idle' }",
            timeout=SECONDS * 1000,
        )
        # A kernel that counts as idle may not hear yet: what is sent before its sockets are joined
        # is lost, and nobody would ask again.
        until(self._answers, seconds=SECONDS, what="the kernel answers")

    def _answers(self) -> bool:
        """Whether the kernel answers a question within some seconds."""
        return bool(
            self.page.evaluate(
                """() => {
                    const { sessionContext } = window.jupyterapp.shell.currentWidget;
                    const { kernel } = sessionContext.session;
                    const late = new Promise(done => setTimeout(() => done(false), 5000));
                    return Promise.race([kernel.requestKernelInfo().then(Boolean), late]);
                }"""
            )
        )

    def kernel_states(self) -> tuple[str, str]:
        """Return what its kernel does, as the server sees it and as the page does."""
        (session,) = [
            each for each in self.server.ask("api/sessions") if each["path"] == self.path.name
        ]
        shown = self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status"
        )
        return session["kernel"]["execution_state"], shown

    def close(self) -> None:
        """Close the page and end the kernel."""
        self.page.close()
        for session in self.server.ask("api/sessions"):
            if session["path"] == self.path.name:
                self.server.ask(f"api/sessions/{session['id']}", "DELETE")

    def fill(self, cells: Sequence[str]) -> None:
        """Put these cells in the place of those that are there."""
        # A page that was just reloaded has no kernel yet, and would run none of them.
        self.wait_open()
        self.page.evaluate(
            """sources => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                const cells = sources.map(source => (
                    {cell_type: 'code', source, metadata: {}, outputs: [], execution_count: null}
                ));
                const model = notebook.model.sharedModel;
                const before = model.cells.length;
                model.insertCells(0, cells);
                model.deleteCellRange(cells.length, cells.length + before);
                notebook.activeCellIndex = 0;
                notebook.deselectAll();
            }""",
            list(cells),
        )

    def run(self, index: int) -> None:
        """Run one cell; give `wait_done` its turn before the next."""
        self.page.evaluate(
            """index => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.activeCellIndex = index;
                notebook.deselectAll();
                const through = window.ranThrough ??= {};
                through[index] = false;
                const done = () => { through[index] = true };
                window.jupyterapp.commands.execute('notebook:run-cell').then(done, done);
            }""",
            index,
        )

    def command(self, name: str) -> None:
        self.page.evaluate("name => { window.jupyterapp.commands.execute(name) }", name)

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def cell(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)

    def prompt(self, index: int) -> str:
        return self.cell(index).locator(".jp-InputPrompt").inner_text()

    def wait_done(self, index: int) -> None:
        """Wait until a cell has its number, and the front end has put the focus where it was."""
        prompt = self.cell(index).locator(".jp-InputPrompt")
        from playwright.sync_api import expect  # noqa: PLC0415 - only where one is found

        expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=SECONDS * 1000)
        # Later than the number: what is typed in between would go to the notebook.
        self.page.wait_for_function(
            "index => window.ranThrough?.[index] !== false", arg=index, timeout=SECONDS * 1000
        )

    def save(self) -> Any:
        """Save it, and give the file."""
        self.page.evaluate(
            "async () => { await window.jupyterapp.commands.execute('docmanager:save') }"
        )
        return nbformat.read(self.path, as_version=4)

    def accessible(self) -> list[tuple[str, str]]:
        """Return roles and names, as the browser tells them to a screen reader."""
        session = self.context.new_cdp_session(self.page)
        try:
            nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        finally:
            session.detach()
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"] and "role" in node
        ]

    def stop_button(self, name: str = "Stop") -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def click_and_time(self, index: int, name: str = "Stop") -> float:
        """Click the button, and give how long it took until the cell had its number (ms)."""
        elapsed: float = self.page.evaluate(
            """([index, name]) => new Promise((resolve, reject) => {
                const cell = document.querySelectorAll('.jp-Notebook .jp-CodeCell')[index];
                const prompt = cell.querySelector('.jp-InputPrompt');
                const called = one => (one.getAttribute('aria-label') || one.textContent).trim();
                const button = [...cell.querySelectorAll('button')]
                    .find(one => called(one) === name);
                if (!button) { reject(new Error('no button ' + name)); return; }
                const start = performance.now();
                const look = () => {
                    if (!/\\d/.test(prompt.textContent)) return;
                    watch.disconnect();
                    resolve(performance.now() - start);
                };
                const watch = new MutationObserver(look);
                watch.observe(cell, {childList: true, subtree: true, characterData: true});
                button.click();
            })""",
            [index, name],
        )
        return elapsed
