"""The process that is reached, among programs of every kind, over mutual TLS: its own, or none."""

from __future__ import annotations

import contextlib
import os
import random
import ssl
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from support import nomads, processes
from support.agent_client import Exec, Peer, alive
from support.certificates import Certificates
from support.nomads import until

import nomad_magic
from nomad_magic.nomad import look_shell, reach
from nomad_magic.record.facts import Outcome, Rung
from nomad_magic.record.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Begin = Callable[..., tuple[nomad_magic.Session, int]]

LINE = "-job=reach -group=g -task={} {} {}"
STOPS = int(os.environ.get("NOMAD_MAGIC_STOPS", "12"))
"""How many of the look-alikes are stopped, one after the other; 200 take a minute."""
ENDED = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD, psutil.STATUS_STOPPED}
APART = 0.25
"""How many seconds apart runs of the same action are begun."""

CODE = {
    # pause(2), and again.
    "x86_64": (62, bytes.fromhex("b8220000000f05ebf7")),
    # ppoll(2) of nothing, without an end: aarch64 has no pause.
    "aarch64": (
        183,
        bytes.fromhex("000080d2010080d2020080d2030080d2290980d2280980d2010000d4f9ffff17"),
    ),
}


def still() -> bytes:
    """Return a program that waits and needs nothing but the kernel (elf(5))."""
    machine, code = CODE[os.uname().machine]
    at, size = 0x400000, 64 + 56
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        *(2, machine, 1, at + size, 64, 0, 0, 64, 56, 1, 0, 0, 0),
    )
    whole = size + len(code)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, at, at, whole, whole, 0x1000) + code


def ready(agent: nomads.Agent) -> bool:
    """Whether both tasks run: what comes later would be taken for a run's."""
    stubs = agent.get("/v1/job/reach/allocations")
    states = [one["State"] for stub in stubs for one in (stub.get("TaskStates") or {}).values()]
    return states == ["running"] * 2


@pytest.fixture(scope="module", params=nomads.AGENTS)
def reachable(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[nomads.Agent]:
    folder = tmp_path_factory.mktemp("reach")
    setup = nomads.Setup(
        jobs=[nomads.JOBS / "reach.nomad.hcl"],
        ready=ready,
        certificates=Certificates(folder),
    )
    with nomads.either(request.param, folder, setup) as started:
        yield started


@pytest.fixture
def agent(reachable: nomads.Agent, no_agent_from_outside: None) -> nomads.Agent:  # noqa: ARG001 - it must be first
    os.environ.update(reachable.environ)
    return reachable


@pytest.fixture
def begin(agent: nomads.Agent) -> Iterator[Begin]:  # noqa: ARG001 - it is named by the environment
    """Begin an action and return its session and its process; what is left is ended."""
    sessions: list[nomad_magic.Session] = []
    at_first = below()

    def one(action: str, *, tty: bool = False, task: str = "server") -> Any:
        before = below()
        flag = "-t" if tty else "-t=false"
        session = nomad_magic.start(LINE.format(task, flag, action))
        sessions.append(session)
        until(lambda: bool(below() - before), seconds=20, what="its process")
        new: dict[int, tuple[float, int]] = {}
        for each in below() - before:
            # What it has started may end meanwhile.
            with contextlib.suppress(psutil.NoSuchProcess):
                new[each.pid] = (each.create_time(), each.ppid())
        first = min((at, pid) for pid, (at, parent) in new.items() if parent not in new)
        return session, first[1]

    yield one
    for process in below() - at_first:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for session in sessions:
        session.disconnect()
        session.wait(10)


def below() -> set[psutil.Process]:
    """Return what runs in an allocation, below this process: looks and guards are no part of it."""
    found, looks = set(), set()
    # Whoever started another comes before it.
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = one.cmdline()
            if "nomad_magic-look" in words or one.ppid() in looks:
                # What it started, a sed or a grep, ends at once.
                looks.add(one.pid)
            elif words and one.environ().get("NOMAD_JOB_ID") == "reach":
                # What other tests have left on other agents comes and goes.
                found.add(one)
    return found


def anywhere(agent: nomads.Agent, *command: str) -> list[psutil.Process]:
    """Return what runs a command in the allocation, wherever it was left."""
    (alloc,) = agent.allocations("reach", "g")
    found = []
    for one in psutil.process_iter(["cmdline", "environ"]):
        environ = one.info["environ"] or {}
        if one.info["cmdline"] == list(command) and environ.get("NOMAD_ALLOC_ID") == alloc:
            found.append(one)
    return found


LASTING = ("/bin/sh", "/bin/sleep")
"""What tasks and actions begin with; what a shell starts for a moment has another name."""


def has_words(pid: int, *words: str) -> None:
    """Wait until a process shows some words: at first they are its parent's."""
    until(
        lambda: processes.words(pid)[-len(words) :] == list(words),
        seconds=10,
        what=f"{words}",
    )


def look(session: nomad_magic.Session) -> nomad_magic.Sighting:
    seen = session.look()
    assert seen is not None
    return seen


def stopped(session: nomad_magic.Session, count: int = 1) -> str:
    """Climb a rung; return what is said of it."""
    session.stop()
    until(lambda: len(session.result.deeds) >= count, seconds=10, what="what came of it")
    return session.result.deeds[count - 1].words


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("plain", ("/bin/sleep", "4321")),
        ("as-the-task", ("/bin/sleep", "4320")),
        ("ends-in-another", ("sleep", "4323")),
        ("filled-in", ("sleep", "4325")),
        ("titled", ("a title of its own", "4328")),
        ("in-a-chroot", ("/still", "4332")),
    ],
)
@pytest.mark.parametrize("tty", [False, True])
def test_programs_of_every_kind(
    begin: Begin, action: str, words: tuple[str, ...], tty: bool
) -> None:
    """Whatever they became, in a `chroot` without a file too: found, signalled, and ended by it."""
    if action == "in-a-chroot":
        if os.geteuid() != 0 or os.uname().machine not in CODE:
            pytest.skip("chroot(8) is root's, and the program of two machines")
        nomad_magic.run(LINE.format("server", "-t=false", "place"), stdin=still())
    session, pid = begin(action, tty=tty)
    has_words(pid, *words)
    seen = look(session)
    assert seen.words() == f"process {pid} still runs"
    assert seen.processes[0].command == "".join(words)
    session.stop()
    result = session.wait(10)
    assert result.outcome is Outcome.INTERRUPTED
    assert result.exit_code == 130
    assert not alive(pid)


