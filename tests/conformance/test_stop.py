"""Stopping: what reaches the process, and what is said when nothing does."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from support import processes
from support.nomads import until
from support.recorder import recorder

import nomad_magic
from nomad_magic.nomad.frames import HEARTBEAT_SECONDS
from nomad_magic.record.facts import Outcome, Rung
from nomad_magic.record.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.cells import Shell
    from support.nomads import Agent

    Pids = Callable[[], set[int]]

SERVER = "-job=cache -group=redis -task=server"
STUBBORN = ("/bin/sh", "-c", "trap '' INT HUP TERM; while true; do sleep 0.3; done")
QUIET = ("/bin/sleep", "12345")

CUTS = int(os.environ.get("NOMAD_MAGIC_CUTS", "6"))
"""How often a connection is cut, of each kind of run."""

pytestmark = pytest.mark.usefixtures("agent")


def interrupt_when(condition: Callable[[], bool]) -> threading.Thread:
    """Press Ctrl-C once something holds, from another thread; give that thread."""

    def press() -> None:
        until(condition, seconds=20, what="the moment to interrupt")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.fixture
def quiet() -> Pids:
    """The processes of the action `quiet` that this test started."""
    before = processes.running(*QUIET)
    return lambda: processes.running(*QUIET).keys() - before


def end(pids: set[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_an_interrupt_ends_a_silent_process_on_a_terminal(shell: Shell, quiet: Pids) -> None:
    """Ctrl-C with a tty: the process is gone, the exit code 130, and the cell interrupted."""
    thread = interrupt_when(lambda: bool(quiet()))
    ran = shell.magic(f"{SERVER} -t quiet")
    thread.join()
    assert isinstance(ran.error, KeyboardInterrupt)
    assert ran.exit_code == 130
    assert ran.error.result.exit_code == 130  # type: ignore[attr-defined]
    assert "interrupted (exit 130)" in str(ran.error)
    until(lambda: not quiet(), seconds=5, what="the process is gone")


def test_an_interrupt_reaches_a_process_without_a_terminal(shell: Shell, quiet: Pids) -> None:
    """Ctrl-C without a tty: the process is gone, the exit code 130, and the cell interrupted."""
    thread = interrupt_when(lambda: bool(quiet()))
    ran = shell.magic(f"{SERVER} quiet")
    thread.join()
    assert isinstance(ran.error, KeyboardInterrupt)
    assert ran.exit_code == 130
    assert "interrupted (exit 130)" in str(ran.error)
    until(lambda: not quiet(), seconds=5, what="the process is gone")


def test_an_interrupt_without_reach_says_that_the_process_may_still_run(
    shell: Shell, quiet: Pids
) -> None:
    """Ctrl-C without a tty: back at once, no exit code, and the truth about the process."""
    thread = interrupt_when(quiet)
    shell.run("%config NomadMagics.reach = False")
    ran = shell.magic(f"{SERVER} quiet")
    shell.run("%config NomadMagics.reach = True")
    thread.join()
    left = quiet()
    end(left)
    assert isinstance(ran.error, KeyboardInterrupt)
    assert ran.exit_code == 1
    result = ran.error.result  # type: ignore[attr-defined]
    assert result.exit_code is None
    assert result.outcome is Outcome.DISCONNECTED
    assert "may still run in allocation" in str(ran.error)
    assert left, "it does still run, as was said"


def begun(action: str, quiet: Pids) -> tuple[nomad_magic.Session, int]:
    """Begin an action without a terminal; return its session and the process that it started."""
    before = quiet()
    session = nomad_magic.start(f"{SERVER} -t=false {action}")
    until(lambda: len(quiet() - before) == 1, seconds=20, what="its process")
    (pid,) = quiet() - before
    return session, pid


def test_of_the_same_action_each_stop_ends_its_own(quiet: Pids) -> None:
    """Eight runs in one task, begun a quarter of a second apart, stopped in a random order.

    The order is another each time; a wrong choice would end another's process in most of them.
    """
    runs = []
    for _ in range(8):
        runs.append(begun("quiet", quiet))
        began = time.monotonic()
        until(lambda at=began: time.monotonic() - at > 0.25, seconds=5, what="a quarter second")
    random.shuffle(runs)
    left = {pid for _, pid in runs}
    for session, pid in runs:
        session.stop()
        result = session.wait(10)
        left.discard(pid)
        assert (result.exit_code, result.outcome) == (130, Outcome.INTERRUPTED)
        assert result.deeds[-1].words == f"SIGINT sent to process {pid}"
        assert quiet() & left == left
        assert pid not in quiet()


def test_what_cannot_be_told_apart_is_left_alone(quiet: Pids) -> None:
    """Six runs of the same action begun at the same moment: listed, and none touched.

    An agent may start some of them later than others.  Then a stop may end its own, and no other.
    """
    sessions = [nomad_magic.start(f"{SERVER} -t=false quiet") for _ in range(6)]
    until(lambda: len(quiet()) == 6, seconds=20, what="their processes")
    pids = quiet()
    untouched = 0
    for session in sessions:
        session.stop()
        until(lambda one=session: bool(one.result.deeds), seconds=10, what="what came of it")
        words = session.result.deeds[0].words
        if "cannot be told apart" in words:
            untouched += 1
            assert any(str(pid) in words for pid in pids)
        else:
            assert session.wait(10).exit_code == 130, words
    alive = quiet()
    end(alive)
    for session in sessions:
        session.wait(10)
    assert len(alive) == untouched
    assert untouched


def test_what_ignores_an_interrupt_is_killed_without_a_terminal() -> None:
    """The next rung is SIGKILL, and the record says both."""
    session = nomad_magic.start(f"{SERVER} -t=false stubborn")
    until(lambda: session.result.started is not None, seconds=20, what="the session is open")
    # The shell has to come to its trap.
    until(lambda: bool(processes.running(*STUBBORN)), seconds=20, what="its process")
    session.stop()
    until(lambda: bool(session.result.deeds), seconds=10, what="the first rung")
    assert session.next_stop is Rung.KILL
    session.stop()
    result = session.wait(10)
    assert (result.exit_code, result.outcome) == (137, Outcome.INTERRUPTED)
    record = result.record()
    assert "SIGINT sent to process" in record
    assert "SIGKILL sent to process" in record


def test_after_a_disconnect_it_is_known_what_became_of_it(quiet: Pids) -> None:
    """The pid while it runs, by the session, by a pickle and by the record; then that it ended."""
    session, pid = begun("quiet", quiet)
    session.disconnect()
    result = session.wait(10)
    assert f"process {pid} still runs in allocation" in result.state
    facts = json.loads(json.dumps(Record(result).metadata()))
    nowhere = facts | {"seen": None}
    travelled = pickle.loads(pickle.dumps(result))
    for record in (facts, nowhere, travelled, {"metadata": {"nomad_magic": facts}}):
        assert nomad_magic.look(record).words() == f"process {pid} still runs"
    end({pid})
    # Not only without words: until its parent has heard of its end a look cannot tell.
    until(lambda: not Path(f"/proc/{pid}").exists(), seconds=5, what="it is gone")
    for record in (facts, nowhere, travelled):
        assert nomad_magic.look(record).presence == "ended"
    seen = result.look()
    assert seen is not None
    assert seen.words() == "the process has ended"
    assert "the process has ended in allocation" in result.state


@pytest.mark.parametrize(("action", "tty"), [("quiet", False), ("forever", False), ("quiet", True)])
def test_after_a_cut_it_is_known_what_became_of_it(agent: Agent, action: str, *, tty: bool) -> None:
    """A silent process runs on, one that writes ends at its next write: as is said, each time.

    On a terminal it ends with that.  The cuts come at any moment of a write, and of the run's first
    half second, with a look before or without: a look that came too early would be wrong in some.
    """
    environ = dict(os.environ)
    with recorder(agent.address.removeprefix("http://")) as between:
        environ["NOMAD_ADDR"] = f"http://{between.own}"
        for count in range(CUTS):
            before = children()
            flag = "-t" if tty else "-t=false"
            session = nomad_magic.start(f"{SERVER} {flag} {action}", env=environ)
            until(lambda one=before: bool(children() - one), seconds=20, what="its process")
            process = min(children() - before, key=psutil.Process.create_time)
            if count % 2:
                until(lambda one=session: one.result.started is not None, seconds=9, what="a run")
                found = session.look()
                assert found is not None
                assert found.words() == f"process {process.pid} still runs"
            moment, began = random.uniform(0, 0.5), time.monotonic()
            until(lambda at=began + moment: time.monotonic() > at, seconds=5, what="any moment")
            # What cuts off the run may cut off the first look after it, too.
            between.torn = int(count % 3 == 2)
            between.cut()
            result = session.wait(20)
            assert result.outcome is Outcome.LOST
            there = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
            expected = f"process {process.pid} still runs" if there else "the process has ended"
            assert expected in result.state
            if there:
                process.kill()


def children() -> set[psutil.Process]:
    """Return what agents below this process have started for `quiet` and `forever`."""
    found = set()
    for one in psutil.Process().children(recursive=True):
        words = processes.title(one)
        if words == list(QUIET) or "tick" in " ".join(words):
            found.add(one)
    return found


def test_the_ladder_ends_what_ignores_an_interrupt() -> None:
    """On a tty the second rung ends a process that ignores the first: exit code 131."""
    # Those that other tests have left behind.
    before = processes.running(*STUBBORN)
    session = nomad_magic.start(f"{SERVER} -t stubborn")
    until(
        lambda: session.next_stop is Rung.INTERRUPT and session.result.started is not None,
        seconds=20,
        what="the session is open",
    )
    # The shell needs a moment to set its traps, and tells nobody when it has.
    until(
        lambda: bool(
            {*processes.running("sleep", "0.3").values()}
            & (processes.running(*STUBBORN).keys() - before)
        ),
        seconds=20,
        what="stubborn is in its loop",
    )
    session.stop()
    until(lambda: session.next_stop is Rung.QUIT, seconds=5, what="the first rung")
    with pytest.raises(TimeoutError):
        session.wait(1.0)
    session.stop()
    result = session.wait(10)
    assert result.exit_code == 131
    assert result.outcome is Outcome.INTERRUPTED
    assert session.error is None


def test_a_timeout_interrupts_and_fails_the_run() -> None:
    """A timeout does the first rung; the run fails, with the action's own exit code."""
    options = nomad_magic.Options(timeout=0.5)
    with pytest.raises(nomad_magic.ActionFailed) as caught:
        nomad_magic.run(f"{SERVER} -t forever", options=options)
    assert caught.value.exit_code == 130
    assert caught.value.result is not None
    assert "tick 1" in caught.value.result.text


