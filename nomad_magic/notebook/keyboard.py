"""What is typed at the shell's own terminal, on its way to the action.

Only outside a kernel: there the cell's thread shares a terminal with the user, as the CLI
does.  With a pty the terminal is raw, so that every key reaches the action, Ctrl-C included,
and the escape character ends the session; without one, whole lines go, and Ctrl-D ends them.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import threading
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

    from nomad_magic.nomad.session import Session

READ_BYTES: Final = 1024


class Keyboard:
    """Passes the terminal's input to a session, for as long as it is entered.

    Args:
        session: Which takes what is typed, and the terminal's size.
        raw: Every key, not lines.
    """

    def __init__(self, session: Session, *, raw: bool) -> None:
        self._session = session
        self._raw = raw
        self._fd = sys.stdin.fileno()
        self._before: list[Any] = []
        self._wake = (-1, -1)
        self._thread: threading.Thread | None = None
        self._resized: Any = None

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._fd)
        if self._raw:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, _raw(termios.tcgetattr(self._fd)))
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._read, name="nomad_magic keyboard", daemon=True)
        self._thread.start()
        if threading.current_thread() is threading.main_thread():
            self._resized = signal.signal(signal.SIGWINCH, self._resize)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._resized is not None:
            signal.signal(signal.SIGWINCH, self._resized)
        os.write(self._wake[1], b"x")
        if self._thread is not None:
            self._thread.join()
        for end in self._wake:
            os.close(end)
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

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
