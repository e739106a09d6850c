"""`dry_run`: what would run, where and what Stop could do there; no session is opened."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING, Any

import pytest
from support.ports import free_port
from support.scripted import answer, recorded

import nomad_magic
from nomad_magic.record.facts import Rung

if TYPE_CHECKING:
    from support.nomads import Agent
    from support.scripted import Script

SERVER = "-job=cache -group=redis -task=server"


def opened(script: Script) -> list[str]:
    return [path for path in script.requests if "/action" in path or "/exec" in path]


def test_a_plan_says_what_would_run_and_where(embedded_agent: Agent) -> None:
    """Target, allocation, node, agent, command, terminal, and the line that runs it."""
    plan = nomad_magic.dry_run(f"{SERVER} hello", env=embedded_agent.environ)
    (one,) = plan.runs
    assert len(plan) == 1
    assert plan.action == "hello"
    assert one.command == ("/bin/sh", "-c", "echo hello; echo oops >&2; exit 0")
    place = one.place
    assert (place.namespace, place.job, place.group, place.task) == (
        "default",
        "cache",
        "redis",
        "server",
    )
    assert place.allocation in embedded_agent.allocations("cache", "redis")
    text = str(plan)
    assert text.splitlines()[0] == (
        f"○ hello · would run in {place.allocation_name} ({place.short}) · nothing has run"
    )
    facts = dict(plan.facts())
    assert facts["target"] == "job cache (version 0) / group redis / task server"
    assert facts["allocation"] == (
        f"{place.allocation} {place.allocation_name}; one of 3 running ones, taken at random by "
        f"each run: -alloc={place.allocation} names it"
    )
    assert facts["node"] == f"{place.node} {place.node_name}"
    assert facts["agent"] == f"{embedded_agent.address}, region global, namespace default"
    assert facts["command"] == "/bin/sh -c echo hello; echo oops >&2; exit 0"
    assert facts["terminal"] == "no"
    assert facts["line"] == f"nomad job action {SERVER} hello"
    assert "confirm" not in facts
    for label, words in facts.items():
        assert f"  {label} " in text
        assert words in text


def test_a_plan_of_a_named_allocation_is_of_that_one(embedded_agent: Agent) -> None:
    """Nothing is left to chance, and nothing is said of it."""
    (one, *_) = embedded_agent.allocations("cache", "redis")
    line = f"-job=cache -alloc={one} -task=server hello"
    plan = nomad_magic.dry_run(line, "words", env=embedded_agent.environ)
    assert plan.runs[0].place.allocation == one
    assert plan.chosen_from == 0
    assert "random" not in str(plan)
    assert dict(plan.facts())["stdin"] == "5 bytes"
    for more, said in (("-i=false", "none"), ("-i", "what is typed, where someone can")):
        plan = nomad_magic.dry_run(f"{more} {line}", env=embedded_agent.environ)
        assert dict(plan.facts())["stdin"] == said


@pytest.mark.parametrize(
    ("tty", "reach", "rungs", "words"),
    [
        (True, True, [Rung.INTERRUPT, Rung.QUIT, Rung.KILL, Rung.DISCONNECT], "Ctrl-C is typed; "),
        (True, False, [Rung.INTERRUPT, Rung.QUIT, Rung.DISCONNECT], "reach is off"),
        (False, True, [Rung.SIGNAL, Rung.KILL, Rung.DISCONNECT], "SIGINT is sent"),
        (False, False, [Rung.DISCONNECT], "the connection is closed, and the process may go on ("),
    ],
)
def test_a_plan_says_what_stop_could_do(
    script: Script, *, tty: bool, reach: bool, rungs: list[Rung], words: str
) -> None:
    """The rungs are those that the run's own ladder has."""
    line = f"{SERVER} -t={str(tty).lower()} hello"
    plan = nomad_magic.dry_run(
        line,
        env={"NOMAD_ADDR": script.address},
        options=nomad_magic.Options(reach=reach, timeout=90),
    )
    assert list(plan.stop) == rungs
    facts = dict(plan.facts())
    assert words in facts["stop"]
    assert facts["timeout"] == "interrupted after 1 min 30 s"
    assert opened(script) == []


