"""What there is already is kept out of Python's search for garbage while many runs go on.

A full search goes through every object of the process and holds all its threads meanwhile: 70 ms in
a process that has loaded this package alone, and several times that in a kernel with a few
libraries more.  Two hundred runs make enough objects to set one off, in the very moment when all of
them are to be read.  What is frozen is not gone through; what comes afterwards is.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nomad_magic import fork

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_SECONDS: Final = 60.0
"""How long, at the most: garbage among what is frozen stays."""

RUNS: Final = 64
"""After how many runs what they have made is frozen too: some 200 objects each."""

SOMEONE_ELSES: Final = 10_000
"""With more objects frozen than that, someone else has frozen them, and they are left alone.

Python 3.12 begins with some hundreds.
"""

SLACK: Final = 250_000
"""By how many objects the process may grow, beside doubling, before it is searched here.

Python would not search by itself where an action is run in many allocations again and again:
freezing sets back what it goes by (measured: 3.11 to 3.13, four MB kept of each 200 runs).
"""

_holders: set[object] = set()
_objects = 0
"""How many there were when they were last searched here, or first kept out."""


@contextmanager
def spared() -> Iterator[None]:
    """Keep what there is already out of searches for garbage; in the loop's thread."""
    holder = object()
    _hold(holder)
    timer = asyncio.get_running_loop().call_later(MOST_SECONDS, _release, holder)
    try:
        yield
    finally:
        timer.cancel()
        _release(holder)


def spare_more(begun: int) -> None:
    """Within `spared`, keep out what has come since as well, every so many runs.

    Args:
        begun: How many runs there have been.
    """
    if _holders and not begun % RUNS:
        gc.freeze()


def _hold(holder: object) -> None:
    global _objects  # noqa: PLW0603 - one search for the process is the point
    if not _holders and gc.get_freeze_count() > SOMEONE_ELSES:
        return
    gc.freeze()
    _objects = _objects or gc.get_freeze_count()
    if gc.get_freeze_count() > 2 * _objects + SLACK:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        _objects = gc.get_freeze_count()
    _holders.add(holder)


def _release(holder: object) -> None:
    if holder in _holders:
        _holders.discard(holder)
        if not _holders:
            gc.unfreeze()


def _forget() -> None:
    """In a forked child none of the runs goes on."""
    if _holders:
        _holders.clear()
        gc.unfreeze()


fork.in_child(_forget)
