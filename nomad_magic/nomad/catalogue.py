"""Which actions there are, of a job or of all jobs, each with the line that runs it.

What does not depend on each other is asked at the same time: of one job all at once, of all jobs
first which there are, and then `AT_ONCE` of them side by side.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import LocateError, RequestError, UnexpectedAnswer
from nomad_magic.go import go_quote
from nomad_magic.line.nearest import listed
from nomad_magic.nomad import alternatives, questions, suggestions
from nomad_magic.nomad.explain import NO_REGION, PERMISSION_DENIED, Step
from nomad_magic.nomad.models import ALL_NAMESPACES, DEFAULT_NAMESPACE
from nomad_magic.nomad.resolve import Resolver
from nomad_magic.nomad.side_by_side import TOO_MANY, each
from nomad_magic.record.listing import ActionListing, JobAction
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.models import AllocationStub, JobStub, ListedAction

AT_ONCE: Final = 64
"""How many jobs are asked about at the same time: two thirds of the connections of a client that
an agent takes where it was not told otherwise (`capacity`)."""

_WANTED: Final = {"group": "actions in a group", "task": "actions in a task", "action": "an action"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of a job.

    Attributes:
        job: Its id, and `namespace` where it is.
        actions: Those of its newest version.
        allocations: All that it has.
    """

    job: str
    namespace: str
    actions: Sequence[ListedAction]
    allocations: Sequence[AllocationStub]

    @property
    def running(self) -> dict[str, int]:
        """How many allocations of each group run."""
        groups = {one.task_group_name: 0 for one in self.actions}
        for stub in self.allocations:
            runs = stub.client_status == "running"
            groups[stub.task_group] = groups.get(stub.task_group, 0) + runs
        return groups


async def listing(args: ActionArgs, client: Client) -> ActionListing:
    """List the actions that a line asks for.

    Args:
        args: The line; of job, group, task and action each is empty where all are meant.
        client: Of its target.

    Raises:
        LocateError: There is no such job, group, task or action.
        RequestError: No usable answer.
    """
    if args.job:
        found = await of_job(args, client)
        job = visible_name(found.job)
        actions = list(_described(args, client, found.job, found.namespace, found))
        kept = _narrowed(args, actions, f"Job {job} has no", job=job)
        where = f"job {job} · namespace {visible_name(found.namespace)}"
        return ActionListing(actions=tuple(kept), where=where, one_job=True)
    try:
        jobs = await _jobs(client)
        if not jobs and client.target.namespace not in ("", ALL_NAMESPACES):
            await _check_namespace(client)
        answers = await each(lambda job: _actions_if_any(client, job), jobs, at_once=AT_ONCE)
    except UnexpectedAnswer as answer:
        if NO_REGION in answer.message and not answer.hint:
            answer.hint = await suggestions.other_regions(client)
        raise
    refusals = [answer for answer in answers.values() if isinstance(answer, RequestError)]
    if jobs and len(refusals) == len(jobs):
        raise refusals[0]
    actions = [
        one
        for (job, namespace), answer in answers.items()
        if not isinstance(answer, RequestError)
        for one in _described(
            args,
            client,
            job,
            namespace,
            Found(job=job, namespace=namespace, actions=answer, allocations=()),
            running=jobs[job, namespace].running,
        )
    ]
    namespace = client.target.namespace
    where = f"namespace {visible_name(namespace)}" if namespace else "all namespaces"
    if namespace == ALL_NAMESPACES:
        where = "all namespaces"
    return ActionListing(
        actions=tuple(_narrowed(args, actions, "No job has")),
        where=f"all jobs of {where}",
        notices=tuple(_left_out(client, refusals)),
    )


async def of_job(args: ActionArgs, client: Client) -> Found:
    """Find what there is of the job that a line names.

    Args:
        args: The line.
        client: Of its target.

    Raises:
        LocateError: The line's word does not lead to one job.
        RequestError: No usable answer.
    """
    resolver = Resolver(
        args,
        client,
        choose=lambda stubs: stubs[0],
        located=lambda _place, _command: None,
        notice=lambda _text: None,
    )
    # Most words are a whole id: then all has been asked by the time that this is known.
    guess = (args.job, client.target.namespace or DEFAULT_NAMESPACE)
    early = asyncio.create_task(_about(resolver, client, *guess))
    try:
        job, namespace = await resolver.find_job()
        namespace = namespace or guess[1]
        if (job, namespace) == guess:
            actions, allocations = await early
        else:
            actions, allocations = await _about(resolver, client, job, namespace)
    finally:
        early.cancel()
        await asyncio.gather(early, return_exceptions=True)
    return Found(job=job, namespace=namespace, actions=actions, allocations=allocations)


