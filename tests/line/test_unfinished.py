"""What stands at the cursor of a line that is still being typed, and what the line says already."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nomad_magic.line import offers, shellwords, unfinished
from nomad_magic.line.grammar import GRAMMARS
from nomad_magic.line.unfinished import Place

VARIABLES = {"job": "cache", "prefix": "ca", "HOME": "/home/me"}


def read(line: str, name: str = "nomad_action") -> unfinished.Unfinished:
    """Read a line in which ^ is the cursor; without one that is at the end."""
    before, _, after = line.partition("^")
    return unfinished.read(before, after, GRAMMARS[name], VARIABLES.__getitem__)


# The line, the place, what was typed of it, what is replaced.
CASES = [
    ("", Place.WORD, "", ""),
    ("-", Place.FLAG, "-", "-"),
    ("--jo", Place.FLAG, "--jo", "--jo"),
    ("-job=", Place.VALUE, "", ""),
    ("-job=ca", Place.VALUE, "ca", "ca"),
    ("--job=ca", Place.VALUE, "ca", "ca"),
    ("-job ca", Place.VALUE, "ca", "ca"),
    ("-job ", Place.VALUE, "", ""),
    ("-job -gr", Place.VALUE, "-gr", "-gr"),
    ("-job=x ca", Place.WORD, "ca", "ca"),
    ("-t he", Place.WORD, "he", "he"),
    ("-t=", Place.VALUE, "", ""),
    ("-job='a b", Place.VALUE, "a b", "'a b"),
    ('-job="a b', Place.VALUE, "a b", '"a b'),
    ('"-job=a b', Place.VALUE, "a b", '"-job=a b'),
    ("-j'ob=a b", Place.VALUE, "a b", "-j'ob=a b"),
    ("-job=a\\ b", Place.VALUE, "a b", "a\\ b"),
    ("-job=a\\", Place.VALUE, "a", "a\\"),
    ("-job=ca^che -group=x", Place.VALUE, "ca", "ca"),
    ("-job=$prefix-", Place.VALUE, "ca-", "$prefix-"),
    ("-job={nope}x", Place.NOTHING, "\0x", "{nope}x"),
    ("-job=$pre", Place.PYTHON, "pre", "pre"),
    ("-job={pre", Place.PYTHON, "pre", "pre"),
    ("-job={x.pre", Place.NOTHING, "", ""),
    ("-nope=", Place.NOTHING, "-nope=", "-nope="),
    ("-- -job", Place.WORD, "-job", "-job"),
    ("hello x", Place.NOTHING, "x", "x"),
    ("-job=x | ", Place.NOTHING, "", " -job=x | "),
]  # fmt: skip


@pytest.mark.parametrize(("line", "place", "typed", "replaced"), CASES)
def test_the_place_of_the_cursor(line: str, place: Place, typed: str, replaced: str) -> None:
    """What is to be typed, what of it was, and where that begins."""
    found = read(" " + line)
    assert (found.place, found.typed) == (place, typed)
    assert (" " + line.partition("^")[0])[found.start :] == replaced


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("-job=a -group b --task=c ", {"job": "a", "group": "b", "task": "c"}),
        ("-job=a -job=b ", {"job": "b"}),
        ("-job=$job ", {"job": "cache"}),
        ("-job={job}-two ", {"job": "cache-two"}),
        ("-job={nope} -t ", {"t": "true"}),
        ("-job=^ -group=b -task c flush", {"group": "b", "task": "c"}),
        ("-gr^oup=a -job=b", {"job": "b"}),
        ("-group=^'x y' -job=b", {"job": "b"}),
        ("-job=a hello -group=b ", {"job": "a"}),
        ("-insecure ", {"tls-skip-verify": "true"}),
    ],
)
def test_what_the_line_says(line: str, given: dict[str, str]) -> None:
    """By Go's rules, before the cursor and behind it."""
    assert dict(read(line).given) == given


def test_an_action_behind_the_cursor_narrows() -> None:
    """`-group` is completed in the middle of a line that is whole otherwise."""
    assert read("-job=a -group=^ flush").word == "flush"


