"""What is typed at the shell's own terminal, on its way to the action.

Only outside a kernel: there the cell's thread shares a terminal with the user, as the CLI
does.  With a pty the terminal is raw, so that every key reaches the action, Ctrl-C included,
and the escape character ends the session; without one, whole lines go, and Ctrl-D ends them.
As under the CLI (measured) the terminal is the user's until the session is open.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import threading
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from nomad_magic.running.session import Session

READ_BYTES: Final = 1024

DEADLY: Final = (signal.SIGTERM, signal.SIGHUP)
"""What ends a process from outside, the terminal still raw."""


class Keyboard:
    """Passes the terminal's input to a session, from `begin` to the end of the context.

    Args:
        session: Which takes what is typed, and the terminal's size.
        raw: Every key, not lines.
    """

    def __init__(self, session: Session, *, raw: bool) -> None:
        self._session = session
        self._raw = raw
        self._fd = sys.stdin.fileno()
        self._before: list[Any] | None = None
        self._wake = (-1, -1)
        self._thread: threading.Thread | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def raw(self) -> bool:
        """The terminal is raw: an end of line needs its carriage return."""
        return self._raw and self._before is not None

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Take the terminal, unless that was done; as the CLI, when the session is open."""
        if self._before is not None or self._session.done:
            return
        self._before = termios.tcgetattr(self._fd)
        if threading.current_thread() is threading.main_thread():
            self._handle(signal.SIGWINCH, self._resize)
            for number in DEADLY:
                self._handle(number, self._die)
        if self._raw:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, _raw(termios.tcgetattr(self._fd)))
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._read, name="nomad_magic keyboard", daemon=True)
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is None:
            return
        if self._thread is not None:
            os.write(self._wake[1], b"x")
            self._thread.join()
            for end in self._wake:
                os.close(end)
        self._put_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, handler: Callable[[int, Any], None]) -> None:
        before = signal.signal(number, handler)
        # None stands for one that Python did not set.
        self._handlers[number] = signal.SIG_DFL if before is None else before

    def _put_back(self) -> None:
        if self._before is not None:
            # The terminal may be gone.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def _die(self, number: int, frame: Any) -> None:
        """Leave the user's shell a terminal that works, then let the signal do what it would."""
        before = self._handlers[number]
        if callable(before):
            # It may put an end to this with an exception; `__exit__` is for that.
            before(number, frame)
        elif before == signal.SIG_DFL:
            self._put_back()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._fd, self._wake[0]], [], [])
            if self._wake[0] in ready:
                return
            try:
                data = os.read(self._fd, READ_BYTES)
            except OSError:
                # The terminal is gone.
                data = b""
            if not data:
                self._session.end_input()
                return
            self._session.type(data)

    def _resize(self, _number: int, _frame: Any) -> None:
        columns, lines = shutil.get_terminal_size()
        self._session.resize(lines, columns)


def _raw(mode: list[Any]) -> list[Any]:
    """Let every key through and echo none; output comes from the other terminal, finished."""
    mode[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    mode[1] &= ~termios.OPOST
    mode[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    return mode
