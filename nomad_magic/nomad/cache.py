"""What sessions share: one client for each target, and what is known of jobs and nodes.

Used in the event loop's thread only, so that nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from nomad_magic import fork
from nomad_magic.nomad import tls
from nomad_magic.nomad.client import Client

if TYPE_CHECKING:
    from nomad_magic.nomad.models import Node
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.target import Target

KEPT_CLIENTS: Final = 8
"""How many targets' connections are kept."""

NODE_REST_SECONDS: Final = 60.0
"""How long a node that could not be reached directly is not tried again."""

KEPT_FACTS: Final = 256
"""How many nodes' addresses are remembered, and how many words that led to a job."""

_clients: OrderedDict[tuple[object, ...], Client] = OrderedDict()
_nodes: OrderedDict[str, Node] = OrderedDict()
_jobs: OrderedDict[tuple[Target, str], tuple[str, str]] = OrderedDict()
_tired: dict[str, float] = {}
_closing: set[asyncio.Task[None]] = set()


def client(target: Target, options: Options) -> Client:
    """Return the client of a target; its connections are kept from run to run.

    Raises:
        SettingsError: A certificate file that cannot be used.
    """
    # A renewed certificate makes a new client.
    key = (target, options, tls.fingerprint(target.tls, needed=target.address.scheme == "https"))
    found = _clients.pop(key, None) or Client(target, options)
    _clients[key] = found
    while len(_clients) > KEPT_CLIENTS:
        _, oldest = _clients.popitem(last=False)
        task = asyncio.get_running_loop().create_task(oldest.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)
    return found


def check(target: Target) -> None:
    """Read a target's certificate files, as the CLI does before it asks anything.

    Raises:
        SettingsError: One cannot be used.
    """
    tls.context(target.tls, needed=target.address.scheme == "https")


def remember(node: Node) -> None:
    """Keep what was said of a node, to begin the next connection to it early."""
    _keep(_nodes, node.id, node)


def remembered(node_id: str) -> Node | None:
    """Return what was last said of a node; it may have changed."""
    return _nodes.get(node_id)


def remember_job(target: Target, word: str, found: tuple[str, str]) -> None:
    """Keep which job a word led to: its id and its namespace."""
    _keep(_jobs, (target, word), found)


def found_before(target: Target, word: str) -> tuple[str, str] | None:
    """Return the id and the namespace of the job that a word led to; it may be another one now."""
    return _jobs.get((target, word))


def _forget() -> None:
    for kept in (_clients, _nodes, _jobs, _tired, _closing):
        kept.clear()


fork.in_child(_forget)


def _keep(facts: OrderedDict[Any, Any], key: object, fact: object) -> None:
    facts.pop(key, None)
    facts[key] = fact
    while len(facts) > KEPT_FACTS:
        facts.popitem(last=False)


def node_failed(address: str) -> None:
    """Remember that a node did not answer."""
    _tired[address] = asyncio.get_running_loop().time()


def node_usable(address: str) -> bool:
    """Whether a node is worth trying directly."""
    failed = _tired.get(address)
    if failed is None:
        return True
    if asyncio.get_running_loop().time() - failed < NODE_REST_SECONDS:
        return False
    del _tired[address]
    return True
