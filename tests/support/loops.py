"""A server of a test in an event loop and a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

SECONDS = 10


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

    thread = threading.Thread(target=loop.run_until_complete, args=[main()])
    thread.start()
    try:
        assert ready.wait(SECONDS)
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(SECONDS)
        loop.close()
