"""After a fork the child can run actions, and has nothing of its parent's."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

import psutil
import pytest
from support.nomads import until
from support.scripted import leave, scripted

import nomad_magic
from nomad_magic.log import ledger
from nomad_magic.log.evidence import Log
from nomad_magic.record.facts import Outcome
from nomad_magic.record.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.nomads import Agent
    from websockets.asyncio.server import ServerConnection

SERVER = "-job=cache -group=redis -task=server"

pytestmark = pytest.mark.filterwarnings(
    # From 3.12 on: the parent has threads, and that is what is tested.
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)


def in_child(work: Callable[[], bool]) -> int:
    """Do something in a forked child that ends as an interpreter does; return its exit code."""
    child = os.fork()
    if not child:
        code = 2
        try:
            code = 0 if work() else 1
            # What an interpreter does at its end, too.
            import atexit  # noqa: PLC0415 - of the child's own end

            atexit._run_exitfuncs()
        except BaseException:  # noqa: BLE001 - the child must end here, whatever it was
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    watchdog = threading.Timer(20, os.kill, [child, signal.SIGKILL])
    watchdog.start()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        watchdog.cancel()


def runs(agent: Agent) -> bool:
    return nomad_magic.run(f"{SERVER} hello", env=agent.environ).stdout == "hello\n"


def test_a_child_runs_actions(embedded_agent: Agent) -> None:
    """After runs of its parent, ten times: what it inherits may be in any state."""
    for _ in range(10):
        assert runs(embedded_agent)
        assert in_child(lambda: runs(embedded_agent)) == 0
    assert runs(embedded_agent)


def test_a_child_in_mid_run_leaves_the_run_alone(embedded_agent: Agent) -> None:
    """It has none of its parent's connections, ends by itself, and the run goes on."""
    session = nomad_magic.start(f"{SERVER} -t forever", env=embedded_agent.environ)
    until(lambda: session.result.transcript.size > 0, seconds=20, what="output")

    def alone() -> bool:
        port = int(embedded_agent.address.rpartition(":")[2])
        found = psutil.Process().net_connections()
        left = [one for one in found if one.raddr and one.raddr.port == port]
        return not left and runs(embedded_agent)

    def over_there() -> bool:
        with pytest.raises(nomad_magic.NomadMagicError, match="in the process that started it"):
            session.wait(10, check=True)
        return session.done and session.result.stdout.startswith("tick 1")

    assert in_child(alone) == 0
    # Ten times: the locks of the run may be held or not.
    assert [in_child(over_there) for _ in range(10)] == [0] * 10
    size = session.result.transcript.size
    until(lambda: session.result.transcript.size > size, seconds=20, what="more output")
    session.stop()
    assert session.wait(10).exit_code == 130


def test_a_child_forked_by_a_thread_runs_actions(embedded_agent: Agent) -> None:
    """While another thread of its parent runs one."""
    session = nomad_magic.start(f"{SERVER} -t forever", env=embedded_agent.environ)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(in_child(lambda: runs(embedded_agent))))
    thread.start()
    thread.join(30)
    assert codes == [0]
    session.stop(grace=5)
    assert session.result.outcome in (Outcome.INTERRUPTED, Outcome.NOT_STARTED)


def test_a_living_child_does_not_keep_its_parents_connection() -> None:
    """The agent hears that the parent has gone while the child still lives."""
    ended = threading.Event()

    async def session(connection: ServerConnection) -> None:
        await connection.wait_closed()
        ended.set()

    with scripted() as script:
        script.session = session
        running = nomad_magic.start(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
        until(lambda: running.opened, seconds=10, what="the session is open")
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        os.close(reader)
        try:
            running.disconnect()
            assert ended.wait(10)
            script.session = leave
            assert nomad_magic.run(f"{SERVER} hello", env={"NOMAD_ADDR": script.address}).ok
        finally:
            os.close(writer)
            os.waitpid(child, 0)


def test_a_child_that_reads_does_not_disturb_what_its_parent_writes() -> None:
    """The output that went to a file, at the same time: each has its own place in it.

    20,000 writes beside a child that reads all the while: with one place for both, some were lost
    in ten of ten tries.
    """
    transcript = Transcript(memory=10)
    transcript.write("stdout", b"begun\n" * 100)
    child = os.fork()
    if not child:
        while True:
            transcript.read(0, 5)
    try:
        pieces = [f"{number}\n".encode() for number in range(20_000)]
        for piece in pieces:
            transcript.write("stdout", piece)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert transcript.whole("stdout") == b"begun\n" * 100 + b"".join(pieces)


def test_a_child_has_a_log_of_its_own_in_the_same_folder(
    embedded_agent: Agent, tmp_path: Path
) -> None:
    """Its parent's ledger is its parent's, before and after; each is whole."""
    options = nomad_magic.Options(log_dir=tmp_path)

    def run() -> str:
        line = f"{SERVER} hello"
        return nomad_magic.run(line, env=embedded_agent.environ, options=options).stdout

    before = run()
    (mine,) = tmp_path.glob("kernel-*")
    assert in_child(lambda: run() == "hello\n" and len(nomad_magic.runs(tmp_path)) == 2) == 0
    assert (before, run()) == ("hello\n", "hello\n")
    (theirs,) = set(tmp_path.glob("kernel-*")) - {mine}
    assert [ledger.lives(path) for path in (mine, theirs)] == [True, False]
    log = Log(tmp_path)
    for path, count in ((mine, 2), (theirs, 1)):
        kernel = log.ledgers[path.name[7:-6]].kernel
        assert list(log.problems(kernel)) == []
        assert len(log.of_kernel(kernel)) == count
