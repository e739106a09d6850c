"""What runs in the background loop, as whoever started it holds it: one run, or many."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

from nomad_magic.errors import NomadMagicError
from nomad_magic.running import history, loop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from nomad_magic.errors import Interrupted
    from nomad_magic.nomad.options import Options
    from nomad_magic.running.gate import Gate

LAST_SECONDS: Final = 5.0
"""How long after its grace period what was stopped may take to end: closing is bounded."""


class Result(Protocol):
    """What comes of it."""

    action: str


R = TypeVar("R", bound=Result)


class Log(Protocol):
    """Where a run, or many, are written down."""

    async def end(self) -> None:
        """Write down how it ended."""


class Handle(ABC, Generic[R]):
    """Something that runs; every method may be called from any thread.

    Args:
        options: The bounds of each wait.
        result: What is known so far; filled in while it goes on.
        action: The action's name.
        word: What was given to confirm it, for where a pattern of `Options.confirm` asks for that.

    Attributes:
        options: The same.
        result: The same.
        gate: Where it waits to be confirmed; None where there are no patterns.
        error: Why it failed, once it is done; None when it did not, or was stopped.
    """

    def __init__(
        self, options: Options, result: R, *, action: str = "", word: str | None = None
    ) -> None:
        self.options = options
        self.result = result
        self.gate: Gate | None = None
        if options.confirm:
            # Most runs have none.
            from nomad_magic.running.gate import Gate  # noqa: PLC0415 - see above

            self.gate = Gate(options.confirm, action, word)
        self.error: NomadMagicError | None = None
        self._done = threading.Event()
        self._future: Future[None] | None = None

    def start(self) -> Self:
        """Begin in the background loop, or go on where it was only located; return it."""
        if self._future is None:
            loop.add(self)
            self._future = loop.submit(self._run())
        elif self.gate is not None:
            self._call(self.gate.open)
        return self

    async def run_here(self) -> None:
        """Run to the end as a part of what runs in the background loop, which waits for it."""
        loop.add(self)
        # Others may wait for it too.  A task of its own, and what waits for that in here, would be
        # a third of what one of many holds.
        ended: Future[None] = Future()
        self._future = ended
        try:
            await self._run()
        finally:
            ended.set_result(None)

    def locate(self) -> None:
        """Begin, and wait at the gate once it is known where it runs; `start` goes on."""
        assert self.gate is not None, "there are patterns"  # noqa: S101 - the caller's own order
        self.gate.hold()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it unless it has ended, and wait for that."""
        if not self.done and self._future is not None:
            self.stop(self.options.grace)

    @property
    def done(self) -> bool:
        """It is over, and `result` and `error` are final."""
        return self._done.is_set()

    def wait_done(self, timeout: float) -> bool:
        """Wait for the end, at most so many seconds; return whether it has come."""
        return self._done.wait(timeout)

    def wait(self, timeout: float | None = None, *, check: bool = False) -> R:
        """Wait for the end and return the result.

        Args:
            timeout: Seconds; None waits for ever.
            check: Raise `error` when it failed.

        Raises:
            TimeoutError: It still runs; it is not stopped by that.
            NomadMagicError: With `check`, why it failed.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.result.action} still runs after {timeout} s")
        if check:
            self.check()
        return self.result

    def check(self) -> None:
        """Raise `error` where there is one: it may have been raised before, and elsewhere."""
        if self.error is not None:
            raise self.error.with_traceback(None)

    def __await__(self) -> Generator[Any, None, R]:
        """Wait for the end in any event loop and return the result."""
        if self._future is not None and not self.done:
            yield from asyncio.shield(asyncio.wrap_future(self._future)).__await__()
        return self.result

    def stop(self, grace: float | None = None) -> None:
        r"""Climb one rung of the ladder; any number of calls, from any thread.

        With a tty Ctrl-C, then Ctrl-\, then SIGKILL; without one SIGINT, then SIGKILL; then the
        connection is closed.  Signals are sent by a second session, unless `Options.reach` is off
        or there is no way to.  Before an action was started it is given up.

        Args:
            grace: None returns at once, and the next call climbs on.  Otherwise seconds to clean up
                in, then the connection is closed; returns when it has ended.
        """
        if grace is None:
            self._call(self._stop)
            return
        self.wind_down(grace)
        try:
            self.wait_done(grace + LAST_SECONDS)
        except BaseException:
            # Interrupted once more: at once.
            self.disconnect()
            self.wait_done(LAST_SECONDS)
            raise

    @abstractmethod
    def wind_down(self, grace: float) -> None:
        """Stop without a person to climb, as by `stop` with a grace, and do not wait for it."""

    @abstractmethod
    def disconnect(self) -> None:
        """Close the connection within a second; the process may go on."""

    @property
    @abstractmethod
    def unfinished(self) -> bool:
        """It has come to no end that can be looked at: `error` says why."""

    @abstractmethod
    def interrupted(self) -> Interrupted:
        """Return what a Ctrl-C that stopped it is raised as."""

    def leave_to_parent(self) -> None:
        """End here, in a forked child: it goes on in the parent, and ends there."""
        self.error = NomadMagicError(f"{self.result.action} runs in the process that started it")
        # A thread that is not here may hold the parent's.
        self._done = threading.Event()
        self._done.set()

    # What runs in the loop

    def _call(self, function: Callable[[], None]) -> None:
        loop.get().call_soon_threadsafe(function)

    @abstractmethod
    def _stop(self) -> None:
        """Climb one rung."""

    @abstractmethod
    async def _run(self) -> None:
        """Run to the end, whatever that is."""

    async def _end(self, log: Log | None) -> None:
        """Have the log finish and remember it; then it is over, whatever came of that."""
        try:
            if log is not None:
                await log.end()
            history.ended(self)
        finally:
            loop.discard(self)
            self._done.set()
        if self.gate is not None:
            self.gate.over()


def run_through(handle: Handle[R], *, check: bool) -> R:
    """Run to the end and return the result.

    Whatever interrupts the wait, an exception of a signal handler say, stops it first, and is
    raised when it has ended, with what is known in its attribute `result`.

    Args:
        handle: Not yet started.
        check: Raise whatever it fails with; without it only what kept it from its end.
    """
    try:
        with handle:
            handle.start().wait()
    except BaseException as interruption:
        if isinstance(interruption, KeyboardInterrupt):
            raise handle.interrupted() from None
        _carry(interruption, handle.result)
        raise
    if check or handle.unfinished:
        handle.check()
    return handle.result


async def arun_through(handle: Handle[R], *, check: bool) -> R:
    """`run_through` to be awaited, in any event loop.

    Cancelling it stops what runs; it is cancelled when that has ended, and the
    `asyncio.CancelledError` has the result in its attribute `result`.  Cancelling it once more
    closes the connection at once.
    """
    handle.start()
    try:
        await handle
    except asyncio.CancelledError as cancelled:
        handle.wind_down(handle.options.grace)
        while not handle.done:
            try:
                await handle
            except asyncio.CancelledError:
                handle.disconnect()
        _carry(cancelled, handle.result)
        raise
    if check or handle.unfinished:
        handle.check()
    return handle.result


def _carry(error: BaseException, result: object) -> None:
    """Let an exception that is not ours carry the result, where it can."""
    with contextlib.suppress(AttributeError):
        error.result = result  # type: ignore[attr-defined]  # it is any exception at all
