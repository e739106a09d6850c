"""What there is where a word led to nothing."""

from __future__ import annotations

import pytest

from nomad_magic.nomad import alternatives
from nomad_magic.nomad.models import AllocationStub, JobStub

JOBS = [
    JobStub(id="cache", namespace="default"),
    JobStub(id="web", namespace="default"),
    JobStub(id="billing", namespace="prod"),
    JobStub(id="shared", namespace="apart"),
    JobStub(id="shared", namespace="prod"),
]
NAMESPACES = ["apart", "default", "prod"]
NO_PRD = "There is no namespace prd. Did you mean prod? The namespaces: apart, default, prod."


@pytest.mark.parametrize(
    ("word", "namespace", "said"),
    [
        ("chace", "default", "Did you mean cache, in the namespace default?"),
        ("biling", "default", "Did you mean billing, with -namespace=prod?"),
        ("billing", "default", "There is a job billing with -namespace=prod."),
        ("shared", "default", "There is a job shared with -namespace=apart or -namespace=prod."),
        ("zzz", "default", "The jobs in the namespace default: cache, web."),
        ("zzz", "*", "The jobs in all namespaces: billing, cache, shared, web."),
        ("bilng", "*", "Did you mean billing, in all namespaces?"),
        (
            "billing",
            "prd",
            f"{NO_PRD} There is a job billing with -namespace=prod.",
        ),
        ("zzz", "x", "There is no namespace x. The namespaces: apart, default, prod."),
    ],
)
def test_a_job_that_is_not_there(word: str, namespace: str, said: str) -> None:
    """Where it is, else the nearest, else those there are; and that the namespace is not there."""
    assert alternatives.jobs(word, namespace, JOBS, NAMESPACES) == said


def test_what_is_not_known_is_not_said() -> None:
    """Where nothing was answered, the namespace is all that is known."""
    said = alternatives.jobs("x", "prod", None, None)
    assert said == "It was looked for in the namespace prod."
    said = alternatives.jobs("x", "prod", [], None)
    assert said == "There are no jobs in the namespace prod that this token can list."
    assert alternatives.among("region", "eu", []) == ""
    assert alternatives.among("region", "eu", ["eu"]) == ""


def test_an_allocation_that_is_not_there() -> None:
    """In another namespace, or those of the job that run."""
    found = [
        AllocationStub(id=f"{n:08x}-0", name=f"j.g[{n}]", namespace="prod", client_status=status)
        for n, status in enumerate(["running"] * 6 + ["complete"])
    ]
    said = alternatives.allocations("j", "default", found[:1], found)
    assert said == "There is one with -namespace=prod."
    said = alternatives.allocations("j", "default", [], found)
    assert said.startswith("Running ones of job j: 00000000 (j.g[0]), ")
    assert said.endswith("00000004 (j.g[4]) and 1 more.")
    said = alternatives.allocations("j", "default", [], found[6:])
    assert said == "It was looked for in the namespace default."


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([], "The token may not list jobs in the namespace default, so j was taken"),
        ([JobStub(id="j", status="dead", stop=True)], "The status of job j is dead (stopped)."),
        (
            [JobStub(id="j", periodic=True), JobStub(id="j/periodic-17")],
            "Job j is periodic: each of its runs is a job of its own, as j/periodic-17.",
        ),
        ([JobStub(id="j", parameterized=True)], "there is none of j now."),
    ],
)
def test_a_job_without_allocations(jobs: list[JobStub], said: str) -> None:
    """Why it has none: its state, its kind, or that it was never looked up."""
    assert said in alternatives.no_allocations("j", jobs, "default")
