"""A small client of the exec websocket, made of public libraries only."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import sys
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

import httpx
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect, unix_connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.agent import EmbeddedAgent

SECONDS = 10.0
"""How long anything here may take; nothing waits for it when all is well."""


def eventually(check: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Ask until the answer is true; give it."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := check():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"still not after {seconds} s")
        time.sleep(0.005)


def processes_below(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def processes_of(agent: EmbeddedAgent) -> list[psutil.Process]:
    """Return the agent's own processes, the outermost first: two guards, then the agent."""
    assert agent.pid is not None
    found = [psutil.Process(agent.pid)]
    if sys.platform == "linux":
        for _ in range(2):
            found += found[-1].children()
    return found


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Peer:
    """HTTP and websockets to one agent."""

    def __init__(self, address: str, token: str, *, context: ssl.SSLContext | None = None) -> None:
        self.address = address
        self.headers = {"X-Nomad-Token": token} if token else {}
        self.context = context
        parts = urlsplit(address)
        self.unix = parts.path if parts.scheme == "unix" else None
        transport = httpx.HTTPTransport(
            uds=self.unix, verify=context if context is not None else True
        )
        self.http = httpx.Client(
            base_url="http://localhost" if self.unix else address,
            headers=self.headers,
            transport=transport,
            timeout=SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **query: str) -> Any:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def allocation(self, job: str, group: str, namespace: str = "default") -> dict[str, Any]:
        found = self.get(f"/v1/job/{quote(job, safe='')}/allocations", namespace=namespace)
        return next(stub for stub in found if stub["TaskGroup"] == group)

    def open(self, job: str, **query: str) -> Exec:
        """Open the exec session of an action."""
        query = {"command": "[]", **query}
        return self._open(f"/v1/job/{quote(job, safe='')}/action?{urlencode(query)}")

    def command(self, alloc: str, *words: str, **query: str) -> Exec:
        """Open the exec session of a command in an allocation."""
        query = {"command": json.dumps(words), "task": "server", "tty": "false", **query}
        return self._open(f"/v1/client/allocation/{alloc}/exec?{urlencode(query)}")

    def _open(self, path: str) -> Exec:
        options: dict[str, Any] = {
            "additional_headers": self.headers,
            "compression": None,
            "ping_interval": None,
            "max_queue": 64,
            "close_timeout": 0.3,
        }
        if self.unix:
            connecting = unix_connect(self.unix, uri=f"ws://localhost{path}", **options)
        else:
            url = self.address.replace("http", "ws", 1) + path
            if self.context is not None:
                # websockets reads in one thread and writes in another.  An SSL object of Python
                # 3.11 is not made for that: a session ticket of TLS 1.3, read in the middle of a
                # write, is the end of both.
                self.context.maximum_version = ssl.TLSVersion.TLSv1_2
            connecting = connect(url, ssl=self.context, **options)
        # Kept open beyond this block: its end is what many tests are about.
        return Exec(connecting.__enter__())


class Exec:
    """One exec session, and all that came of it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self.streams = {"stdout": bytearray(), "stderr": bytearray()}
        self.closed: list[str] = []
        self.exit_code: int | None = None
        self.close_code: int | None = None
        self.reason = ""

    def send(self, frame: dict[str, Any]) -> None:
        self.connection.send(json.dumps(frame))

    def stdin(self, data: bytes) -> None:
        self.send({"stdin": {"data": base64.b64encode(data).decode()}})

    def close_stdin(self) -> None:
        """Send the end of stdin; an action that is over by now needs none."""
        with contextlib.suppress(ConnectionClosed):
            self.send({"stdin": {"close": True}})

    def size(self, height: int, width: int) -> None:
        self.send({"tty_size": {"height": height, "width": width}})

    def receive(self, seconds: float = SECONDS) -> dict[str, Any] | None:
        """Take one frame; None at the end."""
        message = self._message(seconds)
        if message is None:
            closed = self.connection.protocol.close_rcvd
            if closed is not None:
                self.close_code, self.reason = closed.code, closed.reason
            return None
        frame: dict[str, Any] = json.loads(message)
        self.frames.append(frame)
        for name in self.streams:
            if name in frame:
                self.streams[name] += base64.b64decode(frame[name].get("data", ""))
                if frame[name].get("close"):
                    self.closed.append(name)
        if frame.get("exited"):
            self.exit_code = frame["result"].get("exit_code", 0)
        return frame

    def _message(self, seconds: float) -> str | bytes | None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                message: str | bytes = self.connection.recv(
                    timeout=min(0.2, max(0.0, deadline - time.monotonic()))
                )
            except ConnectionClosed:
                return None
            except TimeoutError:
                # A real agent that refuses a command at once leaves its connection open.
                if self.connection.protocol.close_rcvd is not None:
                    return None
                if time.monotonic() >= deadline:
                    raise
            else:
                return message

    def until(self, words: bytes, stream: str = "stdout") -> None:
        """Take frames until a stream holds some words."""
        while words not in self.streams[stream]:
            assert self.receive() is not None, (words, self.streams)

    def finish(self) -> Exec:
        """Take all frames to the end of the connection."""
        while self.receive() is not None:
            pass
        return self

    def abort(self) -> None:
        """Drop the connection without a word."""
        self.connection.socket.close()

    @property
    def stdout(self) -> bytes:
        return bytes(self.streams["stdout"])

    @property
    def stderr(self) -> bytes:
        return bytes(self.streams["stderr"])


def raw_request(address: str, text: str) -> bytes:
    """Send some text to a TCP address; give all that comes back."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        connection.sendall(text.encode())
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer
