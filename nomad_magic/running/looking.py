"""Looks for the process of a run that is known from its record alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.errors import UsageError
from nomad_magic.line import flags
from nomad_magic.nomad import cache, clock
from nomad_magic.nomad.models import Allocation, Node, Task
from nomad_magic.nomad.processes import Span
from nomad_magic.nomad.reach import Reach
from nomad_magic.nomad.resolve import Resolved
from nomad_magic.nomad.target import read_target
from nomad_magic.record.record import Record
from nomad_magic.record.result import ActionResult
from nomad_magic.record.sighting import Presence, Process, Sighting
from nomad_magic.running.reaching import LOOK_SECONDS

if TYPE_CHECKING:
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.target import Target

CLOCK_SECONDS: Final = 1.0
"""How far off the time of a record may be: it is of a clock that may have been put right since."""


def facts_of(record: ActionResult | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts of a record, as its metadata in a notebook has them.

    Args:
        record: A result; or a record's metadata, or that of the output that it is in.

    Raises:
        UsageError: It is none.
    """
    if isinstance(record, ActionResult):
        return Record(record).metadata()
    for name in ("metadata", "nomad_magic"):
        inner = record.get(name)
        record = inner if isinstance(inner, Mapping) else record
    if not isinstance(record.get("place"), Mapping):
        raise UsageError(
            "this is no record of nomad_magic",
            hint="It is the value under nomad_magic in the metadata of an output.",
        )
    return record


async def look(facts: Mapping[str, Any], environ: Mapping[str, str], options: Options) -> Sighting:
    """Look what became of the process of a run.

    Args:
        facts: As `facts_of` returns them.
        environ: Has the token, and an address where the record's own is not enough.
        options: The bounds of each wait.

    Raises:
        NomadMagicError: The agent does not say where the allocation is.
    """
    if facts.get("exit_code") is not None:
        why = f"it left with exit code {facts['exit_code']}"
        return Sighting(time=datetime.now().astimezone(), presence=Presence.ENDED, why=why)
    if not facts.get("started"):
        raise UsageError("this run never began: there is no process to look for")
    client = _client(facts["place"], environ, options)
    resolved = await _resolved(facts["place"], client)
    reach = Reach(
        client, options, resolved, action=str(facts.get("action", "")), tty=bool(facts.get("tty"))
    )
    reach.found = _found(facts)
    ago = (datetime.now().astimezone() - datetime.fromisoformat(facts["started"])) / timedelta(
        seconds=1
    )
    started = clock.now() - ago
    span = Span(asked=started - CLOCK_SECONDS, opened=started + CLOCK_SECONDS, guessed=True)
    seen = await reach.look(lambda: span, runs=False, seconds=LOOK_SECONDS)
    return seen.shown(client.target.masker())


def _client(place: Mapping[str, Any], environ: Mapping[str, str], options: Options) -> Client:
    flagged = [
        f"-{flag}={place[flag]}" for flag in ("address", "region", "namespace") if place.get(flag)
    ]
    target, own = _target(flagged, environ), _target([], environ)
    # The record has no password of an address; where it is the environment's own, that has.
    if own.place.address == target.place.address:
        target = _target(flagged[1:], environ)
    return cache.client(target, options)


def _target(argv: list[str], environ: Mapping[str, str]) -> Target:
    words = [*argv, "-job=-", "-group=-", "-task=-", "-"]
    args = flags.parse(words, environ=environ, stdin_is_tty=False)
    return read_target(args, environ, words)


async def _resolved(place: Mapping[str, Any], client: Client) -> Resolved:
    path = f"/v1/allocation/{place['allocation']}"
    allocation = await client.get(path, {}, Allocation)
    node = await client.get(f"/v1/node/{allocation.node_id}", {}, Node)
    groups = (allocation.job.task_groups if allocation.job else None) or ()
    tasks = (task for group in groups for task in group.tasks or ())
    name = str(place.get("task", ""))
    task = next((one for one in tasks if one.name == name), Task(name=name))
    return Resolved(job=allocation.job_id, allocation=allocation, task=task, node=node)


def _found(facts: Mapping[str, Any]) -> Process | None:
    """Return the process, if it was found in mid-run or at the end."""
    looks = [*reversed(facts.get("stops") or ()), facts.get("seen")]
    for seen in filter(None, reversed(looks)):
        if seen.get("presence") == Presence.RUNNING and seen.get("processes"):
            return Process(**seen["processes"][0])
    return None
