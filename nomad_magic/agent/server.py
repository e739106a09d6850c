"""The routes of the HTTP API.

Paths, words, status codes and headers are those of a real agent (measured on Nomad 2.0.6).  One
thing is stricter: a request with a `Host` or an `Origin` that is not this agent's own is refused,
so that no page in a browser can reach it, by whatever name it resolves this machine.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from aiohttp import web

from nomad_magic.agent import acl, responses
from nomad_magic.agent.cluster import FIRST_INDEX, Cluster
from nomad_magic.agent.jobs import DEFAULT_NAMESPACE, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.web_request import BaseRequest

    from nomad_magic.agent.acl import Acl, Token
    from nomad_magic.agent.actions import Actions
    from nomad_magic.agent.jobs import Job
    from nomad_magic.agent.tasks import Allocation

_GZIP_BYTES: Final = 256
_HEX: Final = re.compile(r"[0-9a-fA-F]*")
_PORT_ALONE: Final = re.compile(r":[0-9]+")
_ACTION: Final = re.compile("/v1/job/(.*)/action")
_COMMAND: Final = re.compile("/v1/client/allocation/([^/]+)/exec")
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Refusal(Exception):
    """An answer other than 200; text/plain."""

    def __init__(self, status: int, words: str, *, indexed: bool = False) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.indexed = indexed


class Api:
    """Answers one agent's requests.

    Attributes:
        address: `host:port` as the node advertises it; empty for a unix socket.
        most_connections: How many the agent takes.
    """

    def __init__(self, cluster: Cluster, actions: Actions, tokens: Acl, *, tls: bool) -> None:
        self._cluster = cluster
        self._actions = actions
        self._acl = tokens
        self._tls = tls
        self.address = ""
        self.most_connections = 0
        self._exact: dict[str, Callable[[Mapping[str, str], Token], Any]] = {
            "/v1/jobs": self._jobs,
            "/v1/allocations": self._allocations,
            "/v1/nodes": self._nodes,
            "/v1/namespaces": self._namespaces,
            "/v1/regions": lambda _query, _token: [REGION],
            "/v1/status/leader": lambda _query, _token: self.address or "127.0.0.1:4647",
            "/v1/agent/self": self._self,
        }
        self._by_id: dict[str, Callable[[str, Mapping[str, str], Token], Any]] = {
            "/v1/job/": self._job_or_part,
            "/v1/allocation/": self._allocation,
            "/v1/node/": self._node,
        }

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            return await self._handle(request)
        except (web.HTTPException, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - a request that fails is no end of the others
            # Not with its words: they may quote what the request holds.
            sys.stderr.write(f"warning: a request failed: {type(error).__name__}\n")
            return web.Response(status=500, text="Internal Server Error")

    async def _handle(self, request: BaseRequest) -> web.StreamResponse:
        try:
            self._refuse_foreign(request)
            path = request.raw_path.partition("?")[0]
            query = request.query
            token = self._acl.resolve(_secret(request))
            if (found := _ACTION.fullmatch(path)) is not None:
                _require_upgrade(request)
                return await self._actions.serve_action(request, unquote(found[1]), query, token)
            if (found := _COMMAND.fullmatch(path)) is not None:
                _require_upgrade(request)
                return await self._actions.serve_command(request, unquote(found[1]), query, token)
            return self._answer(request, self._route(request.method, path, query, token), path)
        except Refusal as refusal:
            return web.Response(
                status=refusal.status,
                text=refusal.words,
                headers=self._headers(indexed=refusal.indexed),
            )

    def _route(self, method: str, path: str, query: Mapping[str, str], token: Token | None) -> Any:
        exact = self._exact.get(path)
        prefix = next((prefix for prefix in self._by_id if path.startswith(prefix)), None)
        if exact is None and prefix is None:
            client = path.startswith("/v1/client/allocation/")
            raise Refusal(404, "resource not found" if client else "")
        if method not in ("GET", "HEAD"):
            raise Refusal(405, "Invalid method")
        if query.get("region", REGION) not in ("", REGION):
            raise Refusal(500, "No path to region")
        if token is None or token is acl.ANONYMOUS:
            raise Refusal(403, "Permission denied")
        if exact is not None:
            return exact(query, token)
        assert prefix is not None  # noqa: S101 - for the type checker; one of them is set
        return self._by_id[prefix](path.removeprefix(prefix), query, token)

    def _refuse_foreign(self, request: BaseRequest) -> None:
        host = request.headers.get("Host", "")
        bound = urlsplit(f"//{self.address}").hostname
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            name = None
        # Of an address that is a port alone Go's client sends the port alone.
        if name not in _LOCAL_HOSTS and name != bound and not _PORT_ALONE.fullmatch(host):
            raise Refusal(403, "Host header is not of this agent")
        origin = request.headers.get("Origin")
        own = f"{'https' if self._tls else 'http'}://{host}"
        if origin is not None and origin.lower() != own.lower():
            raise Refusal(403, "Origin header is not of this agent")

    def _answer(self, request: BaseRequest, answer: Any, path: str) -> web.Response:
        body = json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()
        headers = self._headers(
            indexed=path not in ("/v1/regions", "/v1/status/leader", "/v1/agent/self")
        )
        headers["Content-Type"] = "application/json"
        if len(body) >= _GZIP_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, compresslevel=1)
        return web.Response(body=body, headers=headers)

    def _headers(self, *, indexed: bool) -> dict[str, str]:
        headers = {"Vary": "Accept-Encoding"}
        if indexed:
            headers["X-Nomad-Index"] = str(self._cluster.index)
            headers["X-Nomad-Knownleader"] = "true"
            headers["X-Nomad-Lastcontact"] = "0"
        return headers

    def _jobs(self, query: Mapping[str, str], token: Token) -> Any:
        namespace = query.get("namespace") or DEFAULT_NAMESPACE
        if not token.may_list(acl.LIST_JOBS, namespace):
            raise Refusal(403, "Permission denied")
        page = query.get("per_page") or "0"
        if not page.isdecimal():
            raise Refusal(400, "Expect a number for `per_page` query string parameter")
        found = [
            job
            for job in self._cluster.jobs
            if job.id.startswith(query.get("prefix", ""))
            and namespace in ("*", job.namespace)
            and token.may(acl.LIST_JOBS, job.namespace)
        ]
        return [
            responses.job_stub(
                job,
                self._cluster.allocations_of(job),
                submitted=self._cluster.submitted,
                index=FIRST_INDEX,
            )
            for job in (found[: int(page)] if int(page) else found)
        ]

    def _job_or_part(self, rest: str, query: Mapping[str, str], token: Token) -> Any:
        namespace = query.get("namespace") or DEFAULT_NAMESPACE
        parts: dict[str, Callable[[Job | None, str], Any]] = {
            "/allocations": self._job_allocations,
            "/actions": self._job_actions,
            "/versions": self._job_versions,
        }
        part = next((part for part in parts if rest.endswith(part)), "")
        job_id = unquote(rest.removesuffix(part))
        if not token.may(acl.READ_JOB, namespace):
            raise Refusal(403, "Permission denied")
        job = self._cluster.job(job_id, namespace)
        if part:
            return parts[part](job, job_id)
        if job is None:
            raise Refusal(404, "job not found", indexed=True)
        return self._job(job)

    def _job(self, job: Job) -> Any:
        status = responses.job_status(self._cluster.allocations_of(job))
        return responses.job(
            job, status=status, submitted=self._cluster.submitted, index=FIRST_INDEX
        )

    def _job_allocations(self, job: Job | None, _job_id: str) -> Any:
        found = self._cluster.allocations_of(job) if job is not None else []
        return [self._stub(allocation) for allocation in found]

    def _job_actions(self, job: Job | None, job_id: str) -> Any:
        if job is None:
            raise Refusal(500, f'Unknown job "{job_id}"')
        return responses.job_actions(job)

    def _job_versions(self, job: Job | None, _job_id: str) -> Any:
        if job is None:
            raise Refusal(404, "job versions not found", indexed=True)
        return {"Diffs": None, "Versions": [self._job(job)]}

    def _allocations(self, query: Mapping[str, str], token: Token) -> Any:
        namespace = query.get("namespace") or DEFAULT_NAMESPACE
        if not token.may_list(acl.READ_JOB, namespace):
            raise Refusal(403, "Permission denied")
        prefix = query.get("prefix", "")
        _check_prefix(prefix)
        return [
            self._stub(allocation)
            for allocation in self._cluster.allocations.values()
            if allocation.id.startswith(prefix.lower())
            and namespace in ("*", allocation.job.namespace)
            and token.may(acl.READ_JOB, allocation.job.namespace)
        ]

    def _allocation(self, rest: str, query: Mapping[str, str], token: Token) -> Any:
        if not token.may(acl.READ_JOB, query.get("namespace") or DEFAULT_NAMESPACE):
            raise Refusal(403, "Permission denied")
        alloc_id = unquote(rest)
        if len(alloc_id) != 36:
            raise Refusal(500, "alloc lookup failed: index error: UUID must be 36 characters")
        allocation = self._cluster.allocations.get(alloc_id.lower())
        if allocation is None:
            raise Refusal(404, "alloc not found", indexed=True)
        if not token.may(acl.READ_JOB, allocation.job.namespace):
            raise Refusal(403, "Permission denied")
        return responses.allocation(
            allocation, self._cluster.node, submitted=self._cluster.submitted, index=FIRST_INDEX
        )

    def _stub(self, allocation: Allocation) -> Any:
        return responses.allocation_stub(allocation, self._cluster.node, index=FIRST_INDEX)

    def _nodes(self, _query: Mapping[str, str], token: Token) -> Any:
        if not token.may_read_nodes:
            raise Refusal(403, "Permission denied")
        return [responses.node_stub(self._cluster.node, address=self.address, index=FIRST_INDEX)]

    def _node(self, rest: str, _query: Mapping[str, str], token: Token) -> Any:
        if not token.may_read_nodes:
            raise Refusal(403, "Permission denied")
        node_id = unquote(rest)
        if len(node_id) != 36:
            raise Refusal(500, "node lookup failed: index error: UUID must be 36 characters")
        if node_id != self._cluster.node.id:
            raise Refusal(404, "node not found", indexed=True)
        return responses.node(
            self._cluster.node, address=self.address, tls=self._tls, index=FIRST_INDEX
        )

    def _namespaces(self, _query: Mapping[str, str], token: Token) -> Any:
        return [
            responses.namespace(name, index=1)
            for name in self._cluster.namespaces
            if token.may(acl.READ_JOB, name) or token.may(acl.LIST_JOBS, name)
        ]

    def _self(self, _query: Mapping[str, str], token: Token) -> Any:
        if not token.may_read_agents:
            raise Refusal(403, "Permission denied")
        return {
            "config": {
                "ACL": {"Enabled": self._acl.enabled},
                "Datacenter": "dc1",
                "Limits": {"HTTPMaxConnsPerClient": self.most_connections},
                "Region": REGION,
                "Version": {"Version": "embedded"},
            },
            "member": {"Name": f"{self._cluster.node.name}.{REGION}", "Status": "alive"},
            "stats": {},
        }


def _require_upgrade(request: BaseRequest) -> None:
    if "websocket" not in request.headers.get("Upgrade", "").lower():
        raise Refusal(500, "websocket connection not found in context")


def _secret(request: BaseRequest) -> str:
    token = request.headers.get("X-Nomad-Token", "")
    if not token:
        kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = bearer.strip() if kind.lower() == "bearer" else ""
    return token


def _check_prefix(prefix: str) -> None:
    """Refuse what is not the beginning of a UUID, in the words of Nomad's index."""
    digits = prefix.replace("-", "")
    words = ""
    if len(prefix) > 36:
        words = f"Invalid UUID length. UUID have 36 characters; got {len(prefix)}"
    elif len(digits) % 2:
        words = "Input (without hyphens) must be even length"
    elif not _HEX.fullmatch(digits):
        bad = next(char for char in digits if not _HEX.fullmatch(char))
        words = f"Invalid UUID: encoding/hex: invalid byte: U+{ord(bad):04X} {bad!r}"
    if words:
        raise Refusal(500, f"alloc lookup failed: index error: {words}")
