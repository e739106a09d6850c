"""However the agent ends, nothing of it is left: no process, and no directory."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest
from support.agent_client import Peer, alive, eventually, processes_below, processes_of

from nomad_magic.agent import EmbeddedAgent
from nomad_magic.agent.reaper import remove_tree
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guards need prctl")

# A daemon as daemons are made: forked twice, a session of its own, an environment of its own.
DAEMON = (
    "trap '' TERM HUP INT QUIT; "
    "(env -i /usr/bin/setsid /bin/sh -c \"trap '' TERM HUP INT QUIT; sleep 1000\" &); "
)
JOB = {
    "ID": "j",
    "TaskGroups": [
        {
            "Name": "g",
            "Tasks": [
                {
                    "Name": "server",
                    "Driver": "raw_exec",
                    "Config": {"command": "/bin/sh", "args": ["-c", DAEMON + "sleep 1000"]},
                    "Actions": [
                        {
                            "Name": "daemon",
                            "Command": "/bin/sh",
                            "Args": ["-c", DAEMON + "echo ready; sleep 1000"],
                        }
                    ],
                }
            ],
        }
    ],
}
SLEEPERS = 2 * 3
"""Of the task and of the two actions: each its own, and its daemon's."""


class Agent(NamedTuple):
    """What is there before the end."""

    outer: int
    inner: int
    server: int

    def kill(self, number: int, *names: str) -> None:
        for name in names:
            os.kill(getattr(self, name), number)


WAYS: dict[str, Callable[[Agent], None]] = {
    **{
        f"{name} to its group": lambda agent, name=name: os.killpg(  # type: ignore[misc]
            agent.outer, signal.Signals[name]
        )
        for name in ("SIGINT", "SIGQUIT", "SIGKILL")
    },
    **{
        f"SIGKILL of {' and '.join(names)}": lambda agent, names=names: agent.kill(  # type: ignore[misc]
            signal.SIGKILL, *names
        )
        for names in (
            ("outer",),
            ("inner",),
            ("server",),
            ("outer", "inner"),
            ("outer", "server"),
            ("inner", "server"),
        )
    },
    **{
        f"SIGSTOP of {stopped}, {number.name} of {ended}": (
            lambda agent, stopped=stopped, number=number, ended=ended: (  # type: ignore[misc]
                agent.kill(signal.SIGSTOP, stopped),
                agent.kill(number, ended),
            )
        )
        for stopped, number, ended in (
            ("server", signal.SIGTERM, "outer"),
            ("server", signal.SIGKILL, "inner"),
            ("inner", signal.SIGTERM, "outer"),
            ("inner", signal.SIGTERM, "server"),
            ("inner", signal.SIGKILL, "server"),
            ("outer", signal.SIGTERM, "server"),
        )
    },
}


