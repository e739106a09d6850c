"""How fast a session reads what its action writes, in the loop that all sessions share."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from nomad_magic import fork

FRAMES_A_TURN: Final = 64
"""How many frames a reader takes before it lets others have their turn."""

_resting: set[Throttle] = set()
"""Those that leave others their share; of the loop's thread alone."""

fork.in_child(_resting.clear)

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
        """Return how many seconds to rest.

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


class Throttle:
    """One reader's turns.

    Attributes:
        pace: How long it rests after each.
    """

    def __init__(self) -> None:
        self.pace = Pace()
        self._taken = 0
        self._began = 0.0
        self._pressed = asyncio.Event()

    def begin(self) -> None:
        """Begin the first turn."""
        self._began = time.monotonic()

    async def took_one(self) -> None:
        """Count a frame; at the end of a turn let others have theirs, and begin the next."""
        self._taken += 1
        if self._taken % FRAMES_A_TURN:
            return
        seconds = self.pace.rest(self._began, time.monotonic(), others=len(_resting))
        if seconds:
            await self._rest(seconds)
        else:
            await asyncio.sleep(0)
        self._began = time.monotonic()

    def hurry(self) -> None:
        """Stop was pressed: no rest now, and none that has begun."""
        self.pace.hurry(time.monotonic())
        self._pressed.set()

    async def _rest(self, seconds: float) -> None:
        self._pressed.clear()
        _resting.add(self)
        try:
            async with asyncio.timeout(seconds):
                await self._pressed.wait()
        except TimeoutError:
            pass
        finally:
            _resting.discard(self)
