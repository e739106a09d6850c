"""The TCP connection under an exec session, which must hold little of what comes.

A press of Stop takes effect behind all that the agent has already handed to the network.  On a
loopback interface a segment has 64 KiB, and Linux gives the sender room for many of them: several
megabytes, which take longer to read than a person waits.  So the connection is asked to be like
one over Ethernet before it is opened; later would be too late for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import Any, Final

RECEIVE_BYTES: Final = 1 << 16
"""How much the system may hold that was not read yet.  Linux doubles it, for its own needs
(socket(7)); on a way of 50 ms this still carries about 2 MB/s."""

SEGMENT_BYTES: Final = 1400
"""The most that a segment holds: what fits on Ethernet, in a tunnel too."""


class DialTimeout(TimeoutError):
    """No connection within the time there was for it."""


async def dial(host: str, port: int, seconds: float) -> socket.socket:
    """Open a TCP connection to the first of a host's addresses that takes one.

    Args:
        host: A name or an IP address.
        port: The port.
        seconds: How long it may take, the name's lookup included.

    Raises:
        OSError: None took it: what was wrong with the first.
        DialTimeout: It took too long.
    """
    failures: list[OSError] = []
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
            for family, kind, protocol, _, address in found:
                try:
                    return await _connect(family, kind, protocol, address)
                except OSError as error:
                    failures.append(error)
    except TimeoutError as error:
        raise DialTimeout(f"not connected within {seconds:g} s") from error
    raise failures[0]


async def _connect(
    family: int, kind: int, protocol: int, address: tuple[Any, ...]
) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        made.settimeout(0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        if sys.platform == "linux":
            # A system that has a floor above it keeps its own.
            with contextlib.suppress(OSError):
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made