def sleeping(pid: int) -> list[psutil.Process]:
    """Return all processes below one when all sleepers are there, else none."""
    found = processes_below(pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        if sum(process.name() == "sleep" for process in found) == SLEEPERS:
            return found
    return []


def end(folder: Path, way: Callable[[Agent], None]) -> list[str]:
    """Start an agent, end it in some way; return what is left."""
    folder.mkdir()
    path = folder / "job.json"
    path.write_text(json.dumps({"Job": JOB}))
    agent = EmbeddedAgent([path]).start()
    parts = Agent(*(process.pid for process in processes_of(agent)))
    with Peer(agent.address, agent.token) as peer:
        alloc = peer.allocation("j", "g")["ID"]
        for tty in ("false", "true"):
            session = peer.open("j", action="daemon", allocID=alloc, task="server", tty=tty)
            session.until(b"ready")
            session.abort()
    directory = Path(psutil.Process(parts.server).children()[0].cwd()).parent.parent
    assert directory.name.startswith("nomad-magic-agent-")
    below = eventually(lambda: sleeping(parts.outer))
    way(parts)
    try:
        eventually(lambda: not any(alive(process.pid) for process in below))
        eventually(lambda: not directory.exists())
        eventually(lambda: not agent.running)
    except AssertionError:
        left = [process for process in [*below, psutil.Process(parts.outer)] if alive(process.pid)]
        said = [f"{process.pid} {process.name()} {process.status()}" for process in left]
        for process in left:
            process.kill()
        return [*said, *([str(directory)] if directory.exists() else [])]
    finally:
        agent.stop()
    return []


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is left after each way, tried side by side: most of each is waiting."""
    folder = tmp_path_factory.mktemp("ends")
    with ThreadPoolExecutor(len(WAYS)) as pool:
        made = [
            pool.submit(end, folder / str(number), way) for number, way in enumerate(WAYS.values())
        ]
        return {name: one.result() for name, one in zip(WAYS, made, strict=True)}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left(left: dict[str, list[str]], way: str) -> None:
    """Two of the three may be killed, or one stopped and another ended, in any way."""
    assert left[way] == []


def test_a_closed_terminal_ends_it(tmp_path: Path) -> None:
    """The terminal that it was started in is closed: it ends, and all below it."""
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"Job": JOB}))
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "nomad_magic", "agent", str(path)]
    # setsid makes the agent the terminal's owner, as a shell would.
    with subprocess.Popen(
        ["/usr/bin/setsid", "--ctty", *argv], stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b""
        while b"NOMAD_TOKEN" not in said:
            said += os.read(ours, 4096)
        below = processes_below(process.pid)
        assert below
        os.close(ours)
        eventually(lambda: not any(alive(one.pid) for one in below))
        process.wait(10)


def pending(pid: int, number: int) -> bool:
    """Whether a signal waits for a process to take it, from proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    waiting = next(line.split()[1] for line in lines if line.startswith("ShdPnd:"))
    return bool(int(waiting, 16) >> (number - 1) & 1)


def test_nohup(tmp_path: Path) -> None:
    """Under nohup the end of the terminal is not its end."""
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"Job": JOB}))
    argv = ["nohup", sys.executable, "-m", "nomad_magic", "agent", str(path)]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip().removeprefix("NOMAD_ADDR=")
        token = process.stdout.readline().strip().removeprefix("NOMAD_TOKEN=")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: not pending(process.pid, signal.SIGHUP))
        # One that is about to end takes no new connections.
        for _ in range(20):
            with Peer(address, token) as peer:
                assert peer.get("/v1/jobs")
        process.terminate()
        assert process.wait(10) == 0


def test_a_killed_agent_leaves_no_socket(tmp_path: Path) -> None:
    """Its unix socket goes with it; that of another agent stays."""
    path, address = tmp_path / "job.json", tmp_path / "agent.sock"
    path.write_text(json.dumps({"Job": JOB}))
    agent = EmbeddedAgent([path], socket=address).start()
    with pytest.raises(AgentError, match="listens on it already"):
        EmbeddedAgent([path], socket=address).start()
    assert address.exists()
    processes_of(agent)[-1].kill()
    eventually(lambda: not agent.running)
    assert not address.exists()
    agent.stop()


def test_a_directory_that_a_task_has_locked_is_removed(tmp_path: Path) -> None:
    """What is in a directory without any right goes with it."""
    locked = tmp_path / "root" / "locked" / "more"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    locked.chmod(0)
    locked.parent.chmod(0)
    remove_tree(tmp_path / "root")
    assert not (tmp_path / "root").exists()


AT_THE_LAST = """
import asyncio, os, signal, sys
from nomad_magic.agent import cli
close = asyncio.SelectorEventLoop._close_self_pipe
def closed(loop):
    close(loop)
    os.kill(os.getpid(), signal.{signal})
asyncio.SelectorEventLoop._close_self_pipe = closed
sys.exit(cli.main([]))
"""


@pytest.mark.parametrize("name", ["SIGCHLD", "SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_at_the_last_says_nothing(name: str) -> None:
    """The end of a process, or a second Ctrl-C, while the event loop closes.

    asyncio has closed by then what the signal would wake it with.  The time in which that shows
    is some microseconds, so the signal is sent in it.
    """
    argv = [sys.executable, "-c", AT_THE_LAST.format(signal=name)]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("NOMAD_ADDR=")
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert (said, process.returncode) == ("", 0)
