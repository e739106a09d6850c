"""A forward proxy that writes down what it was asked; every name leads to loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from support.loops import listening

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Proxy:
    """What the proxy was asked, and what it refuses."""

    url: str = ""
    refusal: str = ""
    """The status line's end with which everything is refused, as `403 Forbidden`."""
    no_tunnels: bool = False
    """CONNECT alone is refused."""
    lines: list[str] = field(default_factory=list)
    """The request lines, in order."""
    heads: list[str] = field(default_factory=list, repr=False)
    """The same with their headers."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, rest = head.partition(b"\r\n")
            self.lines.append(line.decode())
            self.heads.append(head.decode())
            method, target, version = line.decode().split(" ")
            refusal = self.refusal
            if self.no_tunnels and method == "CONNECT":
                refusal = "403 Forbidden"
            if refusal:
                writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            elif method == "CONNECT":
                port = int(target.rpartition(":")[2])
                with await connected("127.0.0.1", port) as there:
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await relay(reader, writer, there)
            else:
                url = urlsplit(target)
                path = url.path + (f"?{url.query}" if url.query else "")
                first = f"{method} {path} {version}\r\n".encode() + rest
                with await connected("127.0.0.1", url.port) as there:
                    await relay(reader, writer, there, first)


async def connected(host: str | None, port: int | None) -> socket.socket:
    """Return a plain socket that is connected, for `relay`."""
    made = socket.socket()
    try:
        made.settimeout(0)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, (host, port))
    except BaseException:
        made.close()
        raise
    return made


async def relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there: socket.socket,
    first: bytes = b"",
    *,
    sent: bytearray | None = None,
) -> None:
    """Carry bytes both ways between a connection and another one, until both have ended.

    The other is a plain socket: a transport of asyncio closes when a write fails, and throws away
    what has come and was not read, such as the last words of an agent that has ended a session
    before it had read all of it.

    Args:
        reader: Of the one that asks.
        writer: Of the same.
        there: The one that answers.
        first: What is sent to that before all else.
        sent: Takes what was asked.
    """
    seen, loop = bytearray() if sent is None else sent, asyncio.get_running_loop()

    async def ask() -> None:
        with contextlib.suppress(OSError):
            await loop.sock_sendall(there, first)
            while data := await reader.read(1 << 16):
                seen.extend(data)
                await loop.sock_sendall(there, data)
            there.shutdown(socket.SHUT_WR)

    async def answer() -> None:
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(there, 1 << 16):
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    async with asyncio.TaskGroup() as both:
        both.create_task(ask())
        both.create_task(answer())


@contextmanager
def proxy() -> Iterator[Proxy]:
    """Run a proxy on a port of its own."""
    made = Proxy()
    with listening(made.serve) as where:
        made.url = f"http://{where}"
        yield made
