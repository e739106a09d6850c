"""Fixtures that several folders use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import nomads
from support.cells import Shell, environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def embedded_agent() -> Iterator[nomads.Agent]:
    """The embedded agent with the three job files."""
    with nomads.embedded() as agent:
        yield agent


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
