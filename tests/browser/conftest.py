"""A real browser on a real Jupyter server: JupyterLab and Notebook 7, on several kernels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import jupyter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, Page
    from support.nomads import Agent

REQUIRED = "NOMAD_MAGIC_REQUIRE_BROWSER"
ARTEFACTS = Path(__file__).parent.parent.parent / "build" / "screenshots"
MISSING = "NO CHROMIUM IS FOUND: the live view is NOT tested here; install the package chromium"

# The front end and the ipykernel; None is the newest.
MATRIX = [
    ("lab", None),
    ("notebook", None),
    *(("lab", version) for version in jupyter.older_kernels()),
]


def pytest_report_header() -> str:
    found = jupyter.find_browser()
    return f"browser: {found}" if found else f"browser: {MISSING}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if jupyter.find_browser() is None:
        terminalreporter.section("browser tests")
        terminalreporter.line(MISSING, red=True)


# Of the module, not of the session: while it is open, playwright has an event loop running in
# this thread, in which other tests could not run theirs.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if jupyter.find_browser() is None:
        if os.environ.get(REQUIRED):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with jupyter.browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(
    chromium: Browser,  # noqa: ARG001 - without one there is nothing to serve
    embedded_agent: Agent,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[jupyter.Server]:
    with jupyter.server(tmp_path_factory.mktemp("jupyter"), embedded_agent.environ) as made:
        yield made


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    yield page
    context.close()


@pytest.fixture(params=MATRIX, ids=lambda pair: f"{pair[0]}-{pair[1] or 'newest'}")
def place(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    """The front end and the ipykernel of this test."""
    pair: tuple[str, str | None] = request.param
    return pair


@pytest.fixture
def opened(
    page: Page, server: jupyter.Server, request: pytest.FixtureRequest
) -> Iterator[Callable[..., jupyter.Notebook]]:
    """Open a notebook of some cells, the extension loaded in the first."""

    def open_notebook(
        cells: Sequence[str], front_end: str = "lab", version: str | None = None
    ) -> jupyter.Notebook:
        name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60] + ".ipynb"
        path = server.write(
            name, ["%load_ext nomad_magic", *cells], kernel=jupyter.kernel_name(version)
        )
        notebook = jupyter.Notebook(page, server, path, front_end)
        notebook.open()
        return notebook

    yield open_notebook
    server.end_kernels()


@pytest.fixture
def screenshot(page: Page) -> Callable[[str], None]:
    """Keep a picture of the page as an artefact of the test."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> None:
        page.screenshot(path=ARTEFACTS / f"{name}.png")

    return take