@pytest.mark.usefixtures("begin")
def test_begun_with_others_of_the_task() -> None:
    """Another action, another task's, one on a terminal, begun at the same moment: none is hit."""
    lines = [("server", "-t=false", "plain"), ("server", "-t=false", "other")]
    lines += [("server-two", "-t=false", "plain"), ("server", "-t", "plain")]
    before = below()
    sessions = [nomad_magic.start(LINE.format(*one)) for one in lines]
    until(lambda: len(below() - before) == 4, seconds=20, what="four processes")
    for one in below() - before:
        until(
            lambda pid=one.pid: processes.words(pid)[:1] == ["/bin/sleep"], seconds=5, what="words"
        )
    left = {one.pid for one in below() - before}
    for session in sessions:
        seen = look(session)
        assert seen.presence == "running", seen
        (process,) = seen.processes
        while not session.done:
            session.stop()
            with contextlib.suppress(TimeoutError):
                session.wait(1)
        assert session.result.exit_code == 130
        left.remove(process.pid)
        assert {one.pid for one in below() - before} == left
    assert not left


@pytest.mark.parametrize(
    ("action", "tty", "signals", "code"),
    [
        # It ends by itself, and what it has started ignores SIGINT and holds its output.
        ("tree", False, ["SIGINT", "SIGKILL sent to"], 9),
        ("storm", False, ["SIGINT", "SIGKILL"], 137),
        ("storm", True, ["Ctrl-C", "Ctrl-\\", "SIGKILL"], 137),
    ],
)
def test_what_it_has_started_ends_with_it(
    begin: Begin, action: str, *, tty: bool, signals: list[str], code: int
) -> None:
    """Also of what goes on starting others as fast as it can, nothing is left."""
    before = below()
    session, pid = begin(action, tty=tty)
    until(lambda: len(below() - before) >= 4, seconds=10, what="what it starts")
    assert look(session).words() == f"process {pid} still runs"
    for count, signal in enumerate(signals, 1):
        said = stopped(session, count)
        sent = f" sent to process {pid}" if signal.startswith("SIG") else " sent"
        assert said.startswith(signal if " " in signal else signal + sent)
        if action == "tree":
            until(lambda: not alive(pid), seconds=5, what="the first of them is gone")
    assert session.wait(10).exit_code == code
    until(lambda: not below() - before, seconds=5, what="nothing is left")


def test_what_it_leaves_behind_is_not_signalled(begin: Begin, agent: nomads.Agent) -> None:
    """An orphan is nobody's child: it is listed, or said to be in the way."""
    session, pid = begin("leaves-one-behind")
    has_words(pid, "(sleep 4329 & echo begun); sleep 4330; echo on")
    until(lambda: b"begun" in session.result.stdout_bytes, seconds=10, what="its word")
    (orphan,) = anywhere(agent, "sleep", "4329")
    try:
        said = stopped(session)
        assert str(orphan.pid) not in said.partition(":")[0]
        assert orphan.is_running()
        if "SIGINT sent" in said:
            # What was sent it takes when it has its turn.
            until(lambda: not alive(pid), seconds=10, what="its end")
    finally:
        # On a real agent it is nobody's that this process has started.
        orphan.kill()


