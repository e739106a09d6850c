"""Exec sessions of both kinds: a job's action, and any command in a task of an allocation.

`/v1/job/<id>/action` and `/v1/client/allocation/<id>/exec`: the checks before a session, in the
real agent's order and words (measured on Nomad 2.0.6).
"""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nomad_magic.agent import acl
from nomad_magic.agent.exec_session import ExecSession
from nomad_magic.agent.spawn import Process, Spawner, StartError
from nomad_magic.agent.stdio import Streams
from nomad_magic.agent.websocket import INTERNAL_ERROR, POLICY_VIOLATION, SocketWire
from nomad_magic.nomad.frames import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.web_request import BaseRequest

    from nomad_magic.agent.acl import Token
    from nomad_magic.agent.cluster import Cluster
    from nomad_magic.agent.tasks import Allocation, TaskRun

_TRUE: Final = ("1", "t", "T", "TRUE", "true", "True")
_FALSE: Final = ("0", "f", "F", "FALSE", "false", "False")


DENIED: Final = "Permission denied"
_NOT_STARTED: Final = "rpc error: code = Unknown desc = failed to start command: "


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


@dataclass(frozen=True)
class Started:
    """What a session starts.

    Attributes:
        command: The program and its arguments.
        tty: In a terminal of its own.
    """

    task: TaskRun
    command: tuple[str, ...]
    tty: bool


class Actions:
    """Runs actions and other commands, and knows which are running.

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

    async def serve_action(
        self, request: BaseRequest, job_id: str, query: Mapping[str, str], token: Token | None
    ) -> web.WebSocketResponse:
        """Serve the websocket of an action from its upgrade to its end."""
        return await self._serve(request, lambda: self._check_action(job_id, query, token))

    async def serve_command(
        self, request: BaseRequest, alloc_id: str, query: Mapping[str, str], token: Token | None
    ) -> web.WebSocketResponse:
        """Serve the websocket of a command in an allocation from its upgrade to its end."""
        return await self._serve(request, lambda: self._check_command(alloc_id, query, token))

    async def _serve(
        self, request: BaseRequest, check: Callable[[], Started]
    ) -> web.WebSocketResponse:
        await asyncio.sleep(self._upgrade_delay)
        wire = SocketWire(request)
        # A client that has gone in the meantime makes `upgrade` fail: nothing is started for it.
        response = await wire.upgrade()
        try:
            await self._run(wire, check())
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

    def _check_action(self, job_id: str, query: Mapping[str, str], token: Token | None) -> Started:
        tty = _parse_bool(query.get("tty", ""))
        alloc_id, task_name, name = (query.get(key, "") for key in ("allocID", "task", "action"))
        for value, words in (
            (alloc_id, "missing AllocID"),
            (task_name, "must provide task name"),
            (name, "command is not present"),
        ):
            if not value:
                raise Refusal(POLICY_VIOLATION, words)
        if token is None or token is acl.ANONYMOUS:
            raise Refusal(POLICY_VIOLATION, DENIED)
        allocation = self._allocation(alloc_id)
        _require(token, acl.ALLOC_EXEC, allocation)
        if allocation.job.id != job_id:
            raise Refusal(POLICY_VIOLATION, f"job {job_id} does not have allocation {alloc_id}")
        task = allocation.tasks.get(task_name)
        if task is None:
            raise Refusal(POLICY_VIOLATION, f"task {task_name} not found in allocation {alloc_id}")
        action = task.spec.action(name)
        if action is None:
            raise Refusal(POLICY_VIOLATION, f"action {name} not found in task {task_name}")
        if task.spec.driver == "raw_exec":
            _require(token, acl.ALLOC_NODE_EXEC, allocation)
        _require_running(task)
        return Started(task, (action.command, *action.args), tty)

    def _check_command(
        self, alloc_id: str, query: Mapping[str, str], token: Token | None
    ) -> Started:
        command = _parse_command(query.get("command", ""))
        tty = _parse_bool(query.get("tty", ""))
        if token is None:
            raise Refusal(POLICY_VIOLATION, f"rpc error: {DENIED}")
        allocation = self._allocation(alloc_id)
        _require(token, acl.ALLOC_EXEC, allocation, INTERNAL_ERROR)
        task_name = query.get("task", "")
        if not task_name:
            raise Refusal(POLICY_VIOLATION, "must provide task name")
        if not command:
            raise Refusal(POLICY_VIOLATION, "command is not present")
        task = allocation.tasks.get(task_name)
        if task is None:
            raise Refusal(INTERNAL_ERROR, "task not found")
        if task.spec.driver == "raw_exec":
            _require(token, acl.ALLOC_NODE_EXEC, allocation, INTERNAL_ERROR)
        _require_running(task)
        return Started(task, command, tty)

    def _allocation(self, alloc_id: str) -> Allocation:
        if len(alloc_id) != 36:
            raise Refusal(
                INTERNAL_ERROR, "alloc lookup failed: index error: UUID must be 36 characters"
            )
        allocation = self._cluster.allocations.get(alloc_id)
        if allocation is None:
            raise Refusal(POLICY_VIOLATION, f'Unknown allocation "{alloc_id}"')
        return allocation

    async def _run(self, wire: SocketWire, what: Started) -> None:
        try:
            streams = Streams(tty=what.tty)
        except OSError as error:
            raise Refusal(
                INTERNAL_ERROR, f"{_NOT_STARTED}{(error.strerror or '').lower()}"
            ) from error
        try:
            process = self._spawner.start(
                what.command,
                env={**what.task.environment, "TERM": "xterm"},
                cwd=what.task.directory,
                stdio=streams.child,
            )
        except StartError as error:
            streams.hang_up()
            raise Refusal(INTERNAL_ERROR, f"{_NOT_STARTED}{error}") from error
        finally:
            streams.started()
        self._running[process] = streams
        try:
            await ExecSession(process, streams, wire).run()
        finally:
            process.signal(signal.SIGHUP)  # only the agent's own end leaves it running until here
            del self._running[process]


def _require(
    token: Token, capability: str, allocation: Allocation, code: int = POLICY_VIOLATION
) -> None:
    if not token.may(capability, allocation.job.namespace):
        raise Refusal(code, DENIED)


def _require_running(task: TaskRun) -> None:
    if not task.running:
        raise Refusal(POLICY_VIOLATION, f'task "{task.spec.name}" is not running.')


def _parse_bool(word: str) -> bool:
    """A boolean as Go's strconv reads it; empty is false."""
    if word and word not in _TRUE + _FALSE:
        raise Refusal(
            INTERNAL_ERROR,
            f'tty value is not a boolean: strconv.ParseBool: parsing "{word}": invalid syntax',
        )
    return word in _TRUE


