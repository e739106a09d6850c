"""The text view: the action's output on the cell's own stdout and stderr, as it comes.

Outside a kernel that is all of it: the bytes that the CLI would write, secrets masked.  In a
kernel it is bounded, so that a flood does not fill the notebook, and the record follows.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from nomad_magic.notebook.views.base import READ_BYTES, View
from nomad_magic.notebook.views.keyboard import Keyboard
from nomad_magic.record.humanize import left_out
from nomad_magic.record.reader import Reader
from nomad_magic.record.transcript import STREAMS, text_decoder

if TYPE_CHECKING:
    from nomad_magic.notebook.kernel.host import Host
    from nomad_magic.record.reader import Pieces
    from nomad_magic.record.transcript import StreamName
    from nomad_magic.running.session import Session

HEAD_BYTES: Final = 1 << 16
TAIL_BYTES: Final = 1 << 16
"""In a kernel: how much of a long output's beginning and end is shown, in bytes."""


LONGEST_LINE: Final = 1 << 16
"""How much of a line a runner's cell waits for, in characters."""


class TextView(View["Session"]):
    """Shows a session on stdout and stderr."""

    def __init__(self, session: Session, host: Host) -> None:
        super().__init__(session, host)
        self._reader = Reader(session.result.transcript, session.result.masker)
        self._last = b""
        self._told = 0
        self._keyboard: Keyboard | None = None
        logged = host.kernel and session.result.journal is not None
        self._writers: dict[StreamName, _Writer] = {
            stream: _Writer(stream, host, tty=session.result.tty, keep=logged) for stream in STREAMS
        }

    def run(self) -> None:
        """Start the session and show it until it is over."""
        super().run()
        failed = self.session.error is not None or self.interrupts
        if failed and self.host.attended and not self.host.kernel:
            self._end_line()

    def around(self) -> AbstractContextManager[object]:
        """Pass the user's keys on, where the cell has the user's own terminal."""
        here = self.host
        if here.kernel or not here.attended or not self.session.takes_input:
            return nullcontext()
        self._keyboard = Keyboard(self.session, raw=self.session.result.tty)
        return self._keyboard

    def show(self) -> None:
        """Show what is new; in a kernel no more than the head."""
        if self._keyboard is not None and self.session.opened:
            # Before that a Ctrl-C is the user's own, and gives the run up.
            self._keyboard.begin()
        if not self.host.kernel:
            self._tell()
        reader = self._reader
        while True:
            limit = READ_BYTES
            if self.host.kernel:
                limit = min(limit, HEAD_BYTES - reader.position)
            pieces = reader.take(limit) if limit > 0 else []
            if not pieces:
                break
            self._write(pieces)
        self._flush()

    def end(self) -> None:
        """Show the rest; in a kernel a notice and the tail."""
        self.show()
        reader = self._reader
        if reader.behind > TAIL_BYTES:
            skipped = reader.jump(reader.position + reader.behind - TAIL_BYTES)
            self._writers["stdout"].note(left_out(skipped))
        while pieces := reader.take(READ_BYTES):
            self._write(pieces)
        self._write(reader.finish())
        for writer in self._writers.values():
            writer.write(b"", final=True)
        self._flush()
        if (journal := self.session.result.journal) is not None and self.host.kernel:
            shown = {stream: writer.kept for stream, writer in self._writers.items()}
            journal("text", {stream: text for stream, text in shown.items() if text}, {})

    def _tell(self) -> None:
        """Write what the user should know besides the output; in a kernel the record has it."""
        notices = self.session.result.notices
        end = "\r\n" if self._keyboard is not None and self._keyboard.raw else "\n"
        for notice in notices[self._told :]:
            sys.stderr.write("".join(f"{line}{end}" for line in notice.splitlines()))
            sys.stderr.flush()
            self._told += 1

    def _write(self, pieces: Pieces) -> None:
        for stream, data in pieces:
            self._writers[stream].write(data)
            self._last = data[-1:] or self._last

    def _flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _end_line(self) -> None:
        """Begin the error on a line of its own, where a terminal's was left open."""
        if self._last not in (b"", b"\n"):
            sys.stderr.write("\n")
            sys.stderr.flush()


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


class _Writer:
    """One of the two streams of the cell, looked up anew each time: `%%capture` changes it."""

    def __init__(self, stream: StreamName, host: Host, *, tty: bool, keep: bool = False) -> None:
        self._name = stream
        self._decoder = text_decoder()
        # A front end shows `\r\n` as one end of line, but a saved notebook reads better.
        self._join = host.kernel and tty
        self._kernel = host.kernel
        self._carriage = ""
        # A runner keeps each state of a line that is drawn over and over; only the last counts.
        self._settle = host.kernel and not host.attended
        self._line = ""
        self._keep = keep
        self.kept = ""
        """What was written, for the log: in a kernel that is bounded."""

    def write(self, data: bytes, *, final: bool = False) -> None:
        binary = None if self._kernel else getattr(getattr(sys, self._name), "buffer", None)
        if binary is not None:
            if data:
                getattr(sys, self._name).flush()
                binary.write(data)
                binary.flush()
            return
        text = self._decoder.decode(data, final)
        if self._join:
            text = self._carriage + text
            self._carriage = "\r" if text.endswith("\r") and not final else ""
            text = text.removesuffix(self._carriage).replace("\r\n", "\n")
        if self._settle:
            text = self._settled(text, final=final)
        if text:
            self._show(text)

    def _settled(self, text: str, *, final: bool) -> str:
        """Return the lines that are whole by now, each as it was at last."""
        *whole, self._line = (self._line + text).split("\n")
        if final or len(self._line) > LONGEST_LINE:
            whole, self._line = [*whole, self._line], ""
        elif whole:
            whole.append("")
        return "\n".join(_last_state(line) for line in whole)

    def note(self, text: str) -> None:
        rest, self._line = _last_state(self._line), ""
        self._show(f"{rest}\n{text}\n")

    def _show(self, text: str) -> None:
        if self._keep:
            self.kept += text
        getattr(sys, self._name).write(text)

    def flush(self) -> None:
        getattr(sys, self._name).flush()
