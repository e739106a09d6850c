"""Which proxy a request goes through, as Go's client decides it.

Pure: the environment is handed in.  The rules are those of Go's package
`golang.org/x/net/http/httpproxy`, whose documentation they follow: `HTTP_PROXY`, `HTTPS_PROXY`
and `NO_PROXY`, or the same in lower case; loopback never; what does not parse is ignored.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from nomad_magic.errors import SettingsError
from nomad_magic.go import Url, go_quote, parse_url, split_port, to_bytes
from nomad_magic.nomad.address import HIGHEST_PORT
from nomad_magic.record.userinfo import address_secrets, without_password
from nomad_magic.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nomad_magic.nomad.address import Address


USABLE: Final = frozenset({"http", "https"})

_NAME = re.compile(r"[\w.%:~-]*")


class Proxies(Value):
    """The proxies that the environment names.

    Attributes:
        http: For requests without TLS; may hold a password, and is never shown.
        https: For requests with TLS; the same.
        no_proxy: Where none is used: hosts, `.suffixes`, addresses, networks, or `*`.
        http_variable: The variable that `http` is from.
        https_variable: The variable that `https` is from.
    """

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    no_proxy: str = ""
    http_variable: str = "HTTP_PROXY"
    https_variable: str = "HTTPS_PROXY"

    def find(self, address: Address) -> str:
        """Return the URL of the proxy for an address; empty when the way is direct.

        What Go's parser refuses is ignored, as there; `ignored` tells of it.

        Raises:
            SettingsError: What Go makes of the variable leads nowhere, or to a proxy of a kind
                that is not spoken here.
        """
        variable, given = self._meant_for(address)
        proxy = _parse(given)
        return "" if proxy is None else _usable(proxy, variable, given)

    def ignored(self, address: Address) -> tuple[tuple[str, str], ...]:
        """Return the variable that is ignored for an address, with its value; mostly nothing."""
        variable, given = self._meant_for(address)
        return ((variable, given),) if given and _parse(given) is None else ()

    @property
    def secrets(self) -> Iterator[str]:
        """What must not be shown of them."""
        for given in (self.http, self.https):
            # Not parsed: what is not an address has a password all the same.
            yield from address_secrets(given)

    def _meant_for(self, address: Address) -> tuple[str, str]:
        """Return the variable that counts for an address, and its value or nothing."""
        variable, given = {
            "http": (self.http_variable, self.http),
            "https": (self.https_variable, self.https),
        }.get(address.scheme, ("", ""))
        used = given and self._used_for(address.plain_name, address.port)
        return variable, given if used else ""

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
        return name if environ.get(name) or not environ.get(name.lower()) else name.lower()

    http, https = choose("HTTP_PROXY"), choose("HTTPS_PROXY")
    return Proxies(
        http=environ.get(http, ""),
        https=environ.get(https, ""),
        no_proxy=environ.get(choose("NO_PROXY"), ""),
        http_variable=http,
        https_variable=https,
    )


def _parse(given: str) -> Url | None:
    """Read the address of a proxy as Go does; None for none, and for what is ignored there."""
    if not given:
        return None
    _, url = parse_url(given)
    if url is None or not url.scheme or not url.host:
        # A host and a port alone are an HTTP proxy.
        return parse_url(f"http://{given}")[1] or url
    return url


def _usable(proxy: Url, variable: str, given: str) -> str:
    """Return a proxy's URL.

    Raises:
        SettingsError: It cannot be asked.
    """
    name, port = split_port(proxy.host)
    # Where Go reads the scheme as the host it looks up a host called `http`.
    misread = name in USABLE and not port
    if misread or not proxy.host or not _NAME.fullmatch(name) or int(port[:18] or 0) > HIGHEST_PORT:
        # The value may hold a password.
        shown = go_quote(without_password(given))
        raise SettingsError(
            f"invalid proxy address {shown} in {variable}",
            hint="It looks like http://proxy.example:3128, with nothing around it.",
        )
    if proxy.scheme not in USABLE:
        raise SettingsError(
            f"a proxy of the kind {proxy.scheme}, as in {variable}, is not supported",
            hint="An HTTP proxy is; or name the agent's host in NO_PROXY.",
        )
    user = ""
    if proxy.user is not None:
        user = f"{quote(to_bytes(proxy.user))}:{quote(to_bytes(proxy.password), safe='')}@"
    # As in Go's dial, a port alone is one of this machine.
    host = proxy.host.replace("%", "%25") if name else f"127.0.0.1{proxy.host}"
    return f"{proxy.scheme}://{user}{host}"


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
