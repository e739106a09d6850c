"""Words of a line that is still being typed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nomad_magic.errors import LineError
from nomad_magic.line import open_words, shellwords

NAMES = {"job": "cache", "HOME": "/home/me", "blank": "a b", "empty": ""}

PIECES = st.sampled_from(
    [*"ab-= \t'\"\\$~#{}", "-job=", "$job", "${blank}", "{job}", "{{", "}}", "$nope", "~/", "\\\n"]
)
LINES = st.lists(PIECES, max_size=12).map("".join)


@settings(deadline=None)
@given(LINES)
def test_a_whole_line_has_the_words_that_a_run_would_have(text: str) -> None:
    """Where a line splits, it splits here too, and each word stands where it is said to stand."""

    def evaluate(expression: str) -> object:
        return NAMES[expression]

    words = open_words.split(text, NAMES.__getitem__)
    try:
        split = shellwords.split(text, variables=NAMES.__getitem__, evaluate=evaluate)
    except LineError:
        return
    if words is None:
        # A comment, or the end of the line (no continuation): nothing is completed behind it.
        assert "#" in text or "\n" in text
        return
    assert [word.text for word in words] == list(split.words)
    for before, word in zip([None, *words], words, strict=False):
        assert (before.end if before else 0) <= word.start < word.end <= len(text)


@pytest.mark.parametrize("text", ["a | b", "a > b", "a; b", "a &", "a (b)", "a `b`", "# a", "a #b"])
def test_what_a_shell_would_do_is_no_word(text: str) -> None:
    """There is nothing to complete in it."""
    assert open_words.split(text, NAMES.__getitem__) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [("a $jo", 3), ("a ${jo", 4), ("a {jo", 3), ('a "x{jo', 5), ("a $", 3), ("a -x=$", 6)],
)
def test_the_beginning_of_a_variable_is_known(text: str, at: int) -> None:
    """It is the name of one that is being typed, and not a word."""
    words = open_words.split(text, NAMES.__getitem__)
    assert words is not None
    assert words[-1].python == at


def test_no_expression_is_evaluated() -> None:
    """What it would be is not known, and the word says so."""
    words = open_words.split("{1/0} -job={job}x{nope}", NAMES.__getitem__)
    assert words is not None
    assert [word.text for word in words] == ["\0", "-job=cachex\0"]
