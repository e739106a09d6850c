"""Which actions there are, and that each line that is listed runs."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import pytest
from support import secured
from support.cells import environment
from support.recorder import recorder

from nomad_magic.errors import LocateError, NomadMagicError

if TYPE_CHECKING:
    from support import nomads
    from support.cells import Ran, Shell
    from support.certificates import Certificates

    Secured = tuple[nomads.Agent, Certificates]


def listed(shell: Shell, line: str = "") -> Ran:
    """List actions; the value is not shown, as in an assignment."""
    return shell.magic(line, name="nomad_actions")


def names(ran: Ran) -> list[tuple[str, str, str, str]]:
    assert ran.error is None, ran.error
    return [(one.job, one.group, one.task, one.name) for one in ran.value]


def test_the_actions_of_a_job(shell: Shell, agent: nomads.Agent) -> None:
    """All that the agent lists, with their commands, and how many allocations run."""
    ran = listed(shell, "-job=cache")
    recorded = agent.get("/v1/job/cache/actions")
    assert [(one.group, one.task, one.name) for one in ran.value] == [
        (one["TaskGroupName"], one["TaskName"], one["Name"]) for one in recorded
    ]
    assert [list(one.command) for one in ran.value] == [
        [one["Command"], *(one["Args"] or ())] for one in recorded
    ]
    assert {(one.group, one.running) for one in ran.value} == {("redis", 3), ("single", 1)}


def test_the_beginning_of_a_job_is_enough(shell: Shell, agent: nomads.Agent) -> None:  # noqa: ARG001 - it is named
    """Where just one job begins so, as for a run."""
    assert {one.job for one in listed(shell, "-job=cache-t").value} == {"cache-two"}


def test_the_actions_of_all_jobs(shell: Shell, agent: nomads.Agent) -> None:
    """As job by job; of one whose allocations have ended none runs."""
    ran = listed(shell)
    jobs = sorted(one["ID"] for one in agent.get("/v1/jobs"))
    one_by_one = [name for job in jobs for name in names(listed(shell, f"-job={job}"))]
    assert names(ran) == one_by_one
    assert {one.running for one in ran.value if one.job == "nightly"} == {0}
    assert {one.running for one in ran.value if one.group == "redis"} == {3}
    assert ran.value.where == "all jobs of all namespaces"


@pytest.mark.parametrize(
    ("line", "group", "task", "name"),
    [
        ("hello", "", "", "hello"),
        ("-group=redis", "redis", "", ""),
        ("-group=single hello", "single", "", "hello"),
        ("-task=server flood", "", "server", "flood"),
    ],
)
def test_words_narrow(  # noqa: PLR0917 - three of them are the case
    shell: Shell,
    agent: nomads.Agent,  # noqa: ARG001 - it is named
    line: str,
    group: str,
    task: str,
    name: str,
) -> None:
    """Group, task and action, of all jobs too."""
    wanted = [
        one
        for one in listed(shell).value
        if group in ("", one.group) and task in ("", one.task) and name in ("", one.name)
    ]
    assert list(listed(shell, line).value) == wanted
    assert wanted


@pytest.mark.parametrize(
    ("line", "words", "hint"),
    [
        ("-job=cache helo", "Job cache has no action helo", "Did you mean hello?"),
        ("-job=cache zzz", "Job cache has no action zzz", "Its actions: "),
        ("-job=cache -group=reds", "Job cache has no actions in a group reds", "mean redis?"),
        ("-job=cache -task=servr", "Job cache has no actions in a task servr", "mean server?"),
        ("-job=cache -group=single server", "Job cache has no action server", "Its actions: "),
        ("helo", "No job has an action helo", "Did you mean hello?"),
        ("-group=reds", "No job has actions in a group reds", "Did you mean redis?"),
        ("-job=cahce", 'No job(s) with prefix or ID "cahce" found', "Did you mean cache"),
        ("-job=c", 'Prefix "c" matched multiple jobs', "Name one of them in full"),
        ("-region=globl", "Error querying jobs: Unexpected", "Did you mean global?"),
        ("-job=cache -region=globl", 'Error querying job prefix "cache"', "Did you mean global?"),
    ],
)
def test_a_word_that_leads_nowhere(
    shell: Shell,
    agent: nomads.Agent,  # noqa: ARG001 - it is named
    line: str,
    words: str,
    hint: str,
) -> None:
    """The nearest that there is, or what there is."""
    error = listed(shell, line).error
    assert isinstance(error, NomadMagicError)
    assert error.message.startswith(words)
    assert hint in error.hint


def test_one_job_is_asked_about_side_by_side(shell: Shell, agent: nomads.Agent) -> None:
    """Three questions are on their way at once, and none of them is asked twice."""
    with recorder(agent.address.removeprefix("http://")) as between:
        with environment({**os.environ, "NOMAD_ADDR": f"http://{between.own}"}):
            assert listed(shell, "-job=cache").error is None
        asked = sorted(one.path for one in between.take())
    assert asked == ["/v1/job/cache/actions", "/v1/job/cache/allocations", "/v1/jobs"]


def test_in_all_namespaces_a_job_is_asked_about_in_its_own(
    shell: Shell, secured_agent: Secured
) -> None:
    """Its line names that namespace; where two have it, it is not known which is meant."""
    agent, _ = secured_agent
    with environment({**agent.environ, "NOMAD_TOKEN": agent.tokens["both"]}):
        (one,) = listed(shell, "-namespace=* -job=only").value
        assert one.line == ("%nomad_action -job=only -group=web -task=main -namespace=apart where")
        error = listed(shell, "-namespace=* -job=shop").error
    assert isinstance(error, LocateError)
    assert "its namespace with -namespace" in error.hint


@pytest.mark.parametrize("name", ["both", "default", "reader", "isolated"])
def test_a_token_sees_what_it_may(shell: Shell, secured_agent: Secured, name: str) -> None:
    """The jobs of every namespace that it can read, each with the line that leads there."""
    agent, _ = secured_agent
    rights = secured.RIGHTS[name]
    with environment({**agent.environ, "NOMAD_TOKEN": agent.tokens[name]}):
        ran = listed(shell)
        assert ran.error is None
        assert {one.namespace for one in ran.value} == set(rights)
        for one in ran.value:
            assert ("-namespace=apart" in one.line) == (one.namespace == "apart")
            again = listed(shell, f"-job={shlex.quote(one.job)} -namespace={one.namespace}")
            assert (one.group, one.running) in {(two.group, two.running) for two in again.value}


def test_what_may_not_be_read_is_counted(shell: Shell, secured_agent: Secured) -> None:
    """Where a token lists jobs that it may not read, that is no failure unless it is so of all."""
    agent, _ = secured_agent
    both = {**agent.environ, "NOMAD_TOKEN": agent.tokens["unlisted"]}
    with environment(both):
        # All that it lists it may not read.
        error = listed(shell).error
        assert isinstance(error, NomadMagicError)
        assert "read-job in the namespace default" in error.hint
        # And what it reads it may not list: the word is the id.
        assert {one.running for one in listed(shell, "-namespace=apart -job=shop").value} == {1}


def test_a_token_that_may_nothing(shell: Shell, secured_agent: Secured) -> None:
    """It is said which right is missing."""
    agent, _ = secured_agent
    with environment({**agent.environ, "NOMAD_TOKEN": "0" * 36}):
        error = listed(shell).error
    assert isinstance(error, NomadMagicError)
    assert "list-jobs in the namespace *" in error.hint


def test_the_line_that_is_listed_runs(shell: Shell, secured_agent: Secured) -> None:
    """Whatever is in the names: quoted, with its namespace, and with what else the line said."""
    agent, certificates = secured_agent
    environ = {**agent.environ, "NOMAD_TOKEN": agent.tokens["both"]}
    ca = environ.pop("NOMAD_CACERT")
    with environment(environ):
        found = listed(shell, f"-ca-cert={shlex.quote(ca)}").value
        assert len(found) == 5
        assert {secured.ODD_GROUP, secured.ODD_TASK} <= {one.group for one in found} | {
            one.task for one in found
        }
        for one in found:
            assert "-ca-cert=" in one.line
            ran = shell.magic(one.line.removeprefix("%nomad_action "))
            assert ran.error is None
            assert ran.stdout.decode() == f"{one.namespace} {one.name}\n"
    assert certificates


def test_a_namespace_that_is_not_there(shell: Shell, secured_agent: Secured) -> None:
    """It has no jobs; the nearest that there is is named."""
    agent, _ = secured_agent
    with environment(agent.environ):
        error = listed(shell, "-namespace=apartt").error
    assert isinstance(error, LocateError)
    assert error.message == "No jobs in the namespace apartt found"
    assert error.hint.startswith("There is no namespace apartt. Did you mean apart?")
