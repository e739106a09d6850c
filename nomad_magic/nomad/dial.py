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


class EarlyDial:
    """A connection that is opened before it is known to be needed; saves the wait for it.

    Args:
        host: As for `dial`.
        port: As for `dial`.
        seconds: As for `dial`.
    """

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._task: asyncio.Task[socket.socket] | None = asyncio.create_task(
            dial(host, port, seconds)
        )

    async def take(self) -> socket.socket:
        """Wait for it, and have it: it is no longer closed by `drop`.

        Raises:
            OSError: As by `dial`.
            DialTimeout: As by `dial`.
        """
        assert self._task is not None, "it is taken once"  # noqa: S101 - the callers' own order
        made = await self._task
        self._task = None
        return made

    def drop(self) -> None:
        """Close it, unless it was taken."""
        task, self._task = self._task, None
        if task is not None:
            task.add_done_callback(_close)
            task.cancel()


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


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
        # Given up in the middle too: nobody else knows of it yet.
        made.close()
        raise
    return made
