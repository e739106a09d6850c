"""One action in many allocations: which, how many at once, how they end, and what is said of it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pickle
import signal
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from support import nomads, processes
from support.nomads import until
from support.recorder import recorder
from support.scripted import answer, leave, recorded

import nomad_magic
from nomad_magic import FleetFailed, FleetResult, LocateError, Options, Outcome
from nomad_magic.nomad import cache
from nomad_magic.nomad.survey import survey
from nomad_magic.record.fleet_record import FleetRecord
from nomad_magic.running import fleet_api, loop
from nomad_magic.running.events import Ended, Started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.nomads import Agent
    from support.scripted import Script
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request

    from nomad_magic.running.events import Event
    from nomad_magic.running.fleet import Fleet

REDIS = "-job=fleet -group=redis"
QUIET = ("/bin/sleep", "12346")
TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    setup = nomads.Setup(
        jobs=[nomads.JOBS / "fleet.nomad.hcl"],
        ready=lambda agent: len(agent.allocations("fleet", "redis")) == 12,
    )
    with nomads.embedded(setup=setup) as agent:
        yield agent


@pytest.fixture
def quiet() -> Iterator[set[int]]:
    """Fills with the processes of the action `quiet`; none is left."""
    before = processes.running(*QUIET).keys()
    found: set[int] = set()
    yield found
    assert not processes.running(*QUIET).keys() - before


def run_all(agent: Agent, line: str, *args: Any, **options: Any) -> FleetResult:
    return nomad_magic.run_all(line, *args, env=agent.environ, **options)


def test_equal_endings_are_said_once(agent: Agent) -> None:
    """Largest first, names folded, a smaller group by its difference; every count is right."""
    with pytest.raises(FleetFailed) as caught:
        run_all(agent, f"{REDIS} version")
    assert str(caught.value) == ("version failed in 1 of 12 allocations\nexit 3: fleet.redis[5]")
    result = caught.value.result
    assert [(group.ending, group.names, len(group)) for group in result.groups] == [
        ("exit 0", "fleet.redis[0-2,4,6,8-11]", 9),
        ("exit 0", "fleet.redis[3,7]", 2),
        ("exit 3", "fleet.redis[5]", 1),
    ]
    largest, other, failed = result.groups
    assert largest.lines == ("one", "two", "three")
    assert largest.diff == ()
    assert [line for line in other.diff if line[0] in "+-"] == ["-two", "+2"]
    assert failed.lines == ("[stderr] bad",)
    assert result.counts == {"exit 0": 11, "exit 3": 1}
    assert not result.ok
    assert [one.place.allocation_name for one in result.failed.values()] == ["fleet.redis[5]"]
    assert result.outcome is Outcome.FAILED
    assert result.state == "11 of 12 exit 0, 1 exit 3"


def test_the_record_says_it_in_every_form(agent: Agent) -> None:
    """Text, HTML, Markdown and JSON have the same groups; a pickle has them too."""
    result = run_all(agent, f"{REDIS} version", check=False)
    text = result.record()
    title, _, heading, *lines = text.splitlines()
    assert "11 of 12 exit 0, 1 exit 3" in title
    assert heading == f"9 {TIMES} exit 0 · fleet.redis[0-2,4,6,8-11]"
    assert lines[:3] == ["    one", "    two", "    three"]
    assert "\n  again    %nomad_action_all -job=fleet -group=redis version\n" in text
    bundle = result._repr_mimebundle_()
    assert bundle["text/plain"] == text
    assert "fleet.redis[3,7]" in bundle["text/html"]
    assert "```text\none\ntwo\nthree\n```" in result.markdown()
    facts = FleetRecord(result).metadata()
    assert json.loads(json.dumps(facts)) == facts
    assert [group["count"] for group in facts["groups"]] == [9, 2, 1]
    assert len(facts["allocations"]) == 12
    again = pickle.loads(pickle.dumps(result))
    assert again.record() == text
    with pytest.raises(RuntimeError):
        again.rerun_failed()


def test_a_result_is_a_mapping(agent: Agent) -> None:
    """By ids and their beginnings; each result is that of a run, with the line that repeats it."""
    result = run_all(agent, f"{REDIS} hello")
    assert result.ok
    assert sorted(result) == sorted(agent.allocations("fleet", "redis"))
    first = next(iter(result))
    assert result[first].text == "hello"
    assert result[first[:8]] is result[first]
    with pytest.raises(KeyError):
        result["nope"]
    with pytest.raises(KeyError):
        result[""]
    line = result[first].command_line.removeprefix("nomad job action ")
    assert f"-alloc={first}" in line
    assert nomad_magic.run(line, env=agent.environ).place.allocation == first


def test_only_what_failed_is_run_again(agent: Agent) -> None:
    """A rerun asks nothing of those that went well."""
    upstream = agent.environ["NOMAD_ADDR"].removeprefix("http://")
    with recorder(upstream) as seen:
        environ = {**agent.environ, "NOMAD_ADDR": f"http://{seen.own}"}
        result = nomad_magic.run_all(f"{REDIS} version", env=environ, check=False)
        seen.take()
        with pytest.raises(FleetFailed) as caught:
            result.rerun_failed()
        assert list(caught.value.result) == list(result.failed)
        upgrades = [dict(asked.query) for asked in seen.take() if asked.upgrade]
    assert [query["allocID"] for query in upgrades] == list(result.failed)


def test_every_task_that_has_the_action_counts(agent: Agent) -> None:
    """Without -group all groups of the job, with one that alone."""
    assert len(run_all(agent, "-job=fleet hello")) == 13
    assert len(run_all(agent, "-job=fleet -group=web hello")) == 1
    # A group without the action is not meant, and not listed.
    result = run_all(agent, "-job=fleet cat")
    assert (len(result), result.left_out) == (12, [])


@pytest.mark.parametrize("parallel", [1, 3, 12, 100])
def test_so_many_at_a_time(agent: Agent, parallel: int) -> None:
    """Never more, and as many where there are as many: the race runs twelve times, four ways."""
    fleet = nomad_magic.start_all(f"-parallel={parallel} {REDIS} cat", b"x", env=agent.environ)
    most = 0
    while not fleet.done:
        most = max(most, len(fleet.running()))
        fleet.wait_done(0.001)
    assert most <= parallel
    assert fleet.result.counts == {"exit 0": 12}
    assert all(run.text == "x" for run in fleet.result.values())


def test_no_more_are_begun_after_a_failure(agent: Agent) -> None:
    """-fail-fast: those that run end, those that wait are named and never asked for."""
    with pytest.raises(FleetFailed) as caught:
        run_all(agent, f"-parallel=1 -fail-fast {REDIS} version")
    result = caught.value.result
    begun = [run.place.allocation_name for run in result.values() if run.started is not None]
    assert begun == [f"fleet.redis[{index}]" for index in range(6)]
    assert result.counts["exit 3"] == 1
    assert result.counts["not started: not begun after a failure (-fail-fast)"] == 6


def test_stop_all(agent: Agent, quiet: set[int]) -> None:
    """Each that runs is interrupted, those that wait are not begun, and it is no failure."""
    fleet = nomad_magic.start_all(f"-parallel=8 -t {REDIS} quiet", env=agent.environ)
    until(
        lambda: sum(session.opened for session in fleet.running().values()) == 8,
        seconds=20,
        what="eight run",
    )
    quiet |= processes.running(*QUIET).keys()
    fleet.stop()
    result = fleet.wait(20)
    assert fleet.error is None
    assert result.counts == {
        "interrupted (exit 130)": 8,
        "not started: stopped before the action was started": 4,
    }
    assert quiet


def test_stop_all_without_a_terminal(agent: Agent, quiet: set[int]) -> None:
    """Each is found by a second session among the others, which began at the same moment.

    Two races are run twelve times each: second sessions that begin while others are looked
    through, and processes that are still being loaded then.
    """
    fleet = nomad_magic.start_all(f"-t=false {REDIS} quiet", env=agent.environ)
    until(
        lambda: sum(session.opened for session in fleet.running().values()) == 12,
        seconds=20,
        what="all run",
    )
    fleet.stop()
    result = fleet.wait(30)
    assert result.counts == {"interrupted (exit 130)": 12}, [run.deeds for run in result.values()]
    assert not quiet


def test_one_of_them_can_be_stopped_alone(agent: Agent, quiet: set[int]) -> None:
    """By its session; the others go on."""
    fleet = nomad_magic.start_all(f"-t {REDIS} quiet", env=agent.environ)
    until(
        lambda: sum(session.opened for session in fleet.running().values()) == 12,
        seconds=20,
        what="all run",
    )
    key, session = next(iter(fleet.running().items()))
    session.stop()
    until(lambda: session.done, seconds=20, what="one has ended")
    assert len(fleet.running()) == 11
    fleet.stop(grace=5)
    assert fleet.done
    assert fleet.result[key].ending == "interrupted (exit 130)"
    assert fleet.result.counts == {"interrupted (exit 130)": 12}
    assert not quiet


def test_an_interrupt_stops_all(agent: Agent, quiet: set[int]) -> None:
    """A Ctrl-C in `run_all` is raised when all have ended, with what is known."""
    before = processes.running(*QUIET).keys()

    def press() -> None:
        until(
            lambda: len(processes.running(*QUIET).keys() - before) == 12,
            seconds=20,
            what="all run",
        )
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        run_all(agent, f"-t {REDIS} quiet")
    thread.join()
    assert caught.value.result.counts == {"interrupted (exit 130)": 12}  # type: ignore[attr-defined]
    assert not quiet


def test_cancelling_stops_all(agent: Agent, quiet: set[int]) -> None:
    """A cancelled `arun_all` is cancelled when all have ended, with what is known."""
    before = processes.running(*QUIET).keys()

    async def run() -> FleetResult:
        task = asyncio.create_task(nomad_magic.arun_all(f"-t {REDIS} quiet", env=agent.environ))
        await asyncio.to_thread(
            until,
            lambda: len(processes.running(*QUIET).keys() - before) == 12,
            seconds=20,
            what="all run",
        )
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value.result  # type: ignore[attr-defined,no-any-return]

    assert asyncio.run(run()).counts == {"interrupted (exit 130)": 12}
    assert not quiet


def test_one_is_lost_in_mid_run(agent: Agent) -> None:
    """The others go on; the error counts it, and the record says what became of it."""
    upstream = agent.environ["NOMAD_ADDR"].removeprefix("http://")
    with recorder(upstream) as seen:
        environ = {**agent.environ, "NOMAD_ADDR": f"http://{seen.own}"}
        fleet = nomad_magic.start_all(
            f"-t {REDIS} quiet", env=environ, options=Options(direct=False)
        )
        until(
            lambda: sum(session.opened for session in fleet.running().values()) == 12,
            seconds=20,
            what="all run",
        )
        seen.cut(1)
        until(lambda: len(fleet.running()) == 11, seconds=20, what="one is lost")
        fleet.stop(grace=5)
    assert isinstance(fleet.error, FleetFailed)
    assert fleet.result.counts == {"interrupted (exit 130)": 11, "connection lost": 1}
    (lost,) = [run for run in fleet.result.values() if run.outcome is Outcome.LOST]
    assert lost.seen is not None
    for process in lost.seen.processes:
        os.kill(process.pid, signal.SIGKILL)


def test_events_come_from_every_run(agent: Agent) -> None:
    """A listener hears of each begin and each end."""
    heard: list[Event] = []
    fleet = nomad_magic.running.fleet_api.prepare(  # type: ignore[attr-defined]
        [*REDIS.split(), "hello"], stdin=None, environ=agent.environ
    )
    fleet.listen(heard.append)
    with fleet:
        fleet.start().wait(20)
    assert sum(isinstance(event, Started) for event in heard) == 12
    assert sum(isinstance(event, Ended) for event in heard) == 12


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-job=fleet nope", "has no action nope"),
        ("-job=fleet versoin", "Did you mean version?"),
        ("-job=fleet -group=web version", "There is an action version in -group=redis"),
        ("-job=fleet -task=nope hello", "has no action hello with -task=nope"),
        ("-job=fleet -group=nope hello", 'task group "nope" doesn\'t exist'),
        ("-job=flet hello", "Did you mean fleet"),
    ],
)
def test_what_leads_nowhere(agent: Agent, line: str, said: str) -> None:
    """It is said before anything runs, with what there is."""
    with pytest.raises(LocateError) as caught:
        run_all(agent, line)
    assert said in str(caught.value)


# What no agent of ours has: several versions, nodes that are down, system jobs.


def stub(index: int, **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = recorded("job-allocations")[0]
    return {
        **base,
        "ID": f"{index:08d}-0000-4000-8000-000000000000",
        "Name": f"cache.redis[{index}]",
        "NodeID": f"node-{index % 2}",
        "NodeName": f"node-{index % 2}",
        "JobVersion": 0,
        "TaskGroup": "redis",
        "ClientStatus": "running",
        **fields,
    }


@contextmanager
def allocations(
    script: Script, *stubs: dict[str, Any], **commands: str
) -> Iterator[dict[str, str]]:
    """Have the script's agent say that there are these; commands by `v<version>`."""
    allocation: dict[str, Any] = recorded("allocation")
    script.answers["/v1/job/cache/allocations"] = answer(json.dumps(stubs))
    for one in stubs:
        command = commands.get(f"v{one['JobVersion']}", "/bin/true")
        actions = [{"Name": "flush", "Command": command, "Args": None}] if command else []
        tasks = [{"Name": name, "Driver": "exec", "Actions": actions} for name in ("server",)]
        job = {
            **allocation["Job"],
            "Version": one["JobVersion"],
            "TaskGroups": [{"Name": "redis", "Tasks": tasks}],
        }
        script.answers[f"/v1/allocation/{one['ID']}"] = answer(
            json.dumps({**allocation, **one, "Job": job})
        )
    for name, status in (("node-0", "ready"), ("node-1", "ready"), ("node-2", "down")):
        body = {"ID": name, "Name": name, "HTTPAddr": "", "Status": status}
        script.answers[f"/v1/node/{name}"] = answer(json.dumps(body))

    async def session(connection: ServerConnection) -> None:
        await leave(connection)

    script.session = session
    yield {"NOMAD_ADDR": script.address}


