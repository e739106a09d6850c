"""What the record shows: its terminal held row by row against the xterm.js of the live view.

It runs in a bare page, from the bundle that the view itself runs from. `rows.js` reads its rows
as `tests/unit/test_terminal.py` describes them. Some of the inputs are made at random from a
seed, some were recorded from real programs on a pty.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import sequences

from nomad_magic import terminal
from nomad_magic.record.card import card
from nomad_magic.record.record import Record
from nomad_magic.record.result import ActionResult
from nomad_magic.record.transcript import text_decoder
from nomad_magic.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

HERE = Path(__file__).parent
VIEW = Path(terminal.__file__).parents[1] / "notebook" / "static" / "view.js"
CASES = json.loads((HERE.parent / "data" / "terminal" / "cases.json").read_text(encoding="utf-8"))
RECORDED = [case for case in CASES if not case["name"].startswith("random")]
SEEDS = range(600)

# For each reason an output, what xterm.js shows of it, and what the record does.
DIFFERENCES: dict[str, tuple[str | bytes, list[str], list[str]]] = {
    "NRCS: other national character sets turn brackets into letters, and no program asks": (
        "\x1b(K[a]",
        ["ÄaÜ"],
        ["[a]"],
    ),
    "DECSET 45: reverse wraparound is not there": (
        "0123456789a\x1b[?45h\b\b-",
        ["012345678-", "a"],
        ["0123456789", "-"],
    ),
    "DECSCA: protected cells are not there": ('\x1b[1"qab\x1b[0"qc\x1b[?2K', ["ab"], []),
    "UTF-8: a byte that is none is seen as U+FFFD, for nothing may get lost unseen": (
        b"caf\xe9 au lait",
        ["caf au lai", "t"],
        ["caf\ufffd au la", "it"],
    ),
    "DECRC: what it ended has ended": ("\x1b[4m\x1b8a\x1b[59mb", ["ab_"], ["ab"]),
    "DECAWM off: what stood behind a wide character does not come out again": (
        "\x1b[?7l01234567\u65e5x\x1b[9G-",
        ["01234567-x"],
        ["01234567-"],
    ),
}

RESTORES = re.compile(r"\x1b8|\x1b\[[\d;]*u|\x1b\[\?[\d;]*104[89][\d;]*l")
"""DECRC, by all its names."""

Rows = list[list[list[str]]]

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


@pytest.fixture(scope="module")
def xterm(chromium: Browser) -> Iterator[Callable[[list[dict[str, Any]]], list[Rows]]]:
    """Return the rows that xterm.js shows of some cases."""
    page = chromium.new_page()
    page.evaluate(
        """async ([view, rows]) => {
            const load = code => import(URL.createObjectURL(
                new Blob([code], {type: "text/javascript"})));
            const { Terminal, guard, useWidths } = await load(view);
            const { rows: read } = await load(rows);
            window.shown = cases => read({ Terminal, guard, useWidths }, cases);
        }""",
        [VIEW.read_text(encoding="utf-8"), (HERE / "rows.js").read_text(encoding="utf-8")],
    )
    yield lambda cases: page.evaluate("cases => shown(cases)", cases)
    page.close()


def ours(case: dict[str, Any]) -> Rows:
    made = Terminal(case["width"], case["height"], newline=case["newline"])
    made.feed(case["input"])
    return [sequences.written(line) for line in made.rows()]


def check(cases: list[dict[str, Any]], shown: list[Rows]) -> None:
    """Check that all are the same; the shortest case that is not is the one to look at."""
    wrong = [
        (case, rows)
        for case, rows in zip(cases, shown, strict=True)
        if ours(case) != rows and not (RESTORES.search(case["input"]) and alike(ours(case), rows))
    ]
    if wrong:
        case, rows = min(wrong, key=lambda one: len(one[0]["input"]))
        assert ours(case) == rows, f"{len(wrong)} of {len(cases)} cases, {case}"


def alike(mine: Rows, theirs: Rows) -> bool:
    """Whether they differ in no more than what is underlined; see "DECRC" in `DIFFERENCES`."""
    return [each(row) for row in mine] == [each(row) for row in theirs]


def each(row: list[list[str]]) -> list[tuple[str, str]]:
    found = [(one, style.removesuffix("u")) for text, style in row for one in text]
    while found and found[-1] == (" ", "||"):
        found.pop()
    return found


def test_generated_output(xterm: Callable[..., list[Rows]]) -> None:
    """Every row of every generated case has the text and the styles that xterm.js gives it."""
    cases = [sequences.case(seed) for seed in SEEDS]
    check(cases, xterm(cases))


def test_erasing_up_to_the_last_cell_does_not_end_the_view(
    xterm: Callable[..., list[Rows]],
) -> None:
    """xterm.js by itself fails at it, and shows nothing any more."""
    inputs = ["ab\x1b[99;99H\x1b[1Jc", "ab\x1b[99;99H\x1b[44m\x1b[?1Jc"]
    cases = [{"width": 10, "height": 3, "newline": False, "input": text} for text in inputs]
    shown = xterm(cases)
    check(cases, shown)
    assert texts(shown[0]) == ["", "", "         c"]


def test_binary_files(xterm: Callable[..., list[Rows]]) -> None:
    """The same for what is no text at all."""
    cases = [sequences.junk(seed) for seed in range(100)]
    check(cases, xterm(cases))


def test_recordings(xterm: Callable[..., list[Rows]]) -> None:
    """The same for real programs; the rows that the unit tests expect are xterm.js's own."""
    shown = xterm(CASES)
    check(CASES, shown)
    assert shown == [case["rows"] for case in CASES]
    assert len(RECORDED) > 10


