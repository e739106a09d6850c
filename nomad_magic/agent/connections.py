"""How many connections are open, and for how long one may say nothing.

Anyone on this machine can connect, so that no number of connections that ask nothing may keep the
rightful user out: a request has to come in its time, and when there is no room for one more the
connection that has been idle for longest goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

HEAD_SECONDS: Final = 10.0
"""How long the head of a request may take, and a TLS handshake."""

KEPT_SECONDS: Final = 75.0
"""How long a connection may stay between two requests."""

_MOST: Final = 512
_FEWEST: Final = 16
_DESCRIPTORS_EACH: Final = 4  # a session has its socket, and three pipes


class Connection(asyncio.Protocol):
    """One connection, between its transport and the HTTP protocol.

    Attributes:
        greeting: Its handshake, while that lasts.
    """

    def __init__(self, kept: Connections, made: socket.socket) -> None:
        self._kept = kept
        self._socket = made
        self._protocol: asyncio.Protocol | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.BaseTransport | None = None
        self.greeting: asyncio.Task[None] | None = None
        self.wait(HEAD_SECONDS)

    def through(self, protocol: asyncio.Protocol) -> Connection:
        """Hand what comes to that protocol."""
        self._protocol = protocol
        return self

    def wait(self, seconds: float) -> None:
        """Drop it when nothing has been asked by then."""
        self.hold()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.drop)

    def hold(self) -> None:
        """Something has been asked: it stays."""
        if self._timer is not None:
            self._timer.cancel()

    def drop(self) -> None:
        """Close it at once."""
        self._kept.forget(self)
        if self.transport is not None:
            if isinstance(self.transport, asyncio.WriteTransport):
                self.transport.abort()
        elif self.greeting is not None:
            self.greeting.cancel()
        else:
            self._socket.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass it on."""
        self.transport = transport
        self._kept.made(self)
        if self._protocol is not None:
            self._protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on; the head of a further request has begun, and must end in its time."""
        self._kept.heard(self)
        if self._protocol is not None:
            self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._protocol.eof_received() if self._protocol is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._kept.forget(self)
        if self._protocol is not None:
            self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._protocol is not None:
            self._protocol.resume_writing()


class Connections:
    """All connections of an agent.

    Args:
        most: How many there may be.

    Attributes:
        most: The same.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most or _room()
        self._all: set[Connection] = set()
        self._by_transport: dict[int, Connection] = {}
        # Those that wait for a request, longest first; and whether they have had one.
        self._idle: dict[Connection, bool] = {}

    def admit(self, made: socket.socket) -> Connection | None:
        """Take in a connection that was accepted; None when there is no room for it."""
        if len(self._all) >= self.most and not self.make_room():
            made.close()
            return None
        connection = Connection(self, made)
        self._all.add(connection)
        self._idle[connection] = False
        return connection

    def make_room(self) -> bool:
        """Drop the one that has been idle for longest; whether there was one."""
        for connection in self._idle:
            connection.drop()
            return True
        return False

    @contextlib.contextmanager
    def busy(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """A request of a connection is being answered."""
        found = self._by_transport.get(id(transport))
        if found is None:
            yield
            return
        found.hold()
        self._idle.pop(found, None)
        try:
            yield
        finally:
            if found in self._all:
                self._idle[found] = True
                found.wait(KEPT_SECONDS)

    def made(self, connection: Connection) -> None:
        """It has its transport."""
        self._by_transport[id(connection.transport)] = connection

    def heard(self, connection: Connection) -> None:
        """Something came on a connection: where none was under way, a request has begun."""
        if self._idle.get(connection):
            self._idle[connection] = False
            connection.wait(HEAD_SECONDS)

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        connection.hold()
        self._all.discard(connection)
        self._by_transport.pop(id(connection.transport), None)
        self._idle.pop(connection, None)


def _room() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST
    return max(_FEWEST, min(_MOST, soft // _DESCRIPTORS_EACH))
