"""From flags and environment to the agent that is meant: `Target`.

Pure: the environment is handed in.  Precedence is the CLI's: a flag that is given and not
empty, then the environment, then the default (measured on Nomad 2.0.6; Nomad's
documentation lists the variables under "Commands").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from nomad_magic.errors import SettingsError
from nomad_magic.flags import without_password
from nomad_magic.masking import Masker, basic_auth_secrets
from nomad_magic.nomad.gowords import encode_query, go_quote, parse_bool
from nomad_magic.nomad.proxies import Proxies, proxies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nomad_magic.flags import ActionArgs

DEFAULT_ADDRESS: Final = "http://127.0.0.1:4646"
_ZONE: Final = re.compile(r"%25[^\]]*(?=\])")
_PORT_DIGITS: Final = 6
"""More than any port has: a longer number is as wrong, and need not be read."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a notebook can set and a command line cannot; times are in seconds.

    Attributes:
        connect_timeout: To connect, the name's lookup included; then for the TLS handshake; then
            for the answer to a websocket upgrade.
        answer_timeout: For each answer to a request.
        timeout: For the action itself; None lets it run as long as it likes.
        grace: How long an action may clean up after a timeout has interrupted it.
        direct: Try the allocation's own node before the configured address, as the CLI does.
        link_timeout: How long an exec session's connection may show no sign of life before the run
            counts as lost.  A silent action is none: the agent is asked.
        max_answer_bytes: How large an answer to a request may be, unpacked, in bytes.
        max_frame_bytes: How large a message of an exec session may be, in bytes.
    """

    connect_timeout: float = 10.0
    answer_timeout: float = 30.0
    timeout: float | None = None
    grace: float = 10.0
    direct: bool = True
    link_timeout: float = 60.0
    max_answer_bytes: int = 64_000_000
    max_frame_bytes: int = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSFiles:
    """The TLS settings as given: paths, a name and a switch; nothing is read here.

    `root_file` and `root_dirs` are the system's own variables `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    """

    ca_cert: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_name: str = ""
    skip_verify: bool = False
    root_file: str = ""
    root_dirs: str = ""

    @property
    def given(self) -> bool:
        """Something was asked for besides what the system has."""
        return self != TLSFiles(root_file=self.root_file, root_dirs=self.root_dirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address as Go's `url.Parse` reads it, path and query left out.

    Attributes:
        scheme: `http`, `https`, `unix`, or whatever stood there.
        host: Host and port as written, without user and password; brackets kept.
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
        """The host of the requests, as written."""
        return "127.0.0.1" if self.scheme == "unix" else self.host

    @property
    def host_header(self) -> str:
        """The requests' `Host` header: without a zone, which is of this machine alone (Go)."""
        return _ZONE.sub("", self.url_host)

    @property
    def hostname(self) -> str:
        """The host alone, without port or brackets; this machine where there is a port alone."""
        return _split_port(self.url_host)[0] or ("localhost" if self.host else "")

    @property
    def certificate_name(self) -> str:
        """The name that a certificate must bear for it."""
        return self.hostname.partition("%")[0]

    @property
    def port(self) -> int:
        """The port that is meant; it may be one that no TCP socket has."""
        port = _split_port(self.url_host)[1].lstrip("0")[:_PORT_DIGITS]
        if port or self.url_host.endswith("0"):
            return int(port or "0")
        return DEFAULT_PORTS.get(self.url_scheme, 0)

    def url(self, path: str, params: Mapping[str, str]) -> str:
        """Give the URL of a request, as Go prints it in its errors.

        Args:
            path: Percent-encoded already.
            params: Query parameters, not encoded; they are sorted by name.
        """
        scheme, host = self.url_scheme, self.url_host
        start = f"{scheme}:" if scheme else ""
        if scheme or host:
            start += f"//{host}"
        query = encode_query(params)
        return f"{start}{path}?{query}" if query else f"{start}{path}"

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.host}{self.path}"
        return f"{self.scheme}://{self.host}" if self.scheme else self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The agent that a run talks to, and as whom.

    Attributes:
        address: Where; `given` tells whether anyone said so.
        region: Sent with every request when not empty.
        namespace: Sent with every request when not empty; `*` means all.
        token: The ACL token; never shown.
        auth: Basic auth's user and password, or None; never shown.
        node_auth: The same for the allocation's own node.  As in the CLI, what stands in the
            address is for that address alone.
        tls: As given.
        proxies: The environment's; which one is used depends on the address.
    """

    address: Address
    given: bool = True
    region: str = ""
    namespace: str = ""
    token: str = field(default="", repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    node_auth: tuple[str, str] | None = field(default=None, repr=False)
    tls: TLSFiles = field(default_factory=TLSFiles)
    proxies: Proxies = field(default_factory=Proxies)

    @property
    def params(self) -> dict[str, str]:
        """The query parameters that every request carries."""
        pairs = {"region": self.region, "namespace": self.namespace}
        return {name: value for name, value in pairs.items() if value}

    def masker(self) -> Masker:
        """Give the masker that knows this target's secrets."""
        pairs = filter(None, (self.auth, self.node_auth))
        basic = [secret for pair in pairs for secret in basic_auth_secrets(*pair)]
        return Masker([self.token, *basic, *self.proxies.secrets])

    @property
    def notices(self) -> list[str]:
        """What the user should know of the settings."""
        ignored = self.proxies.ignored(self.address)
        return [ignored] if ignored else []


