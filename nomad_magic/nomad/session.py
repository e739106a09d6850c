"""One run of an action, from its flags to its result.

A `Session` lives in the background loop; every method may be called from any thread.  What
the action writes goes to the result's transcript, from which views read at their own pace.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nomad_magic.errors import NomadMagicError
from nomad_magic.nomad import ending, loop, pool, winddown
from nomad_magic.nomad.journey import Journey
from nomad_magic.nomad.protocol import ExecProtocol, Output, Rung, State
from nomad_magic.nomad.turns import Turns
from nomad_magic.nomad.websocket import ConnectionEnded, ExecConnection
from nomad_magic.result import ActionResult, Outcome, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from nomad_magic.flags import ActionArgs
    from nomad_magic.nomad.settings import Options, Target


class Session:
    """One run of an action.

    Args:
        args: The line, parsed and checked.
        target: Which agent, and as whom.
        options: The bounds of each wait.
        stdin: What the action reads, then the end of stdin.  None means nothing; with a tty,
            or with `typing`, stdin stays open for `type`.
        typing: Someone may type.
        size: The terminal's height and width in cells.

    Attributes:
        result: What is known so far; filled in while the run goes on.
        error: Why the run failed, once it is done; None when it did not, or was stopped.
    """

    def __init__(  # noqa: PLR0913 - each is one side of a run, and named
        self,
        args: ActionArgs,
        target: Target,
        options: Options,
        *,
        stdin: bytes | None = None,
        typing: bool = False,
        size: tuple[int, int] = (24, 80),
    ) -> None:
        self.args = args
        self.target = target
        self.options = options
        self.error: NomadMagicError | None = None
        self.result = ActionResult(
            action=args.action,
            command_line=args.command_line(),
            tty=args.tty,
            width=size[1],
            place=Place(
                address=str(target.address), region=target.region, namespace=target.namespace
            ),
            masker=target.masker(),
        )
        self.stopped = False
        """Someone called `stop`."""
        self.timed_out = False
        self.takes_input = args.stdin and stdin is None and (args.tty or typing)
        """Stdin stays open for `type`."""
        self._stdin = stdin
        self._size = size
        self._typed: list[bytes] = []
        self._presses = 0
        self._turns = Turns()
        self._journey = Journey(args, target, options, choose=random.SystemRandom().choice)
        self._protocol: ExecProtocol | None = None
        self._began = 0.0
        self._listeners: list[Callable[[], None]] = []
        self._done = threading.Event()
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._future: Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Session {self.args.action}: {self.result.state}>"

    # What a user of the session calls, from any thread

    def start(self) -> Session:
        """Start the run in the background loop; give the session."""
        winddown.add(self)
        self._future = loop.submit(self._run())
        return self

    @property
    def done(self) -> bool:
        """The run is over, and `result` and `error` are final."""
        return self._done.is_set()

    @property
    def elapsed(self) -> float:
        """Seconds since the session was opened; 0 before."""
        if self.done or not self._began:
            return self.result.duration
        return time.monotonic() - self._began

    def wait_done(self, timeout: float) -> bool:
        """Wait for the end, at most so many seconds; say whether it has come."""
        return self._done.wait(timeout)

    def wait(self, timeout: float | None = None, *, check: bool = False) -> ActionResult:
        """Wait for the end and give the result.

        Args:
            timeout: Seconds; None waits for ever.
            check: Raise `error` when the run failed.

        Raises:
            TimeoutError: It still runs; it is not stopped by that.
            NomadMagicError: With `check`, why it failed.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.args.action} still runs after {timeout} s")
        if check and self.error is not None:
            raise self.error
        return self.result

    def __await__(self) -> Generator[Any, None, ActionResult]:
        """Wait for the end in any event loop and give the result."""
        if self._future is not None:
            yield from asyncio.shield(asyncio.wrap_future(self._future)).__await__()
        return self.result

    def stop(self) -> None:
        r"""Climb one rung of the ladder; any number of calls, from any thread.

        With a tty Ctrl-C, then Ctrl-\, then the connection is closed; without one it is
        closed at once, for nothing reaches the process.  Before the action was started the
        run is given up.
        """
        self.stopped = True
        self._call(self._stop)

    def disconnect(self) -> None:
        """Close the connection now, within a second; the process may go on."""
        self.stopped = True
        self._call(self._disconnect)

    def stop_and_wait(self, grace: float) -> None:
        """Stop without a person to climb: one rung, `grace` seconds, then the last."""
        self.stopped = True
        self._call(lambda: self._wind_down(grace))

    @property
    def next_stop(self) -> str:
        """What the next `stop` does, as a button's label; empty when there is nothing left."""
        if self.done:
            return ""
        if self._protocol is None:
            return "Stop"
        return {
            Rung.NONE: "",
            Rung.INTERRUPT: "Stop",
            Rung.QUIT: "Force stop",
            Rung.DISCONNECT: "Disconnect",
        }[self._protocol.next_rung]

    def type(self, data: bytes) -> None:
        """Type into the action's terminal, or hand bytes to its stdin."""
        self._call(lambda: self._type(data))

    def end_input(self) -> None:
        """Say that no more will be typed."""
        self._call(self._end_input)

    def resize(self, height: int, width: int) -> None:
        """Tell the action's terminal its size in cells."""
        self._call(lambda: self._resize(height, width))

    def take_time(self, idle: float = 0.0) -> None:
        """Read no faster than leaves the machine to others.

        For a view that leaves most of a flood out: the action waits, as it does for a slow
        terminal, and the page, its server and a click on Stop get their share of the processor.

        Args:
            idle: Seconds from now in which to read next to nothing of a flood.
        """
        self._turns.pace.take_time(time.monotonic() + idle)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called, in the loop's thread, whenever there is something new."""
        self._listeners.append(listener)

    # What runs in the loop

    def _call(self, function: Callable[[], None]) -> None:
        loop.get().call_soon_threadsafe(function)

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        failure: NomadMagicError | None = None
        try:
            failure = await self._start_and_talk()
        except NomadMagicError as error:
            failure = error
        except asyncio.CancelledError:
            # Only `_stop` cancels, before the session is open.
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the cell must hear of it
            failure = NomadMagicError(
                f"nomad_magic failed: {type(error).__name__}: {error}",
                hint="This is a bug in nomad_magic; what the action wrote is in .result.",
            )
            failure.__cause__ = error
        finally:
            self._finish(failure)

    async def _start_and_talk(self) -> NomadMagicError | None:
        journey = self._journey
        journey.on_progress = self._progress
        client = pool.client(self.target, self.options)
        connection = await journey.travel(client)
        self.result.started = _now()
        self._began = time.monotonic()
        protocol = self._protocol = ExecProtocol(
            tty=self.args.tty, escape=self.args.escape, size=self._size, now=time.monotonic()
        )
        if self._stdin is not None:
            self._typed.insert(0, self._stdin)
        for data in self._typed:
            protocol.type(data)
        if not self.takes_input:
            protocol.end_stdin()
        if self._presses:
            # Stop was pressed while the session was being opened.
            protocol.stop()
        self._notify()
        failure = await self._talk(connection, protocol)
        return await ending.explain_refusal(failure, journey, client) if failure else None

    def _progress(self, place: Place, command: tuple[str, ...] | None, notices: list[str]) -> None:
        self.result.place = place
        self.result.command = command
        self.result.notices += [self.result.masker.text(text) for text in notices]
        self._notify()

    async def _talk(
        self, connection: ExecConnection, protocol: ExecProtocol
    ) -> NomadMagicError | None:
        """Carry frames both ways at the same time until the session is over."""
        failure: list[NomadMagicError] = []
        tasks = {
            asyncio.create_task(self._read(connection, protocol, failure)),
            asyncio.create_task(self._write(connection, protocol)),
        }
        if (timeout := self.options.timeout) is not None:
            tasks.add(asyncio.create_task(self._expire(timeout)))
        try:
            await self._over.wait()
        finally:
            # Closing may take a while; the action's own time ends here.
            self.result.duration = time.monotonic() - self._began
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.result.sent = protocol.sent
            await connection.close()
        return failure[0] if failure else None

    async def _read(
        self, connection: ExecConnection, protocol: ExecProtocol, failure: list[NomadMagicError]
    ) -> None:
        self._turns.begin()
        while protocol.state is State.RUNNING:
            try:
                events = protocol.receive(await connection.receive())
            except ConnectionEnded as ended:
                events = protocol.receive_close(ended.code, ended.reason)
            for event in events:
                if isinstance(event, Output):
                    self.result.transcript.write(event.stream, event.data)
                elif error := ending.failure_of(event):
                    failure.append(error)
            self._notify()
            await self._turns.took_one()
        self._over.set()

    async def _write(self, connection: ExecConnection, protocol: ExecProtocol) -> None:
        while protocol.state is State.RUNNING:
            frame = protocol.next_frame(time.monotonic())
            if frame is None:
                if protocol.state is not State.RUNNING:
                    # The escape character's turn had come.
                    break
                self._wake.clear()
                pause = max(0.0, protocol.heartbeat_due - time.monotonic())
                try:
                    await asyncio.wait_for(self._wake.wait(), pause)
                except TimeoutError:
                    continue
            else:
                try:
                    await connection.send(frame)
                except ConnectionEnded:
                    # As in the CLI: what cannot be sent is not an error; the reader hears why.
                    return
        self._over.set()

    async def _expire(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.timed_out = True
        self._wind_down(self.options.grace)

    def _stop(self) -> None:
        self._presses += 1
        self._turns.hurry()
        if self._protocol is not None:
            self._protocol.stop()
            self._after_change()
        elif self._task is not None:
            self._task.cancel()

    def _disconnect(self) -> None:
        if self._protocol is not None:
            self._protocol.disconnect()
            self._after_change()
        elif self._task is not None:
            self._task.cancel()

    def _wind_down(self, grace: float) -> None:
        self._stop()
        asyncio.get_running_loop().call_later(grace, self._disconnect)

    def _type(self, data: bytes) -> None:
        if self._protocol is None:
            self._typed.append(data)
        else:
            self._protocol.type(data)
            self._after_change()

    def _end_input(self) -> None:
        self.takes_input = False
        if self._protocol is not None:
            self._protocol.end_stdin()
            self._after_change()

    def _resize(self, height: int, width: int) -> None:
        self._size = (height, width)
        self.result.width = width
        if self._protocol is not None:
            self._protocol.resize(height, width)
            self._after_change()

    def _after_change(self) -> None:
        self._wake.set()
        if self._protocol is not None and self._protocol.state is not State.RUNNING:
            self._over.set()
        self._notify()

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    def _finish(self, failure: NomadMagicError | None) -> None:
        result, protocol = self.result, self._protocol
        result.ended = _now()
        if protocol is not None:
            result.exit_code = protocol.exit_code
        result.outcome = ending.outcome(protocol, asked=self._journey.asked)
        if failure is not None:
            failure.message = result.masker.text(failure.message)
            failure.hint = result.masker.text(failure.hint)
            result.reason = failure.message
        elif result.outcome is Outcome.NOT_STARTED:
            result.reason = "stopped before the action was started"
        self.error = ending.final_error(self, failure, protocol)
        if self.error is not None:
            self.error.result = result
        # What was typed may be long, and the result outlives the session.
        self._stdin, self._typed = None, []
        winddown.discard(self)
        self._done.set()
        self._notify()


def _now() -> datetime:
    return datetime.now().astimezone()
