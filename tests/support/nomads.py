"""Agents to run against: the embedded one, and a real one where there is a `nomad`."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nomad_magic.agent import EmbeddedAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOBS = Path(__file__).parent.parent / "data" / "jobs"
JOB_FILES = ("runbook", "batch", "cachetwo")

CAPABILITIES = ("list-jobs", "read-job", "alloc-exec", "alloc-node-exec")
RIGHTS = {
    "everything": list(CAPABILITIES),
    **{f"no-{left}": [one for one in CAPABILITIES if one != left] for left in CAPABILITIES},
}
"""The tokens of an agent with ACL, and what each may do in the namespace `default`."""

AGENTS = ["embedded", *(["nomad"] if shutil.which("nomad") else [])]
"""What the conformance suite runs against."""

READY_SECONDS = 60.0
"""How long an agent may take until its jobs run; a real one waits 10 s until they are healthy."""


@dataclass(frozen=True)
class Agent:
    """An agent with the three job files running on it."""

    name: str
    environ: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)
    """What each token is for, to its secret; empty where no token is asked for."""

    @property
    def address(self) -> str:
        return self.environ["NOMAD_ADDR"]

    def get(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the agent something, or send it something, past the code that is tested."""
        request = urllib.request.Request(
            self.address + path,
            headers={"X-Nomad-Token": self.environ.get("NOMAD_TOKEN", "")},
            data=None if body is None else json.dumps(body).encode(),
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

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
def embedded(*, acl: Path | None = None) -> Iterator[Agent]:
    """Run the embedded agent with the three job files.

    Args:
        acl: Where to write its policy file, if it is to have tokens of different rights.
    """
    files = [JOBS / f"{name}.nomad.hcl" for name in JOB_FILES]
    tokens = {name: secrets.token_hex(16) for name in RIGHTS} if acl else {}
    if acl:
        entries = [
            {
                "name": name,
                "secret": tokens[name],
                "namespaces": {"default": rights},
                "node": "read",
            }
            for name, rights in RIGHTS.items()
        ]
        acl.write_text(json.dumps({"tokens": entries}))
    with EmbeddedAgent(files, acl=acl) as started:
        agent = Agent("embedded", dict(started.environment), tokens)
        until(agent.ready, seconds=READY_SECONDS, what="the jobs run on the embedded agent")
        yield agent


@contextmanager
def real(folder: Path, *, acl: bool = False) -> Iterator[Agent]:
    """Run a `nomad agent -dev` with the three job files, on ports of its own.

    Args:
        folder: For its configuration and its log.
        acl: It asks for a token; there are some of different rights.
    """
    program = shutil.which("nomad")
    assert program is not None
    http, rpc, serf = free_ports(3)
    config = folder / "agent.hcl"
    config.write_text(
        f"ports {{\n http = {http}\n rpc = {rpc}\n serf = {serf}\n}}\n"
        + ("acl {\n enabled = true\n}\n" if acl else "")
    )
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
            if acl:
                until(
                    lambda: _bootstrapped(agent, process),
                    seconds=READY_SECONDS,
                    what="nomad has a first token",
                )
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


def _bootstrapped(agent: Agent, process: subprocess.Popen[bytes]) -> bool:
    """Make the first token, then one for each of `RIGHTS`; whether that was possible by now."""
    assert process.poll() is None, "nomad ended by itself; its log says why"
    try:
        first = agent.get("/v1/acl/bootstrap", {})
    except OSError:
        return False
    agent.environ["NOMAD_TOKEN"] = first["SecretID"]
    for name, rights in RIGHTS.items():
        rules = (
            f'namespace "default" {{\n capabilities = {json.dumps(rights)}\n}}\n'
            'node {\n policy = "read"\n}\n'
        )
        agent.get(f"/v1/acl/policy/{name}", {"Name": name, "Rules": rules})
        token = agent.get("/v1/acl/token", {"Name": name, "Type": "client", "Policies": [name]})
        agent.tokens[name] = token["SecretID"]
    return True


def _has_node(agent: Agent, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "nomad ended by itself; its log says why"
    try:
        return any(node["Status"] == "ready" for node in agent.get("/v1/nodes"))
    except OSError:
        return False
