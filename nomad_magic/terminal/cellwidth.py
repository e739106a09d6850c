"""How many cells of a terminal a character takes, and with which one before it shares them.

The widths are those that today's programs count with, and the view's and the record's alike: the
page's half (`frontend/src/widths.js`) is made from this module. The table is in `unicode_table.py`,
with its version of Unicode. Characters of ambiguous width (UAX #11) take one cell.

What a program draws as one sign is one cluster, in one cell or two:

* what has no width joins the character before it; a spacing mark (Mc) takes a cell more;
* an emoji that is narrow by itself, and a keycap's digit, take two with U+FE0F behind them (UTS
  #51); U+FE0E changes no width, for there is no terminal that makes a wide emoji narrow with it;
* two regional indicators are a flag; a picture takes the skin tone behind it, and after a
  ZERO WIDTH JOINER the next picture (UAX #29, GB11 to GB13);
* a consonant joins another one with a linker behind it (GB9c), in two cells at most.

Nothing is read or compiled before the first text that is not ASCII.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from nomad_magic.terminal.unicode_table import RANGES, UNICODE

NARROW, WIDE, MARK, SPACING, JOINER, SELECTOR, REGIONAL, SKIN = range(8)
PICTURE, EMOJI, KEYCAP, WIDE_PICTURE, CONSONANT, LINKER = range(8, 14)
"""The kinds of characters. A cluster's state is a kind too: what may join it depends on it."""

_NAMES: Final = (
    *("NARROW", "WIDE", "MARK", "SPACING", "JOINER", "SELECTOR", "REGIONAL", "SKIN"),
    *("PICTURE", "EMOJI", "KEYCAP", "WIDE_PICTURE", "CONSONANT", "LINKER"),
)

WIDTHS: Final = (1, 2, 0, 1, 0, 0, 2, 2, 1, 1, 1, 2, 1, 0)
"""The cells of each kind, where it joins nothing."""

STATES: Final = 16
"""More than there are kinds: `JOINS` has the state `s` and the kind `k` at `s * STATES + k`."""

MOST_JOINED: Final = 64
"""How many characters may join another one; each costs as much as all before it."""

_TWO: Final = frozenset({WIDE, REGIONAL, SKIN, WIDE_PICTURE})
_JOINING: Final = frozenset({MARK, SPACING, JOINER, SELECTOR, SKIN, LINKER})
_PICTURES: Final = (PICTURE, EMOJI, WIDE_PICTURE)


class Join(NamedTuple):
    """What becomes of a cluster that a character joins: its state, and its cells at least."""

    state: int
    width: int


def _joins() -> list[Join | None]:
    """Who joins whom: `None` where a character begins a cluster of its own."""
    rules: dict[tuple[int, int], Join] = {}
    for state in range(len(WIDTHS)):
        # U+FE0F, a second regional indicator and the picture after a joiner come at once or never.
        later = {EMOJI: PICTURE, KEYCAP: NARROW, JOINER: NARROW, REGIONAL: NARROW}.get(state, state)
        rules |= {(state, kind): Join(later, 0) for kind in (MARK, JOINER, SELECTOR, LINKER)}
        rules[state, SPACING] = Join(NARROW, 2)
    rules[EMOJI, SELECTOR] = Join(PICTURE, 2)
    rules[KEYCAP, SELECTOR] = Join(NARROW, 2)
    for picture in _PICTURES:
        rules[picture, SKIN] = Join(PICTURE, 2)
        rules[picture, JOINER] = Join(JOINER, 0)
        rules[JOINER, picture] = Join(PICTURE, 2)
    rules[REGIONAL, REGIONAL] = Join(NARROW, 2)
    rules[CONSONANT, LINKER] = Join(LINKER, 0)
    rules[LINKER, CONSONANT] = Join(CONSONANT, 2)
    return [rules.get((state, kind)) for state in range(len(WIDTHS)) for kind in range(STATES)]


def _pairs(ranges: str) -> list[tuple[int, int]]:
    pairs = (part.partition("-") for part in ranges.split())
    return [(int(low, 16), int(high or low, 16)) for low, _, high in pairs]


