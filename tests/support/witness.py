"""Between a client and an agent: passes everything on, endings too, and knows what was delivered.

An asyncio relay would not do: a write that fails closes its transport, and what the other side has
sent is thrown away unread.  That is the very fault it is to find.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

RESET: Final = struct.pack("ii", 1, 0)
SECONDS: Final = 30.0


@dataclass
class Witness:
    """What went by.

    Attributes:
        address: Its own host and port.
        upstream: The agent's.
        sessions: Of each connection on which an action was asked for, what the agent sent.
    """

    upstream: tuple[str, int]
    address: str = ""
    sessions: list[bytearray] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        """Pass one connection on, from its beginning to its end."""
        with (
            client,
            socket.create_connection(self.upstream) as agent,
            contextlib.suppress(ConnectionError),
        ):
            for one in (client, agent):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said, asked = bytearray(), False
            asking = [client]
            while ready := select.select([*asking, agent], [], [], SECONDS)[0]:
                if agent in ready and not _answer(agent, client, said):
                    return
                if client in ready:
                    data = client.recv(1 << 16)
                    if not data:
                        return
                    if b"/action?" in data and not asked:
                        asked = True
                        self.sessions.append(said)
                    try:
                        agent.sendall(data)
                    except OSError:
                        # What else the client sends stays unread, as with the agent.
                        asking.clear()

    @property
    def delivered(self) -> list[bool]:
        """For each session, whether its exit frame was sent to the client."""
        return [b'"exited":true' in said for said in self.sessions]


def _answer(agent: socket.socket, client: socket.socket, said: bytearray) -> bool:
    """Pass on what the agent says; whether it may say more."""
    try:
        data = agent.recv(1 << 16)
    except ConnectionError:
        # As the agent has left it, so it is left to the client.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return False
    said += data
    with contextlib.suppress(OSError):
        client.sendall(data)
    return bool(data)


@contextmanager
def witness(upstream: str) -> Iterator[Witness]:
    """Run a witness on a port of its own.

    Args:
        upstream: Host and port of the agent.
    """
    host, _, port = upstream.rpartition(":")
    made = Witness((host, int(port)))
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made.address = f"127.0.0.1:{listener.getsockname()[1]}"

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                if not listening.is_set():
                    connection.close()
                    return
                threads.append(threading.Thread(target=made.serve, args=[connection], daemon=True))
                threads[-1].start()

        listening = threading.Event()
        listening.set()
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield made
        finally:
            listening.clear()
            socket.create_connection(listener.getsockname()).close()
            accepting.join(SECONDS)
            for thread in threads:
                thread.join(SECONDS)
