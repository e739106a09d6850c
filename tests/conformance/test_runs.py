"""Runs of actions: what the real CLI did, `%nomad_action` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nomad_magic.errors import NomadMagicError, SessionRefused

if TYPE_CHECKING:
    from support.cells import Ran, Shell
    from support.nomads import Agent

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "cli" / "runs.json").read_text()
)
SERVER = "-job=cache -group=redis -task=server"

pytestmark = pytest.mark.usefixtures("agent")


def filled(text: str, agent: Agent) -> str:
    """Put the allocations' ids where a recording names them."""
    for group in ("single", "redis"):
        allocation = agent.allocations("cache", group)[0]
        text = text.replace(f"<{group}-alloc-8>", allocation[:8])
        text = text.replace(f"<{group}-alloc>", allocation)
        text = text.replace(f"<{group.upper()}-ALLOC>", allocation.upper())
    return text


def check(ran: Ran, case: dict[str, Any], agent: Agent) -> None:
    """Hold what a cell did against what the CLI did."""
    assert ran.exit_code == case["exit_code"], (ran.error, ran)
    result = None if ran.error is None else ran.error.result  # type: ignore[attr-defined]
    if ran.error is None or (result is not None and result.exit_code is not None):
        assert ran.stdout.decode() == case["stdout"]
        assert ran.cli_stderr.decode() == case["stderr"]
    else:
        words = filled(case["stderr"], agent).rstrip("\n")
        assert str(ran.error).startswith(words)


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: " ".join(case["argv"]))
def test_a_recorded_run_ends_in_the_same_way(
    case: dict[str, Any], agent: Agent, shell: Shell
) -> None:
    """The exit code, the bytes of a success and the words of a failure are the CLI's."""
    line = " ".join(filled(word, agent) for word in case["argv"])
    check(shell.magic(line, case["stdin"] or None), case, agent)


# Measured on a real CLI of version 2.0.6 against these jobs.
MORE: list[dict[str, Any]] = [
    {"line": f"{SERVER} killed", "exit_code": 137},
    {"line": f"{SERVER} nosuch", "exit_code": 1,
     "stderr": "failed to exec into task: action nosuch not found in task server"},
    {"line": "-job=cache-two -group=g -task=main hello", "exit_code": 0, "stdout": "main\n"},
    {"line": "-job=cache-two -group=g -task=pre hello", "exit_code": 1,
     "stderr": 'failed to exec into task: task "pre" is not running.'},
    {"line": "-job=cache -group=single -task=only hello", "exit_code": 0, "stdout": "from only\n"},
    {"line": "-job=cache -group=nogroup -task=server hello", "exit_code": 1,
     "stderr": 'Error fetching allocations: task group "nogroup" doesn\'t exist or it has no '
               "allocations"},
    {"line": "-job=c -group=redis -task=server hello", "exit_code": 1,
     "stderr": 'Prefix "c" matched multiple jobs\n\nID         Type     Priority  Status   '
               "Submit Date\ncache      service  50        running  "},
    {"line": "-job=cache -alloc=zz hello", "exit_code": 1,
     "stderr": "Error querying allocation: Unexpected response code: 500 (alloc lookup failed: "
               "index error: Invalid UUID: encoding/hex: invalid byte: U+007A 'z')"},
    {"line": "-job=cache -alloc=<single-alloc> -task=only hello", "exit_code": 0,
     "stdout": "from only\n"},
    {"line": "-job=cache -alloc=<single-alloc> -task=server hello", "exit_code": 1,
     "stderr": "Could not find task named: server, found:\nonly"},
    {"line": "-job=cache -alloc=<single-alloc-8>0 hello", "exit_code": 0,
     "stdout": "from only\n"},
    {"line": "-job=cache -alloc=<redis-alloc> -task=sidecar hello", "exit_code": 0,
     "stdout": "from sidecar\n"},
    {"line": "-namespace=default " + SERVER + " hello", "exit_code": 0, "stdout": "hello\n",
     "stderr": "oops\n"},
    {"line": "-namespace=* " + SERVER + " hello", "exit_code": 0, "stdout": "hello\n",
     "stderr": "oops\n"},
    {"line": "-region global -no-color --job cache --group redis --task server --i=false cat",
     "body": "not read\n", "exit_code": 0, "stdout": ""},
    {"line": f"{SERVER} wc", "body": "x" * 300_000, "exit_code": 0, "stdout": "300000\n"},
    {"line": f"{SERVER} cat", "body": "é\x00\x01~.\r\n~.\n", "exit_code": 0,
     "stdout": "é\x00\x01~.\r\n~.\n"},
    {"line": f"{SERVER} lines", "exit_code": 0,
     "stdout": "".join(f"{number}\n" for number in range(1, 200_001))},
    {"line": f"{SERVER} -- hello", "exit_code": 0, "stdout": "hello\n", "stderr": "oops\n"},
    {"line": f"{SERVER} progress", "exit_code": 0, "stdout": "\r1/5\r2/5\r3/5\r4/5\r5/5\n"},
]  # fmt: skip