def test_drift_is_said_before_it_runs(script: Script) -> None:
    """Two versions with other commands: which, how many, what; one question for each version."""
    stubs = [stub(index, JobVersion=index // 3) for index in range(5)]
    with allocations(script, *stubs, v0="/bin/one", v1="/bin/two") as environ:
        result = nomad_magic.run_all("-job=cache flush", env=environ)
    (notice,) = result.notices
    assert notice.splitlines() == [
        "The command differs between versions of group redis, task server:",
        f"  version 0, 3 {TIMES} /bin/one",
        f"  version 1, 2 {TIMES} /bin/two",
    ]
    assert notice.splitlines()[0] in result.record()
    assert sum(path.startswith("/v1/allocation/") for path in script.requests) == 2
    assert {run.command for run in result.values()} == {("/bin/one",), ("/bin/two",)}


def test_what_is_left_out_is_named_with_its_reason(script: Script) -> None:
    """Not running, its node down, its version without the action: and the others run."""
    stubs = [
        stub(0),
        stub(1, ClientStatus="pending"),
        stub(2, ClientStatus="lost"),
        stub(3, NodeID="node-2"),
        stub(4, JobVersion=1),
    ]
    with allocations(script, *stubs, v1="") as environ:
        result = nomad_magic.run_all("-job=cache flush", env=environ)
    assert [run.place.allocation_name for run in result.values()] == ["cache.redis[0]"]
    assert {(one.name, one.reason) for one in result.left_out} == {
        ("cache.redis[1]", "is pending"),
        ("cache.redis[2]", "is lost"),
        ("cache.redis[3]", "its node is down"),
        ("cache.redis[4]", "version 1 of its job has no such action there"),
    }
    assert "is lost: cache.redis[2]" in result.record()


def test_those_of_a_system_job_are_told_apart_by_their_nodes(script: Script) -> None:
    """All of them have the same name."""
    with allocations(script, *(stub(index, Name="cache.redis[0]") for index in range(2))) as env:
        result = nomad_magic.run_all("-job=cache flush", env=env)
    (group,) = result.groups
    assert group.names == "cache.redis[0] on node-[0-1]"


def test_nothing_runs(script: Script) -> None:
    """Then the error says what the allocations are."""
    stubs = [stub(index, ClientStatus="complete") for index in range(3)]
    with allocations(script, *stubs) as env, pytest.raises(LocateError) as caught:
        nomad_magic.run_all("-job=cache flush", env=env)
    assert "No allocation of job cache is running: cache.redis[0-2] is complete" in str(
        caught.value
    )


def test_a_thousand_take_a_handful_of_questions(script: Script) -> None:
    """One for the job, for its allocations, for a version, for each node; and a session each."""
    count = 60
    with allocations(script, *(stub(index) for index in range(count))) as env:
        result = nomad_magic.run_all("-job=cache flush", env=env)
    assert result.counts == {"exit 0": count}
    sessions = [path for path in script.requests if "/action?" in path]
    assert len(sessions) == len(set(sessions)) == count
    assert len(script.requests) - count == 5


def test_a_stop_while_they_are_got_ready_begins_none(script: Script) -> None:
    """They are got ready some in each turn of the loop, and a stop may come between two turns."""
    count = 60

    async def stop_between(fleet: Fleet) -> int:
        found = await survey(fleet.line.args, cache.client(fleet.target, fleet.options))
        taking = asyncio.create_task(fleet.take(found))
        await asyncio.sleep(0)
        fleet.stop()
        assert not taking.done()
        return len(await taking)

    with allocations(script, *(stub(index) for index in range(count))) as env:
        fleet = fleet_api.prepare(["-job=cache", "flush"], stdin=None, environ=env, options=None)
        assert loop.submit(stop_between(fleet)).result(10) == count
    outcomes = [run.outcome for run in fleet.result.runs.values()]
    assert outcomes == [Outcome.NOT_STARTED] * count


def test_an_agent_with_too_many_connections_is_asked_again(script: Script) -> None:
    """Status 429 says that the request was not read: nothing has started, and there may be room."""
    count = 4
    with allocations(script, *(stub(index) for index in range(count))) as env:
        plain = script.respond
        refused: list[str] = []

        def respond(connection: ServerConnection, request: Request) -> Any:
            if "/action?" in request.path and request.path not in refused:
                script.requests.append(request.path)
                refused.append(request.path)
                return answer("Your IP is issuing too many concurrent connections", 429)
            return plain(connection, request)

        script.respond = respond  # type: ignore[method-assign]
        result = nomad_magic.run_all("-job=cache flush", env=env)
    assert result.counts == {"exit 0": count}
    assert sum("/action?" in path for path in script.requests) == 2 * count


def turns_later(turns: int, function: Callable[[], object]) -> None:
    """Call a function so many turns of the loop later."""

    def wait(left: int) -> None:
        if left:
            loop.get().call_soon(wait, left - 1)
        else:
            function()

    loop.get().call_soon_threadsafe(wait, turns)


@pytest.mark.parametrize("who", ["all", "its row", "its session", "its end", "its cut"])
def test_what_was_stopped_is_not_asked_again(script: Script, who: str) -> None:
    """Not though it was refused for want of room, in whichever turn of the loop Stop is pressed.

    Sixty runs, each stopped a turn later than the one before after it was asked for, so that some
    are stopped before the refusal is heard, some as it is taken, some in the pause that follows.
    """
    count = 60 if who != "all" else 1
    with allocations(script, *map(stub, range(count))) as env:

        def respond(connection: ServerConnection, request: Request) -> Any:
            if "/action?" not in request.path:
                return plain(connection, request)
            script.requests.append(request.path)
            # It is asked for, and the answer is not there yet.
            (key,) = (one for one in fleet.result.runs if one in request.path)
            press: dict[str, Callable[[], object]] = {
                "all": fleet.stop,
                "its row": lambda: fleet.member(key).stop(),
                "its session": fleet.running()[key].stop,
                "its end": partial(fleet.running()[key].wind_down, 1.0),
                "its cut": fleet.running()[key].disconnect,
            }
            turns_later(int(key[:8]), press[who])
            return answer("Your IP is issuing too many concurrent connections", 429)

        plain = script.respond
        script.respond = respond  # type: ignore[method-assign]
        line = ["-job=cache", "-parallel=60", "flush"]
        fleet = fleet_api.prepare(line, stdin=None, environ=env)
        result = fleet.start().wait(20)
    assert fleet.error is None
    # Whose connection is closed before the refusal was heard is not known to be not started.
    cut = result.counts.get("disconnected", 0)
    assert not cut or who in ("its end", "its cut")
    given_up = result.counts["not started: stopped before the action was started"]
    assert given_up == count - cut
    assert sum("/action?" in path for path in script.requests) == count


def test_a_row_that_is_stopped_as_it_begins_ends(script: Script) -> None:
    """The press was for one that waits, and it had begun by the time that it was heard.

    Sixty of them, each stopped a turn of the loop later than the one before.
    """
    count = 60
    with allocations(script, *map(stub, range(count))) as env:

        async def session(connection: ServerConnection) -> None:
            # Ctrl-C in base64.
            while "Aw==" not in str(await connection.recv()):
                pass
            await connection.send('{"exited":true,"result":{"exit_code":130}}')
            await connection.wait_closed()

        script.session = session
        line = ["-job=cache", "-t", f"-parallel={count}", "flush"]
        fleet = fleet_api.prepare(line, stdin=None, environ=env)
        fleet.hold()
        fleet.start()
        until(lambda: fleet.located, seconds=10, what="it is known where")
        for turn, key in enumerate(fleet.result.runs):
            turns_later(turn, fleet.member(key).stop)
        fleet.go()
        result = fleet.wait(20)
    assert fleet.error is None
    begun = result.counts["interrupted (exit 130)"]
    assert 1 <= begun < count
    given_up = {"not started: stopped before the action was started": count - begun}
    assert result.counts == {"interrupted (exit 130)": begun, **given_up}


@pytest.mark.parametrize(
    ("agent_self", "most"),
    [
        ({"config": {"Limits": {"HTTPMaxConnsPerClient": 100}}}, 88),
        ({"config": {"Limits": {"HTTPMaxConnsPerClient": 24}}}, 12),
        ({"config": {"Limits": {"HTTPMaxConnsPerClient": 0}}}, 100),
        ({"config": {"Limits": None}}, 88),
        ({"config": {}}, 88),
        ({}, 88),
        (None, 88),
    ],
)
def test_no_more_sessions_than_the_agent_takes(
    script: Script, agent_self: dict[str, Any] | None, most: int
) -> None:
    """What it says it takes less some for the rest; else what any takes.  A session waits for all.

    The race is decided by the script's agent: it lets none go until as many have come as it waits
    for, and would see one more.
    """
    count = 100
    with allocations(script, *(stub(index) for index in range(count))) as env:
        if agent_self is not None:
            script.answers["/v1/agent/self"] = answer(json.dumps(agent_self))
        there, peak = 0, 0
        full = asyncio.Event()

        async def session(connection: ServerConnection) -> None:
            nonlocal there, peak
            there += 1
            peak = max(peak, there)
            if there >= most:
                full.set()
            await full.wait()
            there -= 1
            await leave(connection)

        script.session = session
        result = nomad_magic.run_all("-parallel=100 -job=cache flush", env=env)
    assert result.counts == {"exit 0": count}
    assert peak == most


def test_a_question_that_is_refused_is_named_as_for_one_run(script: Script) -> None:
    """In the CLI's words for that step, with the right that is missing."""
    stubs = [stub(0), stub(1, JobVersion=1)]
    with allocations(script, *stubs) as env:
        script.answers[f"/v1/allocation/{stubs[1]['ID']}"] = answer("Permission denied", 403)
        with pytest.raises(nomad_magic.RequestError) as caught:
            nomad_magic.run_all("-job=cache flush", env=env)
    assert str(caught.value).startswith("Error querying allocation: Unexpected response code: 403")
    assert "read-job" in str(caught.value)


def test_nothing_begins_before_it_was_said(script: Script) -> None:
    """A view holds it until it has shown where it will run; Stop lets go of it, and begins none."""
    with allocations(script, stub(0), stub(1)) as env:
        for let_go in ("go", "stop"):
            script.requests.clear()
            fleet = nomad_magic.running.fleet_api.prepare(  # type: ignore[attr-defined]
                ["-job=cache", "flush"], stdin=None, environ=env
            )
            fleet.hold()
            fleet.start()
            until(lambda: fleet.located, seconds=20, what="it is known where")  # noqa: B023 - at once
            assert len(fleet.result) == 2
            assert not any("/action?" in path for path in script.requests)
            getattr(fleet, let_go)()
            fleet.wait(20)
            asked = sum("/action?" in path for path in script.requests)
            assert asked == (2 if let_go == "go" else 0)


def test_what_the_kernel_has_is_spared_while_they_run(agent: Agent) -> None:
    """It is kept out of searches for garbage while an action runs in many, and no longer."""
    before, seen = gc.get_freeze_count(), []

    def look(event: Event) -> None:
        if isinstance(event, Ended):
            seen.append(gc.get_freeze_count())

    fleet = nomad_magic.start_all(f"{REDIS} version", env=agent.environ)
    fleet.listen(look)
    fleet.wait(60)
    # The last of them ends before it does.
    assert len(seen) == 12
    assert min(seen) > before
    assert gc.get_freeze_count() <= before
