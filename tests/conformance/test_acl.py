"""Tokens of different rights: what each is answered, and what the error tells its owner."""

from __future__ import annotations

import os
import signal
import uuid
from typing import TYPE_CHECKING

import pytest
from support import processes
from support.cells import environment
from support.nomads import until
from support.recorder import recorder

import nomad_magic
from nomad_magic.errors import NomadMagicError, SessionRefused, UnexpectedAnswer
from nomad_magic.record.facts import Rung

if TYPE_CHECKING:
    from support import nomads
    from support.cells import Shell

ALLOCATIONS = (
    'Error fetching allocations: error querying job "cache": '
    "Unexpected response code: 403 (Permission denied)"
)
EXEC = "failed to exec into task: Permission denied"


def run(shell: Shell, agent: nomads.Agent, token: str, words: str = "") -> NomadMagicError | None:
    """Run an action with a token; give the error of the cell."""
    line = f"%nomad_action {words or '-job=cache'} -group=redis -task=server hello"
    with environment({"NOMAD_ADDR": agent.address, "NOMAD_TOKEN": token}):
        ran = shell.run(line)
    assert ran.exit_code == (0 if ran.error is None else 1)
    assert ran.error is None or isinstance(ran.error, NomadMagicError)
    return ran.error


@pytest.mark.parametrize("name", ["everything", "no-list-jobs"])
def test_a_token_that_may(shell: Shell, guarded: nomads.Agent, name: str) -> None:
    """Without list-jobs the job's word is taken as its id, as in the CLI."""
    assert run(shell, guarded, guarded.tokens[name]) is None


@pytest.mark.parametrize("name", ["no-read-job", "unknown", "malformed", "none"])
def test_a_token_that_may_not_look(shell: Shell, guarded: nomads.Agent, name: str) -> None:
    """The allocations are refused; the hint names the capability."""
    others = {"unknown": str(uuid.uuid4()), "malformed": "x", "none": ""}
    error = run(shell, guarded, others.get(name) or guarded.tokens.get(name, ""))
    assert isinstance(error, UnexpectedAnswer)
    assert error.message == ALLOCATIONS
    assert "read-job in the namespace default" in error.hint


@pytest.mark.parametrize("name", ["no-alloc-exec", "no-alloc-node-exec"])
def test_a_token_that_may_not_run(shell: Shell, guarded: nomads.Agent, name: str) -> None:
    """The agent says the same for both; the hint names both, and what else it may be."""
    error = run(shell, guarded, guarded.tokens[name])
    assert isinstance(error, SessionRefused)
    assert error.message == EXEC
    assert "alloc-exec and alloc-node-exec" in error.hint
    assert "raw_exec" in error.hint
    assert "disable_remote_exec" in error.hint


def test_an_allocation_that_may_not_be_read(shell: Shell, guarded: nomads.Agent) -> None:
    """With `-alloc` the first question is another one."""
    (allocation, *_) = guarded.allocations("cache", "redis")
    error = run(shell, guarded, guarded.tokens["no-read-job"], f"-job=cache -alloc={allocation}")
    assert error is not None
    assert (
        error.message
        == "Error querying allocation: Unexpected response code: 403 (Permission denied)"
    )
    assert "read-job" in error.hint


@pytest.mark.parametrize("when", ["at the first rung", "at the second", "at the end"])
def test_a_token_that_loses_its_right_in_mid_run(guarded: nomads.Agent, when: str) -> None:
    """It is said what is missing, nothing is signalled, and nothing is said of the process."""
    before = processes.running("/bin/sleep", "12345").keys()

    def quiet() -> set[int]:
        return processes.running("/bin/sleep", "12345").keys() - before

    with recorder(guarded.address.removeprefix("http://")) as between:
        environ = {
            "NOMAD_ADDR": f"http://{between.own}",
            "NOMAD_TOKEN": guarded.tokens["everything"],
        }
        session = nomad_magic.start(
            "-job=cache -group=redis -task=server -t=false quiet", env=environ
        )
        until(lambda: len(quiet()) == 1, seconds=20, what="its process")
        (pid,) = quiet()
        if when == "at the second":
            assert session.look() is not None
        between.instead = {guarded.tokens["everything"]: guarded.tokens["no-alloc-exec"]}
        if when == "at the end":
            # The process is there a moment before the answer that opens the session.
            until(lambda: session.opened, seconds=10, what="the session")
            session.disconnect()
            words = session.wait(10).state
        else:
            session.stop()
            until(lambda: bool(session.result.deeds), seconds=10, what="what came of it")
            words = session.result.deeds[0].words
            assert words.startswith("SIGINT was not sent: the token may not exec in this task")
            until(lambda: session.next_stop is Rung.DISCONNECT, seconds=5, what="the last rung")
        assert "alloc-exec" in words
        assert quiet() == {pid}
        os.kill(pid, signal.SIGKILL)
        session.wait(10)
