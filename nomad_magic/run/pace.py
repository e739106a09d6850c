"""How fast a session reads what its action writes.

Pure: the time is handed in, in seconds of one clock that never goes back.
"""

from __future__ import annotations

from typing import Final

REST: Final = 2.0
"""How long an unhurried reader rests after each turn, as a part of that turn."""

MOST_REST_SECONDS: Final = 0.1

HURRY_SECONDS: Final = 1.0
"""How long an unhurried reader reads at full speed after a press of Stop."""


class Pace:
    """Says after each of the reader's turns how long it rests."""

    def __init__(self) -> None:
        self._unhurried = False
        self._hurry_until = 0.0
        self._idle_until = 0.0

    def take_time(self, idle_until: float) -> None:
        """From now on leave others their share, and nearly all of it at first."""
        self._unhurried = True
        self._idle_until = idle_until

    def hurry(self, now: float) -> None:
        """Read at full speed for a moment.

        Between a press and its effect is only what the agent and the network still hold.
        """
        self._hurry_until = now + HURRY_SECONDS

    def rest(self, start: float, now: float, *, others: int = 0) -> float:
        """Give how many seconds to rest.

        Args:
            start: When the turn began.
            now: When it ended.
            others: How many other readers rest now: all of them have one share together.
        """
        if not self._unhurried or now <= self._hurry_until:
            return 0.0
        if now < self._idle_until:
            return MOST_REST_SECONDS
        return (1 + others) * min(REST * (now - start), MOST_REST_SECONDS)
