"""How many cells of a terminal a character takes: none, one or two.

The widths are those of xterm.js 6 as it comes (its Unicode 6 provider), because the record
must show what the live view showed. They go back to Markus Kuhn's `wcwidth` for Unicode 5
(https://www.cl.cam.ac.uk/~mgk25/ucs/wcwidth.c). Two things follow that may surprise:

* an emoji above U+FFFF takes one cell, though newer terminals give it two; a joiner or a
  variation selector after it takes none and stays with it;
* marks that Unicode added later take one cell.

The ranges were read off a running xterm.js, code point by code point; the standard
`unicodedata` would give other answers with each Python version.
"""

import re

_ZERO = """
300-36f 483-486 488-489 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 600-603 610-615 64b-65e 670 6d6-6e4
6e7-6e8 6ea-6ed 70f 711 730-74a 7a6-7b0 7eb-7f3 901-902 93c 941-948 94d 951-954 962-963 981 9bc
9c1-9c4 9cd 9e2-9e3 a01-a02 a3c a41-a42 a47-a48 a4b-a4d a70-a71 a81-a82 abc ac1-ac5 ac7-ac8 acd
ae2-ae3 b01 b3c b3f b41-b43 b4d b56 b82 bc0 bcd c3e-c40 c46-c48 c4a-c4d c55-c56 cbc cbf cc6
ccc-ccd ce2-ce3 d41-d43 d4d dca dd2-dd4 dd6 e31 e34-e3a e47-e4e eb1 eb4-eb9 ebb-ebc ec8-ecd
f18-f19 f35 f37 f39 f71-f7e f80-f84 f86-f87 f90-f97 f99-fbc fc6 102d-1030 1032 1036-1037 1039
1058-1059 1160-11ff 135f 1712-1714 1732-1734 1752-1753 1772-1773 17b4-17b5 17b7-17bd 17c6
17c9-17d3 17dd 180b-180d 18a9 1920-1922 1927-1928 1932 1939-193b 1a17-1a18 1b00-1b03 1b34
1b36-1b3a 1b3c 1b42 1b6b-1b73 1dc0-1dca 1dfe-1dff 200b-200f 202a-202e 2060-2063 206a-206f
20d0-20ef 302a-302f 3099-309a a806 a80b a825-a826 fb1e fe00-fe0f fe20-fe23 feff fff9-fffb
10a01-10a03 10a05-10a06 10a0c-10a0f 10a38-10a3a 10a3f 1d167-1d169 1d173-1d182 1d185-1d18b
1d1aa-1d1ad 1d242-1d244 e0001 e0020-e007f e0100-e01ef
"""

_WIDE = """
1100-115f 2329-232a 2e80-3029 3030-303e 3040-3098 309b-a4cf ac00-d7a3 f900-faff fe10-fe19
fe30-fe6f ff00-ff60 ffe0-ffe6 20000-2fffd 30000-3fffd
"""

_LONE_SURROGATES = "\\ud800-\\udfff"


_ASTRAL = "\\U00010000-\\U0010ffff"


def _character_class(ranges: str) -> str:
    """The inside of a regular expression's `[…]` for hexadecimal `ranges`."""
    return "".join(
        "-".join(f"\\U{int(end, 16):08x}" for end in part.split("-")) for part in ranges.split()
    )


def _basic(ranges: str) -> str:
    """Those of `ranges` that lie below U+10000."""
    return " ".join(part for part in ranges.split() if len(part.partition("-")[0]) < 5)


# A class of characters below U+10000 is one look into a bitmap; each range above that costs
# extra for every character of every text. So these are kept out where plain text passes.
_UNUSUAL = _character_class(_basic(_ZERO) + " " + _basic(_WIDE)) + _LONE_SURROGATES + _ASTRAL

UNUSUAL = re.compile(f"[{_UNUSUAL}]")
"""Finds the first character that may not take exactly one cell (or is not a character)."""

RUN = re.compile(
    f"([^{_UNUSUAL}]+)|([{_character_class(_WIDE)}]+)|([{_character_class(_ZERO)}]+)"
    f"|([{_LONE_SURROGATES}]+)|[{_ASTRAL}]"
)
"""Matches characters of one kind; `lastindex`: 2 wide, 3 zero width, 4 no characters, else narrow.
"""
