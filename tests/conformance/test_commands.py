"""Any command in a task, by `/v1/client/allocation/<id>/exec`: what a second session can see."""

from __future__ import annotations

import functools
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from support import processes
from support.agent_client import Exec, Peer
from websockets.exceptions import InvalidStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import nomads

    Command = Callable[..., Exec]

RECORDED = Path(__file__).parent.parent / "data" / "wire" / "alloc-exec.jsonl"
WAITING = ("/bin/sh", "-c", 'echo $$; read word; echo "$word"')
EXEC_FAILED = "rpc error: code = Unknown desc = failed to start command: "
NOT_A_COMMAND = "failed to marshal command into json: "
NOT_A_BOOLEAN = "tty value is not a boolean: "


@pytest.fixture
def peer(agent: nomads.Agent) -> Iterator[Peer]:
    with Peer(agent.address, agent.environ.get("NOMAD_TOKEN", "")) as connected:
        yield connected


@pytest.fixture
def alloc(agent: nomads.Agent) -> str:
    return agent.allocations("cache", "redis")[0]


@pytest.fixture
def command(peer: Peer, alloc: str) -> Command:
    """Open the session of a command in that allocation."""
    return functools.partial(peer.command, alloc)


def recorded(connection: int) -> list[dict[str, Any]]:
    """Return the frames that a real agent sent on one of the recorded connections."""
    lines = map(json.loads, RECORDED.read_text().splitlines())
    return [
        line
        for line in lines
        if line["conn"] == connection and line["dir"] == "server" and "op" in line
    ]


def test_as_recorded(peer: Peer, alloc: str) -> None:
    """The frames are the recorded ones; those that close the streams come in either order."""
    session = peer.command(alloc, "/bin/sh", "-c", "echo looked; exit 4", region="global")
    session.close_stdin()
    session.finish()
    theirs = [json.loads(line["text"]) for line in recorded(2)]
    assert session.frames[-1] == theirs[-1]
    assert sorted(map(json.dumps, session.frames)) == sorted(map(json.dumps, theirs))
    assert session.close_code is None


def test_no_such_program_as_recorded(peer: Peer, alloc: str) -> None:
    """A command that cannot be started is a close frame, with the recorded words."""
    session = peer.command(alloc, "/nonexistent", region="global").finish()
    (theirs,) = recorded(4)
    assert (session.close_code, session.reason) == (theirs["code"], theirs["reason"])


