"""The agent's start and end, and who may reach it."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
import trustme
from support.agent_client import Peer, alive, eventually, processes_below, raw_request
from support.processes import environ, title

from nomad_magic.agent import EmbeddedAgent
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable


PUBLIC = Path(__file__).parent.parent / "data" / "jobs" / "public"


def job_file(path: Path, *, task: dict[str, Any] | None = None, **job: Any) -> Path:
    action = {
        "Name": "daemon",
        "Command": "/bin/sh",
        "Args": ["-c", "trap '' TERM; setsid sh -c \"trap '' TERM; sleep 1000\" & echo $!; wait"],
    }
    one = {
        "Name": "t",
        "Driver": "raw_exec",
        "Actions": [action],
        "Config": {"command": "/bin/sh", "args": ["-c", "sleep 1000"]},
        **(task or {}),
    }
    path.write_text(
        json.dumps({"Job": {"ID": "j", "TaskGroups": [{"Name": "g", "Tasks": [one]}], **job}})
    )
    return path


def daemon(agent: EmbeddedAgent) -> int:
    """Start an action that leaves a process in a session of its own, deaf to SIGTERM."""
    with Peer(agent.address, agent.token) as peer:
        alloc = peer.allocation("j", "g")["ID"]
        session = peer.open("j", action="daemon", allocID=alloc, task="t", tty="false")
        session.until(b"\n")
        session.abort()
        return int(session.stdout)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(alive(process.pid) for process in processes)


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    """After `stop()` no process and no directory is left, whatever the actions left behind."""
    agent = EmbeddedAgent([job_file(tmp_path / "j.json")]).start()
    left = daemon(agent)
    assert agent.pid is not None
    below = processes_below(agent.pid)
    assert left in [process.pid for process in below]
    directory = next(process.cwd() for process in below if process.name() == "sleep")
    agent.stop()
    assert all_gone(below)
    assert not os.path.exists(directory)  # noqa: PTH110 - a string from psutil
    assert not agent.running
    assert agent.pid is None
    agent.stop()


def test_ends_with_its_parent(tmp_path: Path) -> None:
    """When the process that started it is killed, the agent ends by itself."""
    path = job_file(tmp_path / "j.json")
    code = (
        "import sys, time\nfrom nomad_magic.agent import EmbeddedAgent\n"
        f"print(EmbeddedAgent([{str(path)!r}]).start().pid, flush=True)\ntime.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        processes = [psutil.Process(pid), *processes_below(pid)]
        parent.kill()
    eventually(lambda: all_gone(processes))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command(tmp_path: Path, number: signal.Signals) -> None:
    """The command prints the two lines, and a signal ends it cleanly."""
    path = job_file(tmp_path / "j.json")
    argv = [sys.executable, "-m", "nomad_magic", "agent", str(path), "--token", "t0k"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip().removeprefix("NOMAD_ADDR=")
        assert process.stdout.readline() == "NOMAD_TOKEN=t0k\n"
        assert httpx.get(f"{address}/v1/jobs", headers={"X-Nomad-Token": "t0k"}).json()
        below = processes_below(process.pid)
        process.send_signal(number)
        assert process.wait(10) == 0
    assert all_gone(below)


def test_token_is_not_shown() -> None:
    """The token is random, and not in the repr, nor on any command line."""
    with EmbeddedAgent() as agent:
        assert len(agent.token) == 36
        assert agent.token not in repr(agent)
        assert agent.environment == {"NOMAD_ADDR": agent.address, "NOMAD_TOKEN": agent.token}
        assert agent.pid is not None
        for process in [psutil.Process(agent.pid), *processes_below(agent.pid)]:
            assert agent.token not in " ".join(title(process))
            assert agent.token not in str(environ(process))


def test_no_token(tmp_path: Path) -> None:
    """With --no-token everyone on this machine may do everything."""
    with EmbeddedAgent([job_file(tmp_path / "j.json")], no_token=True) as agent:
        assert agent.token == ""
        (notice,) = agent.notices
        assert notice.startswith("warning: --no-token: whoever reaches the address runs commands")
        assert httpx.get(f"{agent.address}/v1/jobs").status_code == 200


@pytest.mark.parametrize("kind", [str, Path, lambda path: [str(path)]])
def test_one_job_file_needs_no_list(tmp_path: Path, kind: Callable[[Path], Any]) -> None:
    """A path by itself is no sequence of its letters."""
    with EmbeddedAgent(kind(job_file(tmp_path / "j.json"))) as agent:
        assert agent.job_files == (tmp_path / "j.json",)
        assert agent.running
    values = kind(tmp_path / "values.hcl")
    (tmp_path / "values.hcl").write_text("x = 1\n")
    with pytest.raises(AgentError, match="declares a variable 'x'"):
        EmbeddedAgent(kind(tmp_path / "j.json"), var_files=values).start()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: EmbeddedAgent([p / "none.json"]), "No such file"),
        (lambda p: EmbeddedAgent([job_file(p / "j.json", Type="cron")]), "cron. jobs"),
        (lambda _: EmbeddedAgent(bind="0.0.0.0:0"), "loopback only"),
        (lambda _: EmbeddedAgent(bind="[::]:0"), "loopback only"),
        (lambda _: EmbeddedAgent(bind="127.0.0.1"), "expected HOST:PORT"),
        (lambda p: EmbeddedAgent(tls_cert=p), "need each other"),
        (lambda _: EmbeddedAgent(upgrade_delay=-1), "needs 0 to 3600 seconds"),
        (lambda _: EmbeddedAgent(upgrade_delay=float("nan")), "needs 0 to 3600 seconds"),
        (lambda p: EmbeddedAgent(acl=p, no_token=True), "no use"),
        (lambda p: EmbeddedAgent(acl=p / "none"), "No such file"),
    ],
)
def test_refusals(tmp_path: Path, make: Callable[[Path], EmbeddedAgent], words: str) -> None:
    """What it cannot do is an AgentError in its own words."""
    with pytest.raises(AgentError, match=words):
        make(tmp_path).start()


def test_port_in_use(agent: EmbeddedAgent) -> None:
    """A port that is taken is an error, not another port."""
    bind = agent.address.removeprefix("http://")
    with pytest.raises(AgentError, match="in use"):
        EmbeddedAgent(bind=bind).start()


def test_restart_policy(tmp_path: Path) -> None:
    """A task that keeps failing is started again, then given up; its allocation has failed."""
    path = job_file(
        tmp_path / "j.json",
        task={
            "Config": {"command": "/bin/false"},
            "RestartPolicy": {"Attempts": 2, "Delay": "20ms", "Mode": "fail"},
        },
    )
    with EmbeddedAgent([path]) as agent, Peer(agent.address, agent.token) as peer:
        stub = eventually(
            lambda: next(
                (s for s in [peer.allocation("j", "g")] if s["ClientStatus"] == "failed"), None
            )
        )
        state = stub["TaskStates"]["t"]
        assert (state["State"], state["Failed"], state["Restarts"]) == ("dead", True, 2)
        assert peer.get("/v1/job/j")["Status"] == "dead"


def test_task_that_cannot_start(tmp_path: Path) -> None:
    """A command that is not there is said on stderr."""
    path = job_file(
        tmp_path / "j.json",
        task={"Config": {"command": "/nonexistent"}, "RestartPolicy": {"Attempts": 0}},
    )
    with EmbeddedAgent([path]) as agent:
        eventually(lambda: "fork/exec /nonexistent: no such file" in agent.stderr)


def test_job_files_of_people(tmp_path: Path) -> None:
    """With --lenient and a variable they run, a system job among them, and say what is left out."""
    files = sorted(PUBLIC.glob("*.nomad.hcl"))
    values = tmp_path / "values.hcl"
    values.write_text('password = "s3cret"\ndomain = "from.file"\n')
    wanted = {"database": "orders"}
    with (
        EmbeddedAgent(files, lenient=True, variables=wanted, var_files=[values]) as agent,
        Peer(agent.address, agent.token) as peer,
    ):
        assert any(
            notice.endswith("group 'cache': left out: network, service") for notice in agent.notices
        )
        assert any("uses the exec driver" in notice for notice in agent.notices)
        assert {job["ID"]: job["Type"] for job in peer.get("/v1/jobs")}[
            "node-maintenance"
        ] == "system"

        def said(job: str, group: str, task: str, action: str) -> bytes:
            alloc = peer.allocation(job, group)["ID"]
            session = peer.open(job, action=action, allocID=alloc, task=task, tty="false")
            session.close_stdin()
            return session.finish().stdout

        assert said("postgres", "db", "server", "vacuum").startswith(b"VACUUM orders in /")
        assert said("shop", "web", "server", "url") == b"https://web.from.file\n"
        assert said("node-maintenance", "maintenance", "janitor", "disk").startswith(b"Filesystem")
        assert said("etl", "load", "load", "progress") == b"2024-01-31\n"
        eventually(lambda: len(peer.get("/v1/job/redis/allocations")) == 2)


@pytest.mark.parametrize(
    "job",
    [
        {"task": {"Name": "t" * 300}},
        {"task": {"Driver": "docker"}, "Region": "\ud800"},
        {"ID": "\ud800"},
        {"Region": {"a": [[[[[]]]]]}},
    ],
    ids=range(4),
)
def test_what_is_refused_leaves_nothing(tmp_path: Path, job: dict[str, Any]) -> None:
    """No traceback, and no directory."""
    path = job_file(tmp_path / "j.json", **job)
    argv = [sys.executable, "-m", "nomad_magic", "agent", str(path)]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    ran = subprocess.run(argv, capture_output=True, check=False, env=environ, text=True)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert str(path) in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["j.json"]


def test_no_room_for_its_directory(tmp_path: Path) -> None:
    """Where nothing can be made it says so, and where."""
    path = job_file(tmp_path / "j.json", task={"Name": "t" * 190})
    # A path that is long, but not too long for the folder itself.
    deep = tmp_path
    while len(str(deep)) < 3_900:
        deep /= "d" * 50
    deep.mkdir(parents=True)
    argv = [sys.executable, "-m", "nomad_magic", "agent", str(path)]
    environ = {**os.environ, "TMPDIR": str(deep)}
    ran = subprocess.run(argv, capture_output=True, check=False, env=environ, text=True)
    assert ran.returncode == 1
    assert ran.stderr.endswith(": File name too long\n")
    assert list(deep.iterdir()) == []


def test_exec_driver_warns(tmp_path: Path) -> None:
    """The exec driver runs without isolation, and the agent says so."""
    with EmbeddedAgent([job_file(tmp_path / "j.json", task={"Driver": "exec"})]) as agent:
        eventually(lambda: "without isolation" in agent.stderr)


def test_ipv6(tmp_path: Path) -> None:
    """It listens on the loopback of IPv6 too."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        # Asked of the machine, not of the agent, whose own failure must show.
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    running = EmbeddedAgent([job_file(tmp_path / "j.json")], bind="[::1]:0").start()
    with running as agent, Peer(agent.address, agent.token) as peer:
        assert "[::1]" in agent.address
        assert peer.get("/v1/jobs")


