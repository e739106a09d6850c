"""The websocket of one exec session, by the library websockets."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from websockets.asyncio import client
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from nomad_magic.nomad import networds
from nomad_magic.nomad.protocol import CLOSE_ABNORMAL

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOSE_SECONDS: Final = 0.25
"""How long a close may take: an agent whose process is silent never answers it."""

_HTTP_1_0: Final = b"HTTP/1.0 "


class ConnectionEnded(Exception):
    """The websocket ended; `code` and `reason` are the close frame's where there was one."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ExecConnection:
    """One open exec websocket."""

    socket: client.ClientConnection

    async def send(self, text: str) -> None:
        """Send one text frame; waits while the agent takes nothing more.

        Raises:
            ConnectionEnded: Nothing can be sent any more.
        """
        try:
            await self.socket.send(text)
        except ConnectionClosed as closed:
            raise _ended(closed) from closed

    async def receive(self) -> bytes | str:
        """Wait for the next frame.

        Raises:
            ConnectionEnded: No more will come.
        """
        try:
            return await self.socket.recv(decode=False)
        except ConnectionClosed as closed:
            raise _ended(closed) from closed

    async def close(self) -> None:
        """Close within `CLOSE_SECONDS`, whatever the other side does."""
        with contextlib.suppress(TimeoutError, WebSocketException, OSError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.socket.close()
        self.socket.transport.abort()


def _ended(closed: ConnectionClosed) -> ConnectionEnded:
    if closed.rcvd is not None:
        return ConnectionEnded(closed.rcvd.code, closed.rcvd.reason)
    if closed.sent is not None and closed.sent.reason:
        # The library refused what came, and said why.
        return ConnectionEnded(CLOSE_ABNORMAL, closed.sent.reason)
    cause = closed.__cause__
    reason = f"read: {networds.os_error(cause)}" if isinstance(cause, OSError) else ""
    return ConnectionEnded(CLOSE_ABNORMAL, reason or "unexpected EOF")


class _Connection(client.ClientConnection):
    """websockets' connection, which by itself takes no HTTP/1.0 and forgets why it was lost."""

    _head: bytes | None = b""
    _lost: Exception | None = None

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            # Go's server refuses with HTTP/1.0 what speaks no TLS; so do some load balancers.
            data = self._head + data
            if len(data) < len(_HTTP_1_0):
                self._head = data
                return
            self._head = None
            if data.startswith(_HTTP_1_0):
                data = b"HTTP/1.1 " + data.removeprefix(_HTTP_1_0)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc
        super().connection_lost(exc)

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().handshake(*args, **kwargs)
        except InvalidHandshake as error:
            if self._lost is None:
                raise
            # An alert of TLS, as that of a client certificate that is not accepted.
            raise self._lost from error


class _Connect(client.connect):
    """websockets' connect, which by itself would take our token along to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def connect(
    url: str, headers: Mapping[str, str], seconds: float, **way: Any
) -> ExecConnection:
    """Ask for the upgrade.

    Args:
        url: `ws://…` or `wss://…`.
        headers: All that are sent besides the upgrade's own.
        seconds: How long it may take.
        way: What websockets is told of the way there: `sock`, `ssl`, `proxy` and the like.

    Raises:
        InvalidStatus: The upgrade was refused.
        InvalidHandshake: The answer is none.
        WebSocketException: The same, in another way.
        OSError: The connection failed.
    """
    socket = await _Connect(
        url,
        additional_headers=headers,
        user_agent_header=None,
        create_connection=_Connection,
        compression=None,
        open_timeout=seconds,
        ping_interval=None,
        close_timeout=CLOSE_SECONDS,
        max_size=None,
        **way,
    )
    return ExecConnection(socket)
