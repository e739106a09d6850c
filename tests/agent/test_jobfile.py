"""Job files: what is read, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nomad_magic.agent import responses
from nomad_magic.agent.hcl import unquote
from nomad_magic.agent.jobfile import DEMO, load_file, load_jobs
from nomad_magic.errors import AgentError

DATA = Path(__file__).parent.parent / "data"


def recorded(name: str) -> Any:
    return json.loads((DATA / "http" / f"{name}.json").read_text())["body"]


def test_hcl_gives_the_recorded_actions() -> None:
    """The runbook's actions are, word for word, those that a real agent made of it."""
    (job,) = load_file(DATA / "jobs" / "runbook.nomad.hcl")
    assert responses.job_actions(job) == recorded("job-actions")


def test_api_json_gives_the_same_job(tmp_path: Path) -> None:
    """What the API says of a job can be loaded again, with and without `Job` around it."""
    (from_hcl,) = load_file(DATA / "jobs" / "runbook.nomad.hcl")
    for name, document in (("bare", recorded("job")), ("wrapped", {"Job": recorded("job")})):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document))
        (job,) = load_file(path)
        assert responses.job_actions(job) == responses.job_actions(from_hcl)
        assert [group.count for group in job.groups] == [3, 1]


def test_hcl_as_json(tmp_path: Path) -> None:
    """HCL's JSON syntax is read too, where a label is a key."""
    path = tmp_path / "job.json"
    action = {"hello": {"command": "/bin/echo", "args": ["hi", 1, True]}}
    task = {"driver": "raw_exec", "config": {"command": "/bin/true"}, "action": action}
    path.write_text(
        json.dumps({"job": {"a": {"type": "batch", "group": {"g": {"task": {"t": task}}}}}})
    )
    (job,) = load_file(path)
    assert (job.id, job.type) == ("a", "batch")
    assert job.groups[0].tasks[0].actions[0].args == ("hi", "1", "true")


def test_lifecycle() -> None:
    """Hooks are read."""
    (job,) = load_file(DATA / "jobs" / "cachetwo.nomad.hcl")
    assert [(task.name, task.hook) for task in job.groups[0].tasks] == [
        ("pre", "prestart"),
        ("main", ""),
    ]


def test_demo() -> None:
    """Without a file there is the demo job."""
    (job,) = load_jobs([])
    names = {action.name for group in job.groups for task in group.tasks for action in task.actions}
    assert {"hello", "watch", "progress", "fail", "count-lines", "flood", "quiet"} <= names
    assert DEMO.name == "demo.json"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (r'"a\nb\t\"q\" \\ \u00e9 \U0001F680"', 'a\nb\t"q" \\ é 🚀'),
        (r'"$${X} ${NOMAD_X} $X $$ %%{x}"', "${X} ${NOMAD_X} $X $$ %{x}"),
        (r'"\\033[0m \\0"', r"\033[0m \0"),
        (
            '"${env["HOME"]} ${node.unique.name} ${foo}"',
            '${env["HOME"]} ${node.unique.name} ${foo}',
        ),
        ('"<<EOF\na ${foo} $${bar} \\t "q"\n  b\nEOF"', 'a ${foo} ${bar} \\t "q"\n  b\n'),
        ('"<<-EOT\n    one\n      two\n    EOT"', "one\n  two\n"),
    ],
)
def test_hcl_strings(raw: str, text: str) -> None:
    """Escapes, heredocs and doubled signs are what HCL says they are."""
    assert unquote(raw, "here") == text


@pytest.mark.parametrize("raw", ["${var.x}", '"${var.x}"', '"${upper("x")}"', '"%{ if x }"'])
def test_expressions_are_refused(raw: str) -> None:
    """What would need an evaluator is refused, never passed on as text."""
    with pytest.raises(AgentError, match="does not evaluate"):
        unquote(raw, "here")


def job_with(**changes: Any) -> dict[str, Any]:
    task = {"Name": "t", "Driver": "raw_exec", "Config": {"command": "/bin/true"}}
    task.update(changes.pop("task", {}))
    group = {"Name": "g", "Tasks": [task], **changes.pop("group", {})}
    return {"Job": {"ID": "j", "TaskGroups": [group], **changes}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": {"Driver": "docker"}}, "has no driver 'docker'"),
        ({"Type": "system"}, "does not run system jobs"),
        ({"Periodic": {"Spec": "* * * * *"}}, "does not do Periodic"),
        ({"ParameterizedJob": {"Payload": ""}}, "does not do ParameterizedJob"),
        ({"Region": "mars"}, "region 'mars'"),
        ({"task": {"Templates": [{}]}}, "does not do Templates"),
        ({"task": {"Artifacts": [{}]}}, "does not do Artifacts"),
        ({"task": {"Vault": {"Role": "x"}}}, "does not do Vault"),
        ({"task": {"User": "root"}}, "does not do User"),
        ({"group": {"Volumes": {"x": {}}}}, "does not do Volumes"),
        ({"group": {"Networks": [{}]}}, "does not do Networks"),
        ({"task": {"Actions": [{"Name": "a b", "Command": "x"}]}}, "is not a name for an action"),
        ({"task": {"Name": "a\\b"}}, "without a slash or a backslash"),
        ({"task": {"Name": ".."}}, "the name of its directory"),
        ({"task": {"Config": {"command": "x", "work_dir": "/"}}}, "does not do work_dir"),
        ({"TaskGroups": []}, "no task groups"),
        ({"ID": ""}, "needs an ID"),
    ],
)
def test_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """What the agent cannot do is refused by name, with the file."""
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job_with(**changes)))
    with pytest.raises(AgentError, match=words) as caught:
        load_file(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"job": 3}', '{"variable": {}, "job": {}}'])
def test_no_job_file(tmp_path: Path, text: str) -> None:
    """A file that is none is an AgentError, whatever is in it."""
    path = tmp_path / "job.json"
    path.write_text(text)
    with pytest.raises(AgentError):
        load_file(path)


def test_twice() -> None:
    """The same job cannot be loaded twice."""
    with pytest.raises(AgentError, match="already loaded"):
        load_jobs([DEMO, DEMO])
