"""Opens the exec session of an allocation: at its node, else at the configured address.

What is done to be quicker, a connection begun before it is known to be needed, is this module's own
business.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import ExecError, RequestError, SettingsError, UnexpectedAnswer
from nomad_magic.go import path_escape
from nomad_magic.nomad import cache, stranger
from nomad_magic.nomad.address import parse_address
from nomad_magic.nomad.explain import Step
from nomad_magic.nomad.protocol import State
from nomad_magic.record.facts import SHORT_ID
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.models import Node
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.protocol import ExecProtocol
    from nomad_magic.nomad.resolve import Resolved
    from nomad_magic.nomad.websocket import ExecConnection

GLOBAL_REGION: Final = "global"
"""The region whose name a node's certificate carries when none was named."""

NODE_CONNECT_SECONDS: Final = 1.0
"""How long the connection to a node may take before the configured address is asked, as in the
CLI.  Once there is one, its answer has the time of any other."""

NOT_FOUND: Final = 404
"""What an agent answers to a path that it does not have."""

PREFIX: Final = "failed to exec into task: "


class Connector:
    """Opens one exec session, and asks for it once.

    Args:
        client: Of the configured address.
        options: The bounds of each wait, and whether nodes are tried.
        protocol: The run's state; is told when the action is asked for, and what came of that.
    """

    def __init__(self, client: Client, options: Options, protocol: ExecProtocol) -> None:
        self._client = client
        self._options = options
        self._protocol = protocol
        self._early: Client | None = None

    def begin(self, node_id: str) -> None:
        """Begin the connection to where the last session on a node went."""
        node = cache.remembered(node_id)
        if node is None:
            return
        self._early = (self._node_client(node) or self._client).dialled()

    async def open(self, resolved: Resolved, args: ActionArgs) -> ExecConnection:
        """Ask for the session.

        The rule for everything that may run an action: from the first byte of an upgrade that was
        sent, nothing is asked again.  Only where the way to the node failed before that, or the
        node definitely refused it by HTTP, is the configured address asked.  The CLI does the same
        (measured on Nomad 2.0.6).

        Args:
            resolved: Which task of which allocation, and its node.
            args: The line.

        Raises:
            ExecError: The node is down.
            RequestError: It was not opened; the protocol's state tells whether the action may have
                been started all the same.
        """
        allocation = resolved.allocation
        path = f"/v1/job/{path_escape(resolved.job)}/action"
        params = {
            "action": args.action,
            "allocID": allocation.id,
            "command": "[]",
            "group": allocation.task_group,
            "task": resolved.task.name,
            "tty": "true" if args.tty else "false",
        }
        return await self._open_there(path, params, resolved)

    async def open_command(self, resolved: Resolved, command: Sequence[str]) -> ExecConnection:
        """Ask for a session of any command in the same task, without a tty.

        Args:
            resolved: Which task of which allocation, and its node.
            command: The command and its arguments.

        Raises:
            ExecError: The node is down.
            RequestError: It was not opened.
        """
        path = f"/v1/client/allocation/{path_escape(resolved.allocation.id)}/exec"
        params = {
            "command": json.dumps(list(command)),
            "task": resolved.task.name,
            "tty": "false",
        }
        return await self._open_there(path, params, resolved)

    async def _open_there(
        self, path: str, params: Mapping[str, str], resolved: Resolved
    ) -> ExecConnection:
        allocation, node = resolved.allocation, resolved.node
        if node is not None and node.status == "down":
            raise ExecError(
                f"{PREFIX}node down",
                hint=f"The node {visible_name(node.name)} of allocation "
                f"{allocation.id[:SHORT_ID]} does not answer the servers.",
            )
        try:
            with Step(PREFIX):
                return await self._open(path, params, node)
        except UnexpectedAnswer as answer:
            if answer.status == NOT_FOUND and not answer.hint:
                version = node.attributes.version if node and node.attributes else ""
                answer.hint = stranger.too_old(version)
            raise

    async def _open(
        self, path: str, params: Mapping[str, str], node: Node | None
    ) -> ExecConnection:
        if node is not None:
            cache.remember(node)
            if (direct := self._node_client(node)) is not None:
                try:
                    return await self._ask(direct, path, params)
                except RequestError:
                    if self._protocol.state is State.OPENING:
                        raise
                    cache.node_failed(str(direct.target.address))
        try:
            return await self._ask(self._client, path, params)
        except UnexpectedAnswer:
            self._protocol.refused()
            raise

    def drop(self) -> None:
        """Close what was begun and is not needed."""
        if self._early is not None:
            self._early.drop()

    async def _ask(self, client: Client, path: str, params: Mapping[str, str]) -> ExecConnection:
        early, address = self._early, str(client.target.address)
        if early is None or str(early.target.address) != address:
            return await client.open_exec(path, params, self._protocol)
        try:
            return await early.open_exec(path, params, self._protocol)
        finally:
            early.drop()

    def _node_client(self, node: Node) -> Client | None:
        """Return a client for the allocation's own node, where it is worth trying."""
        of = self._client.target
        if not self._options.direct or not node.http_addr:
            return None
        if of.address.scheme == "https" and not node.tls_enabled:
            # The token would go out in the clear.
            return None
        scheme = "https" if node.tls_enabled else "http"
        region = of.region or GLOBAL_REGION
        seconds = min(NODE_CONNECT_SECONDS, self._options.connect_timeout)
        try:
            address = parse_address(f"{scheme}://{node.http_addr}")
            if not cache.node_usable(str(address)):
                return None
            tls = of.tls
            if node.tls_enabled:
                tls = replace(tls, server_name=f"client.{region}.nomad")
            target = replace(of, address=address, region=region, tls=tls, auth=of.node_auth)
            return self._client.for_node(target, seconds)
        except (SettingsError, ValueError):
            # Whatever is wrong with what the node says of itself, the server is still there.
            return None
