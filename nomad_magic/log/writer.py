"""The one thread that writes the logs of this process.

The event loop hands it work and goes on.  Work is a generator: what it yields are files that must
be on the disk before it goes on, and those of all that waits are brought there together, which
takes little longer than one alone.  Output is copied from its transcript a few times a second, so
that nothing of it waits in memory.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from nomad_magic import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Work = Generator[list[int], None, None]

_log: Final = logging.getLogger(__name__)

TURN_SECONDS: Final = 0.2
"""How often output is copied: what came is in the log within a second."""

CLOSE_SECONDS: Final = 5.0
"""How long the interpreter's end waits for what is not written yet."""


class Copier(Protocol):
    """Copies what one run writes."""

    def copy(self) -> bool:
        """Copy a part of what is new; return whether there is more."""


class Writer:
    """Does work in the order in which it comes; any thread may hand it some.

    Attributes:
        deadline: When the interpreter ends, by the monotonic clock; None while nobody knows.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._news = threading.Condition()
        self._work: deque[Work] = deque()
        self._copiers: dict[Copier, None] = {}
        self._busy = False
        self._due = 0.0
        threading.Thread(target=self._run, name="nomad_magic log", daemon=True).start()

    def do(self, work: Work) -> None:
        """Do this as soon as can be."""
        with self._news:
            self._work.append(work)
            self._news.notify_all()

    def touch(self, copier: Copier, *, now: bool = False) -> None:
        """Have it copy before long, or now."""
        # It is asked for with each piece of a flood.
        if copier in self._copiers and not now:
            return
        with self._news:
            self._copiers[copier] = None
            self._due = 0.0 if now else self._due
            self._news.notify_all()

    def close(self) -> None:
        """Wait until all is written, but not for ever: the interpreter ends."""
        self.deadline = time.monotonic() + CLOSE_SECONDS
        self.wait(CLOSE_SECONDS + 1)

    def wait(self, seconds: float) -> bool:
        """Wait until all is written, for so long; return whether it is."""
        with self._news:
            self._due = 0.0
            self._news.notify_all()
            return self._news.wait_for(self._idle, seconds)

    def _idle(self) -> bool:
        return not (self._busy or self._work or self._copiers)

    def _run(self) -> None:
        while True:
            work, copiers = self._next()
            _do_together(work)
            again = [copier for copier in copiers if _copied(copier)]
            with self._news:
                self._busy = False
                if again:
                    self._due = 0.0
                    self._copiers |= dict.fromkeys(again)
                self._news.notify_all()

    def _next(self) -> tuple[list[Work], list[Copier]]:
        with self._news:
            while True:
                now = time.monotonic()
                due = self._due <= now
                if self._work or (self._copiers and due):
                    break
                self._news.wait(self._due - now if self._copiers else None)
            work, copiers = list(self._work), list(self._copiers) if due else []
            self._work.clear()
            if copiers:
                # Whoever is in a hurry meanwhile says so.
                self._due = now + TURN_SECONDS
                self._copiers.clear()
            self._busy = True
            return work, copiers


def _do_together(work: list[Work]) -> None:
    """Go through all of it, and bring the files of all onto the disk between two steps."""
    waiting: list[tuple[Work, list[int]]] = [(one, []) for one in work]
    while waiting:
        failures: dict[int, OSError] = {}
        for file in dict.fromkeys(file for _, files in waiting for file in files):
            try:
                os.fsync(file)
            except OSError as error:
                failures[file] = error
        following = []
        for one, files in waiting:
            failed = next((failures[file] for file in files if file in failures), None)
            # Each says itself what has failed of its own.
            try:
                wanted = next(one) if failed is None else one.throw(failed)
            except StopIteration:
                continue
            except Exception:  # noqa: BLE001 - as it says, whatever it was
                _log.exception("A log could not be written; others are")
                continue
            following.append((one, wanted))
        waiting = following


def _copied(copier: Copier) -> bool:
    """Have one copy; return whether there is more.  A fault of ours must not end the others."""
    try:
        return copier.copy()
    except Exception:  # noqa: BLE001 - as it says, whatever it was
        _log.exception("Output could not be copied into a log; others are")
        return False


_writer: Writer | None = None
_lock = threading.Lock()
_left: list[Callable[[], object]] = []


def get() -> Writer:
    """Return the writer; the first call starts its thread."""
    global _writer  # noqa: PLW0603 - one for the process is the point
    with _lock:
        if _writer is None:
            _writer = Writer()
        return _writer


def close() -> None:
    """Wait until all is written, where there is something."""
    if _writer is not None:
        _writer.close()


def in_child(function: Callable[[], object]) -> None:
    """Call a function in a forked child, which has a log of its own."""
    _left.append(function)


def _forget() -> None:
    """Leave the parent's writing to the parent: its thread does not live in a child."""
    global _writer, _lock
    _writer, _lock = None, threading.Lock()
    for function in _left:
        function()


fork.in_child(_forget)
