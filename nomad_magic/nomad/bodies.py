"""The bodies of an agent's answers: unpacked, and never more of them than was agreed."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import h11

from nomad_magic.nomad import explain
from nomad_magic.nomad.libraries import InvalidHandshake, httpx
from nomad_magic.nomad.transport import ProxyRefused, Unanswered

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSAL_BYTES: Final = 1 << 16
"""How much of a refusal's body is read, and unpacked: a small one can stand for gigabytes."""

REFUSAL_SECONDS: Final = 1.0
"""How long a refusal's body may take: its status says enough."""

FOREIGN: Final = (
    OSError,
    EOFError,
    ValueError,
    httpx.HTTPError,
    httpx.InvalidURL,
    h11.ProtocolError,
    zlib.error,
    InvalidHandshake,
    ProxyRefused,
    Unanswered,
)
"""What the libraries and the system raise when a request comes to nothing; a TimeoutError is an
OSError."""


class TooLargeError(ValueError):
    """An answer is larger than it may be; the text says so.

    Args:
        limit: In bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is {explain.too_large(limit)}")


async def read(response: httpx.Response, limit: int) -> bytes:
    """Return a body, unpacked.

    Raises:
        TooLargeError: It is larger than the limit.
        EOFError: It is shorter than it said.
        zlib.error: It cannot be unpacked.
    """
    packed = response.headers.get("Content-Encoding", "").lower() == "gzip"
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if packed else None
    body = bytearray()
    async with aclosing(response):
        async for piece in response.aiter_raw():
            # One byte more than there may be, so that it shows.
            body += unzip.decompress(piece, limit + 1 - len(body)) if unzip else piece
            if len(body) > limit:
                raise TooLargeError(limit)
    if unzip is not None and not unzip.eof and body:
        raise EOFError
    return bytes(body)


async def read_refusal(response: httpx.Response) -> bytes:
    """Return what there is of the body of a refusal; its status is what counts."""
    body = bytearray()
    with contextlib.suppress(*FOREIGN):
        async with aclosing(response), asyncio.timeout(REFUSAL_SECONDS):
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > REFUSAL_BYTES:
                    break
    return unpacked(bytes(body), response.headers)


def unpacked(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return as much of a body as can be unpacked, where it is compressed, and no flood of it."""
    if headers.get("Content-Encoding", "").lower() != "gzip":
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(body, REFUSAL_BYTES)
    except zlib.error:
        return b""
