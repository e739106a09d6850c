"""Which job, allocation and task a line means, from what real agents answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.errors import LocateError
from nomad_magic.nomad.locate import (
    JOBS_PER_PAGE,
    age,
    choose_allocation,
    choose_by_prefix,
    choose_job,
    choose_task,
    find_action,
    sanitize_prefix,
    where,
)
from nomad_magic.nomad.models import (
    Action,
    Allocation,
    AllocationStub,
    Job,
    JobStub,
    JobSummary,
    Node,
    Task,
    TaskGroup,
)

DATA = Path(__file__).parents[1] / "data"
RUNS = json.loads((DATA / "cli" / "runs.json").read_text(encoding="utf-8"))
ALLOCATION = "fc878e9e-bb55-2969-6e2b-8ed515a62edc"

T = TypeVar("T")


def answer(name: str, kind: type[T]) -> T:
    """An answer as recorded, read the way the client reads it."""
    recorded = json.loads((DATA / "http" / f"{name}.json").read_text(encoding="utf-8"))
    return msgspec.json.decode(json.dumps(recorded["body"]).encode(), type=kind)


def refusal(function: Any, *args: Any, **named: Any) -> LocateError:
    with pytest.raises(LocateError) as caught:
        function(*args, **named)
    return caught.value


def recorded_words(*argv: str) -> str:
    """What the real CLI wrote to stderr for that line."""
    found = next(run["stderr"] for run in RUNS if run["argv"] == list(argv))
    return str(found).removesuffix("\n")


def job(name: str, namespace: str = "default", **more: Any) -> JobStub:
    summary = JobSummary(namespace=namespace)
    return JobStub(id=name, summary=summary, type="service", status="running", **more)


def allocation(number: int, group: str = "g", status: str = "running") -> AllocationStub:
    return AllocationStub(id=f"{number:08x}-0000", task_group=group, client_status=status)


def placed(**tasks: list[str]) -> Allocation:
    """An allocation of a group `g` whose tasks have actions of these names."""
    made = [
        Task(name=name, actions=[Action(name=action) for action in actions])
        for name, actions in tasks.items()
    ]
    group = TaskGroup(name="g", tasks=made)
    return Allocation(id=ALLOCATION, task_group="g", job=Job(id="j", task_groups=[group]))


# What real agents answered


def test_the_recorded_jobs_are_read() -> None:
    """Ids, namespace, state and time of each, and how many allocations of each group run."""
    first, second = answer("jobs-prefix", list[JobStub])
    assert (first.id, first.own_namespace, first.stop) == ("cache", "default", False)
    assert first.running == {"redis": 3, "single": 1}
    assert (second.id, second.status, second.stop) == ("cache-two", "dead", True)
    assert (first.type, first.priority, first.submit_time) == ("service", 50, 1795454172366743142)
    assert answer("jobs-star", list[JobStub])[0].id == "cache"
    assert answer("jobs-none", list[JobStub]) == []


def test_the_recorded_allocations_are_read() -> None:
    """Where each one is, and whether it runs."""
    stubs = answer("job-allocations", list[AllocationStub])
    assert {(stub.task_group, stub.client_status) for stub in stubs} == {
        ("redis", "running"),
        ("single", "running"),
    }
    (one,) = answer("allocations-prefix", list[AllocationStub])
    assert (one.id, one.name, one.namespace) == (ALLOCATION, "cache.single[0]", "default")
    assert (one.node_name, one.desired_status, one.job_version) == ("vm", "run", 0)
    assert one.node_id == "a08f411e-262b-aaba-f428-919981f81a1a"


def test_the_recorded_allocation_brings_its_job() -> None:
    """With its tasks, their drivers and actions, as it was when it was placed."""
    found = answer("allocation", Allocation)
    assert found.job is not None
    assert (found.job.id, found.job.version, found.job.region) == ("cache", 0, "global")
    task = choose_task(found, "")
    assert (task.name, task.driver) == ("only", "raw_exec")
    assert find_action(task, "hello") == Action(
        name="hello", command="/bin/echo", args=["from only"]
    )
    assert ("redis", "server") in where(found.job, "hello")
    assert where(found.job, "nosuch") == []


def test_the_recorded_node_and_job_are_read() -> None:
    """The node's own address is where the session is tried first."""
    node = answer("node", Node)
    assert (node.http_addr, node.tls_enabled, node.status) == ("127.0.0.1:4700", False, "ready")
    groups = answer("job", Job).task_groups or []
    assert [group.name for group in groups] == ["redis", "single"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"ID":"j","JobSummary":null,"Periodic":false,"Datacenters":null}', JobStub),
        ('{"ID":"j"}', JobStub),
        ('{"ID":"a","TaskStates":null,"DeploymentStatus":null}', AllocationStub),
        ('{"ID":"a"}', AllocationStub),
        ('{"ID":"a","Job":null,"AllocatedResources":null}', Allocation),
        ('{"ID":"a","Job":{"ID":"j","TaskGroups":null,"Region":null}}', Allocation),
        ('{"ID":"a","Job":{"ID":"j","TaskGroups":[{"Name":"g","Tasks":null}]}}', Allocation),
        ('{"ID":"a","Job":{"ID":"j","TaskGroups":[{"Name":"g","Tasks":[]}]}}', Allocation),
        ('{"Name":"t","Actions":null,"Config":null}', Task),
        ('{"Name":"t","Actions":[{"Name":"a","Command":"c","Args":null}]}', Task),
        ('{"ID":"n","Attributes":null,"Drivers":null}', Node),
    ],
)
def test_what_go_leaves_out_or_sends_as_null_is_read(text: str, kind: type[Any]) -> None:
    """An empty slice, map or pointer of Go's is null; a string or a number never is."""
    found = msgspec.json.decode(text, type=kind)
    if isinstance(found, Task):
        assert find_action(found, "nosuch") is None
    if isinstance(found, Allocation):
        assert where(found.job, "nosuch") == []
        assert refusal(choose_task, found, "t").message.startswith("Could not find")