def test_a_daemon_is_listed(agent: nomads.Agent) -> None:
    """What has cut itself loose is seen to run on, is not signalled, and is not said to be over."""
    session = nomad_magic.start(LINE.format("server", "-t=false", "daemon"))
    until(lambda: len(anywhere(agent, "sleep", "4331")) == 1, seconds=10, what="the daemon")
    (daemon,) = anywhere(agent, "sleep", "4331")
    try:
        session.disconnect()
        session.wait(10)
        seen = look(session)
        assert seen.presence != "ended", seen
        assert daemon.pid in [one.pid for one in seen.processes]
        assert daemon.is_running()
    finally:
        daemon.kill()
    until(lambda: not anywhere(agent, "sleep", "4331"), seconds=5, what="it is gone")
    assert look(session).presence == "ended"


def test_an_id_that_was_taken_anew(begin: Begin) -> None:
    """A process with the id that was seen, and another start, is not the run's."""
    session, pid = begin("plain")
    seen = look(session)
    record = Record(session.result).metadata()
    assert session.result.seen == seen
    session.disconnect()
    session.wait(10)
    for field, value in (("start", seen.processes[0].start - 1), ("boot", "another")):
        facts = record | {"exit_code": None}
        process = facts["seen"]["processes"][0] | {field: value}
        facts["seen"] = facts["seen"] | {"processes": [process]}
        assert nomad_magic.look(facts).presence == "ended", field
    assert nomad_magic.look(record).words() == f"process {pid} still runs"
    assert alive(pid)


@pytest.mark.parametrize("tty", [False, True])
def test_a_task_without_a_shell(begin: Begin, monkeypatch: pytest.MonkeyPatch, tty: bool) -> None:
    """It is said, nothing is signalled, and the rungs that need one are left out."""
    words = ("/no/such/sh", *look_shell.COMMAND[1:])
    monkeypatch.setattr(reach, "COMMAND", words)
    monkeypatch.setattr(look_shell, "COMMAND", words)
    session, pid = begin("plain", tty=tty)
    seen = look(session)
    assert (seen.presence, seen.why) == ("unknown", "there is no /no/such/sh in the task")
    if not tty:
        assert stopped(session) == "SIGINT was not sent: there is no /no/such/sh in the task"
        until(lambda: session.next_stop is Rung.DISCONNECT, seconds=5, what="the last rung")
        assert alive(pid)


