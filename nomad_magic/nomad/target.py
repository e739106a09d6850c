"""From flags and environment to the agent that is meant: `Target`.

Pure: the environment is handed in.  Precedence is the CLI's: a flag that is given and not
empty, then the environment, then the default (measured on Nomad 2.0.6; Nomad's
documentation lists the variables under "Commands").
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Final

from nomad_magic.go import parse_bool
from nomad_magic.nomad.address import Address, is_plain, parse_address, stray
from nomad_magic.nomad.proxies import Proxies, proxies
from nomad_magic.record.facts import Place
from nomad_magic.record.masking import Masker
from nomad_magic.record.userinfo import address_secrets, basic_auth_secrets
from nomad_magic.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nomad_magic.line.flags import ActionArgs

DEFAULT_ADDRESS: Final = "http://127.0.0.1:4646"


class TLSFiles(Value):
    """The TLS settings as given: paths, a name and a switch; nothing is read here.

    Attributes:
        ca_cert: The authorities that are trusted instead of the system's.
        ca_path: A folder of them.
        client_cert: What we show an agent that asks.
        client_key: Its key.
        server_name: The name that the agent's certificate must bear.
        skip_verify: Trust any certificate.
        system_file: `SSL_CERT_FILE`: where the system's authorities are, for Go and OpenSSL.
        system_dirs: `SSL_CERT_DIR`: the same in folders, with colons between them.
    """

    ca_cert: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_name: str = ""
    skip_verify: bool = False
    system_file: str = ""
    system_dirs: str = ""

    @property
    def given(self) -> bool:
        """Whether anything is asked for that is Nomad's own, for an `http` address too."""
        paths = (self.ca_cert, self.ca_path, self.client_cert, self.client_key)
        return any(paths) or bool(self.server_name) or self.skip_verify


class Target(Value):
    """The agent that a run talks to, and as whom.

    Attributes:
        address: Where; `given` tells whether anyone said so.
        region: Sent with every request when not empty.
        namespace: Sent with every request when not empty; `*` means all.
        token: The ACL token as it is sent; never shown.
        auth: Basic auth's user and password, or None; never shown.
        node_auth: The same for the allocation's own node.  As in the CLI, what stands in the
            address is for that address alone.
        tls: As given.
        proxies: The environment's; which one is used depends on the address.
        known: What else must not be shown, whether this run needs it or not.
        hint: What stands around the address that does not belong there, for when nothing
            answers; mostly empty.
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
    known: frozenset[str] = field(default=frozenset(), repr=False)
    hint: str = ""

    @property
    def notices(self) -> tuple[str, ...]:
        """What of the environment is ignored although it was meant for this address."""
        return tuple(
            f"{variable} does not hold the address of a proxy and is ignored, as nomad job action "
            f"ignores it. {stray(value, variable)}".rstrip()
            for variable, value in self.proxies.ignored(self.address)
        )

    @property
    def params(self) -> dict[str, str]:
        """The query parameters that every request carries."""
        pairs = {"region": self.region, "namespace": self.namespace}
        return {name: value for name, value in pairs.items() if value}

    @property
    def place(self) -> Place:
        """What is known by it of where a run goes."""
        return Place(address=str(self.address), region=self.region, namespace=self.namespace)

    def masker(self) -> Masker:
        """Return the masker that knows this target's secrets."""
        pairs = filter(None, (self.auth, self.node_auth))
        basic = [secret for pair in pairs for secret in basic_auth_secrets(*pair)]
        return Masker([self.token, *basic, *self.proxies.secrets, *self.known])


_TOKEN: Final = re.compile(r"-+token[=: ]?", re.IGNORECASE)
_ADDRESSES: Final = ("NOMAD_ADDR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


def known_secrets(words: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Return what must not be shown of a line and the environment, whatever becomes of the line.

    It is not parsed for that: one that is mistyped has a token all the same.

    Args:
        words: The line's.
        environ: The environment.
    """
    yield environ.get("NOMAD_TOKEN", "")
    if auth := environ.get("NOMAD_HTTP_AUTH", ""):
        user, _, password = auth.partition(":")
        yield from basic_auth_secrets(user, password)
    for variable in _ADDRESSES:
        yield from address_secrets(environ.get(variable, ""))
    for before, word in zip(["", *words], words, strict=False):
        if written := _TOKEN.match(word):
            yield word[written.end() :]
        if _TOKEN.fullmatch(before):
            yield word
        yield from address_secrets(word)


def read_target(args: ActionArgs, environ: Mapping[str, str], words: Sequence[str] = ()) -> Target:
    """Combine a line's flags with the environment.

    Args:
        args: The flags as parsed.
        environ: The environment at the time of the run.
        words: The line, for what in it must not be shown.

    Raises:
        SettingsError: The address cannot be parsed.
    """

    def choose(flag: str, variable: str) -> str:
        return flag or environ.get(variable, "")

    text = choose(args.address, "NOMAD_ADDR")
    source = "-address" if args.address else "NOMAD_ADDR"
    address = parse_address(text or DEFAULT_ADDRESS, source)
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
        # As Go sends a header's value; a token of blanks alone is sent as none.
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
            system_file=environ.get("SSL_CERT_FILE", ""),
            system_dirs=environ.get("SSL_CERT_DIR", ""),
        ),
        proxies=proxies(environ),
        known=frozenset(known_secrets(words, environ)) | {*address_secrets(text)},
        hint="" if is_plain(address, text) else stray(text, source),
    )
