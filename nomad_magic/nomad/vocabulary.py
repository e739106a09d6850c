"""What of a cluster can be offered at the cursor: jobs, groups, tasks, allocations, actions.

Each question is asked once, however often Tab is pressed, and its answer is kept for a few seconds;
so is that there was none.  Whatever goes wrong, nothing is offered, and nothing is said.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from nomad_magic import fork
from nomad_magic.errors import NomadMagicError
from nomad_magic.go import parse_bool
from nomad_magic.line.flag_table import BY_NAME
from nomad_magic.line.flags import ActionArgs
from nomad_magic.line.offers import Offer
from nomad_magic.nomad import cache, catalogue, questions
from nomad_magic.nomad.models import ALL_NAMESPACES
from nomad_magic.nomad.target import read_target
from nomad_magic.record.facts import SHORT_ID
from nomad_magic.record.listing import one_line
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from nomad_magic.line.unfinished import Unfinished
    from nomad_magic.nomad.catalogue import Found
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.models import AllocationStub, JobStub, ListedAction
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.target import Target

T = TypeVar("T")

KEPT_SECONDS: Final = 5.0
"""How long an answer is taken for what there still is."""

ANSWER_SECONDS: Final = 5.0
"""How long an answer may take: it is for the next Tab then."""

MOST_JOBS: Final = 500
"""How many jobs are asked for: more are not looked through."""

MOST_KEPT: Final = 64
"""How many answers are kept."""

COMMAND_CHARACTERS: Final = 60
"""How much of a command is shown beside its action."""


@dataclass(slots=True)
class _Kept:
    """A question, and until when (of the loop's clock) its answer is kept."""

    task: asyncio.Task[Any]
    until: float


_kept: OrderedDict[str, _Kept] = OrderedDict()
# A key tells nothing of the token that is in it, in this process or in another.
_salt = secrets.token_bytes(32)


def forget() -> None:
    """Keep no answer any more."""
    _kept.clear()


fork.in_child(forget)


async def of_cluster(line: Unfinished, environ: Mapping[str, str], options: Options) -> list[Offer]:
    """Return what a cluster has for the cursor, what is most likely first.

    Args:
        line: Which names the cluster, or leaves it to the environment.
        environ: The environment.
        options: The bounds of each wait.
    """
    args = _args(line)
    if args is None:
        return []
    try:
        target = read_target(args, environ)
        asker = _Asker(line, args, cache.client(target, options), _digest(target, options))
        found = await asker.offers()
    except NomadMagicError:
        return []
    shown = target.masker().shown
    offers: dict[str, Offer] = {}
    for offer in found:
        # What cannot be typed, or must not be shown, is not offered.
        if offer.text.startswith(line.typed) and visible_name(shown(offer.text)) == offer.text:
            offers.setdefault(offer.text, Offer(offer.text, visible_name(shown(offer.about))))
    return list(offers.values())


def _args(line: Unfinished) -> ActionArgs | None:
    """Return what the line says so far; None where it does not say which cluster it means."""
    unknown = line.seen - line.given.keys()
    if any(BY_NAME[name].group == "connection" for name in unknown if name in BY_NAME):
        return None
    values: dict[str, Any] = {"job": ""}
    for name, value in line.given.items():
        if (flag := BY_NAME.get(name)) is not None and flag.group != "fleet" and flag.value:
            values[flag.field] = value
    skip = parse_bool(line.given.get("tls-skip-verify", "")) or False
    return ActionArgs(action=line.word, **values, tls_skip_verify=skip)


def _digest(target: Target, options: Options) -> bytes:
    """Return what tells a target from others, and nothing of what is secret in it."""
    facts = (target, target.token, target.auth, target.node_auth, target.address.password, options)
    return hashlib.blake2b(repr(facts).encode("utf-8", "replace"), key=_salt).digest()


class _Asker:
    """Asks one agent what there is, for one line."""

    def __init__(self, line: Unfinished, args: ActionArgs, client: Client, digest: bytes) -> None:
        self.line = line
        self.args = args
        self.client = client
        self.digest = digest

    async def offers(self) -> Iterable[Offer]:
        """Return what there is for the cursor."""
        match self.line.option.name if self.line.option else "action":
            case "job":
                return self._of_jobs(await self._jobs())
            case "group" if not self._says("job"):
                return self._groups_of_jobs(await self._jobs())
            case "group":
                return self._groups(await self._found())
            case "task":
                return self._tasks(await self._found())
            case "action":
                return self._actions(await self._found())
            case "alloc" if self._says("job"):
                return self._allocations(await self._found())
            case "alloc":
                return self._of_stubs(await self._stubs())
            case "namespace":
                return await self._namespaces()
            case _:
                regions = await self._once("regions", lambda: questions.regions(self.client))
                return [Offer(name) for name in sorted(regions or ())]

    def _says(self, flag: str) -> bool:
        return flag in self.line.seen

    async def _once(self, question: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Ask a question unless it was just asked; None where it has no answer."""
        loop = asyncio.get_running_loop()
        key = hashlib.blake2b(question.encode("utf-8", "replace"), key=self.digest).hexdigest()
        kept = _kept.get(key)
        if kept is None or (kept.task.done() and kept.until < loop.time()):
            kept = _Kept(loop.create_task(_answered(ask)), 0.0)
            made = kept

            def done(_task: asyncio.Task[Any]) -> None:
                made.until = loop.time() + KEPT_SECONDS

            kept.task.add_done_callback(done)
            _kept[key] = kept
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
        # Who asks may stop waiting; the answer is the next one's then.
        return cast("T | None", await asyncio.shield(kept.task))

    async def _jobs(self) -> list[JobStub]:
        """Return the jobs, of many those that begin as what was typed."""
        client, most = self.client, MOST_JOBS
        found = await self._once("jobs", lambda: questions.jobs(client, most=most)) or []
        typed = self.line.typed if self.line.option and self.line.option.name == "job" else ""
        if len(found) < most or not typed:
            return found
        return (
            await self._once(
                f"jobs {typed}", lambda: questions.jobs(client, prefix=typed, most=most)
            )
            or []
        )

    async def _found(self) -> Found | None:
        """Return what there is of the line's job; None where the line says none that is known."""
        if not self.args.job:
            return None
        return await self._once(
            f"job {self.args.job}", lambda: catalogue.of_job(self.args, self.client)
        )

    async def _stubs(self) -> list[AllocationStub]:
        """Return the allocations that begin as what was typed, whatever job they are of."""
        prefix = self.line.typed[:2]
        if len(prefix) < 2:
            return []
        return (
            await self._once(
                f"allocations {prefix}", lambda: questions.allocations(self.client, prefix)
            )
            or []
        )

    async def _namespaces(self) -> list[Offer]:
        """Return the namespaces, those alone that have the job where the line names one."""
        client, job = self.client, self.args.job
        names = await self._once("namespaces", lambda: questions.namespaces(client)) or []
        if job:
            where = await self._once(
                f"everywhere {job}",
                lambda: questions.jobs(
                    client, prefix=job, namespace=ALL_NAMESPACES, most=MOST_JOBS
                ),
            )
            names = sorted({one.own_namespace for one in where or ()}) or names
        return [*(Offer(name) for name in names), Offer(ALL_NAMESPACES, "all of them")]

    def _of_jobs(self, jobs: Iterable[JobStub]) -> Iterator[Offer]:
        group, everywhere = self.args.group, self.client.target.namespace == ALL_NAMESPACES
        for job in sorted(jobs, key=lambda one: one.status != "running"):
            if not group or group in job.running or not job.running:
                namespace = f" · {job.own_namespace}" * everywhere
                yield Offer(job.id, f"{'stopped' if job.stop else job.status}{namespace}")

    def _groups_of_jobs(self, jobs: Iterable[JobStub]) -> Iterator[Offer]:
        yield from (Offer(name) for name in sorted({name for job in jobs for name in job.running}))

    def _meant(self, found: Found, *but: str) -> list[ListedAction]:
        """Return the actions that go with what else the line says."""
        wanted = {"group": self.args.group, "task": self.args.task, "action": self.args.action}
        if self.args.alloc:
            # As for a run: the group is the allocation's, whatever -group says.
            begun = (one for one in found.allocations if one.id.startswith(self.args.alloc))
            wanted["group"] = next((one.task_group for one in begun), "")
        for name in but:
            wanted[name] = ""
        return [
            one
            for one in found.actions
            if wanted["group"] in ("", one.task_group_name)
            and wanted["task"] in ("", one.task_name)
            and wanted["action"] in ("", one.name)
        ]

    def _groups(self, found: Found | None) -> Iterator[Offer]:
        if found is not None:
            running = found.running
            for one in self._meant(found, *([] if self.args.alloc else ["group"])):
                name = one.task_group_name
                yield Offer(name, f"{running.get(name, 0)} running")

    def _tasks(self, found: Found | None) -> Iterator[Offer]:
        if found is not None:
            for one in self._meant(found, "task"):
                yield Offer(one.task_name, f"group {one.task_group_name}")

    def _actions(self, found: Found | None) -> Iterator[Offer]:
        if found is not None:
            for one in self._meant(found, "action"):
                command = (one.command, *(one.args or ()))
                yield Offer(one.name, one_line(command, COMMAND_CHARACTERS))

    def _allocations(self, found: Found | None) -> Iterable[Offer]:
        if found is None:
            return ()
        groups = {one.task_group_name for one in self._meant(found)} | {self.args.group}
        there = [stub for stub in found.allocations if stub.task_group in groups]
        if not (self.args.group or self.args.task or self.args.action):
            there = list(found.allocations)
        return self._of_stubs(there)

    def _of_stubs(self, stubs: Sequence[AllocationStub]) -> Iterator[Offer]:
        running = [stub for stub in stubs if stub.client_status == "running"]
        length = SHORT_ID if len(self.line.typed) <= SHORT_ID else None
        for stub in running or stubs:
            state = "" if running else f" · {stub.client_status}"
            yield Offer(stub.id[:length], f"{stub.name} on {stub.node_name}{state}")


async def _answered(ask: Callable[[], Awaitable[T]]) -> T | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await ask()
    except (NomadMagicError, TimeoutError):
        return None
