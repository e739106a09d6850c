"""Before a run and while it goes on, at agents of both kinds: plans, questions, lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import nomad_magic

if TYPE_CHECKING:
    from support.certificates import Certificates
    from support.nomads import Agent

SERVER = "-job=cache -group=redis -task=server"


def test_a_plan_is_what_then_runs(agent: Agent) -> None:
    """One and many: the same places, the same command."""
    (one, *_) = agent.allocations("cache", "redis")
    line = f"-job=cache -alloc={one} -task=server hello"
    (planned,) = nomad_magic.dry_run(line).runs
    result = nomad_magic.run(line)
    assert (planned.place, planned.command) == (result.place, result.command)
    plan = nomad_magic.dry_run_all(f"{SERVER} hello")
    many = nomad_magic.run_all(f"{SERVER} hello")
    assert {run.place.allocation: run for run in plan.runs}.keys() == many.keys()
    for run in plan.runs:
        assert (run.place, run.command) == (
            many[run.place.allocation].place,
            many[run.place.allocation].command,
        )


@pytest.mark.parametrize("line", [f"{SERVER} hello", "-job=cache -alloc={} -task=server hello"])
def test_what_is_to_be_confirmed_does_not_run(agent: Agent, line: str) -> None:
    """The job and the namespace are those of the allocation, whichever way it was found."""
    words = line.format(agent.allocations("cache", "redis")[0][:8])
    for pattern in ("namespace=default", "job=cache action=h*", "address=*"):
        options = nomad_magic.Options(confirm=(pattern,))
        with pytest.raises(nomad_magic.NotConfirmed):
            nomad_magic.run(words, options=options)
        assert nomad_magic.run(words, options=options, confirm="hello").ok


@pytest.mark.parametrize("tty", ["true", "false"])
def test_the_lines_of_a_run_are_its_output(agent: Agent, tty: str) -> None:
    """As they come, each stream's; with a terminal there is one."""
    session = nomad_magic.start(f"{SERVER} -t={tty} hello")
    lines = {(line.stream, line.text) for line in session}
    assert lines == {("stdout", "hello"), ("stdout" if tty == "true" else "stderr", "oops")}
    assert agent.environ
    assert session.wait().ok


def test_a_namespace_is_that_of_the_job(secured_agent: tuple[Agent, Certificates]) -> None:
    """Found in all of them, with mutual TLS and a token for both."""
    agent, _ = secured_agent
    environ = {**agent.environ, "NOMAD_TOKEN": agent.tokens["both"], "NOMAD_NAMESPACE": "*"}
    line = "-job=only -group=web -task=main where"
    asked = nomad_magic.Options(confirm=("namespace=apart",))
    with pytest.raises(nomad_magic.NotConfirmed, match=r"namespace apart, https://"):
        nomad_magic.run(line, env=environ, options=asked)
    other = nomad_magic.Options(confirm=("namespace=default",))
    assert nomad_magic.run(line, env=environ, options=other).stdout == "apart where\n"
    assert nomad_magic.dry_run(line, env=environ).place.namespace == "apart"