@pytest.mark.parametrize("call", [nomad_magic.dry_run, nomad_magic.dry_run_all])
def test_nothing_is_opened(script: Script, call: Any) -> None:
    """The agent is asked where, and for nothing else."""
    call(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
    assert script.requests
    assert opened(script) == []


def test_a_plan_of_many(embedded_agent: Agent) -> None:
    """How many, how many at a time, and each allocation."""
    line = f"-parallel=2 -fail-fast {SERVER} hello"
    plan = nomad_magic.dry_run_all(line, env=embedded_agent.environ)
    assert {run.place.allocation for run in plan.runs} == set(
        embedded_agent.allocations("cache", "redis")
    )
    assert plan.title == "○ hello · would run in 3 allocations, 2 at a time · nothing has run"
    facts = dict(plan.facts())
    assert facts["allocations"] == "3: cache.redis[0-2]"
    assert facts["nodes"].startswith("1: ")
    assert facts["fail-fast"] == "no more are begun after the first failure"
    assert facts["line"].startswith("%nomad_action_all -parallel=2 -fail-fast ")
    assert (plan.parallel, plan.fail_fast) == (2, True)


def test_a_plan_of_many_says_what_is_left_out_and_what_differs(script: Script) -> None:
    """As the run does: by reason, and each command with the version that it is of."""
    stubs = [one for one in recorded("job-allocations") if one["TaskGroup"] == "redis"]
    stubs[0]["ClientStatus"] = "pending"
    stubs[1]["JobVersion"] = 7
    script.answers["/v1/job/cache/allocations"] = answer(json.dumps(stubs))
    other = {**recorded("allocation"), **stubs[1]}
    other["Job"] = json.loads(json.dumps(other["Job"]))
    other["Job"]["Version"] = 7
    for group in other["Job"]["TaskGroups"]:
        for task in group["Tasks"]:
            for action in task.get("Actions") or ():
                action["Command"] = "/bin/other"
    script.answers[f"/v1/allocation/{stubs[1]['ID']}"] = answer(json.dumps(other))
    plan = nomad_magic.dry_run_all(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
    rows = list(plan.facts())
    commands = [text for label, text in rows if label == "command"]
    assert len(commands) == 2
    assert any("/bin/other" in text and "version 7 of the job" in text for text in commands)
    assert dict(rows)["left out"] == f"is pending: {stubs[0]['Name']}"
    assert any("differs between versions" in notice for notice in plan.notices)
    assert stubs[0]["ID"] not in {run.place.allocation for run in plan.runs}


def test_a_plan_says_what_would_ask_for_a_word(script: Script) -> None:
    """And asks for none."""
    options = nomad_magic.Options(confirm=("namespace=prod*", "job=ca* action=hello"))
    for call in (nomad_magic.dry_run, nomad_magic.dry_run_all):
        plan = call(f"{SERVER} hello", env={"NOMAD_ADDR": script.address}, options=options)
        assert plan.asks == "job=ca* action=hello"
        said = "job=ca* action=hello asks for its name before it runs"
        assert dict(plan.facts())["confirm"] == said
        assert plan.metadata()["confirm"] == plan.asks


def test_a_node_that_is_down_is_said(script: Script) -> None:
    """The run would fail there."""
    node = {"ID": "n", "Name": "n-1", "Status": "down"}
    script.answers["/v1/node/"] = answer(json.dumps(node))
    plan = nomad_magic.dry_run(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
    assert "Its node is down: the run would fail." in plan.notices


@pytest.mark.parametrize(
    "line",
    [f"{SERVER} nosuch", "-job=x -group=redis -task=server hello", "-job=cache -group=x -task=y a"],
)
def test_what_leads_nowhere_has_no_plan(embedded_agent: Agent, line: str) -> None:
    """It fails as the run would, with the same words and hint."""
    with pytest.raises(nomad_magic.LocateError) as planned:
        nomad_magic.dry_run(line, env=embedded_agent.environ)
    with pytest.raises(nomad_magic.NomadMagicError) as run:
        nomad_magic.run(line, env=embedded_agent.environ)
    assert (planned.value.message, planned.value.hint) == (run.value.message, run.value.hint)


def test_an_agent_that_does_not_answer_is_said_as_in_a_run() -> None:
    """In the same words."""
    address = f"http://127.0.0.1:{free_port()}"
    said = []
    for call in (nomad_magic.dry_run, nomad_magic.run):
        with pytest.raises(nomad_magic.RequestError) as caught:
            call(f"{SERVER} hello", env={"NOMAD_ADDR": address})
        said.append((type(caught.value), str(caught.value)))
    assert said[0] == said[1]


def test_a_plan_is_a_value(embedded_agent: Agent) -> None:
    """It cannot be changed, is equal to its copy, and travels."""
    plan = nomad_magic.dry_run(f"{SERVER} hello", env=embedded_agent.environ)
    with pytest.raises(FrozenInstanceError):
        plan.action = "x"  # type: ignore[misc]  # that is what is tested
    assert pickle.loads(pickle.dumps(plan)) == plan == replace(plan)


def test_a_plan_in_a_notebook_runs_nothing_either(embedded_agent: Agent) -> None:
    """Its HTML is escaped, and its facts stand in the metadata."""
    plan = nomad_magic.dry_run_all(f"{SERVER} fail", env=embedded_agent.environ)
    odd = replace(plan, action="<script>x</script>", notices=("<b>",))
    data, metadata = odd.bundle()
    assert "<script>" not in data["text/html"]
    assert "<b>" not in data["text/html"]
    assert "&lt;script&gt;" in data["text/html"]
    assert "3 allocations · details" in data["text/html"]
    facts = metadata["nomad_magic"]
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["kind"], len(facts["allocations"]), facts["more_allocations"]) == ("plan", 3, 0)
    assert facts["stop"] == ["signal", "kill", "disconnect"]


def test_a_large_plan_is_bounded(embedded_agent: Agent) -> None:
    """Five thousand allocations are counted, and a thousand of them listed."""
    plan = nomad_magic.dry_run_all(f"{SERVER} hello", env=embedded_agent.environ)
    (one, *_) = plan.runs
    runs = tuple(
        one._replace(place=replace(one.place, allocation=f"{n:08}", allocation_name=f"c.r[{n}]"))
        for n in range(5000)
    )
    many = replace(plan, runs=runs)
    data, metadata = many.bundle()
    assert "5000: c.r[0-4999]" in data["text/plain"]
    assert len(data["text/plain"]) < 5000
    assert "and 4000 more" in data["text/html"]
    assert metadata["nomad_magic"]["more_allocations"] == 4000


def test_no_secret_is_in_a_plan(embedded_agent: Agent) -> None:
    """Neither in what is shown nor in the value: not that of a flag, which the line names."""
    token = embedded_agent.environ["NOMAD_TOKEN"]
    environ = {"NOMAD_ADDR": embedded_agent.address}
    plan = nomad_magic.dry_run(f"{SERVER} -token={token} hello", env=environ)
    data, metadata = plan.bundle()
    for text in (repr(plan), str(plan), *data.values(), json.dumps(metadata)):
        assert token not in text
    assert token.encode() not in pickle.dumps(plan)
