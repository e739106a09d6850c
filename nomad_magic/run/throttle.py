"""The turns of a session's reader in the background loop, which all sessions share."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from nomad_magic.run import loop
from nomad_magic.run.pace import Pace

FRAMES_A_TURN: Final = 64
"""How many frames a reader takes before it lets others have their turn."""

_resting: set[Turns] = set()
"""Those that leave others their share; of the loop's thread alone."""


loop.forget_after_fork(_resting.clear)


class Turns:
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
