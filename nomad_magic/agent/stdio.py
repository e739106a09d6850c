"""The standard streams of an action's process: three pipes, or one pty.

All descriptors are non-blocking and read in the event loop.  A read gives what is there, up to
`READ_BYTES`, so that a flood costs few turns of the loop and a slow client holds it back: nothing
is read that has not been sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import sys
import termios
from typing import Final

READ_BYTES: Final = 256 * 1024
"""The most that one read gives, and what a pipe is widened to."""

_PTY_READ_BYTES: Final = 4096
"""More than the kernel gives at once from a pty."""

_F_SETPIPE_SZ: Final = 1031


class Channel:
    """Our end of one descriptor of the process."""

    def __init__(self, fd: int, read_size: int = READ_BYTES) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._read_size = read_size
        self.open = True
        self._loop = asyncio.get_running_loop()
        self._reading: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """Return what there is, waiting for something; nothing at the end of the stream."""
        parts: list[bytes] = []
        size = 0
        while self.open and size < READ_BYTES:
            try:
                data = os.read(self.fd, self._read_size)
            except BlockingIOError:
                if parts:
                    break
                await self._readable()
                continue
            except OSError as error:
                if error.errno != errno.EIO:  # a pty whose other side has hung up
                    raise
                data = b""
            if not data:
                break
            parts.append(data)
            size += len(data)
        return b"".join(parts)

    async def write(self, data: bytes) -> None:
        """Write all of it.

        Raises:
            OSError: Nobody reads it any more.
        """
        view = memoryview(data)
        while view:
            if not self.open:
                raise BrokenPipeError(errno.EPIPE, "closed")
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:
                await self._writable()

    def close(self) -> None:
        """Close it; a read or a write under way ends."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self.fd)
        self._loop.remove_writer(self.fd)
        os.close(self.fd)
        for future in (self._reading, self._writing):
            if future is not None and not future.done():
                future.set_result(None)

    async def _readable(self) -> None:
        self._reading = self._loop.create_future()
        self._loop.add_reader(self.fd, _done, self._reading)
        try:
            await self._reading
        finally:
            if self.open:
                self._loop.remove_reader(self.fd)

    async def _writable(self) -> None:
        self._writing = self._loop.create_future()
        self._loop.add_writer(self.fd, _done, self._writing)
        try:
            await self._writing
        finally:
            if self.open:
                self._loop.remove_writer(self.fd)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Streams:
    """What the session needs of its process's standard streams.

    Raises:
        OSError: There are no more descriptors, or no more terminals.

    Attributes:
        stdin: Where input goes.
        outputs: Stream name to channel: `stdout` and `stderr`, or `stdout` alone with a pty.
        child: What the process is given: three descriptors, or the path of its terminal.
    """

    def __init__(self, *, tty: bool) -> None:
        self.tty = tty
        self._theirs: list[int] = []
        self.child: tuple[int, int, int] | str
        if tty:
            ours, theirs = os.openpty()
            # Kept open until the process is there, else our side would see a hang-up.
            self._theirs.append(theirs)
            self.child = os.ttyname(theirs)
            self.stdin = Channel(ours, _PTY_READ_BYTES)
            self.outputs = {"stdout": self.stdin}
        else:
            (in_read, in_write), (out_read, out_write), (err_read, err_write) = _pipes()
            self._theirs += [in_read, out_write, err_write]
            self.child = (in_read, out_write, err_write)
            self.stdin = Channel(in_write)
            self.outputs = {"stdout": Channel(out_read), "stderr": Channel(err_read)}

    def started(self) -> None:
        """The process has its own copies now, or there is no process."""
        while self._theirs:
            os.close(self._theirs.pop())

    def resize(self, height: int, width: int) -> None:
        """Tell the terminal its size, in cells; each is cut to 16 bits, as the kernel has it."""
        if self.tty and self.stdin.open:
            size = struct.pack("HHHH", height & 0xFFFF, width & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.stdin.fd, termios.TIOCSWINSZ, size)

    def hang_up(self) -> None:
        """Close our ends: a write by the process fails from now on, a pty sends SIGHUP."""
        for channel in (*self.outputs.values(), self.stdin):
            channel.close()


def _pipes() -> list[tuple[int, int]]:
    """Return three pipes, or none."""
    made: list[tuple[int, int]] = []
    try:
        made.append(os.pipe())
        made.append(_wide_pipe())
        made.append(_wide_pipe())
    except OSError:
        for one in made:
            os.close(one[0])
            os.close(one[1])
        raise
    return made


def _wide_pipe() -> tuple[int, int]:
    ends = os.pipe()
    if sys.platform == "linux":
        # The user's limit on pipe pages may be reached: then it stays as it is.
        with contextlib.suppress(OSError):
            fcntl.fcntl(ends[0], _F_SETPIPE_SZ, READ_BYTES)
    return ends
