"""In which ways a secret may be written, and where in some bytes it is.  Pure.

A program seldom prints a token as it was given.  It stands in a URL with some characters as `%2F`,
in JSON with a backslash before a quotation mark, on a terminal with a change of colour in its
middle.  A reader puts all that together again, so it is looked for as a reader sees it.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Final

from nomad_magic.go import go_quote, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_STRING: Final = 1 << 13
"""How long a string in a control sequence may be, in bytes, and still be seen through."""

MOST_NOTHINGS: Final = 32
"""How much there may be between two characters of a secret that shows nothing: in a stream of that
alone, each place would else be looked through to its end."""

# ECMA-48 and xterm's "Control Sequences": what shows nothing by itself.  C1 controls are two bytes
# in UTF-8.  An end of a line, a tab and a carriage return part what stands around them.
_CSI: Final = rb"(?:\x1b\[|\xc2\x9b)[ -?]*+[@-~]"
_STRING: Final = (
    rb"(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])(?:[^\x07\x18\x1a\x1b\xc2]|\xc2(?!\x9c)){0,%d}+"
    rb"(?:\x07|\x1b\\|\xc2\x9c)"
) % MOST_STRING
_ESCAPE: Final = rb"\x1b[ -/]*+[0-OQ-WYZ\\`-~]"
_SEQUENCE: Final = b"|".join([_CSI, _STRING, _ESCAPE])
# The controls that programs write for nothing to be seen, soft hyphens, joiners, marks of direction
# and of byte order.
_NOTHING: Final = (
    rb"[\x00\x07\x0e\x0f\x7f]|\xc2\xad|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]"
    rb"|\xef\xbb\xbf"
)
# What is plain is not looked at more closely: that makes it several times quicker.
_THROUGH: Final = rb"(?:(?![ -~])(?:%s|%s)){0,%d}+" % (_SEQUENCE, _NOTHING, MOST_NOTHINGS)
# The same, cut by the end of what has come.
_CUT: Final = (
    rb"(?![ -~])(?:\x1b(?:\[[ -?]*+|[\]PX^_][^\x07\x18\x1a\x1b]{0,%d}+\x1b?|[ -/]*+)?"
    rb"|\xc2(?:\x9b[ -?]*+|[\x90\x98\x9d-\x9f][^\x07\x18\x1a\x1b]{0,%d}+\x1b?)?"
    rb"|\xe2[\x80\x81]?|\xef\xbb?)?\Z"
) % (MOST_STRING, MOST_STRING)


# To compile them takes milliseconds, and most runs need none.
@functools.cache
def _see_through() -> re.Pattern[bytes]:
    return re.compile(_THROUGH)


@functools.cache
def _is_cut() -> re.Pattern[bytes]:
    return re.compile(_CUT)


@functools.cache
def _sequences() -> re.Pattern[bytes]:
    return re.compile(_SEQUENCE)


# What one of these begins with, quicker to look for than the whole.
_CONTROLS: Final = (b"\x1b", b"\x00", b"\x07", b"\x0e", b"\x0f", b"\x7f")
_LEADS: Final = (
    (b"\xc2", re.compile(rb"\xc2(?:[\x90\x98\x9b\x9d-\x9f\xad]|\Z)").search),
    (b"\xe2", re.compile(rb"\xe2(?:\x80(?:[\x8b-\x8f\xaa-\xae]|\Z)|\x81|\Z)").search),
    (b"\xef", re.compile(rb"\xef(?:\xbb|\Z)").search),
)

_has_code: Final = re.compile(rb"%(?:[0-9a-fA-F]{2}|[0-9a-fA-F]?\Z)").search

_PERCENT: Final = ord("%")
_HEXADECIMAL: Final = {ord(digit): int(digit, 16) for digit in "0123456789abcdefABCDEF"}

NOT_YET: Final = -1
"""In place of an end: the secret may go on behind the end of what has come."""


def spellings(secret: str) -> set[str]:
    """Return how a secret is written in JSON, in Go, Python, HTML, a shell and a form.

    Percent-encodings are not among them: `Finder` reads any.
    """
    in_json = json.dumps(secret)[1:-1]
    in_html = _escape(secret)
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
        _escape(secret, quote=False),
        in_html.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        secret.replace("'", "'\\''"),
        secret.replace("'", "'\"'\"'"),
        re.sub(r"([^\w@%+=:,./-])", r"\\\1", secret),
    }


def _escape(text: str, *, quote: bool = True) -> str:
    """Write a text as `html.escape` does, which would load a table of all names of HTML's."""
    for plain, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, written)
    return text.replace('"', "&quot;").replace("'", "&#x27;") if quote else text


