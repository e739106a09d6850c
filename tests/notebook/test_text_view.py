"""Plain IPython on a terminal: the action has the user's keys, as under the CLI."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from support.nomads import until
from support.scripted import scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.nomads import Agent

SERVER = "-job=cache -group=redis -task=server"
SCRIPT = """
import fcntl, signal, sys, termios
# As a shell starts it, whoever started these tests.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell(config=config, colors="nocolor")
shell.run_cell("%load_ext nomad_magic")
done = shell.run_cell("%nomad_action " + sys.argv[1])
print("left", getattr(done.error_in_exec, "exit_code", 0))
"""


class Screen:
    """The other end of a terminal."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.shown = b""
        self.process = process
        self._master = master

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def is_raw(self) -> bool:
        return not termios.tcgetattr(self._master)[3] & termios.ECHO

    def wait_for(self, text: bytes) -> None:
        """Read until a text was shown."""
        end = time.monotonic() + 30
        while text not in self.shown:
            ready, _, _ = select.select([self._master], [], [], end - time.monotonic())
            assert ready, self.shown
            try:
                data = os.read(self._master, 4096)
            except OSError:
                data = b""
            assert data, self.shown
            self.shown += data


@contextmanager
def terminal(agent: Agent | str, line: str) -> Iterator[Screen]:
    master, slave = pty.openpty()
    own = {"NOMAD_ADDR": agent} if isinstance(agent, str) else agent.environ
    environ = {**os.environ, **own, "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, line],
        stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield Screen(master, process)
        finally:
            process.kill()
            os.close(slave)
            os.close(master)


def test_keys_reach_the_action_and_the_action_alone(embedded_agent: Agent) -> None:
    """With a tty by default: what is typed is echoed once, by the remote terminal."""
    with terminal(embedded_agent, f"{SERVER} cat") as screen:
        until(screen.is_raw, seconds=30, what="the terminal is raw")
        screen.type(b"ping\r")
        screen.wait_for(b"ping\r\nping\r\n")
        screen.type(b"\x04")
        screen.wait_for(b"left 0\r\n")
        assert screen.shown == b"ping\r\nping\r\nleft 0\r\n"
        assert not screen.is_raw()


@pytest.mark.parametrize(
    ("keys", "left", "said"),
    [(b"\x03", b"left 130\r\n", b"ActionFailed"), (b"~.", b"left 1\r\n", b"Connection closed")],
    ids=["ctrl-c", "escape"],
)
def test_keys_that_end_an_action(
    embedded_agent: Agent, keys: bytes, left: bytes, said: bytes
) -> None:
    """As under the CLI: Ctrl-C goes to the action, and `~.` at a line's start ends the session."""
    with terminal(embedded_agent, f"{SERVER} forever") as screen:
        screen.wait_for(b"tick 1")
        screen.type(keys)
        screen.wait_for(left)
        assert said in screen.shown


def test_lines_reach_an_action_without_a_terminal(embedded_agent: Agent) -> None:
    """With -t=false whole lines go, and Ctrl-D ends them."""
    with terminal(embedded_agent, f"{SERVER} -t=false cat") as screen:
        screen.type(b"ping\n")
        screen.wait_for(b"ping\r\nping\r\n")
        screen.type(b"\x04")
        screen.wait_for(b"left 0")


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/job/cache/allocations", "/v1/job/cache/action"])
@pytest.mark.parametrize("tty", ["-t", "-t=false"])
def test_ctrl_c_before_the_session_is_open_ends_the_run(path: str, tty: str) -> None:
    """As under the CLI the terminal is still the user's: nothing is typed, nothing is started."""
    with scripted() as script:
        script.silent = path
        with terminal(script.address, f"{SERVER} {tty} hello") as screen:
            until(
                lambda: any(one.partition("?")[0] == path for one in script.requests),
                seconds=30,
                what=f"{path} is asked for",
            )
            assert not screen.is_raw()
            began = len(script.requests)
            screen.type(b"\x03")
            upgrade = path.endswith("/action")
            screen.wait_for(b"left 1\r\n" if upgrade else b"left 130\r\n")
            assert len(script.requests) == began


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_shell_leaves_its_terminal_as_it_was(
    embedded_agent: Agent, number: signal.Signals
) -> None:
    """In mid-run, while it is raw; the process dies of that signal."""
    with terminal(embedded_agent, f"{SERVER} forever") as screen:
        screen.wait_for(b"tick 1")
        assert screen.is_raw()
        screen.process.send_signal(number)
        assert screen.process.wait(20) == -number
        assert not screen.is_raw()


def test_notices_stand_on_stderr(embedded_agent: Agent) -> None:
    """Each once, before the output, and never among it."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("fcntl.ioctl", "(lambda *_: 0)"),
         f"{SERVER} -token=some-secret -t=false hello ignored words"],
        stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60,
        env={**os.environ, **embedded_agent.environ, "NOMAD_TOKEN": ""},
    )  # fmt: skip
    assert b"ignored words" not in done.stdout
    errors = done.stderr.decode()
    assert errors.count("Words after the action are ignored") == 1
    assert errors.count("-token is part of this line") == 1
    assert "some-secret" not in errors
