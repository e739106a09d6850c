"""An address as Go reads it, and what stands around one that does not belong there.  Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import SettingsError
from nomad_magic.go import (
    BAD_USERINFO,
    encode_query,
    go_quote,
    host_escape,
    parse_url,
    split_port,
)
from nomad_magic.record.userinfo import without_password
from nomad_magic.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

HIGHEST_PORT: Final = 65535

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Address(Value):
    """An address as Go's `url.Parse` reads it, path and query left out.

    Attributes:
        scheme: `http`, `https`, `unix`, or whatever stood there.
        host: Host and port, without user and password, with nothing escaped; brackets kept.
        path: The socket's path for `unix`, else empty.
        user: Basic auth's user name, or None.
        password: Basic auth's password; never shown.
    """

    scheme: str
    host: str
    path: str = ""
    user: str | None = None
    password: str = field(default="", repr=False)

    @property
    def url_scheme(self) -> str:
        """The scheme of the requests: a unix socket is spoken to in plain HTTP."""
        return "http" if self.scheme == "unix" else self.scheme

    @property
    def url_host(self) -> str:
        """The `Host` header of the requests: as Go, without an IPv6 zone and in ASCII."""
        name, port = split_port(self._meant)
        if self._meant.startswith("["):
            name = f"[{name.partition('%')[0]}]"
        return f"{_ascii_name(name)}:{port}" if _has_port(self._meant) else _ascii_name(name)

    @property
    def name(self) -> str:
        """The host alone, with its IPv6 zone; empty in `http://:4646`."""
        return split_port(self._meant)[0]

    @property
    def hostname(self) -> str:
        """What is dialled: a name in ASCII or an IP address; empty where there is no host.

        As in Go, a port alone is one of this machine (of IPv4, measured), and a zone counts
        for link-local addresses alone.
        """
        name = self.name
        if not name:
            return "127.0.0.1" if self._meant else ""
        literal, zoned, _ = name.partition("%")
        if zoned and self._meant.startswith("["):
            return name if _has_zones(literal) else literal
        return _ascii_name(name)

    @property
    def plain_name(self) -> str:
        """The name that a certificate must bear, and NO_PROXY names; empty in `https://:4646`.

        Without the zone, which no certificate can hold: Go leaves it there, and trusts none.
        """
        name = self.name
        return name.partition("%")[0] if self._meant.startswith("[") else _ascii_name(name)

    @property
    def port(self) -> int:
        """The port that is meant; it may be one that no TCP socket has."""
        # Cut, because Python reads no number of thousands of digits.
        port = split_port(self._meant)[1].lstrip("0")[:18]
        return int(port) if port else DEFAULT_PORTS.get(self.url_scheme, 0)

    @property
    def _meant(self) -> str:
        return "127.0.0.1" if self.scheme == "unix" else self.host

    def url(self, path: str, params: Mapping[str, str]) -> str:
        """Return the URL of a request, as Go prints it in its errors.

        Args:
            path: Percent-encoded already.
            params: Query parameters, not encoded; they are sorted by name.
        """
        scheme = self.url_scheme
        start = f"{scheme}:" if scheme else ""
        if scheme or self._meant:
            start += f"//{host_escape(self._meant)}"
        query = encode_query(params)
        return f"{start}{path}?{query}" if query else f"{start}{path}"

    def __str__(self) -> str:
        host = host_escape(self.host)
        if self.scheme == "unix":
            return f"unix://{host}{self.path}"
        return f"{self.scheme}://{host}" if self.scheme else host


def _has_port(host: str) -> bool:
    return host.rfind(":") > host.rfind("]")


def _has_zones(literal: str) -> bool:
    found = ip_address(literal)
    return found.is_link_local or found.is_multicast


def _ascii_name(name: str) -> str:
    """Write a name as name servers know it: `é.example` is `xn--9ca.example`.

    Near enough to Go's `idna.Lookup`; what cannot be a name is left as it is, to be looked up
    in vain.
    """
    if name.isascii():
        return name
    folded = unicodedata.normalize("NFKC", name.lower()).replace("\u3002", ".")
    try:
        folded.encode()
        return ".".join(
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
            for label in folded.split(".")
        )
    except UnicodeError:
        return name


_PLAIN_HOST = re.compile(r"[\w.%:\[\]~-]*")


def is_plain(address: Address, text: str) -> bool:
    """Whether nothing is odd about an address that parses: a comma may be of its host."""
    return bool(_PLAIN_HOST.fullmatch(address.host)) and not (address.path and _is_odd(text[-1]))


def parse_address(text: str, source: str = "") -> Address:
    """Read an address as Go's `url.Parse` does; what Nomad ignores is left out.

    Args:
        text: The address.
        source: The flag or the variable that it is from, for the hint.

    Raises:
        SettingsError: In the CLI's words; a password in the address is not repeated.
    """
    problem, url = parse_url(text)
    if url is not None:
        path = url.path if url.scheme == "unix" else ""
        return Address(
            scheme=url.scheme, host=url.host, path=path, user=url.user, password=url.password
        )
    shown = without_password(text)
    if shown != text and '"' in problem:
        # What it quotes may be of the password; what is wrong without that is not secret.
        problem = parse_url(shown)[0] or BAD_USERINFO
    hint = stray(text, source)
    if not hint and "colon" in problem:
        hint = f"Put the scheme before it: http://{shown}"
    elif not hint and problem.startswith("invalid port") and "::" in shown:
        hint = "Put an IPv6 address in brackets: http://[::1]:4646"
    raise SettingsError(
        f"Error initializing client: invalid address '{shown}': parse {go_quote(shown)}: {problem}",
        hint=hint,
    )


# Not compiled before there is an address that is odd.
_ASSIGNMENT: Final = r"(?i)(?:export\s+)?(?:NOMAD_ADDR|HTTPS?_PROXY)\s*=|--?address="
_STOP: Final = r":[0-9]+[.!]+$"


_AROUND: Final = frozenset("\"'`=<>(){}|,;")


_NAMED: Final = {
    " ": "a blank",
    "\t": "a tab",
    "\n": "the end of a line",
    "\r": "the end of a line",
    "'": "a quotation mark",
    '"': "a quotation mark",
}


def stray(text: str, source: str = "") -> str:
    """Return a sentence on what stands around an address and is not of it; mostly nothing.

    Args:
        text: The address as given; a password in it is not repeated.
        source: The flag or the variable that it is from.
    """
    before, core, after = _peel(text)
    inside = [one for one in core if _is_odd(one) and one not in _AROUND]
    where = f" the address in {source}" if source else " the address"
    if not before and not after:
        return f"There is {_listed(inside)} within{where}." if inside else ""
    if before and set(before) == set(after):
        said = f"There is {_listed(before)} before and after{where}"
    elif before:
        said = f"There is {_listed(before)} before{where}"
        said += f", and {_listed(after)} after it" if after else ""
    else:
        said = f"There is {_listed(after)} after{where}"
    for meant in (core,) if "://" in core else (core, f"http://{core}"):
        url = parse_url(meant)[1]
        if url and url.scheme in {*DEFAULT_PORTS, "unix"} and (url.host or url.path):
            return f"{said}: write {without_password(meant)}"
    return f"{said}."


def _peel(text: str) -> tuple[list[str], str, list[str]]:
    """Split off what stands before an address and after it and cannot be of it."""
    before: list[str] = []
    after: list[str] = []
    while text:
        if match := re.match(_ASSIGNMENT, text):
            before.append(match.group())
            text = text[match.end() :]
        elif _is_odd(text[0]):
            before.append(text[0])
            text = text[1:]
        elif _is_odd(text[-1]) or re.search(_STOP, text):
            after.insert(0, text[-1])
            text = text[:-1]
        else:
            break
    return before, text, after


def _is_odd(character: str) -> bool:
    category = unicodedata.category(character)
    return character in _AROUND or category[0] in "ZC" or category in {"Pi", "Pf"}


def _listed(found: list[str]) -> str:
    names = list(dict.fromkeys(map(_named, found)))
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _named(found: str) -> str:
    if found in _NAMED:
        return _NAMED[found]
    category = unicodedata.category(found) if len(found) == 1 else ""
    if category in {"Pi", "Pf"}:
        return f"a quotation mark ({found})"
    if category == "Cs":
        return "a byte that is not UTF-8"
    if category.startswith("Z"):
        return f"a blank (U+{ord(found):04X})"
    if category.startswith("C"):
        return f"an invisible character (U+{ord(found):04X})"
    return found