def test_a_shell_that_never_says_a_word(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of Nomad's driver `exec` where there is none: the rungs that need one are left out."""
    monkeypatch.setattr(look_shell, "_scripts", ["exec sleep 3"])
    monkeypatch.setattr(reach, "SILENT", {"raw_exec"})
    monkeypatch.setattr(reach, "SIGNAL_SECONDS", 0.3)
    session, pid = begin("plain")
    said = stopped(session)
    assert said.startswith("SIGINT was not sent: there was no answer within 0.3 s, and the driver")
    until(lambda: session.next_stop is Rung.DISCONNECT, seconds=5, what="the last rung")
    assert alive(pid)


def test_what_came_of_a_signal_may_not_be_heard(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it was not sent is not said then."""
    slow = look_shell.script().replace("came=\n", "came=\n    sleep 3\n")
    assert slow != look_shell.script()
    monkeypatch.setattr(look_shell, "_scripts", [slow])
    monkeypatch.setattr(reach, "SIGNAL_SECONDS", 0.4)
    session, pid = begin("plain")
    said = stopped(session)
    assert said == f"SIGINT may have reached process {pid}: there was no answer within 0.4 s"
    assert "may have reached" in session.result.record()


def test_among_three_hundred_others(begin: Begin) -> None:
    """Of the task, by their environment, and of its command: found as fast as alone."""
    session, pid = begin("plain")
    has_words(pid, "/bin/sleep", "4321")
    environ = psutil.Process(pid).environ()
    others = [subprocess.Popen(["/bin/sleep", "4321"], env=environ) for _ in range(300)]
    try:
        assert stopped(session) == f"SIGINT sent to process {pid}"
        assert session.wait(10).exit_code == 130
        assert [one.poll() for one in others] == [None] * 300
    finally:
        for one in others:
            one.kill()
            one.wait()


class Witnesses:
    """Runs of the action that writes down each signal: those of ours, and another kernel's."""

    def __init__(self, agent: nomads.Agent, begin: Begin) -> None:
        result = nomad_magic.run(LINE.format("server", "-t=false", "where"))
        self.file = Path(result.stdout.strip()) / "signals"
        self.file.write_text("")
        self.ours: list[tuple[nomad_magic.Session, int]] = []
        self.expected: set[tuple[str, ...]] = set()
        self._begin = begin
        context = ssl.create_default_context(cafile=agent.environ["NOMAD_CACERT"])
        context.load_cert_chain(
            agent.environ["NOMAD_CLIENT_CERT"], agent.environ["NOMAD_CLIENT_KEY"]
        )
        self._peer = Peer(agent.address, agent.environ.get("NOMAD_TOKEN", ""), context=context)
        self._alloc = self._peer.allocation("reach", "g")["ID"]
        self._theirs: list[Exec] = []
        self._last = 0.0

    def lines(self) -> list[tuple[str, ...]]:
        return [tuple(line.split()) for line in self.file.read_text().splitlines()]

    def add(self, *, ours: bool) -> None:
        """Begin one more, a quarter of a second after the last."""
        last = self._last
        until(lambda: time.monotonic() - last > APART, seconds=5, what="a quarter second")
        before = {line[0] for line in self.lines()}
        if ours:
            self.ours.append(self._begin("witness"))
        else:
            self._theirs.append(
                self._peer.open(
                    "reach",
                    action="witness",
                    allocID=self._alloc,
                    group="g",
                    task="server",
                    tty="false",
                )
            )

        def new() -> set[str]:
            return {line[0] for line in self.lines() if line[1:] == ("ready",)} - before

        until(lambda: bool(new()), seconds=10, what="it has set its traps")
        self._last = time.monotonic()
        (pid,) = new()
        self.expected.add((pid, "ready"))
        if ours:
            self.ours[-1] = self.ours[-1][0], int(pid)

    def stop_one(self) -> int:
        """Interrupt one of ours, whichever, and kill it; return its id."""
        session, pid = self.ours.pop(random.randrange(len(self.ours)))
        assert stopped(session).startswith(f"SIGINT sent to process {pid}")
        self.expected.add((str(pid), "2"))
        until(lambda: (str(pid), "2") in self.lines(), seconds=5, what="it has written it down")
        assert stopped(session, 2).startswith(f"SIGKILL sent to process {pid}")
        assert session.wait(10).exit_code == 137
        return pid

    def close(self) -> None:
        for one in self._theirs:
            one.connection.close()
        self._peer.__exit__()


def test_no_other_process_ever_gets_a_signal(begin: Begin, agent: nomads.Agent) -> None:
    """Of as many stops, each hits its own: seen from outside.

    The look-alikes run the same action in the same task, were begun a quarter of a second before
    and after, by this kernel and by another, and write down each signal that can be caught.  There
    are others too, of the task, of another, and of none, which no signal may end or stop.
    """
    begin("other")
    begin("plain", task="server-two")
    begin("plain", tty=True)
    witnesses = Witnesses(agent, begin)
    (main,) = {one for one in below() if processes.title(one) == ["/bin/sleep", "4320"]} & {
        one for one in below() if processes.environ(one).get("NOMAD_TASK_NAME") == "server"
    }
    alike = subprocess.Popen(["/bin/sleep", "4321"], env=main.environ())
    agents = set()
    for one in psutil.Process().children(recursive=True):
        # A look that ends just now has our name too.
        with contextlib.suppress(psutil.NoSuchProcess):
            if "agent" in one.cmdline():
                agents.add(one)
    assert agents
    try:
        for ours in (True, False, True, True, False, True):
            witnesses.add(ours=ours)
        for _ in range(STOPS):
            own = {*agents, psutil.Process(alike.pid), psutil.Process()}
            watched = {one: (one.cmdline(), one.ppid()) for one in own}
            known = {int(line[0]) for line in witnesses.lines()}
            for one in below():
                # A witness starts a new `sleep` now and then; what a look has started, and is not
                # yet done when it ends, is a `sed` or a `grep` of nobody's.
                with contextlib.suppress(psutil.NoSuchProcess):
                    if one.cmdline()[0] in LASTING and one.ppid() not in known:
                        watched[one] = (one.cmdline(), one.ppid())
            assert len(watched) > len(own)
            pid = witnesses.stop_one()
            assert set(witnesses.lines()) == witnesses.expected
            hit = {one for one in watched if not one.is_running() or one.status() in ENDED}
            assert {one.pid for one in hit} <= {pid}, [watched[one] for one in hit]
            witnesses.add(ours=True)
        assert len(witnesses.lines()) == len(set(witnesses.lines()))
    finally:
        alike.kill()
        alike.wait()
        witnesses.close()
