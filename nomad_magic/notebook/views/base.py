"""What every view does: start a session, wait for it on the cell's own thread, hear the user."""

from __future__ import annotations

import contextvars
import queue
import signal
import threading
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nomad_magic.nomad.options import Options
    from nomad_magic.notebook.kernel.host import Host
    from nomad_magic.running.events import Event, Listener

S = TypeVar("S", bound="Shown")


class Shown(Protocol):
    """What a view knows of what it shows: a `Session`, or a `Fleet` of them."""

    options: Options

    @property
    def done(self) -> bool:
        """It is over."""

    @property
    def opened(self) -> bool:
        """Something of it may have been started, or it is over."""

    def start(self) -> object:
        """Begin."""

    def listen(self, listener: Listener) -> None:
        """Call a function with each event from now on."""

    def wait_done(self, timeout: float) -> bool:
        """Wait for the end, at most so many seconds; return whether it has come."""

    def stop(self) -> None:
        """Climb one rung of the ladder."""

    def wind_down(self, grace: float) -> None:
        """Stop without a person to climb."""

    def disconnect(self) -> None:
        """Close the connection at once."""


class View(ABC, Generic[S]):
    """Shows one session, or many, in a cell, on the cell's own thread.

    Args:
        session: Not yet started.
        host: Where the cell runs.

    Attributes:
        interrupts: How often Ctrl-C or ■ was pressed while it ran.
    """

    turn_seconds: float = 0.1
    """How long the thread waits at most before it looks again by itself."""

    def __init__(self, session: S, host: Host) -> None:
        self.interrupts = 0
        self.session = session
        self.host = host
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run(self) -> None:
        """Start the session and show it until it is over."""
        self.open()
        self._follow()

    def run_in_background(self) -> None:
        """Start the session, and show it in a thread of its own until it is over."""
        self.open()
        # With the cell's context: what is shown belongs to the cell, not to a later one.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=[self._follow], name="nomad_magic view", daemon=True
        ).start()

    def _follow(self) -> None:
        self.session.listen(self._heard)
        with self._interruptible(), self.around():
            self.prepare()
            self.session.start()
            while not self.session.done:
                self.pause()
                self.show()
            self.end()

    def wake(self) -> None:
        """Say, from any thread, that there is something new."""
        self._news.put(None)

    def open(self) -> None:
        """Show what stands there from the beginning, on the cell's own thread."""

    def prepare(self) -> None:
        """Wait for what is to be known before the session starts."""

    def around(self) -> AbstractContextManager[object]:
        """Return what is to be set up while the session runs."""
        return nullcontext()

    @abstractmethod
    def show(self) -> None:
        """Show what is new."""

    @abstractmethod
    def end(self) -> None:
        """Show the rest, once the session is over."""

    def _heard(self, _event: Event) -> None:
        self.wake()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Count interrupts instead of raising them in the middle of something.

        A KeyboardInterrupt could come between reading output and showing it, and that output
        would be lost.  Python delivers signals to the main thread only; elsewhere there is
        nothing to do.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def press(_number: int, _frame: Any) -> None:
            self.interrupts += 1
            self._stop()
            self.wake()

        before = signal.signal(signal.SIGINT, press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _stop(self) -> None:
        here = self.host
        if here.attended and not here.kernel and not self.session.opened:
            # As the CLI, whose terminal is not yet the action's: it is gone at once.
            self.session.disconnect()
        elif self.host.attended or self.interrupts > 1:
            self.session.stop()
        else:
            # Nobody is there to press again.
            self.session.wind_down(self.session.options.grace)

    def pause(self) -> None:
        """Wait a turn, or for news."""
        self.wait_news(self.turn_seconds)

    def wait_news(self, seconds: float) -> None:
        """Wait so long, or for news; what came in the meantime is one piece of news."""
        try:
            self._news.get(timeout=seconds)
            while True:
                self._news.get_nowait()
        except queue.Empty:
            pass


READ_BYTES: Final = 1 << 18
"""How much a view reads at once, in bytes."""
