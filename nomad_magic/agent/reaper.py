"""No process is left behind, however the agent ends.

The agent runs below two guards, each a small process that waits for the next:

    outer guard (what the user sees and signals)  →  inner guard  →  agent  →  tasks, actions

All three adopt every orphan below them (PR_SET_CHILD_SUBREAPER, prctl(2)), so whichever is left
finds all that was ever started, also what has made itself a daemon, and ends it.  The other way
round the kernel tells each when the one above it dies (PR_SET_PDEATHSIG).  A guard that has passed
on a signal waits so long and no longer: what does not answer, because it is stopped or hangs, is
killed.

So any two of the three may be killed, or one stopped and another ended.  Left behind is only what
runs when all three are killed in the same moment, or a guard is stopped as the other two are
killed, and what the user may not signal.

The agent leads a session of its own: keys on the user's terminal reach the guards, and processes
that share its session do not stand in the user's.  Elsewhere than on Linux the agent runs alone
and ends its process groups itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36

GRACE_SECONDS: Final = 2.0
"""How long a process may take to end after SIGTERM before it is killed."""

_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_AGENT_SECONDS: Final = 3.5
"""How long the agent may take to end all that it started, its own grace included."""
_INNER_SECONDS: Final = 4.0
"""How long the inner guard may take to see to that."""
_KILL_SECONDS: Final = 5.0
_LEFT_BEHIND_SECONDS: Final = 0.3  # the agent has given its own processes their grace already


def run_guarded(agent: Callable[[], int], cleanup: Callable[[], None]) -> int:
    """Run `agent` in a process below this one; return its exit code when all below has ended.

    Args:
        agent: Runs in that process, which leads a session, with signals as they are by default.
        cleanup: Runs after the last process has ended; more than once.
    """
    if sys.platform != "linux":
        try:
            return agent()
        finally:
            cleanup()

    def alone() -> int:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_ENDING, signal.SIGCHLD})
        try:
            return agent()
        finally:
            end_descendants(_LEFT_BEHIND_SECONDS)
            cleanup()

    def inner() -> int:
        return _guard(alone, cleanup, _AGENT_SECONDS)

    # From here on a signal waits until its guard asks for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_ENDING, signal.SIGCHLD})
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    return _guard(inner, cleanup, _INNER_SECONDS, keep_awake=True)


def remove_tree(root: Path) -> None:
    """Remove a directory, also where a task has taken away the right to."""
    for folder, _, _ in os.walk(root):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o700)
    shutil.rmtree(root, ignore_errors=True)


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
        # Only children make themselves heard when they end; these may be anybody's.
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


def _guard(
    what: Callable[[], int],
    cleanup: Callable[[], None],
    patience: float,
    *,
    keep_awake: bool = False,
) -> int:
    """Run `what` in a child, and end all below when that has ended, or does not when told to."""
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _be_the_child(what, guard)
    code = _wait_for(child, patience, keep_awake=keep_awake)
    end_descendants(_LEFT_BEHIND_SECONDS)
    cleanup()
    return 128 - code if code < 0 else code


def _be_the_child(what: Callable[[], int], guard: int) -> None:
    code = 1
    try:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == guard:
            code = what()
    except KeyboardInterrupt:
        code = 130
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - nothing may unwind into the guard's frames
        sys.stderr.write(f"the embedded agent failed: {type(error).__name__}\n")
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        if os.getppid() == guard:  # one that is stopped (Ctrl-Z) has nothing to wait for any more
            with contextlib.suppress(ProcessLookupError):
                os.kill(guard, signal.SIGCONT)
        os._exit(code)


def _wait_for(child: int, patience: float, *, keep_awake: bool) -> int:
    """Wait for the end of the child, passing on signals; return its exit code.

    Args:
        child: Its id.
        patience: Seconds that it may take to end after a signal.
        keep_awake: It is a guard: a stopped one would not see the agent die.
    """
    deadline = float("inf")
    while (status := _reap_all(child, os.WUNTRACED if keep_awake else 0)) is None:
        now = time.monotonic()
        if now >= deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        came = signal.sigtimedwait({*_ENDING, signal.SIGCHLD}, min(1.0, max(0.01, deadline - now)))
        if came is not None and came.si_signo == signal.SIGHUP and _stays():
            continue
        if came is not None and came.si_signo != signal.SIGCHLD:
            # SIGTERM whatever came: a Ctrl-C on a terminal reaches the guards by itself too.
            deadline = min(deadline, now + patience)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
    return os.waitstatus_to_exitcode(status)


def _stays() -> bool:
    """Whether it was started by nohup, to outlive its terminal."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def _reap_all(child: int = 0, more: int = 0) -> int | None:
    """Collect all that has ended; return the status of the child, if it has.

    With `WUNTRACED` in `more` the child goes on when it was stopped.
    """
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG | more))[0]:
            pid, status = ended
            if pid == child and os.WIFSTOPPED(status):
                os.kill(child, signal.SIGCONT)
            elif pid == child:
                found = status
    return found


def _prctl(option: int, value: int) -> None:
    # Without it (a sandbox may refuse) the agent still ends its own process groups.
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
