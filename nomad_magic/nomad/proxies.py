"""Which proxy a request goes through, as Go's client decides it.

Pure: the environment is handed in.  The rules are those of Go's package
`golang.org/x/net/http/httpproxy`, whose documentation they follow: `HTTP_PROXY`, `HTTPS_PROXY`
and `NO_PROXY`, or the same in lower case; loopback never.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from nomad_magic.errors import SettingsError
from nomad_magic.masking import basic_auth_secrets
from nomad_magic.nomad.gowords import go_quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nomad_magic.nomad.settings import Address

USABLE: Final = frozenset({"http", "https"})
SCHEMES: Final = USABLE | {"socks5", "socks5h"}
HIGHEST_PORT: Final = 65535
_PORT_DIGITS: Final = 6
"""More than any port has."""

_BAD: Final = re.compile(r"[\x00-\x20\x7f]")
"""What no URL has; Go's parser refuses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies that the environment names.

    Attributes:
        http: For requests without TLS; may hold a password, and is never shown.
        https: For requests with TLS; the same.
        no_proxy: Where none is used: hosts, `.suffixes`, addresses, networks, or `*`.
    """

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    no_proxy: str = ""

    def find(self, address: Address) -> str:
        """Return the URL of the proxy for an address; empty when the way is direct.

        What is no address of a proxy is ignored, as by Go; `ignored` says so.

        Raises:
            SettingsError: It is of a kind that is not spoken here.
        """
        given = self._given(address)
        url = _parse(given) if given else ""
        scheme = urlsplit(url).scheme
        if url and scheme not in USABLE:
            raise SettingsError(
                f"a proxy of the kind {scheme} is not supported ({_variable(address)})",
                hint="An HTTP proxy is; or name the agent's host in NO_PROXY.",
            )
        if url and _port(url) > HIGHEST_PORT:
            raise SettingsError(
                f"the proxy in {_variable(address)} has no port that there is: {_port(url)}"
            )
        return url

    def ignored(self, address: Address) -> str:
        """Say that the variable for an address holds no proxy's; nothing where it does."""
        given = self._given(address)
        if not given or _parse(given):
            return ""
        # The value may hold a password.
        shown = go_quote(given.rpartition("@")[2])
        return (
            f"{_variable(address)} is ignored, for it is no proxy's address: {shown}. One looks "
            "like http://proxy.example:3128."
        )

    def _given(self, address: Address) -> str:
        given = {"http": self.http, "https": self.https}.get(address.scheme, "")
        return given if given and self._used_for(address.hostname, address.port) else ""

    @property
    def secrets(self) -> Iterator[str]:
        """What must not be shown of them."""
        for given in (self.http, self.https):
            # Not parsed: what is no address has a password all the same.
            credentials = given.rpartition("@")[0].rpartition("/")[2]
            user, colon, password = credentials.partition(":")
            if colon:
                yield password
                yield from basic_auth_secrets(unquote(user), unquote(password))

    def _used_for(self, host: str, port: int) -> bool:
        host = host.lower().rstrip(".")
        literal = _ip(host)
        if host == "localhost" or (literal is not None and literal.is_loopback):
            return False
        return not any(
            _matches(entry, host, literal, port)
            for entry in map(str.strip, self.no_proxy.lower().split(","))
            if entry
        )


def proxies(environ: Mapping[str, str]) -> Proxies:
    """Read the environment; the name in capitals comes first."""

    def choose(name: str) -> str:
        return environ.get(name) or environ.get(name.lower(), "")

    return Proxies(
        http=choose("HTTP_PROXY"), https=choose("HTTPS_PROXY"), no_proxy=choose("NO_PROXY")
    )


def _port(url: str) -> int:
    port = _split(urlsplit(url).netloc.rpartition("@")[2])[1]
    return int(port[:_PORT_DIGITS] or "0")


def _variable(address: Address) -> str:
    return f"{address.scheme}_proxy".upper()


def _parse(given: str) -> str:
    """Return the URL of a proxy; empty where it is none."""
    try:
        url = given
        if urlsplit(given).scheme not in SCHEMES or "://" not in given:
            # As in Go: a host and a port alone are an HTTP proxy.
            url = f"http://{given}"
        parts = urlsplit(url)
        port = _split(parts.netloc.rpartition("@")[2])[1]
    except ValueError:
        return ""
    known = parts.hostname and (port.isdecimal() or not port) and not _BAD.search(url)
    return url if known else ""


def _matches(entry: str, host: str, literal: _Ip | None, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return literal is not None and literal.version == network.version and literal in network
    name, wanted = _split(entry)
    if not name or (wanted and wanted != str(port)):
        return False
    if (address := _ip(name)) is not None:
        return literal == address
    if name.startswith("*."):
        name = name[1:]
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")


_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def _ip(text: str) -> _Ip | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _split(entry: str) -> tuple[str, str]:
    """Split off a port; an IPv6 address has one only behind its brackets."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""
