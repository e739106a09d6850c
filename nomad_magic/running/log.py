"""A run's log hears of it as any listener does, and is waited for where it has to be.

That is before the action is asked for, and at the end; never for longer than a disk should take.
"""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Final

from nomad_magic.log import writer
from nomad_magic.log.run_log import Description, RunLog
from nomad_magic.record.fleet_record import FleetRecord
from nomad_magic.record.record import Record
from nomad_magic.running import loop
from nomad_magic.running.events import Ended, Output

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from concurrent.futures import Future

    from nomad_magic.record.fleet_result import FleetResult
    from nomad_magic.record.result import ActionResult
    from nomad_magic.running.events import Event, Listeners

BEGIN_SECONDS: Final = 5.0
"""How long a run waits until its beginning is on the disk: it goes on then, and that is said."""

END_SECONDS: Final = 2.0
"""How long its end waits for the rest: the log goes on by itself then."""

LATE: Final = (
    "The log's disk has not answered for {seconds:.0f} s: "
    "the run goes on, and may not be in the log"
)

loop.at_end(writer.close)


class SessionLog:
    """The log of one session.

    Args:
        result: What is known of the run.
        folder: The log's.
        listeners: The session's; what goes wrong is said to them.
    """

    def __init__(
        self, result: ActionResult, folder: str | os.PathLike[str], listeners: Listeners
    ) -> None:
        self._listeners = listeners
        self._over = False
        self._log = RunLog(
            folder,
            result,
            lambda: Description(Record(result).metadata(), result.state, result.target),
            transcript=result.transcript,
            trouble=_in_loop(self._say),
            fleet=result.fleet,
        )
        result.journal = self._log.shown
        listeners.add(self._heard)

    async def begin(self) -> None:
        """Wait until its beginning is on the disk."""
        if not await _come(self._log.begin(), BEGIN_SECONDS):
            self._say(LATE.format(seconds=BEGIN_SECONDS))

    async def end(self) -> None:
        """Wait until all of it is."""
        await _come(self._log.end(), END_SECONDS)

    def _heard(self, event: Event) -> None:
        match event:
            case Output():
                self._log.wrote()
            case Ended():
                self._over = True

    def _say(self, text: str) -> None:
        if self._over:
            # Its record was shown already, or is about to be.
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        else:
            self._listeners.noticed(text)


class FleetLog:
    """The log of a fleet: of what its runs have in common; each of them has one of its own.

    Args:
        result: What is known of it.
        folder: The log's.
    """

    def __init__(self, result: FleetResult, folder: str | os.PathLike[str]) -> None:
        self._result = result
        self._log = RunLog(
            folder,
            result,
            lambda: _of_fleet(FleetRecord(result)),
            transcript=None,
            trouble=_in_loop(self._say),
        )
        result.journal = self._log.shown

    async def begin(self) -> None:
        """Wait until its beginning is on the disk."""
        if not await _come(self._log.begin(), BEGIN_SECONDS):
            self._say(LATE.format(seconds=BEGIN_SECONDS))

    async def end(self) -> None:
        """Wait until all of it is."""
        await _come(self._log.end(), END_SECONDS)

    def _say(self, text: str) -> None:
        self._result.notices.append(self._result.masker.shown(text))


def _of_fleet(record: FleetRecord) -> Description:
    return Description(record.metadata(), record.state, record.target)


def _in_loop(function: Callable[[str], None]) -> Callable[[str], None]:
    def call(text: str) -> None:
        loop.get().call_soon_threadsafe(function, text)

    return call


async def _come(future: Future[None], seconds: float) -> bool:
    """Wait for something of the log's; return whether it has come in time."""
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(asyncio.wrap_future(future))
    except TimeoutError:
        return False
    return True
