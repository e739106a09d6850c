"""`/v1/job/<id>/action`: the checks before an exec session, in the real agent's order and words."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

from nomad_magic.agent import acl
from nomad_magic.agent.exec_session import ExecSession
from nomad_magic.agent.spawn import Process, Spawner, StartError
from nomad_magic.agent.stdio import Streams
from nomad_magic.agent.websocket import INTERNAL_ERROR, POLICY_VIOLATION, SocketWire
from nomad_magic.nomad.frames import FrameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web
    from aiohttp.web_request import BaseRequest

    from nomad_magic.agent.acl import Token
    from nomad_magic.agent.cluster import Cluster
    from nomad_magic.agent.jobs import Action
    from nomad_magic.agent.tasks import Allocation, TaskRun

_TRUE: Final = ("1", "t", "T", "TRUE", "true", "True")
_FALSE: Final = ("0", "f", "F", "FALSE", "false", "False")


class Refusal(Exception):
    """A session that is closed instead of started.

    Attributes:
        code: The websocket close code.
        reason: The words, as the real agent has them.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Actions:
    """Runs actions, and knows which are running.

    Args:
        cluster: Where.
        spawner: Starts their processes.
        upgrade_delay: Seconds before each upgrade is answered.
    """

    def __init__(self, cluster: Cluster, spawner: Spawner, upgrade_delay: float = 0.0) -> None:
        self._cluster = cluster
        self._spawner = spawner
        self._upgrade_delay = upgrade_delay
        self._running: dict[Process, Streams] = {}

    async def serve(
        self, request: BaseRequest, job_id: str, query: Mapping[str, str], token: Token | None
    ) -> web.WebSocketResponse:
        """Serve one websocket from its upgrade to its end."""
        await asyncio.sleep(self._upgrade_delay)
        wire = SocketWire(request)
        # A client that has gone in the meantime makes `upgrade` fail: nothing is started for it.
        response = await wire.upgrade()
        try:
            task, action, tty = self._check(job_id, query, token)
            await self._run(wire, task, action, tty=tty)
        except Refusal as refusal:
            await wire.refuse(refusal.code, refusal.reason)
        except FrameError as error:
            await wire.refuse(INTERNAL_ERROR, str(error))
        finally:
            await wire.drop()
        return response

    async def stop(self, grace: float) -> None:
        """End every process of every session."""
        await asyncio.gather(*(process.stop(grace) for process in list(self._running)))
        for streams in list(self._running.values()):
            streams.hang_up()  # what the process left behind may hold the other ends

    def _check(
        self, job_id: str, query: Mapping[str, str], token: Token | None
    ) -> tuple[TaskRun, Action, bool]:
        tty = _parse_bool(query.get("tty", ""))
        alloc_id, task_name, name = (query.get(key, "") for key in ("allocID", "task", "action"))
        for value, words in (
            (alloc_id, "missing AllocID"),
            (task_name, "must provide task name"),
            (name, "command is not present"),
        ):
            if not value:
                raise Refusal(POLICY_VIOLATION, words)
        allocation = self._allocation(alloc_id, token)
        if allocation.job.id != job_id:
            raise Refusal(POLICY_VIOLATION, f"job {job_id} does not have allocation {alloc_id}")
        task = allocation.tasks.get(task_name)
        if task is None:
            raise Refusal(POLICY_VIOLATION, f"task {task_name} not found in allocation {alloc_id}")
        action = task.spec.action(name)
        if action is None:
            raise Refusal(POLICY_VIOLATION, f"action {name} not found in task {task_name}")
        if task.spec.driver == "raw_exec":
            _require(token, acl.ALLOC_NODE_EXEC, allocation.job.namespace)
        if not task.running:
            raise Refusal(POLICY_VIOLATION, f'task "{task_name}" is not running.')
        return task, action, tty

    def _allocation(self, alloc_id: str, token: Token | None) -> Allocation:
        """The allocation, if the token may run something in it."""
        if token is None:
            raise Refusal(POLICY_VIOLATION, "Permission denied")
        if len(alloc_id) != 36:
            raise Refusal(
                INTERNAL_ERROR, "alloc lookup failed: index error: UUID must be 36 characters"
            )
        allocation = self._cluster.allocations.get(alloc_id)
        if allocation is None:
            raise Refusal(POLICY_VIOLATION, f'Unknown allocation "{alloc_id}"')
        _require(token, acl.ALLOC_EXEC, allocation.job.namespace)
        return allocation

    async def _run(self, wire: SocketWire, task: TaskRun, action: Action, *, tty: bool) -> None:
        streams = Streams(tty=tty)
        try:
            process = self._spawner.start(
                (action.command, *action.args),
                env={**task.environment, "TERM": "xterm"},
                cwd=task.directory,
                stdio=streams.child,
            )
        except StartError as error:
            streams.hang_up()
            raise Refusal(
                INTERNAL_ERROR, f"rpc error: code = Unknown desc = failed to start command: {error}"
            ) from error
        finally:
            streams.started()
        self._running[process] = streams
        try:
            await ExecSession(process, streams, wire).run()
        finally:
            process.signal(signal.SIGHUP)  # only the agent's own end leaves it running until here
            del self._running[process]


def _require(token: Token | None, capability: str, namespace: str) -> None:
    if token is None or not token.may(capability, namespace):
        raise Refusal(POLICY_VIOLATION, "Permission denied")


def _parse_bool(word: str) -> bool:
    """A boolean as Go's strconv reads it; empty is false."""
    if word and word not in _TRUE + _FALSE:
        raise Refusal(
            INTERNAL_ERROR,
            f'tty value is not a boolean: strconv.ParseBool: parsing "{word}": invalid syntax',
        )
    return word in _TRUE