def target(args: ActionArgs, environ: Mapping[str, str]) -> Target:
    """Combine a line's flags with the environment.

    Args:
        args: The flags as parsed.
        environ: The environment at the time of the run.

    Raises:
        SettingsError: The address cannot be parsed.
    """

    def choose(flag: str, variable: str) -> str:
        return flag or environ.get(variable, "")

    text = choose(args.address, "NOMAD_ADDR")
    try:
        address = parse_address(text or DEFAULT_ADDRESS)
    except SettingsError as error:
        if odd := _odd(text, "-address" if args.address else "NOMAD_ADDR"):
            error.hint = odd
        raise
    user, _, password = environ.get("NOMAD_HTTP_AUTH", "").partition(":")
    variable = (user, password) if environ.get("NOMAD_HTTP_AUTH") else None
    own = (address.user, address.password) if address.user is not None else None
    # A value that Go cannot read as a boolean is ignored, as unset.
    skip = args.tls_skip_verify or bool(parse_bool(environ.get("NOMAD_SKIP_VERIFY", "")))
    return Target(
        address=address,
        given=bool(text),
        region=choose(args.region, "NOMAD_REGION"),
        namespace=choose(args.namespace, "NOMAD_NAMESPACE"),
        # As Go sends a header's value.
        token=choose(args.token, "NOMAD_TOKEN").strip(" \t"),
        auth=own or variable,
        node_auth=variable,
        tls=TLSFiles(
            ca_cert=choose(args.ca_cert, "NOMAD_CACERT"),
            ca_path=choose(args.ca_path, "NOMAD_CAPATH"),
            client_cert=choose(args.client_cert, "NOMAD_CLIENT_CERT"),
            client_key=choose(args.client_key, "NOMAD_CLIENT_KEY"),
            server_name=choose(args.tls_server_name, "NOMAD_TLS_SERVER_NAME"),
            skip_verify=skip,
            root_file=environ.get("SSL_CERT_FILE", ""),
            root_dirs=environ.get("SSL_CERT_DIR", ""),
        ),
        proxies=proxies(environ),
    )


