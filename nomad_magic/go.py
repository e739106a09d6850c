"""How Go writes and reads small pieces of text: quotes, booleans, URLs, PEM.

Nomad's CLI and agent are Go programs.  An error that is to read as theirs, and a URL that is
to be the same byte for byte, need Go's own rules: `strconv.Quote`, `strconv.ParseBool`, the
parsing and escaping of `net/url`, and `pem.Decode` (https://pkg.go.dev/strconv,
https://pkg.go.dev/net/url, https://pkg.go.dev/encoding/pem; read and measured on Go 1.26).

A Go string is bytes; ours are text.  Bytes that are not UTF-8 reach Python as the lone
surrogates of `os.fsdecode`, and leave here as those bytes again.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, unquote

from nomad_magic.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

# What stands in a URL's host as it is, besides letters, digits and `-_.~`.
_SAFE_IN_HOST = "!$&'()*+,;=:[]<>\""


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
    return '"' + "".join(map(escaped, text)) + '"'


def escaped(character: str) -> str:
    """Return a character as it stands in Go's quotes; a printable one mostly stands for itself."""
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
    """Return the bytes that Go would hold for this text; never raises."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


# URLs


class Url(Value):
    """What `url.Parse` reads of a URL, as far as anyone here asks.

    Attributes:
        scheme: In small letters; may be empty.
        host: Host and port with nothing escaped; brackets and an IPv6 zone (`%eth0`) kept.
        path: As written; empty for what has no slash after its scheme.
        user: The user name, or None without an `@`.
        password: Never shown.
    """

    scheme: str
    host: str = ""
    path: str = ""
    user: str | None = None
    password: str = field(default="", repr=False)


BAD_USERINFO: Final = "net/url: invalid userinfo"

_STRICT_SCHEMES: Final = frozenset({"http", "https"})
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)?:")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
# Go lets `"<>` through, to look up a name that cannot exist.  Only what is not ASCII may be
# escaped in a host, and the `%` itself.
_BAD_IN_HOST = re.compile(r"%(?!25|[89A-Fa-f][0-9A-Fa-f]).{0,2}|[\x00-\x20\\^`{|}]", re.DOTALL)
_ODD_IN_ZONE = re.compile(r"%.{0,2}|[\x00-\x20\\^`{|}]", re.DOTALL)
_USERINFO = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*")


def parse_url(text: str) -> tuple[str, Url | None]:
    """Read a URL as `url.Parse` does: what is wrong with it, or the URL."""
    rest, _, fragment = text.partition("#")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in rest):
        return "net/url: invalid control character in URL", None
    scheme = ""
    if match := _SCHEME.match(rest):
        if match["scheme"] is None:
            return "missing protocol scheme", None
        scheme, rest = match["scheme"].lower(), rest[match.end() :]
    rest = rest.partition("?")[0]
    if not scheme and not rest.startswith("/") and ":" in rest.partition("/")[0]:
        return "first path segment in URL cannot contain colon", None
    opaque = bool(scheme) and not rest.startswith("/")
    authority, slash, path = rest[2:].partition("/") if rest.startswith("//") else ("", "", rest)
    userinfo, at, host = authority.rpartition("@")
    if problem := (
        _host_problem(scheme, host)
        or (BAD_USERINFO if not _USERINFO.fullmatch(userinfo) else "")
        or _escape_problem(_BAD_ESCAPE, userinfo)
        or _escape_problem(_BAD_ESCAPE, "" if opaque else path)
        or _escape_problem(_BAD_ESCAPE, fragment)
    ):
        return problem, None
    if not rest.startswith("//"):
        # No authority: `localhost:4646` has the scheme `localhost`; requests fail, not this.
        return "", Url(scheme=scheme, path="" if opaque else rest)
    user, _, password = userinfo.partition(":")
    return "", Url(
        scheme=scheme,
        host=unquote(host, errors="surrogateescape"),
        path=slash + path,
        user=unquote(user) if at else None,
        password=unquote(password),
    )


def host_escape(host: str) -> str:
    """Write a `Url.host` as it stands in a URL."""
    return quote(to_bytes(host), safe=_SAFE_IN_HOST)


def split_port(host: str) -> tuple[str, str]:
    """Split a `Url.host` into its name, without brackets, and its port; both may be empty."""
    if host.startswith("["):
        inside, _, port = host[1:].rpartition("]")
        return inside, port.removeprefix(":")
    name, colon, port = host.rpartition(":")
    return (name, port) if colon else (host, "")


def _host_problem(scheme: str, host: str) -> str:
    """Return what Go would find wrong with a host and port, or nothing."""
    literal = None
    if host.rfind("[") > 0:
        return "invalid IP-literal"
    if host.startswith("["):
        literal, bracket, port = host[1:].rpartition("]")
        if not bracket:
            return "missing ']' in host"
        name = literal
    else:
        # Some databases have lists of hosts with ports, so Go is strict with these two alone.
        at = host.find(":") if scheme in _STRICT_SCHEMES else host.rfind(":")
        name, port = (host, "") if at < 0 else (host[:at], host[at:])
    if port and not re.fullmatch(r":[0-9]*", port):
        return f"invalid port {go_quote(port)} after host"
    name, zoned, zone = name.partition("%25") if literal else (name, "", "")
    return (
        next((_bad_in_host(bad.group()) for bad in _BAD_IN_HOST.finditer(name)), "")
        or _zone_problem(zone)
        or _literal_problem(name, literal)
        or (f"invalid host: {_no_zone(name)}" if zoned and not zone else "")
    )


def _bad_in_host(text: str) -> str:
    if text.startswith("%"):
        return f"invalid URL escape {go_quote(text)}"
    return f"invalid character {go_quote(text)} in host name"


def _no_zone(name: str) -> str:
    return f"ParseAddr({go_quote(name + '%')}): zone must be a non-empty string"


def _zone_problem(zone: str) -> str:
    """Return what is wrong with an IPv6 zone, or nothing.

    What could not be written as it is may not be escaped either, but for the blanks that
    Windows has there.
    """
    for found in _ODD_IN_ZONE.findall(zone):
        character = "" if _BAD_ESCAPE.match(found) else unquote(found, "latin-1")
        allowed = character in {" ", "%"} or quote(character, safe=_SAFE_IN_HOST) == character
        if not found.startswith("%") or not character or not allowed:
            return _bad_in_host(found)
    return ""


def _literal_problem(name: str, literal: str | None) -> str:
    """Return what is wrong with what is in the brackets of a host, or nothing."""
    if literal is None:
        return ""
    try:
        version = ip_address(name).version
    except ValueError:
        return f"invalid host: ParseAddr({go_quote(literal)}): unable to parse IP"
    return "" if version == 6 else "invalid IP-literal"


def _escape_problem(pattern: re.Pattern[str], text: str) -> str:
    bad = pattern.search(text)
    return f"invalid URL escape {go_quote(bad.group())}" if bad else ""


# PEM


class PemBlock(Value):
    """One block of a PEM file.

    Attributes:
        kind: What stands after `BEGIN`, such as `CERTIFICATE`.
        headers: The `Name: value` lines at its beginning.
        data: What the base64 stands for; it may be of a private key, and is never shown.
    """

    kind: str
    headers: Mapping[str, str]
    data: bytes = field(repr=False)


def pem_blocks(text: bytes) -> Iterator[PemBlock]:
    """Read a PEM file as calls of `pem.Decode` do: what is not a whole block is passed over."""
    rest = text
    while (end := rest.find(_PEM_END)) >= 0:
        # The last BEGIN before an END: one that has no END of its own is passed over.
        begin = rest.rfind(_PEM_BEGIN, 0, end)
        found = None
        if begin == 0 or (begin > 0 and rest[begin - 1 : begin] == b"\n"):
            found = _pem_block(rest[begin + len(_PEM_BEGIN) :], end - begin - len(_PEM_BEGIN))
        if found is None:
            rest = rest[end + len(_PEM_END) :]
        else:
            block, size = found
            yield block
            rest = rest[begin + len(_PEM_BEGIN) + size :]


_PEM_BEGIN: Final = b"-----BEGIN "
_PEM_END: Final = b"\n-----END "
_DASHES: Final = b"-----"
# Python's own check lets signs of equality through that are too many.
_BASE64 = rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"


def _pem_block(text: bytes, end: int) -> tuple[PemBlock, int] | None:
    """Read one block; None where it is not whole.

    Args:
        text: What follows the word BEGIN.
        end: Where in it the line with the word END begins, at the line feed before it.

    Returns:
        The block and how many bytes of the text it takes.
    """
    line, at = _pem_line(text, 0)
    kind = line.removesuffix(_DASHES)
    if kind == line:
        return None
    headers: dict[str, str] = {}
    while at < len(text):
        line, after = _pem_line(text, at)
        name, colon, value = line.partition(b":")
        if not colon:
            break
        headers[name.strip().decode("latin-1")] = value.strip().decode("latin-1")
        at = after
    # An empty block's BEGIN line ends with the line feed that its END line begins with.
    if at >= len(text) or (headers and at > end):
        return None
    trailer, size = _pem_line(text, end + len(_PEM_END))
    if trailer != kind + _DASHES:
        return None
    coded = text[at : max(at, end)].translate(None, b" \t\r\n")
    if not re.fullmatch(_BASE64, coded):
        return None
    data = base64.b64decode(coded)
    return PemBlock(kind=kind.decode("latin-1"), headers=headers, data=data), size


def _pem_line(text: bytes, start: int) -> tuple[bytes, int]:
    """Return a line without the blanks at its end, and where the next one begins."""
    end = text.find(b"\n", start)
    if end < 0:
        return text[start:].rstrip(b" \t"), len(text)
    return text[start:end].removesuffix(b"\r").rstrip(b" \t"), end + 1
