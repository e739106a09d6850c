"""Output that a terminal may get, made at random from a seed; and how rows are written down."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from nomad_magic.record.transcript import text_decoder

if TYPE_CHECKING:
    from nomad_magic.terminal import Colour, Line

TEXTS = [
    "a", "hello", "the quick brown fox", "x" * 30, "0123456789", "  ", "`qx~",
    "日本", "漢", "\uff57\uff49\uff44\uff45", "한글", "קצת", "é", "e\u0301", "\u0301",
    "\u0301" * 3, "👩\u200d🚀", "❤\ufe0f", "\u200b", "\ufe0f", "\U00020000", "\u1100\u1161",
]  # fmt: skip
CLUSTERS = [
    "✅", "❌", "⚠\ufe0f", "⚠\ufe0e", "✔", "⌛\ufe0e", "🚀", "🚀🚀✅", "1\ufe0f\u20e3", "#\ufe0f",
    "©\ufe0f", "🇨🇭", "🇨", "🇨🇭🇦", "👍🏽", "☝🏽", "🏽", "👩\u200d💻", "👩🏽\u200d🚀", "❤\u200d🔥",
    "❤\ufe0f\u200d🔥", "👩\u200d❤\ufe0f\u200d👩", "🏴\U000e0067\U000e0062\U000e007f", "a\u200db",
    "日\u200d🚀", "का", "क्ष", "स्त्र", "क्\u200dष", "न्\u0903", "\u0903",
    "\U00011107\U00011133\U00011107",
    "\u1100\u1161\u11a8", "\u1160", "\ud7b0", "ﷺ", "\u3099", "ｶﾞ", "\u00ad", "\u0600", "\u0e33",
    "\U00016fe4",
]  # fmt: skip
"""What programs of today draw as one sign, and what only looks like it."""
# What they are made of, in any order.
PARTS = sorted({*"".join(CLUSTERS), *"a1#e\u0301日\u200b\u200c"})
CONTROLS = [
    "\r", "\n", "\r\n", "\r\n\r\n", "\r\r\n", "\b", "\t", "\t\t", "\x0b", "\x0c", "\x0e", "\x0f",
    "\x07", "\x00", "\x7f", "\x18", "\x1a", "\x84", "\x85", "\x88", "\x8d",
]  # fmt: skip
ESCAPES = [
    "7", "8", "D", "E", "H", "M", "c", "#8", "(0", "(B", "(A", ")0", "*0", "+0", "-A", ".0", "n",
    "o", "|", "}", "~", "=", ">", "%G", "%@", "6", "9", "#3", "(%5", "Z", "N",
]  # fmt: skip
STRINGS = [
    "\x1b]0;title\x07", "\x1b]8;;http://a.b/\x07", "\x1b]8;;\x07", "\x1b]8;id=1;https://c/\x1b\\",
    "\x1b]52;c;aGk=\x07", "\x1b]4;1;rgb:ff/00/00\x1b\\", "\x1b]0;a\x18", "\x1b]1337;File=:AA\x07",
    "\x1bPq#0;1~~\x1b\\", "\x1bP$qm\x1b\\", "\x1bP1;2|a\x9c", "\x1b_Ga=b\x1b\\",
    "\x1b^pm é x\x1b\\", "\x1bXsos\x1b\\", "\x9d0;x\x9c", "\x9b31m", "\x9b2J", "\x90q\x9c",
    "\x1bkt\x1b\\",
]  # fmt: skip
CUT = [
    "\x1b", "\x1b[", "\x1b[1;", "\x1b[?", "\x1b]", "\x1b]8;;", "\x1bP", "\x1bP1$", "\x1b(",
    "\x1b[ ", "\x1b[1 ", "\x1b#",
]  # fmt: skip
STYLES = [
    "", "0", "1", "2", "3", "4", "5", "7", "8", "9", "21", "22", "23", "24", "25", "27", "28",
    "29", "31", "44", "39", "49", "53", "55", "97", "107", "1;42", "31;7", "39;49", "4:3", "4:0",
    "38;5;100", "48;5;200", "48;2;1;2;3", "38:2::9:8:7", "38:5:3", "58;5;1", "59", "38;2;5",
    "38;5", "38;0;1;1;1;1;4;1", "34;60;69", "100;3;90", "0;1;0;4", "38;5;300", "48:2:1:2:3",
]  # fmt: skip
FINALS = [*"@ABCDEFGHIJJKKLMPSTXZ`adefgrsuPX@", " @", " A", "'}", "'~", "!p", " q", "x", "t", "$p"]
NUMBERS = ["", "0", "1", "2", "3", "4", "5", "7", "12", "20", "40", "50", "007"]
# Only where xterm.js does not take the longer the larger the number is.
HUGE = [
    "99999999A", "4294967297B", "99999999C", "2147483648G", "99999999;99999999H", "2;99999999r",
    "1;65536;99999999m",
]  # fmt: skip
MODES = [
    "4", "20", "?7", "?7", "?6", "?47", "?1047", "?1048", "?1049", "?1", "?25", "?2004", "?3",
    "?12;7",
]  # fmt: skip
JUNK = [*map(chr, range(0x21)), *"[];?mH", *map(chr, range(0x7F, 0xA2)), "\ufffd"]


def sequence(chance: random.Random, _width: int) -> str:
    given = ";".join(chance.choices(NUMBERS, k=chance.choice([0, 1, 1, 1, 2, 2, 3])))
    mark = chance.choice("???><=") if chance.random() < 0.08 else ""
    return f"\x1b[{mark}{given}{chance.choice(FINALS)}"


KINDS = {
    sequence: 23,
    lambda chance, _: chance.choice(TEXTS): 22,
    lambda chance, _: chance.choice(CLUSTERS): 14,
    lambda chance, _: "".join(chance.choices(PARTS, k=chance.randint(1, 12))): 5,
    lambda chance, width: f"\x1b[{chance.randint(1, width)}G": 3,
    lambda chance, _: chance.choice(CONTROLS): 12,
    lambda chance, _: f"\x1b[{chance.choice(STYLES)}m": 8,
    lambda chance, width: f"\x1b[{chance.randint(0, width)}b": 2,
    lambda chance, _: f"\x1b[{chance.choice(MODES)}{chance.choice('hhl')}": 6,
    lambda chance, _: "\x1b" + chance.choice(ESCAPES): 6,
    lambda chance, _: chance.choice(STRINGS): 4,
    lambda chance, _: chance.choice(CUT): 1.5,
    lambda chance, _: "\x1b[" + chance.choice(HUGE): 0.5,
    lambda chance, _: "".join(chance.choices(JUNK, k=chance.randint(1, 12))): 2,
}
"""One piece of output for a width of the terminal, and how often it comes (%)."""


def case(seed: int) -> dict[str, Any]:
    """Return a terminal's size and its input."""
    chance = random.Random(seed)
    width = chance.choice([2, 3, 5, 8, 10, 17, 20, 40])
    kinds = chance.choices([*KINDS], [*KINDS.values()], k=chance.randint(1, 40))
    return {
        "name": f"seed {seed}",
        "width": width,
        "height": chance.choice([2, 3, 4, 5, 8]),
        "newline": chance.random() < 0.4,
        "input": "".join(kind(chance, width) for kind in kinds),
    }


def junk(seed: int) -> dict[str, Any]:
    """Return the same for a binary file, in which some text stands."""
    chance = random.Random(seed)
    pieces = [chance.randbytes(chance.randint(1, 60)) for _ in range(chance.randint(1, 20))]
    return {
        "name": f"junk {seed}",
        "width": 40,
        "height": 8,
        "newline": False,
        "input": text_decoder().decode(b"GLIBC_2.2.5\0".join(pieces)),
    }


FLAGS = {
    "b": "bold",
    "d": "dim",
    "i": "italic",
    "u": "underline",
    "k": "blink",
    "v": "inverse",
    "n": "invisible",
    "s": "strike",
    "o": "overline",
}


def colour(value: Colour | None) -> str:
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    return "#" + ".".join(map(str, value))


def written(line: Line) -> list[list[str]]:
    spans: list[list[str]] = []
    for span in line:
        style = span.style
        flags = "".join(
            letter
            for letter, name in FLAGS.items()
            if getattr(style, name) or (name == "underline" and style.link)
        )
        key = f"{colour(style.fg)}|{colour(style.bg)}|{flags}"
        if spans and spans[-1][1] == key:
            spans[-1][0] += span.text
        else:
            spans.append([span.text, key])
    return spans
