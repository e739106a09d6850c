"""Fixtures that several folders use."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from support import browsers, nomads
from support.cells import Shell, environment
from support.kernel_ports import keep_kernels_apart
from support.scripted import Script, scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling


NOTEBOOKS_IN_A_BROWSER = {
    f"tests/browser/test_{name}.py" for name in ("committed_notebooks", "pictures", "verify")
}
"""A quarter of the time that all tests with a browser take."""

LONG_FIRST = (
    "tests/browser/",
    "tests/faults/",
    "tests/agent/",
    "tests/test_secrets.py",
    "tests/notebook/",
    "tests/conformance/",
)
"""What takes long comes first, so that no process is left with it alone at the end.

Each begins with two files: one that takes long, and one of those behind, which are short.
"""

# A machine that is busy makes no test fail: what hangs has a time limit of its own.
settings.register_profile("no deadline", settings(), deadline=None)
settings.load_profile("no deadline")

keep_kernels_apart()

# A shell starts what is in the background with these ignored, and nohup with one: so would be
# every process that a test starts and stops.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(
            number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
        )


def pytest_report_header() -> list[str]:
    return [
        f"conformance: against {' and '.join(nomads.AGENTS)}",
        f"browser: {browsers.find_browser() or browsers.MISSING}",
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if browsers.find_browser() is None:
        terminalreporter.section("browser tests")
        terminalreporter.line(browsers.MISSING, red=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        ranks = (at for at, path in enumerate(LONG_FIRST) if item.nodeid.startswith(path))
        return next(ranks, len(LONG_FIRST))

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give each process whole files, which share what they start, in the order they stand in.

    Files with a browser go to two of them: more at once are too much for two processors, and to
    start a browser and its servers takes long.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where it is in use

    class Files(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            if not path.startswith("tests/browser/"):
                return path
            return "notebooks in a browser" if path in NOTEBOOKS_IN_A_BROWSER else "browser"

    # By the number of tests the quick ones would come first, and the browser last.
    config.option.loadscopereorder = False
    return Files(config, log)


@pytest.fixture(scope="session")
def embedded_agent() -> Iterator[nomads.Agent]:
    """The embedded agent with the three job files, and that for the edges of a run."""
    jobs = [*nomads.JOB_FILES, nomads.JOBS / "ends.nomad.hcl"]
    with nomads.embedded(setup=nomads.Setup(jobs=jobs)) as agent:
        yield agent


@pytest.fixture
def named_agent(
    embedded_agent: nomads.Agent,
    no_agent_from_outside: None,  # noqa: ARG001 - it must be first
) -> nomads.Agent:
    """The embedded agent, named by the environment as for the CLI."""
    os.environ.update(embedded_agent.environ)
    return embedded_agent


@pytest.fixture
def script() -> Iterator[Script]:
    """An agent that does what the test says."""
    with scripted() as script:
        yield script


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    """An IPython shell with the extension loaded."""
    shell = Shell()
    yield shell
    shell.close()


@pytest.fixture(autouse=True)
def no_agent_from_outside() -> Iterator[None]:
    """No test sees the NOMAD_* variables of whoever runs the tests."""
    with environment({}):
        yield
