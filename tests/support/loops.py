"""A server of a test in an event loop and a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

SECONDS = 10

END_SECONDS = 30
"""A server of websockets waits ten for whoever has connected and says nothing, be it a browser of
another test that knew its port."""

TURNS = 5


@contextmanager
def in_a_thread(serving: Callable[[], AbstractAsyncContextManager[object]]) -> Iterator[None]:
    """Keep an asynchronous context open in a thread, from when it is entered to the end.

    Args:
        serving: Makes the context, in that thread's loop.
    """
    loop = asyncio.new_event_loop()
    over = asyncio.Event()
    ready = threading.Event()

    async def main() -> None:
        async with serving():
            ready.set()
            await over.wait()
        # What a client has left open, be it in the middle of a handshake; one that was just taken
        # shows a turn later, and transports are closed in the next turn, those of TLS yet a turn
        # later.
        for _ in range(TURNS):
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await asyncio.sleep(0)

    thread = threading.Thread(target=loop.run_until_complete, args=[main()])
    thread.start()
    try:
        assert ready.wait(SECONDS)
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(END_SECONDS)
        loop.close()


@contextmanager
def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    where: str | Path = "127.0.0.1",
) -> Iterator[str]:
    """Serve connections in a thread; give host and port, or the path.

    Args:
        serve: Called with each connection; cancelled at the end where a client keeps it.
        where: A host to listen on, on a free port, or the path of a unix socket.
    """
    found: list[str] = []
    # A task that waits for a stream is held by that stream alone, and the loop holds neither.
    under_way: set[asyncio.Task[None] | None] = set()

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        under_way.add(task)
        try:
            # A connection's task that ends as cancelled is reported as a fault.
            with contextlib.suppress(asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            under_way.discard(task)

    @asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        if isinstance(where, str):
            server = await asyncio.start_server(quiet, where, 0)
            host = f"[{where}]" if ":" in where else where
            found.append(f"{host}:{server.sockets[0].getsockname()[1]}")
        else:
            server = await asyncio.start_unix_server(quiet, where)
            found.append(str(where))
        yield
        server.close()

    with in_a_thread(serving):
        yield found[0]
