"""Waiting in the user's own thread: in a cell the pages that show a run are heard meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager

TURN_SECONDS: Final = 0.02
"""For how long a thread that has to hear others does not look."""


class Pump(Protocol):
    """Hears what else is said to the thread that waits."""

    @property
    def installed(self) -> bool:
        """This thread can hear it."""

    def poll(self) -> None:
        """Hear what came."""


class Waiting:
    """What a thread that waits has to do besides.

    Attributes:
        pump: Makes what hears the pages; None while none shows a run.
    """

    def __init__(self) -> None:
        self.pump: Callable[[], AbstractContextManager[Pump]] | None = None
        self._heard = 0.0

    def wait(self, event: threading.Event) -> None:
        """Wait for an event; whatever interrupts the thread is raised."""
        if self.pump is None:
            event.wait()
            return
        with self.pump() as pump:
            pump.poll()
            while not event.wait(TURN_SECONDS if pump.installed else None):
                pump.poll()
        self._heard = time.monotonic()

    def hear(self) -> None:
        """Hear what came, where that was a while ago: this thread has too much to do to wait."""
        if self.pump is not None and time.monotonic() - self._heard >= TURN_SECONDS:
            with self.pump() as pump:
                pump.poll()
            self._heard = time.monotonic()


here: Final = Waiting()
"""That of this process."""
