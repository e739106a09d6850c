"""Reading a run's output with its secrets masked, at a reader's own pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nomad_magic.record.transcript import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nomad_magic.record.masking import Masker, StreamMasker
    from nomad_magic.record.transcript import StreamName, Transcript

    Pieces = list[tuple[StreamName, bytes]]

BEFORE_BYTES: Final = 1 << 12
"""How far before a jump's end to look for a secret that runs across it, at the least."""


class Reader:
    """A cursor in a run's transcript.

    Args:
        transcript: The run's.
        masker: Knows its secrets.

    Attributes:
        position: How much was read, in bytes of both streams as they came.
    """

    def __init__(self, transcript: Transcript, masker: Masker) -> None:
        self.position = 0
        self._transcript = transcript
        self._masker = masker
        self._masks = _masks(masker)

    @property
    def behind(self) -> int:
        """How many bytes there are that were not read yet."""
        return self._transcript.size - self.position

    def take(self, limit: int) -> Pieces:
        """Return what comes next, masked, as far as it can be shown by now.

        Args:
            limit: The most bytes to read.
        """
        pieces = self._transcript.read(self.position, limit)
        self.position += sum(len(data) for _, data in pieces)
        return [(stream, self._masks[stream].feed(data)) for stream, data in pieces]

    def jump(self, position: int) -> int:
        """Go on from a later position; return how many bytes that leaves out.

        Bytes held back as half a secret are left out too, and a secret that the new position
        stands in the middle of is masked as a whole.
        """
        skipped = position - self.position
        self._masks = _masks(self._masker)
        reach = min(position, self._masker.reach + BEFORE_BYTES)
        for stream, data in self._transcript.read(position - reach, reach):
            self._masks[stream].feed(data)
        self.position = position
        return skipped

    def finish(self) -> Pieces:
        """Return what was held back, once no more will come."""
        return [(stream, mask.finish()) for stream, mask in self._masks.items()]


def mask_pieces(
    masker: Masker,
    pieces: Iterable[tuple[StreamName, bytes]],
    *,
    before: Iterable[tuple[StreamName, bytes]] = (),
    to_end: bool = True,
) -> Iterator[tuple[StreamName, bytes]]:
    """Mask a part of the output.

    Args:
        masker: Knows the secrets.
        pieces: The part.
        before: What came before it, and is not returned.
        to_end: Nothing comes after it; else what may be half a secret is left out.
    """
    masks = _masks(masker)
    for stream, data in before:
        masks[stream].feed(data)
    for stream, data in pieces:
        yield stream, masks[stream].feed(data)
    if to_end:
        for stream, mask in masks.items():
            yield stream, mask.finish()


def _masks(masker: Masker) -> dict[StreamName, StreamMasker]:
    return {stream: masker.stream() for stream in STREAMS}