@pytest.mark.parametrize(
    ("name", "line", "texts"),
    [
        ("nomad", "", ["job action", "action"]),
        ("nomad", "job ", ["action"]),
        ("nomad", "job x ", []),
        ("nomad", "job action -al", ["-alloc="]),
        ("nomad", "action --al", ["--alloc="]),
        ("nomad_agent", "st", ["start", "stop", "status"]),
        ("nomad_agent", "stop ", []),
        ("nomad_agent", "start -", ["-var=", "-var-file=", "-lenient"]),
        ("nomad_agent", "start x.hcl -v", ["-var=", "-var-file="]),
        ("nomad_action_all", "-al", []),
        ("nomad_action_all", "-p", ["-parallel="]),
        ("nomad_actions", "-t", ["-task=", "-token=", "-tls-server-name=", "-tls-skip-verify"]),
        ("nomad_action", "-t=", ["true", "false"]),
        ("nomad_action", "-i", ["-i=false", "-insecure"]),
        ("nomad_action", "-job=a -j", ["-job="]),
        ("nomad_action", "-e=", ["none"]),
        ("nomad_action", "-token=", []),
    ],
)
def test_what_the_line_alone_tells(name: str, line: str, texts: list[str]) -> None:
    """Commands, flags, on and off."""
    assert [offer.text for offer in offers.of_line(read(line, name))] == texts


def test_what_the_line_needs_comes_first() -> None:
    """And what it has does not come again."""
    texts = [offer.text for offer in offers.of_line(read("-job=a "))]
    assert texts[:2] == ["-group=", "-task="]
    assert "-job=" not in texts
    with_allocation = read("-job=a -alloc=b ")
    assert not offers.missing(with_allocation)


@pytest.mark.parametrize(
    ("name", "line", "named"),
    [
        ("nomad_agent", "start ", True),
        ("nomad_agent", "start -var-file=", True),
        ("nomad_agent", "start -var=", False),
        ("nomad_agent", "stop ", False),
        ("nomad_runs", "", True),
        ("nomad_runs", "logs ", False),
        ("nomad_action", "", False),
        ("nomad_action", "-ca-cert ", True),
        ("nomad_action", "-ca-path=", True),
    ],
)
def test_where_the_name_of_a_file_belongs(name: str, line: str, named: bool) -> None:
    """To flags of files and folders, to an agent's job files, to the folder of a log."""
    assert offers.names_a_file(read(line, name)) is named


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_flag_says_what_it_does(name: str) -> None:
    """In a sentence that fits beside it."""
    for option in GRAMMARS[name].options:
        assert option.help
        assert not option.help.endswith(".")


PIECES = st.sampled_from(
    [*"ab-= '\"\\$~#{}[]|&%", "-job=", "-t", "$job", "{job}", "action ", "job ", "start ", "\\\n"]
)
LINES = st.lists(PIECES, max_size=12).map("".join)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@settings(deadline=None)
@given(LINES, LINES, st.sampled_from(sorted(GRAMMARS)))
@example("]", "", "nomad_action")
def test_no_line_is_too_odd_to_be_read(before: str, after: str, name: str) -> None:
    """Whatever stands there: what is replaced ends at the cursor, and offers can be asked for."""
    line = unfinished.read(before, after, GRAMMARS[name], VARIABLES.__getitem__)
    assert 0 <= line.start <= len(before)
    for offer in offers.of_line(line):
        assert offer.text.startswith(line.typed)
    assert {offers.asks(line), offers.names_a_file(line), offers.missing(line)} <= {True, False}


@settings(deadline=None)
@given(
    WORDS,
    st.sampled_from(["-job=", "-job ", "--job='", '-job="', '"-job=', "-t '", "-group=x "]),
)
def test_a_word_that_is_put_there_is_read_as_it_was_meant(word: str, before: str) -> None:
    """Quoted where it needs to be: a run reads the same word, whatever is in it."""
    line = unfinished.read(before, "", GRAMMARS["nomad_action"], VARIABLES.__getitem__)
    written = before[: line.start] + line.written(word)
    words = shellwords.split(written, variables=dict[str, str]().__getitem__, evaluate=eval).words
    assert words[-1].removeprefix("--job=").removeprefix("-job=") == word
