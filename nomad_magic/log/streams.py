"""What a run writes, on its way into two files: masked, in order, a part at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nomad_magic.log.ledger import open_new, write_all
from nomad_magic.record.reader import Reader
from nomad_magic.record.transcript import STREAMS

if TYPE_CHECKING:
    from pathlib import Path

    from nomad_magic.record.masking import Masker
    from nomad_magic.record.reader import Pieces
    from nomad_magic.record.transcript import StreamName, Transcript

PIECE_BYTES: Final = 1 << 18
"""How much is read at once, in bytes."""


class _Kept(NamedTuple):
    """How far the files have got.

    Attributes:
        position: How much of the output is in them, in bytes as they came.
        sizes: How long each is.
        hashes: The hash of each.
    """

    position: int
    sizes: dict[StreamName, int]
    hashes: dict[StreamName, Any]


class Streams:
    """The files of one run; used by the writer's thread.

    Args:
        folder: The run's.
        transcript: What it writes.
        masker: Knows its secrets.

    Attributes:
        full: They take no more.
        files: Those that are open.
    """

    def __init__(self, folder: Path, transcript: Transcript, masker: Masker) -> None:
        self.full = False
        self.files: dict[StreamName, int] = {}
        self._folder = folder
        self._transcript = transcript
        self._reader = Reader(transcript, masker)
        self._kept = self._before = _Kept(
            0, dict.fromkeys(STREAMS, 0), {name: hashlib.sha256() for name in STREAMS}
        )

    @property
    def behind(self) -> int:
        """How much output they do not have yet, in bytes."""
        return 0 if self.full else self._reader.behind

    @property
    def kept(self) -> int:
        """How much of the output they have, in bytes as they came."""
        return self._kept.position

    @property
    def left_out(self) -> int:
        """How much of all that came is not in them, in bytes."""
        return sum(map(self._transcript.count, STREAMS)) - self.kept

    def facts(self) -> dict[str, Any]:
        """Return how long each is, and its hash."""
        sizes, hashes = self._kept.sizes, self._kept.hashes
        return {
            name: {"bytes": sizes[name], "sha256": hashes[name].hexdigest()} for name in STREAMS
        }

    def copy(self, most: int) -> bool:
        """Write so much of what is new, at most; return whether there is more.

        Raises:
            OSError: The disk takes no more; `full` is set.
        """
        end = self._reader.position + most
        while not self.full and self._reader.position < end:
            pieces = self._reader.take(PIECE_BYTES)
            if not pieces:
                return False
            self._keep(pieces)
        return not self.full

    def finish(self) -> None:
        """Write what was held back as it may have been half a secret.

        Raises:
            OSError: As for `copy`.
        """
        if not self.full:
            self._keep(self._reader.finish())

    def _keep(self, pieces: Pieces) -> None:
        before = self._kept
        sizes = dict(before.sizes)
        hashes = {name: one.copy() for name, one in before.hashes.items()}
        try:
            for stream, data in pieces:
                if not data:
                    continue
                if stream not in self.files:
                    self.files[stream] = open_new(self._folder / stream)
                write_all(self.files[stream], data)
                sizes[stream] += len(data)
                hashes[stream].update(data)
        except OSError:
            self.full = True
            self._cut()
            raise
        self._before, self._kept = before, _Kept(self._reader.position, sizes, hashes)

    def back(self) -> None:
        """Take the last piece out of the files: something else is to have its room."""
        self.full = True
        self._kept = self._before
        self._cut()

    def _cut(self) -> None:
        """Take out of the files what is not whole."""
        for stream, file in self.files.items():
            with contextlib.suppress(OSError):
                os.ftruncate(file, self._kept.sizes[stream])

    def close(self) -> None:
        """Let the files go."""
        for file in self.files.values():
            with contextlib.suppress(OSError):
                os.close(file)
        self.files.clear()
