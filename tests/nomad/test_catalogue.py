"""The list of all jobs' actions, where not all jobs tell theirs."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.cells import environment
from support.nomads import until
from support.scripted import answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.cells import Ran, Shell
    from support.scripted import Script


def stub(name: str, **more: Any) -> dict[str, Any]:
    summary = {"Summary": {"g": {"Running": 2}}, "Namespace": "default"}
    return {"ID": name, "Namespace": "default", "Status": "running", "JobSummary": summary, **more}


def actions(*names: str) -> Any:
    return answer(
        json.dumps([{"Name": one, "TaskName": "t", "TaskGroupName": "g"} for one in names])
    )


@pytest.fixture
def named(script: Script) -> Iterator[Script]:
    with environment({**os.environ, "NOMAD_ADDR": script.address, "NOMAD_TOKEN": "s3cret-token"}):
        yield script


def listed(shell: Shell) -> Ran:
    return shell.magic("", name="nomad_actions")


def test_what_one_job_refuses_is_counted(shell: Shell, named: Script) -> None:
    """The others are listed all the same, and each reason stands once."""
    named.answers["/v1/jobs"] = answer(json.dumps([stub(name) for name in "abcd"]))
    named.answers["/v1/job/a/actions"] = actions("flush")
    for name in "bc":
        named.answers[f"/v1/job/{name}/"] = answer("Permission denied", 403, kind="text/plain")
    named.answers["/v1/job/d/"] = answer('Unknown job "d" s3cret-token', 500, kind="text/plain")
    value = listed(shell).value
    assert [(one.job, one.name, one.running) for one in value] == [("a", "flush", 2)]
    denied, unknown = value.notices
    assert denied.startswith("2 jobs are not in the list: ")
    assert "read-job in the namespace default" in denied
    assert unknown.startswith("1 job is not in the list: Error fetching actions: ")
    assert "s3cret" not in value.text() + value.html() + repr(value.notices)


def test_runs_of_periodic_jobs_that_have_ended_are_not_asked_about(
    shell: Shell, named: Script
) -> None:
    """There may be thousands; a job of such a name that is none is."""
    jobs = [
        stub("night", Periodic=True, Status="running"),
        stub("night/periodic-1", Status="dead"),
        stub("night/periodic-2"),
        stub("other/periodic-1", Status="dead"),
    ]
    named.answers["/v1/jobs"] = answer(json.dumps(jobs))
    named.answers["/v1/job/"] = actions("flush")
    asked = {one.job for one in listed(shell).value}
    assert asked == {"night", "night/periodic-2", "other/periodic-1"}


def test_a_token_in_a_command_is_masked(shell: Shell, named: Script) -> None:
    """In the value too, which is kept."""
    named.answers["/v1/jobs"] = answer(json.dumps([stub("a")]))
    action = {"Name": "x", "TaskName": "t", "TaskGroupName": "g", "Command": "curl"}
    action["Args"] = ["-H", "X-Nomad-Token: s3cret-token"]  # type: ignore[assignment]
    named.answers["/v1/job/a/actions"] = answer(json.dumps([action]))
    value = listed(shell).value
    assert value[0].command[0] == "curl"
    assert "s3cret" not in repr(list(value)) + value.text() + value.html()


def test_an_agent_before_actions_says_so_once(shell: Shell, named: Script) -> None:
    """Where every job refuses, the first refusal is the error."""
    named.answers["/v1/jobs"] = answer(json.dumps([stub(name) for name in "abc"]))
    named.answers["/v1/job/"] = answer("job not found", 404, kind="text/plain")
    error = listed(shell).error
    assert str(error).startswith('Error fetching actions: error querying job "a": ')


def test_no_job_at_all(shell: Shell, named: Script) -> None:
    """A list without actions is no error, also in a namespace that is there."""
    named.answers["/v1/jobs"] = answer("[]")
    named.answers["/v1/namespaces"] = answer('[{"Name": "empty"}]')
    value = shell.magic("", name="nomad_actions").value
    assert value.text() == "all jobs of all namespaces · 0 actions"
    assert "<table" not in value.html()
    value = shell.magic("-namespace=empty", name="nomad_actions").value
    assert value.text() == "all jobs of namespace empty · 0 actions"


def test_an_interrupt_ends_the_questions(shell: Shell, named: Script) -> None:
    """The cell is free at once, and the agent is asked nothing more."""
    named.silent = "/v1/jobs"

    def interrupt() -> None:
        until(lambda: bool(named.requests), seconds=10, what="the agent is asked")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    ran = listed(shell)
    thread.join()
    assert isinstance(ran.error, KeyboardInterrupt)
    assert len(named.requests) == 1
