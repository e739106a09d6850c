"""The one background event loop: every session of the process runs in it.

A daemon thread, started with the first session.  A cell's own thread never waits in it, so that an
interrupt always reaches the cell, and ipykernel's loop is left alone.  When the interpreter ends,
the sessions that still run are stopped, so that none is left behind; a forked child leaves them to
its parent.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from nomad_magic import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")

GRACE_SECONDS: Final = 2.0
"""How long an action may clean up when the interpreter that started it ends."""


class Run(Protocol):
    """What the loop knows of a session that runs in it."""

    def wind_down(self, grace: float) -> None:
        """Stop the action, and after so many seconds close its connection."""

    def wait_done(self, timeout: float) -> bool:
        """Wait for the end; return whether it has come."""

    def leave_to_parent(self) -> None:
        """End here: this is a forked child, and the run is its parent's."""


_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_running: set[Run] = set()
_at_end: list[Callable[[], object]] = []


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


def add(run: Run) -> None:
    """Remember a run that starts."""
    with _lock:
        _running.add(run)


def discard(run: Run) -> None:
    """Forget a run that is over."""
    with _lock:
        _running.discard(run)


def running() -> list[Run]:
    """Return the runs that have not ended."""
    with _lock:
        return list(_running)


def at_end(function: Callable[[], object]) -> None:
    """Call a function when the interpreter ends, once the runs were stopped."""
    _at_end.append(function)


def _end() -> None:
    left = running()
    for run in left:
        run.wind_down(GRACE_SECONDS)
    end = time.monotonic() + GRACE_SECONDS + 1
    for run in left:
        run.wait_done(max(0.0, end - time.monotonic()))
    for function in _at_end:
        function()


def _forget() -> None:
    """Leave the parent's loop and runs to the parent: its thread does not live in a child."""
    global _loop, _lock
    _loop, _lock = None, threading.Lock()
    for run in _running:
        run.leave_to_parent()
    _running.clear()


atexit.register(_end)
fork.in_child(_forget)
