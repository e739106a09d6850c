"""Where the agent listens: loopback or a unix socket, with or without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
import stat
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent import files
from nomad_magic.agent.connections import HEAD_SECONDS
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nomad_magic.agent.connections import Connection, Connections

_CONNECTION: Final[ContextVar[socket.socket]] = ContextVar("connection")
"""The one whose handshake is under way."""

_TLS_HANDSHAKE: Final = b"\x16"
_BACKLOG: Final = 128
_PLAIN_ANSWER: Final = (
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
)


def bind_loopback(bind: str) -> socket.socket:
    """Bind a TCP socket.

    Args:
        bind: `HOST:PORT`, an IPv6 address in brackets; port 0 is any free one.

    Raises:
        AgentError: The host is not loopback, or the port cannot be had.
    """
    host, _, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port) > 65535:
        raise AgentError(f"--bind {bind}: expected HOST:PORT")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise AgentError(f"--bind {bind}: {files.reason(error)}") from error
    family, kind, protocol, _, address = found[0]
    if not all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found):
        raise AgentError(
            f"--bind {bind}: the embedded agent runs commands, so it listens on loopback only",
            hint="use 127.0.0.1, [::1] or --socket; for other machines there is ssh -L",
        )
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise AgentError(f"--bind {bind}: {error.strerror}") from error
    return listener


def bind_unix(path: Path) -> socket.socket:
    """Bind a unix socket that only this user can connect to.

    Raises:
        AgentError: It cannot be made there, or another agent answers on it.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise AgentError(f"--socket {path}: {error.strerror or error}") from error
    return listener


def tls_context(cert: Path, key: Path, ca: Path | None) -> ssl.SSLContext:
    """The server's TLS settings; with a CA, clients must show a certificate of it.

    Raises:
        AgentError: A file cannot be read, or is not a certificate or key.
    """
    context = _Context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
        if ca is not None:
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        named = [path for path in (cert, key, ca) if path is not None and not path.exists()]
        where = f"TLS: {named[0]}" if named else "TLS"
        raise AgentError(f"{where}: {files.reason(error)}") from error
    return context


class _Context(ssl.SSLContext):
    """TLS settings with which a client is told why it is refused.

    asyncio closes a connection whose handshake fails without sending the alert that says why.
    """

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        made = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        connection, handshake = _CONNECTION.get(), made.do_handshake

        def do_handshake() -> None:
            try:
                handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    connection.send(outgoing.read())
                raise

        made.do_handshake = do_handshake  # type: ignore[method-assign]  # asyncio calls it there
        return made


class Listener:
    """Accepts connections and hands them to an HTTP protocol.

    With TLS the first byte is looked at before the handshake, so that a plain HTTP request can be
    told what is wrong.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        connections: Connections,
    ) -> None:
        self._connections = connections
        self._listener = listener
        self._protocol = protocol
        self._context = context
        self._accepting: asyncio.Task[None] | None = None
        self._greeting: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to accept."""
        self._listener.setblocking(False)  # noqa: FBT003 - the name says it
        self._accepting = asyncio.create_task(self._accept())

    async def stop(self) -> None:
        """Accept no more; connections that are already handed over stay."""
        tasks = [*self._greeting, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                made, _ = await loop.sock_accept(self._listener)
            except OSError:  # too many open files, or gone again: the next one may do
                self._connections.make_room()
                await asyncio.sleep(0.05)
                continue
            if made.family != getattr(socket, "AF_UNIX", None):
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self._connections.admit(made)
            if connection is None:
                continue
            task = asyncio.create_task(self._greet(made, connection))
            connection.greeting = task
            self._greeting.add(task)
            task.add_done_callback(self._greeting.discard)

    async def _greet(self, made: socket.socket, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        made.setblocking(False)  # noqa: FBT003 - the name says it
        options: dict[str, Any] = {}
        try:
            if self._context is not None:
                if not await _begins_with_tls(made):
                    self._connections.forget(connection)
                    return
                _CONNECTION.set(made)
                options = {
                    "ssl": self._context,
                    "ssl_handshake_timeout": HEAD_SECONDS,
                    "ssl_shutdown_timeout": 2.0,
                }
            await loop.connect_accepted_socket(
                lambda: connection.through(self._protocol()), made, **options
            )
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            made.close()
            self._connections.forget(connection)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            connection.greeting = None


async def _begins_with_tls(connection: socket.socket) -> bool:
    """Look at the first byte; what is plain HTTP is answered here, and closed."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection.fileno(), _done, readable)
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            await readable
    finally:
        loop.remove_reader(connection.fileno())
    if connection.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
        return True
    with contextlib.suppress(OSError):
        # The request is read first, else closing would reset the connection under the answer.
        connection.recv(65536)
        await loop.sock_sendall(connection, _PLAIN_ANSWER)
    connection.close()
    return False


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on any more."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise AgentError(f"--socket {path}: there is a file already")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise AgentError(f"--socket {path}: an agent listens on it already")
