"""`jupyter console`, the real program at a real terminal: a front end without widgets."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from ipykernel.kernelspec import install
from support.nomads import until
from support.processes import title

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.nomads import Agent

SERVER = "-job=cache -group=redis -task=server"
SECONDS = 30.0
PROGRAM = """\
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv[0] = "jupyter-console"
runpy.run_module("jupyter_console", run_name="__main__")
"""
"""The terminal is its own, or a Ctrl-C typed there would interrupt nobody."""


class Console:
    """The program, and the terminal that it runs at."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 150, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "--simple-prompt", "--kernel=python3"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environ,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until a text comes; return all up to its end, which is then forgotten."""
        end = time.monotonic() + SECONDS
        while text not in self.shown:
            assert time.monotonic() < end, f"no {text!r} in {self.shown!r}"
            if not select.select([self.ours], [], [], 0.5)[0]:
                assert self.process.poll() is None, self.shown
                continue
            self.shown += os.read(self.ours, 1 << 16).decode(errors="replace")
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def close(self) -> None:
        family = [self.process, *psutil.Process(self.process.pid).children(recursive=True)]
        for one in family:
            one.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.fixture
def console(named_agent: Agent, tmp_path: Path) -> Iterator[Console]:
    install(prefix=str(tmp_path), kernel_name="python3")
    environ = {
        **os.environ,
        **named_agent.environ,
        "JUPYTER_PATH": str(tmp_path / "share" / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "TERM": "xterm",
    }
    made = Console(environ)
    yield made
    made.close()


def tickers() -> list[int]:
    return [
        one.pid
        for one in psutil.Process().children(recursive=True)
        if "tick $i" in " ".join(title(one))
    ]


def test_output_comes_and_ctrl_c_stops_the_action(console: Console) -> None:
    """The output is shown and the end is said; Ctrl-C ends the action, and no process is left."""
    console.wait_for("In [1]:")
    console.type("%load_ext nomad_magic\n")
    console.wait_for("In [2]:")
    console.type(f"r = %nomad_action {SERVER} hello\n")
    ended = console.wait_for("In [3]:")
    assert "\nhello" in ended.replace("\r", "")
    assert "exit 0 in" in ended
    console.type("print('the code:', r.exit_code)\n")
    console.wait_for("the code: 0\r\n")
    console.wait_for("In [4]:")
    console.type(f"r = %nomad_action {SERVER} forever\n")
    console.wait_for("tick 3")
    assert tickers()
    console.type("\x03")
    stopped = console.wait_for("In [5]:")
    assert "interrupted (exit 130) after" in stopped
    until(lambda: not tickers(), seconds=10, what="the action's process ends")
