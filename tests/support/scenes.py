"""The scenes of the pictures in `docs/pictures`: played in a real JupyterLab, on a real agent.

    python -m support.scenes

makes the pictures (`make pictures`); `tests/browser/test_pictures.py` plays the same scenes.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nbconvert import HTMLExporter
from playwright.sync_api import expect

from nomad_magic.agent import EmbeddedAgent
from support import jupyter
from support.camera import Camera, TooSlowError
from support.nomads import JOBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
THEMES = ("light", "dark")
LINE = "%nomad_action -job=cache -group=redis -task=server"
MS = 60_000
WIDTH = 800
ALONE = """async () => {
    const { commands, shell } = window.jupyterapp;
    shell.mode = 'single-document';
    shell.collapseLeft();
    const bars = ['left', 'right'].map(side => ['application:toggle-side-tabbar', { side }]);
    for (const [name, args] of [['application:toggle-header', {}], ...bars]) {
        if (commands.isToggled(name, args)) await commands.execute(name, args);
    }
}"""
"""Leaves the notebook, its toolbar and the menu."""

STOP_HEIGHT, RECORD_HEIGHT = 470, 560


class Stage:
    """A Jupyter server whose kernels know the agent with the pictures' job.

    Args:
        browser: Opens the pages.
        server: Serves the notebooks.
        done: The file that lets `rebalance` end.
    """

    def __init__(self, browser: Browser, server: jupyter.Server, done: Path) -> None:
        self.browser = browser
        self.server = server
        self.done = done

    @contextmanager
    def notebook(self, name: str, height: int) -> Iterator[jupyter.Notebook]:
        """Open a new notebook in JupyterLab, with nothing around it."""
        self.done.unlink(missing_ok=True)
        path = self.server.write(f"{name}.ipynb", [], kernel="python3")
        context = self.browser.new_context(viewport={"width": WIDTH, "height": height})
        # Nothing of a page comes from elsewhere.
        context.route("**/*", lambda route: route.continue_() if "127.0.0.1" in route.request.url
                      or route.request.url.startswith(("file:", "data:", "blob:"))
                      else route.abort())  # fmt: skip
        notebook = jupyter.Notebook(context, self.server, path, "lab")
        try:
            notebook.open()
            yield notebook
        finally:
            notebook.close()
            context.close()


@contextmanager
def stage(folder: Path, browser: Browser) -> Iterator[Stage]:
    """Start the agent and the server.

    Args:
        folder: For the notebooks and what the server needs.
        browser: Opens the pages.
    """
    done = folder / "done"
    job = JOBS / "pictures.nomad.hcl"
    with (
        EmbeddedAgent([job], variables={"done": str(done)}) as agent,
        jupyter.server(folder, agent.environment) as server,
    ):
        yield Stage(browser, server, done)


def _ready(notebook: jupyter.Notebook, theme: str, cells: list[str]) -> None:
    """Have the page show the notebook alone, its extension loaded."""
    notebook.page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        f"JupyterLab {theme.capitalize()}",
    )
    notebook.page.wait_for_function(
        "name => document.body.dataset.jpThemeName === name",
        arg=f"JupyterLab {theme.capitalize()}",
    )
    notebook.page.locator("#jupyterlab-splash").wait_for(state="detached")
    notebook.fill(["%load_ext nomad_magic", *cells])
    notebook.page.evaluate(ALONE)
    notebook.run(0)
    notebook.wait_done(0)


def stop(stage: Stage, theme: str, *, films: bool) -> Camera:
    """A running action, its Stop pressed: what it is still doing, and how it ended."""
    with stage.notebook("runbook", STOP_HEIGHT) as notebook:
        _ready(notebook, theme, [f"{LINE} rebalance"])
        camera = Camera(notebook.page, WIDTH, STOP_HEIGHT, films=films)
        view = notebook.cell(1).locator(".nomad-action")
        camera.start("An action of a Nomad job runs in a cell …")
        camera.hold(0.8)
        notebook.run(1)
        expect(view.locator(".xterm")).to_contain_text("slot 5465", timeout=MS)
        expect(view.get_by_role("status")).to_contain_text("running")
        expect(notebook.stop_button("Stop")).to_be_visible()
        camera.moment("running", view)
        camera.caption("… Stop works while it runs: Ctrl-C is typed")
        camera.click(notebook.stop_button("Stop"))
        expect(notebook.stop_button("Force stop")).to_be_visible(timeout=MS)
        expect(view.get_by_role("status")).to_have_text("stopping · Ctrl-C sent", timeout=MS)
        expect(view.locator(".xterm")).to_contain_text("Asked to stop", timeout=MS)
        camera.moment("stopping", view)
        camera.caption("The button says what the next press would do")
        camera.hold(2.6)
        stage.done.touch()
        notebook.wait_done(1)
        record = notebook.cell(1).locator(".nomad-magic")
        expect(record).to_contain_text("interrupted (exit 130)", timeout=MS)
        camera.moment("ended", record)
        camera.caption("“Interrupted” is said because its exit code came; the record stays")
        camera.hold(0.5)
        camera.cut()
        return camera


def record(stage: Stage, theme: str, *, films: bool) -> Camera:
    """A short run; its record, the details in it; the same in the saved file."""
    with stage.notebook("incident", RECORD_HEIGHT) as notebook:
        _ready(notebook, theme, [f"check = {LINE} health-check", "check.ok, check.exit_code"])
        camera = Camera(notebook.page, WIDTH, RECORD_HEIGHT, films=films)
        camera.start("A cell runs an action …")
        camera.hold(0.8)
        notebook.run(1)
        notebook.wait_done(1)
        record = notebook.cell(1).locator(".nomad-magic")
        expect(record).to_contain_text("exit 0", timeout=MS)
        camera.moment("record", record)
        camera.caption("… what stays is a record: output, target, time, how it ended")
        camera.hold(0.6)
        notebook.run(2)
        notebook.wait_done(2)
        camera.hold(1.6)
        camera.caption("Its details: hashes of the output, the line that repeats it")
        camera.click(record.locator("summary"))
        expect(record.locator("details")).to_have_attribute("open", "")
        camera.moment("details", record)
        camera.hold(3.0)
        camera.cut()
        saved = notebook.save()
        page, _ = HTMLExporter(theme=theme).from_notebook_node(saved)
        path = notebook.path.with_suffix(".html")
        path.write_text(page, encoding="utf-8")
        notebook.page.goto(path.as_uri(), wait_until="domcontentloaded")
        record = notebook.page.locator(".nomad-magic")
        expect(record).to_contain_text("exit 0")
        camera.moment("saved", record)
        camera.start("The same in the saved notebook, here as a page: no kernel is needed")
        camera.hold(0.5)
        camera.cut()
        return camera


SCENES: dict[str, Callable[..., Camera]] = {"stop": stop, "record": record}


def main() -> int:
    """Make all pictures, and say how large they are; return 1 where the machine was too busy."""
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        jupyter.browser() as browser,
        stage(Path(name), browser) as made,
    ):
        for (scene, play), theme in itertools.product(SCENES.items(), THEMES):
            path = PICTURES / f"{scene}-{theme}.gif"
            try:
                play(made, theme, films=True).develop(path, last=3.5)
            except TooSlowError as slow:
                print(f"{slow}. Make them anew when it is idle", file=sys.stderr)
                return 1
            print(f"{path.name}: {path.stat().st_size // 1000} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
