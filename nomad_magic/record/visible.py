r"""Control characters of others' text, written so that they show.  Pure.

A job's id, a reason, a command or a page of a proxy may hold anything: sequences that erase the
line above them, controls that turn the reading direction around (CVE-2021-42574), characters of no
width that part a word.  Written as Go writes them in quotes they do nothing: `\x1b`, `\u202e`.
A backslash is left as it is.
"""

from __future__ import annotations

import re
from typing import Final

from nomad_magic.go import escaped

# Unicode's categories Cc, Cf, Cs, Zl and Zp, and what takes place and shows nothing.
_HIDDEN: Final = (
    "\\x00-\\x1f\\x7f-\\x9f\\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\\ud800-\\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Joiners belong to a script or to an emoji where both neighbours do.
_JOINERS: Final = "(?<![^\\x00-\\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\\x00-\\x7f])"

# Not compiled before the first text that has one: most have none.
_IN_NAMES: Final = f"[{_HIDDEN}]|{_JOINERS}"
_IN_TEXT: Final = rf"(?!\n|\t)[{_HIDDEN}]|{_JOINERS}"


def visible(text: str) -> str:
    r"""Return a text with its control characters written out; ends of lines and tabs stay.

    A `\r\n` is an end of a line.
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_IN_TEXT, _written, text.replace("\r\n", "\n"))


def visible_name(text: str) -> str:
    """Return a name in the same way, in one line: it has no ends of lines of its own."""
    return text if text.isprintable() and text.isascii() else re.sub(_IN_NAMES, _written, text)


def _written(found: re.Match[str]) -> str:
    character = found.group()
    # Some count as letters.
    return escaped(character) if not character.isprintable() else f"\\u{ord(character):04x}"
