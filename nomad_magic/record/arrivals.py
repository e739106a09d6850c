"""When the bytes of a run's output came: exact for most runs, and bounded in memory for all."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

MOST: Final = 1 << 16
"""How many moments are kept; past that every second one is let go, and then again."""

TOGETHER_SECONDS: Final = 0.001
"""What comes within this time has one moment."""


class Arrivals:
    """Until where the output had come at which moment.

    Positions are in bytes of both streams together, times in seconds since the epoch.

    Args:
        most: How many moments are kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._ends = array("Q")
        self._times = array("d")

    def note(self, end: int, now: float) -> None:
        """Write down that there are so many bytes now."""
        times = self._times
        if times and 0 <= now - times[-1] < TOGETHER_SECONDS:
            self._ends[-1] = end
            return
        self._ends.append(end)
        times.append(now)
        if len(times) > self._most:
            # The later one of each two, the last among them: what is said to have come by then
            # had come.
            first = (len(times) - 1) % 2
            self._ends, self._times = self._ends[first::2], times[first::2]

    def of(self, position: int) -> tuple[int, float]:
        """Return when the byte at a position had come, and up to where that is so.

        Raises:
            IndexError: It has not come.
        """
        at = bisect_right(self._ends, position)
        return self._ends[at], self._times[at]
