"""Reading a run's output as it comes, masked, at a reader's own pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nomad_magic.record.transcript import STREAMS

if TYPE_CHECKING:
    from nomad_magic.masking import StreamMasker
    from nomad_magic.record.result import ActionResult
    from nomad_magic.record.transcript import StreamName

    Pieces = list[tuple[StreamName, bytes]]

BEFORE_BYTES: Final = 1 << 12
"""How far before a jump's end to look for a secret that runs across it, at the least."""


class Follower:
    """A cursor in a run's transcript.

    Args:
        result: Whose transcript, and whose secrets are masked.

    Attributes:
        position: How much was read, in bytes of both streams as they came.
    """

    def __init__(self, result: ActionResult) -> None:
        self.position = 0
        self._transcript = result.transcript
        self._masker = result.masker
        self._masks = self._new_masks()

    @property
    def behind(self) -> int:
        """How many bytes there are that were not read yet."""
        return self._transcript.size - self.position

    def take(self, limit: int) -> Pieces:
        """Give what comes next, masked, as far as it can be shown by now.

        Args:
            limit: The most bytes to read.
        """
        pieces = self._transcript.read(self.position, limit)
        self.position += sum(len(data) for _, data in pieces)
        return [(stream, self._masks[stream].feed(data)) for stream, data in pieces]

    def jump(self, position: int) -> int:
        """Go on from a later position; give how many bytes that leaves out.

        Bytes held back as half a secret are left out too, and a secret that the new position
        stands in the middle of is masked as a whole.
        """
        skipped = position - self.position
        self._masks = self._new_masks()
        reach = min(position, self._masker.reach + BEFORE_BYTES)
        for stream, data in self._transcript.read(position - reach, reach):
            self._masks[stream].feed(data)
        self.position = position
        return skipped

    def finish(self) -> Pieces:
        """Give what was held back, once no more will come."""
        return [(stream, mask.finish()) for stream, mask in self._masks.items()]

    def _new_masks(self) -> dict[StreamName, StreamMasker]:
        return {stream: self._masker.stream() for stream in STREAMS}
