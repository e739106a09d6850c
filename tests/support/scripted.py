"""An agent that follows a script: what a network, a proxy or a broken agent may do to us.

Real sockets and real websockets; only the answers are made up.  What an honest agent answers
is tested against the embedded agent and a real one.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from support.loops import in_a_thread

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

HTTP = Path(__file__).parent.parent / "data" / "http"


def recorded(name: str) -> Any:
    """Return the body of a recorded answer."""
    return json.loads((HTTP / f"{name}.json").read_text())["body"]


def answer(
    body: bytes | str,
    status: int = 200,
    *,
    kind: str = "application/json",
    compressed: bool = False,
    length: int | None = None,
) -> Response:
    """Make an answer; `length` may lie about its body."""
    data = body.encode() if isinstance(body, str) else body
    headers = Headers({"Content-Type": kind})
    if compressed:
        data = gzip.compress(data)
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(data) if length is None else length)
    headers["Connection"] = "close"
    return Response(status, HTTPStatus(status).phrase, headers, data)


@dataclass
class Script:
    """What the agent does; each part can be replaced before a run."""

    answers: dict[str, Response] = field(default_factory=dict)
    """By the beginning of the request's path; the recordings for all else."""
    session: Callable[[ServerConnection], Awaitable[None]] | None = None
    """What happens once the websocket is open."""
    silent: str = ""
    """The path that gets no answer until `speak` is called."""
    cut: str = ""
    """The path whose connection is reset instead of an answer."""
    requests: list[str] = field(default_factory=list)
    """The paths that were asked for, in order."""
    headers: list[Headers] = field(default_factory=list)
    address: str = ""
    _speaking: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    def speak(self) -> None:
        """Let what was kept silent have its answer."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._speaking.set)

    def respond(
        self, connection: ServerConnection, request: Request
    ) -> Response | Awaitable[None] | None:
        """Answer one request; None goes on to the websocket."""
        self.requests.append(request.path)
        self.headers.append(request.headers)
        path = request.path.partition("?")[0]
        if path == self.silent:
            return self._keep_silent()
        if path == self.cut:
            connection.transport.abort()
            return asyncio.sleep(0)
        for start, response in self.answers.items():
            if path.startswith(start):
                return response
        if path.endswith("/action"):
            return None
        if path == "/v1/jobs":
            return answer(json.dumps(recorded("jobs-prefix")))
        if path.endswith("/allocations"):
            return answer(json.dumps(recorded("job-allocations")))
        if path.startswith("/v1/allocation/"):
            allocation = recorded("allocation")
            wanted = path.rpartition("/")[2]
            stubs = {stub["ID"]: stub for stub in recorded("job-allocations")}
            return answer(json.dumps({**allocation, **stubs[wanted]}))
        return answer("node not found", 404, kind="text/plain")

    async def _keep_silent(self) -> None:
        await self._speaking.wait()


async def leave(connection: ServerConnection) -> None:
    """Say that the action has ended well, and wait until the client goes."""
    await connection.send('{"exited":true,"result":{}}')
    await connection.wait_closed()


@contextmanager
def scripted(context: ssl.SSLContext | None = None) -> Iterator[Script]:
    """Serve a script on a port of its own.

    Args:
        context: For TLS.
    """
    script = Script()

    async def handle(connection: ServerConnection) -> None:
        assert script.session is not None
        await script.session(connection)

    @asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        async with serve(
            handle,
            "127.0.0.1",
            0,
            process_request=lambda *asked: script.respond(*asked),  # noqa: PLW0108 - may be replaced
            compression=None,
            ping_interval=None,
            close_timeout=0.1,
            ssl=context,
        ) as server:
            port = server.sockets[0].getsockname()[1]
            script.address = f"{'https' if context else 'http'}://127.0.0.1:{port}"
            script._loop = asyncio.get_running_loop()
            yield
            # Who still waits for an answer would hold the server's end up.
            script._speaking.set()

    with in_a_thread(serving):
        yield script
