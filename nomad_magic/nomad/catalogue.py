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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of a job.

    Attributes:
        job: Its id, and `namespace` where it is.
        actions: Those of its newest version.
        running: How many allocations of each group run, as far as known.
        allocations: All that it has, where they were asked for.
    """

    job: str
    namespace: str
    actions: Sequence[ListedAction]
    running: Mapping[str, int]
    allocations: Sequence[AllocationStub] = ()


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
        actions = list(_described(args, client, found))
        job = visible_name(found.job)
        return ActionListing(
            actions=tuple(_narrowed(args, actions, f"Job {job} has", one_job=True)),
            where=f"job {job} · namespace {visible_name(found.namespace)}",
            one_job=True,
        )
    try:
        everything, refusals = await _of_jobs(client)
    except UnexpectedAnswer as answer:
        if NO_REGION in answer.message and not answer.hint:
            answer.hint = await suggestions.other_regions(client)
        raise
    actions = [one for found in everything for one in _described(args, client, found)]
    namespace = client.target.namespace
    named = namespace not in ("", ALL_NAMESPACES)
    where = f"namespace {visible_name(namespace)}" if named else "all namespaces"
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
    # In all namespaces at once no job is asked about.
    guesses = [] if guess[1] == ALL_NAMESPACES else [guess]
    early = [asyncio.create_task(_about(resolver, client, *one)) for one in guesses]
    try:
        job, namespace = await resolver.find_job()
        namespace = namespace or guess[1]
        if (job, namespace) in guesses:
            return await early[0]
        return await _about(resolver, client, job, namespace)
    finally:
        for task in early:
            task.cancel()
        await asyncio.gather(*early, return_exceptions=True)


async def _about(resolver: Resolver, client: Client, job: str, namespace: str) -> Found:
    """Ask for the actions and the allocations of a job, at the same time."""
    asked = asyncio.create_task(resolver.allocations_of(job, namespace))
    try:
        actions = await _actions(client, job, namespace)
        allocations = await asked
    finally:
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    running = {one.task_group_name: 0 for one in actions}
    for stub in allocations:
        if stub.client_status == "running":
            running[stub.task_group] = running.get(stub.task_group, 0) + 1
    return Found(
        job=job, namespace=namespace, actions=actions, running=running, allocations=allocations
    )


async def _of_jobs(client: Client) -> tuple[list[Found], list[UnexpectedAnswer]]:
    """Ask for the actions of all jobs; return them, and what some have answered instead.

    Raises:
        UnexpectedAnswer: It is what all have answered.
    """
    jobs = await _jobs(client)
    if not jobs and client.target.namespace not in ("", ALL_NAMESPACES):
        await _check_namespace(client)
    answers = await each(lambda job: _actions_if_any(client, job), jobs, at_once=AT_ONCE)
    found: list[Found] = []
    refusals: list[UnexpectedAnswer] = []
    for key, answer in answers.items():
        if isinstance(answer, UnexpectedAnswer):
            refusals.append(answer)
        else:
            job, namespace = key
            running = jobs[key].running
            found.append(Found(job=job, namespace=namespace, actions=answer, running=running))
    if refusals and not found:
        raise refusals[0]
    return found, refusals


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


def _described(args: ActionArgs, client: Client, found: Found) -> Iterator[JobAction]:
    """Return the actions of a job as they are shown: with nothing secret in them."""
    shown = client.target.masker().shown
    here = client.target.namespace or DEFAULT_NAMESPACE
    for one in found.actions:
        again = replace(
            args,
            job=found.job,
            namespace=args.namespace if found.namespace == here else found.namespace,
            group=one.task_group_name,
            task=one.task_name,
            action=one.name,
        )
        yield JobAction(
            job=shown(found.job),
            namespace=shown(found.namespace),
            group=shown(one.task_group_name),
            task=shown(one.task_name),
            name=shown(one.name),
            command=tuple(map(shown, (one.command, *(one.args or ())))),
            running=found.running.get(one.task_group_name),
            line=shown(f"%nomad_action {again.command_line().removeprefix('nomad job action ')}"),
        )


def _narrowed(
    args: ActionArgs, actions: list[JobAction], subject: str, *, one_job: bool = False
) -> list[JobAction]:
    """Return those that the line asks for.

    Args:
        args: The line.
        actions: All.
        subject: Whose they are, for the error.
        one_job: They are of one job, which can name all that it has.

    Raises:
        LocateError: There is none.
    """
    no, an = ("no ", "no") if one_job else ("", "an")
    wanted = {
        "group": (args.group, f"{no}actions in a group"),
        "task": (args.task, f"{no}actions in a task"),
        "action": (args.action, f"{an} action"),
    }
    kept = actions
    for what, (word, words) in wanted.items():
        if not word:
            continue
        names = {_named(one, what) for one in kept}
        if word not in names:
            if what == "action" and one_job:
                places = ((one.group, one.task, one.name) for one in actions)
                hint = alternatives.actions(word, places)
            else:
                there = f"There are: {listed(names)}." if names else ""
                hint = f"{alternatives.did_you_mean(word, names)} {there}".strip()
            raise LocateError(f"{subject} {words} {visible_name(word)}", hint=hint)
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
