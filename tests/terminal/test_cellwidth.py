"""How many cells a character takes: as today's programs count them."""

from __future__ import annotations

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st
from support import sequences, unicode_table

from nomad_magic.terminal import Line, Terminal
from nomad_magic.terminal.cellwidth import cells, clusters, fits
from nomad_magic.terminal.unicode_table import UNICODE

COUNTED = {
    "a": 1, "é": 1, "e\u0301": 1, "✅": 2, "❌": 2, "⚠": 1, "⚠\ufe0f": 2, "⚠\ufe0e": 1, "✔": 1,
    "🚀": 2, "👩\u200d💻": 2, "👩\u200d❤\ufe0f\u200d👩": 2, "👍🏽": 2, "🏽": 2, "🇨🇭": 2, "🇨🇭🇫🇷": 4,
    "1\ufe0f\u20e3": 2, "1\u20e3": 1, "#\ufe0f": 2, "©": 1, "©\ufe0f": 2,
    "🏴\U000e0067\U000e0062\U000e007f": 2, "か": 2, "が": 2, "か\u3099": 2, "ﾊ": 1, "漢": 2,
    "\u1112\u1161\u11ab": 2, "﷽": 1, "\u00ad": 1, "a\u200b": 1, "क": 1, "का": 2, "क्ष": 2,
    "─": 1, "±": 1, "한": 2, "§": 1, "①": 1, "…": 1, "\ue0b0": 1, "☝🏽a": 3, "a\u200db": 2,
}  # fmt: skip
"""Texts and their cells. Those of ambiguous width (UAX #11) take one."""

DIFFERENT = {
    "☝🏽a": "a hand with a skin tone is drawn as an emoji; wcwidth counts the narrow hand alone",
    "a\u200db": "letters do not join; wcwidth takes whatever stands behind a joiner for nothing",
}

LINES = st.lists(st.lists(st.sampled_from(sequences.PARTS), max_size=14).map("".join), min_size=1)


@pytest.mark.parametrize(("text", "width"), COUNTED.items())
def test_cells_are_as_many_as_programs_count(text: str, width: int) -> None:
    """The cursor stands behind them, whether they came at once or one by one."""
    assert sum(cells for _, cells in clusters(text)) == width
    for pieces in ([text], text):
        made = Terminal(20, 4)
        for piece in pieces:
            made.feed(piece)
        assert made._out.screen.x == width
    assert (wcwidth.wcswidth(text) == width) is (text not in DIFFERENT)


def test_the_table_is_that_of_the_locked_library() -> None:
    """`make widths` would make the same, of the newest Unicode that the library has."""
    assert unicode_table.made() == unicode_table.PLACE.read_text(encoding="utf-8")
    assert wcwidth.list_versions()[-1] == UNICODE


@pytest.mark.parametrize("sign", ["⚠\ufe0f", "9\ufe0f\u20e3", "का", "क्ष"])
def test_what_grows_at_the_margin_goes_to_the_next_row(sign: str) -> None:
    """All of it, and the line is one for its reader."""
    made = Terminal(10, 4)
    made.feed("123456789" + sign + "x")
    assert [text_of(row) for row in made.rows()] == ["123456789", sign + "x"]
    assert [text_of(line) for line in made.lines()] == ["123456789" + sign + "x"]


def text_of(line: Line) -> str:
    return "".join(span.text for span in line)


@given(LINES, st.integers(2, 40), st.integers(1, 5))
def test_lines_at_once_are_lines_one_by_one(lines: list[str], width: int, height: int) -> None:
    """Lines that scroll through as text show what they show cell by cell, also when changed."""
    after = "\x1b[1;2HX\x1b[3GY\x1b[5P"
    at_once, each = Terminal(width, height, newline=True), Terminal(width, height, newline=True)
    at_once.feed("\n" * height + "\n".join(lines) + after)
    each.feed("\n" * height)
    for at, line in enumerate(lines):
        each.feed("\n" * (at > 0) + line)
    each.feed(after)
    assert at_once.rows() == each.rows()
    assert at_once.lines() == each.lines()


@given(st.lists(st.sampled_from(sequences.PARTS), min_size=1).map("".join), st.integers(2, 40))
def test_a_line_that_fits_does(line: str, width: int) -> None:
    """It takes no more cells than there are, and nothing of it gets lost."""
    if fits(line, width):
        assert len(cells(line)) <= width
        assert "".join(cells(line)) == line
