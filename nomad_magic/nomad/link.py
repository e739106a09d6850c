"""Whether the other end of an exec session is still there.

Pure: the time is handed in, in seconds of one clock that never goes back.

An action may be silent for a day, so that silence says nothing; but Nomad's agent answers a
websocket ping within a millisecond, silent process or not (measured on Nomad 2.0.6).  So a link
on which nothing came for a while is asked, and one that says nothing for `timeout` seconds however
often it is asked is dead.

Of our own accord nothing is sent while something is unread or still comes.  An agent closes the
connection behind the exit frame, at once; what reaches it then makes its kernel reset the
connection, and output and exit frame that have not arrived yet are lost (measured on Nomad 2.0.6:
always, when this machine had slept meanwhile and a heartbeat was due as it woke).
"""

from __future__ import annotations

import enum
from typing import Final

ASKS: Final = 3
"""How often a silent link is asked before it counts as dead."""

UNREAD_BYTES: Final = 1 << 16
"""How much stdin an agent takes before it may answer nothing more because its action reads none of
it, in bytes: 130 to 370 kB were measured."""


QUIET_SECONDS: Final = 1.0
"""How long nothing has come when it is taken that nothing more is on its way."""


class Look(enum.Enum):
    """What a look at the link comes to."""

    NOTHING = "nothing"
    PING = "ping"
    DEAD = "dead"


class Link:
    """One connection's signs of life.

    Args:
        timeout: Seconds without any after which it is dead.
        now: When it was opened.
    """

    def __init__(self, timeout: float, now: float) -> None:
        self._timeout = timeout
        self._interval = timeout / ASKS
        self._heard = now
        self._asked = now
        self._looked = now
        self._unanswered = False

    def heard(self, now: float) -> None:
        """Something came, whatever it is."""
        self._heard = self._asked = now
        self._unanswered = False

    @property
    def due(self) -> float:
        """When to look next."""
        return self._asked + self._interval

    @property
    def quiet_at(self) -> float:
        """When nothing will have come for a while, if nothing comes until then."""
        return self._heard + QUIET_SECONDS

    def look(self, now: float, *, unread: int = 0) -> Look:
        """Return what is to be done now.

        Args:
            now: The time.
            unread: How much stdin was sent since the last ping that was answered, in bytes.
        """
        late = now - self._looked > self.due - self._looked + self._interval
        self._looked = now
        if late:
            # Nobody listened in the meantime: this machine slept, or the process was stopped.
            self.heard(now)
            self._unanswered = True
            return Look.PING
        if now < self.due:
            return Look.NOTHING
        if unread > UNREAD_BYTES:
            # It may be full of what its action does not read: no answer says nothing then.
            self.heard(now)
        elif self._unanswered and now - self._heard >= self._timeout:
            return Look.DEAD
        self._asked = now
        self._unanswered = True
        return Look.PING
