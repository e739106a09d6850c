"""A kernel, and a page that talks to what its cells show."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from jupyter_client.manager import KernelManager
from support.page import SECONDS, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient
    from support.nomads import Agent


@pytest.fixture(scope="module")
def kernel(embedded_agent: Agent) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager()
    environ = {name: value for name, value in os.environ.items() if "NOMAD" not in name}
    manager.start_kernel(env={**environ, **embedded_agent.environ})
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    page = Page(manager, client)
    page.run("%load_ext nomad_magic")
    page.finish()
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=False)


@pytest.fixture
def page(
    kernel: tuple[KernelManager, BlockingKernelClient], request: pytest.FixtureRequest
) -> Iterator[Page]:
    page = Page(*kernel)
    failed = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed and not page.idle:
        # The others are to have a kernel that listens.
        page.manager.interrupt_kernel()
    page.run("pass")
    page.finish()
