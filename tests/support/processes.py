"""The processes that tests have started, and no others on the machine."""

from __future__ import annotations

import psutil


def running(*command: str) -> dict[int, int]:
    """Return the processes below this one that run a command: each one's id, and its parent's."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline() == list(command):
                found[process.pid] = process.ppid()
        except psutil.NoSuchProcess:
            # It has just ended.
            continue
    return found
