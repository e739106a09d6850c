"""A real browser on a real Jupyter server: JupyterLab and Notebook 7, on several kernels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import browsers, jupyter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser
    from support.nomads import Agent

REQUIRED = "NOMAD_MAGIC_REQUIRE_BROWSER"
ARTEFACTS = Path(__file__).parent.parent.parent / "build" / "screenshots"

# The front end and the ipykernel; None is the newest.
MATRIX = [
    ("lab", None),
    ("notebook", None),
    *(("lab", version) for version in jupyter.older_kernels() if version not in jupyter.ONE_CELL),
]
ONE_CELL_MATRIX = [
    *MATRIX,
    *(("lab", version) for version in jupyter.older_kernels() if version in jupyter.ONE_CELL),
]


BEGIN = "get_ipython().config.pop('NomadMagics', None)\n%reload_ext nomad_magic"
"""Its kernel is that of other tests, which may have changed settings."""


def name_of(place: tuple[str, str | None]) -> str:
    return f"{place[0]}-{place[1] or 'newest'}"


@pytest.fixture(scope="session")
def found() -> None:
    """Leave a test out, or have it fail, where there is no browser."""
    if browsers.find_browser() is None:
        if os.environ.get(REQUIRED):
            pytest.fail(browsers.MISSING)
        pytest.skip(browsers.MISSING)


# Of the module, not of the session: while it is open, playwright has an event loop running in
# this thread, in which other tests could not run theirs.
@pytest.fixture(scope="module")
def chromium(found: None) -> Iterator[Browser]:  # noqa: ARG001 - it must be first
    with jupyter.browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def server(
    found: None,  # noqa: ARG001 - without one there is nothing to serve
    embedded_agent: Agent,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[jupyter.Server]:
    with jupyter.server(tmp_path_factory.mktemp("jupyter"), embedded_agent.environ) as made:
        yield made


@pytest.fixture(scope="module")
def notebooks(
    chromium: Browser, server: jupyter.Server
) -> Iterator[Callable[[str, str | None], jupyter.Notebook]]:
    """Return the one notebook of a front end and a kernel, opened when it is first asked for."""
    # One context, so that the pages share what they have loaded.
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    made: dict[tuple[str, str | None], jupyter.Notebook] = {}

    def notebook(front_end: str, version: str | None) -> jupyter.Notebook:
        place = (front_end, version)
        if place not in made or made[place].page.is_closed():
            name = f"{name_of(place)}.ipynb"
            path = server.write(name, [], kernel=jupyter.kernel_name(version))
            made[place] = jupyter.Notebook(context, server, path, front_end)
            made[place].open()
        return made[place]

    yield notebook
    context.close()
    # The server goes on, and would have the next module meet these kernels again.
    server.end_kernels()


@pytest.fixture(params=MATRIX, ids=name_of)
def place(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    """The front end and the ipykernel of this test."""
    pair: tuple[str, str | None] = request.param
    return pair


@pytest.fixture(params=ONE_CELL_MATRIX, ids=name_of)
def one_cell_place(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    """The front end and the ipykernel of a test that runs one cell at a time."""
    pair: tuple[str, str | None] = request.param
    return pair


@pytest.fixture
def opened(
    notebooks: Callable[[str, str | None], jupyter.Notebook], request: pytest.FixtureRequest
) -> Iterator[Callable[..., jupyter.Notebook]]:
    """Return a notebook of some cells, the extension loaded anew in the first."""
    used: list[jupyter.Notebook] = []

    def open_notebook(
        cells: Sequence[str], front_end: str = "lab", version: str | None = None
    ) -> jupyter.Notebook:
        notebook = notebooks(front_end, version)
        used.append(notebook)
        notebook.fill([BEGIN, *cells])
        return notebook

    failed = request.session.testsfailed
    yield open_notebook
    if request.session.testsfailed > failed:
        # Whatever state it is in: the next test gets a new one.
        for notebook in used:
            notebook.close()


@pytest.fixture
def theme(
    opened: Callable[..., jupyter.Notebook],  # noqa: ARG001 - it closes what has failed, afterwards
) -> Iterator[Callable[[jupyter.Notebook, str], None]]:
    """Change the theme of JupyterLab; the next test has the light one again."""
    used: list[jupyter.Notebook] = []

    def change(notebook: jupyter.Notebook, name: str) -> None:
        used.append(notebook)
        notebook.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {name}",
        )
        notebook.page.wait_for_function(
            "name => document.body.dataset.jpThemeName === name", arg=f"JupyterLab {name}"
        )
        # Lab hides itself while it changes.
        notebook.page.locator("#jupyterlab-splash").wait_for(state="detached")

    yield change
    for notebook in used[:1]:
        change(notebook, "Light")


@pytest.fixture
def screenshot() -> Callable[[jupyter.Notebook, str], None]:
    """Keep a picture of a page as an artefact of the test."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)

    def take(notebook: jupyter.Notebook, name: str) -> None:
        notebook.page.screenshot(path=ARTEFACTS / f"{name}.png")

    return take