_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)?:")
# Go lets `"<>` through, to look up a name that cannot exist.
_BAD_HOST_CHARACTER = re.compile(r"[\x00-\x20\"<>\\^`{|}]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
# In a host only what is no ASCII may be escaped, and the `%` itself.
_BAD_HOST_ESCAPE = re.compile(r"%(?!25|[89A-Fa-f][0-9A-Fa-f]).{0,2}", re.DOTALL)
_USERINFO = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*")
_BAD_USERINFO: Final = "net/url: invalid userinfo"


def parse_address(text: str) -> Address:
    """Read an address as Go's `url.Parse` does; what Nomad ignores is left out.

    Raises:
        SettingsError: In the CLI's words; a password in the address is not repeated.
    """
    problem, address = _parse(text)
    if address is not None:
        return address
    shown = without_password(text)
    if shown != text and '"' in problem:
        # What it quotes may be of the password; what is wrong without that is no secret.
        problem = _parse(shown)[0] or _BAD_USERINFO
    hint = ""
    if "colon" in problem:
        hint = f"Put the scheme before it: http://{shown}"
    elif problem.startswith("invalid port") and "::" in shown:
        hint = "Put an IPv6 address in brackets: http://[::1]:4646"
    raise SettingsError(
        f"Error initializing client: invalid address '{shown}': parse {go_quote(shown)}: {problem}",
        hint=hint,
    )


_BLANKS: Final = " \t\r\n\v\f"
_QUOTES: Final = "\"'`“”‘’"  # noqa: RUF001 - those that a word processor makes of them


def _odd(text: str, source: str) -> str:
    """Say what stands around or in an address that does not belong there; nothing if all does."""
    inside = text.strip(_BLANKS + _QUOTES + "=,;")
    if not inside or _parse(inside)[1] is None or "://" not in inside:
        return ""
    start, end = text.partition(inside)[::2]
    found = [
        f"{_named(some)} {where} it" for some, where in ((start, "before"), (end, "after")) if some
    ]
    return f"{source} has {' and '.join(found)}. It reads: {go_quote(without_password(text))}"


def _named(some: str) -> str:
    """Name the characters of a few that are around an address."""
    names = {" ": "a blank", "\t": "a tab", "\r": "a carriage return", "\n": "the end of a line"}
    names |= {
        "=": "an equals sign",
        ",": "a comma",
        ";": "a semicolon",
        "\v": "a blank",
        "\f": "a blank",
    }
    return ", ".join(dict.fromkeys(names.get(one, "a quote") for one in some))


def _parse(text: str) -> tuple[str, Address | None]:
    """Give what is wrong with an address, or the address."""
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        return "net/url: invalid control character in URL", None
    rest, _, fragment = text.partition("#")
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
        _host_problem(host)
        or (_BAD_USERINFO if not _USERINFO.fullmatch(userinfo) else "")
        or _escape_problem(_BAD_ESCAPE, userinfo)
        or _escape_problem(_BAD_ESCAPE, "" if opaque else path)
        or _escape_problem(_BAD_ESCAPE, fragment)
    ):
        return problem, None
    if not rest.startswith("//"):
        # No authority: `localhost:4646` has the scheme `localhost`; requests fail, not this.
        path = rest if scheme == "unix" and rest.startswith("/") else ""
        return "", Address(scheme=scheme, host="", path=path)
    user, _, password = userinfo.partition(":")
    return "", Address(
        scheme=scheme,
        host=host,
        path=f"/{path}" if slash and scheme == "unix" else "",
        user=unquote(user) if at else None,
        password=unquote(password),
    )


def _host_problem(host: str) -> str:
    """Say what Go (1.26) would find wrong with a host and port, or nothing."""
    literal = None
    if host.startswith("["):
        literal, bracket, port = host[1:].rpartition("]")
        if not bracket:
            return "missing ']' in host"
        name = literal
    else:
        name, colon, port = host.partition(":")
        port = colon + port
    if port and not re.fullmatch(r":[0-9]*", port):
        return f"invalid port {go_quote(port)} after host"
    if bad := _BAD_HOST_CHARACTER.search(name):
        return f"invalid character {go_quote(bad.group())} in host name"
    return _escape_problem(_BAD_HOST_ESCAPE, name) or _literal_problem(name, literal)


def _literal_problem(name: str, literal: str | None) -> str:
    """Say what is wrong with the brackets of a host, or with what is in them."""
    if literal is None:
        return "invalid IP-literal" if "[" in name or "]" in name else ""
    try:
        version = ip_address(literal.partition("%25")[0]).version
    except ValueError:
        return f"invalid host: ParseAddr({go_quote(literal)}): unable to parse IP"
    return "" if version == 6 else "invalid IP-literal"


def _escape_problem(pattern: re.Pattern[str], text: str) -> str:
    bad = pattern.search(text)
    return f"invalid URL escape {go_quote(bad.group())}" if bad else ""


def _split_port(host: str) -> tuple[str, str]:
    """Split `name:port` or `[v6]:port`; the port may be empty."""
    if host.startswith("["):
        inside, _, port = host[1:].partition("]")
        return inside.replace("%25", "%", 1), port.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port
