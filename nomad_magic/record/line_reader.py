"""The lines of a run's output, one after the other, while they come and afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from nomad_magic.record.humanize import size
from nomad_magic.record.reader import Reader
from nomad_magic.record.transcript import STREAMS, text_decoder
from nomad_magic.terminal.linewise import LONGEST, Lines

if TYPE_CHECKING:
    from nomad_magic.record.result import ActionResult
    from nomad_magic.record.transcript import StreamName

READ_BYTES: Final = 1 << 16
"""How much is read at once: lines wait for a reader that is slow, and it should not wait long."""


class OutputLine(NamedTuple):
    r"""A line of an action's output.

    Attributes:
        stream: `stdout` or `stderr`; with a tty everything is stdout.
        text: As a terminal shows it: no control codes, secrets masked, no end of line.  Of a
            progress bar that is drawn over and over by `\r` it is the last state.
        time: When its end came, as far as is known to a millisecond.
        more: It was longer than a line may be (a million characters), and the next of the same
            stream goes on with it.
    """

    stream: StreamName
    text: str
    time: datetime
    more: bool = False


class LineReader:
    """Reads a run's lines at its own pace: a cursor in what the run keeps on disk.

    Args:
        result: The run.
        longest: How long a line may be, in characters.
    """

    def __init__(self, result: ActionResult, *, longest: int = LONGEST) -> None:
        self._transcript, self._masker = result.transcript, result.masker
        self._reader = Reader(result.transcript, result.masker)
        self._decoders = {stream: text_decoder() for stream in STREAMS}
        self._lines: dict[StreamName, Lines] = {
            stream: Lines(result.width, newline=not result.tty, longest=longest)
            for stream in STREAMS
        }
        self._times: dict[StreamName, datetime] = {}
        self._until = 0
        """Up to where the output had come at that time."""
        self._seconds = 0.0
        self._now = datetime.fromtimestamp(0).astimezone()

    def take(self) -> list[OutputLine] | None:
        """Return lines that have ended; None where there is nothing to read now."""
        lines: list[OutputLine] = []
        left = READ_BYTES
        while left > 0 and self._reader.behind:
            position = self._reader.position
            self._look_up(position)
            pieces = self._reader.take(min(left, self._until - position))
            left -= self._reader.position - position
            for stream, data in pieces:
                self._times[stream] = self._now
                lines += self._ended(stream, self._decoders[stream].decode(data))
        return lines if left < READ_BYTES else None

    def finish(self) -> list[OutputLine]:
        """Return what has come without an end of line, once no more will come."""
        lines: list[OutputLine] = []
        for stream, data in self._reader.finish():
            lines += self._ended(stream, self._decoders[stream].decode(data, final=True))
            lines += self._made(stream, self._lines[stream].finish())
        if lost := self._transcript.lost:
            said = f"[… {size(lost)} lost here: the disk took no more …]"
            lines.append(OutputLine("stderr", said, self._now))
        return lines

    def _ended(self, stream: StreamName, text: str) -> list[OutputLine]:
        return self._made(stream, self._lines[stream].take(text))

    def _made(self, stream: StreamName, lines: list[tuple[str, bool]]) -> list[OutputLine]:
        if not lines:
            return []
        time, mask = self._times.get(stream, self._now), self._masker.text
        whole = "\n".join(line for line, _ in lines)
        # Nearly always there is nothing to mask any more, and to look once is quicker.
        if mask(whole) != whole:
            lines = [(mask(line), more) for line, more in lines]
        return [OutputLine(stream, line, time, more) for line, more in lines]

    def _look_up(self, position: int) -> None:
        """See when what comes next had come."""
        self._until, seconds = self._transcript.came(position)
        if seconds != self._seconds:
            self._seconds = seconds
            self._now = datetime.fromtimestamp(seconds).astimezone()