@pytest.mark.parametrize(
    ("words", "change", "code", "reason"),
    [
        (
            ["no-such"],
            {},
            1011,
            EXEC_FAILED + 'exec: "no-such": executable file not found in $PATH',
        ),
        ([""], {}, 1011, EXEC_FAILED + "exec: no command"),
        (["/tmp"], {}, 1011, EXEC_FAILED + "fork/exec /tmp: permission denied"),
        (["/bin/echo", "a\0b"], {}, 1011, EXEC_FAILED + "fork/exec /bin/echo: invalid argument"),
        # Of a reason that is too long for a close frame nothing is sent at all.
        (["/" + "n" * 200], {}, None, ""),
        ([], {}, 1008, "command is not present"),
        ([], {"command": "null"}, 1008, "command is not present"),
        ([], {"command": ""}, 1011, NOT_A_COMMAND + "unexpected end of JSON input"),
        ([], {"command": "{", "tty": "x"}, 1011, NOT_A_COMMAND + "unexpected end of JSON input"),
        (
            [],
            {"command": "ls"},
            1011,
            NOT_A_COMMAND + "invalid character 'l' looking for beginning of value",
        ),
        (
            [],
            {"command": "[] x"},
            1011,
            NOT_A_COMMAND + "invalid character 'x' after top-level value",
        ),
        (
            [],
            {"command": '"ls"'},
            1011,
            NOT_A_COMMAND + "json: cannot unmarshal string into Go value of type []string",
        ),
        (
            [],
            {"command": '["ls", 1]'},
            1011,
            NOT_A_COMMAND + "json: cannot unmarshal number into Go value of type string",
        ),
        (
            ["ls"],
            {"tty": "maybe"},
            1011,
            NOT_A_BOOLEAN + 'strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        ([], {"task": ""}, 1008, "must provide task name"),
        (["ls"], {"task": "nope"}, 1011, "task not found"),
    ],
)
def test_refusals(
    agent: nomads.Agent,
    command: Command,
    words: list[str],
    change: dict[str, str],
    code: int | None,
    *,
    reason: str,
) -> None:
    """What cannot be run is refused with the code and the words of a real agent."""
    if agent.version < (2, 0) and reason.startswith((NOT_A_COMMAND, NOT_A_BOOLEAN)):
        # The line was read before the websocket was opened.
        code = 500
    assert refused(functools.partial(command, *words, **change)) == (code, reason)


def refused(begin: Command) -> tuple[int | None, str]:
    """Return a session's close code, or the status of an answer without one, and its words."""
    try:
        session = begin().finish()
    except InvalidStatus as error:
        return no_session(error)
    assert session.frames == []
    return session.close_code, session.reason


def no_session(error: InvalidStatus) -> tuple[int, str]:
    """Return the status and the words of an answer that opens no websocket."""
    return error.response.status_code, bytes(error.response.body or b"").decode()


def test_allocations_that_are_not_there(peer: Peer, agent: nomads.Agent, alloc: str) -> None:
    """An id that is none, an unknown one, and a task that has ended."""

    def said(where: str, **query: str) -> tuple[int | None, str]:
        return refused(functools.partial(peer.command, where, "ls", **query))

    for wrong in ("12", alloc[:8]):
        reason = "alloc lookup failed: index error: UUID must be 36 characters"
        assert said(wrong, task="") == (1011, reason)
    for unknown in ("0" * 36, alloc.upper() if alloc != alloc.upper() else "0" * 36):
        assert said(unknown, task="") == (1008, f'Unknown allocation "{unknown}"')
    (ended,) = agent.get("/v1/job/nightly/allocations")
    assert said(ended["ID"], task="once") == (1008, 'task "once" is not running.')
    assert said(ended["ID"], task="nope") == (1011, "task not found")


def test_only_a_websocket(peer: Peer, agent: nomads.Agent, alloc: str) -> None:
    """Without an upgrade it is an error, and other paths below the allocation are none."""
    no_upgrade = (500, "websocket connection not found in context")
    if agent.version < (2, 0):
        no_upgrade = (400, "Bad Request")
    for path, status, words in (
        ("/exec", *no_upgrade),
        ("", 404, "resource not found"),
        ("/exec/more", 404, "resource not found"),
    ):
        answer = peer.http.get(f"/v1/client/allocation/{alloc}{path}", params={"command": "[]"})
        # Older ones say in a second line which header was missed.
        assert (answer.status_code, answer.text.partition("\n")[0]) == (status, words)


def test_nothing_is_filled_in(peer: Peer, alloc: str) -> None:
    """The words go to the program as they are; region and namespace change nothing."""
    words = ("/bin/echo", "${NOMAD_TASK_NAME}", "a  b", "")
    session = peer.command(alloc, *words, region="mars", namespace="none", action="hello")
    session.close_stdin()
    assert session.finish().stdout == b"${NOMAD_TASK_NAME} a  b \n"


def test_a_terminal(peer: Peer, alloc: str) -> None:
    """With a tty it has a terminal, and Ctrl-C reaches it."""
    session = peer.command(alloc, "/bin/sh", "-c", "tty; exec sleep 1000", tty="true")
    session.until(b"\n")
    assert session.stdout.startswith(b"/dev/")
    session.stdin(b"\x03")
    assert session.finish().exit_code == 130


def waiting(session: Exec) -> int:
    """Return the id of the process of a session that runs `WAITING`."""
    session.until(b"\n")
    return int(session.stdout)


def place(pid: int) -> tuple[int, int, int]:
    """Return the parent, process group and session of a process, from proc(5)."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    parent, group, session = stat.rpartition(")")[2].split()[1:4]
    return int(parent), int(group), int(session)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it is about /proc")
def test_where_a_process_stands(peer: Peer, alloc: str) -> None:
    """Without a tty all share the executor's session and group; with one each leads its own.

    The task itself is in a group of its own: who signals the others' does not hit it.
    """
    sessions = [peer.command(alloc, *WAITING, tty=tty) for tty in ("false", "false", "true")]
    first, second, tty = map(waiting, sessions)
    executor = place(first)[0]
    assert executor not in (first, second)
    assert place(first) == place(second) == (executor, executor, executor)
    assert place(tty) == (executor, tty, tty)
    look = peer.command(alloc, "/bin/sh", "-c", f"cat /proc/{first}/stat /proc/$$/stat")
    look.close_stdin()
    seen = [line.rpartition(b")")[2].split()[1:4] for line in look.finish().stdout.splitlines()]
    assert seen == [[str(executor).encode()] * 3] * 2
    main = [
        child
        for child in psutil.Process(executor).children()
        if processes.title(child) == ["/bin/sleep", "100000"]
    ]
    assert main
    for child in main:
        assert place(child.pid) == (executor, child.pid, executor)
    for session in sessions:
        session.stdin(b"end\n")
        if session is not sessions[-1]:  # closing a terminal's hangs it up
            session.close_stdin()
        assert session.finish().exit_code == 0


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="it is about /proc")
def test_how_a_process_is_found_and_stopped(peer: Peer, alloc: str) -> None:
    """By the task's variables in its environment; SIGINT to it and its child brings 130."""
    action = peer.open("cache", action="forever", allocID=alloc, task="server", tty="false")
    action.until(b"tick")
    find = (
        "for one in /proc/[0-9]*; do "
        f'if tr "\\0" "\\n" <$one/environ 2>/dev/null | grep -qx NOMAD_ALLOC_ID={alloc} && '
        'tr "\\0" " " <$one/cmdline | grep -q "echo tick"; then echo "${one#/proc/}"; fi; done'
    )
    look = peer.command(alloc, "/bin/sh", "-c", find)
    look.close_stdin()
    # The shell that looks has the same words in its own command.
    found = [
        int(pid)
        for pid in look.finish().stdout.split()
        if processes.words(int(pid))[:2] == ["/bin/sh", "-c"]
    ]
    (pid,) = found
    environ = psutil.Process(pid).environ()
    assert environ["NOMAD_TASK_NAME"] == "server"
    children = " ".join(str(child.pid) for child in psutil.Process(pid).children())
    kill = peer.command(alloc, "/bin/sh", "-c", f"kill -INT {pid}; kill -INT {children}; true")
    kill.close_stdin()
    assert kill.finish().exit_code == 0
    action.close_stdin()
    assert action.finish().exit_code == 130


def test_a_signal_to_the_group_hits_all_and_not_the_executor(peer: Peer, alloc: str) -> None:
    """What must not be done: one SIGINT to the shared group ends every session's process."""
    sessions = [peer.command(alloc, *WAITING) for _ in range(2)]
    pids = list(map(waiting, sessions))
    os.killpg(os.getpgid(pids[0]), signal.SIGINT)
    for session in sessions:
        session.close_stdin()
        assert session.finish().exit_code == 130
    after = peer.command(alloc, "/bin/echo", "still here")
    after.close_stdin()
    assert after.finish().stdout == b"still here\n"


def test_rights(guarded: nomads.Agent) -> None:
    """It asks for the rights that an action asks for: no more, and no less."""
    (alloc, *_) = guarded.allocations("cache", "redis")

    def said(secret: str, where: str = alloc, **query: str) -> tuple[int | None, int | None, str]:
        with Peer(guarded.address, secret) as peer:
            try:
                session = peer.command(where, "/bin/true", **query)
            except InvalidStatus as error:
                return None, *no_session(error)
            session.close_stdin()
            session.finish()
            return session.exit_code, session.close_code, session.reason

    for name in ("everything", "exec-alone"):
        assert said(guarded.tokens[name]) == (0, None, "")
    # A token without the right is refused with another code here than at an action.
    denied = (None, 1011, "Permission denied")
    for secret in (guarded.tokens["no-alloc-exec"], guarded.tokens["no-alloc-node-exec"], ""):
        assert said(secret) == denied
    unknown = "11111111-2222-3333-4444-555555555555"
    assert said(unknown) == said(unknown, task="") == (None, 1008, "rpc error: Permission denied")
    # What is said to whom before that: words of the line to everyone, tasks to those who may exec.
    missing = "0" * 36
    for secret in (guarded.tokens["no-alloc-exec"], ""):
        assert said(secret, missing) == (None, 1008, f'Unknown allocation "{missing}"')
        assert said(secret, task="") == said(secret, command="[]") == denied
        assert said(secret, command="")[2].startswith("failed to marshal command")
    weak = guarded.tokens["no-alloc-node-exec"]
    assert said(weak, task="nope") == (None, 1011, "task not found")
