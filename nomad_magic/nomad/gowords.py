"""How Go writes and reads small pieces of text: quotes, booleans, URLs.

Nomad's CLI and agent are Go programs.  An error that is to read as theirs, and a URL that is
to be the same byte for byte, need Go's own rules: `strconv.Quote`, `strconv.ParseBool` and
the escaping of `net/url` (https://pkg.go.dev/strconv, https://pkg.go.dev/net/url).

A Go string is bytes; ours are text.  Bytes that are no UTF-8 reach Python as the lone
surrogates of `os.fsdecode`, and leave here as those bytes again.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})

_NAMED_ESCAPES = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}

# What `url.PathEscape` leaves alone besides letters, digits and `-_.~`.
_SAFE_IN_PATH = "$&+=:@"


def parse_bool(text: str) -> bool | None:
    """Read a boolean as `strconv.ParseBool` does; None when it cannot be read."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return None


def go_quote(text: str) -> str:
    """Quote a string as `strconv.Quote` (and `%q`) does.

    Printable characters of any script stay as they are: Go counts the same Unicode categories
    as printable as `str.isprintable` does.
    """
    return '"' + "".join(_quoted(character) for character in text) + '"'


def _quoted(character: str) -> str:
    named = _NAMED_ESCAPES.get(character)
    if named is not None:
        return named
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return "".join(f"\\x{byte:02x}" for byte in to_bytes(character))
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def query_escape(text: str) -> str:
    """Escape a key or a value of a URL's query as `url.QueryEscape` does (blank → `+`)."""
    return quote_plus(to_bytes(text), safe="")


def path_escape(text: str) -> str:
    """Escape one segment of a URL's path as `url.PathEscape` does."""
    return quote(to_bytes(text), safe=_SAFE_IN_PATH)


def encode_query(params: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Write a URL's query as `url.Values.Encode` does: sorted by key, without the `?`.

    Args:
        params: Keys and values; pairs with the same key keep their order.
    """
    pairs = params.items() if isinstance(params, Mapping) else params
    ordered = sorted(pairs, key=lambda pair: to_bytes(pair[0]))
    return "&".join(f"{query_escape(key)}={query_escape(value)}" for key, value in ordered)


def basic_auth(user: str, password: str) -> str:
    """Return the value of an `Authorization` header."""
    return "Basic " + base64.b64encode(to_bytes(f"{user}:{password}")).decode()


def to_bytes(text: str) -> bytes:
    """Give the bytes that Go would hold for this text; never raises."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
