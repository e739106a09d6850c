"""How fast a run wrote, second by second, bounded however long it took.  Pure."""

from __future__ import annotations

from typing import Final

MOST: Final = 120
"""How many stretches of time are told apart at the most."""

MOST_MARKS: Final = 60
"""How many marks are kept; a window that is dragged resizes a terminal many times."""


class Pace:
    """How much was written in each stretch of time.

    Attributes:
        seconds: How long a stretch is: 1, then twice as long each time that there are too many.
        counts: How many bytes came in each, from the beginning.
        resized: When the terminal was resized, in seconds from the beginning.
    """

    __slots__ = ("counts", "resized", "seconds")

    def __init__(self) -> None:
        self.seconds = 1
        self.counts: list[int] = []
        self.resized: list[float] = []

    def wrote(self, at: float, count: int) -> None:
        """Take in that so many bytes came.

        Args:
            at: When, in seconds from the beginning; never earlier than the last time.
            count: How many.
        """
        counts, place = self.counts, int(at) // self.seconds
        while place >= MOST:
            counts[:] = [sum(counts[start : start + 2]) for start in range(0, len(counts), 2)]
            self.seconds *= 2
            place //= 2
        if place >= len(counts):
            counts.extend([0] * (place + 1 - len(counts)))
        counts[place] += count

    def was_resized(self, at: float) -> None:
        """Take in that the terminal has another size, so many seconds from the beginning."""
        if len(self.resized) < MOST_MARKS:
            self.resized.append(at)
