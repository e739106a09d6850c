"""The wheel in the front ends that people have, each in an environment of its own."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat
import pytest
from nbformat.reader import NotJSONError
from support import browsers, firefox, jupyter
from support.classic import ClassicNotebook
from support.nomads import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage
    from support.nomads import Agent

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / "build" / "front_ends"
PICTURES = ROOT / "build" / "screenshots"


class Place(NamedTuple):
    """Where the view is tried."""

    environment: str
    """Whose lock is beside this."""
    front_end: str
    browser: str = "chromium"
    base_path: str = "/"

    def __str__(self) -> str:
        """Return what the test and its picture are called by."""
        apart = [] if self.base_path == "/" else ["base-path"]
        return "-".join([self.environment, self.front_end, self.browser, *apart])


PLACES = [
    Place("lab42", "lab"),
    Place("lab46", "lab", base_path="/team/jupyter/"),
    Place("lab46", "lab", "firefox"),
    Place("lab46", "notebook"),
    Place("lab46", "notebook", "firefox"),
    Place("lab46", "nbclassic"),
    Place("lab46", "nbclassic", "firefox"),
    Place("collaboration", "lab"),
]


TRUST = """() => {
    const { model } = window.jupyterapp.shell.currentWidget.content;
    for (const cell of model.cells) cell.trusted = true;
}"""


PLAIN = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map(cell =>
    cell.getOutputs().map(({data, text}) => [data?.['text/plain'] ?? text ?? ''].flat().join('')))
"""


class SharedNotebook(jupyter.Notebook):
    """A notebook that the server saves by itself; what is asked of the page may not be answered."""

    def save(self) -> Any:
        """Wait until the file has what the page has, and return it."""

        def read() -> Any:
            return nbformat.read(self.path, as_version=4)

        def plain() -> list[list[str]] | None:
            try:
                cells = read().cells
            except NotJSONError:
                return None  # in the middle of being written
            return [
                [one.get("data", {}).get("text/plain", one.get("text", "")) for one in cell.outputs]
                for cell in cells
            ]

        until(
            lambda: plain() == self.page.evaluate(PLAIN),
            seconds=jupyter.SECONDS,
            what="the server has saved the notebook",
        )
        return read()


class Opened(NamedTuple):
    """A notebook, and what its pages had to complain of."""

    notebook: jupyter.Notebook
    complaints: list[str]


@contextmanager
def _browser(name: str, folder: Path) -> Iterator[Browser]:
    if name == "firefox":
        found = browsers.find_firefox()
        assert found, "no Firefox is found: install the package firefox-esr"
        with jupyter.browser(firefox.program(found, folder)) as browser:
            yield browser
    else:
        assert browsers.find_browser(), browsers.MISSING
        with jupyter.browser() as browser:
            yield browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only where a notebook is shared it is tried with two pages."""
    items[:] = [
        item
        for item in items
        if "shared" not in getattr(item, "fixturenames", ())
        or item.callspec.params["place"].environment == "collaboration"  # type: ignore[attr-defined]
    ]


@pytest.fixture(scope="module", params=PLACES, ids=str)
def place(request: pytest.FixtureRequest) -> Place:
    """The front end, the browser and the path of this test."""
    found: Place = request.param
    return found


@pytest.fixture(scope="module")
def server(
    place: Place, embedded_agent: Agent, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[jupyter.Server]:
    """Its server, with the wheel and without the source."""
    python = ENVIRONMENTS / place.environment / "bin" / "python"
    where = "import nomad_magic; print(nomad_magic.__file__)"
    folder = tmp_path_factory.mktemp(str(place))
    said = subprocess.run(
        [python, "-c", where], cwd=folder, capture_output=True, text=True, check=True
    )
    assert Path(said.stdout.strip()).is_relative_to(ENVIRONMENTS)
    with jupyter.server(
        folder, embedded_agent.environ, python=str(python), base_path=place.base_path
    ) as made:
        yield made


@pytest.fixture(scope="module")
def context(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with _browser(place.browser, tmp_path_factory.mktemp("browser")) as browser:
        made = browser.new_context(viewport={"width": 1100, "height": 900})
        yield made
        made.close()


@pytest.fixture
def opened(
    place: Place, server: jupyter.Server, context: BrowserContext
) -> Iterator[Callable[[str, list[str]], Opened]]:
    """Return a notebook of some cells, the extension loaded in the first."""
    made: list[Opened] = []

    def open_notebook(name: str, cells: list[str]) -> Opened:
        path = server.write(f"{name}.ipynb", ["%load_ext nomad_magic", *cells], kernel="python3")
        one = Opened(notebook_at(path, place, server, context), [])
        made.append(one)
        listen(one)
        one.notebook.open()
        return one

    yield open_notebook
    for one in made:
        one.notebook.close()


@pytest.fixture
def shared(
    place: Place, server: jupyter.Server, context: BrowserContext
) -> Iterator[Callable[[str, list[str]], tuple[jupyter.Notebook, jupyter.Notebook]]]:
    """Return one notebook in two pages, as two people have it open."""
    made: list[jupyter.Notebook] = []

    def open_twice(name: str, cells: list[str]) -> tuple[jupyter.Notebook, jupyter.Notebook]:
        path = server.write(f"{name}.ipynb", ["%load_ext nomad_magic", *cells], kernel="python3")
        for _ in range(2):
            made.append(notebook_at(path, place, server, context))
            # A workspace each: JupyterLab asks about one that is open twice.
            made[-1].url = made[-1].url.replace(f"/{name}/tree", f"/{name}-{len(made)}/tree")
            made[-1].open()
            # As whoever has run a notebook before trusts it.
            made[-1].page.evaluate(TRUST)
        return made[0], made[1]

    yield open_twice
    for one in made:
        one.close()


def notebook_at(
    path: Path, place: Place, server: jupyter.Server, context: BrowserContext
) -> jupyter.Notebook:
    """Return a page for a notebook."""
    if place.front_end == "nbclassic":
        return ClassicNotebook(context, server, path)
    kind = SharedNotebook if place.environment == "collaboration" else jupyter.Notebook
    return kind(context, server, path, place.front_end)


def listen(one: Opened) -> None:
    """Take down every error in the console of its page."""

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            one.complaints.append(f"{message.text} ({message.location['url']})")

    one.notebook.page.on("console", said)
    one.notebook.page.on("pageerror", lambda error: one.complaints.append(str(error)))


@pytest.fixture
def picture(place: Place) -> Callable[[jupyter.Notebook, str], None]:
    """Keep a picture of a page."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(notebook: jupyter.Notebook, name: str) -> None:
        notebook.page.screenshot(path=PICTURES / f"front-{place}-{name}.png")

    return take
