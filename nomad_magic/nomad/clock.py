"""The clock that ages of processes are compared with."""

from __future__ import annotations

import sys
import time


def now() -> float:
    """Return the time in seconds, by a clock that goes on while this machine sleeps.

    A process's age does: its machine does not sleep with a laptop.  Linux has `CLOCK_BOOTTIME` for
    that (clock_gettime(2)); on macOS `CLOCK_MONOTONIC` is one.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()
