"""What waits to be sent of an action's stdin, and how its end is said.  Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from nomad_magic.nomad.frames import STDIN_CHUNK

CTRL_D: Final = b"\x04"


class Stdin:
    """A queue of bytes with an end.

    Attributes:
        ended: No more comes.
        sent: How many bytes were taken so far.
    """

    def __init__(self) -> None:
        self.ended = False
        self.sent = 0
        self._waiting: deque[bytes] = deque()
        self._offset = 0
        self._end_taken = False
        self._at_line_start = True

    def add(self, data: bytes) -> None:
        """Take more bytes."""
        if data:
            self._waiting.append(data)

    def forget(self) -> None:
        """Let go what was not sent."""
        self._waiting.clear()
        self._offset = 0

    def take(self) -> bytes:
        """Return as much as fits into a frame, or nothing.

        It is cut one frame at a time, so that a large body takes no memory twice.
        """
        if not self._waiting:
            return b""
        first = self._waiting[0]
        chunk = first[self._offset : self._offset + STDIN_CHUNK]
        self._offset += len(chunk)
        if self._offset >= len(first):
            self._waiting.popleft()
            self._offset = 0
        self.sent += len(chunk)
        self._at_line_start = chunk[-1:] in (b"\n", b"\r")
        return chunk

    def take_end(self) -> bytes:
        """Return what is typed on a terminal to say the end, the first time that it is due."""
        if not self.ended or self._end_taken:
            return b""
        self._end_taken = True
        # In the middle of a line the first Ctrl-D only hands that line over.
        return CTRL_D if self._at_line_start else CTRL_D * 2
