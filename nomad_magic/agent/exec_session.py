"""One exec session: an action's process on one side, a websocket on the other.

What happens here was measured on a real agent (Nomad 2.0.6) frame by frame, its oddities
included, because clients have to live with them:

- Without a tty the end is reported when the process has ended, its output has ended, and stdin has
  been closed or can no longer be written: a client that leaves stdin open waits for ever.
- With a tty, closing stdin closes the pty, but only after the next output: then SIGHUP.
- A client that goes away is not noticed before the process writes; a silent one runs on.
- Input that the process does not read is taken up to a bound, whether its stdin is full or closed.
  Beyond that nothing of the client's is read any more: no ping is answered, no close is noticed.
- After the exit frame the connection is dropped without a close frame, at once: it is reset where
  the client had sent more than was read.

One thing is left to the real agent: input that comes as the process ends may end its session before
the exit frame (of 10 KB in some 3 of 100 runs, of 60 KB and more in 20 to 50, for its own CLI too).
Here the exit frame is always sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from nomad_magic.nomad import frames

if TYPE_CHECKING:
    from nomad_magic.agent.spawn import Process
    from nomad_magic.agent.stdio import Streams

HANG_UP_SECONDS: Final = 0.2
"""How long the pty of an ended process may take to say that it has hung up."""

INPUT_BYTES: Final = 256 * 1024
"""How much input is taken that the process has not read, beside what its pipe or pty holds.

The real agent took 250 to 370 KB in all before it answered no ping any more."""


# Straight to bytes: at tens of thousands of frames a second a detour over text would show.
_encode: Final = msgspec.json.Encoder().encode


class GoneError(Exception):
    """The client is not there any more."""


class Wire(Protocol):
    """The websocket, as the session sees it."""

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            GoneError: There will be none.
        """

    async def send(self, data: bytes) -> None:
        """Send websocket frames that are ready for the socket; wait until there is room.

        Raises:
            GoneError: Nobody is there to get them.
        """


