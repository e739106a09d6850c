"""Agents to run against: the embedded one, and a real one where there is a `nomad`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nomad_magic.agent import EmbeddedAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOBS = Path(__file__).parent.parent / "data" / "jobs"
JOB_FILES = ("runbook", "batch", "cachetwo")

READY_SECONDS = 60.0
"""How long an agent may take until its jobs run; a real one waits 10 s until they are healthy."""


@dataclass(frozen=True)
class Agent:
    """An agent with the three job files running on it."""

    name: str
    environ: dict[str, str]

    @property
    def address(self) -> str:
        return self.environ["NOMAD_ADDR"]

    def get(self, path: str) -> Any:
        """Ask the agent something, past the code that is tested."""
        request = urllib.request.Request(
            self.address + path, headers={"X-Nomad-Token": self.environ.get("NOMAD_TOKEN", "")}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)

    def allocations(self, job: str, group: str) -> list[str]:
        """Give the ids of a group's running allocations."""
        return [
            stub["ID"]
            for stub in self.get(f"/v1/job/{job}/allocations")
            if stub["TaskGroup"] == group and stub["ClientStatus"] == "running"
        ]

    def ready(self) -> bool:
        """Whether the jobs are where the tests expect them."""
        nightly = self.get("/v1/job/nightly/allocations")
        return (
            len(self.allocations("cache", "redis")) == 3
            and len(self.allocations("cache", "single")) == 1
            and len(self.allocations("cache-two", "g")) == 1
            and [stub["ClientStatus"] for stub in nightly] == ["complete"]
        )


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait for something that has no event to wait on; fail when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """Give ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def embedded() -> Iterator[Agent]:
    """Run the embedded agent with the three job files."""
    with EmbeddedAgent([JOBS / f"{name}.nomad.hcl" for name in JOB_FILES]) as started:
        agent = Agent("embedded", dict(started.environment))
        until(agent.ready, seconds=READY_SECONDS, what="the jobs run on the embedded agent")
        yield agent


@contextmanager
def real(folder: Path) -> Iterator[Agent]:
    """Run a `nomad agent -dev` with the three job files, on ports of its own.

    Args:
        folder: For its configuration and its log.
    """
    program = shutil.which("nomad")
    assert program is not None
    http, rpc, serf = free_ports(3)
    config = folder / "ports.hcl"
    config.write_text(f"ports {{\n http = {http}\n rpc = {rpc}\n serf = {serf}\n}}\n")
    # Nothing of ours in its environment: it would reach the tasks.
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # Tasks and actions inherit it; the recordings were made on an xterm.
    environ["TERM"] = "xterm"
    agent = Agent("nomad", {"NOMAD_ADDR": f"http://127.0.0.1:{http}"})
    with (
        (folder / "nomad.log").open("wb") as log,
        subprocess.Popen(
            [program, "agent", "-dev", "-bind", "127.0.0.1", "-config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environ,
        ) as process,
    ):
        try:
            until(lambda: _has_node(agent, process), seconds=READY_SECONDS, what="nomad has a node")
            for name in JOB_FILES:
                subprocess.run(
                    [program, "job", "run", "-detach", str(JOBS / f"{name}.nomad.hcl")],
                    check=True,
                    capture_output=True,
                    stdin=subprocess.DEVNULL,
                    env={**environ, **agent.environ},
                )
            until(agent.ready, seconds=READY_SECONDS, what="the jobs run on nomad")
            yield agent
        finally:
            process.terminate()


def _has_node(agent: Agent, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "nomad ended by itself; its log says why"
    try:
        return any(node["Status"] == "ready" for node in agent.get("/v1/nodes"))
    except OSError:
        return False
