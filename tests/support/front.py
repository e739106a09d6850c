"""What stands before an agent and hands on every byte: another kind of address for it."""

from __future__ import annotations

import contextlib
import re
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from support.loops import listening
from support.proxy import connected, relay

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Front:
    """Where it listens, and what went through it to the agent."""

    address: str = ""
    """`http://…` or `unix://…`."""
    sent: list[bytearray] = field(default_factory=list)
    """What each connection sent."""

    def headers(self, name: str) -> list[str | None]:
        """Return the value of a header in each request, None where it is missing."""
        heads = [
            head
            for data in self.sent
            for head in re.findall(rb"GET .*?\r\n\r\n", bytes(data), re.DOTALL)
        ]
        found = [re.search(rf"\r\n{name}: (.*?)\r\n".encode(), head) for head in heads]
        return [one[1].decode() if one else None for one in found]


@contextmanager
def front(address: str, where: str | Path) -> Iterator[Front]:
    """Serve an agent at another address.

    Args:
        address: The agent's, without TLS.
        where: A host to listen on, on a free port, or the path of a unix socket.
    """
    made = Front()
    agent = urlsplit(address)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.sent.append(sent := bytearray())
        with contextlib.closing(writer), await connected(agent.hostname, agent.port) as there:
            await relay(reader, writer, there, sent=sent)

    with listening(serve, where) as place:
        made.address = f"http://{place}" if isinstance(where, str) else f"unix://{place}"
        yield made


def has_ipv6() -> bool:
    """Whether this machine has IPv6 on its loopback interface."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
