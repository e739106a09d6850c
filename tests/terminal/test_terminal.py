"""What `nomad_magic.terminal` promises.

The expected rows in `tests/data/terminal/cases.json` are xterm.js's own, read by
`tests/browser/rows.js`: every row of the normal buffer, and of the alternate one if it was on, cell
by cell, neighbours of one style joined, and blanks in the default style at the end of a row and
empty rows at the end left off. A style is written `foreground|background|flags`; the flags' letters
are in `tests/support/sequences.py` (xterm.js also reports a hyperlink as underlined).
`tests/browser/test_rows.py` holds them against the xterm.js of the live view. The inputs are
random sequences and recordings, on a pty, of `ls --color`, progress bars, `apt-get`, `top` and
`watch`.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import sequences

from nomad_magic.terminal import Line, Span, Style, Terminal
from nomad_magic.terminal.style import DEFAULT

CASES = json.loads(
    (Path(__file__).parents[1] / "data" / "terminal" / "cases.json").read_text(encoding="utf-8")
)
PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["\r\n", "\n", "\r", "\b", "\t", "日本", "e\u0301", "👩\u200d🚀", "\u0301", "x" * 30]
    ),
    st.builds(
        "\x1b[{}{}{}".format,
        st.sampled_from(["", "?", "!", ">"]),
        st.sampled_from(["", "0", "1", "2;3", "7", "99999999", "1049", "6", "38;5;9", "4:3"]),
        st.sampled_from(list("@ABCDEFGHIJKLMPSTXZ`abdefghlmrsup")),
    ),
    st.sampled_from(
        [
            "\x1b7",
            "\x1b8",
            "\x1bM",
            "\x1bD",
            "\x1bc",
            "\x1b(0",
            "\x1b]8;;http://a.b/\x07",
            "\x9b1m",
            "\x1b]0;t\x1b\\",
            "\x1bPq1\x1b\\",
            "\x1b#8",
            "\x1b",
            "\x1b[",
            "\x1b]",
            "\x1bP",
            "\x1b[1;",
        ]
    ),
)
OUTPUT = st.lists(PIECES, max_size=30).map("".join)
SIZES = st.tuples(st.integers(2, 20), st.integers(1, 6))


def text_of(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


def shown(text: str, width: int = 80, height: int = 24, *, newline: bool = True) -> list[Line]:
    terminal = Terminal(width, height, newline=newline)
    terminal.feed(text)
    return terminal.lines()


def plain(text: str) -> str:
    """What a pty's output looks like."""
    return "\n".join(text_of(shown(text, newline=False)))


def style_of(text: str) -> Style:
    return shown(text + "x")[0][-1].style


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_rows_as_xterm(case: dict[str, Any]) -> None:
    """Every row has the text and the styles that xterm.js gives it."""
    terminal = Terminal(case["width"], case["height"], newline=case["newline"])
    terminal.feed(case["input"])
    assert [sequences.written(line) for line in terminal.rows()] == case["rows"]


@given(OUTPUT, SIZES, st.booleans(), st.lists(st.integers(0, 200), max_size=8))
def test_chunks_do_not_matter(
    text: str, size: tuple[int, int], newline: bool, cuts: list[int]
) -> None:
    """Wherever the output is cut into chunks, the rows and the lines are the same."""
    whole, parts, single = (Terminal(*size, newline=newline) for _ in range(3))
    whole.feed(text)
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    for start, end in pairwise(edges):
        parts.feed(text[start:end])
    for character in text:
        single.feed(character)
    assert whole.rows() == parts.rows() == single.rows()
    assert whole.lines() == parts.lines() == single.lines()
    assert whole.last_alternate == parts.last_alternate == single.last_alternate


@given(OUTPUT, SIZES)
def test_spans_are_clean(text: str, size: tuple[int, int]) -> None:
    """No span holds a control character or a lone surrogate, is empty, or is like its neighbour."""
    for line in shown(text, *size):
        for span in line:
            assert span.text
            assert not any(
                c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in span.text
            )
        assert all(left.style != right.style for left, right in pairwise(line))
        assert not line or line[-1].style != DEFAULT or not line[-1].text.endswith(" ")


@given(st.text(st.characters(codec="ascii") | st.sampled_from("\x1b[\x9b?;")), SIZES)
def test_rows_fit(text: str, size: tuple[int, int]) -> None:
    """No row of narrow characters is longer than the terminal is wide."""
    terminal = Terminal(*size)
    terminal.feed(text)
    assert all(len(row) <= size[0] for row in text_of(terminal.rows()))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]))))
def test_plain_text_comes_back(lines: list[str]) -> None:
    """Text without controls and blanks comes back as it was, however long its lines are."""
    text = "\n".join(lines)
    expected = text.rstrip("\n")
    assert "\n".join(text_of(shown(text, newline=True))) == expected
    assert "\n".join(text_of(shown(text.replace("\n", "\r\n"), 7, newline=False))) == expected


@given(st.lists(st.text("ab ü日", max_size=30), max_size=60), st.integers(2, 10), st.integers(1, 5))
def test_fast_and_slow_path_agree(lines: list[str], width: int, height: int) -> None:
    """Lines written in one go end up as they do when each comes with a cursor movement."""
    fast = Terminal(width, height)
    slow = Terminal(width, height)
    fast.feed("\r\n".join(lines))
    for at, line in enumerate(lines):
        slow.feed(("\r\n\x1b[?25h" if at else "") + line)
    assert fast.rows() == slow.rows()
    assert fast.lines() == slow.lines()


