"""No number of connections that ask nothing keeps the rightful user out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support.agent_client import SECONDS, Peer, raw_request

from nomad_magic.agent import connections
from nomad_magic.agent.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.agent_client import Exec

    from nomad_magic.agent import EmbeddedAgent


def test_half_open_connections_lock_nobody_out(
    agent: EmbeddedAgent, run: Callable[..., Exec]
) -> None:
    """With more of them than there is room for, requests and sessions go on as before."""
    parts = urlsplit(agent.address)
    assert parts.hostname is not None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    session = run("cat")
    session.stdin(b"before\n")
    session.until(b"before\n")
    with contextlib.ExitStack() as stack:
        for number in range(min(700, soft // 2)):
            one = stack.enter_context(
                socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)
            )
            if number % 2:
                one.sendall(b"GET /v1/jobs HTTP/1.1\r\nX-Slow: ")
        with Peer(agent.address, agent.token) as peer:
            assert peer.get("/v1/jobs")
        session.stdin(b"after\n")
        session.until(b"after\n")
        other = run("hello")
        other.close_stdin()
        assert other.finish().exit_code == 0
    session.close_stdin()
    assert session.finish().stdout == b"before\nafter\n"


class Ends:
    """Both ends of connections, and whether ours was closed."""

    def __init__(self, kept: Connections) -> None:
        self.kept = kept

    async def open(self) -> tuple[socket.socket, connections.Connection | None]:
        theirs, ours = socket.socketpair()
        theirs.setblocking(False)  # noqa: FBT003 - the name says it
        ours.setblocking(False)  # noqa: FBT003 - the name says it
        admitted = self.kept.admit(ours)
        if admitted is not None:
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(lambda: admitted.through(asyncio.Protocol()), ours)
        return theirs, admitted

    async def closed(self, theirs: socket.socket) -> bool:
        with theirs:
            loop = asyncio.get_running_loop()
            return not await asyncio.wait_for(loop.sock_recv(theirs, 1), SECONDS)


def test_the_longest_idle_goes_first() -> None:
    """One that is being answered stays; with none but those there is no room for another."""

    async def main() -> None:
        ends = Ends(Connections(most=2))
        first, one = await ends.open()
        second, two = await ends.open()
        assert one is not None
        assert two is not None
        with ends.kept.busy(one.transport):
            third, three = await ends.open()
            assert await ends.closed(second)
            assert three is not None
            with ends.kept.busy(three.transport):
                fourth, four = await ends.open()
                assert four is None
                assert await ends.closed(fourth)
        fifth, five = await ends.open()
        assert five is not None
        # Of the other two the third was done with first.
        assert await ends.closed(third)
        five.drop()
        one.drop()
        assert await ends.closed(fifth)
        assert await ends.closed(first)

    asyncio.run(main())


@pytest.mark.parametrize("after_a_request", [False, True])
def test_a_head_has_its_time(monkeypatch: pytest.MonkeyPatch, *, after_a_request: bool) -> None:
    """A connection on which no request comes, or half of one, is closed."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)

    async def main() -> None:
        ends = Ends(Connections(most=9))
        theirs, ours = await ends.open()
        assert ours is not None
        if after_a_request:
            with ends.kept.busy(ours.transport):
                pass
            theirs.send(b"GET /")
        assert await ends.closed(theirs)

    asyncio.run(main())


SECRET = "s3cr3t-token"
TOKEN = f"Host: localhost\r\nX-Nomad-Token: {SECRET}\r\n"
UPGRADE = "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\n"
CHUNKED = "Host: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
MALFORMED = (
    f"GET /v1/jobs HTTP/1.1\r\n{TOKEN}broken\r\n\r\n",
    f"GET /v1/jobs HTTP/1.1\r\nX-Nomad-Token: {SECRET}\x01\r\n\r\n",
    f"GET /{SECRET}\x00 HTTP/1.1\r\n\r\n",
    f"{SECRET}\r\n\r\n",
    f"GET / HTTP/9.{SECRET}\r\n\r\n",
    f"GET /v1/jobs HTTP/1.1\r\n{TOKEN}X-Nomad-Token: {SECRET}{'x' * 20_000}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SECRET}\r\n\r\n",
    f"POST / HTTP/1.1\r\n{CHUNKED}\r\n{SECRET}\r\n",
    f"GET /v1/job/j/action?x={SECRET} HTTP/1.1\r\n{TOKEN}{UPGRADE}\r\n",
    f"GET /v1/job/%ff%fe/allocations?namespace=%ed HTTP/1.1\r\n{TOKEN}Connection: close\r\n\r\n",
    f"GET http://[::1/ HTTP/1.1\r\n{TOKEN}Connection: close\r\n\r\n",
)


def test_nothing_of_a_request_is_on_stderr(tmp_path: Path) -> None:
    """Whatever is wrong with a request that carries the token: no traceback, and no token."""
    job = {"ID": "j", "TaskGroups": [{"Name": "g", "Tasks": []}]}
    task = {"Name": "t", "Driver": "raw_exec", "Config": {"command": "sleep", "args": ["1000"]}}
    job["TaskGroups"][0]["Tasks"] = [task]  # type: ignore[index]
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"Job": job}))
    argv = [sys.executable, "-X", "dev", "-m", "nomad_magic", "agent", "--with-parent", str(path)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{SECRET}\n")
        process.stdin.flush()
        address = process.stdout.readline().strip().removeprefix("NOMAD_ADDR=")
        for text in MALFORMED:
            answer = raw_request(address, text)
            assert b"Traceback" not in answer
        with Peer(address, SECRET) as peer:
            assert peer.get("/v1/jobs")
        process.send_signal(signal.SIGTERM)
        process.stdin.close()
        said = process.stderr.read() if process.stderr is not None else ""
    assert SECRET not in said
    assert "Traceback" not in said
