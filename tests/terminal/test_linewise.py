"""Lines that are given away as they end are those that a terminal shows of the whole."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.terminal import Terminal
from nomad_magic.terminal.linewise import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable

PIECES = [
    *("a", "bc ", " ", "  ", "\n", "\n", "\r\n", "\r", "\t", "\b"),
    *("é", "宽", "e\u0301", "👩‍🚀", "\u0301"),
    *("x" * 7, "y" * 23, "\x1b[1m", "\x1b[31;4m", "\x1b[0m", "\x1b[K", "\x1b[2K", "\x1b[3C"),
    *("\x1b[2D", "\x1b[5G", "\x1b[2P", "\x1b[4@", "\x1b]0;title\x07", "\x1b]0;ti\ntle\x07"),
    *("\x1b[4h", "\x1b[4l", "\x1b(0", "\x1b(B", "\x1b[?7l", "\x1b[?7h", "\x1b[3\nm", "\ufffe"),
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def lines_of(pieces: Iterable[str], **more: int | bool) -> list[str]:
    """Return the lines of an output that comes in pieces, its last, empty ones left out."""
    lines = Lines(**more)  # type: ignore[arg-type]  # as they stand in the test
    found = [line for piece in pieces for line, _ in lines.take(piece)]
    found += [line for line, _ in lines.finish()]
    while found and not found[-1]:
        found.pop()
    return found


def shown(text: str, width: int, *, newline: bool) -> list[str]:
    """Return what a terminal shows of the whole."""
    terminal = Terminal(width, newline=newline)
    terminal.feed(text)
    return ["".join(span.text for span in line) for line in terminal.lines()]


@given(text=TEXTS, cuts=st.lists(st.integers(0, 200)), width=st.sampled_from([5, 20, 80]),
       newline=st.booleans())  # fmt: skip
def test_they_are_the_lines_of_a_terminal_however_they_come(
    text: str, cuts: list[int], width: int, *, newline: bool
) -> None:
    """For whatever moves within a line: colours, returns, tabs, wide characters, titles."""
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in itertools.pairwise(at)]
    assert lines_of(pieces, width=width, newline=newline) == shown(text, width, newline=newline)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("1/3\r2/3\r3/3\ndone", ["3/3", "done"]),
        ("10%\r\x1b[Kready\n", ["ready"]),
        ("a\n\n\nb\n", ["a", "", "", "b"]),
        ("no end", ["no end"]),
        ("one\ntwo\n\x1b[2A\x1b[2K1\n2\n", ["one", "two", "1", "2"]),
        ("\x1b[?1049hscreen\x1b[?1049l", ["screen"]),
        ("\x1b[2J\x1b[Hup 1\nmem 2\n\x1b[Hup 3\nmem 4\n", ["up 1", "mem 2", "up 3", "mem 4"]),
    ],
)  # fmt: skip
def test_what_is_drawn_over(text: str, lines: list[str]) -> None:
    """A line is what it was at its end, and stays so; what is drawn again is given again."""
    assert lines_of([text], newline=True) == lines
    assert lines_of(text, newline=True) == lines


@pytest.mark.parametrize("piece", ["x", "0123456789", "宽", "ab\x1b[1mc", "tab\t"])
def test_a_line_without_an_end_takes_bounded_memory(piece: str) -> None:
    """It comes in pieces, each of which says that it goes on, and nothing is lost."""
    longest = 2000
    lines = Lines(80, newline=True, longest=longest)
    fed, found, most = 0, [], 0
    while fed < 100_000:
        found += lines.take(piece * 100)
        fed += len(piece) * 100
        most = max(most, len(lines._normal.history), lines._waits)
    found += lines.finish()
    assert len(found) > 5
    assert all(more for _, more in found[:-1])
    assert not found[-1][1]
    assert max(len(text) for text, _ in found) <= 3 * longest
    assert most <= 3 * longest
    if "\t" not in piece:
        whole = shown(piece * (fed // len(piece)), 80, newline=True)
        assert "".join(text for text, _ in found) == "".join(whole)


def test_a_progress_bar_without_an_end_is_one_line() -> None:
    """However long it is drawn: a hundred times what a line may hold."""
    lines = Lines(newline=True, longest=1000)
    assert not [line for step in range(10_000) for line in lines.take(f"\rstep {step}")]
    assert lines.finish() == [("step 9999", False)]