async def _about(
    resolver: Resolver, client: Client, job: str, namespace: str
) -> tuple[list[ListedAction], list[AllocationStub]]:
    """Ask for the actions and the allocations of a job, at the same time."""
    allocations = asyncio.create_task(resolver.allocations_of(job, namespace))
    try:
        return await _actions(client, job, namespace), await allocations
    finally:
        allocations.cancel()
        await asyncio.gather(allocations, return_exceptions=True)


async def _actions(client: Client, job: str, namespace: str) -> list[ListedAction]:
    with Step(f"Error fetching actions: error querying job {go_quote(job)}: ") as step:
        step.denied = suggestions.rights("read-job", namespace, sent=bool(client.target.token))
        return await questions.actions_of(client, job, namespace)


async def _actions_if_any(
    client: Client, job: tuple[str, str]
) -> list[ListedAction] | UnexpectedAnswer:
    """Ask for the actions of one of many jobs; that one of them is not told is an answer too."""
    try:
        return await _actions(client, *job)
    except UnexpectedAnswer as answer:
        if answer.status == TOO_MANY:
            raise
        return answer


async def _check_namespace(client: Client) -> None:
    """Make sure that a namespace without jobs is one.

    Raises:
        LocateError: The agent knows others, and not this one.
    """
    if there := await suggestions.other_namespaces(client):
        where = visible_name(client.target.namespace)
        raise LocateError(f"No jobs in the namespace {where} found", hint=there)


async def _jobs(client: Client) -> dict[tuple[str, str], JobStub]:
    """Return the jobs whose actions are listed, by id and namespace.

    Of a periodic or parameterized job each run is a job of its own; those that have ended are left
    out, for there may be thousands, in which nothing runs any more.
    """
    namespace = client.target.namespace or ALL_NAMESPACES
    with Step("Error querying jobs: ") as step:
        step.denied = suggestions.rights("list-jobs", namespace, sent=bool(client.target.token))
        stubs = await questions.jobs(client, namespace=namespace)
    parents = {
        (stub.id, stub.own_namespace) for stub in stubs if stub.periodic or stub.parameterized
    }
    return {
        (stub.id, stub.own_namespace): stub
        for stub in stubs
        if stub.status != "dead" or (stub.id.rpartition("/")[0], stub.own_namespace) not in parents
    }


def _described(  # noqa: PLR0913 - one job's facts
    args: ActionArgs,
    client: Client,
    job: str,
    namespace: str,
    found: Found,
    *,
    running: Mapping[str, int] | None = None,
) -> Iterator[JobAction]:
    """Return the actions of a job as they are shown: with nothing secret in them."""
    shown = client.target.masker().shown
    running = found.running if running is None else running
    here = client.target.namespace or DEFAULT_NAMESPACE
    for one in found.actions:
        again = replace(
            args,
            job=job,
            namespace=args.namespace if namespace == here else namespace,
            group=one.task_group_name,
            task=one.task_name,
            action=one.name,
        )
        yield JobAction(
            job=shown(job),
            namespace=shown(namespace),
            group=shown(one.task_group_name),
            task=shown(one.task_name),
            name=shown(one.name),
            command=tuple(map(shown, (one.command, *(one.args or ())))),
            running=running.get(one.task_group_name),
            line=shown(f"%nomad_action {again.command_line().removeprefix('nomad job action ')}"),
        )


def _narrowed(
    args: ActionArgs, actions: list[JobAction], subject: str, *, job: str = ""
) -> list[JobAction]:
    """Return those that the line asks for.

    Raises:
        LocateError: There is none.
    """
    kept = actions
    for what, word in (("group", args.group), ("task", args.task), ("action", args.action)):
        if not word:
            continue
        names = {_named(one, what) for one in kept}
        if word not in names:
            wanted = f"{_WANTED[what].removeprefix('an ' * bool(job))} {visible_name(word)}"
            if what == "action" and job:
                hint = alternatives.actions(
                    word, ((one.group, one.task, one.name) for one in actions)
                )
            else:
                there = f"There are: {listed(names)}." if names else ""
                hint = f"{alternatives.did_you_mean(word, names)} {there}".strip()
            raise LocateError(f"{subject} {wanted}", hint=hint)
        kept = [one for one in kept if _named(one, what) == word]
    return kept


def _named(one: JobAction, what: str) -> str:
    return {"group": one.group, "task": one.task, "action": one.name}[what]


def _left_out(client: Client, refusals: Iterable[RequestError]) -> Iterator[str]:
    """Say how many jobs are not in the list, and why."""
    reasons: dict[str, int] = {}
    for one in refusals:
        denied = PERMISSION_DENIED in one.message
        reason = one.hint if denied and one.hint else one.message
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in reasons.items():
        jobs = "1 job is" if count == 1 else f"{count} jobs are"
        yield client.target.masker().shown(f"{jobs} not in the list: {reason}")
