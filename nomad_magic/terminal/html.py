"""A terminal's styled text as HTML with inline styles.  Pure.

A record cannot know whether it will be read on a light or a dark page.  Colours on the
page's own background are therefore brought to the brightness that has a contrast of about
4.5 to 1 against both black and white (WCAG 2.2, success criterion 1.4.3); those on a background
of their own have as much against that, as in the live view.

A terminal writes from left to right. Right-to-left words are therefore kept apart from what stands
around them, which would change its place otherwise, and the controls that turn text around are
left out: nothing may read as something else than what was written (UAX #9, CVE-2021-42574).
What comes from another font than the rest, as emoji do, stands in a box as wide as its cells are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Final

from nomad_magic.terminal.cellwidth import clusters, odd

if TYPE_CHECKING:
    from nomad_magic.terminal import Colour, Line, Style

RGB = tuple[int, int, int]

CONTRAST: Final = 4.5

MIDDLE_LUMINANCE: Final = 0.18
"""The relative luminance that is as far from white as from black, as contrast is measured."""

_BASE: Final[tuple[RGB, ...]] = (
    (0, 0, 0), (205, 49, 49), (13, 188, 121), (229, 229, 16),
    (36, 114, 200), (188, 63, 188), (17, 168, 205), (229, 229, 229),
    (102, 102, 102), (241, 76, 76), (35, 209, 139), (245, 245, 67),
    (59, 142, 234), (214, 112, 214), (41, 184, 219), (255, 255, 255),
)  # fmt: skip
_CUBE: Final = (0, 95, 135, 175, 215, 255)
_OWN_FOREGROUND: Final = "var(--vscode-editor-foreground,var(--jp-content-font-color1,#1f2328))"
_OWN_BACKGROUND: Final = "var(--vscode-editor-background,var(--jp-layout-color0,#fff))"

_RIGHT_TO_LEFT: Final = (
    "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
)
_WORD: Final = f"[{_RIGHT_TO_LEFT}][{_RIGHT_TO_LEFT}\\u200c-\\u200f]*"
_WORDS: Final = re.compile(f"({_WORD}(?: {_WORD})*)")
_URL: Final = re.compile(r"(https?://[^\s<>\"'`|\x00-\x20]*[^\s<>\"'`|.,;:!?)\]}…])", re.IGNORECASE)
"""A URL as programs write it, without the punctuation behind it."""

_SIGNS: Final = re.compile("[\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff]")
"""Signs that most fonts for terminals have not, narrow ones too."""

_WIDE_SIGN: Final = re.compile("[\u2300-\u2bff\U0001f000-\U0001faff]")

_LETTER: Final = -2
_LETTERS: Final = 8
"""How many wide letters one box holds."""

_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _channel(value: int) -> float:
    part = value / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _luminance(rgb: RGB) -> float:
    red, green, blue = map(_channel, rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(rgb: RGB, towards: int, share: float) -> RGB:
    """Return a colour on its way to black (0) or white (255)."""
    red, green, blue = (round(part + (towards - part) * share) for part in rgb)
    return red, green, blue


@lru_cache(maxsize=4096)
def legible(rgb: RGB) -> str:
    """Return a colour's like that reads on white and on black, as `#rrggbb`."""
    towards = 0 if _luminance(rgb) > MIDDLE_LUMINANCE else 255
    low, high = 0.0, 1.0
    mixed = rgb
    # Luminance grows steadily with the mix, so halving finds it.
    for _ in range(12):
        share = (low + high) / 2
        mixed = _mixed(rgb, towards, share)
        far = _luminance(mixed) > MIDDLE_LUMINANCE
        if far == (towards == 0):
            low = share
        else:
            high = share
    return _hex(mixed)


@lru_cache(maxsize=4096)
def _apart(rgb: RGB, background: RGB) -> str:
    """Return a colour, or the first on its way to black or white that reads on a background."""
    towards = 0 if _luminance(background) > MIDDLE_LUMINANCE else 255
    mixed = rgb
    for share in range(1, 11):
        low, high = sorted((_luminance(mixed), _luminance(background)))
        if (high + 0.05) / (low + 0.05) >= CONTRAST:
            break
        mixed = _mixed(rgb, towards, share / 10)
    return _hex(mixed)


