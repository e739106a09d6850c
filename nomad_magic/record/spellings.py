"""In which ways a secret may be written, and where in some bytes it is.  Pure.

A program seldom prints a token as it was given.  It stands in a URL with some characters as `%2F`,
in JSON with a backslash before a quotation mark, on a terminal with a change of colour in its
middle.  A reader puts all that together again, so it is looked for as a reader sees it.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, Final

from nomad_magic.go import go_quote, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_STRING: Final = 1 << 13
"""How long a string in a control sequence may be, in bytes, and still be seen through."""

# ECMA-48 and xterm's "Control Sequences": what shows nothing by itself.  C1 controls are two bytes
# in UTF-8.  An end of a line, a tab and a carriage return part what stands around them.
_CSI: Final = rb"(?:\x1b\[|\xc2\x9b)[ -?]*+[@-~]"
_STRING: Final = (
    rb"(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])(?:[^\x07\x18\x1a\x1b\xc2]|\xc2(?!\x9c)){0,%d}+"
    rb"(?:\x07|\x1b\\|\xc2\x9c)"
) % MOST_STRING
_ESCAPE: Final = rb"\x1b[ -/]*+[0-OQ-WYZ\\`-~]"
_SEQUENCE: Final = b"|".join([_CSI, _STRING, _ESCAPE])
# Controls that do nothing to the text, soft hyphens, joiners, marks of direction and byte order.
_NOTHING: Final = (
    rb"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]|\xc2\xad|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]"
    rb"|\xef\xbb\xbf"
)
_THROUGH: Final = rb"(?:%s|%s)*+" % (_SEQUENCE, _NOTHING)
# The same, cut by the end of what has come.
_CUT: Final = (
    rb"(?:\x1b(?:\[[ -?]*+|[\]PX^_][^\x07\x18\x1a\x1b]{0,%d}+\x1b?|[ -/]*+)?"
    rb"|\xc2(?:\x9b[ -?]*+|[\x90\x98\x9d-\x9f][^\x07\x18\x1a\x1b]{0,%d}+\x1b?)?"
    rb"|\xe2[\x80\x81]?|\xef\xbb?)?\Z"
) % (MOST_STRING, MOST_STRING)

_see_through: Final = re.compile(_THROUGH).match
_is_cut: Final = re.compile(_CUT).match
_sequences: Final = re.compile(_SEQUENCE)

# What one of these begins with, quicker to look for than the whole.
_ODD: Final = bytes([*range(8), *range(0x0E, 0x20), ord("%"), 0x7F])
_LEADS: Final = b"\xc2\xe2\xef"
_has_odd_character: Final = re.compile(
    rb"\xc2(?:[\x90\x98\x9b\x9d-\x9f\xad]|\Z)|\xe2(?:\x80(?:[\x8b-\x8f\xaa-\xae]|\Z)|\x81|\Z)"
    rb"|\xef(?:\xbb|\Z)"
).search

_PERCENT: Final = ord("%")
_HEXADECIMAL: Final = {ord(digit): int(digit, 16) for digit in "0123456789abcdefABCDEF"}

NOT_YET: Final = -1
"""In place of an end: the secret may go on behind the end of what has come."""


def spellings(secret: str) -> set[str]:
    """Return how a secret is written in JSON, in Go, Python, HTML, a shell and a form.

    Percent-encodings are not among them: `Finder` reads any.
    """
    in_json = json.dumps(secret)[1:-1]
    in_html = escape(secret)
    return {
        secret,
        secret.replace(" ", "+"),
        in_json,
        # As Go, which writes it for a page.
        re.sub("[<>&]", lambda found: f"\\u{ord(found.group()):04x}", in_json),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        go_quote(secret)[1:-1],
        repr(secret)[1:-1],
        in_html,
        escape(secret, quote=False),
        in_html.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        secret.replace("'", "'\\''"),
        secret.replace("'", "'\"'\"'"),
        re.sub(r"([^\w@%+=:,./-])", r"\\\1", secret),
    }


def is_odd(data: bytes) -> bool:
    """Whether a secret in some bytes may be written in another way than plainly."""
    if len(data.translate(None, _ODD)) != len(data):
        return True
    if data.isascii() or len(data.translate(None, _LEADS)) == len(data):
        return False
    return _has_odd_character(data) is not None


def sequences(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Return where the control sequences in a part of some bytes are."""
    return (found.span() for found in _sequences.finditer(data, start, end))


