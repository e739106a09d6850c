"""Makes `nomad_magic/terminal/unicode_table.py` from the tables of the locked `wcwidth`.

    make widths

wcwidth (https://github.com/jquast/wcwidth) takes them from the Unicode Character Database. Some of
the names read here are not public: they are read here alone, and what comes of them is kept.
"""

from __future__ import annotations

import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import wcwidth
from wcwidth import table_grapheme, table_mc, table_vs16, table_wide, table_zero

from nomad_magic import terminal

PLACE = Path(terminal.__file__).with_name("unicode_table.py")
VERSION = wcwidth.list_versions()[-1]

Ranges = "Iterable[tuple[int, int]]"

HEAD = '''"""What kind of character each code point is, where its width is concerned.

Made by `make widths` from wcwidth {library}: not to be changed by hand. What the kinds mean, and
how wide they are, stands in `cellwidth.py`. Code points that are not here are plain and narrow.
"""

from typing import Final

UNICODE: Final = "{version}"
"""The version of Unicode that all widths are of, in the live view and in the record."""

RANGES: Final[dict[str, str]] = {{
'''


def codes(ranges: Ranges) -> set[int]:
    return {code for low, high in ranges for code in range(low, high + 1)}


def kinds() -> dict[str, set[int]]:
    """Return the code points of each kind; no code point is of two."""
    zero = codes(table_zero.ZERO_WIDTH[VERSION])
    # Controls never come to be printed, and a lone surrogate is shown as U+FFFD.
    zero -= {*range(0xA0), *range(0xD800, 0xE000)}
    wide = codes(table_wide.WIDE_EASTASIAN[VERSION]) - zero
    pictures = codes(table_grapheme.EXTENDED_PICTOGRAPHIC) - zero
    widened = codes(next(iter(table_vs16.VS16_NARROW_TO_WIDE.values()))) - wide - zero
    linkers = codes(table_grapheme.INCB_LINKER) & zero
    viramas = codes(table_grapheme.ISC_VIRAMA) | codes(table_grapheme.ISC_INVISIBLE_STACKER)
    regional = codes(table_grapheme.GRAPHEME_REGIONAL_INDICATOR)
    spacing = (codes(table_mc.CATEGORY_MC[VERSION]) & zero) - linkers - viramas
    skin = {*range(0x1F3FB, 0x1F400)}
    joiner, selector = {0x200D}, {0xFE0F}
    return {
        "WIDE": wide - pictures - regional - skin,
        "MARK": zero - spacing - linkers - joiner - selector,
        "SPACING": spacing,
        "JOINER": joiner,
        "SELECTOR": selector,
        "REGIONAL": regional,
        "SKIN": skin,
        "PICTURE": pictures - wide - widened,
        "EMOJI": pictures & widened,
        "KEYCAP": widened - pictures,
        "WIDE_PICTURE": pictures & wide,
        "CONSONANT": codes(table_grapheme.INCB_CONSONANT) - zero - wide,
        "LINKER": linkers,
    }


def written(members: set[int]) -> str:
    """Return code points as ranges, `12-34 56` in hexadecimal."""
    ordered = sorted(members)
    cuts = [at for at, (one, next_) in enumerate(pairwise(ordered), 1) if next_ != one + 1]
    pieces = [ordered[low:high] for low, high in pairwise([0, *cuts, len(ordered)])]
    return " ".join(
        f"{piece[0]:x}" + (f"-{piece[-1]:x}" if len(piece) > 1 else "") for piece in pieces
    )


def made() -> str:
    """Return the module."""
    text = HEAD.format(library=wcwidth.__version__, version=VERSION)
    for name, members in kinds().items():
        lines = textwrap.wrap(written(members), 95, break_on_hyphens=False)
        text += f'    "{name}": """\n' + "\n".join(lines) + '\n""",\n'
    return text + "}\n"


if __name__ == "__main__":
    PLACE.write_text(made(), encoding="utf-8")
    sys.stdout.write(f"{PLACE}: Unicode {VERSION}\n")