def test_unix_socket(tmp_path: Path) -> None:
    """A unix socket serves both HTTP and websockets, to this user only, and goes with the agent."""
    path = tmp_path / "agent.sock"
    with EmbeddedAgent([job_file(tmp_path / "j.json")], socket=path) as agent:
        assert agent.address == f"unix://{path}"
        assert path.stat().st_mode & 0o077 == 0
        with Peer(agent.address, agent.token) as peer:
            alloc = peer.allocation("j", "g")
            assert peer.get(f"/v1/node/{alloc['NodeID']}")["HTTPAddr"] == ""
            session = peer.open("j", action="nope", allocID=alloc["ID"], task="t", tty="false")
            assert session.finish().reason == "action nope not found in task t"
        with pytest.raises(AgentError, match="listens on it already"):
            EmbeddedAgent(socket=path).start()
    assert not path.exists()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("mutual", [False, True])
def test_tls(tmp_path: Path, authority: trustme.CA, mutual: bool) -> None:
    """TLS serves both; with a CA only to those who show a certificate; plain HTTP is told so."""
    server = authority.issue_cert("127.0.0.1", "localhost", "client.global.nomad")
    cert, key, ca = (tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem"))
    server.private_key_pem.write_to_path(str(key))
    for blob in server.cert_chain_pems:
        blob.write_to_path(str(cert), append=True)
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.create_default_context(cafile=str(ca))
    with EmbeddedAgent(
        [job_file(tmp_path / "j.json")], tls_cert=cert, tls_key=key, tls_ca=ca if mutual else None
    ) as agent:
        assert agent.address.startswith("https://")
        if mutual:
            with (
                Peer(agent.address, agent.token, context=context) as peer,
                pytest.raises(httpx.TransportError),
            ):
                peer.get("/v1/jobs")
            context = ssl.create_default_context(cafile=str(ca))
            authority.issue_cert("someone").configure_cert(context)
        with Peer(agent.address, agent.token, context=context) as peer:
            alloc = peer.allocation("j", "g")
            assert peer.get(f"/v1/node/{alloc['NodeID']}")["TLSEnabled"] is True
            session = peer.open("j", action="daemon", allocID=alloc["ID"], task="t", tty="true")
            session.until(b"\n")
            session.stdin(b"\x03")
            assert session.finish().exit_code == 130
        plain = raw_request(agent.address.replace("https", "http"), "GET / HTTP/1.0\r\n\r\n")
        assert b"400 Bad Request" in plain
        assert b"Client sent an HTTP request to an HTTPS server." in plain


def test_acl(tmp_path: Path) -> None:
    """Each capability opens what Nomad's own opens, and nothing more."""
    everything = ["list-jobs", "read-job", "alloc-exec", "alloc-node-exec"]
    policy = tmp_path / "acl.json"
    policy.write_text(
        json.dumps(
            {
                "tokens": [
                    {
                        "name": "all",
                        "secret": "all",
                        "namespaces": {"default": everything},
                        "node": "read",
                    },
                    *(
                        {
                            "name": left,
                            "secret": f"no {left}",
                            "namespaces": {"default": [c for c in everything if c != left]},
                        }
                        for left in everything
                    ),
                    {"name": "other", "secret": "other", "namespaces": {"other": everything}},
                    {
                        "name": "star",
                        "secret": "star",
                        "namespaces": {"*": ["list-jobs"], "other": []},
                    },
                ]
            }
        )
    )
    files = [
        job_file(tmp_path / "j.json"),
        job_file(tmp_path / "o.json", ID="j", Namespace="other"),
    ]
    with EmbeddedAgent(files, acl=policy, token="root") as agent:

        def status(secret: str, path: str) -> int:
            return httpx.get(agent.address + path, headers={"X-Nomad-Token": secret}).status_code

        def reason(secret: str) -> str:
            with Peer(agent.address, secret) as peer:
                return peer.open("j", action="nope", allocID=alloc["ID"], task="t").finish().reason

        with Peer(agent.address, "root") as root:
            alloc = root.allocation("j", "g")
            node = f"/v1/node/{alloc['NodeID']}"
            assert [n["Name"] for n in root.get("/v1/namespaces")] == ["default", "other"]
            assert len(root.get("/v1/jobs", namespace="*")) == 2
        with Peer(agent.address, "other") as other:
            assert [j["Namespace"] for j in other.get("/v1/jobs", namespace="*")] == ["other"]
        assert status("all", "/v1/jobs") == status("all", node) == 200
        assert status("no list-jobs", "/v1/jobs") == status("no list-jobs", node) == 403
        assert status("no list-jobs", "/v1/job/j/allocations") == 200
        for path in (
            "/v1/job/j/allocations",
            "/v1/allocations",
            "/v1/job/j",
            "/v1/job/j/actions",
            f"/v1/allocation/{alloc['ID']}",
        ):
            assert status("no read-job", path) == 403
        assert status("other", f"/v1/allocation/{alloc['ID']}?namespace=other") == 403
        assert status("star", "/v1/jobs") == 200
        assert status("star", "/v1/jobs?namespace=other") == 403
        assert status("no list-jobs", "/v1/jobs?namespace=*") == 403
        assert status("no read-job", "/v1/allocations?namespace=*") == 403
        assert reason("all") == "action nope not found in task t"
        for secret in ("no alloc-exec", "other", "unknown", ""):
            assert reason(secret) == "Permission denied"
        with Peer(agent.address, "no alloc-node-exec") as peer:
            session = peer.open("j", action="daemon", allocID=alloc["ID"], task="t").finish()
            assert (session.close_code, session.reason) == (1008, "Permission denied")


@pytest.mark.parametrize(
    "policy",
    [
        "{",
        "{}",
        '{"tokens": [{}]}',
        '{"tokens": [{"secret": "x", "rights": 1}]}',
        '{"tokens": [{"secret": "x", "namespaces": {"a": ["root"]}}]}',
        '{"tokens": [{"secret": "x", "node": "write"}]}',
        '{"tokens": [{"secret": "x", "agent": "write"}]}',
    ],
)
def test_bad_policy(tmp_path: Path, policy: str) -> None:
    """A policy file that is not understood whole is refused."""
    path = tmp_path / "acl.json"
    path.write_text(policy)
    with pytest.raises(AgentError, match=r"acl\.json"):
        EmbeddedAgent(acl=path).start()


def test_importing_is_light() -> None:
    """Importing the package brings in no aiohttp."""
    code = (
        "import sys, nomad_magic.agent as a; a.EmbeddedAgent; "
        "assert not {'aiohttp', 'IPython'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
