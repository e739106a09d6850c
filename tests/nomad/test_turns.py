"""The reader's turns in the loop that all sessions share."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from nomad_magic.run import pace
from nomad_magic.run.throttle import FRAMES_A_TURN, Turns

if TYPE_CHECKING:
    import pytest


def test_a_press_ends_a_rest_that_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a press and its effect the reader never sleeps."""
    monkeypatch.setattr(pace, "MOST_REST_SECONDS", 3600.0)

    async def run() -> None:
        turns = Turns()
        turns.pace.take_time(time.monotonic() + 3600.0)
        turns.begin()

        async def turn() -> None:
            for _ in range(FRAMES_A_TURN):
                await turns.took_one()

        for _ in range(2):
            turning = asyncio.create_task(turn())
            done, _ = await asyncio.wait([turning], timeout=0.05)
            assert not done
            turns.hurry()
            async with asyncio.timeout(10):
                await turning
            # For a moment there is no rest at all; then it rests again.
            async with asyncio.timeout(10):
                await turn()
            turns.pace.hurry(time.monotonic() - pace.HURRY_SECONDS - 1.0)

    asyncio.run(run())
