"""How a terminal shows a piece of text, and the control sequence (SGR) that changes it.

Pure. Sources: ECMA-48 §8.3.117 (SGR), ISO 8613-6 for the colon form of colours, xterm's
"Control Sequences" for the bright colours, and xterm.js 6 where these leave a choice.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

Colour = int | tuple[int, int, int]
"""A place 0-255 in the palette (0-7 normal, 8-15 bright), or red, green, blue, 0-255 each."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a cell is shown. `None` as a colour is the terminal's own.

    `link` is the target of an OSC 8 hyperlink, only ever an http, https or mailto URL. `marked` is
    not the program's: whoever feeds the terminal may mark what comes from another stream.
    """

    fg: Colour | None = None
    bg: Colour | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    blink: bool = False
    inverse: bool = False
    invisible: bool = False
    strike: bool = False
    overline: bool = False
    link: str | None = None
    marked: bool = False


DEFAULT = Style()


# A tuple, as a line of plain output costs little more than the making of its one span.
class Span(NamedTuple):
    """Text without control characters, all in one style."""

    text: str
    style: Style


Line = tuple[Span, ...]
"""One line: neighbours differ in style; blanks at its end in the default style are left off."""

MOST_PARAMETERS = 32
MOST_PARAMETER_TEXT = 512
"""Longest parameter part of a control sequence that is read (characters); the rest is ignored."""
_LARGEST = 0x7FFFFFFF

_CHANGES: dict[int, dict[str, Any]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    5: {"blink": True},
    7: {"inverse": True},
    8: {"invisible": True},
    9: {"strike": True},
    21: {"underline": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    25: {"blink": False},
    27: {"inverse": False},
    28: {"invisible": False},
    29: {"strike": False},
    53: {"overline": True},
    39: {"fg": None},
    49: {"bg": None},
    55: {"overline": False},
    **{30 + colour: {"fg": colour} for colour in range(8)},
    **{40 + colour: {"bg": colour} for colour in range(8)},
    **{90 + colour: {"fg": 8 + colour} for colour in range(8)},
    **{100 + colour: {"bg": 8 + colour} for colour in range(8)},
}

_FG, _BG, _UNDERLINE_COLOUR = 38, 48, 58


def _number(digits: str, default: int) -> int:
    return min(int(digits), _LARGEST) if digits else default


@lru_cache(maxsize=4096)
def parameters(text: str) -> tuple[tuple[int, ...], ...]:
    """The parameters in `text` (`"1;38:5:7"`): each one's value, then its sub-parameters.

    A value left out is 0, a sub-parameter left out -1.
    """
    found = []
    for part in text[:MOST_PARAMETER_TEXT].split(";")[:MOST_PARAMETERS]:
        value, *subs = part.split(":")
        found.append((_number(value, 0), *(_number(sub, -1) for sub in subs)))
    return tuple(found)


def _colour(mode: int, palette: int, rgb: tuple[int, ...]) -> Colour | None:
    if mode == 5:
        return max(palette, 0) & 255
    if mode == 2:
        red, green, blue = (max(value, 0) & 255 for value in (*rgb, 0, 0, 0)[:3])
        return red, green, blue
    return None


def _extended(given: tuple[tuple[int, ...], ...], at: int) -> tuple[Colour | None, int]:
    """The colour of the 38, 48 or 58 at place `at`, and how many parameters more it took."""
    if len(given[at]) > 1:
        slots, taken = given[at][1:], 0
    elif at + 1 < len(given) and len(given[at + 1]) > 1:
        slots, taken = given[at + 1], 1
    else:
        values = tuple(part[0] for part in given[at + 1 : at + 6])
        mode = values[0] if values else 0
        # Of an unknown mode xterm.js skips as much as the longest known one could have.
        taken = {5: 2, 2: 4, 0: 6}.get(mode, 5)
        return _colour(mode, (*values, 0, 0)[1], values[1:]), taken
    # With colons a colour space stands before red, green and blue: 38:2::255:0:0.
    return _colour(slots[0], (*slots, 0)[1], slots[2:]), taken


def sgr(style: Style, text: str) -> Style:
    """`style` after `CSI text m`; what is not known changes nothing. The link and the mark stay."""
    given = parameters(text)
    at = 0
    while at < len(given):
        code = given[at][0]
        if code == 0:
            style = Style(link=style.link, marked=style.marked)
        elif code == 4:
            style = replace(style, underline=given[at][1:2] != (0,))
        elif code in _CHANGES:
            style = replace(style, **_CHANGES[code])
        elif code in {_FG, _BG, _UNDERLINE_COLOUR}:
            colour, taken = _extended(given, at)
            at += taken
            if colour is not None and code == _FG:
                style = replace(style, fg=colour)
            elif colour is not None and code == _BG:
                style = replace(style, bg=colour)
        at += 1
    return DEFAULT if style == DEFAULT else style


class Styles:
    """Remembers what each SGR did to each style, so that equal styles are mostly one object.

    Keyed by identity, as hashing a style costs more than everything else in a coloured line; a
    style stays alive as long as its identity is a key. Bounded, for a program may use a new
    colour for each character.
    """

    _MOST = 4096

    def __init__(self) -> None:
        self._turned: dict[tuple[int, str], tuple[Style, Style]] = {}
        self._known: dict[Style, Style] = {DEFAULT: DEFAULT}

    def sgr(self, style: Style, text: str) -> Style:
        """`sgr(style, text)`."""
        found = self._turned.get((id(style), text))
        if found is None:
            if len(self._turned) >= self._MOST:
                self._turned, self._known = {}, {DEFAULT: DEFAULT}
            new = sgr(style, text)
            found = style, self._known.setdefault(new, new)
            self._turned[id(style), text] = found
        return found[1]


def erased(style: Style) -> Style:
    """What an erased cell looks like while `style` is set: its background and nothing else."""
    return DEFAULT if style.bg is None else _erased(style.bg)


@lru_cache(maxsize=256)
def _erased(bg: Colour) -> Style:
    return Style(bg=bg)
