"""The line of `%nomad_actions`."""

from __future__ import annotations

import pytest

from nomad_magic.errors import FlagError, UsageError
from nomad_magic.line import listing_flags
from nomad_magic.line.flag_table import FLAGS, LISTING_FLAGS
from nomad_magic.line.flags import HelpRequested


def test_all_that_it_takes_is_read() -> None:
    """The words that narrow, and those that say which agent is asked."""
    args = listing_flags.parse(["-job=a", "--group", "b", "-task=c", "-region=r", "flush"])
    assert (args.job, args.group, args.task, args.region) == ("a", "b", "c", "r")
    assert args.action == "flush"
    assert listing_flags.parse([]).job == ""


@pytest.mark.parametrize(
    ("line", "words", "hint"),
    [
        ("-alloc=a", "%nomad_actions has no flag -alloc", "-help"),
        ("-t flush", "%nomad_actions has no flag -t", "-help"),
        ("a b", "%nomad_actions takes one action at most", "-help"),
        ("flush -job=a", "%nomad_actions takes one action at most", "Flags stand before"),
        ("job=a", "not read as it is meant", "write -job=<id>"),
        ("-job= flush", "not read as it is meant", "-job has an empty value"),
        ("-jobs=a", "flag provided but not defined: -jobs", "Did you mean -job?"),
        ("-job", "flag needs an argument: -job", "Write -job=<id>"),
    ],
)
def test_what_it_does_not_take_is_refused(line: str, words: str, hint: str) -> None:
    """With what to write instead."""
    with pytest.raises(UsageError) as caught:
        listing_flags.parse(line.split())
    assert words in caught.value.message
    assert hint in caught.value.hint
    if isinstance(caught.value, FlagError):
        assert caught.value.output.startswith("Usage: %nomad_actions")


@pytest.mark.parametrize("word", ["-h", "-help", "--help"])
def test_the_help_has_its_flags_and_no_others(word: str) -> None:
    """Each once, in 80 columns."""
    with pytest.raises(HelpRequested) as caught:
        listing_flags.parse(["-job=a", word])
    lines = caught.value.text.splitlines()
    assert max(map(len, lines)) <= 80
    for flag in FLAGS:
        heads = [line for line in lines if line.split("=")[0].strip() == f"-{flag.name}"]
        assert len(heads) == (flag in LISTING_FLAGS), flag.name