# Jobs


def test_an_exact_id_wins_over_longer_ones() -> None:
    """`cache` means `cache`, although `cache-two` begins with it too."""
    jobs = answer("jobs-prefix", list[JobStub])
    assert choose_job("cache", jobs) == ("cache", "default")
    assert choose_job("cache", jobs, all_namespaces=True) == ("cache", "default")


def test_a_prefix_of_one_job_is_that_job() -> None:
    """And the id that is given back is the whole one."""
    assert choose_job("cac", [job("cache", "prod")]) == ("cache", "prod")


def test_no_job_is_said_in_the_recorded_words() -> None:
    """As the CLI says it, quotes and all."""
    words = recorded_words("-job=nope", "-group=redis", "-task=server", "hello")
    assert refusal(choose_job, "nope", []).message == words
    assert 'ID "a\\"b" found' in refusal(choose_job, 'a"b', []).message


def test_an_ambiguous_prefix_lists_the_jobs() -> None:
    """A table with aligned columns; a stopped job says so."""
    error = refusal(choose_job, "cac", answer("jobs-prefix", list[JobStub]))
    assert error.message.split("\n") == [
        'Prefix "cac" matched multiple jobs',
        "",
        "ID         Type     Priority  Status          Submit Date",
        "cache      service  50        running         2026-11-23T17:16:12Z",
        "cache-two  service  50        dead (stopped)  2026-11-23T17:19:09Z",
    ]
    assert error.hint == "Name one of them in full with -job."


def test_the_same_id_in_two_namespaces_is_ambiguous_under_all() -> None:
    """With `-namespace=*` even an exact id may be two jobs; the table then says where."""
    jobs = [job("cache", "default"), job("cache", "prod", periodic=True)]
    error = refusal(choose_job, "cache", jobs, all_namespaces=True)
    assert error.message.split("\n")[2:] == [
        "ID     Namespace  Type              Priority  Status   Submit Date",
        "cache  default    service           0         running  <none>",
        "cache  prod       service/periodic  0         running  <none>",
    ]
    assert "-namespace" in error.hint
    assert choose_job("cache", jobs) == ("cache", "default")


