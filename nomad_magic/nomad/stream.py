"""The bytes under a request or an exec session: a socket, in the clear or in TLS.

Reading and writing fail each for itself here, and that is why it exists: asyncio's own transports
close the connection at the first write that fails and throw away what had already come.  An agent
whose action leaves its stdin unread drops the connection right behind the exit frame (measured on
Nomad 2.0.6), so that with them the exit code would be lost whenever the rest of stdin was still
being sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import ssl
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from nomad_magic import fork

if TYPE_CHECKING:
    import socket

READ_BYTES: Final = 1 << 16
"""How much is read at once, in bytes."""


_open: WeakSet[Stream] = WeakSet()


def let_go() -> None:
    """Let go of every connection, with nothing said and nobody asked.

    For a forked child, which would else keep its parent's open: only the descriptors, for what else
    is shared (the loop's own list of them, TLS) is the parent's.  And for the interpreter's end.
    """
    for stream in list(_open):
        stream.forget()


fork.in_child(let_go)


class Stream:
    """One connection.

    Every method belongs to the loop in which it was made.  One task may read while another writes;
    two may write, but not two read.

    Args:
        connected: A connected, non-blocking socket; it is this object's from now on.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        _open.add(self)
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._sending = asyncio.Lock()

    async def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Make it a TLS connection.

        Args:
            context: With the certificates.
            name: That the other side's certificate must bear, and that it is asked for.

        Raises:
            ssl.SSLError: The handshake failed.
            OSError: The connection failed.
            EOFError: It ended in the middle.
        """
        made = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name or None)
        while True:
            try:
                made.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise EOFError from None
            except ssl.SSLError:
                # The other side is told why.
                with contextlib.suppress(OSError):
                    await self._flush()
                raise
            else:
                break
        await self._flush()
        self._tls = made

    async def read(self) -> bytes:
        """Return what has come, waiting for something; nothing at the end of the connection.

        Raises:
            OSError: The connection failed; all that came before was returned.
            ssl.SSLError: What came is not TLS, or an alert.
        """
        if self._tls is None:
            return await self._loop.sock_recv(self._socket, READ_BYTES)
        while True:
            try:
                data = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                await self._answer()
                await self._fill()
            except ssl.SSLEOFError:
                # Not closed in TLS's own way; agents drop connections so.
                return b""
            else:
                return data

    async def write(self, data: bytes) -> None:
        """Send all of it; waits while the other side takes nothing.

        Raises:
            OSError: It cannot be sent; what comes can be read all the same.
        """
        if self._tls is None:
            async with self._sending:
                await self._loop.sock_sendall(self._socket, data)
            return
        self._tls.write(data)
        await self._flush()

    @property
    def readable(self) -> bool:
        """Whether something waits to be read, or the connection's end."""
        if self._incoming.pending or (self._tls is not None and self._tls.pending()):
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close it at once; what still reads or writes must have been cancelled."""
        descriptor = self._socket.fileno()
        if descriptor >= 0:
            # Before the number is another's.  By the number: of a socket that it does not know the
            # loop first makes words, with both addresses.
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
            self._socket.close()

    def forget(self) -> None:
        """Close the descriptor and do nothing else."""
        self._socket.close()

    async def _fill(self) -> bool:
        """Take what came, for TLS to decrypt; whether there was any."""
        data = await self._loop.sock_recv(self._socket, READ_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        return bool(data)

    async def _flush(self) -> None:
        """Send what TLS has encrypted, in its order."""
        async with self._sending:
            while self._outgoing.pending:
                await self._loop.sock_sendall(self._socket, self._outgoing.read())

    async def _answer(self) -> None:
        """Send what TLS says by itself, as a new key; reading goes on whether it can or not."""
        if self._outgoing.pending:
            with contextlib.suppress(OSError):
                await self._flush()
