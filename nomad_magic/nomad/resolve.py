"""From a line's flags to an open exec session: the questions asked on the way.

The order is the CLI's (measured on Nomad 2.0.6); what does not depend on each other is asked
at the same time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from nomad_magic.errors import ExecError, LocateError, RequestError, UnexpectedAnswer
from nomad_magic.go import go_quote, path_escape
from nomad_magic.nomad import cache, locate
from nomad_magic.nomad.connect import Connector
from nomad_magic.nomad.locate import Allocation, AllocationStub, JobStub, JobVersions, Node, Task
from nomad_magic.record.result import Place

if TYPE_CHECKING:
    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.protocol import ExecProtocol
    from nomad_magic.nomad.target import Options, Target
    from nomad_magic.nomad.websocket import ExecConnection

HINT_SECONDS: Final = 3.0
"""How long a failure may wait for an answer that only its hint needs."""

ALL_NAMESPACES: Final = "*"
PERMISSION_DENIED: Final = "Permission denied"

Progress = Callable[[Place, tuple[str, ...] | None, list[str]], None]


class Journey:
    """The way from the words to the session; what was learnt on it stays here.

    Args:
        args: The line.
        target: Which agent.
        options: The bounds of each wait.
        protocol: The run's state; is told when the action is asked for, and what came of that.
        choose: Makes the random choice among allocations.
    """

    def __init__(
        self,
        args: ActionArgs,
        target: Target,
        options: Options,
        protocol: ExecProtocol,
        *,
        choose: Callable[[Sequence[AllocationStub]], AllocationStub],
    ) -> None:
        self.args = args
        self.target = target
        self.options = options
        self.protocol = protocol
        self.on_progress: Progress = lambda *_: None
        self.allocation: Allocation | None = None
        self.task: Task | None = None
        self._choose = choose
        self._newest_index = 0
        """The job's modify index as it is now; 0 when no list of jobs said."""
        self._place = Place(
            address=str(target.address), region=target.region, namespace=target.namespace
        )

    async def travel(self, client: Client) -> ExecConnection:
        """Find the allocation and open the session in it.

        Raises:
            LocateError: The words do not lead to one task.
            RequestError: No usable answer on the way, with the CLI's prefix for that step.
            ExecError: The session could not be opened.
        """
        job, stub = await self._find(client)
        place = replace(
            self._place,
            job=job,
            group=stub.task_group,
            namespace=stub.namespace,
            allocation=stub.id,
            allocation_name=stub.name,
            node=stub.node_id,
            node_name=stub.node_name,
        )
        self._tell(place)
        connector = Connector(client, self.options, self.protocol)
        connector.begin(stub.node_id)
        try:
            allocation, node = await self._look(client, stub)
            task = self._enter(allocation)
            return await self._open(connector, job, allocation, task, node)
        finally:
            connector.drop()

    async def _open(
        self,
        connector: Connector,
        job: str,
        allocation: Allocation,
        task: Task,
        node: Node | None,
    ) -> ExecConnection:
        if node is not None and node.status == "down":
            raise ExecError(
                "failed to exec into task: node down",
                hint=f"The node of {self._place.short} does not answer the servers.",
            )
        params = {
            "action": self.args.action,
            "allocID": allocation.id,
            "command": "[]",
            "group": allocation.task_group,
            "task": task.name,
            "tty": "true" if self.args.tty else "false",
        }
        with _Step("failed to exec into task: "):
            return await connector.open(f"/v1/job/{path_escape(job)}/action", params, node)

    def _enter(self, allocation: Allocation) -> Task:
        """Choose the task, and tell what is known by then."""
        self.allocation = allocation
        try:
            self.task = task = locate.choose_task(allocation, self.args.task)
        except LocateError as error:
            error.hint = error.hint or locate.elsewhere(allocation, self.args.action)
            raise
        version = allocation.job.version if allocation.job else None
        region = self._place.region or (allocation.job.region if allocation.job else None) or ""
        action = locate.find_action(task, self.args.action)
        command = (action.command, *(action.args or ())) if action else None
        place = replace(
            self._place, task=task.name, job_version=version, driver=task.driver, region=region
        )
        self._tell(place, command)
        return task

    def _tell(
        self,
        place: Place,
        command: tuple[str, ...] | None = None,
        *,
        notices: Sequence[str] = (),
    ) -> None:
        self._place = place
        self.on_progress(place, command, list(notices))

    async def newer_versions(self, client: Client) -> list[int]:
        """Ask which newer versions of the job have the action in this task.

        For a run that has failed: an answer that does not come is no further failure.
        """
        if self.allocation is None or self.allocation.job is None or self.task is None:
            return []
        job = self.allocation.job
        if job.job_modify_index and job.job_modify_index == self._newest_index:
            return []
        try:
            async with asyncio.timeout(HINT_SECONDS):
                found = await client.get(
                    f"/v1/job/{path_escape(job.id)}/versions",
                    {"namespace": self.allocation.namespace},
                    JobVersions,
                )
        except (RequestError, TimeoutError):
            return []
        place = (self.allocation.task_group, self.task.name)
        return sorted(
            one.version
            for one in found.versions or ()
            if one.version > job.version and place in locate.where(one, self.args.action)
        )

    # Which allocation

    async def _find(self, client: Client) -> tuple[str, AllocationStub]:
        """Give the job to name in the request, and the allocation."""
        args = self.args
        if args.alloc:
            prefix = locate.sanitize_prefix(args.alloc)
            with _Step("Error querying allocation: ") as step:
                step.denied = _needs_read_job(self.target.namespace)
                found = await client.get(
                    "/v1/allocations",
                    {"prefix": prefix} if prefix else {},
                    list[AllocationStub],
                )
                # As the CLI: with -alloc the job's word is not looked up.
                return args.job, locate.choose_by_prefix(args.alloc, found, now=time.time())
        job, stubs = await self._list(client)
        stub = locate.choose_allocation(job, args.group, stubs, self._choose)
        if stub.client_status != "running":
            self._tell(self._place, notices=[_none_running(args.group, stubs)])
        return job, stub

    async def _list(self, client: Client) -> tuple[str, list[AllocationStub]]:
        """Give the job and its allocations.

        Where the word led to before is where it leads now, nearly always: both are asked for at
        the same time then, and the second answer is only taken if the first says so too.
        """
        before = cache.found_before(self.target, self.args.job)
        guess = asyncio.create_task(self._allocations(client, *before)) if before else None
        try:
            found = job, namespace = await self._find_job(client)
            cache.remember_job(self.target, self.args.job, found)
            self._tell(replace(self._place, job=job, namespace=namespace or self.target.namespace))
            if guess is not None and found == before:
                return job, await guess
            return job, await self._allocations(client, job, namespace)
        finally:
            if guess is not None:
                await _ended(guess)

    async def _allocations(self, client: Client, job: str, namespace: str) -> list[AllocationStub]:
        with _Step(f"Error fetching allocations: error querying job {go_quote(job)}: ") as step:
            step.denied = _needs_read_job(namespace or self.target.namespace)
            return await client.get(
                f"/v1/job/{path_escape(job)}/allocations",
                {"all": "false", **({"namespace": namespace} if namespace else {})},
                list[AllocationStub],
            )

    async def _find_job(self, client: Client) -> tuple[str, str]:
        word = self.args.job
        try:
            with _Step(f"Error querying job prefix {go_quote(word)}: "):
                jobs = await client.get(
                    "/v1/jobs",
                    {"prefix": word, "per_page": str(locate.JOBS_PER_PAGE)},
                    list[JobStub],
                )
                chosen = locate.choose_job(
                    word, jobs, all_namespaces=self.target.namespace == ALL_NAMESPACES
                )
        except UnexpectedAnswer as answer:
            if PERMISSION_DENIED in answer.message:
                # Without list-jobs the word is taken as the id.
                return word, ""
            raise
        self._newest_index = jobs[0].job_modify_index
        return chosen

    async def _look(self, client: Client, stub: AllocationStub) -> tuple[Allocation, Node | None]:
        """Ask for the allocation with its job, and at the same time for its node."""
        namespace = {"namespace": stub.namespace} if stub.namespace else {}

        async def ask_allocation() -> Allocation:
            with _Step("Error querying allocation: ") as step:
                step.denied = _needs_read_job(stub.namespace)
                found = await client.get(
                    f"/v1/allocation/{path_escape(stub.id)}", namespace, Allocation
                )
                if found.id != stub.id:
                    raise ValueError(f"it is of allocation {found.id}")
                return found

        async def ask_node() -> Node | None:
            # As the CLI: whatever is wrong with this answer, the server is still there.
            try:
                return await client.get(f"/v1/node/{path_escape(stub.node_id)}", {}, Node)
            except RequestError:
                return None

        node = asyncio.create_task(ask_node())
        try:
            return await ask_allocation(), await node
        finally:
            await _ended(node)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Have a question that nobody waits for any more end, with its connection."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


_UNUSABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What it comes to when an answer that could be read makes no sense."""


class _Step:
    """Puts the CLI's words for a step before whatever goes wrong in it."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.denied = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, _UNUSABLE):
            # A number that no date has, or a list that is none: nothing of it is to be believed.
            raise UnexpectedAnswer(
                f"{self._prefix}the answer cannot be used: {error}",
                status=200,
            ) from error
        if isinstance(error, RequestError):
            if self.denied and PERMISSION_DENIED in error.message and not error.hint:
                error.hint = self.denied
            error.message = self._prefix + error.message


def _needs_read_job(namespace: str) -> str:
    return f"The token needs read-job in the namespace {namespace or 'default'}."


def _none_running(group: str, stubs: Sequence[AllocationStub]) -> str:
    states: dict[str, int] = {}
    for stub in stubs:
        if stub.task_group == group:
            states[stub.client_status] = states.get(stub.client_status, 0) + 1
    listed = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"No allocation of group {group} is running ({listed}); one of them is tried."