def _hex(rgb: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


LEGIBLE: Final = {
    "red": legible(_BASE[1]),
    "green": legible(_BASE[2]),
    "yellow": legible(_BASE[3]),
    "blue": legible(_BASE[4]),
}
_LINK: Final = f"var(--vscode-textLink-foreground,var(--jp-content-link-color,{LEGIBLE['blue']}))"
"""The colours of a record's own words."""


def line_html(line: Line) -> str:
    """Return a line as HTML, every character of its text escaped."""
    return "".join(_span_html(span.text, span.style) for span in line)


def _span_html(text: str, style: Style) -> str:
    if style.link or "://" not in text:
        return _styled(text, style, style.link)
    # A URL that the program wrote as text; the words around it stay what they are.
    pieces = _URL.split(text)
    return "".join(
        _styled(piece, style, piece if at % 2 else None) for at, piece in enumerate(pieces) if piece
    )


def _styled(text: str, style: Style, link: str | None) -> str:
    html = escape(text) if text.isascii() else _straight(text)
    if declared := _declarations(style):
        html = f'<span style="{declared}">{html}</span>'
    if link:
        html = (
            f'<a href="{escape(link)}" target="_blank" rel="noopener noreferrer"'
            f' style="color:{_LINK}">{html}</a>'
        )
    return html


def _straight(text: str) -> str:
    """Return escaped text whose pieces stand in the order in which they were written."""
    pieces = _WORDS.split(_TURNS.sub("", text))
    pieces[::2] = map(_in_columns, pieces[::2])
    pieces[1::2] = [f"<bdi>{words}</bdi>" for words in pieces[1::2]]
    return "".join(pieces)


def _in_columns(text: str) -> str:
    """Return escaped text, in boxes what another font may draw wider or narrower than its cells."""
    if not _SIGNS.search(text) and not odd(text):
        return escape(text)
    html = []
    for cells, some in groupby(clusters(text), _box):
        shown = [escape(one) for one, _ in some]
        if not cells:
            html += shown
            continue
        # Signs stand alone, for their sum is wrong the sooner; letters can be broken between.
        most = _LETTERS if cells == _LETTER else 1
        for at in range(0, len(shown), most):
            box = shown[at : at + most]
            width = len(box) * abs(cells)
            html.append(
                f'<span style="display:inline-block;white-space:pre;width:{width}ch">'
                f"{''.join(box)}</span>"
            )
    return "".join(html)


def _box(cluster: tuple[str, int]) -> int:
    """Return how wide a box a cluster needs; 0 for none, `_LETTER` for a wide letter."""
    text, width = cluster
    if width == 2:
        return _LETTER if len(text) == 1 and not _WIDE_SIGN.match(text) else 2
    return 1 if _SIGNS.match(text) else 0


@lru_cache(maxsize=1024)
def _declarations(style: Style) -> str:
    declared = list(_colours(style))
    declared += ["font-weight:bold"] if style.bold else []
    declared += ["opacity:.7"] if style.dim else []
    declared += ["font-style:italic"] if style.italic else []
    declared += ["visibility:hidden"] if style.invisible else []
    lines = [
        name
        for name, on in (
            ("underline", style.underline),
            ("line-through", style.strike),
            ("overline", style.overline),
        )
        if on
    ]
    declared += [f"text-decoration:{' '.join(lines)}"] if lines else []
    return ";".join(declared)


def _colours(style: Style) -> list[str]:
    foreground = None if style.fg is None else _rgb(style.fg)
    background = None if style.bg is None else _rgb(style.bg)
    if style.inverse:
        if foreground is None and background is None:
            return [f"color:{_OWN_BACKGROUND}", f"background:{_OWN_FOREGROUND}"]
        foreground, background = background, foreground
    if background is not None:
        if foreground is None:
            foreground = (0, 0, 0) if _luminance(background) > MIDDLE_LUMINANCE else (255,) * 3
        return [f"color:{_apart(foreground, background)}", f"background:{_hex(background)}"]
    if foreground is None:
        return []
    if style.fg in {0, 7, 15} and not style.inverse:
        # A terminal's black or white text is its plain text; here the page's own.
        return []
    return [f"color:{legible(foreground)}"]


def _rgb(colour: Colour) -> RGB:
    if isinstance(colour, tuple):
        return colour
    if colour < len(_BASE):
        return _BASE[colour]
    if colour < 232:
        place = colour - 16
        return _CUBE[place // 36], _CUBE[place // 6 % 6], _CUBE[place % 6]
    return (8 + 10 * (colour - 232),) * 3