def test_wrapped_rows_are_one_line() -> None:
    """A long line is one line, with a wide character that did not fit and blanks kept inside."""
    assert text_of(shown("abc 日本\nx", 4)) == ["abc 日本", "x"]
    assert text_of(shown("abc日本\nx", 4)) == ["abc日本", "x"]


def test_line_feed_without_return() -> None:
    """On a pty a bare line feed stays in its column; elsewhere it starts a new line."""
    assert plain("ab\ncd") == "ab\n  cd"
    assert text_of(shown("ab\ncd", newline=True)) == ["ab", "cd"]


def test_progress_bar_shows_its_last_state() -> None:
    """Of a bar that rewrites its line only the last state is there."""
    assert plain("\r 10%\r 50% done\r100%") == "100% done"


@pytest.mark.parametrize(
    ("sequence", "style"),
    [
        ("\x1b[1;2;3;4;5;7;8;9;53m", Style(None, None, *[True] * 9)),
        ("\x1b[1;2;3;4;5;7;8;9;53m\x1b[22;23;24;25;27;28;29;55m", Style()),
        ("\x1b[31;42m", Style(1, 2)),
        ("\x1b[97;100m", Style(15, 8)),
        ("\x1b[31;42m\x1b[39;49m", Style()),
        ("\x1b[38;5;208;48;2;1;2;3m", Style(208, (1, 2, 3))),
        ("\x1b[38:5:208;48:2::1:2:3m", Style(208, (1, 2, 3))),
        ("\x1b[58;5;1;1m", Style(bold=True)),
        ("\x1b[4:3m", Style(underline=True)),
        ("\x1b[21m\x1b[4:0m", Style()),
        ("\x1b[31m\x1b[m", Style()),
        ("\x9b31m", Style(1)),
    ],
)
def test_sgr(sequence: str, style: Style) -> None:
    """Each SGR gives the style that ECMA-48 and xterm name."""
    assert style_of(sequence) == style


def test_links() -> None:
    """Only web and mail addresses become links; the text of all others stays without one."""
    assert style_of("\x1b]8;id=1;https://a.b/c;d\x1b\\").link == "https://a.b/c;d"
    assert style_of("\x1b]8;;mailto:a@b\x07").link == "mailto:a@b"
    for target in ("javascript:alert(1)", "file:///etc/passwd", "http://a b", ""):
        assert style_of(f"\x1b]8;;{target}\x07").link is None
    assert shown("\x1b]8;;http://a\x07l\x1b]8;;\x07 x")[0] == (
        Span("l", Style(link="http://a")),
        Span(" x", Style()),
    )


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b]0;title\x07",
        "\x1b]52;c;c2VjcmV0\x1b\\",
        "\x1b]11;?\x07",
        "\x1bPq#0;2;0;0;0~~\x1b\\",
        "\x1b_Gf=100;AAAA\x1b\\",
        "\x1b^private\x1b\\",
        "\x1bXstart of string\x1b\\",
        "\x1b[?2004h",
        "\x1b[1;2;3x",
        "\x1b[>4;2m",
        "\x1b(B",
        "\x9d0;title\x9c",
        "\x1b]0;cut\x18",
        "\x07\x00\x05\x7f",
    ],
)
def test_never_shown(sequence: str) -> None:
    """What a terminal does not show is not shown."""
    assert plain(f"a{sequence}b") == "ab"


def test_unfinished_sequences_are_dropped() -> None:
    """A sequence that the output's end cuts short leaves nothing behind."""
    for end in ("\x1b", "\x1b[", "\x1b[31", "\x1b]0;title", "\x1bPq", "\x1b(", "\x9b1"):
        assert plain("ab" + end) == "ab"


def test_line_drawing() -> None:
    """The DEC line drawing set is shown as its Unicode characters, through ESC ( 0 and SO."""
    assert plain("\x1b(0lqk\x1b(Bq") == "┌─┐q"
    assert plain("\x1b)0q\x0eq\x0fq") == "q─q"


def test_alternate_screen() -> None:
    """A program that ended in order leaves its last screen apart; an interrupted one shows it."""
    terminal = Terminal(20, 5)
    terminal.feed("$ top\r\n\x1b[?1049h\x1b[Htasks: 1")
    assert text_of(terminal.lines()) == ["$ top", "tasks: 1"]
    assert terminal.last_alternate == []
    terminal.feed("\x1b[?1049l")
    assert text_of(terminal.lines()) == ["$ top"]
    assert text_of(terminal.last_alternate) == ["tasks: 1"]


@pytest.mark.parametrize(
    "output",
    [
        "\x1b[999999999C" * 20_000,
        "x\x1b[999999999b" * 5_000,
        "\x1b[" + "1;" * 500_000 + "m",
        "\x1b[" + "9" * 1_000_000 + "A",
        "\x1b]0;" + "t" * 1_000_000,
        "\x1b[999999999S\x1b[999999999L\x1b[999999999I" * 5_000,
        "e" + "\u0301" * 1_000_000,
        "x" * 5_000_000,
        "\x1bc" * 20_000,
    ],
    ids=["CUF", "REP", "parameters", "digits", "OSC", "SU", "marks", "one line", "RIS"],
)
def test_malice_costs_little(output: str) -> None:
    """Huge counts, sequences and lines leave little; their time is in `bench_terminal.py`."""
    lines = shown(output)
    assert sum(len(span.text) for line in lines for span in line) <= max(len(output), 500_000)
