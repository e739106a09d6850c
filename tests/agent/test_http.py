"""The HTTP API, held against recorded answers of a real agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.agent_client import eventually, raw_request

if TYPE_CHECKING:
    from agent_client import Peer

    from nomad_magic.agent import EmbeddedAgent

RECORDED = Path(__file__).parent.parent / "data" / "http"
ODD = "we/ird+%41+jób"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


def missing(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """The fields of a recorded answer that ours does not have."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = [f"{path}.{key}" for key in theirs if key not in ours]
        for key in theirs.keys() & ours.keys():
            found += missing(ours[key], theirs[key], f"{path}.{key}")
        return found
    if isinstance(theirs, list) and isinstance(ours, list) and theirs and ours:
        return missing(ours[0], theirs[0], f"{path}[]")
    return []


def test_jobs(peer: Peer) -> None:
    """The list of jobs has every recorded field, and is in the order of the ids."""
    ours = peer.get("/v1/jobs", prefix="cache", per_page="20")
    theirs = recorded("jobs-prefix")["body"]
    assert missing(ours, theirs) == []
    assert [job["ID"] for job in ours] == ["cache", "cache-two"]
    for job in ours:
        assert job["JobSummary"]["Namespace"] == "default"
    assert ours[0]["JobSummary"]["Summary"]["redis"]["Running"] == 3
    assert [job["ID"] for job in peer.get("/v1/jobs")] == ["cache", "cache-two", "nightly", ODD]
    assert len(peer.get("/v1/jobs", per_page="1")) == 1
    assert peer.get("/v1/jobs", prefix="nope") == []
    assert peer.get("/v1/jobs", namespace="nons") == []
    assert len(peer.get("/v1/jobs", namespace="*")) == 4


def test_job(peer: Peer) -> None:
    """A job has every recorded field, down to its tasks."""
    ours, theirs = peer.get("/v1/job/cache"), recorded("job")["body"]
    unused = {".VersionTag"}
    assert set(missing(ours, theirs)) <= unused
    for group, other in zip(ours["TaskGroups"], theirs["TaskGroups"], strict=True):
        assert (group["Name"], group["Count"]) == (other["Name"], other["Count"])
        for task, one in zip(group["Tasks"], other["Tasks"], strict=True):
            for key in ("Name", "Driver", "Actions", "Config", "Lifecycle", "Env"):
                assert task[key] == one[key], key


def test_job_allocations(peer: Peer) -> None:
    """The stubs have every recorded field."""
    ours = peer.get("/v1/job/cache/allocations", all="false")
    assert missing(ours, recorded("job-allocations")["body"]) == []
    assert {stub["Name"] for stub in ours} == {
        "cache.redis[0]",
        "cache.redis[1]",
        "cache.redis[2]",
        "cache.single[0]",
    }
    assert peer.get("/v1/job/none/allocations") == []


def test_allocation(peer: Peer) -> None:
    """An allocation has what a client needs of the recorded one."""
    stub = peer.allocation("cache", "single")
    ours = peer.get(f"/v1/allocation/{stub['ID']}", namespace="default")
    lost = missing(ours, recorded("allocation")["body"])
    placement = (
        "AllocatedResources",
        "Deployment",
        "Metrics",
        "SharedResources",
        "SigningKey",
        "Resources",
        "NetworkStatus",
    )
    assert [
        field for field in lost if not field.startswith(tuple(f".{p}" for p in placement))
    ] == []
    assert ours["Job"]["TaskGroups"] == peer.get("/v1/job/cache")["TaskGroups"]
    assert ours["TaskStates"]["only"]["State"] == "running"


def test_finished_and_prestart(peer: Peer) -> None:
    """A batch job that is done is complete and dead; a prestart task is dead beside its main."""
    stub = eventually(
        lambda: next(
            (s for s in peer.get("/v1/job/nightly/allocations") if s["ClientStatus"] == "complete"),
            None,
        )
    )
    assert stub["TaskStates"]["once"]["State"] == "dead"
    assert not stub["TaskStates"]["once"]["Failed"]
    assert peer.get("/v1/job/nightly")["Status"] == "dead"
    states = peer.allocation("cache-two", "g")["TaskStates"]
    assert (states["pre"]["State"], states["main"]["State"]) == ("dead", "running")


def test_allocations_by_prefix(peer: Peer) -> None:
    """A prefix finds it, whatever its case; what is no prefix is refused in Nomad's words."""
    alloc = peer.allocation("cache", "single")["ID"]
    for prefix in (alloc, alloc[:8], alloc[:8].upper()):
        assert alloc in [stub["ID"] for stub in peer.get("/v1/allocations", prefix=prefix)]
    assert (
        missing(
            peer.get("/v1/allocations", prefix=alloc[:8]), recorded("allocations-prefix")["body"]
        )
        == []
    )


