"""Starting processes, and learning how they ended.

A task leads a process group, and what runs on a terminal a session, so that one signal reaches all
that it started.  The processes of exec sessions without a terminal share session and group with
the agent itself, as they do with the executor of a real one (measured on Nomad 2.0.6): a client
that signals their group hits all of them, so it must not.  That holds where the agent leads a
session of its own and can find by other means what they leave behind; elsewhere each leads one.

`posix_spawn` is used rather than a fork with Python code in the child: it is safe
whatever else the agent is doing, it reports exactly which error the kernel gave, and a
session leader that opens a terminal becomes its owner, which is all a pty needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import shutil
import signal as signals
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IDLE_DIRECTORY: Final = "/"
"""Where the agent itself stands: only a process being started is ever elsewhere."""

_DEFAULT_SIGNALS: Final = (
    signals.SIGHUP,
    signals.SIGINT,
    signals.SIGQUIT,
    signals.SIGTERM,
    signals.SIGPIPE,
    signals.SIGXFSZ,
    signals.SIGTSTP,
    signals.SIGTTIN,
    signals.SIGTTOU,
)


def in_own_session() -> bool:
    """Whether this process leads a session that its guards keep in order (Linux)."""
    return sys.platform == "linux" and os.getsid(0) == os.getpid()


class StartError(Exception):
    """A command that cannot be started; the words are those of Nomad's executor."""


class Leads(enum.Enum):
    """What a process that is started is to be the leader of."""

    SESSION = enum.auto()
    GROUP = enum.auto()
    NOTHING = enum.auto()


_LEADING: Final[Mapping[Leads, dict[str, Any]]] = {
    Leads.SESSION: {"setsid": True},
    Leads.GROUP: {"setpgroup": 0},
    Leads.NOTHING: {},
}
"""What `posix_spawn` is told."""


class Process:
    """A started process.

    Attributes:
        pid: Its process id.
        exited: Done with the exit code; a death by signal is 128 + its number.
    """

    def __init__(self, pid: int, exited: asyncio.Future[int], *, leads_group: bool) -> None:
        self.pid = pid
        self.exited = exited
        self._leads_group = leads_group

    def signal(self, number: int) -> None:
        """Send it a signal, and to its whole group if it leads one; nothing after its end."""
        if not self.exited.done():
            self._send(number)

    def end_group(self) -> None:
        """Kill what it has left in the group that it leads."""
        if self._leads_group:
            self._send(signals.SIGKILL)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._leads_group:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    async def stop(self, grace: float, number: int = signals.SIGTERM) -> None:
        """Ask it to end, and its group; wait `grace` seconds, then kill what is left of it."""
        self.signal(number)
        await asyncio.wait([self.exited], timeout=grace)
        self.signal(signals.SIGKILL)
        await self.exited


class Spawner:
    """Starts processes and collects their ends; one per agent, in its event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._own_session = in_own_session()
        self._loop.add_signal_handler(signals.SIGCHLD, self._reap)

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        stdio: tuple[int, int, int] | str,
        leads: Leads = Leads.NOTHING,
    ) -> Process:
        """Start a process.

        Args:
            argv: The command and its arguments; a bare name is looked up in the PATH of `env`.
            env: Its whole environment.
            cwd: Its working directory.
            stdio: Its three standard descriptors, or the path of the terminal to give it.
            leads: What it is the leader of.  With a terminal, and where the agent does not lead
                a session of its own, it is a session.

        Raises:
            StartError: The kernel, or the search of the PATH, said no.
        """
        if isinstance(stdio, str) or not self._own_session:
            leads = Leads.SESSION
        path = argv[0]
        if not path:
            raise StartError("exec: no command")
        if "/" not in path:
            found = shutil.which(path, path=env.get("PATH", os.defpath))
            if found is None:
                raise StartError(f'exec: "{path}": executable file not found in $PATH')
            path = found
        actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]]
        if isinstance(stdio, str):
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, stdio, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ]
        else:
            actions = [(os.POSIX_SPAWN_DUP2, fd, to) for to, fd in enumerate(stdio)]
        try:
            os.chdir(cwd)
        except OSError as error:
            raise StartError(f"chdir {cwd}: {_words(error)}") from error
        try:
            pid = os.posix_spawn(
                path,
                list(argv),
                dict(env),
                file_actions=actions,
                **_LEADING[leads],
                setsigmask=(),
                setsigdef=_DEFAULT_SIGNALS,
            )
        except OSError as error:
            raise StartError(f"fork/exec {path}: {_words(error)}") from error
        except ValueError as error:  # a NUL in a word
            raise StartError(f"fork/exec {path}: invalid argument") from error
        finally:
            os.chdir(IDLE_DIRECTORY)
        # SIGCHLD is handled by the loop, in a later turn: the future is always there in time.
        self._waiting[pid] = future = self._loop.create_future()
        return Process(pid, future, leads_group=leads is not Leads.NOTHING)

    def close(self) -> None:
        """Stop collecting."""
        self._loop.remove_signal_handler(signals.SIGCHLD)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            future = self._waiting.pop(pid, None)
            if future is not None and not future.done():
                code = os.waitstatus_to_exitcode(status)
                future.set_result(128 - code if code < 0 else code)


def _words(error: OSError) -> str:
    """The kernel's words as Go writes them, all in lower case."""
    return os.strerror(error.errno or 0).lower()
