"""How the agent leaves: seen from a bare socket, which tells a reset from an end."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode, urlsplit

import pytest
import trustme
from support.agent_client import SECONDS, Peer, eventually
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from nomad_magic.agent import EmbeddedAgent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB = {
    "ID": "ends",
    "TaskGroups": [
        {
            "Name": "g",
            "Tasks": [
                {
                    "Name": "t",
                    "Driver": "raw_exec",
                    "Config": {"command": "/bin/sleep", "args": ["1000"]},
                    "Actions": [
                        {"Name": name, "Command": "/bin/sh", "Args": ["-c", script]}
                        for name, script in {
                            "hello": "echo hello; exit 3",
                            "line": "read x; echo got $x; exit 3",
                            # Later than all that a client of this file sends.
                            "late-hello": "sleep 0.5; echo hello; exit 3",
                            "late-line": "sleep 0.5; read x; echo got $x; exit 3",
                            "silent": "exec sleep 1000",
                            "mark": "echo started >> marks",
                            "marks": "cat marks",
                        }.items()
                    ],
                }
            ],
        }
    ],
}
PAST_ALL_ROOM = 600_000
"""Bytes of input: more than agent and pipe take for a process that reads nothing."""
BLOCK = b"y\n" * 1024


class Bare:
    """An exec session on a plain socket: whoever holds it decides when to read.

    Attributes:
        frames: What came, in order.
        error: What reading ended with; empty for an orderly end.
    """

    def __init__(self, peer: Peer, action: str, *, tty: bool = False, wait: bool = True) -> None:
        query = {"action": action, "task": "t", "tty": "true" if tty else "false"}
        query["allocID"] = peer.allocation("ends", "g")["ID"]
        url = f"{peer.address.replace('http', 'ws', 1)}/v1/job/ends/action?{urlencode(query)}"
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)
        if peer.context is not None:
            self.socket = peer.context.wrap_socket(self.socket, server_hostname=parts.hostname)
        self.frames: list[dict[str, Any]] = []
        self.pongs = 0
        self.error: str | None = None
        self._protocol = ClientProtocol(parse_uri(url))
        request = self._protocol.connect()
        request.headers.update(peer.headers)
        self._protocol.send_request(request)
        self._flush()
        while wait and self._protocol.state is State.CONNECTING:
            assert self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def exit_code(self) -> int | None:
        for frame in self.frames:
            if frame.get("exited"):
                code: int = frame["result"].get("exit_code", 0)
                return code
        return None

    def stdin(self, data: bytes = b"", *, close: bool = False) -> None:
        frame = {"data": base64.b64encode(data).decode(), "close": close}
        self._protocol.send_text(json.dumps({"stdin": frame}).encode())
        self._flush()

    def ping(self) -> None:
        self._protocol.send_ping(b"")
        self._flush()

    def read(self) -> bool:
        """Take what is there; whether more may come."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError as error:
            self.error = type(error).__name__
            return False
        if not data:
            self.error = ""
            return False
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.frames.append(json.loads(event.data))
            self.pongs += isinstance(event, Frame) and event.opcode is Opcode.PONG
        return True

    def read_on(self) -> None:
        """Take all there is, to the end."""
        while self.read():
            pass

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self.socket.sendall(data)


