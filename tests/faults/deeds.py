"""What the peer does where a case says so; each takes the line and what honesty would send."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from typing import TYPE_CHECKING

from support.peer import OUTPUT, Line, close, exit_frame, frame, reply, stdout, switching, text

if TYPE_CHECKING:
    from support.peer import Deed

FLOOD_BYTES = 3_000_000
"""More than the bounds of the cases, which are small so that a flood is quick."""


async def cut(line: Line, _honest: bytes) -> None:
    await line.cut()


async def reset(line: Line, _honest: bytes) -> None:
    await line.reset()


async def stall(line: Line, _honest: bytes) -> None:
    await line.stall()


async def drip(line: Line, honest: bytes) -> None:
    """All of it, byte by byte, and then it listens to the end.

    To close while the client still sends would reset the connection, and the reset overtakes what
    was not read: that is another fault.
    """
    for index in range(len(honest)):
        await line.send(honest[index : index + 1])
        await asyncio.sleep(0)
    await line.half_close()
    await line.swallow()


def first(count: int, then: Deed) -> Deed:
    """A part of it, and something else; a negative count leaves so many bytes out."""

    async def deed(line: Line, honest: bytes) -> None:
        await line.send(honest[:count])
        await then(line, honest)

    return deed


def after(then: Deed) -> Deed:
    """All of it, and something else."""

    async def deed(line: Line, honest: bytes) -> None:
        await line.send(honest)
        await then(line, honest)

    return deed


def says(data: bytes, then: Deed | None = None) -> Deed:
    """Something else instead."""

    async def deed(line: Line, honest: bytes) -> None:
        await line.send(data)
        if then is not None:
            await then(line, honest)

    return deed


def also(data: bytes) -> Deed:
    """All of it and, in the same segment, something else."""

    async def deed(line: Line, honest: bytes) -> None:
        await line.send(honest + data)

    return deed


async def half_close(line: Line, _honest: bytes) -> None:
    await line.half_close()
    await line.swallow()


async def swallow(line: Line, _honest: bytes) -> None:
    await line.swallow()


async def swallow_some(line: Line, honest: bytes) -> None:
    """Read some of the client's stdin, then say it all and reset with the rest unread."""
    await line.reader.read(4096)
    await line.send(honest)
    await line.reset()


def flood(chunk: bytes, head: bytes = b"", size: int = FLOOD_BYTES) -> Deed:
    """The same again, for as long as it is taken, up to so many bytes."""

    async def deed(line: Line, _honest: bytes) -> None:
        await line.send(head)
        sent = 0
        while sent < size and not line.writer.is_closing():
            await line.send(chunk)
            sent += len(chunk)
        await line.swallow()

    return deed


def late(seconds: float, then: Deed) -> Deed:
    """After a while."""

    async def deed(line: Line, honest: bytes) -> None:
        await asyncio.sleep(seconds)
        await then(line, honest)

    return deed


async def honest(line: Line, data: bytes) -> None:
    await line.send(data)


def bomb() -> bytes:
    """An answer of a few kilobytes that stands for many megabytes."""
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb") as packed:
        for _ in range(64):
            packed.write(bytes(1 << 20))
    return reply(made.getvalue(), 200, "Content-Encoding: gzip")


ENDLESS = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
DEEP = b"[" * 200_000
__all__ = ["OUTPUT", "close", "exit_frame", "frame", "json", "stdout", "switching", "text"]
