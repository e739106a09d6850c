"""Who may do what: a token's capabilities in each namespace.

The policy file is JSON::

    {"tokens": [
      {"name": "admin", "secret": "…", "management": true},
      {"name": "oncall", "secret": "…", "node": "read",
       "namespaces": {"default": ["list-jobs", "read-job", "alloc-exec", "alloc-node-exec"],
                      "*": ["list-jobs"]}}
    ]}

Capabilities are Nomad's own: `list-jobs`, `read-job`, `alloc-exec`, and `alloc-node-exec`, which
an action in a task without isolation (`raw_exec`) needs besides `alloc-exec`.  A namespace that
is not named falls back to `*`.  `node` and `agent` are `read` or absent.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent import files
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LIST_JOBS: Final = "list-jobs"
READ_JOB: Final = "read-job"
ALLOC_EXEC: Final = "alloc-exec"
ALLOC_NODE_EXEC: Final = "alloc-node-exec"

CAPABILITIES: Final = frozenset({LIST_JOBS, READ_JOB, ALLOC_EXEC, ALLOC_NODE_EXEC})

_TOKEN_KEYS: Final = {"name", "secret", "management", "namespaces", "node", "agent"}


@dataclass(frozen=True)
class Token:
    """One token and what it may do.

    Attributes:
        secret: What a client sends; never shown.
        name: For people.
        management: It may do everything.
        namespaces: Namespace, or `*` for those not named, to capabilities.
        node_read: It may read nodes.
        agent_read: It may read what an agent says of itself.
    """

    secret: str = field(repr=False)
    name: str = ""
    management: bool = False
    namespaces: dict[str, frozenset[str]] = field(default_factory=dict)
    node_read: bool = False
    agent_read: bool = False

    def may(self, capability: str, namespace: str) -> bool:
        """Whether it has the capability in that namespace."""
        granted = self.namespaces.get(namespace, self.namespaces.get("*", frozenset()))
        return self.management or capability in granted

    def may_list(self, capability: str, namespace: str) -> bool:
        """Whether it has the capability in that namespace; for `*`, in any one."""
        if namespace == "*":
            return self.management or any(
                capability in granted for granted in self.namespaces.values()
            )
        return self.may(capability, namespace)

    @property
    def may_read_nodes(self) -> bool:
        """Whether it may read nodes."""
        return self.management or self.node_read

    @property
    def may_read_agents(self) -> bool:
        """Whether it may read what an agent says of itself."""
        return self.management or self.agent_read


OPEN: Final = Token(secret="", name="no token needed", management=True)
"""Who everyone is when the agent asks for no token."""

ANONYMOUS: Final = Token(secret="", name="anonymous")
"""Who sends no token to an agent that asks for one."""


class Acl:
    """All tokens of one agent; none at all means that no token is asked for."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = tuple(tokens)

    @property
    def enabled(self) -> bool:
        """Whether a token is asked for."""
        return bool(self._tokens)

    def resolve(self, secret: str) -> Token | None:
        """The token with that secret; None for one that is not known."""
        if not self._tokens:
            return OPEN
        if not secret:
            return ANONYMOUS
        sent = secret.encode("utf-8", "surrogateescape")  # whatever a client has sent
        found = None
        for token in self._tokens:  # all of them, so that the time taken says nothing
            if hmac.compare_digest(token.secret.encode(), sent):
                found = token
        return found


def load_policy(path: Path) -> list[Token]:
    """Read a policy file.

    Raises:
        AgentError: It cannot be read, or is not of the form above.
    """
    document = files.read_json(path)
    try:
        return [_token(entry) for entry in document["tokens"]]
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise AgentError(f"{path}: not an ACL policy of the embedded agent: {error}") from error


def _token(entry: dict[str, Any]) -> Token:
    unknown = set(entry) - _TOKEN_KEYS
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}")
    secret = entry["secret"]
    if not isinstance(secret, str) or not secret.isascii() or not secret.isprintable():
        raise ValueError("the secret of a token is printable ASCII")
    if not secret.strip(" "):
        raise ValueError("a token needs a secret")
    namespaces: dict[str, frozenset[str]] = {}
    for namespace, capabilities in entry.get("namespaces", {}).items():
        if strange := set(capabilities) - CAPABILITIES:
            raise ValueError(f"unknown capability {min(strange)!r}")
        namespaces[namespace] = frozenset(capabilities)
    for what in ("node", "agent"):
        if entry.get(what) not in (None, "deny", "read"):
            raise ValueError(f"{what} must be read or deny, not {entry[what]!r}")
    return Token(
        secret=secret,
        name=str(entry.get("name", "")),
        management=entry.get("management", False) is True,
        namespaces=namespaces,
        node_read=entry.get("node") == "read",
        agent_read=entry.get("agent") == "read",
    )
