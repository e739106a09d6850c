"""A terminal's styled text as HTML with inline styles.  Pure.

A record cannot know whether it will be read on a light or a dark page.  Colours on the
page's own background are therefore brought to the brightness that has a contrast of about
4.5 to 1 against both black and white (WCAG 2.2, success criterion 1.4.3).
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nomad_magic.terminal import Colour, Line, Style

RGB = tuple[int, int, int]

MIDDLE_LUMINANCE: Final = 0.18
"""The relative luminance that is as far from white as from black, as contrast is measured."""

_BASE: Final[tuple[RGB, ...]] = (
    (0, 0, 0), (205, 49, 49), (13, 188, 121), (229, 229, 16),
    (36, 114, 200), (188, 63, 188), (17, 168, 205), (229, 229, 229),
    (102, 102, 102), (241, 76, 76), (35, 209, 139), (245, 245, 67),
    (59, 142, 234), (214, 112, 214), (41, 184, 219), (255, 255, 255),
)  # fmt: skip
_CUBE: Final = (0, 95, 135, 175, 215, 255)
_OWN_FOREGROUND: Final = "var(--jp-content-font-color1,#1f2328)"
_OWN_BACKGROUND: Final = "var(--jp-layout-color0,#fff)"


def _channel(value: int) -> float:
    part = value / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _luminance(rgb: RGB) -> float:
    red, green, blue = map(_channel, rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@lru_cache(maxsize=4096)
def legible(rgb: RGB) -> str:
    """Give a colour's like that reads on white and on black, as `#rrggbb`."""
    towards = 0 if _luminance(rgb) > MIDDLE_LUMINANCE else 255
    low, high = 0.0, 1.0
    mixed = rgb
    # Luminance grows steadily with the mix, so halving finds it.
    for _ in range(12):
        share = (low + high) / 2
        mixed = tuple(round(part + (towards - part) * share) for part in rgb)  # type: ignore[assignment]
        far = _luminance(mixed) > MIDDLE_LUMINANCE
        if far == (towards == 0):
            low = share
        else:
            high = share
    return _hex(mixed)


def _hex(rgb: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


LEGIBLE: Final = {
    "red": legible(_BASE[1]),
    "green": legible(_BASE[2]),
    "yellow": legible(_BASE[3]),
    "blue": legible(_BASE[4]),
}
"""The colours of a record's own words."""


def line_html(line: Line) -> str:
    """Give a line as HTML, every character of its text escaped."""
    return "".join(_span_html(span.text, span.style) for span in line)


def _span_html(text: str, style: Style) -> str:
    html = escape(text)
    if declared := _declarations(style):
        html = f'<span style="{declared}">{html}</span>'
    if style.link:
        html = (
            f'<a href="{escape(style.link)}" target="_blank" rel="noopener noreferrer">{html}</a>'
        )
    return html


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
        return [f"color:{_hex(foreground)}", f"background:{_hex(background)}"]
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