def has_nothings(data: bytes) -> bool:
    """Whether there is something among some bytes that shows nothing."""
    if any(control in data for control in _CONTROLS):
        return True
    if data.isascii():
        return False
    return any(lead in data and search(data) is not None for lead, search in _LEADS)


def sequences(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Return where the control sequences in a part of some bytes are."""
    return (found.span() for found in _sequences().finditer(data, start, end))


class Finder:
    """Looks for one secret.

    Args:
        secret: At least four bytes.
    """

    __slots__ = ("_patterns", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._patterns: _Patterns | None = None

    def find(self, data: bytes, *, nothings: bool) -> Iterator[tuple[int, int]]:
        """Return where the secret is, and where it may be about to be: its end is `NOT_YET` then.

        Args:
            data: Where to look.
            nothings: Whether there is something in them that shows nothing.
        """
        percent = b"%" in data and (nothings or _has_code(data) is not None)
        return self._spelled(data, nothings, percent) if nothings or percent else self._plain(data)

    def _plain(self, data: bytes) -> Iterator[tuple[int, int]]:
        secret, find = self.secret, data.find
        start = find(secret)
        while start >= 0:
            yield start, start + len(secret)
            start = find(secret, start + 1)
        for size in range(min(len(secret) - 1, len(data)), 0, -1):
            if secret.startswith(data[-size:]):
                yield len(data) - size, NOT_YET
                return

    def _spelled(self, data: bytes, nothings: bool, percent: bool) -> Iterator[tuple[int, int]]:
        if self._patterns is None:
            self._patterns = _Patterns(self.secret)
        for begins in self._patterns.of(data, nothings=nothings, percent=percent):
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
            if not places:
                break
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
    found = _see_through().match(data, at)
    at = found.end() if found is not None else at
    return NOT_YET if _is_cut().match(data, at) else at


_PLAIN: Final = frozenset(range(ord("!"), 0x7F))


class _Patterns:
    """Patterns of what may be the beginning of a secret: quick, and right on some more.

    Each begins with one byte, which is looked for quickest: the secret's first, or its `%`.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        # By whether there are nothings: to make them takes some milliseconds.
        self._made: dict[bool, tuple[re.Pattern[bytes], re.Pattern[bytes]]] = {}
        codes = {code % secret[0] for code in (b"%02x", b"%02X")}
        self._codes = [before + code for before in (b"%", b"25") for code in codes]

    def of(self, data: bytes, *, nothings: bool, percent: bool) -> Iterator[re.Pattern[bytes]]:
        """Return those that can be in some bytes."""
        if nothings not in self._made:
            through, cut = (_THROUGH, _CUT) if nothings else (b"", rb"\Z")
            coded = re.compile(_coded(self._secret[0], through, cut))
            self._made[nothings] = _plain_beginning(self._secret, through, cut), coded
        plain, coded = self._made[nothings]
        yield plain
        # Where there are many codes, most are another byte's.
        there = nothings or any(code in data for code in self._codes)
        if percent and (there or _ends_in_code(data, max(0, len(data) - 99))):
            yield coded


_ends_in_code: Final = re.compile(rb"%(?:25)*[0-9a-fA-F]?\Z").search


def _plain_beginning(secret: bytes, through: bytes, cut: bytes) -> re.Pattern[bytes]:
    """Return a pattern for the first four bytes, of which the first is not encoded."""
    rest = b""
    for byte in reversed(secret[1:4]):
        plain, coded = re.escape(bytes([byte])), _coded(byte, through, cut)
        rest = rb"%s(?:(?:%s|%s)%s|%s)" % (through, plain, coded, rest, cut)
    return re.compile(re.escape(secret[:1]) + rest)


def _coded(byte: int, through: bytes, cut: bytes) -> bytes:
    high, low = (b"[%x%X]" % (digit, digit) for digit in divmod(byte, 16))
    again = rb"(?:2%s5%s)*" % (through, through)
    rest = rb"%s%s(?:%s|%s)|2?%s" % (high, through, low, cut, cut)
    return rb"%%%s%s(?:%s)" % (through, again, rest)


def encoded(text: str) -> tuple[bytes, str]:
    """Return a text as bytes, and how to read them again."""
    try:
        return text.encode("utf-8", "surrogateescape"), "surrogateescape"
    except UnicodeEncodeError:
        return to_bytes(text), "surrogatepass"