def test_the_escape_character_closes_the_connection(shell: Shell, quiet: Pids) -> None:
    """`~.` in a typed body goes to the last rung, in the CLI's words."""
    ran = shell.magic(f"{SERVER} -t quiet", "~.\n")
    left = quiet()
    end(left)
    assert str(ran.error).startswith(
        "Connection closed\nfailed to exec into task: context canceled"
    )
    assert ran.exit_code == 1
    # At once, and not with the next heartbeat, which is due after 10 s.
    assert ran.error.result.duration < HEARTBEAT_SECONDS / 2  # type: ignore[union-attr]


def test_stopping_by_button_is_no_error() -> None:
    """`Session.stop` from another thread: the run ends, and nothing has failed."""
    session = nomad_magic.start(f"{SERVER} -t forever")
    until(lambda: session.result.transcript.size > 0, seconds=20, what="some output")
    session.stop()
    result = session.wait(10, check=True)
    assert result.exit_code == 130
    assert str(result.state).startswith("interrupted (exit 130) after")


def test_what_was_typed_before_the_escape_character_is_sent(shell: Shell) -> None:
    """A body that ends in `~.` reaches the action up to there."""
    ran = shell.magic(f"{SERVER} -t cat", "ping\n~.\n")
    assert str(ran.error).startswith("Connection closed")
    assert ran.error.result.sent == 5  # type: ignore[union-attr]
