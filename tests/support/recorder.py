"""Between a client and an agent: writes down what is asked, and passes it on.

It stands for the node too: in the answers the node's own address is the recorder's, so that the
exec session, which goes to the node first, comes by as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from support.loops import listening
from support.proxy import connected, relay

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSED_ON: Final = ("x-nomad-token", "authorization")
TLS_HANDSHAKE: Final = b"\x16"
HOP_BY_HOP: Final = ("content-length", "transfer-encoding", "connection")


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        path: As sent, percent-encoding and all.
        query: Decoded, sorted.
        token: `X-Nomad-Token`; None where there was none.
        auth: `Authorization`, likewise.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    token: str | None
    auth: str | None
    upgrade: bool


@dataclass
class Recorder:
    """What was asked, and of whom it is asked in turn."""

    upstream: str
    """Host and port of the agent."""
    own: str = ""
    """Host and port of the recorder."""
    asked: list[Asked] = field(default_factory=list)
    upgrade_delay: float = 0.0
    """Seconds before an upgrade is passed on, whether its client still waits for it or not."""
    torn: int = 0
    """How many of the next upgrades are torn off at once."""
    instead: dict[str, str] = field(default_factory=dict, repr=False)
    """Tokens that are passed on instead of others: as if those had lost their rights."""

    carried: list[tuple[Asked, asyncio.AbstractEventLoop, asyncio.StreamWriter]] = field(
        default_factory=list, repr=False
    )
    """What was upgraded, and its client's end."""

    def cut(self, most: int | None = None, *, of: str = "") -> None:
        """Tear off every session, or so many, at its client's end.

        Args:
            most: How many, the oldest first.
            of: The id of an allocation: actions in it alone.
        """
        # Whoever comes back at once is not of those.
        chosen = [one for one in self.carried if not of or ("allocID", of) in one[0].query][:most]
        self.carried = [one for one in self.carried if one not in chosen]
        for _, loop, writer in chosen:
            loop.call_soon_threadsafe(writer.transport.abort)

    def take(self) -> list[Asked]:
        """Return what was asked since the last time."""
        taken, self.asked = self.asked, []
        return taken

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.closing(writer),
            contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError),
        ):
            while True:
                head = await reader.readexactly(1)
                if head == TLS_HANDSHAKE:
                    # Go's server answers that in the clear.
                    writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                    return
                head += await reader.readuntil(b"\r\n\r\n")
                for old, new in self.instead.items():
                    head = head.replace(old.encode(), new.encode())
                asked, headers = _parse(head)
                self.asked.append(asked)
                if asked.upgrade and self.torn:
                    self.torn -= 1
                    return
                if asked.upgrade:
                    await asyncio.sleep(self.upgrade_delay)
                    host, _, port = self.upstream.rpartition(":")
                    self.carried.append((asked, asyncio.get_running_loop(), writer))
                    with await connected(host, int(port)) as there:
                        await relay(reader, writer, there, head)
                    return
                target = head.split(b" ")[1].decode("latin-1")
                writer.write(await asyncio.to_thread(self._ask, asked.method, target, headers))
                await writer.drain()

    def _ask(self, method: str, target: str, headers: dict[str, str]) -> bytes:
        connection = http.client.HTTPConnection(self.upstream, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name in PASSED_ON:
                if name in headers:
                    connection.putheader(name, headers[name])
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
        body = body.replace(
            b'"HTTPAddr":"%s"' % self.upstream.encode(), b'"HTTPAddr":"%s"' % self.own.encode()
        )
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", f"Content-Length: {len(body)}"]
        lines += [f"{n}: {v}" for n, v in answer.getheaders() if n.lower() not in HOP_BY_HOP]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _parse(head: bytes) -> tuple[Asked, dict[str, str]]:
    line, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    fields = (one.partition(":") for one in rest)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    url = urlsplit(target)
    asked = Asked(
        method,
        url.path,
        tuple(sorted(parse_qsl(url.query, keep_blank_values=True))),
        headers.get("x-nomad-token"),
        headers.get("authorization"),
        "upgrade" in headers,
    )
    return asked, headers


@contextmanager
def recorder(upstream: str, *, upgrade_delay: float = 0.0) -> Iterator[Recorder]:
    """Run a recorder on a port of its own.

    Args:
        upstream: Host and port of the agent.
        upgrade_delay: Seconds before an upgrade is passed on.
    """
    made = Recorder(upstream, upgrade_delay=upgrade_delay)
    with listening(made.serve) as where:
        made.own = where
        yield made