class Finder:
    """Looks for one secret.

    Args:
        secret: At least four bytes.
    """

    __slots__ = ("_begins", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._begins: list[re.Pattern[bytes]] | None = None

    def plain(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Return where the secret is written plainly, in bytes that have nothing odd in them.

        The last may be the beginning of one; its end is `NOT_YET`.
        """
        secret, find = self.secret, data.find
        start = find(secret)
        while start >= 0:
            yield start, start + len(secret)
            start = find(secret, start + 1)
        for size in range(min(len(secret) - 1, len(data)), 0, -1):
            if secret.startswith(data[-size:]):
                yield len(data) - size, NOT_YET
                return

    def spelled(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Return where the secret is written in any way, and where it may be about to be."""
        if self._begins is None:
            self._begins = _beginnings(self.secret)
        for begins in self._begins[: 2 if b"%" in data else 1]:
            found = begins.search(data)
            while found is not None:
                start = found.start()
                yield from ((start, end) for end in self._ends(data, start))
                found = begins.search(data, start + 1)

    def _ends(self, data: bytes, start: int) -> set[int]:
        """Return where a secret that begins there ends, `NOT_YET` among it where it may go on."""
        places = {start}
        cut: set[int] = set()
        for byte in self.secret:
            after: set[int] = set()
            for at in places:
                if _step(data, at, byte, after):
                    cut = {NOT_YET}
            places = after
        return places | cut


def _step(data: bytes, at: int, byte: int, after: set[int]) -> bool:
    """Read one byte of a secret, in any way in which it can be written.

    Args:
        data: Where.
        at: From where on.
        byte: Which.
        after: Takes the places behind it.

    Returns:
        Whether it may come behind the end of the data.
    """
    at = _through(data, at)
    if at < 0:
        return True
    if data[at] == byte:
        after.add(at + 1)
    if data[at] != _PERCENT:
        return False
    # `%25` is a percent sign that was encoded itself, any number of times.
    value = _PERCENT
    while value == _PERCENT:
        value = 0
        for _ in range(2):
            at = _through(data, at + 1)
            if at < 0:
                return True
            if data[at] not in _HEXADECIMAL:
                return False
            value = value * 16 + _HEXADECIMAL[data[at]]
        if value == byte:
            after.add(at + 1)
    return False


def _through(data: bytes, at: int) -> int:
    """Return the place behind what shows nothing; `NOT_YET` where all that came is that."""
    if at < len(data) and data[at] in _PLAIN:
        return at
    found = _see_through(data, at)
    at = found.end() if found is not None else at
    return NOT_YET if _is_cut(data, at) else at


_PLAIN: Final = frozenset(range(ord("!"), 0x7F))


def _beginnings(secret: bytes) -> list[re.Pattern[bytes]]:
    """Return patterns of what may be the beginning of a secret: quick, and right on some more.

    Each begins with one byte, which is looked for quickest: the secret's first, or its `%`.
    """
    one, two, three, four = (re.escape(secret[at : at + 1]) for at in range(4))
    through, cut = _THROUGH, _CUT
    fourth = rb"%s%s(?:%s|%%|%s)" % (three, through, four, cut)
    third = rb"%s%s(?:%s|%%|%s)" % (two, through, fourth, cut)
    first = rb"%s%s(?:%s|%%|%s)" % (one, through, third, cut)
    high, low = (b"[%x%X]" % (digit, digit) for digit in divmod(secret[0], 16))
    coded = rb"%%%s(?:2%s5%s)*(?:2?%s|%s%s(?:%s|%s))" % (
        *(through, through, through, cut),
        *(high, through, low, cut),
    )
    return [re.compile(first), re.compile(coded)]


def encoded(text: str) -> tuple[bytes, str]:
    """Return a text as bytes, and how to read them again."""
    try:
        return text.encode("utf-8", "surrogateescape"), "surrogateescape"
    except UnicodeEncodeError:
        return to_bytes(text), "surrogatepass"
