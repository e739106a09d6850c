"""The exec websocket, as a real agent was seen to behave."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from support.agent_client import Peer, alive, eventually, processes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent_client import Exec

    from nomad_magic.agent import EmbeddedAgent

    Run = Callable[..., Exec]

ODD = "we/ird+%41+jób"


def test_streams_apart_and_a_zero_left_out(run: Run) -> None:
    """Without a tty: both streams, both closed, and no exit code when it is 0."""
    session = run("hello")
    session.close_stdin()
    session.finish()
    assert (session.stdout, session.stderr) == (b"hello\n", b"oops\n")
    assert sorted(session.closed) == ["stderr", "stdout"]
    assert session.frames[-1] == {"exited": True, "result": {}}
    assert session.close_code is None


def test_exit_code(run: Run) -> None:
    """A non-zero exit code is in the exit frame."""
    session = run("fail")
    session.close_stdin()
    assert session.finish().exit_code == 3
    assert session.stderr == b"bad\n"


@pytest.mark.parametrize("tty", [False, True])
def test_signal_death(run: Run, tty: bool) -> None:
    """A death by signal is 128 + its number."""
    session = run("killed", tty=tty)
    session.close_stdin()
    assert session.finish().exit_code == 137


def test_stdin(run: Run) -> None:
    """Stdin reaches the process, binary as it is; its end ends a reader."""
    session = run("cat")
    session.stdin(bytes(range(256)))
    session.send({})
    session.send({"stdin": {"data": "YQ==", "more": 1}, "unknown": [1]})
    session.connection.send(b'{"stdin":{"close":true}}')
    session.finish()
    assert session.stdout == bytes(range(256)) + b"a"
    assert session.exit_code == 0


def test_exit_waits_for_stdin(run: Run) -> None:
    """Without a tty no exit frame comes before stdin is closed, or a write to it fails."""
    session = run("hello")
    session.until(b"hello\n")
    session.until(b"oops\n", "stderr")
    with pytest.raises(TimeoutError):
        session.receive(seconds=0.3)
    session.stdin(b"nobody reads this")
    assert session.finish().exit_code == 0


def test_exit_waits_for_the_pipes(run: Run) -> None:
    """A child in the background that holds the pipe holds back the exit frame."""
    session = run("background", job=ODD, group="g")
    session.close_stdin()
    session.finish()
    assert session.stdout == b"now\nlate\n"


def test_frames_are_small(run: Run) -> None:
    """No frame holds more than 4,096 bytes, and nothing is lost between them."""
    session = run("both", job=ODD, group="g")
    session.close_stdin()
    session.finish()
    assert len(session.stdout) == len(session.stderr) == 300000
    sizes = [
        len(frame[name].get("data", ""))
        for frame in session.frames
        for name in frame
        if name in session.streams
    ]
    assert max(sizes) == 5464


def test_tty(run: Run) -> None:
    """With a tty all is stdout, on a terminal of the size that was sent, named xterm."""
    session = run("ttycheck", tty=True)
    session.size(33, 101)
    session.finish()
    # The size may come too late for the action: then it is the kernel's 0 0.
    assert session.stdout in (
        b"in\r\nout\r\n33 101\r\nTERM=xterm\r\n",
        b"in\r\nout\r\n0 0\r\nTERM=xterm\r\n",
    )
    assert session.closed == ["stdout"]
    assert session.exit_code == 0


def test_tty_resize(run: Run) -> None:
    """A size sent later is the terminal's size from then on."""
    session = run("sizes", job=ODD, group="g", tty=True)
    session.size(24, 80)
    session.size(50, 132)
    session.stdin(b"\n")
    session.finish()
    assert session.stdout.endswith(b"50 132\r\n")


def test_ctrl_c(run: Run) -> None:
    """Ctrl-C interrupts the foreground group: exit 130."""
    session = run("forever", tty=True)
    session.until(b"tick 1")
    session.stdin(b"\x03")
    session.finish()
    assert b"^C" in session.stdout
    assert session.exit_code == 130


def test_ctrl_backslash(run: Run) -> None:
    """A process that ignores Ctrl-C is ended by Ctrl-backslash: exit 131."""
    session = run("stubborn", job=ODD, group="g", tty=True)
    session.until(b"ready")
    session.stdin(b"\x03")
    session.until(b"^C")
    session.stdin(b"\x1c")
    assert session.finish().exit_code == 131


