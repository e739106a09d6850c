"""The line of `%nomad_action_all`: the CLI's flags but one, and two of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nomad_magic.errors import UsageError
from nomad_magic.line import flags, fleet_flags
from nomad_magic.line.flags import HelpRequested

if TYPE_CHECKING:
    from nomad_magic.line.fleet_flags import FleetArgs


def parsed(*argv: str) -> FleetArgs:
    return fleet_flags.parse(argv, environ={}, stdin_is_tty=False)


@pytest.mark.parametrize(
    ("argv", "parallel", "fail_fast", "rest"),
    [
        (["-job=c", "x"], 32, False, ["-job=c", "x"]),
        (["-parallel=8", "-job=c", "x"], 8, False, ["-job=c", "x"]),
        (["-job", "c", "--parallel", "1000", "x"], 1000, False, ["-job", "c", "x"]),
        (["-fail-fast", "-job=c", "x"], 32, True, ["-job=c", "x"]),
        (["-job=c", "-fail-fast=0", "x"], 32, False, ["-job=c", "x"]),
        (["-parallel=8", "-parallel=9", "-job=c", "x"], 9, False, ["-job=c", "x"]),
        # The value of another flag, and words after the action, are not ours.
        (["-job", "-fail-fast", "x"], 32, False, ["-job", "-fail-fast", "x"]),
        (["-job=c", "x", "-parallel=3"], 32, False, ["-job=c", "x", "-parallel=3"]),
        (["-job=c", "--", "-parallel"], 32, False, ["-job=c", "--", "-parallel"]),
        (["-t", "-parallel=2", "-job=c", "x"], 2, False, ["-t", "-job=c", "x"]),
    ],
)
def test_our_own_flags(argv: list[str], parallel: int, fail_fast: bool, rest: list[str]) -> None:
    """They are taken out wherever a flag may stand; what is left is the CLI's line."""
    line = parsed(*argv)
    assert (line.parallel, line.fail_fast) == (parallel, fail_fast)
    assert line.args == flags.parse(rest, environ={}, stdin_is_tty=False)
    # The line that repeats it says the same.
    word, *again = line.command_line().replace(" --", "").split()
    assert word == "%nomad_action_all"
    if "--" not in argv and not line.args.ignored:
        repeated = parsed(*again)
        assert (repeated.parallel, repeated.fail_fast) == (parallel, fail_fast)
        assert repeated.args.action == line.args.action


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-parallel=0", "-job=c", "x"], "from 1 to 1000"),
        (["-parallel=-1", "-job=c", "x"], "from 1 to 1000"),
        (["-parallel=1e9", "-job=c", "x"], "from 1 to 1000"),
        (["-parallel=٣", "-job=c", "x"], "from 1 to 1000"),
        (["-parallel=99999999999999999999", "-job=c", "x"], "from 1 to 1000"),
        (["-job=c", "-parallel"], "flag needs an argument: -parallel"),
        (["-fail-fast=maybe", "-job=c", "x"], 'invalid boolean value "maybe" for -fail-fast'),
        (["-alloc=8b5c", "-job=c", "x"], "-alloc names one allocation"),
        (["-nope", "-job=c", "x"], "flag provided but not defined: -nope"),
        (["x"], "A job ID is required"),
        (["-job=c"], "An action name is required"),
    ],
)
def test_what_is_refused(argv: list[str], said: str) -> None:
    """By name, before anything is asked; the CLI's own refusals in its words."""
    with pytest.raises(UsageError, match=said):
        parsed(*argv)


@pytest.mark.parametrize("word", ["-h", "-help", "--help"])
def test_help(word: str) -> None:
    """It has the flags of both, without the one that does not go here."""
    with pytest.raises(HelpRequested) as caught:
        parsed("-parallel=3", word)
    text = caught.value.text
    assert "-parallel=<n>" in text
    assert "-fail-fast" in text
    assert "-namespace=<name>" in text
    assert "-alloc" not in text.replace("but -alloc", "")
    assert max(map(len, text.splitlines())) <= 80