def test_a_full_page_may_not_be_all() -> None:
    """The agent gave as many as were asked for, so there may be more."""
    jobs = [job(f"cache-{number:02}") for number in range(JOBS_PER_PAGE)]
    assert refusal(choose_job, "cac", jobs).message.endswith("\n(results may be truncated)")
    assert "truncated" not in refusal(choose_job, "cac", jobs[1:]).message


@pytest.mark.parametrize(
    ("stub", "namespace"),
    [
        (JobStub(id="j", namespace="prod"), "prod"),
        (JobStub(id="j", namespace="prod", summary=JobSummary()), "prod"),
        (JobStub(id="j", namespace="", summary=JobSummary(namespace="x")), "x"),
        (JobStub(id="j"), ""),
    ],
)
def test_the_namespace_is_the_summarys_or_the_jobs(stub: JobStub, namespace: str) -> None:
    """Without a summary, which a new job may lack, the job's own counts."""
    assert choose_job("j", [stub]) == ("j", namespace)


# Allocations


def first_of(stubs: Any) -> AllocationStub:
    return stubs[0]


def test_a_running_allocation_is_preferred() -> None:
    """Those of other groups and those that ended are not offered to the choice."""
    stubs = [
        allocation(1, status="complete"),
        allocation(2),
        allocation(3, group="other"),
        allocation(4, status="failed"),
        allocation(5),
    ]
    offered: list[AllocationStub] = []

    def choose(found: Any) -> AllocationStub:
        offered.extend(found)
        return found[-1]

    assert choose_allocation("j", "g", stubs, choose) is stubs[4]
    assert offered == [stubs[1], stubs[4]]


def test_without_a_running_allocation_any_of_the_group_is_tried() -> None:
    """The agent then says why it does not run there."""
    stubs = [allocation(1, status="pending"), allocation(2, status="failed")]
    assert choose_allocation("j", "g", stubs, first_of) is stubs[0]


def test_the_recorded_group_gives_one_of_its_three() -> None:
    """From the real answer, with any choice."""
    stubs = answer("job-allocations", list[AllocationStub])
    for number in range(3):
        found = choose_allocation("cache", "redis", stubs, lambda them, at=number: them[at])
        assert (found.task_group, found.client_status) == ("redis", "running")


def test_no_allocation_of_the_job_or_the_group_says_which() -> None:
    """The hint names the groups that have some."""
    nothing = refusal(choose_allocation, "j", "g", [], first_of)
    assert nothing.message == (
        'Error fetching allocations: job "j" doesn\'t exist or it has no allocations'
    )
    stubs = [allocation(1, "b"), allocation(2, "a"), allocation(3, "b")]
    other = refusal(choose_allocation, "j", "g", stubs, first_of)
    assert other.message == (
        'Error fetching allocations: task group "g" doesn\'t exist or it has no allocations'
    )
    assert other.hint == "Groups with allocations: a, b."


@pytest.mark.parametrize(
    ("prefix", "sent"),
    [
        ("", ""),
        ("a", ""),
        ("ab", "ab"),
        ("abc", "ab"),
        ("abcdef12", "abcdef12"),
        ("abcdef12-", "abcdef12-"),
        ("abcdef12-3", "abcdef12-"),
        ("abcdef12-34", "abcdef12-34"),
        (ALLOCATION, ALLOCATION),
        (ALLOCATION.upper(), ALLOCATION.upper()),
    ],
)
def test_a_prefix_is_cut_to_whole_bytes(prefix: str, sent: str) -> None:
    """As in the recorded URLs: an odd last digit is left off, dashes do not count."""
    assert sanitize_prefix(prefix) == sent


