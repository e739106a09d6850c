"""The script that looks for a process, in the shells that a task may have, among real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from support.nomads import until

from nomad_magic.nomad import look_shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT = (Path(look_shell.__file__).parent / "reach.sh").read_text()
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash"]}
ENVIRON = {**os.environ, "NOMAD_ALLOC_ID": "88d4d09e", "NOMAD_TASK_NAME": "server"}
LAST = 10**9


SHELLS_OPEN: list[Shell] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No shell outlives its test."""
    yield
    while SHELLS_OPEN:
        SHELLS_OPEN.pop().kill()


class Shell:
    """The script in a shell, as a session in the task would run it."""

    def __init__(self, words: list[str], *args: str, environ: dict[str, str] | None = None) -> None:
        name = look_shell.COMMAND[-1]
        self.process = subprocess.Popen(
            [*words, "-s", name, *args],
            env=environ or ENVIRON,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        SHELLS_OPEN.append(self)
        self._write(SCRIPT.rstrip())
        self.first = self._read()

    def ask(self, line: str) -> list[str]:
        self._write(line)
        said = []
        while (one := self._read()) not in {"done", ""}:
            said.append(one)
        return said

    def end(self) -> str:
        """End it as a session ends; return what it said on stderr."""
        _, errors = self.process.communicate(timeout=10)
        return str(errors)

    def kill(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        self.process.communicate()

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")


def test_the_shells_are_there() -> None:
    """All three, or these tests would hold less than they say."""
    assert [name for name in SHELLS if shutil.which(name) is None] == []


@pytest.fixture(params=SHELLS.values(), ids=SHELLS)
def words(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param
    return found


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start processes beside the shell, as an executor does."""
    started = []

    def one(*command: str, environ: dict[str, str] = ENVIRON) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(command, env=environ))
        return started[-1]

    yield one
    for process in started:
        if process.poll() is None:
            for below in psutil.Process(process.pid).children(recursive=True):
                below.kill()
            process.kill()
            process.wait()


def listed(said: list[str]) -> dict[int, list[str]]:
    """What was said of each process."""
    found: dict[int, list[str]] = {}
    for line in said[1:]:
        kind, *rest = line.split(" ")
        if kind == "process":
            found[int(rest[0])] = [" ".join(rest[1:])]
        else:
            found[next(reversed(found))].append(line)
    return found


def test_it_lists_what_was_started_beside_it(
    words: list[str], start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """With when it began, whether it has the task's variables, and its command."""
    ours = start("/bin/sh", "-c", "sleep 4401; echo 'two\nlines'")
    foreign = start("/bin/sleep", "4402", environ={**ENVIRON, "NOMAD_TASK_NAME": "another"})
    other = Shell(words)
    shell = Shell(words)
    found = listed(shell.ask(f"list 0 {LAST}"))
    began = round(psutil.Process(ours.pid).create_time() - psutil.boot_time(), 2)
    start_ticks, whose, tty, *leads = found[ours.pid][0].split()
    assert (whose, found[ours.pid][1:]) == (
        "task",
        [": /bin/sh-csleep 4401; echo 'two", ": lines'"],
    )
    assert abs(int(start_ticks) / 100 - began) < 1.5
    with Path(f"/proc/{ours.pid}/stat").open() as stat:
        assert (tty, leads) == (stat.read().rpartition(")")[2].split()[4], [])
    assert " other " in found[foreign.pid][0]
    assert found[other.process.pid][1:] == ["look"]
    assert shell.process.pid not in found
    assert (other.end(), shell.end()) == ("", "")


def test_it_signals_one_and_what_that_started(
    words: list[str], start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """By id, each once; a process that began at another moment is another's, and left alone."""
    ours = start("/bin/sh", "-c", "(sleep 4403 & sleep 4404; :) & wait; :")
    beside = start("/bin/sleep", "4405")
    me = psutil.Process(ours.pid)
    until(lambda: len(me.children(recursive=True)) == 3, seconds=10, what="the tree")
    family = {me.pid, *(one.pid for one in me.children(recursive=True))}
    shell = Shell(words)
    began = listed(shell.ask(f"list 0 {LAST}"))[ours.pid][0].split()[0]
    assert shell.ask(f"signal TERM {ours.pid} {int(began) + 1}") == [f"gone {ours.pid}"]
    assert me.status() != psutil.STATUS_ZOMBIE
    said = [line.split() for line in shell.ask(f"signal TERM {ours.pid} {began}")]
    assert said[0] == ["signalled", str(ours.pid), began]
    assert sorted(int(one[1]) for one in said) == sorted(family)
    assert ours.wait(10) == -signal.SIGTERM
    assert beside.poll() is None
    assert shell.ask(f"signal TERM {ours.pid} {began}") == [f"gone {ours.pid}"]
    assert shell.ask(f"known {ours.pid}") == []
    assert len(shell.ask(f"known {beside.pid}")) == 1
    assert shell.end() == ""


@pytest.mark.parametrize("name", ["INT", "KILL"])
def test_a_whole_tree_in_the_order_of_its_beginning(
    words: list[str], start: Callable[..., subprocess.Popen[bytes]], name: str
) -> None:
    """Parents first: a shell whose child ends before it goes on to its next command."""
    ours = start("/bin/sh", "-c", "(sh -c 'sleep 4408; echo next'; echo next); echo next")
    me = psutil.Process(ours.pid)
    until(lambda: len(me.children(recursive=True)) == 3, seconds=10, what="the tree")
    order = [me.pid, *(one.pid for one in me.children(recursive=True))]
    shell = Shell(words)
    began = listed(shell.ask(f"list 0 {LAST}"))[ours.pid][0].split()[0]
    said = [line.split() for line in shell.ask(f"signal {name} {ours.pid} {began}")]
    assert [(word, int(pid)) for word, pid, _ in said] == [("signalled", pid) for pid in order]
    assert ours.wait(10) == -getattr(signal, f"SIG{name}")
    assert shell.end() == ""


def test_what_starts_others_is_killed_with_them(
    words: list[str], start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """What forks as fast as it can leaves nothing behind: it is stopped before it is killed."""
    word = f"{os.getpid()}.44"
    ours = start("/bin/sh", "-c", f"while :; do sleep {word} & (:); done")
    me = psutil.Process(ours.pid)
    until(lambda: len(me.children()) > 10, seconds=10, what="a storm")
    shell = Shell(words)
    began = listed(shell.ask(f"list 0 {LAST}"))[ours.pid][0].split()[0]
    assert shell.ask(f"signal KILL {ours.pid} {began}")[0].startswith(f"signalled {ours.pid} ")
    assert ours.wait(10) == -signal.SIGKILL

    def left() -> list[psutil.Process]:
        every = psutil.process_iter(["cmdline", "status"])
        return [
            one
            for one in every
            if one.info["status"] != psutil.STATUS_ZOMBIE and word in (one.info["cmdline"] or ())
        ]

    until(lambda: not left(), seconds=5, what="all of it is gone")
    assert shell.end() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="another clock is root's to give")
def test_a_machine_whose_clock_is_an_hour_on(
    words: list[str], start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """Its own time and its processes' starts go together: the age is the same."""
    ours = start("/bin/sleep", "4409")
    ages = []
    for around in ([], ["unshare", "--time", "--boottime", "3600"]):
        shell = Shell([*around, *words])
        now, *said = shell.ask(f"list 0 {LAST}")
        began = listed([now, *said])[ours.pid][0].split()[0]
        ages.append((int(now.split()[1]) - int(began)) / 100)
    assert 0 <= ages[1] - ages[0] < 60


def test_names_may_hold_anything(
    words: list[str], start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """A process's own name stands in the middle of what is read of it."""
    for name in ("a) S 1 (b", "new\nline", "é ) )"):
        program = tmp_path / name
        shutil.copy("/bin/sleep", program)
        ours = start(str(program), "4406")
        shell = Shell(words)
        assert " task " in listed(shell.ask(f"list 0 {LAST}"))[ours.pid][0]
        assert shell.end() == ""


def made_up(
    folder: Path, processes: dict[int, tuple[int, int]], *, environ: bytes | None = None
) -> list[str]:
    """A `/proc` without lists of children: by id, the parent and the start of each process."""
    (folder / "uptime").write_text("1000.25 2000.5\n")
    for pid, (parent, began) in processes.items():
        one = folder / str(pid)
        one.mkdir()
        rest = " ".join(["S", str(parent), *["0"] * 17, str(began), "0"])
        (one / "stat").write_text(f"{pid} (a b) {rest}\n")
        (one / "cmdline").write_bytes(b"/bin/sleep\x004407\0")
        if environ is not None:
            (one / "environ").write_bytes(environ)
    return [str(folder), "50", "40"]


def test_a_kernel_without_lists_of_children(words: list[str], tmp_path: Path) -> None:
    """Every process is looked at then; who began too early or too late is left out."""
    variables = b"A=1\0NOMAD_ALLOC_ID=88d4d09e\0B=a\nb\0NOMAD_TASK_NAME=server\0"
    processes = {40: (1, 10), 50: (40, 99_000), 60: (40, 99_990), 61: (60, 99_995)}
    processes |= {70: (40, 50_000), 80: (41, 99_990), 90: (40, 100_030)}
    shell = Shell(words, *made_up(tmp_path, processes, environ=variables))
    said = shell.ask("list 98025 100025")
    assert said == ["now 100025", "process 60 99990 task 0", ": /bin/sleep4407"]
    assert shell.end() == ""


@pytest.mark.parametrize("name", ["a b", "a) S 1 (b", "a\nb", "a\n9 (b) S 1", "odd"])
@pytest.mark.parametrize("path", [None, "/nowhere"])
def test_among_many_it_lists_the_same(
    words: list[str], tmp_path: Path, name: str, path: str | None
) -> None:
    """With a `sed` and without one, whatever their names are."""
    variables = b"NOMAD_ALLOC_ID=88d4d09e\0NOMAD_TASK_NAME=server\0"
    processes = {40: (1, 10), 50: (40, 99_999), 60: (40, 99_990), 61: (41, 99_990)}
    processes |= {pid: (40, 1000 + pid) for pid in range(1000, 1090)}
    processes |= {70: (40, 99_991), 9: (40, 99_800)}
    where = made_up(tmp_path, processes, environ=variables)
    for pid in (60, 1050, 70):
        stat = tmp_path / str(pid) / "stat"
        stat.write_text(stat.read_text().replace("(a b)", f"({name})"))
    environ = {**ENVIRON, "PATH": path or os.environ["PATH"]}
    shell = Shell([shutil.which(words[0]) or "", *words[1:]], *where, environ=environ)
    assert listed(shell.ask("list 99980 99995")).keys() == {60, 70}
    assert shell.end() == ""


@pytest.mark.parametrize("path", [None, "/nowhere"])
def test_among_many_of_other_allocations_it_lists_the_same(
    words: list[str], tmp_path: Path, path: str | None
) -> None:
    """With a `grep` and without one: those of others are left out, those that hide are not."""
    ours = b"A=1\0NOMAD_TASK_NAME=server\0NOMAD_ALLOC_ID=88d4d09e\0"
    processes = {40: (1, 10), 50: (40, 99_999), 60: (40, 99_990)}
    processes |= dict.fromkeys(range(1000, 1030), (40, 99990))
    where = made_up(tmp_path, processes, environ=ours)
    for pid in range(1000, 1030):
        text = b"A=1\0NOMAD_TASK_NAME=server\0NOMAD_ALLOC_ID=99d4d09e\0"
        # One that is being started has none yet, and one begins as ours does.
        text = {1003: b"", 1004: b"NOMAD_ALLOC_ID=88d4d09e\0NOMAD_TASK_NAME=other\0"}.get(pid, text)
        (tmp_path / str(pid) / "environ").write_bytes(text)
    (tmp_path / "1005" / "environ").unlink()
    environ = {**ENVIRON, "PATH": path or os.environ["PATH"]}
    shell = Shell([shutil.which(words[0]) or "", *words[1:]], *where, environ=environ)
    said = [line.split() for line in shell.ask("list 99980 99995") if line.startswith("process")]
    found = {int(pid): whose for _, pid, _, whose, *_ in said if whose != "other"}
    assert found == {60: "task", 1003: "hidden", 1005: "hidden"}
    assert shell.end() == ""


def test_what_lost_its_parent_is_found_above(words: list[str], tmp_path: Path) -> None:
    """A child of a parent's own parent, of the first process too; and of no other process."""
    variables = b"NOMAD_ALLOC_ID=88d4d09e\0NOMAD_TASK_NAME=server\0"
    processes = {40: (30, 10), 30: (1, 5), 1: (0, 1), 50: (40, 99_000), 60: (40, 99_990)}
    processes |= {70: (30, 99_991), 71: (1, 99_992), 72: (60, 99_993), 73: (1, 90_000)}
    shell = Shell(words, *made_up(tmp_path, processes, environ=variables))
    found = listed(["", *shell.ask("left 99980 99999")])
    assert found.keys() == {70, 71}
    assert shell.end() == ""


def test_in_a_container_its_parent_is_none_of_it(words: list[str], tmp_path: Path) -> None:
    """There the parent's id is 0, for the first process as well, which is never the action's."""
    variables = b"NOMAD_ALLOC_ID=88d4d09e\0NOMAD_TASK_NAME=server\0"
    processes = {1: (0, 99_985), 50: (0, 99_999), 60: (0, 99_990), 61: (60, 99_991)}
    processes |= {62: (1, 99_992)}
    made_up(tmp_path, processes, environ=variables)
    shell = Shell(words, str(tmp_path), "50", "0")
    assert listed(shell.ask("list 99980 100025")).keys() == {60}
    assert listed(["", *shell.ask("left 99980 100025")]).keys() == {62}
    assert shell.end() == ""


@pytest.mark.parametrize("environ", [None, b""])
def test_what_is_hidden_is_said_to_be(
    words: list[str], tmp_path: Path, environ: bytes | None
) -> None:
    """Of another user's process the environment cannot be read."""
    processes = {40: (1, 10), 50: (40, 99_000), 60: (40, 99_990)}
    shell = Shell(words, *made_up(tmp_path, processes, environ=environ))
    assert shell.ask("list 99500 100025") == [
        "now 100025",
        "process 60 99990 hidden 0",
        ": /bin/sleep4407",
    ]
    assert shell.end() == ""


def test_without_proc_it_says_so(words: list[str], tmp_path: Path) -> None:
    """And ends."""
    shell = Shell(words, str(tmp_path))
    assert shell.first == "cannot proc"
    assert shell.process.wait(10) == 0


def test_it_ends_with_its_input(words: list[str]) -> None:
    """Also where the session is torn off: nothing is left in the task."""
    shell = Shell(words)
    assert shell.first.startswith("here ")
    assert shell.end() == ""
    assert shell.process.returncode == 0
