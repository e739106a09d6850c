"""The output of a run: bounded in memory, whole on disk.

Both streams are kept in one file in the order in which they came, with an index of where
one stream's bytes change into the other's.  Small outputs never touch the disk.  A view
reads it with a cursor of its own, so that a slow view holds nothing up and a late one sees
everything.

Written by one thread, read by any.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import threading
import time
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, Literal

from nomad_magic.record.arrivals import Arrivals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

StreamName = Literal["stdout", "stderr"]
STREAMS: Final[tuple[StreamName, StreamName]] = ("stdout", "stderr")

MEMORY_BYTES: Final = 1 << 20
"""How much output a transcript keeps in memory before it goes to a temporary file."""

TRAVEL_BYTES: Final = 1 << 24
"""How much output a transcript takes along when it is pickled, in bytes."""

READ_BYTES: Final = 1 << 18
"""How much a reader gets at once, at most."""


class Transcript:
    """All bytes that an action wrote, and when one stream's turn ended.

    Args:
        memory: Bytes kept in memory; past that a temporary file holds everything.
    """

    def __init__(self, *, memory: int = MEMORY_BYTES) -> None:
        self._lock = threading.Lock()
        self._memory = memory
        # In memory, then the number of an open file: a file object would warn, where a search for
        # garbage comes upon it before this object.
        self._file: io.BytesIO | int = io.BytesIO()
        # Where each run of one stream's bytes ends; the streams take turns.
        self._ends = array("Q")
        self._first = 0
        self._arrivals = Arrivals()
        self._size = 0
        self._sizes = [0, 0]
        self._hashes = [hashlib.sha256(), hashlib.sha256()]
        # Of a transcript that has travelled: it gets no more output.
        self._digests: tuple[str, ...] = ()
        self.lost = 0
        """Bytes that could not be kept because the disk refused them."""

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        # A result is let go, not closed: its file goes with it.  When the interpreter ends, `os`
        # may have gone before.
        if isinstance(self._file, int):
            close(self._file)

    def __copy__(self) -> Transcript:
        # A file is closed with the one that it belongs to.
        return self.__deepcopy__({})

    def __deepcopy__(self, _memo: dict[int, Any]) -> Transcript:
        return self.with_pieces(self.read_all())

    def __getstate__(self) -> dict[str, Any]:
        """Travel, the output included up to `TRAVEL_BYTES`: of a longer one a head and a tail.

        What stayed behind counts as lost; counts and hashes stay those of all that came.
        """
        size = self._size
        half = TRAVEL_BYTES // 2
        if size <= TRAVEL_BYTES:
            pieces = list(self.read_all())
        else:
            head = self.read(0, half, end=half)
            pieces = [*head, *self.read(size - half, half, end=size)]
        return {
            "pieces": pieces,
            "memory": self._memory,
            "sizes": list(self._sizes),
            "sha256": [self.sha256(stream) for stream in STREAMS],
            "lost": self.lost + size - sum(len(data) for _, data in pieces),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        Transcript.__init__(self, memory=state["memory"])
        for stream, data in state["pieces"]:
            self.write(stream, data)
        self._sizes = state["sizes"]
        self._digests = tuple(state["sha256"])
        self.lost = state["lost"]

    def with_pieces(self, pieces: Iterable[tuple[StreamName, bytes]]) -> Transcript:
        """Return one with other bytes and the same counts and hashes."""
        made = Transcript(memory=self._memory)
        for stream, data in pieces:
            made.write(stream, data)
        made._take_counts(self)
        return made

    def _take_counts(self, other: Transcript) -> None:
        self._sizes = list(other._sizes)
        self._hashes = [one.copy() for one in other._hashes]
        self._digests = other._digests
        self.lost = other.lost

    def __repr__(self) -> str:
        return f"Transcript({self._sizes[0]} bytes of stdout, {self._sizes[1]} of stderr)"

    @property
    def size(self) -> int:
        """How many bytes are kept so far, of both streams."""
        return self._size

    def count(self, stream: StreamName) -> int:
        """How many bytes of a stream came, those that could not be kept included."""
        return self._sizes[STREAMS.index(stream)]

    def sha256(self, stream: StreamName) -> str:
        """The hexadecimal SHA-256 of all bytes of a stream."""
        index = STREAMS.index(stream)
        return self._digests[index] if self._digests else self._hashes[index].hexdigest()

    def write(self, stream: StreamName, data: bytes) -> None:
        """Add bytes.  A full disk loses them, counts them, and raises nothing."""
        if not data:
            return
        index = STREAMS.index(stream)
        with self._lock:
            self._sizes[index] += len(data)
            self._hashes[index].update(data)
            if self.lost:
                self.lost += len(data)
                return
            if not self._keep(data):
                self.lost += len(data)
                return
            self._size += len(data)
            self._arrivals.note(self._size, time.time())
            if not self._ends:
                self._first = index
                self._ends.append(self._size)
            elif self._turn(len(self._ends) - 1) == index:
                self._ends[-1] = self._size
            else:
                self._ends.append(self._size)

    def read(
        self, start: int, limit: int = READ_BYTES, *, end: int | None = None
    ) -> list[tuple[StreamName, bytes]]:
        """Return the output from a position on, in the order in which it came.

        Args:
            start: Position in bytes of both streams together.
            limit: The most bytes to give.
            end: Where to stop at the latest; None reads to what is there by now.
        """
        pieces: list[tuple[StreamName, bytes]] = []
        with self._lock:
            stop = min(self._size if end is None else min(end, self._size), start + limit)
            if start >= stop:
                return pieces
            data = _read_at(self._file, start, stop - start)
            turn = bisect_right(self._ends, start)
            position = start
            while position < stop:
                piece_end = min(self._ends[turn], stop)
                name: StreamName = "stderr" if self._turn(turn) else "stdout"
                pieces.append((name, data[position - start : piece_end - start]))
                position = piece_end
                turn += 1
        return pieces

    def came(self, position: int) -> tuple[int, float]:
        """Return when the byte at a position had come, and up to where that is so.

        The time is in seconds since the epoch; of a very long run it may be a little late.

        Raises:
            IndexError: It has not come.
        """
        with self._lock:
            return self._arrivals.of(position)

    def read_all(self) -> Iterator[tuple[StreamName, bytes]]:
        """Go through everything, in the order in which it came."""
        position = 0
        while pieces := self.read(position):
            position += sum(len(data) for _, data in pieces)
            yield from pieces

    def whole(self, stream: StreamName) -> bytes:
        """Return all bytes of a stream."""
        return b"".join(data for name, data in self.read_all() if name == stream)

    def begin_anew(self) -> None:
        """Make it readable in a forked child: a thread that is not there may hold the lock."""
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let the file go; nothing can be read any more."""
        if isinstance(self._file, int):
            number, self._file = self._file, io.BytesIO()
            os.close(number)
        self._file.close()

    def _keep(self, data: bytes) -> bool:
        """Append to the file, which leaves memory first when it grows; say whether it took it."""
        try:
            if self._size + len(data) > self._memory and isinstance(self._file, io.BytesIO):
                # Most actions write little: they need neither a file nor what makes one.
                import tempfile  # noqa: PLC0415 - see above

                # Unbuffered, so that a full disk shows here and what is in memory stays.
                with tempfile.TemporaryFile(buffering=0) as file:
                    number = os.dup(file.fileno())
                try:
                    _write_at(number, 0, self._file.getvalue())
                except OSError:
                    os.close(number)
                    raise
                self._file = number
            _write_at(self._file, self._size, data)
        except OSError:
            return False
        return True

    def _turn(self, index: int) -> int:
        """Which stream wrote the run of that index."""
        return (self._first + index) % 2


# By position: a forked child shares the place in the file where its parent reads and writes.


def _read_at(file: io.BytesIO | int, start: int, size: int) -> bytes:
    if isinstance(file, io.BytesIO):
        return bytes(file.getbuffer()[start : start + size])
    parts = []
    while size and (data := os.pread(file, size, start)):
        parts.append(data)
        start, size = start + len(data), size - len(data)
    return b"".join(parts)


def _write_at(file: io.BytesIO | int, start: int, data: bytes) -> None:
    """Write every byte: an unbuffered file may take fewer at once."""
    if isinstance(file, io.BytesIO):
        file.seek(start)
        file.write(data)
        return
    view = memoryview(data)
    while view:
        count = os.pwrite(file, view, start)
        start, view = start + count, view[count:]


def text_decoder() -> codecs.IncrementalDecoder:
    """Return a decoder for output that comes in pieces.

    A character cut in two is one character; a byte that is not UTF-8 becomes U+FFFD.
    """
    return codecs.getincrementaldecoder("utf-8")("replace")


def size_and_hash(data: bytes) -> tuple[int, str]:
    """Return how many bytes there are, and their hexadecimal SHA-256."""
    return len(data), hashlib.sha256(data).hexdigest()
