"""Which allocation and which task of it a line means: the questions asked of the agent.

Nothing is opened here.  The order is the CLI's (measured on Nomad 2.0.6); what does not depend on
each other is asked at the same time.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nomad_magic.errors import LocateError, RequestError, UnexpectedAnswer
from nomad_magic.go import go_quote, path_escape
from nomad_magic.nomad import alternatives, cache, locate, questions, suggestions
from nomad_magic.nomad.explain import LOOKUP_FAILED, NO_REGION, PERMISSION_DENIED, Step
from nomad_magic.nomad.models import (
    ALL_NAMESPACES,
    DEFAULT_NAMESPACE,
    Allocation,
    AllocationStub,
    JobStub,
    Node,
    Task,
)
from nomad_magic.value import Value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.client import Client
    from nomad_magic.record.facts import Place


class Resolved(Value):
    """Where an action is to run.

    Attributes:
        job: To name in the request.
        allocation: With the job as it was when it was placed.
        task: One of its group's.
        node: The allocation's; None where it is not known.
        newest_index: The job's modify index as it is now; 0 where no list of jobs said.
    """

    job: str
    allocation: Allocation
    task: Task
    node: Node | None
    newest_index: int = 0


class Resolver:
    """Asks the questions of one run.

    Args:
        args: The line.
        client: Of the configured address.
        choose: Makes the random choice among allocations.
        located: Is called with what is known by then, and the command or None, as more is known.
        notice: Is called with what the user should know.
    """

    def __init__(
        self,
        args: ActionArgs,
        client: Client,
        *,
        choose: Callable[[Sequence[AllocationStub]], AllocationStub],
        located: Callable[[Place, tuple[str, ...] | None], None],
        notice: Callable[[str], None],
    ) -> None:
        self.args = args
        self.target = client.target
        self._client = client
        self._choose = choose
        self._located = located
        self._notice = notice
        self._job = ""
        self._jobs: list[JobStub] = []
        self._stub: AllocationStub | None = None
        self._place = client.target.place

    async def find_all(self) -> tuple[str, list[AllocationStub]]:
        """Return the job that the line means, and all its allocations.

        Raises:
            LocateError: The words do not lead to one job.
            RequestError: As by `find`.
        """
        async with self._regions_named():
            return await self._list()

    async def find_job(self) -> tuple[str, str]:
        """Return the id of the job that the line means, and its namespace.

        The namespace is empty where the token may not list jobs: the word is then taken as the id.

        Raises:
            LocateError: The word does not lead to one job.
            RequestError: As by `find`.
        """
        async with self._regions_named():
            return await self._find_job()

    async def find(self) -> str:
        """Find the allocation; return the id of its node.

        Raises:
            LocateError: The words do not lead to one.
            RequestError: No usable answer, with the CLI's prefix for that step.
        """
        async with self._regions_named():
            self._job, stub = await self._find()
        self._stub = stub
        self._tell(placed(replace(self._place, job=self._job), stub))
        return stub.node_id

    @asynccontextmanager
    async def _regions_named(self) -> AsyncIterator[None]:
        """Have an error that there is no such region name those that there are."""
        try:
            yield
        except UnexpectedAnswer as answer:
            if NO_REGION in answer.message and not answer.hint:
                answer.hint = await suggestions.other_regions(self._client)
            raise

    async def look(self) -> Resolved:
        """Look into the allocation that was found.

        Raises:
            LocateError: The words do not lead to one task of it.
            RequestError: As by `find`.
        """
        assert self._stub is not None, "it was found"  # noqa: S101 - the caller's own order
        allocation, node = await self._look(self._stub)
        task = self._enter(allocation)
        return Resolved(
            job=self._job,
            allocation=allocation,
            task=task,
            node=node,
            newest_index=self._jobs[0].job_modify_index if self._jobs else 0,
        )

    def _enter(self, allocation: Allocation) -> Task:
        """Choose the task, and tell what is known by then."""
        try:
            task = locate.choose_task(allocation, self.args.task)
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

    def _tell(self, place: Place, command: tuple[str, ...] | None = None) -> None:
        self._place = place
        self._located(place, command)

    async def _find(self) -> tuple[str, AllocationStub]:
        """Return the job to name in the request, and the allocation."""
        args = self.args
        if args.alloc:
            # As the CLI: with -alloc the job's word is not looked up.
            return args.job, await self._find_by_prefix(args.alloc)
        job, stubs = await self._list()
        try:
            stub = locate.choose_allocation(job, args.group, stubs, self._choose)
        except LocateError as error:
            namespace = self._place.namespace or DEFAULT_NAMESPACE
            error.hint = error.hint or alternatives.no_allocations(job, self._jobs, namespace)
            raise
        if stub.client_status != "running":
            self._notice(_none_running(args.group, stubs))
        return job, stub

    async def _find_by_prefix(self, word: str) -> AllocationStub:
        try:
            with Step("Error querying allocation: ") as step:
                step.denied = self._needs_read_job(self.target.namespace)
                found = await questions.allocations(self._client, word)
                return locate.choose_by_prefix(word, found, now=time.time())
        except UnexpectedAnswer as answer:
            if LOOKUP_FAILED in answer.message:
                answer.hint = answer.hint or locate.no_id(word)
            raise
        except LocateError as error:
            if not error.hint:
                asked = suggestions.other_allocations(word, self.args.job, self._client)
                error.hint = await asked
            raise

    async def _list(self) -> tuple[str, list[AllocationStub]]:
        """Return the job and its allocations.

        Where the word led to before is where it leads now, nearly always: both are asked for at
        the same time then, and the second answer is only taken if the first says so too.
        """
        before = cache.found_before(self.target, self.args.job)
        guess = asyncio.create_task(self.allocations_of(*before)) if before else None
        try:
            found = job, namespace = await self._find_job()
            cache.remember_job(self.target, self.args.job, found)
            self._tell(replace(self._place, job=job, namespace=namespace or self.target.namespace))
            if guess is not None and found == before:
                return job, await guess
            return job, await self.allocations_of(job, namespace)
        finally:
            if guess is not None:
                await _ended(guess)

    async def allocations_of(self, job: str, namespace: str) -> list[AllocationStub]:
        """Ask for all allocations of a job.

        Args:
            job: Its id.
            namespace: Its own; empty for the line's.

        Raises:
            RequestError: As by `find`.
        """
        with Step(f"Error fetching allocations: error querying job {go_quote(job)}: ") as step:
            step.denied = self._needs_read_job(namespace or self.target.namespace)
            return await questions.allocations_of(self._client, job, namespace)

    async def _find_job(self) -> tuple[str, str]:
        word = self.args.job
        try:
            with Step(f"Error querying job prefix {go_quote(word)}: ") as step:
                step.denied = self._needs_read_job(self.target.namespace)
                jobs = await questions.jobs(self._client, prefix=word, most=locate.JOBS_PER_PAGE)
                chosen = locate.choose_job(
                    word, jobs, all_namespaces=self.target.namespace == ALL_NAMESPACES
                )
        except UnexpectedAnswer as answer:
            if PERMISSION_DENIED in answer.message:
                # Without list-jobs the word is taken as the id.
                return word, ""
            raise
        except LocateError as error:
            if word.startswith(("-", "=")):
                error.hint = error.hint or self.args.misread
            error.hint = error.hint or await suggestions.other_jobs(word, self._client)
            raise
        self._jobs = jobs
        return chosen

    async def _look(self, stub: AllocationStub) -> tuple[Allocation, Node | None]:
        """Ask for the allocation with its job, and at the same time for its node."""
        node = asyncio.create_task(self.node(stub.node_id))
        try:
            return await self.allocation(stub), await node
        finally:
            await _ended(node)

    async def allocation(self, stub: AllocationStub) -> Allocation:
        """Ask for an allocation with its job.

        Raises:
            RequestError: As by `find`.
        """
        namespace = {"namespace": stub.namespace} if stub.namespace else {}
        with Step("Error querying allocation: ") as step:
            step.denied = self._needs_read_job(stub.namespace)
            found = await self._client.get(
                f"/v1/allocation/{path_escape(stub.id)}", namespace, Allocation
            )
            if found.id != stub.id:
                raise ValueError(f"it is of allocation {found.id}")
            return found

    async def node(self, node_id: str) -> Node | None:
        """Ask for a node; None where there is no usable answer."""
        # As the CLI: whatever is wrong with this answer, the server is still there.
        try:
            return await self._client.get(f"/v1/node/{path_escape(node_id)}", {}, Node)
        except RequestError:
            return None

    def _needs_read_job(self, namespace: str) -> str:
        return suggestions.rights("read-job", namespace, sent=bool(self.target.token))


def placed(place: Place, stub: AllocationStub) -> Place:
    """Return a place with the allocation that is in it."""
    return replace(
        place,
        group=stub.task_group,
        namespace=stub.namespace,
        allocation=stub.id,
        allocation_name=stub.name,
        node=stub.node_id,
        node_name=stub.node_name,
    )


async def _ended(task: asyncio.Task[Any]) -> None:
    """End a question that nobody waits for any more, and its connection."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _none_running(group: str, stubs: Sequence[AllocationStub]) -> str:
    states: dict[str, int] = {}
    for stub in stubs:
        if stub.task_group == group:
            states[stub.client_status] = states.get(stub.client_status, 0) + 1
    listed = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"No allocation of group {group} is running ({listed}); one of them is tried."
