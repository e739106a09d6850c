"""Start and stop the embedded agent from Python, as a process of its own."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from nomad_magic.agent.reaper import descendants
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

PathLike = str | os.PathLike[str]

STOP_SECONDS: Final = 8.0
"""How long an agent may take to end before it is killed with all that is below it."""

_LINES: Final = 3
"""Address, token and notices: what an agent announces to the process that started it."""


class EmbeddedAgent:
    """The embedded agent in a child process.

    It is also a context manager, and is stopped at the latest when the interpreter ends.

    Args:
        job_files: What to run, one file or several; the demo job when empty.
        bind: `HOST:PORT`, loopback only; any free port of 127.0.0.1 when None.
        socket: A unix socket to listen on instead.
        token: The management token; a random one when None.
        no_token: Ask for no token.
        variables: Values of the job files' variables.
        var_files: A file with such values, or several.
        lenient: Leave out what has no effect here, instead of refusing the file; `notices` says
            what.
        acl: A policy file (see `nomad_magic.agent.acl`).
        tls_cert: The server's certificate, PEM; TLS is served with it.
        tls_key: Its key.
        tls_ca: Clients must show a certificate of this CA.
        upgrade_delay: Seconds before each exec session is opened, as by an agent that is slow or
            far away.

    Attributes:
        address: What to set `NOMAD_ADDR` to; empty before the start.
        token: What to set `NOMAD_TOKEN` to; never in the repr.
        notices: What it said when it started: what was left out, and its warnings.
    """

    def __init__(  # noqa: PLR0913 - one for each option of the command
        self,
        job_files: PathLike | Sequence[PathLike] = (),
        *,
        bind: str | None = None,
        socket: PathLike | None = None,
        token: str | None = None,
        no_token: bool = False,
        acl: PathLike | None = None,
        tls_cert: PathLike | None = None,
        tls_key: PathLike | None = None,
        tls_ca: PathLike | None = None,
        variables: Mapping[str, str] | None = None,
        var_files: PathLike | Sequence[PathLike] = (),
        lenient: bool = False,
        upgrade_delay: float = 0.0,
    ) -> None:
        self.address = ""
        self.token = ""
        self.notices: tuple[str, ...] = ()
        self.job_files = tuple(map(Path, _several(job_files)))
        options = {
            "--bind": bind,
            "--socket": socket,
            "--acl": acl,
            "--tls-cert": tls_cert,
            "--tls-key": tls_key,
            "--tls-ca": tls_ca,
        }
        self._argv = [sys.executable, "-m", "nomad_magic", "agent", "--with-parent"]
        for name, value in options.items():
            if value is not None:
                self._argv.append(f"{name}={os.fspath(value)}")
        self._argv += [f"--var={name}={value}" for name, value in (variables or {}).items()]
        self._argv += [f"--var-file={os.fspath(path)}" for path in _several(var_files)]
        if lenient:
            self._argv.append("--lenient")
        if upgrade_delay:
            self._argv.append(f"--upgrade-delay={upgrade_delay}")
        if no_token:
            self._argv.append("--no-token")
        self._argv += ["--", *map(str, self.job_files)]
        self._wanted_token = token or ""
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: list[bytes] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        state = f"at {self.address}" if self.running else "not running"
        return f"<EmbeddedAgent {state}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process to signal; None when it does not run."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs: `NOMAD_ADDR` and `NOMAD_TOKEN`."""
        return {"NOMAD_ADDR": self.address, "NOMAD_TOKEN": self.token}

    @property
    def stderr(self) -> str:
        """What it has said on stderr so far: its warnings."""
        return b"".join(self._stderr).decode(errors="replace")

    def start(self, timeout: float = 30.0) -> Self:
        """Start it; returns when all its tasks are started and its address answers.

        Args:
            timeout: Seconds; then it is stopped again.

        Raises:
            AgentError: It did not start; the words are its own.
        """
        with self._lock:
            if self.running:
                return self
            self._stderr = []
            # A session of its own: an interrupt of a kernel's group is not meant for it.
            process = subprocess.Popen(  # noqa: S603 - our own module, with our own interpreter
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._process = process
            atexit.register(self.stop)
        lines: list[bytes] = []
        ready = threading.Event()
        listening = threading.Thread(target=_read_lines, args=(process, lines, ready), daemon=True)
        noting = threading.Thread(target=_read_all, args=(process, self._stderr), daemon=True)
        for reader in (listening, noting):
            reader.start()
        with contextlib.suppress(OSError):
            assert process.stdin is not None  # noqa: S101 - for the type checker; it is a pipe
            process.stdin.write(self._wanted_token.encode() + b"\n")
            process.stdin.flush()
        in_time = ready.wait(timeout)
        if len(lines) < _LINES:
            self.stop()
            # It is gone, and what it said last may not have been read yet.
            noting.join(STOP_SECONDS)
            said = self.stderr.strip()
            if not in_time:
                said = f"the embedded agent was not ready after {timeout:g} s\n{said}".strip()
            words, _, hint = (said or "the embedded agent ended at once").partition("\n")
            raise AgentError(words, hint=hint)
        values = [line.decode().rstrip("\n").partition("=")[2] for line in lines]
        self.address, self.token, notices = values
        self.notices = tuple(json.loads(notices))
        return self

    def stop(self) -> None:
        """End it and all that it started; returns when they are gone.  Any number of times."""
        with self._lock:
            process = self._process
            atexit.unregister(self.stop)
            if process is None:
                return
            if process.poll() is None:
                process.terminate()
                process.send_signal(signal.SIGCONT)  # it may be stopped
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _kill_all(process)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None and pipe is not process.stderr:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self.address = self.token = ""
            self.notices = ()
            self._process = None


def _several(paths: PathLike | Sequence[PathLike]) -> Sequence[PathLike]:
    # A text is a sequence of its letters, too.
    return (paths,) if isinstance(paths, str | os.PathLike) else paths


def _read_lines(
    process: subprocess.Popen[bytes], lines: list[bytes], done: threading.Event
) -> None:
    assert process.stdout is not None  # noqa: S101 - for the type checker; it is a pipe
    for _ in range(_LINES):
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            break
        lines.append(line)
    done.set()


def _read_all(process: subprocess.Popen[bytes], kept: list[bytes]) -> None:
    """Keep what comes; the pipe must never fill, or the agent would wait for us."""
    assert process.stderr is not None  # noqa: S101 - for the type checker; it is a pipe
    with process.stderr:
        for line in process.stderr:
            kept.append(line)
            del kept[:-200]


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    below = descendants(process.pid)
    while time.monotonic() < deadline:
        for pid in [*below, process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            return
