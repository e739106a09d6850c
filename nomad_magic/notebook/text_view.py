"""The text view: the action's output on the cell's own stdout and stderr, as it comes.

Outside a kernel that is all of it: the bytes that the CLI would write, secrets masked.  In a
kernel it is bounded, so that a flood does not fill the notebook, and the record follows.
"""

from __future__ import annotations

import queue
import signal
import sys
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.notebook.keyboard import Keyboard
from nomad_magic.result import left_out
from nomad_magic.transcript import STREAMS, text_decoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nomad_magic.nomad.session import Session
    from nomad_magic.notebook.surroundings import Surroundings
    from nomad_magic.transcript import StreamName

HEAD_BYTES: Final = 1 << 16
TAIL_BYTES: Final = 1 << 16
"""In a kernel: how much of a long output's beginning and end is shown, in bytes."""

TURN_SECONDS: Final = 0.1
"""How long the cell's thread waits at most before it looks again by itself."""


class TextView:
    """Shows one session on stdout and stderr, on the cell's own thread.

    Args:
        session: Not yet started.
        surroundings: Where the cell runs.
    """

    def __init__(self, session: Session, surroundings: Surroundings) -> None:
        self.interrupts = 0
        """How often Ctrl-C or ■ was pressed while it ran."""
        self._session = session
        self._surroundings = surroundings
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._position = 0
        self._last = b""
        self._writers: dict[StreamName, _Writer] = {
            stream: _Writer(session, stream, kernel=surroundings.kernel) for stream in STREAMS
        }

    def run(self) -> None:
        """Start the session and show it until it is over."""
        session = self._session
        session.listen(lambda: self._news.put(None))
        with self._interruptible(), self._keyboard():
            session.start()
            while not session.done:
                self._wait()
                self._show(final=False)
            self._show(final=True)
        if self._surroundings.attended and (session.error is not None or self.interrupts):
            self._end_line()

    def _keyboard(self) -> AbstractContextManager[object]:
        """Give what passes the user's keys on, where the cell has the user's terminal."""
        here = self._surroundings
        if here.kernel or not here.attended or not self._session.takes_input:
            return nullcontext()
        return Keyboard(self._session, raw=self._session.result.tty)

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
            self._news.put(None)

        before = signal.signal(signal.SIGINT, press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _stop(self) -> None:
        if self._surroundings.attended or self.interrupts > 1:
            self._session.stop()
        else:
            # Nobody is there to press again.
            self._session.stop_and_wait(self._session.options.grace)

    def _wait(self) -> None:
        """Wait for news; what came in the meantime is one piece of news."""
        try:
            self._news.get(timeout=TURN_SECONDS)
            while True:
                self._news.get_nowait()
        except queue.Empty:
            pass

    def _show(self, *, final: bool) -> None:
        transcript = self._session.result.transcript
        while True:
            end = None
            if self._surroundings.kernel:
                if self._position >= HEAD_BYTES:
                    break
                end = HEAD_BYTES
            pieces = transcript.read(self._position, end=end)
            if not pieces:
                break
            self._write(pieces)
        if final:
            self._show_tail()
            for writer in self._writers.values():
                writer.finish()
        for writer in self._writers.values():
            writer.flush()

    def _show_tail(self) -> None:
        transcript = self._session.result.transcript
        start = max(self._position, transcript.size - TAIL_BYTES)
        if start > self._position:
            for writer in self._writers.values():
                writer.finish()
            self._writers["stdout"].note(left_out(start - self._position))
            self._position = start
        while pieces := transcript.read(self._position):
            self._write(pieces)

    def _write(self, pieces: list[tuple[StreamName, bytes]]) -> None:
        for stream, data in pieces:
            self._writers[stream].write(data)
            self._last = data[-1:]
            self._position += len(data)

    def _end_line(self) -> None:
        """Begin the error on a line of its own, where a terminal's was left open."""
        if not self._surroundings.kernel and self._last not in (b"", b"\n"):
            sys.stderr.write("\n")
            sys.stderr.flush()


class _Writer:
    """One of the two streams of the cell, looked up anew each time: `%%capture` changes it."""

    def __init__(self, session: Session, stream: StreamName, *, kernel: bool) -> None:
        self._name = stream
        self._mask = session.result.masker.stream()
        self._decoder = text_decoder()
        # A front end shows `\r\n` as one end of line, but a saved notebook reads better.
        self._join = kernel and session.result.tty
        self._kernel = kernel
        self._carriage = ""

    def write(self, data: bytes) -> None:
        self._put(self._mask.feed(data))

    def note(self, text: str) -> None:
        getattr(sys, self._name).write(f"\n{text}\n")

    def finish(self) -> None:
        """Let out what was held back: the beginning of a secret that never came whole."""
        self._put(self._mask.finish(), final=True)

    def flush(self) -> None:
        getattr(sys, self._name).flush()

    def _put(self, data: bytes, *, final: bool = False) -> None:
        stream = getattr(sys, self._name)
        binary = None if self._kernel else getattr(stream, "buffer", None)
        if binary is not None:
            if data:
                stream.flush()
                binary.write(data)
                binary.flush()
            return
        text = self._decoder.decode(data, final)
        if self._join:
            text = self._carriage + text
            self._carriage = "\r" if text.endswith("\r") and not final else ""
            text = text.removesuffix(self._carriage).replace("\r\n", "\n")
        if text:
            stream.write(text)