def test_ctrl_d(run: Run) -> None:
    """Ctrl-D at the start of a line ends a reader."""
    session = run("cat", tty=True)
    session.stdin(b"abc\n\x04")
    session.finish()
    assert session.stdout == b"abc\r\nabc\r\n"
    assert session.exit_code == 0


def test_tty_stdin_close_hangs_up_at_the_next_output(run: Run) -> None:
    """Closing stdin of a tty does nothing to a silent process, and SIGHUP to one that writes."""
    session = run("ignore-hangup", job=ODD, group="g", tty=True)
    session.until(b"\n")
    session.close_stdin()
    with pytest.raises(TimeoutError):
        session.receive(seconds=0.3)
    session = run("forever", tty=True)
    session.close_stdin()
    session.finish()
    assert session.exit_code == 129
    assert session.closed == []


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("politely", [False, True])
def test_silent_process_outlives_its_client(run: Run, tty: bool, politely: bool) -> None:
    """A silent process runs on when its client goes, with a close frame or without."""
    session = run("pid", job=ODD, group="g", tty=tty)
    session.until(b"\n")
    pid = int(session.stdout)
    if politely:
        session.connection.close()
    else:
        session.abort()
    # Whatever the agent does about it, it has had its turn by the end of another session.
    other = run("hello")
    other.close_stdin()
    assert other.finish().exit_code == 0
    assert alive(pid)
    psutil.Process(pid).kill()
    eventually(lambda: not alive(pid))


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("politely", [False, True])
def test_writing_process_dies_with_its_client(run: Run, tty: bool, politely: bool) -> None:
    """A process that writes dies at its next write after its client has gone."""
    session = run("chatter", job=ODD, group="g", tty=tty)
    session.until(b"x")
    pid = int(session.stdout.split()[0])
    if politely:
        session.connection.close()
    else:
        session.abort()
    eventually(lambda: not alive(pid))


def test_close_is_not_answered_with_the_end(run: Run) -> None:
    """A close handshake on a silent session waits out the client's whole close timeout."""
    session = run("quiet")
    begun = time.monotonic()
    session.connection.close()
    # Never earlier, however quick the machine is.
    assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"action": "nope"}, 1008, "action nope not found in task server"),
        ({"action": "näme x"}, 1008, "action näme x not found in task server"),
        ({"task": "nope"}, 1008, "task nope not found in allocation {alloc}"),
        ({"task": ""}, 1008, "must provide task name"),
        ({"action": ""}, 1008, "command is not present"),
        ({"allocID": ""}, 1008, "missing AllocID"),
        ({"allocID": "12"}, 1011, "alloc lookup failed: index error: UUID must be 36 characters"),
        ({"allocID": "0" * 36}, 1008, 'Unknown allocation "' + "0" * 36 + '"'),
        (
            {"tty": "maybe"},
            1011,
            'tty value is not a boolean: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            {"action": "missing-binary"},
            1011,
            (
                "rpc error: code = Unknown desc = failed to start command: "
                "fork/exec /nonexistent: no such file or directory"
            ),
        ),
        ({"action": "a" * 200}, None, ""),
    ],
)
def test_refusals(peer: Peer, change: dict[str, str], code: int | None, reason: str) -> None:
    """What cannot be run is a close frame in the real agent's words; too long, and it is none."""
    alloc = peer.allocation("cache", "redis")["ID"]
    query = {"action": "hello", "allocID": alloc, "task": "server", "tty": "false", **change}
    session = peer.open("cache", **query).finish()
    assert session.frames == []
    assert (session.close_code, session.reason) == (code, reason.format(alloc=alloc))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("bare-missing", 'exec: "no-such-command-here": executable file not found in $PATH'),
        ("directory", "fork/exec /tmp: permission denied"),
    ],
)
@pytest.mark.parametrize("tty", [False, True])
def test_start_failures(run: Run, action: str, words: str, tty: bool) -> None:
    """A command that cannot be started is reported in the executor's words."""
    session = run(action, job=ODD, group="g", tty=tty).finish()
    assert session.close_code == 1011
    assert session.reason.endswith(f"failed to start command: {words}")