def _parse_command(text: str) -> tuple[str, ...]:
    """A list of words as Go's encoding/json reads it; null is none, and a null in it is empty."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_a_command(_go_words(text, error)) from error
    if words is None:
        return ()
    if not isinstance(words, list):
        raise _not_a_command(
            f"json: cannot unmarshal {_go_kind(words)} into Go value of type []string"
        )
    for word in words:
        if word is not None and not isinstance(word, str):
            raise _not_a_command(
                f"json: cannot unmarshal {_go_kind(word)} into Go value of type string"
            )
    # Go puts U+FFFD for half of a surrogate pair.
    return tuple(
        (word or "").encode("utf-16", "surrogatepass").decode("utf-16", "replace") for word in words
    )


def _not_a_command(words: str) -> Refusal:
    return Refusal(INTERNAL_ERROR, f"failed to marshal command into json: {words}")


def _go_kind(value: object) -> str:
    kinds = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")


def _go_words(text: str, error: Exception) -> str:
    """What Go's decoder says of text that is not JSON; the commonest of its sentences."""
    if not isinstance(error, json.JSONDecodeError):
        return "exceeded max depth"
    at, where = error.pos, "looking for beginning of value"
    if error.msg == "Extra data":
        where = "after top-level value"
    elif error.msg.startswith("Invalid \\"):
        at, where = at + 1, "in string escape code"
    elif error.msg.startswith("Invalid control character"):
        where = "in string literal"
    if at >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
        return "unexpected end of JSON input"
    char = {"'": "'\\''", '"': "'\"'"}.get(text[at], repr(text[at]))
    return f"invalid character {char} {where}"
