"""Agents to run against: the embedded one, and a real one where there is a `nomad`."""

from __future__ import annotations

import functools
import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nomad_magic.agent import EmbeddedAgent
from support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from support.certificates import Certificates

JOBS = Path(__file__).parent.parent / "data" / "jobs"
JOB_FILES = tuple(JOBS / f"{name}.nomad.hcl" for name in ("runbook", "batch", "cachetwo"))

CAPABILITIES = ("list-jobs", "read-job", "alloc-exec", "alloc-node-exec")

AGENTS = ["embedded", *(["nomad"] if shutil.which("nomad") else [])]
"""What the conformance suite runs against."""

LIKE = (2, 0, 6)
"""The version of Nomad that the embedded agent answers as."""

READY_SECONDS = 60.0
"""How long an agent may take until it does what a test needs."""


@functools.cache
def version_of(name: str) -> tuple[int, ...]:
    """Return the version of one of `AGENTS`; of a real one, and of its CLI, its three numbers."""
    if name == "embedded":
        return LIKE
    said = subprocess.run(["nomad", "version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"Nomad v(\d+)\.(\d+)\.(\d+)", said)
    assert found, said
    return tuple(map(int, found.groups()))


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

    @property
    def version(self) -> tuple[int, ...]:
        """What a case may ask for where versions of Nomad differ."""
        return version_of(self.name)

    def get(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the agent something, or send it something, past the code that is tested."""
        request = urllib.request.Request(
            self.address + path,
            headers={"X-Nomad-Token": self.environ.get("NOMAD_TOKEN", "")},
            data=None if body is None else json.dumps(body).encode(),
        )
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.address.startswith("https:"):
            context = ssl.create_default_context(cafile=self.environ["NOMAD_CACERT"])
            context.load_cert_chain(
                self.environ["NOMAD_CLIENT_CERT"], self.environ["NOMAD_CLIENT_KEY"]
            )
            handlers.append(urllib.request.HTTPSHandler(context=context))
        opener = urllib.request.build_opener(*handlers)
        with opener.open(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def allocations(self, job: str, group: str) -> list[str]:
        """Return the ids of a group's running allocations."""
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


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What an agent is started with, of either kind."""

    jobs: Sequence[Path] = JOB_FILES
    """In HCL, or in the JSON of the API."""
    ready: Callable[[Agent], bool] = Agent.ready
    """Whether the jobs run."""
    ready_seconds: float = READY_SECONDS
    """How long that may take; a real agent waits 10 s until they are healthy."""
    rights: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """Tokens: what each may do, in each namespace.  With none, no token is asked for."""
    policies: Mapping[str, str] = field(default_factory=dict)
    """More tokens: what each may do, in Nomad's own words."""
    namespaces: Sequence[str] = ()
    """Those beside `default`."""
    certificates: Certificates | None = None
    """It serves TLS, and wants a client's certificate."""

    @property
    def rules(self) -> dict[str, str]:
        """What each token may do, in Nomad's own words."""
        made = {}
        for name, rights in self.rights.items():
            made[name] = "".join(
                f'namespace "{namespace}" {{\n capabilities = {json.dumps(list(given))}\n}}\n'
                for namespace, given in rights.items()
            )
            made[name] += 'node {\n policy = "read"\n}\n'
        return made | dict(self.policies)


PLAIN = Setup()


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait for something that has no event to wait on; fail when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def late(seconds: float) -> None:
    """Be away for so long: what becomes due meanwhile goes by the clock, and tells nobody."""
    due = time.monotonic() + seconds
    until(lambda: time.monotonic() > due, seconds=seconds + 5, what="all is due")


@contextmanager
def either(name: str, folder: Path, setup: Setup = PLAIN) -> Iterator[Agent]:
    """Run one of `AGENTS`.

    Args:
        name: Which.
        folder: For what it is configured by.
        setup: What is to be on it.
    """
    with embedded(folder, setup) if name == "embedded" else real(folder, setup) as agent:
        yield agent


@contextmanager
def embedded(folder: Path | None = None, setup: Setup = PLAIN) -> Iterator[Agent]:
    """Run the embedded agent.

    Args:
        folder: For its policy file; only with `setup.rights`.
        setup: What is to be on it.
    """
    tokens = {name: secrets.token_hex(16) for name in setup.rules}
    acl = None
    if tokens:
        assert folder is not None
        entries = [
            {"name": name, "secret": tokens[name], **_rights(rules)}
            for name, rules in setup.rules.items()
        ]
        acl = folder / "acl.json"
        acl.write_text(json.dumps({"tokens": entries}))
    certificates = setup.certificates
    cert, key = certificates.server if certificates else (None, None)
    with EmbeddedAgent(
        setup.jobs,
        acl=acl,
        tls_cert=cert,
        tls_key=key,
        tls_ca=certificates.ca if certificates else None,
    ) as started:
        more = certificates.environ if certificates else {}
        agent = Agent("embedded", {**started.environment, **more}, tokens)
        until(
            lambda: setup.ready(agent),
            seconds=setup.ready_seconds,
            what="the jobs run on the embedded agent",
        )
        yield agent


@contextmanager
def real(folder: Path, setup: Setup = PLAIN) -> Iterator[Agent]:
    """Run a `nomad agent -dev` on ports of its own.

    Args:
        folder: For its configuration and its log.
        setup: What is to be on it.
    """
    http, rpc, serf = free_ports(3)
    scheme, more = "http", dict[str, str]()
    if setup.certificates:
        scheme, more = "https", setup.certificates.environ
    agent = Agent("nomad", {"NOMAD_ADDR": f"{scheme}://127.0.0.1:{http}", **more})
    config = folder / "agent.hcl"
    config.write_text(
        f"ports {{\n http = {http}\n rpc = {rpc}\n serf = {serf}\n}}\n" + _settings(setup)
    )
    program = shutil.which("nomad")
    assert program is not None
    # Nothing of ours in its environment: it would reach the tasks.
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # Tasks and actions inherit it; the recordings were made on an xterm.
    environ["TERM"] = "xterm"
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
            if setup.rules:
                until(
                    lambda: _bootstrapped(agent, process, setup),
                    seconds=READY_SECONDS,
                    what="nomad has a first token",
                )
            until(lambda: _has_node(agent, process), seconds=READY_SECONDS, what="nomad has a node")
            for namespace in setup.namespaces:
                agent.get("/v1/namespace", {"Name": namespace})
            for path in setup.jobs:
                form = ["-json"] if path.suffix == ".json" else []
                submitted = subprocess.run(
                    [program, "job", "run", "-detach", *form, str(path)],
                    check=False,
                    capture_output=True,
                    text=True,
                    stdin=subprocess.DEVNULL,
                    env={**environ, **agent.environ},
                )
                assert submitted.returncode == 0, submitted.stderr
            until(
                lambda: setup.ready(agent),
                seconds=setup.ready_seconds,
                what="the jobs run on nomad",
            )
            yield agent
        finally:
            process.terminate()


def _rights(rules: str) -> dict[str, Any]:
    """Return what Nomad's words for a policy are to the embedded agent."""
    blocks = re.findall(r'^(\w+)(?: "([^"]*)")? \{(.*?)^\}', rules, re.MULTILINE | re.DOTALL)
    made: dict[str, Any] = {"namespaces": {}}
    for kind, name, body in blocks:
        value = body.partition("=")[2]
        if kind == "namespace":
            made["namespaces"][name] = json.loads(value)
        else:
            made[kind] = json.loads(value)
    return made


def _settings(setup: Setup) -> str:
    """Return what a real agent's configuration says of ACL and TLS."""
    text = "acl {\n enabled = true\n}\n" if setup.rules else ""
    if setup.certificates:
        cert, key = setup.certificates.server
        text += (
            "tls {\n http = true\n verify_https_client = true\n"
            f' ca_file = "{setup.certificates.ca}"\n'
            f' cert_file = "{cert}"\n key_file = "{key}"\n}}\n'
        )
    return text


def _bootstrapped(agent: Agent, process: subprocess.Popen[bytes], setup: Setup) -> bool:
    """Make the first token, then those of the setup; whether that was possible by now."""
    assert process.poll() is None, "nomad ended by itself; its log says why"
    try:
        first = agent.get("/v1/acl/bootstrap", {})
    except OSError:
        return False
    agent.environ["NOMAD_TOKEN"] = first["SecretID"]
    for name, rules in setup.rules.items():
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
