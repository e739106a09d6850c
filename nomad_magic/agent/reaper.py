"""No process is left behind, however the agent ends.

The agent runs as the only child of a small guard process, which is the one that the user
sees and signals.  On Linux the guard adopts every orphan below it (PR_SET_CHILD_SUBREAPER,
prctl(2)), so that when the agent is gone, even killed, all that it ever started can be found
and ended.  The other way round the kernel tells the agent when the guard dies
(PR_SET_PDEATHSIG).  Elsewhere the agent runs alone and ends its process groups itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36

GRACE_SECONDS: Final = 2.0
"""How long a process may take to end after SIGTERM before it is killed."""

_KILL_SECONDS: Final = 5.0
_LEFT_BEHIND_SECONDS: Final = 0.5  # the agent has given its own processes their grace already


def run_guarded(agent: Callable[[], int], cleanup: Callable[[], None]) -> int:
    """Run `agent` in a child process; return its exit code when all below it has ended.

    Args:
        agent: Runs in the child, with SIGTERM and SIGINT as they are by default.
        cleanup: Runs here, after the last process has ended.
    """
    if sys.platform != "linux":
        try:
            return agent()
        finally:
            cleanup()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    guard = os.getpid()
    # Held back until the handlers stand: a signal in between would end the guard alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    child = os.fork()
    if child == 0:
        _be_the_child(agent, guard)

    def forward(number: int, _frame: FrameType | None) -> None:
        # SIGTERM whatever came: a Ctrl-C on a terminal reaches the agent by itself too.
        del number
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    status = _wait_for(child)
    end_descendants(_LEFT_BEHIND_SECONDS)
    cleanup()
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def end_descendants(grace: float) -> None:
    """End every process below this one: SIGTERM, `grace` seconds, SIGKILL (Linux)."""
    deadline = time.monotonic() + grace
    number = signal.SIGTERM
    signalled: set[int] = set()
    while below := descendants(os.getpid()):
        for pid in below:
            if pid not in signalled:
                signalled.add(pid)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        _reap_all()
        now = time.monotonic()
        if now > deadline:
            if number == signal.SIGKILL:
                return
            number, deadline, signalled = signal.SIGKILL, now + _KILL_SECONDS, set()
        time.sleep(0.01)


def descendants(root: int) -> list[int]:
    """The ids of all processes below `root`, from /proc (proc(5)); empty where there is none."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The second field is the name in brackets, which may itself hold brackets.
            after_name = entry.read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(after_name[1]), []).append(int(entry.parent.name))
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _be_the_child(agent: Callable[[], int], guard: int) -> None:
    code = 1
    try:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == guard:
            os.setsid()  # its processes share its session; see `spawn`
            signal.pthread_sigmask(
                signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
            )
            code = agent()
    except KeyboardInterrupt:
        code = 130
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else 1
    except BaseException:  # noqa: BLE001 - nothing may unwind into the guard's own frames
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait_for(child: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return status


def _reap_all() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _prctl(option: int, value: int) -> None:
    # Without it (a sandbox may refuse) the agent still ends its own process groups.
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
