"""The processes that tests have started, and no others on the machine."""

from __future__ import annotations

import contextlib

import psutil


def running(*command: str) -> dict[int, int]:
    """Return the processes below this one that run a command: each one's id, and its parent's."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        # It may end at any moment.
        with contextlib.suppress(psutil.NoSuchProcess):
            if title(process) == list(command):
                found[process.pid] = process.ppid()
    return found


def title(process: psutil.Process) -> list[str]:
    """Return a process's command line; of one that has just ended there is nothing left."""
    try:
        found: list[str] = process.cmdline()
    except psutil.NoSuchProcess:
        return []
    return found


def words(pid: int) -> list[str]:
    """Return a process's command line by its id; of one that has ended there is nothing left."""
    try:
        return title(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return []


def environ(process: psutil.Process) -> dict[str, str]:
    """Return a process's environment; of one that has just ended there is nothing left."""
    try:
        found: dict[str, str] = process.environ()
    except psutil.NoSuchProcess:
        return {}
    return found
