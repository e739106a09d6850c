"""What is to be confirmed: nothing is started before, and what was shown is what then runs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from support.nomads import until
from support.scripted import Script, answer, leave, recorded

import nomad_magic
from nomad_magic.record.facts import Outcome
from nomad_magic.running import api, fleet_api, loop

if TYPE_CHECKING:
    from support.nomads import Agent

SERVER = "-job=cache -group=redis -task=server"
ALL = nomad_magic.Options(confirm=("namespace=*",))


def asked(script: Script) -> list[str]:
    """Return the requests that may start something."""
    return [path for path in script.requests if "/action" in path or "/exec" in path]


def run(script: Script, line: str = "hello", **more: Any) -> nomad_magic.ActionResult:
    return nomad_magic.run(f"{SERVER} {line}", env={"NOMAD_ADDR": script.address}, **more)


@pytest.mark.parametrize("word", [None, "", "helo", "Hello", "hello world", "*"])
def test_without_the_actions_name_nothing_is_asked_for(script: Script, word: str | None) -> None:
    """The error says what was to run, where, what asked for the word, and how to give it."""
    script.session = leave
    with pytest.raises(nomad_magic.NotConfirmed) as caught:
        run(script, options=ALL, confirm=word)
    assert asked(script) == []
    error = caught.value
    assert error.message.startswith("hello in cache.redis[")
    assert f"of job cache (namespace default, {script.address})" in error.message
    assert "which namespace=* asks for" in error.message
    assert error.message.endswith(" Nothing was run.")
    assert error.hint == "Pass confirm='hello' to run it."
    assert error.exit_code == 1
    assert error.result is not None
    assert error.result.outcome is Outcome.NOT_STARTED
    with pytest.raises(nomad_magic.NotConfirmed):
        # It is no failure of the action, which `check` would turn off.
        run(script, options=ALL, check=False)


def test_with_its_name_it_runs_and_the_record_says_so(script: Script) -> None:
    """In text, as JSON and in Markdown."""
    script.session = leave
    result = run(script, options=ALL, confirm="hello")
    assert result.ok
    assert len(asked(script)) == 1
    said = "by the action's name, which namespace=* asks for"
    assert said in result.confirmed
    assert "  confirmed   20" in result.record()
    assert said in result.record()
    assert "- confirmed: " in result.markdown()
    assert said in result._record().metadata()["confirmed"]
    assert run(script).confirmed == ""
    assert run(script)._record().metadata()["confirmed"] is None


@pytest.mark.parametrize(
    ("pattern", "line", "environ"),
    [
        # No namespace was named: it is the one that is meant.
        ("namespace=default", "hello", {}),
        ("namespace=default", "hello", {"NOMAD_NAMESPACE": "*"}),
        # The beginning of the job's id, and none at all beside an allocation.
        ("job=cache", "-job=cac hello", {}),
        ("job=cache", "-job=anything -alloc={} hello", {}),
        # The address is the environment's.
        ("address=127.0.0.1", "hello", {}),
        ("address=127.0.0.1:*", "hello", {}),
        ("address=http://127.*", "hello", {}),
        ("job=cache action=hello namespace=def* address=*", "hello", {}),
    ],
)
def test_a_pattern_is_held_against_what_a_run_has_come_to(
    script: Script, pattern: str, line: str, environ: dict[str, str]
) -> None:
    """Not against what was typed."""
    script.session = leave
    (stub, *_) = (one for one in recorded("job-allocations") if one["TaskGroup"] == "redis")
    script.answers["/v1/allocations"] = answer(json.dumps([stub]))
    if line == "-job=cac hello":
        script.answers["/v1/jobs"] = answer(json.dumps([recorded("jobs-prefix")[0]]))
    options = nomad_magic.Options(confirm=(pattern,))
    words = f"{SERVER} {line.format(stub['ID'])}"
    environ = {"NOMAD_ADDR": script.address, **environ}
    with pytest.raises(nomad_magic.NotConfirmed, match="was not confirmed"):
        nomad_magic.run(words, env=environ, options=options)
    assert asked(script) == []


@pytest.mark.parametrize(
    "pattern", ["namespace=prod*", "job=other", "address=*.example", "action=x"]
)
def test_what_no_pattern_holds_for_runs_as_ever(script: Script, pattern: str) -> None:
    """With no word."""
    script.session = leave
    result = run(script, options=nomad_magic.Options(confirm=(pattern,)))
    assert (result.ok, result.confirmed) == (True, "")


@pytest.mark.parametrize("confirm", [("prod",), ["namspace=x"], "namespace=x", 5, {"job=x"}])
def test_what_is_no_pattern_keeps_everything_from_running(script: Script, confirm: Any) -> None:
    """Nothing is asked of the agent at all."""
    options = nomad_magic.Options(confirm=confirm)
    environ = {"NOMAD_ADDR": script.address}
    for call in (nomad_magic.run, nomad_magic.run_all, nomad_magic.start, nomad_magic.start_all):
        with pytest.raises(nomad_magic.SettingsError, match="confirm"):
            call(f"{SERVER} hello", env=environ, options=options, confirm="hello")
    with pytest.raises(nomad_magic.SettingsError, match="confirm"):
        nomad_magic.dry_run(f"{SERVER} hello", env=environ, options=options)
    assert script.requests == []


def located(agent: Script | Agent, options: nomad_magic.Options = ALL) -> nomad_magic.Session:
    """Return a session that waits to be confirmed, as a cell has it."""
    environ = {"NOMAD_ADDR": agent.address} if isinstance(agent, Script) else agent.environ
    session = api.prepare(f"{SERVER} hello".split(), stdin=None, environ=environ, options=options)
    session.locate()
    assert session.gate is not None
    session.gate.wait()
    return session


def test_the_allocation_that_was_shown_is_the_one_that_runs(embedded_agent: Agent) -> None:
    """Of three it is chosen once: ten times, and by chance none of them would be another."""
    for _ in range(10):
        session = located(embedded_agent)
        assert session.gate is not None
        plan = session.gate.plan
        assert plan is not None
        assert plan.chosen_from == 3
        assert session.gate.answer("hello")
        result = session.start().wait(20)
        assert result.ok
        assert result.place == plan.runs[0].place


def test_nothing_is_started_while_it_waits(script: Script) -> None:
    """No session is asked for, and no connection is begun for one; then one, once."""
    script.session = leave
    session = located(script)
    before = list(script.requests)
    assert asked(script) == []
    assert not session.opened
    assert session.result.outcome is Outcome.RUNNING
    assert session.gate is not None
    assert session.gate.answer(" hello\n")
    assert script.requests == before
    assert session.start().wait(20).ok
    assert len(asked(script)) == 1


@pytest.mark.parametrize("how", ["stop", "disconnect", "wind_down"])
def test_a_run_that_waits_can_be_given_up(script: Script, how: str) -> None:
    """It ends at once, and was never started."""
    session = located(script)
    getattr(session, how)(*([5.0] if how == "wind_down" else []))
    result = session.wait(5)
    assert result.outcome is Outcome.NOT_STARTED
    assert result.reason == "stopped before the action was started"
    assert session.error is None
    assert asked(script) == []


def test_going_on_without_an_answer_runs_nothing(script: Script) -> None:
    """What has not been confirmed is not, whoever forgets to ask."""
    session = located(script)
    session.start()
    session.wait(5)
    assert isinstance(session.error, nomad_magic.NotConfirmed)
    assert asked(script) == []


def test_the_time_of_an_answer_is_not_the_actions(script: Script) -> None:
    """While someone thinks no bound of a wait runs: no timer of any run is set in the loop."""

    async def timers() -> list[asyncio.TimerHandle]:
        running: Any = asyncio.get_running_loop()
        return [one for one in running._scheduled if not one.cancelled()]

    script.session = leave
    before = asyncio.run_coroutine_threadsafe(timers(), loop.get()).result(10)
    options = nomad_magic.Options(confirm=("namespace=*",), timeout=1000, answer_timeout=1000)
    session = located(script, options=options)
    after = asyncio.run_coroutine_threadsafe(timers(), loop.get()).result(10)
    assert [one for one in after if one not in before] == []
    assert session.gate is not None
    session.gate.answer("hello")
    assert session.start().wait(20).ok


def test_an_action_that_is_not_there_is_no_question(embedded_agent: Agent) -> None:
    """It fails as it would without patterns, with the same hint."""
    with pytest.raises(nomad_magic.LocateError) as caught:
        nomad_magic.run(f"{SERVER} helo", env=embedded_agent.environ, options=ALL)
    with pytest.raises(nomad_magic.SessionRefused) as plain:
        nomad_magic.run(f"{SERVER} helo", env=embedded_agent.environ)
    assert (caught.value.message, caught.value.hint) == (plain.value.message, plain.value.hint)


def test_patterns_may_be_a_list(script: Script) -> None:
    """As one writes them; options that are equal are still known as that."""
    script.session = leave
    options = nomad_magic.Options(confirm=["job=ca*"])  # type: ignore[arg-type]  # see above
    assert options == nomad_magic.Options(confirm=("job=ca*",))
    with pytest.raises(nomad_magic.NotConfirmed):
        run(script, options=options)
    assert run(script, options=options, confirm="hello").ok


# Many at once


def test_many_are_confirmed_once(embedded_agent: Agent) -> None:
    """Without the word none is begun; with it all are, and their record says so."""
    line, environ = f"{SERVER} hello", embedded_agent.environ
    for word in (None, "helo"):
        with pytest.raises(nomad_magic.NotConfirmed, match=r"hello in 3 allocations of job cache"):
            nomad_magic.run_all(line, env=environ, options=ALL, confirm=word)
    result = nomad_magic.run_all(line, env=environ, options=ALL, confirm="hello")
    assert result.ok
    assert len(result) == 3
    assert "which namespace=* asks for" in result.confirmed
    assert "  confirmed  " in result.record()
    assert result._record().metadata()["confirmed"] == result.confirmed
    assert {run.confirmed for run in result.values()} == {""}


def test_what_is_rerun_is_confirmed_anew(embedded_agent: Agent) -> None:
    """`rerun_failed` takes the word too."""
    result = nomad_magic.run_all(
        f"{SERVER} fail", env=embedded_agent.environ, options=ALL, confirm="fail", check=False
    )
    assert len(result.failed) == 3
    with pytest.raises(nomad_magic.NotConfirmed):
        result.rerun_failed()
    with pytest.raises(nomad_magic.FleetFailed):
        result.rerun_failed(confirm="fail")


def test_many_that_wait_can_be_given_up(embedded_agent: Agent) -> None:
    """None is begun, and each says so."""
    fleet = fleet_api.prepare(
        f"{SERVER} hello".split(),
        stdin=None,
        environ=embedded_agent.environ,
        options=ALL,
    )
    fleet.locate()
    assert fleet.gate is not None
    fleet.gate.wait()
    assert not fleet.opened
    fleet.stop()
    result = fleet.wait(5)
    assert {run.outcome for run in result.values()} == {Outcome.NOT_STARTED}
    assert fleet.error is None


def test_waiting_runs_leave_nothing_behind(script: Script) -> None:
    """However they end: no task stays in the loop."""

    async def tasks() -> int:
        return len(asyncio.all_tasks()) - 1

    def count() -> int:
        return asyncio.run_coroutine_threadsafe(tasks(), loop.get()).result(10)

    script.session = leave
    run(script)
    before = count()
    for how in ("stop", "start", "disconnect"):
        session = located(script)
        getattr(session, how)()
        session.wait(5)
    until(lambda: count() <= before, seconds=5, what="the tasks end")