@pytest.mark.parametrize(
    ("text", "theirs", "mine"), DIFFERENCES.values(), ids=[why.split(":")[0] for why in DIFFERENCES]
)
def test_what_differs(
    xterm: Callable[..., list[Rows]],
    text: str | bytes,
    theirs: list[str],
    mine: list[str],
) -> None:
    """What is known to differ does, and only so: a reason that has gone is taken off the list."""
    case = {"width": 10, "height": 3, "newline": False, "input": text}
    if isinstance(text, bytes):
        case |= {"input": text_decoder().decode(text), "bytes": list(text)}
    (shown,) = xterm([case])
    assert theirs == texts(shown)
    assert mine == texts(ours(case))


def texts(rows: Rows) -> list[str]:
    """Return the text of rows, an underline behind each piece that is underlined."""
    return ["".join(text + "_" * style.endswith("u") for text, style in row) for row in rows]


def test_a_record_runs_nothing_and_keeps_its_order(chromium: Browser) -> None:
    """Markup stays text, and what stands after a right-to-left word stays behind it."""
    made = ActionResult(action="odd", command_line="nomad job action odd")
    made.transcript.write(
        "stdout",
        "name: مرحبا بالعالم = 42 ms\n\u202eturned\n"
        "</pre><script>document.title = 'ran'</script>"
        "<img src=x onerror=\"document.title = 'ran'\">\n".encode(),
    )
    page = chromium.new_page()
    page.set_content(card(Record(made)))
    pre = page.locator("pre")
    assert pre.inner_text().splitlines()[1] == "turned"
    assert "onerror" in pre.inner_text()
    assert page.locator("script, img").count() == 0
    assert page.title() == ""
    lefts = pre.evaluate(
        """pre => [...pre.childNodes].slice(0, 3).map(node => {
            const range = document.createRange();
            range.selectNodeContents(node);
            return range.getClientRects()[0].left;
        })"""
    )
    page.close()
    assert lefts == sorted(lefts)


COUNTS = ["@", "P", "X", "I", "Z", "b", "L", "M", "S", "T", " @", " A", "'}", "'~"]


@pytest.mark.parametrize("final", COUNTS)
def test_absurd_counts_end_at_the_screen(xterm: Callable[..., list[Rows]], final: str) -> None:
    """A dozen bytes do not hold up the page: a count past the screen is as one of its size.

    Without a bound xterm.js goes on for minutes, or takes all memory, and this times out.
    """
    inputs = [
        f"ab日cd\r\nef\x1b[3G{before}\x1b[{count}{final}gh"
        for count in (10, 11, 500, 99_999_999, 2_147_483_647)
        for before in ("", "x")
    ]
    inputs += [f"x\x1b[2147483647{final}" * 200]
    cases = [{"width": 10, "height": 4, "newline": False, "input": text} for text in inputs]
    check(cases, xterm(cases))


@pytest.mark.parametrize("mark", ["\u0301", "\u200d", "\ufe0f", "\u05b0"])
def test_a_character_carries_so_many_marks(xterm: Callable[..., list[Rows]], mark: str) -> None:
    """20,000 of them cost as much as 64: what is more is left out, and what follows is there."""
    inputs = [f"e{mark * count}f" for count in (63, 64, 65, 20_000)]
    inputs += [("e" + mark * 300) * 50 + "end"]
    cases = [{"width": 40, "height": 4, "newline": False, "input": text} for text in inputs]
    shown = xterm(cases)
    check(cases, shown)
    assert texts(shown[3]) == ["e" + mark * 64 + "f"]


@pytest.mark.parametrize(
    ("base", "part"),
    [("👩", "\u200d👩"), ("👍", "🏽"), ("क", "\u094dक"), ("❤", "\ufe0f\u200d🔥")],
    ids=["joiner", "skin", "linker", "selector"],
)
def test_a_cluster_has_so_many_characters(
    xterm: Callable[..., list[Rows]], base: str, part: str
) -> None:
    """The same for what joins without being a mark, also where REP writes it."""
    inputs = [base + part * count + "f" for count in (21, 22, 32, 33, 64, 65, 20_000)]
    inputs += [(base + part[0] + "\x1b[39b") * 50 + "end"]
    cases = [{"width": 40, "height": 4, "newline": False, "input": text} for text in inputs]
    shown = xterm(cases)
    check(cases, shown)
    flood = "".join(texts(shown[6]))
    assert flood.startswith(base + part * 20)
    assert flood.endswith("f")
    assert part * 65 not in flood
