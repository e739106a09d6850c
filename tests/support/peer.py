"""A peer on raw sockets that is an honest agent but for one point of a run.

There it does what a `Deed` says: it has the line to the client, and the bytes that an honest agent
would send now.  HTTP and websocket are written by hand, so that it can send anything.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import struct
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support.loops import in_a_thread
from support.scripted import recorded

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Deed = Callable[["Line", bytes], Awaitable[None]]

OUTPUT = b"so far\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Line:
    """The peer's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.over = False

    async def send(self, data: bytes) -> None:
        """Send bytes; what cannot be sent any more is nobody's business here."""
        with contextlib.suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def cut(self) -> None:
        """End the connection as a program does that ends."""
        self.over = True
        with contextlib.suppress(OSError):
            self.writer.close()

    async def reset(self) -> None:
        """End it as a firewall does."""
        self.over = True
        made: socket.socket = self.writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def half_close(self) -> None:
        """Say that nothing more comes, and go on reading."""
        with contextlib.suppress(OSError, NotImplementedError):
            self.writer.write_eof()

    async def stall(self) -> None:
        """Neither read nor say anything until the client has gone, or the test is over."""
        self.over = True
        # The system takes what fits; an end shows all the same.
        await self.swallow()

    async def swallow(self) -> None:
        """Read on and answer nothing."""
        self.over = True
        with contextlib.suppress(OSError):
            while await self.reader.read(1 << 16):
                pass


@dataclass
class Peer:
    """One listener, what it does, and what it was asked.

    Attributes:
        faults: By the point of the run: `accept`, `jobs`, `allocations`, `allocation`, `node`,
            `upgrade` (the answer to it), `session` (what is sent once it is open).
        asked: The points that were asked for, in order.
        busy: Connections on which something is under way.
    """

    address: str = ""
    faults: dict[str, Deed] = field(default_factory=dict)
    node_address: str = ""
    session: bytes = b""
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    busy: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.session = stdout(OUTPUT) + exit_frame(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        line = Line(reader, writer)
        self.writers.add(writer)
        self.busy += 1
        waits = False
        try:
            await self._at("accept", line, b"")
            while not line.over:
                self.busy -= 1
                waits = True
                head = await reader.readuntil(b"\r\n\r\n")
                waits = False
                self.busy += 1
                await self._answer(line, head)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.busy -= not waits
            writer.close()

    async def _at(self, point: str, line: Line, honest: bytes) -> None:
        deed = self.faults.get(point)
        await (deed(line, honest) if deed else line.send(honest))

    async def _answer(self, line: Line, head: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        point, body = self._find(path.partition("?")[0])
        self.asked.append(point)
        self.paths.append(path)
        if point == "upgrade":
            await self._at(point, line, switching(head))
            if not line.over:
                await self._at("session", line, self.session)
                await line.cut()
        elif body is None:
            await self._at(point, line, reply(b"node not found", 404))
        else:
            await self._at(point, line, reply(json.dumps(body).encode()))

    def _find(self, path: str) -> tuple[str, object]:
        if path.endswith("/action"):
            return "upgrade", None
        if path == "/v1/jobs":
            return "jobs", recorded("jobs-prefix")
        if path.endswith("/allocations"):
            return "allocations", recorded("job-allocations")
        if path.startswith("/v1/allocation/"):
            return "allocation", allocation(path.rpartition("/")[2])
        if path.startswith("/v1/node/") and self.node_address:
            where = self.node_address.rpartition("/")[2]
            tls = self.node_address.startswith("https")
            return "node", {
                "ID": path.rpartition("/")[2],
                "HTTPAddr": where,
                "TLSEnabled": tls,
            }
        return "node", None


def allocation(wanted: str) -> dict[str, object]:
    """Return the answer for one of the recorded allocations."""
    stubs = {stub["ID"]: stub for stub in recorded("job-allocations")}
    return {**recorded("allocation"), **stubs[wanted]}


def reply(body: bytes, status: int = 200, *headers: str, length: int | None = None) -> bytes:
    """Make an answer; `length` may lie."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Some Words", f"Content-Length: {size}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def switching(head: bytes) -> bytes:
    """Make the answer to an upgrade (RFC 6455, section 4.2.2)."""
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    key = {name.lower(): value for name, value in fields.items()}[b"sec-websocket-key"]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def frame(opcode: int, payload: bytes, *, length: int | None = None) -> bytes:
    """Make a websocket frame; `length` may lie."""
    size = len(payload) if length is None else length
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def text(message: str) -> bytes:
    return frame(1, message.encode())


def stdout(data: bytes) -> bytes:
    return text(json.dumps({"stdout": {"data": base64.b64encode(data).decode()}}))


def exit_frame(code: int) -> bytes:
    return text(json.dumps({"exited": True, "result": {"exit_code": code} if code else {}}))


def close(code: int, reason: str = "") -> bytes:
    return frame(8, struct.pack("!H", code) + reason.encode())


@contextmanager
def peer(context: ssl.SSLContext | None = None) -> Iterator[tuple[Peer, Peer]]:
    """Serve two peers, that of the configured address and that of a node.

    Args:
        context: For TLS.
    """
    made, node = Peer(), Peer()

    @asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        servers = []
        for one in (made, node):
            server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=context)
            servers.append(server)
            port = server.sockets[0].getsockname()[1]
            one.address = f"{'https' if context else 'http'}://127.0.0.1:{port}"
        try:
            yield
        finally:
            for server in servers:
                server.close()
            for one in (made, node):
                for writer in one.writers:
                    writer.transport.abort()

    with in_a_thread(serving):
        yield made, node