class ExecSession:
    """Joins a started process to a websocket until both are done with."""

    def __init__(self, process: Process, streams: Streams, wire: Wire) -> None:
        self._process = process
        self._streams = streams
        self._wire = wire
        self._input: asyncio.Queue[frames.Stream] = asyncio.Queue()
        self._input_bytes = 0
        self._input_room = asyncio.Event()
        self._input_ended = False
        self._stdin_done = asyncio.Event()
        self._hang_up_next = False
        self._gone = False
        self._deaf = False
        self._behind = False

    async def run(self) -> bool:
        """Run to the end of the process; whether the exit frame was sent.

        Raises:
            frames.FrameError: The client sent what is not a frame, and the process has ended.
        """
        receiving = asyncio.create_task(self._receive())
        feeding = asyncio.create_task(self._feed())
        try:
            if self._streams.tty:
                code = await self._run_tty()
            else:
                code = await self._run_pipes()
            if receiving.done() and (error := receiving.exception()) is not None:
                raise error
            if self._gone:
                return False
            with contextlib.suppress(GoneError):
                exited = frames.OutputFrame(exited=True, result=frames.Exit(code))
                await self._wire.send(text_frame(_encode(exited)))
                return True
            return False
        finally:
            receiving.cancel()
            feeding.cancel()
            await asyncio.wait([receiving, feeding])
            self._streams.hang_up()

    async def _run_tty(self) -> int:
        pumping = asyncio.create_task(self._pump("stdout"))
        await asyncio.wait([self._process.exited])
        # The kernel hangs the terminal up when its owner has ended; what was written comes first.
        await asyncio.wait([pumping], timeout=HANG_UP_SECONDS)
        while not pumping.done() and self._behind:
            await asyncio.wait([pumping], timeout=HANG_UP_SECONDS)
        hung_up_by_client = not self._streams.stdin.open
        self._streams.stdin.close()
        await pumping
        if not hung_up_by_client:
            await self._send_close("stdout")
        return self._process.exited.result()

    async def _run_pipes(self) -> int:
        await asyncio.gather(
            *(self._pump(name) for name in self._streams.outputs),
            self._process.exited,
            self._stdin_done.wait(),
        )
        for name in self._streams.outputs:
            await self._send_close(name)
        return self._process.exited.result()

    async def _pump(self, name: str) -> None:
        """Send one stream's output until it ends, or nobody gets it."""
        channel = self._streams.outputs[name]
        while data := await channel.read():
            self._behind = True
            try:
                await self._wire.send(output_frames(name, data))
            except GoneError:
                self._lose_client()
                self._streams.hang_up()
                return
            self._behind = False
            if self._hang_up_next:
                channel.close()

    async def _send_close(self, name: str) -> None:
        frame = _encode(_output(name, frames.Stream(close=True)))
        with contextlib.suppress(GoneError):
            await self._wire.send(text_frame(frame))

    async def _receive(self) -> None:
        """Take the client's frames until there are none, or one that is not a frame."""
        try:
            while True:
                message = await self._wire.receive()
                if message in ("null", b"null"):  # Go reads it as an empty frame
                    continue
                frame = frames.decode_input(message)
                if frame.tty_size is not None:
                    self._resize(frame.tty_size)
                if frame.stdin is not None and not self._deaf:
                    await self._take_stdin(frame.stdin)
        except GoneError:
            self._lose_client()
        except frames.FrameError:
            self._stdin_done.set()
            raise

    def _resize(self, size: frames.Size) -> None:
        if self._streams.tty:
            self._streams.resize(size.height, size.width)
        else:  # the real agent listens no more, and the client waits for ever
            self._deaf = True

    async def _take_stdin(self, stdin: frames.Stream) -> None:
        """Put input on its way to the process; waits while too much of it is there."""
        if self._input_ended:
            return
        self._input_ended = stdin.close
        self._input_bytes += len(stdin.data or b"")
        self._input.put_nowait(stdin)
        while self._input_bytes > INPUT_BYTES:
            self._input_room.clear()
            await self._input_room.wait()

    async def _feed(self) -> None:
        """Write input to the process until it ends, or nobody reads it."""
        while True:
            stdin = await self._input.get()
            try:
                await self._streams.stdin.write(stdin.data or b"")
            except OSError:
                self._stdin_done.set()
                return
            self._input_bytes -= len(stdin.data or b"")
            self._input_room.set()
            if stdin.close and self._streams.tty:
                self._hang_up_next = True
            elif stdin.close:
                self._streams.stdin.close()
                self._stdin_done.set()

    def _lose_client(self) -> None:
        self._gone = True
        # Its stdin stays open: the process is to notice nothing.
        self._stdin_done.set()


def output_frames(name: str, data: bytes) -> bytes:
    """Cut output into websocket frames, ready for the socket.

    Args:
        name: `stdout` or `stderr`.
        data: Any number of bytes.
    """
    parts: list[bytes] = []
    for start in range(0, len(data), frames.OUTPUT_CHUNK):
        chunk = frames.Stream(data[start : start + frames.OUTPUT_CHUNK])
        payload = _encode(_output(name, chunk))
        parts += (text_header(len(payload)), payload)
    return b"".join(parts)


def text_frame(payload: bytes) -> bytes:
    """A whole websocket text frame (RFC 6455, section 5.2); a server masks nothing."""
    return text_header(len(payload)) + payload


def text_header(length: int) -> bytes:
    """The header of a text frame with a payload of that many bytes, at most 65,535."""
    return (
        struct.pack("!BB", 0x81, length) if length < 126 else struct.pack("!BBH", 0x81, 126, length)
    )


def _output(name: str, stream: frames.Stream) -> frames.OutputFrame:
    if name == "stdout":
        return frames.OutputFrame(stdout=stream)
    return frames.OutputFrame(stderr=stream)
