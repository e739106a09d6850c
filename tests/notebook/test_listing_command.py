"""`%nomad_actions` in a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.cells import Shell

from nomad_magic.errors import UsageError

if TYPE_CHECKING:
    from support.nomads import Agent


def test_one_action_is_put_into_the_next_cell(shell: Shell, named_agent: Agent) -> None:  # noqa: ARG001 - it is named
    """Its line, and it runs as it stands there."""
    ran = shell.run("r = %nomad_actions -job=cache -task=sidecar hello")
    assert ran.error is None
    line = shell.ipython.rl_next_input
    assert line == "%nomad_action -job=cache -group=redis -task=sidecar hello"
    assert shell.run(line).stdout == b"from sidecar\n"


@pytest.mark.parametrize("line", ["-job=cache hello", "-job=cache", "-job=cache -task=only"])
def test_several_are_not(shell: Shell, named_agent: Agent, line: str) -> None:  # noqa: ARG001 - it is named
    """Nor one that was not named: the list has the lines."""
    shell.ipython.set_next_input("", replace=True)
    ran = shell.run(f"r = %nomad_actions {line}")
    assert ran.error is None
    assert not shell.ipython.rl_next_input


def test_the_value_is_shown_as_text_and_html(shell: Shell, named_agent: Agent) -> None:  # noqa: ARG001 - it is named
    """Once, by the front end's own choice."""
    value = shell.magic("-job=cache -group=single", name="nomad_actions").value
    data, _ = shell.ipython.display_formatter.format(value)
    assert data["text/plain"] == value.text()
    assert data["text/html"] == value.html()


def test_there_is_no_background(shell: Shell) -> None:
    """A list is there at once."""
    error = shell.run("%nomad_actions -job=cache &").error
    assert isinstance(error, UsageError)
    assert "leave out the &" in str(error)


def test_unloading_leaves_no_magic_behind() -> None:
    """Every one of ours goes, whatever it is called."""
    shell = Shell()
    magics = shell.ipython.magics_manager.magics
    before = len(shell.ipython.Completer.custom_matchers)
    loaded = [name for kind in magics.values() for name in kind if name.startswith("nomad")]
    assert "nomad_actions" in loaded
    assert "nomad_action_all" in loaded
    shell.close()
    assert not [name for kind in magics.values() for name in kind if name.startswith("nomad")]
    assert len(shell.ipython.Completer.custom_matchers) == before - 1
