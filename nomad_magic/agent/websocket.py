"""The websocket under an exec session, with the manners of the real agent.

Output is written to the transport as frames that are already cut, because a flood has tens of
thousands of them a second.  What comes in is read by aiohttp.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web

from nomad_magic.agent.exec_session import GoneError

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

POLICY_VIOLATION: Final = 1008
INTERNAL_ERROR: Final = 1011

BUFFER_BYTES: Final = 512 * 1024
"""How much output may wait for a slow client before its process has to wait."""

_REASON_BYTES: Final = 123
_MESSAGE_BYTES: Final = 16 * 1024 * 1024
_FROM_CLIENT: Final = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE)
_RESET: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing throws away what is on its way, and resets the connection."""


class SocketWire:
    """A server's websocket that ends as the real agent's do."""

    def __init__(self, request: BaseRequest) -> None:
        self._request = request
        self._socket = web.WebSocketResponse(
            autoclose=False, compress=False, max_msg_size=_MESSAGE_BYTES
        )
        self._transport: asyncio.Transport | None = None
        self._gone = False

    async def upgrade(self) -> web.WebSocketResponse:
        """Answer the upgrade; the response is what the request's handler has to return."""
        await self._socket.prepare(self._request)
        self._transport = self._request.transport
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=BUFFER_BYTES)
        return self._socket

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            GoneError: There will be none.
        """
        if not self._gone:
            message = await self._socket.receive()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                data: str | bytes = message.data
                return data
            if message.type is WSMsgType.CLOSE:
                # Answered at once, but the connection stays until the process writes or ends.
                self._write(_close_frame(message.data or 1000, ""))
            self._gone = True
        raise GoneError

    async def send(self, data: bytes) -> None:
        """Send whole frames; wait until there is room for more.

        Raises:
            GoneError: Nobody is there to get them.
        """
        if not self._write(data):
            raise GoneError
        try:
            await self._request.writer.drain()
        except (OSError, RuntimeError) as error:
            self._gone = True
            raise GoneError from error

    async def refuse(self, code: int, reason: str) -> None:
        """Send a close frame with a reason, and end the connection.

        A reason that does not fit into a close frame is not sent at all, nor is the frame: so
        does the real agent.
        """
        if len(reason.encode()) <= _REASON_BYTES:
            self._write(_close_frame(code, reason))
        await self.drop()

    async def drop(self) -> None:
        """End the connection without a close frame, once all that was sent has left.

        Go's server closes its socket at once, and the kernel resets a connection that is closed
        with something unread in it.  Much of what is unread here has left the kernel already, so
        the reset is asked for.  (A unix socket knows none: there the client sees an end.)
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if await self._has_unread(transport):
            with contextlib.suppress(OSError, RuntimeError):
                # Aborting throws away what has not left.
                if transport.get_write_buffer_size():
                    transport.set_write_buffer_limits(high=0)
                    await self._request.writer.drain()
                connection = transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        else:
            transport.close()

    async def _has_unread(self, transport: asyncio.Transport) -> bool:
        """Whether the client has sent something that the session did not take."""
        if self._gone:
            return False
        taking = asyncio.create_task(self._socket.receive())
        await asyncio.sleep(0)  # what is there already is given in one turn
        if taking.done():
            return taking.exception() is None and taking.result().type in _FROM_CLIENT
        taking.cancel()
        await asyncio.wait([taking])
        waiting = bytearray(struct.calcsize("i"))
        with contextlib.suppress(OSError):
            fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.FIONREAD, waiting)
        return any(waiting)

    def _write(self, data: bytes) -> bool:
        transport = self._transport
        if self._gone or transport is None or transport.is_closing():
            return False
        transport.write(data)
        return True


def _close_frame(code: int, reason: str) -> bytes:
    payload = struct.pack("!H", code) + reason.encode()
    return struct.pack("!BB", 0x88, len(payload)) + payload