@pytest.fixture(scope="module", params=["plain", "tls"])
def ends(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """An agent with the job of this file."""
    folder: Path = tmp_path_factory.mktemp("ends")
    job = folder / "job.json"
    job.write_text(json.dumps({"Job": JOB}))
    cert = context = None
    if request.param == "tls":
        authority, cert = trustme.CA(), folder / "cert.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(cert)
        context = ssl.create_default_context()
        authority.configure_trust(context)
    with (
        EmbeddedAgent([job], tls_cert=cert, tls_key=cert) as agent,
        Peer(agent.address, agent.token, context=context) as peer,
    ):
        yield peer


@pytest.mark.parametrize("tty", [False, True])
def test_all_input_taken_is_an_orderly_end(ends: Peer, *, tty: bool) -> None:
    """Without a close frame, but with an end and no reset."""
    with Bare(ends, "line", tty=tty) as session:
        session.stdin(b"abc\n", close=not tty)
        session.read_on()
        assert (session.exit_code, session.error) == (3, "")
        assert session.frames[-1] == {"exited": True, "result": {"exit_code": 3}}


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("action", ["late-hello", "late-line"])
def test_unread_input_makes_a_reset_after_the_exit_frame(
    ends: Peer, action: str, *, tty: bool
) -> None:
    """A client that reads on has every frame, the exit frame last, and then ECONNRESET."""
    with Bare(ends, action, tty=tty) as session:
        assert not _overrun(session, PAST_ALL_ROOM)
        session.read_on()
        assert session.frames[-1] == {"exited": True, "result": {"exit_code": 3}}
        assert session.frames[-2].popitem()[1] == {"close": True}
        # The ssl of 3.11 makes an end of the ECONNRESET that OpenSSL had (seen in strace); that of
        # 3.13 does not.
        assert session.error in {"ConnectionResetError", "" if ends.context else None}


def test_a_client_that_leaves_at_its_first_failed_write_loses_the_exit_frame(ends: Peer) -> None:
    """The frame lies in its socket, unread: only who reads on has it."""
    with Bare(ends, "hello") as session:
        failed = _overrun(session, 1_000_000_000)
        assert failed
        assert session.exit_code is None
        if ends.context is None:  # OpenSSL reads no further than an error, as asyncio
            session.read_on()
            assert session.exit_code == 3


def test_input_that_nobody_reads_is_taken_up_to_a_bound(ends: Peer) -> None:
    """Up to it pings are answered; beyond it the agent is deaf, and the run is not over."""
    with Bare(ends, "silent") as session:
        for _ in range(100_000 // len(BLOCK)):
            session.stdin(BLOCK)
        session.ping()
        while not session.pongs:
            assert session.read()
        for _ in range(PAST_ALL_ROOM // len(BLOCK)):
            session.stdin(BLOCK)
        session.ping()
        session.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            session.read()
        assert session.pongs == 1


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The same agent, slow."""
    job = tmp_path_factory.mktemp("slow") / "job.json"
    job.write_text(json.dumps({"Job": JOB}))
    with (
        EmbeddedAgent([job], upgrade_delay=0.6) as agent,
        Peer(agent.address, agent.token) as peer,
    ):
        yield peer


def test_a_slow_agent_opens_its_sessions_late(slow: Peer) -> None:
    """Only the upgrade waits, and nothing is lost by it."""
    begun = time.monotonic()
    alloc = slow.allocation("ends", "g")
    assert alloc["ClientStatus"] == "running"
    with Bare(slow, "hello") as session:
        assert time.monotonic() - begun >= 0.6
        session.stdin(close=True)
        session.read_on()
        assert session.exit_code == 3


def test_a_slow_agent_starts_nothing_for_who_has_left(slow: Peer) -> None:
    """A client that goes while it waits has started nothing; one that stays starts it once."""
    Bare(slow, "mark", wait=False).__exit__()
    with Bare(slow, "mark") as session:  # opened later than the first would have been
        session.stdin(close=True)
        session.read_on()

    def marks() -> Any:
        with Bare(slow, "marks") as session:
            session.stdin(close=True)
            session.read_on()
            return [frame["stdout"]["data"] for frame in session.frames if _has_data(frame)]

    written = eventually(marks)
    assert base64.b64decode("".join(written)) == b"started\n"


def _has_data(frame: dict[str, Any]) -> bool:
    return "data" in frame.get("stdout", {})


def _overrun(session: Bare, size: int) -> bool:
    """Send so much input, or as much as goes; whether a write has failed."""
    try:
        for _ in range(size // len(BLOCK)):
            session.stdin(BLOCK)
    except OSError:
        return True
    return False