class Table(NamedTuple):
    """All that is made of the ranges.

    Attributes:
        kinds: the kind of each code point.
        joins: see `STATES`.
        unusual: finds each character that may be anything but one cell of its own.
        runs: matches characters of one kind; `lastindex` is one of the numbers below, or `None`
            for one character that may join the one before it, whatever its width.
    """

    kinds: bytearray
    joins: list[Join | None]
    unusual: re.Pattern[str]
    runs: re.Pattern[str]


WIDE_RUN, MARK_RUN, NO_CHARACTERS, WIDE_ASTRAL_RUN = 2, 3, 4, 5

_LONE_SURROGATES: Final = "\\ud800-\\udfff"
_ASTRAL: Final = "\\U00010000-\\U0010ffff"


def _class(names: tuple[str, ...], *, astral: bool) -> str:
    """The inside of a regular expression's `[…]` for all characters of some kinds.

    A class of characters below U+10000 is one look into a bitmap; each range above that costs
    extra for every character of every text. So these are kept out where plain text passes.
    """
    return "".join(
        f"\\U{low:08x}-\\U{high:08x}"
        for name in names
        for low, high in _pairs(RANGES[name])
        if (low > 0xFFFF) is astral
    )


@cache
def table() -> Table:
    """Return the table."""
    kinds = bytearray(0x110000)
    for kind, name in enumerate(_NAMES):
        for low, high in _pairs(RANGES.get(name, "")):
            kinds[low : high + 1] = bytes([kind]) * (high + 1 - low)
    wide = _class(("WIDE", "WIDE_PICTURE"), astral=False)
    marks = _class(("MARK",), astral=False)
    single = _class(("SPACING", "JOINER", "SELECTOR", "LINKER"), astral=False)
    astral = _class(("WIDE", "WIDE_PICTURE"), astral=True)
    unusual = wide + marks + single + _LONE_SURROGATES + _ASTRAL
    runs = f"([^{unusual}]+)|([{wide}]+)|([{marks}]+)|([{_LONE_SURROGATES}]+)|([{astral}]+)"
    return Table(
        kinds,
        _joins(),
        unusual=re.compile(f"[{unusual}]"),
        runs=re.compile(f"{runs}|[{single}{_ASTRAL}]"),
    )


def fits(line: str, width: int) -> bool:
    """Whether a line surely fits into `width` cells, and stays in them as it is written here."""
    size = len(line)
    if size > width:
        return False
    if line.isascii():
        return True
    made = table()
    odd = made.unusual.findall(line)
    kinds = [made.kinds[ord(one)] for one in odd]
    # Each may widen the one before it, but never by more than a cell.
    if size + sum(kind in _TWO for kind in kinds) > width:
        return False
    # No cluster has more than one other character between each two of these.
    joining = sum(kind in _JOINING for kind in kinds)
    if joining and (joining > MOST_JOINED // 2 or made.kinds[ord(line[0])] in _JOINING):
        return False
    return max(odd, default="") <= "\ud7ff" or not any("\ud800" <= one <= "\udfff" for one in odd)


def clusters(text: str) -> Iterator[tuple[str, int]]:
    """Yield what stands together in `text`, and how many cells each takes."""
    kinds, joins = table().kinds, table().joins
    state = width = start = 0
    for at, character in enumerate(text):
        kind = kinds[ord(character)]
        if width and (join := joins[state * STATES + kind]):
            state, width = join.state, max(width, join.width)
            continue
        if at:
            yield text[start:at], width
        state, width, start = kind, WIDTHS[kind], at
    if text:
        yield text[start:], width


def cells(line: str) -> list[str]:
    """Return the cells of a line that `fits`; the second one of a wide cluster is `""`."""
    return [cell for text, width in clusters(line) for cell in (text, "")[:width]]


def odd(text: str) -> bool:
    """Whether it may have characters that do not take one cell of their own."""
    return not text.isascii() and table().unusual.search(text) is not None


def page_half() -> dict[str, object]:
    """Return the same for the page: ranges by kind, widths, and joins as xterm.js writes them."""
    return {
        "version": UNICODE,
        "ranges": [" ".join(RANGES.get(name, "").split()) for name in _NAMES],
        "widths": WIDTHS,
        "states": STATES,
        # What xterm.js calls character properties: the state, the width, whether it joins.
        "joins": [one and one.state << 3 | one.width << 1 | 1 for one in _joins()],
        "mostJoined": MOST_JOINED,
    }