@pytest.mark.parametrize(
    "name",
    [
        "agent-self-notfound",
        "allocations-badprefix",
        "job-actions-unknown",
        "node-notfound",
        "evaluate-missing",
        "action-without-upgrade",
    ],
)
def test_errors_as_recorded(http: httpx.Client, name: str) -> None:
    """Status, words and headers of an error are the recorded ones."""
    record = recorded(name)
    answer = http.get(record["request"].partition(" ")[2])
    assert (answer.status_code, answer.text) == (record["status"], record["body"])
    for header, value in record["headers"].items():
        if header != "X-Nomad-Index":
            assert answer.headers[header] == value, header


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/job/none", 404, "job not found"),
        ("/v1/job/none/versions", 404, "job versions not found"),
        ("/v1/allocation/zz", 500, "alloc lookup failed: index error: UUID must be 36 characters"),
        ("/v1/node/zz", 500, "node lookup failed: index error: UUID must be 36 characters"),
        (
            "/v1/allocations?prefix=fc8",
            500,
            "alloc lookup failed: index error: Input (without hyphens) must be even length",
        ),
        ("/v1/jobs?per_page=x", 400, "Expect a number for `per_page` query string parameter"),
        ("/v1/jobs?region=mars", 500, "No path to region"),
        ("/v1/job/cache?region=mars", 500, "No path to region"),
    ],
)
def test_errors(http: httpx.Client, path: str, status: int, words: str) -> None:
    """Further errors in the real agent's words."""
    answer = http.get(path)
    assert (answer.status_code, answer.text) == (status, words)


def test_small_answers(peer: Peer, agent: EmbeddedAgent) -> None:
    """Regions, leader, namespaces, nodes, versions and the agent itself."""
    assert peer.get("/v1/regions", region="global") == ["global"]
    assert peer.get("/v1/status/leader") == agent.address.removeprefix("http://")
    (namespace,) = peer.get("/v1/namespaces")
    assert missing(namespace, recorded("namespaces")["body"][0]) == []
    (stub,) = peer.get("/v1/nodes")
    node = peer.get(f"/v1/node/{stub['ID']}")
    assert missing(node, recorded("node")["body"]) == []
    assert node["HTTPAddr"] == agent.address.removeprefix("http://")
    assert (node["Status"], node["TLSEnabled"]) == ("ready", False)
    assert peer.get("/v1/job/cache/versions")["Versions"][0]["Version"] == 0
    assert peer.get("/v1/agent/self")["config"]["Region"] == "global"


def test_headers(http: httpx.Client) -> None:
    """Nomad's headers are there, and gzip when it is asked for."""
    answer = http.get("/v1/jobs", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["X-Nomad-Knownleader"] == "true"
    assert int(answer.headers["X-Nomad-Index"]) > 0
    plain = http.get("/v1/jobs", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == answer.json()
    assert http.put("/v1/jobs", json={}).status_code == 405


def test_any_job_id(peer: Peer) -> None:
    """An id is any text: its path segment is decoded once."""
    assert peer.get("/v1/job/we%2Fird%2B%2541%2Bj%C3%B3b")["ID"] == ODD
    (stub,) = peer.get("/v1/job/we%2Fird%2B%2541%2Bj%C3%B3b/allocations")
    assert stub["JobID"] == ODD
    assert peer.get("/v1/jobs", prefix="we/ird+%41")[0]["ID"] == ODD


@pytest.mark.parametrize("token", [None, b"nope", b"", "é".encode(), b"\xff\xfe", b"\xed\xa0\x80"])
def test_no_token_no_answer(agent: EmbeddedAgent, token: bytes | None) -> None:
    """Without the right token everything is refused."""
    headers = {} if token is None else {b"X-Nomad-Token": token}
    for path in ("/v1/jobs", "/v1/job/cache/allocations", "/v1/allocations", "/v1/nodes"):
        answer = httpx.get(agent.address + path, headers=headers)
        assert (answer.status_code, answer.text) == (403, "Permission denied")


def test_bearer(agent: EmbeddedAgent) -> None:
    """The token may come as a bearer too."""
    answer = httpx.get(
        agent.address + "/v1/jobs", headers={"Authorization": f"Bearer {agent.token}"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Host": "["}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_foreign_browsers(http: httpx.Client, headers: dict[str, str], status: int) -> None:
    """A page that resolves its own name to this machine, or of another origin, is refused."""
    assert http.get("/v1/regions", headers=headers).status_code == status


def test_foreign_origin_gets_no_websocket(agent: EmbeddedAgent) -> None:
    """The same before a websocket is opened."""
    host = agent.address.removeprefix("http://")
    answer = raw_request(
        agent.address,
        f"GET /v1/job/cache/action HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\n"
        "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 403")
