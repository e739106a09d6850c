"""`for line in session` and `async for line in session`: the output's lines as they come.

Each of them reads for itself what the run keeps, from the start: a slow one holds nobody up, takes
no memory for what it has not read, and misses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Self

from nomad_magic.record.line_reader import LineReader
from nomad_magic.running import waiting

if TYPE_CHECKING:
    from nomad_magic.record.line_reader import OutputLine
    from nomad_magic.record.result import ActionResult
    from nomad_magic.running.events import Event, Listeners
    from nomad_magic.running.handle import Handle


class _Cursor:
    """How far one reader has got.

    Args:
        session: The run.
        listeners: Its own.
    """

    def __init__(self, session: Handle[ActionResult], listeners: Listeners) -> None:
        self._session, self._listeners = session, listeners
        self._reader = LineReader(session.result)
        self._lines: deque[OutputLine] = deque()
        self._finished = False

    def _read(self) -> bool:
        """Read on; return whether that has come to something, be it the end."""
        # Before it reads: what was over then has nothing to add.
        over = self._session.done
        lines = self._reader.take()
        if lines is None:
            if not over:
                return False
            lines, self._finished = self._reader.finish(), True
        self._lines.extend(lines)
        return True


class LineIterator(_Cursor):
    """Gives lines to a thread."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> OutputLine:
        while not self._lines:
            if self._finished:
                raise StopIteration
            if self._read():
                waiting.here.hear()
            else:
                self._wait()
        return self._lines.popleft()

    def _wait(self) -> None:
        news = threading.Event()
        with self._listeners.telling(lambda _event: news.set()):
            # From here on it is told; before, it may have missed something.
            if not self._read():
                waiting.here.wait(news)


class AsyncLineIterator(_Cursor):
    """Gives lines to a task of any event loop."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> OutputLine:
        while not self._lines:
            if self._finished:
                raise StopAsyncIteration
            if self._read():
                # There may be a flood of it, and others have a part in this loop.
                await asyncio.sleep(0)
            else:
                await self._wait()
        return self._lines.popleft()

    async def _wait(self) -> None:
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def wake(_event: Event) -> None:
            # Where that loop is closed nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(news.set)

        with self._listeners.telling(wake):
            if not self._read():
                await news.wait()