def test_wrong_job_and_dead_tasks(run: Run, peer: Peer) -> None:
    """The allocation must be of the job, and its task must be running."""
    alloc = peer.allocation("cache", "redis")["ID"]
    session = run("hello", job="nightly", group="work", allocID=alloc).finish()
    assert session.reason == f"job nightly does not have allocation {alloc}"
    session = run("hello", job="nightly", group="work", task="once").finish()
    assert (session.close_code, session.reason) == (1008, 'task "once" is not running.')
    session = run("hello", job="cache-two", group="g", task="pre").finish()
    assert session.reason == 'task "pre" is not running.'


def test_group_is_ignored(run: Run) -> None:
    """The group in the query means nothing."""
    session = run("hello", task="sidecar")
    session.close_stdin()
    assert session.finish().stdout == b"from sidecar\n"


def test_bad_frame(run: Run) -> None:
    """After what is not a frame nothing is read any more; the end of the process says why."""
    session = run("hello")
    session.connection.send("x")
    session.finish()
    assert session.close_code == 1011
    assert session.exit_code is None


def test_environment(run: Run, agent: EmbeddedAgent) -> None:
    """An action sees its task's environment, and neither the agent's token nor its address."""
    session = run("env", job=ODD, group="g")
    session.close_stdin()
    lines = session.finish().stdout.decode().splitlines()
    seen = dict(line.partition("=")[::2] for line in lines)
    assert seen["NOMAD_ALLOC_NAME"] == f"{ODD}.g[0]"
    assert seen["NOMAD_JOB_ID"] == ODD
    assert seen["NOMAD_JOB_NAME"] == "odd"
    assert seen["NOMAD_META_x"] == seen["NOMAD_META_X"] == "from job"
    assert seen["NOMAD_META_a_b"] == "dash"
    assert seen["NOMAD_META_g"] == "from group"
    assert seen["GREETING"] == "hi 0 ${unknown}"
    assert seen["PATH_TOO"] == "server"
    assert seen["TERM"] == "xterm"
    assert seen["NOMAD_TASK_DIR"].endswith("/server/local")
    assert "NOMAD_TOKEN" not in seen
    assert "NOMAD_ADDR" not in seen
    assert agent.token not in "".join(lines)


def test_working_directory(run: Run) -> None:
    """An action stands in its task's directory, which has Nomad's layout."""
    session = run("where", job=ODD, group="g")
    session.close_stdin()
    lines = session.finish().stdout.decode().splitlines()
    assert lines[0].endswith("/server")
    assert lines[1:] == ["local", "secrets", "tmp", "data", "logs", "tmp", "writable"]


def test_bare_command_and_no_interpolation(run: Run) -> None:
    """A bare name is found in the PATH; `${…}` in an action's words is left as it is."""
    session = run("bare", job=ODD, group="g")
    session.close_stdin()
    assert session.finish().stdout == b"found\n"
    session = run("interp")
    session.close_stdin()
    expected = b"spaced ${NOMAD_TASK_NAME} ${NOMAD_ALLOC_INDEX} ${NOMAD_META_x}\n"
    assert session.finish().stdout == expected


def test_slow_client_holds_the_process_back(run: Run, agent: EmbeddedAgent) -> None:
    """A client that does not read stops the flood: memory stays, and nothing is lost."""
    session = run("flood", job=ODD, group="g")
    session.close_stdin()
    session.receive()
    server = processes_of(agent)[-1]
    head = eventually(lambda: [p for p in server.children(recursive=True) if p.name() == "head"])

    # It stands still once every buffer on the way is full.
    def standing() -> bool:
        before = server.cpu_times()[:2]
        # That nothing is done can only be seen over a time.
        time.sleep(0.1)
        return server.cpu_times()[:2] == before

    eventually(standing)
    assert head[0].is_running()
    assert server.memory_info().rss < 150_000_000
    session.finish()
    assert len(session.stdout) == 60_000_000


def test_stdin_during_a_flood(run: Run) -> None:
    """Input and output do not wait for each other."""
    session = run("echo-flood", job=ODD, group="g")
    block = os.urandom(2048)
    for _ in range(200):
        session.stdin(block)
    session.close_stdin()
    session.finish()
    assert session.exit_code == 0
    assert session.stdout == block * 200
    assert len(session.stderr) == 8_000_000


def test_many_at_once(run: Run) -> None:
    """Sessions do not wait for each other."""
    sessions = [run("utf8", tty=bool(number % 2)) for number in range(20)]
    for session in sessions:
        session.close_stdin()
    for number, session in enumerate(sessions):
        session.finish()
        if number % 2 == 0:
            assert session.stdout.decode() == "été 🚀\n"
