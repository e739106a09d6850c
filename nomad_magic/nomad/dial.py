"""The TCP connection under a request or an exec session.

For an exec session it must hold little of what comes.  A press of Stop takes effect behind all
that the agent has already handed to the network.  On a loopback interface a segment has 64 KiB,
and Linux gives the sender room for many of them: several megabytes, which take longer to read
than a person waits.  So the connection is asked to be like one over Ethernet before it is opened;
later would be too late for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import aiohappyeyeballs

from nomad_magic import fork

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType

RECEIVE_BYTES: Final = 1 << 16
"""How much the system may hold that was not read yet.  Linux doubles it, for its own needs
(socket(7)); on a way of 50 ms this still carries about 2 MB/s."""

SEGMENT_BYTES: Final = 1400
"""The most that a segment holds: what fits on Ethernet, in a tunnel too."""

KEEPALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""After how many seconds of silence TCP asks, how often and how many times (tcp(7))."""

NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long an address has before the next one is tried beside it (RFC 8305, section 5)."""


class DialError(OSError):
    """No connection: what the system said, and of which address.

    Attributes:
        where: The first address that was tried, as Go writes it: `127.0.0.1:4646`.
    """

    def __init__(self, cause: OSError, where: str) -> None:
        super().__init__(cause.errno, cause.strerror or str(cause))
        self.where = where


class DialTimeout(TimeoutError):
    """No connection within the time there was for it.

    Attributes:
        where: The first address that was tried; empty when the name was not found out in time.
    """

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class EarlyDial:
    """A connection that is opened before it is known to be needed; saves the wait for it.

    Args:
        host: As for `dial`.
        port: As for `dial`.
        seconds: As for `dial`.
    """

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._task: asyncio.Task[socket.socket] | None = asyncio.create_task(
            dial(host, port, seconds, small=True)
        )

    @property
    def waiting(self) -> bool:
        """Whether it may still be taken."""
        return self._task is not None

    async def take(self) -> socket.socket:
        """Wait for it, and have it: it is no longer closed by `drop`.

        Raises:
            OSError: As by `dial`.
            DialTimeout: As by `dial`.
        """
        assert self._task is not None, "it is taken once"  # noqa: S101 - by `waiting`
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


async def dial(host: str, port: int, seconds: float, *, small: bool = False) -> socket.socket:
    """Open a TCP connection to the first of a host's addresses that takes one (RFC 8305).

    Args:
        host: A name or an IP address, an IPv6 one with its zone.
        port: The port.
        seconds: How long it may take, the name's lookup included.
        small: It is to hold little of what comes.

    Raises:
        DialError: None took it.
        DialTimeout: It took too long.
        socket.gaierror: The name leads nowhere.
    """
    where = ""
    try:
        async with asyncio.timeout(seconds):
            found = await _lookup(host, port)
            where = _written(found[0])
            made = await aiohappyeyeballs.start_connection(
                found,
                happy_eyeballs_delay=NEXT_ADDRESS_SECONDS,
                socket_factory=_small if small else None,
            )
    except TimeoutError as error:
        raise DialTimeout(where) from error
    except socket.gaierror:
        raise
    except OSError as error:
        raise DialError(error, where) from error
    # As Go and asyncio's own transports: a small frame does not wait for the last one's answer.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


async def dial_unix(path: str, seconds: float) -> socket.socket:
    """Open a connection to a unix socket.

    Args:
        path: Of the socket.
        seconds: How long it may take.

    Raises:
        DialError: It was not taken.
        DialTimeout: It took too long.
    """
    made = socket.socket(socket.AF_UNIX)
    try:
        made.settimeout(0)
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(made, path)
    except BaseException as error:
        made.close()
        if isinstance(error, TimeoutError):
            raise DialTimeout(path) from error
        if isinstance(error, OSError):
            raise DialError(error, path) from error
        raise
    return made


def _small(info: AddrInfoType) -> socket.socket:
    made = socket.socket(*info[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    # Finds a dead host where the agent answers no pings.  Not TCP_USER_TIMEOUT: it would end the
    # session of a living action that does not read its stdin (tcp(7): a window of zero counts).
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    if sys.platform == "linux":
        # A system that has a floor above it keeps its own.
        with contextlib.suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    return made


def _written(info: AddrInfoType) -> str:
    host, port = info[4][:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


_Lookup = asyncio.Future["list[AddrInfoType] | OSError"]
_lookups: dict[tuple[asyncio.AbstractEventLoop, str, int], _Lookup] = {}
"""Those under way: however many wait for a name, it is asked for once."""


fork.in_child(_lookups.clear)


async def _lookup(host: str, port: int) -> list[AddrInfoType]:
    """Find a host's addresses; an address is its own and waits for nobody.

    Each name has a thread of its own, a daemon: a name server that hangs holds up neither the
    lookups of other names, as a pool's few threads would, nor the end of the interpreter.
    """
    # A number written as one, with a zone too.
    with contextlib.suppress(OSError, UnicodeError):
        return _resolve(host, port, socket.AI_NUMERICHOST)
    key = (asyncio.get_running_loop(), host, port)
    if (waiting := _lookups.get(key)) is None:
        waiting = _lookups[key] = key[0].create_future()
        waiting.add_done_callback(lambda _: _lookups.pop(key, None))
        threading.Thread(
            target=_look_up,
            args=[waiting, host, port],
            name=f"nomad_magic lookup {host}",
            daemon=True,
        ).start()
    found = await asyncio.shield(waiting)
    if isinstance(found, OSError):
        raise found
    return found


def _look_up(waiting: _Lookup, host: str, port: int) -> None:
    found: list[AddrInfoType] | OSError
    try:
        found = _resolve(host, port, 0)
    except OSError as error:
        found = error
    except UnicodeError:
        # No name server knows a host that cannot be one.
        found = socket.gaierror(socket.EAI_NONAME, "no such host")
    # The loop may have ended in the meantime.
    with contextlib.suppress(RuntimeError):
        waiting.get_loop().call_soon_threadsafe(_settle, waiting, found)


def _settle(waiting: _Lookup, found: list[AddrInfoType] | OSError) -> None:
    if not waiting.done():
        waiting.set_result(found)


def _resolve(host: str, port: int, flags: int) -> list[Any]:
    address, percent, zone = host.partition("%")
    if percent and flags & socket.AI_NUMERICHOST:
        # The system takes an interface's name for link-local addresses only; Go for any.
        index = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
        return [(*info[:4], (*info[4][:3], index)) for info in _resolve(address, port, flags)]
    # As bytes where they do: for text Python loads its codec of international names.
    name = host.encode() if host.isascii() else host
    return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