@given(st.text("0123456789abcdef", max_size=32))
def test_a_prefix_loses_one_digit_at_most(prefix: str) -> None:
    """And what is left has an even number of them."""
    sent = sanitize_prefix(prefix)
    assert prefix.startswith(sent)
    assert len(prefix) - len(sent) == len(prefix) % 2


def test_one_allocation_is_chosen_by_its_prefix() -> None:
    """From the real answer."""
    stubs = answer("allocations-prefix", list[AllocationStub])
    assert choose_by_prefix("fc87", stubs, now=0).id == ALLOCATION


def test_no_allocation_of_that_prefix_is_said_in_the_recorded_words() -> None:
    """With the prefix as it was given."""
    words = recorded_words("-job=cache", "-alloc=00000000", "hello")
    assert refusal(choose_by_prefix, "00000000", [], now=0).message == words


def test_several_allocations_are_listed() -> None:
    """With short ids, and how old each one is."""
    stubs = answer("job-allocations", list[AllocationStub])[:2]
    now = stubs[0].create_time / 10**9 + 3 * 3600 + 65
    error = refusal(choose_by_prefix, "3", stubs, now=now)
    assert error.message.split("\n") == [
        "Prefix matched multiple allocations",
        "",
        "ID        Node ID   Task Group  Version  Desired  Status   Created   Modified",
        "36b5b88f  a08f411e  redis       0        run      running  3h1m ago  3h53s ago",
        "38642e4d  a08f411e  redis       0        run      running  3h1m ago  3h53s ago",
    ]
    assert "-alloc" in error.hint


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s ago"),
        (0.4, "0s ago"),
        (1, "1s ago"),
        (61, "1m1s ago"),
        (3600, "1h ago"),
        (3601, "1h1s ago"),
        (86400 + 7200 + 60, "1d2h ago"),
        (40 * 86400, "1mo10d ago"),
        (400 * 86400, "1y1mo ago"),
        (-90, "1m30s from now"),
    ],
)
def test_an_age_has_its_two_largest_units(seconds: float, words: str) -> None:
    """Also when the two clocks do not agree."""
    now = 1_800_000_000
    assert age((now * 10 - round(seconds * 10)) * 10**8, now) == words


def test_an_unknown_time_has_no_age() -> None:
    """Nomad gives 0 for it."""
    assert age(0, 1_800_000_000) == ""


# Tasks


def test_the_only_task_needs_no_name() -> None:
    """As in the recorded run with `-alloc` alone."""
    assert choose_task(placed(only=[]), "").name == "only"
    assert choose_task(placed(a=[], b=[]), "b").name == "b"


def test_an_unknown_task_is_said_in_the_recorded_words() -> None:
    """It lists those found, one a line."""
    words = recorded_words("-job=cache", "-group=redis", "-task=notask", "hello")
    assert refusal(choose_task, placed(server=[], sidecar=[]), "notask").message == words


def test_several_tasks_are_listed_in_the_recorded_words() -> None:
    """With the allocation's short id."""
    words = recorded_words("-job=cache", "-alloc=<redis-alloc>", "hello")
    error = refusal(choose_task, placed(server=[], sidecar=[]), "")
    assert error.message == words.replace("<redis-alloc-8>", ALLOCATION[:8])


def test_a_group_that_is_not_in_the_job_is_said() -> None:
    """Also when the agent sent no job at all."""
    lost = Allocation(id="a", task_group="gone", job=Job(id="j", task_groups=[]))
    for found in (lost, Allocation(id="a", task_group="gone")):
        assert refusal(choose_task, found, "t").message == (
            "Could not find allocation task group: gone"
        )


def test_an_action_is_looked_for_in_the_task_and_elsewhere() -> None:
    """By its exact name."""
    found = placed(server=["hello"], sidecar=["hello", "other"])
    assert find_action(choose_task(found, "server"), "hello") is not None
    assert find_action(choose_task(found, "server"), "Hello") is None
    assert where(found.job, "hello") == [("g", "server"), ("g", "sidecar")]
    assert where(found.job, "other") == [("g", "sidecar")]
