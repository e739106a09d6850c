"""What becomes of running sessions when the interpreter ends: none is left behind."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final

from nomad_magic.nomad import stream
from nomad_magic.run import loop

if TYPE_CHECKING:
    from nomad_magic.run.session import Session

GRACE_SECONDS: Final = 2.0
"""How long an action may clean up when the interpreter that started it ends."""

_running: set[Session] = set()
_lock = threading.Lock()


def add(session: Session) -> None:
    """Remember a session that starts."""
    with _lock:
        _running.add(session)


def discard(session: Session) -> None:
    """Forget a session that is over."""
    with _lock:
        _running.discard(session)


def running() -> list[Session]:
    """Give the sessions that run now."""
    with _lock:
        return list(_running)


def _stop_all() -> None:
    left = running()
    for session in left:
        session.wind_down(GRACE_SECONDS)
    end = time.monotonic() + GRACE_SECONDS + 1
    for session in left:
        with contextlib.suppress(TimeoutError):
            session.wait(max(0.0, end - time.monotonic()))
    stream.let_go()


def _forget() -> None:
    """Leave the parent's runs to the parent: nobody here would ever hear of their end."""
    global _lock  # noqa: PLW0603 - the parent's may be held, by a thread that is not here
    _lock = threading.Lock()
    for session in _running:
        session.leave_to_parent()
    _running.clear()


atexit.register(_stop_all)
loop.forget_after_fork(_forget)
