"""Tokens of different rights: what each is answered, and what the error tells its owner."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from support.cells import environment

from nomad_magic.errors import NomadMagicError, SessionRefused, UnexpectedAnswer

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
