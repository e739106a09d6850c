"""How a run is stopped: a rung at a time, or with nobody there to climb.  In the loop's thread."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from nomad_magic.nomad.ladder import KEYS, SIGNAL_NAMES
from nomad_magic.nomad.protocol import State
from nomad_magic.record.facts import Deed, Rung, StopReason
from nomad_magic.running.events import Stopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.nomad.protocol import ExecProtocol
    from nomad_magic.record.result import ActionResult
    from nomad_magic.record.sighting import Sighting
    from nomad_magic.running.events import Listeners


class Stopper:
    """Stops one run.

    Args:
        protocol: Has the ladder.
        result: Takes what was done.
        listeners: Hear of it.
        changed: Is called when there is something new to send, or the run is over.

    Attributes:
        late: Someone asked for the end when it had come: one that was refused is not to be run
            again.
    """

    def __init__(
        self,
        protocol: ExecProtocol,
        result: ActionResult,
        listeners: Listeners,
        changed: Callable[[], None],
    ) -> None:
        self._protocol = protocol
        self._result = result
        self._listeners = listeners
        self._changed = changed
        self.late = False
        self._winding_down: StopReason | None = None
        self._kept: list[Rung] = []
        """Keys that wait for the session."""

    def stop(self, reason: StopReason = StopReason.PERSON) -> None:
        """Climb one rung."""
        self.late = self.late or self._protocol.ended
        rung = self._protocol.stop(reason)
        if rung in KEYS and self._protocol.state is State.OPENING:
            self._kept.append(rung)
        elif rung not in SIGNAL_NAMES:
            self._did(rung)
        self._changed()
        self._listeners.tell(Stopping(self._protocol.ladder.rung))

    def opened(self) -> None:
        """The session is open: what was kept for it goes out."""
        for rung in self._kept:
            self._did(rung)
        self._kept.clear()

    def never_opened(self) -> None:
        """It came to nothing: what waited for the session was not done, and it was given up."""
        stopped = self._protocol.ladder.rung is not Rung.NONE
        if stopped and self._protocol.state is State.NOT_STARTED and not self._result.deeds:
            self._did(Rung.GIVE_UP)

    def disconnect(self, reason: StopReason = StopReason.PERSON) -> None:
        """Close the connection."""
        self.late = self.late or self._protocol.ended
        if not self._protocol.ended:
            self._protocol.disconnect(reason)
            self._did(self._protocol.ladder.rung)
        self._changed()
        self._listeners.tell(Stopping(self._protocol.ladder.rung))

    def wind_down(self, grace: float, reason: StopReason = StopReason.PERSON) -> None:
        """Climb one rung, and close the connection after so many seconds.

        At once where the rung reached nothing: there is nothing to wait for.
        """
        self._winding_down = reason
        self.stop(reason)
        asyncio.get_running_loop().call_later(grace, self.disconnect, reason)

    def signalled(self, rung: Rung, sighting: Sighting) -> None:
        """Take what became of the signal of a rung."""
        self._did(rung, sighting.shown(self._result.masker))
        if self._winding_down is not None and not (sighting.signalled or sighting.maybe):
            self.disconnect(self._winding_down)
        else:
            self._listeners.tell(Stopping(rung))

    def _did(self, rung: Rung, sighting: Sighting | None = None) -> None:
        if rung is not Rung.NONE:
            now = datetime.now().astimezone()
            self._result.deeds.append(Deed(time=now, rung=rung, sighting=sighting))
