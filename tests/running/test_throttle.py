"""How fast a session reads: at full speed, unless it was told to take its time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from nomad_magic.running import throttle
from nomad_magic.running.throttle import (
    FRAMES_A_TURN,
    HURRY_SECONDS,
    MOST_REST_SECONDS,
    REST,
    Pace,
    Throttle,
)

if TYPE_CHECKING:
    import pytest


def test_nobody_rests_unasked() -> None:
    """The text view and the Python API read as fast as they can."""
    assert Pace().rest(0.0, 1.0) == 0.0


def test_an_unhurried_reader_rests_as_a_part_of_its_turn() -> None:
    """And never so long that someone would notice."""
    pace = Pace()
    pace.take_time(0.0)
    assert pace.rest(100.0, 100.01) == REST * (100.01 - 100.0)
    assert pace.rest(100.0, 200.0) == MOST_REST_SECONDS


def test_a_press_hurries_it_for_a_moment() -> None:
    """An action that ignores it must not take the page's time away for good."""
    pace = Pace()
    pace.take_time(0.0)
    pace.hurry(50.0)
    assert pace.rest(50.0, 50.0 + HURRY_SECONDS) == 0.0
    assert pace.rest(51.0, 51.02 + HURRY_SECONDS) > 0.0


def test_while_nobody_can_look_yet_it_hardly_reads() -> None:
    """The page that is to show it is still loading; a press of Stop is heard all the same."""
    pace = Pace()
    pace.take_time(11.0)
    assert pace.rest(10.0, 10.001) == MOST_REST_SECONDS
    assert pace.rest(11.0, 11.001) < MOST_REST_SECONDS
    pace.hurry(10.0)
    assert pace.rest(10.0, 10.001) == 0.0


def test_all_that_rest_have_one_share_together() -> None:
    """Ten floods at once take no more of the machine than one."""
    pace = Pace()
    pace.take_time(0.0)
    one = pace.rest(10.0, 10.01)
    assert pace.rest(10.0, 10.01, others=9) == 10 * one


def test_a_press_ends_a_rest_that_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a press and its effect the reader never sleeps."""
    monkeypatch.setattr(throttle, "MOST_REST_SECONDS", 3600.0)

    async def run() -> None:
        reader = Throttle()
        reader.pace.take_time(time.monotonic() + 3600.0)
        reader.begin()

        async def turn() -> None:
            for _ in range(FRAMES_A_TURN):
                await reader.took_one()

        for _ in range(2):
            turning = asyncio.create_task(turn())
            done, _ = await asyncio.wait([turning], timeout=0.05)
            assert not done
            reader.hurry()
            async with asyncio.timeout(10):
                await turning
            # For a moment there is no rest at all; then it rests again.
            async with asyncio.timeout(10):
                await turn()
            reader.pace.hurry(time.monotonic() - HURRY_SECONDS - 1.0)

    asyncio.run(run())
