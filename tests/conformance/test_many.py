"""One action in two hundred allocations, of which some answer otherwise, fail or are lost."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from support import nomads, processes
from support.nomads import until
from support.recorder import recorder

import nomad_magic
from nomad_magic import FleetFailed, Outcome
from nomad_magic.nomad.capacity import MOST_AT_AN_ADDRESS
from nomad_magic.nomad.choosing import NONE
from nomad_magic.running import fleet_api
from nomad_magic.running.events import Started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.nomads import Agent

    from nomad_magic.running.events import Event
    from nomad_magic.running.fleet import Fleet

COUNT = 200
SILENT = ("/bin/sleep", "12349")
LOST = ("/bin/sleep", "12350")
VERSION = f"""
case $NOMAD_ALLOC_INDEX in
10|20|30) echo one; echo 2; echo three; exit;;
40|50) echo bad >&2; exit 3;;
60) if [ ! -e "$NOMAD_TASK_DIR/again" ]; then
    touch "$NOMAD_TASK_DIR/again"; echo begun; exec {" ".join(LOST)}
  fi;;
esac
echo one; echo two; echo three
"""
"""It is lost in mid-run, once, where it has begun and waits."""
FORGET = 'rm -f "$NOMAD_TASK_DIR/again"'

JOB = {
    "ID": "many",
    "Type": "service",
    "Datacenters": ["*"],
    "TaskGroups": [
        {
            "Name": "g",
            "Count": COUNT,
            # A real agent puts much aside for each by default, and starts a process for its logs.
            "EphemeralDisk": {"SizeMB": 10},
            "Tasks": [
                {
                    "Name": "t",
                    "Driver": "raw_exec",
                    "Config": {"command": "/bin/sleep", "args": ["100000"]},
                    "Resources": {"CPU": 1, "MemoryMB": 10},
                    "LogConfig": {"Disabled": True, "MaxFiles": 1, "MaxFileSizeMB": 1},
                    "Actions": [
                        {"Name": "version", "Command": "/bin/sh", "Args": ["-c", VERSION]},
                        {"Name": "forget", "Command": "/bin/sh", "Args": ["-c", FORGET]},
                        {"Name": "silent", "Command": SILENT[0], "Args": [*SILENT[1:]]},
                    ],
                }
            ],
        }
    ],
}


@pytest.fixture(scope="module", params=nomads.AGENTS)
def many(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    folder = tmp_path_factory.mktemp("many")
    path = folder / "many.json"
    path.write_text(json.dumps({"Job": JOB}))
    setup = nomads.Setup(
        jobs=[path],
        ready=lambda agent: len(agent.allocations("many", "g")) == COUNT,
        ready_seconds=COUNT,
    )
    with nomads.either(request.param, folder, setup) as agent:
        # A real agent may say that one runs, and refuse its session for a moment ("task not started
        # yet": seen with 1.8.4, of some 10,000 once).
        until(
            lambda: nomad_magic.run_all("-job=many forget", env=agent.environ, check=False).ok,
            seconds=60,
            what="all take sessions",
        )
        yield agent


@pytest.mark.parametrize("parallel", [32, COUNT])
def test_what_differs_among_two_hundred_is_found_and_run_again(many: Agent, parallel: int) -> None:
    """Three answer otherwise, two fail, one is lost in mid-run: groups, diff, names and counts.

    A rerun asks three of them, and nothing of the others.
    """
    with recorder(many.environ["NOMAD_ADDR"].removeprefix("http://")) as between:
        environ = {**many.environ, "NOMAD_ADDR": f"http://{between.own}"}
        line = f"-job=many -t=false -parallel={parallel} version"
        fleet = nomad_magic.start_all(line, env=environ)

        def waiting() -> list[str]:
            return [key for key, one in fleet.running().items() if one.result.text == "begun"]

        until(lambda: waiting() != [], seconds=60, what="the sixtieth has begun")
        (lost,) = waiting()
        between.cut(of=lost)
        result = fleet.wait(60)
        assert len(result) == COUNT
        same = "many.g[0-9,11-19,21-29,31-39,41-49,51-59,61-199]"
        assert [(one.ending, one.names, len(one), one.lines) for one in result.groups[:2]] == [
            ("exit 0", same, 194, ("one", "two", "three")),
            ("exit 0", "many.g[10,20,30]", 3, ("one", "2", "three")),
        ], result.groups[2:]
        _, other, *failed = result.groups
        assert [row for row in other.diff if row[0] in "+-"] == ["-two", "+2"]
        assert {group.ending: (group.names, group.lines) for group in failed} == {
            "exit 3": ("many.g[40,50]", ("[stderr] bad",)),
            "connection lost": ("many.g[60]", ("begun",)),
        }
        assert result.counts == {"exit 0": 197, "exit 3": 2, "connection lost": 1}
        assert result.state == "197 of 200 exit 0, 2 exit 3, 1 connection lost"
        assert result[lost].outcome is Outcome.LOST
        assert result[lost].exit_code is None
        assert str(fleet.error) == (
            "version failed in 3 of 200 allocations\n"
            "exit 3: many.g[40,50]\n"
            "connection lost: many.g[60]"
        )
        for pid in processes.running(*LOST):
            os.kill(pid, signal.SIGKILL)
        between.take()
        with pytest.raises(FleetFailed) as caught:
            result.rerun_failed()
        upgrades = [dict(asked.query) for asked in between.take() if asked.upgrade]
    again = caught.value.result
    assert list(again) == list(result.failed)
    assert sorted(query["allocID"] for query in upgrades) == sorted(again)
    assert again.counts == {"exit 3": 2, "exit 0": 1}
    assert again[lost].text == "one\ntwo\nthree"
    # For the next case it is lost once more.
    assert nomad_magic.run_all("-job=many forget", env=many.environ).ok


def stopped(fleet: Fleet) -> int:
    """See it end after one Stop; return how many were interrupted.

    Each other was never begun, and no process is left.  An agent on a busy machine may take more
    than a second to start one of them (measured: one of some 2,000, with four processors' work on
    two): of that it must be said that it was not found, and it takes another press.
    """
    if not fleet.wait_done(20):
        left = fleet.running().values()
        assert len(left) <= 2
        for one in left:
            seen = one.result.deeds[-1].sighting
            assert seen is not None
            assert (seen.signalled, seen.why) == ((), NONE)
        fleet.stop()
    result = fleet.wait(20)
    assert fleet.error is None
    assert processes.running(*SILENT) == {}
    interrupted = sum(run.outcome is Outcome.INTERRUPTED for run in result.values())
    others = COUNT - interrupted
    assert result.counts.get("not started: stopped before the action was started", 0) == others
    return interrupted


@pytest.mark.parametrize("begun", [1, 20, 60])
@pytest.mark.parametrize("tty", [True, False])
def test_stop_all_as_they_begin_leaves_none(many: Agent, tty: bool, begun: int) -> None:
    """Those that run are interrupted, and what was not asked for is not begun any more.

    Stop comes in the very turn in which so many have begun: some five others are on their way to
    the agent at that moment and were asked for or not, thirty in the six cases.
    """
    words = ["-job=many", f"-t={str(tty).lower()}", f"-parallel={COUNT}", "silent"]
    fleet = fleet_api.prepare(words, stdin=None, environ=many.environ)
    started: list[Event] = []

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            started.append(event)
            if len(started) == begun:
                fleet.stop()

    fleet.listen(listen)
    fleet.start()
    assert stopped(fleet) == len(started) >= begun


@pytest.mark.parametrize("tty", [True, False])
def test_none_of_two_hundred_is_left_after_stop_all(many: Agent, tty: bool) -> None:
    """Each ends interrupted or was not begun, which is said of each; and no process is left.

    An agent may take fewer sessions than that of one client: the others wait.  Without a terminal
    each process is found among the others by a second session, a race that is run as often.
    """
    line = f"-job=many -t={str(tty).lower()} -parallel={COUNT} silent"
    fleet = nomad_magic.start_all(line, env=many.environ)
    most = MOST_AT_AN_ADDRESS if many.name == "nomad" else COUNT
    until(lambda: len(processes.running(*SILENT)) >= most, seconds=60, what="so many run")
    fleet.stop()
    assert stopped(fleet) >= most