@pytest.mark.parametrize("case", MORE, ids=lambda case: case["line"])
def test_a_further_run_ends_in_the_same_way(
    case: dict[str, Any], agent: Agent, shell: Shell
) -> None:
    """The same for cases beyond the recordings."""
    case = {"stdout": "", "stderr": "", **case}
    check(shell.magic(filled(case["line"], agent), case.get("body")), case, agent)


@pytest.mark.parametrize(
    "line",
    [
        "-job=cache -group=redis -task=sidecar fail",
        "-job=cache -group=single -task=only fail",
        "-job=cache -alloc=<redis-alloc> fail",
        "-job=cache -alloc=<single-alloc> -task=server fail",
    ],
)
def test_an_action_that_is_elsewhere(line: str, agent: Agent, shell: Shell) -> None:
    """The error says in which group and task it is."""
    ran = shell.magic(filled(line, agent))
    assert isinstance(ran.error, NomadMagicError)
    assert "There is an action fail in -group=redis -task=server." in ran.error.hint


def test_no_running_allocation(shell: Shell) -> None:
    """A notice says so before the CLI's own error, with the states of those there are."""
    ran = shell.magic("-job=nightly -group=work -task=once hello")
    assert isinstance(ran.error, SessionRefused)
    assert 'task "once" is not running.' in ran.error.message
    assert ran.error.hint.endswith("is complete.")
    assert ran.error.result is not None
    notice = "No allocation of group work is running (1 complete); one of them is tried."
    assert notice in ran.error.result.notices


def test_a_prefix_of_a_job_is_resolved(shell: Shell) -> None:
    """`-job` may be the beginning of an id: the id is what is sent, better than the CLI."""
    ran = shell.magic("-job=nightl -group=work -task=once hello")
    assert str(ran.error).startswith('failed to exec into task: task "once" is not running.')
    ran = shell.magic("-job=cache-t -group=g -task=main hello")
    assert (ran.error, ran.stdout) == (None, b"main\n")


def test_bytes_that_are_no_text_come_through(shell: Shell) -> None:
    """Binary output reaches stdout unchanged, and the result holds the same bytes."""
    ran = shell.magic(f"{SERVER} binary")
    assert len(ran.stdout) == 4096
    assert ran.value.stdout_bytes == ran.stdout


def test_a_process_that_floods_before_it_reads_gets_its_stdin(shell: Shell) -> None:
    """Stdin and output flow at the same time: a large body through `cat` does not deadlock."""
    body = "".join(f"line {number}\n" for number in range(150_000))
    ran = shell.magic(f"{SERVER} cat", body)
    assert ran.error is None
    assert ran.stdout.decode() == body


def test_fifty_megabytes_are_whole(shell: Shell) -> None:
    """A flood arrives to the byte, and the result's hash is that of what came."""
    ran = shell.magic(f"{SERVER} flood")
    lines, rest = divmod(52_428_800, 99)
    expected = (b"x" * 99 + b"\n") * lines + b"x" * rest
    assert ran.error is None
    assert len(ran.stdout) == len(expected)
    assert ran.stdout == expected, ran.stdout.replace(b"x" * 99 + b"\n", b"")[:2000]
    assert ran.value.transcript.count("stdout") == len(expected)


def test_a_typed_body_ends_readers_of_the_terminal(shell: Shell) -> None:
    """With a body and -t the body is typed, and Ctrl-D ends whoever reads it."""
    ran = shell.magic(f"{SERVER} -t cat", "one\ntwo")
    assert ran.error is None
    assert ran.value.lines == ["one", "two", "onetwo"] or ran.value.text.endswith("two")
    assert ran.value.stdout.count("one\n") == 2


def test_an_empty_body_is_ipythons_own_error(shell: Shell) -> None:
    """IPython refuses a cell magic with nothing below it, and says so."""
    ran = shell.magic(f"{SERVER} cat", "")
    assert "cell body is empty" in str(ran.error)


def test_a_terminal_is_a_terminal_of_the_right_size(shell: Shell) -> None:
    """With -t stdin and stdout are a pty that is told its size.

    The real agent starts the process before it reads the size, and in about 6 of 1000 such
    short runs it drops the connection without an exit frame (measured with its own CLI under
    load): what holds in one of a few tries holds.
    """
    seen = []
    for _ in range(8):
        ran = shell.magic(f"{SERVER} -t ttycheck")
        seen.append(ran.stdout.decode())
        if ran.error is None and "24 80" in seen[-1]:
            break
    assert seen[-1] == "in\r\nout\r\n24 80\r\nTERM=xterm\r\n", seen
