"""The one background event loop: it owns every client socket of the process.

A daemon thread, started with the first session.  A cell's own thread never waits in it, so
that an interrupt always reaches the cell, and ipykernel's loop is left alone.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")

_lock = threading.Lock()
_forgotten: list[Callable[[], object]] = []
_loop: asyncio.AbstractEventLoop | None = None


def get() -> asyncio.AbstractEventLoop:
    """Return the loop, running; the first call starts its thread."""
    global _loop  # noqa: PLW0603 - one loop for the process is the point
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_loop.run_forever, name="nomad_magic", daemon=True)
            thread.start()
        return _loop


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Run a coroutine in the loop."""
    return asyncio.run_coroutine_threadsafe(coroutine, get())


def forget_after_fork(function: Callable[[], object]) -> None:
    """Have a function called in each forked child, to let go what is its parent's."""
    _forgotten.append(function)


def _forget() -> None:
    """Leave the parent's loop to the parent: its thread does not live in a forked child.

    Nothing of it is closed or asked here: a child shares what the system keeps of it.
    """
    global _loop, _lock
    _loop, _lock = None, threading.Lock()
    for function in _forgotten:
        function()


os.register_at_fork(after_in_child=_forget)
