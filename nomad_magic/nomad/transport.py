"""How a request reaches an agent, and its answer us: httpx's transport, by h11.

One way for requests and for the upgrade to an exec session: the connection, the proxy's tunnel, TLS
and the name in the certificate are the same for both.  It knows exactly what became of a request,
which decides whether anything may be asked again:

- It was not sent: the connection failed.  An exec session may be tried elsewhere.
- It was sent, and there is no answer: `Unanswered`.  A question is asked again where a kept
  connection had ended unseen, as by Go's client; an upgrade never.
- It was answered.

A connection belongs to one request at a time.  It is kept for the next only when the whole answer
came and nothing behind it: what nobody asked for would be taken for the next answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import h11

from nomad_magic.go import basic_auth, to_bytes
from nomad_magic.nomad.address import HIGHEST_PORT
from nomad_magic.nomad.dial import EarlyDial, dial, dial_unix
from nomad_magic.nomad.libraries import httpx
from nomad_magic.nomad.stream import Stream
from nomad_magic.value import Value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nomad_magic.nomad.address import Address

KEPT_CONNECTIONS: Final = 4
"""How many idle connections to one target are kept."""

KEPT_SECONDS: Final = 50.0
"""How long an idle connection is kept for the next cell: less than load balancers keep one."""

HEAD_BYTES: Final = 1 << 18
"""How long the head of an answer may be, in bytes."""

SWITCHING_PROTOCOLS: Final = 101


class HandshakeTimeout(TimeoutError):
    """No TLS within the time there was for it."""


class ProxyRefused(Exception):
    """The proxy makes no tunnel; the text is its status line without the number."""


class Unanswered(Exception):
    """The request went out, and the connection ended, failed or made no sense before an answer.

    `__cause__` is how; None when it just ended.
    """


class Way(Value):
    """How an agent is reached.

    Attributes:
        address: Where it is.
        proxy: The HTTP proxy on the way, or None.
        context: For TLS; None where nothing on the way is encrypted.
        server_name: That the agent's certificate must bear, and that it is asked for.
        dial_seconds: How long the TCP connection may take.
        seconds: How long TLS may take then, and a tunnel.
        early: A dial that has begun already, for the first connection; None for none.
    """

    address: Address
    proxy: Address | None
    context: ssl.SSLContext | None
    server_name: str
    dial_seconds: float
    seconds: float
    early: EarlyDial | None = None

    def dialled(self) -> Way:
        """Return the same way with its first connection begun; itself where that cannot be.

        What is not used is closed by `drop`.
        """
        address = self.address
        usable = address.scheme in ("http", "https") and 0 < address.port <= HIGHEST_PORT
        if self.proxy is not None or not usable or not address.hostname:
            return self
        return replace(self, early=EarlyDial(address.hostname, address.port, self.dial_seconds))

    def drop(self) -> None:
        """Close what was begun and not used."""
        if self.early is not None:
            self.early.drop()

    async def connect(self, *, session: bool = False) -> Stream:
        """Open a connection, ready for a request.

        Args:
            session: It is for an exec session.

        Raises:
            OSError: It failed, in the dial or in TLS.
            DialTimeout: The dial took too long.
            HandshakeTimeout: TLS or the tunnel did.
            EOFError: It ended in the middle.
            ProxyRefused: There is no tunnel.
        """
        address, proxy = self.address, self.proxy
        if self.early is not None and self.early.waiting:
            stream = Stream(await self.early.take())
        elif address.scheme == "unix":
            stream = Stream(await dial_unix(address.path, self.dial_seconds))
        else:
            first = proxy or address
            stream = Stream(
                await dial(first.hostname, first.port, self.dial_seconds, small=session)
            )
        try:
            if proxy is not None:
                if proxy.scheme == "https":
                    await self._encrypt(stream, proxy.hostname)
                if address.scheme == "https" or session:
                    # As Go: a websocket goes through a tunnel in the clear too.
                    await self._tunnel(stream, proxy)
            if address.scheme == "https":
                await self._encrypt(stream, self.server_name)
        except BaseException:
            stream.close()
            raise
        return stream

    async def _encrypt(self, stream: Stream, name: str) -> None:
        context = self.context or ssl.create_default_context()
        try:
            async with asyncio.timeout(self.seconds):
                await stream.start_tls(context, name)
        except TimeoutError as error:
            raise HandshakeTimeout from error

    async def _tunnel(self, stream: Stream, proxy: Address) -> None:
        where = _authority(self.address)
        headers = [(b"Host", where), (b"User-Agent", b"nomad_magic"), *_proxy_headers(proxy)]
        request = h11.Request(method=b"CONNECT", target=where, headers=headers)
        try:
            async with asyncio.timeout(self.seconds):
                exchange = Exchange(stream)
                response = await exchange.ask(request)
        except TimeoutError as error:
            raise HandshakeTimeout from error
        except Unanswered as error:
            raise error.__cause__ or EOFError from error
        if not httpx.codes.is_success(response.status_code):
            raise ProxyRefused(response.reason.decode("latin-1") or str(response.status_code))


class Exchange:
    """One request and its answer, on one connection."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.heard = False
        """Something came."""
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)

    async def ask(self, request: h11.Request) -> h11.Response | h11.InformationalResponse:
        """Send a request and return the head of its answer.

        Raises:
            Unanswered: None came.
        """
        data = (self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        # What is there may have answered before it had read everything.
        with contextlib.suppress(OSError):
            await self.stream.write(data)
        try:
            event = await self._next()
            while isinstance(event, h11.InformationalResponse) and (
                event.status_code != SWITCHING_PROTOCOLS
            ):
                event = await self._next()
        except (OSError, h11.RemoteProtocolError) as error:
            raise Unanswered from error
        if not isinstance(event, h11.Response | h11.InformationalResponse):
            raise Unanswered
        return event

    async def body(self) -> AsyncIterator[bytes]:
        """Go through the answer's body.

        Raises:
            EOFError: It is shorter than announced.
            OSError: The connection failed.
            h11.RemoteProtocolError: It is none.
        """
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)
        if event is None:
            raise EOFError

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: all of the answer came, and nothing behind it."""
        done = self._http.our_state is self._http.their_state is h11.DONE
        return done and self.rest == b"" and not self.stream.readable

    @property
    def rest(self) -> bytes:
        """What came behind the answer, or behind the head of an upgrade's."""
        return self._http.trailing_data[0]

    async def _next(self) -> Any:
        """Return what comes next; None where the connection ended before there was anything."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = await self.stream.read()
            if not data:
                return self._at_the_end()
            self.heard = True
            self._http.receive_data(data)
        return event

    def _at_the_end(self) -> Any:
        # It is the end of an answer whose length was not said, and too early for any other.
        with contextlib.suppress(h11.RemoteProtocolError):
            self._http.receive_data(b"")
            event = self._http.next_event()
            if isinstance(event, h11.Data | h11.EndOfMessage):
                return event
        return None


class Transport(httpx.AsyncBaseTransport):
    """Sends requests to one agent, wherever their URLs point.

    A request's extension `session` asks for a connection of its own, which the answer's extension
    `exchange` then gives.  The extension `sent` is called as the first byte is about to go out.

    Args:
        way: To the agent.
    """

    def __init__(self, way: Way) -> None:
        self._way = way
        self._idle: deque[tuple[Stream, float]] = deque()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the answer, its body still to come.

        Raises:
            Unanswered: It was sent, and there is no answer.
            OSError: It was not sent, as by `Way.connect`, and so all else that raises.
        """
        session = bool(request.extensions.get("session"))
        target, headers = request.url.raw_path, request.headers.raw
        way = self._way
        if way.proxy is not None and way.address.scheme == "http" and not session:
            target = b"http://" + to_bytes(way.address.url_host) + target
            headers = [*headers, *_proxy_headers(way.proxy)]
        asked = h11.Request(method=request.method, target=target, headers=headers)
        sent: Callable[[], None] = request.extensions["sent"]
        while not session and (stream := self._kept()) is not None:
            exchange = Exchange(stream)
            sent()
            try:
                return await self._answer(exchange, asked)
            except Unanswered:
                # As Go's client: a kept connection may have ended unseen.
                if exchange.heard:
                    raise
        stream = await self._way.connect(session=session)
        try:
            sent()
        except BaseException:
            stream.close()
            raise
        return await self._answer(Exchange(stream), asked, keep=not session)

    async def aclose(self) -> None:
        """Close the kept connections, and keep none from now on."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].close()

    def keep(self, stream: Stream) -> None:
        """Keep a connection for the next request."""
        if self._closed:
            stream.close()
            return
        self._idle.append((stream, time.monotonic()))
        if len(self._idle) > KEPT_CONNECTIONS:
            self._idle.popleft()[0].close()

    def _kept(self) -> Stream | None:
        """Return the connection that was used last, where it can be used again."""
        while self._idle:
            stream, since = self._idle.pop()
            if time.monotonic() - since < KEPT_SECONDS and not stream.readable:
                return stream
            stream.close()
        return None

    async def _answer(
        self, exchange: Exchange, asked: h11.Request, *, keep: bool = True
    ) -> httpx.Response:
        try:
            head = await exchange.ask(asked)
        except BaseException:
            exchange.stream.close()
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(exchange, self if keep else None),
            extensions={"exchange": exchange, "reason_phrase": bytes(head.reason)},
        )


class _Body(httpx.AsyncByteStream):
    """An answer's body; its connection is kept once all of it was read, and else closed."""

    def __init__(self, exchange: Exchange, transport: Transport | None) -> None:
        self._exchange = exchange
        self._transport = transport
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._exchange.body():
            yield data
        if self._open and self._transport is not None and self._exchange.reusable:
            self._open = False
            self._transport.keep(self._exchange.stream)

    async def aclose(self) -> None:
        """Close the connection unless it is kept."""
        if self._open:
            self._open = False
            self._exchange.stream.close()


def _authority(address: Address) -> bytes:
    """Return host and port as a tunnel is asked for (RFC 9110, section 9.3.6)."""
    host = address.hostname
    return to_bytes(f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}")


def _proxy_headers(proxy: Address) -> list[tuple[bytes, bytes]]:
    if proxy.user is None:
        return []
    return [(b"Proxy-Authorization", to_bytes(basic_auth(proxy.user, proxy.password)))]
