"""The websocket of one exec session: the library websockets' protocol over a stream of ours."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN, Protocol, Side
from websockets.uri import WebSocketURI

from nomad_magic.nomad import explain
from nomad_magic.nomad.frames import CLOSE_ABNORMAL

if TYPE_CHECKING:
    import httpx

    from nomad_magic.nomad.stream import Stream
    from nomad_magic.nomad.transport import Exchange

CLOSE_SECONDS: Final = 0.25
"""How long a close may take: an agent whose process is silent never answers it."""

PIECE_BYTES: Final = 1 << 14
"""How much is parsed at once: frames of two bytes take 3 microseconds each, and others wait."""

REPLY_BYTES: Final = 1 << 16
"""How much of our answers to pings may wait for an agent that takes nothing."""


_SILENT: Final = logging.Logger(  # noqa: LOG001 - on purpose of no hierarchy
    "nomad_magic", logging.CRITICAL + 1
)
"""For the library: it would log headers and frames, and with them tokens and what is typed.

It stands alone, so that no `logging.basicConfig` makes it speak."""


class ConnectionEnded(Exception):
    """The websocket ended; `code` and `reason` are the close frame's where there was one."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Handshake:
    """One upgrade: what is asked, and whether the answer is one (RFC 6455, section 4)."""

    def __init__(self) -> None:
        # Host and path are the request's, which is made elsewhere.
        self._protocol = ClientProtocol(
            WebSocketURI(secure=False, host="agent", port=80, path="/", query=""), logger=_SILENT
        )

    @property
    def headers(self) -> dict[str, str]:
        """What the request carries besides the headers of every request."""
        headers = dict(self._protocol.connect().headers.raw_items())
        del headers["Host"]
        return headers

    def complete(self, response: httpx.Response, max_frame_bytes: int) -> ExecConnection:
        """Return the websocket that an answer with status 101 has opened.

        Raises:
            InvalidHandshake: It is not a websocket's; its connection is closed.
        """
        exchange: Exchange = response.extensions["exchange"]
        try:
            headers = Headers(response.headers.multi_items())
            self._protocol.process_response(Response(response.status_code, "", headers))
        except InvalidHandshake:
            exchange.stream.close()
            raise
        return ExecConnection(exchange.stream, exchange.rest, max_frame_bytes)


class ExecConnection:
    """One open exec websocket.  One task reads while others send.

    Args:
        stream: Its connection.
        rest: What had come behind the upgrade's answer.
        max_frame_bytes: How large a message may be.
    """

    def __init__(self, stream: Stream, rest: bytes, max_frame_bytes: int) -> None:
        self._stream = stream
        self._rest = rest
        self._max = max_frame_bytes
        self._protocol = Protocol(Side.CLIENT, state=OPEN, max_size=max_frame_bytes, logger=_SILENT)
        self._parts: bytearray | None = None
        self._outgoing: list[bytes] = []
        self._waiting = 0
        self._replying: asyncio.Task[None] | None = None
        self._deaf = False
        self.answered = 0
        """The number in the last ping that was answered."""

    @property
    def readable(self) -> bool:
        """Whether something has come that `receive` has not taken, or the connection's end."""
        return bool(self._rest) or self._stream.readable

    async def send(self, text: str) -> None:
        """Send one text frame; waits while the agent takes nothing more.

        Raises:
            ConnectionEnded: Nothing can be sent any more; what comes can be read all the same.
        """
        self._check_open()
        self._protocol.send_text(text.encode())
        await self._send()

    def ping(self, number: int) -> None:
        """Send a ping when there is room for it; its answer is a sign of life in `receive`."""
        if not self._deaf and self._protocol.state is OPEN:
            self._protocol.send_ping(str(number).encode())
            self._reply()

    async def receive(self) -> list[bytes]:
        """Wait for something to come and return the messages that are whole by now.

        There is none in it when it was a pong, say: a sign of life all the same.

        Raises:
            ConnectionEnded: No more will come; every message that came was returned.
        """
        if (ended := self._ended()) is not None:
            raise ended
        try:
            data, self._rest = self._rest or await self._stream.read(), b""
        except OSError as error:
            raise ConnectionEnded(CLOSE_ABNORMAL, f"read: {explain.os_error(error)}") from error
        if data:
            self._rest = data[PIECE_BYTES:]
            self._protocol.receive_data(data[:PIECE_BYTES])
        else:
            self._protocol.receive_eof()
        messages = self._messages()
        self._reply()
        if not data and not messages:
            raise self._ended() or ConnectionEnded(CLOSE_ABNORMAL, "unexpected EOF")
        return messages

    async def close(self) -> None:
        """Close within `CLOSE_SECONDS`, whatever the other side does."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if self._protocol.state is OPEN and not self._deaf:
                    self._protocol.send_close(1000)
                await self._send()
                # What is unread when a connection is closed resets it, and takes the close along.
                while self._protocol.close_rcvd is None and (data := await self._stream.read()):
                    self._protocol.receive_data(data)
                    self._protocol.events_received()
        except (OSError, ConnectionEnded):
            pass
        finally:
            if self._replying is not None:
                self._replying.cancel()
                await asyncio.gather(self._replying, return_exceptions=True)
            self._stream.close()

    def _messages(self) -> list[bytes]:
        messages = []
        for frame in self._protocol.events_received():
            if not isinstance(frame, Frame):
                continue
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                if frame.fin and self._parts is None:
                    messages.append(bytes(frame.data))
                    continue
                # Not a list of them: there is no end to how many empty ones may come.
                self._parts = self._parts or bytearray()
                self._parts += frame.data
                if frame.fin:
                    messages.append(bytes(self._parts))
                    self._parts = None
            elif frame.opcode is Opcode.PONG and bytes(frame.data).isdigit():
                self.answered = int(frame.data)
        return messages

    def _ended(self) -> ConnectionEnded | None:
        """Return how the websocket has ended, if it has."""
        if (close := self._protocol.close_rcvd) is not None:
            return ConnectionEnded(close.code, close.reason)
        if self._protocol.parser_exc is not None and (close := self._protocol.close_sent):
            # What came was refused.
            words = close.reason or str(self._protocol.parser_exc)
            if close.code == 1009:
                words = f"a frame is {explain.too_large(self._max)} (max_frame_bytes)"
            return ConnectionEnded(CLOSE_ABNORMAL, words)
        return None

    def _check_open(self) -> None:
        if self._deaf or self._protocol.state is not OPEN:
            raise ConnectionEnded(CLOSE_ABNORMAL, "closed")

    def _reply(self) -> None:
        """Send what is not the action's beside those who wait for other things."""
        for data in self._protocol.data_to_send():
            # Of many pings one answer is enough (RFC 6455, section 5.5.3).
            if data and self._waiting < REPLY_BYTES:
                self._outgoing.append(data)
                self._waiting += len(data)
        if self._outgoing and (self._replying is None or self._replying.done()):
            self._replying = asyncio.create_task(self._send_replies())

    async def _send_replies(self) -> None:
        with contextlib.suppress(ConnectionEnded):
            await self._send()

    async def _send(self) -> None:
        """Send all that waits.

        Raises:
            ConnectionEnded: It cannot be sent.
        """
        # A loop turn later the list may be another's.
        self._outgoing += [data for data in self._protocol.data_to_send() if data]
        data, self._waiting = b"".join(self._outgoing), 0
        self._outgoing.clear()
        if not data:
            return
        try:
            await self._stream.write(data)
        except OSError as error:
            self._deaf = True
            raise ConnectionEnded(CLOSE_ABNORMAL, f"write: {explain.os_error(error)}") from error
