"""A forward proxy that writes down what it was asked; every name leads to loopback."""

from __future__ import annotations

import asyncio
import contextlib
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
                there = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await relay(reader, writer, *there)
            else:
                url = urlsplit(target)
                there = await asyncio.open_connection("127.0.0.1", url.port)
                path = url.path + (f"?{url.query}" if url.query else "")
                there[1].write(f"{method} {path} {version}\r\n".encode() + rest)
                await relay(reader, writer, *there)


async def relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there_reader: asyncio.StreamReader,
    there_writer: asyncio.StreamWriter,
    sent: bytearray | None = None,
) -> None:
    """Carry bytes both ways between two connections until both have ended.

    Args:
        reader: Of the one that asks.
        writer: Of the same.
        there_reader: Of the one that answers.
        there_writer: Of the same.
        sent: Takes what was asked.
    """
    seen = bytearray() if sent is None else sent

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                if source is reader:
                    seen.extend(data)
                sink.write(data)
                await sink.drain()
            sink.write_eof()

    try:
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))
    finally:
        there_writer.close()


@contextmanager
def proxy() -> Iterator[Proxy]:
    """Run a proxy on a port of its own."""
    made = Proxy()
    with listening(made.serve) as where:
        made.url = f"http://{where}"
        yield made
