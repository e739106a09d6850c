"""What there is where a word led to nothing, as a sentence.  Pure: it is given what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nomad_magic.line.nearest import listed, nearest
from nomad_magic.nomad.models import ALL_NAMESPACES
from nomad_magic.record.facts import SHORT_ID
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from nomad_magic.nomad.models import AllocationStub, JobStub

_SHOWN: Final = 5
"""How many allocations are listed."""


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return the question for the name that is most like a word; empty when none is."""
    found = nearest(word, names)
    return f"Did you mean {visible_name(found)}?" if found else ""


def among(what: str, word: str, names: Collection[str]) -> str:
    """Return that a word is none of these names, and which one it may be.

    Args:
        what: What they name.
        word: The word.
        names: Those there are; nothing is said where they hold the word, or nothing.
    """
    if not names or word in names:
        return ""
    meant = did_you_mean(word, names)
    return " ".join(
        filter(None, (f"There is no {what} {word}.", meant, f"The {what}s: {listed(names)}."))
    )


def jobs(
    word: str,
    namespace: str,
    found: Sequence[JobStub] | None,
    namespaces: Collection[str] | None,
) -> str:
    """Return where the job is that a word did not lead to, or which jobs there are.

    Args:
        word: What `-job` said.
        namespace: Where it was looked for.
        found: The jobs of all namespaces; None when that is not known.
        namespaces: Those there are; None when that is not known.
    """
    missing = ""
    if namespace != ALL_NAMESPACES:
        missing = among("namespace", namespace, namespaces or ())
    where = "in all namespaces" if namespace == ALL_NAMESPACES else f"in the namespace {namespace}"
    if found is None:
        return missing or f"It was looked for {where}."
    by_job: dict[str, set[str]] = {}
    for job in found:
        by_job.setdefault(job.own_namespace, set()).add(job.id)
    here = {
        name
        for place, names in by_job.items()
        if namespace in (ALL_NAMESPACES, place)
        for name in names
    }
    elsewhere = sorted(place for place, names in by_job.items() if word in names)
    meant, in_all = nearest(word, here), {job.id: job.own_namespace for job in found}
    if elsewhere:
        flags = " or ".join(f"-namespace={visible_name(place)}" for place in elsewhere)
        said = f"There is a job {word} with {flags}."
    elif meant:
        said = f"Did you mean {visible_name(meant)}, {where}?"
    elif meant := nearest(word, in_all):
        place = visible_name(in_all[meant])
        said = f"Did you mean {visible_name(meant)}, with -namespace={place}?"
    elif missing:
        said = ""
    elif here:
        said = f"The jobs {where}: {listed(here)}."
    else:
        said = f"There are no jobs {where} that this token can list."
    return f"{missing} {said}".strip()


def allocations(
    job: str,
    namespace: str,
    everywhere: Sequence[AllocationStub],
    of_job: Sequence[AllocationStub],
) -> str:
    """Return where the allocation is that a prefix did not lead to, or which ones a job has.

    Args:
        job: What `-job` said.
        namespace: Where it was looked for.
        everywhere: Those with the prefix in all namespaces.
        of_job: The job's.
    """
    if everywhere:
        flags = " or ".join(
            sorted({f"-namespace={visible_name(stub.namespace)}" for stub in everywhere})
        )
        return f"There is one with {flags}."
    running = [stub for stub in of_job if stub.client_status == "running"]
    if not running:
        return f"It was looked for in the namespace {namespace}."
    shown = ", ".join(
        f"{stub.id[:SHORT_ID]} ({visible_name(stub.name)})" for stub in running[:_SHOWN]
    )
    more = len(running) - _SHOWN
    return f"Running ones of job {job}: {shown}" + (f" and {more} more." if more > 0 else ".")


def actions(word: str, places: Iterable[tuple[str, str, str]]) -> str:
    """Return where an action of that name is, or which actions there are.

    Args:
        word: What the line said.
        places: Group, task and name of each action that there is.
    """
    by_name: dict[str, list[str]] = {}
    for group, task, name in places:
        flags = visible_name(f"-group={group} -task={task}")
        by_name.setdefault(name, []).append(flags)
    if word in by_name:
        return f"There is an action {visible_name(word)} in {'; '.join(by_name[word])}."
    there = f"Its actions: {listed(by_name)}." if by_name else "It has no actions."
    return f"{did_you_mean(word, by_name)} {there}".lstrip()


def no_allocations(job: str, found: Sequence[JobStub], namespace: str) -> str:
    """Return why a job has no allocations.

    Args:
        job: Its id.
        found: The jobs whose id begins with it, itself first; empty where none could be listed.
        namespace: Where it was looked for.
    """
    if not found:
        return (
            f"The token may not list jobs in the namespace {namespace}, so {job} was taken for a "
            "job's whole id."
        )
    first = found[0]
    status = f"{first.status} (stopped)" if first.stop else first.status
    if not (first.periodic or first.parameterized):
        return f"The status of job {job} is {status}."
    kind = "periodic" if first.periodic else "parameterized"
    runs = [one.id for one in found if one.id.startswith(f"{job}/")]
    example = f", as {visible_name(runs[-1])}" if runs else f"; there is none of {job} now"
    return f"Job {job} is {kind}: each of its runs is a job of its own{example}."
