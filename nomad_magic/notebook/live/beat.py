"""When the runs of a kernel send their output: together, and no more than one page can draw.

A page takes what it is sent in its order.  Where many runs print at once it falls behind, and the
end of the one whose Stop was pressed waits behind the output of all the others (measured with 30
runs: the kernel was done after 100 ms, the page heard of it after 1,500).  So the more runs print,
the less often each is shown, all at the same moment, for then the page is drawn once; each has
less on its way to the page; and after a press of Stop the others wait for the end of that run.
"""

from __future__ import annotations

import threading
from typing import Final

from nomad_magic import fork

FRAME_SECONDS: Final = 1 / 30
"""How often output is sent, at the most."""

SHARE_SECONDS: Final = 1 / 100
"""What the page needs for each of many runs."""

MOST_SECONDS: Final = 1 / 2
"""How seldom output is sent, at the least, however many runs there are."""

PRINTING_SECONDS: Final = 2.0
"""How long a run counts as one that prints, after it has."""

FLOOD_SECONDS: Final = 1 / 4
"""How often, while most of it is left out: the page has a click to hear besides."""

FREE_SECONDS: Final = 1 / 4
"""How long the others wait at most once Stop was pressed in one."""

SHOWN_SECONDS: Final = 1 / 20
"""How long the page has for that end itself."""

WINDOW_FRAMES: Final = 8
"""How many messages pages may be behind, of all runs together, before they get no more."""


class Beat:
    """What the runs of a kernel know of each other; each is named by any object.

    Times are those of the monotonic clock, and handed in.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._printing: dict[object, float] = {}
        """Those that print, and until when they count as such."""
        self._floods: set[object] = set()
        self._pressed: object = None
        self._free_until = 0.0

    def sent(self, run: object, now: float, *, flood: bool = False) -> float:
        """Say that one has sent some output; return when it may send the next."""
        with self._lock:
            self._printing[run] = now + PRINTING_SECONDS
            for one in [one for one, until in self._printing.items() if until < now]:
                del self._printing[one]
            (self._floods.add if flood else self._floods.discard)(run)
            if flood:
                # The page draws all of them.
                return now + FLOOD_SECONDS * len(self._floods)
            printing = len(self._printing)
        seconds = min(printing * SHARE_SECONDS, MOST_SECONDS)
        if seconds <= FRAME_SECONDS:
            return now + FRAME_SECONDS
        moment = (now // seconds + 1) * seconds
        return moment if moment - now >= FRAME_SECONDS else moment + seconds

    def due(self, run: object, due: float) -> float:
        """Return when one may send that would like to send at a time."""
        with self._lock:
            return due if run is self._pressed else max(due, self._free_until)

    @property
    def window(self) -> int:
        """How many messages a page may be behind in each run."""
        return max(1, WINDOW_FRAMES // max(1, len(self._printing)))

    def pressed(self, run: object, now: float) -> None:
        """Say that Stop was pressed in one: the page is to have its hands free for its end."""
        with self._lock:
            self._pressed, self._free_until = run, now + FREE_SECONDS

    def leave(self, run: object, now: float) -> None:
        """Say that one is over, and its end sent; the page still has to show it."""
        with self._lock:
            self._printing.pop(run, None)
            self._floods.discard(run)
            if self._pressed is run:
                self._free_until = min(self._free_until, now + SHOWN_SECONDS)


beat: Final = Beat()


def _forget() -> None:
    """Leave the parent's runs to the parent, and a lock that a thread of its may hold."""
    beat.__init__()  # type: ignore[misc]  # anew, where it is known


fork.in_child(_forget)
