"""An open exec session's traffic: frames both ways at the same time, until it is over."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.nomad.link import Link, Look
from nomad_magic.nomad.protocol import Output, State
from nomad_magic.nomad.websocket import ConnectionEnded
from nomad_magic.running import outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nomad_magic.errors import NomadMagicError
    from nomad_magic.nomad.protocol import Event, ExecProtocol
    from nomad_magic.nomad.websocket import ExecConnection
    from nomad_magic.record.transcript import StreamName
    from nomad_magic.running.throttle import Throttle

AGAIN_SECONDS: Final = 0.05
"""After how long a heartbeat that is due is thought of again, at the earliest."""


class Conversation:
    """Carries one session's frames.

    Args:
        connection: The open websocket.
        protocol: Says what is to be sent, and what it means that came.
        throttle: The reader's, in the loop that all share.
        over: Set when the session is over, by whoever ends it.
        link_timeout: Seconds without a sign of life after which the connection counts as dead.
        write: Takes the action's output.
        notify: Is called when there is something new.

    Attributes:
        failure: The error that the session's end is, if it is one.
    """

    def __init__(  # noqa: PLR0913 - each is one side of it, and named
        self,
        connection: ExecConnection,
        protocol: ExecProtocol,
        throttle: Throttle,
        over: asyncio.Event,
        *,
        link_timeout: float,
        write: Callable[[StreamName, bytes], None],
        notify: Callable[[], None],
    ) -> None:
        self.failure: NomadMagicError | None = None
        self._connection = connection
        self._protocol = protocol
        self._throttle = throttle
        self._over = over
        self._link = Link(link_timeout, time.monotonic())
        self._link_timeout = link_timeout
        self._keep = write
        self._notify = notify
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There may be something new to send; in the loop's thread."""
        self._news.set()

    async def run(self, *beside: Coroutine[Any, Any, None]) -> None:
        """Carry frames until the session is over.

        Args:
            beside: What is to run at the same time; its end is not the session's.

        Raises:
            Exception: Whatever one of them fails with before it is over.
        """
        failures: list[BaseException] = []

        def ended(task: asyncio.Task[None]) -> None:
            if self._over.is_set() or task.cancelled():
                return
            if (failure := task.exception()) is not None:
                failures.append(failure)
            if failures or self._protocol.ended:
                self._over.set()

        works = (self._read(), self._write(), self._watch(), *beside)
        tasks = list(map(asyncio.create_task, works))
        for task in tasks:
            task.add_done_callback(ended)
        try:
            await self._over.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for failure in failures:
            raise failure

    async def _read(self) -> None:
        protocol = self._protocol
        self._throttle.begin()
        while not protocol.ended:
            try:
                messages = await self._connection.receive()
            except ConnectionEnded as ended:
                self._take(protocol.receive_close(ended.code, ended.reason, time.monotonic()))
                return
            self._link.heard(time.monotonic())
            if not messages:
                # What is there already is read without a pause, and there may be no end of it.
                await asyncio.sleep(0)
            for message in messages:
                self._take(protocol.receive(message))
                await self._throttle.took_one()
            self._notify()

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Output):
                self._keep(event.stream, event.data)
            elif error := outcome.failure_of(event):
                self.failure = error
        if self._protocol.ended:
            # Nobody waits until this task has ended, too.
            self._over.set()

    async def _write(self) -> None:
        protocol = self._protocol
        while not protocol.ended:
            now = time.monotonic()
            due = max(protocol.heartbeat_due, self._link.quiet_at)
            quiet = now >= due and not self._connection.readable
            frame = protocol.next_frame(now, quiet=quiet)
            if frame is not None:
                try:
                    await self._connection.send(frame)
                except ConnectionEnded:
                    # As in the CLI: what cannot be sent is not an error; the reader hears why.
                    return
                # What has come in the meantime may be the end.
                await asyncio.sleep(0)
            elif protocol.state is State.RUNNING:
                self._news.clear()
                # What is there to be read is taken first; then it is looked again.
                pause = max(due - now, 0.0 if quiet else AGAIN_SECONDS)
                if now < protocol.stdin_due:
                    pause = min(pause, protocol.stdin_due - now)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._news.wait()

    async def _watch(self) -> None:
        """Find out when the agent is not there any more."""
        protocol, link, connection = self._protocol, self._link, self._connection
        while not protocol.ended:
            await asyncio.sleep(max(0.0, link.due - time.monotonic()))
            unread = protocol.sent - connection.answered
            look = link.look(time.monotonic(), unread=unread)
            if look is Look.PING and connection.readable:
                # A sign of life, for whoever reads it.
                link.heard(time.monotonic())
            elif look is Look.PING:
                connection.ping(protocol.sent)
            elif look is Look.DEAD:
                self._take(protocol.receive_nothing(self._link_timeout))
