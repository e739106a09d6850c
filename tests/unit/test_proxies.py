"""Which proxy a request goes through: Go's rules, case by case."""

from __future__ import annotations

import pytest

from nomad_magic.errors import SettingsError
from nomad_magic.nomad.proxies import Proxies, proxies
from nomad_magic.nomad.settings import parse_address

PROXY = "http://proxy.example:3128"


def found(address: str, no_proxy: str = "") -> str:
    given = Proxies(http=PROXY, https="proxy.example:3129", no_proxy=no_proxy)
    return given.find(parse_address(address))


def test_the_scheme_chooses() -> None:
    """A host and a port alone are an HTTP proxy; a socket has none."""
    assert found("http://nomad.example:4646") == PROXY
    assert found("https://nomad.example:4646") == "http://proxy.example:3129"
    assert found("unix:///run/nomad.sock") == ""
    assert Proxies(https=PROXY).find(parse_address("http://nomad.example")) == ""


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:4646", "127.9.9.9", "[::1]:4646"]
)
def test_loopback_never(host: str) -> None:
    """Whatever the variables say."""
    assert found(f"http://{host}") == ""


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("*", "nomad.example", True),
        ("other, NOMAD.example", "nomad.example:4646", True),
        ("example", "nomad.example", True),
        ("example", "nomadexample", False),
        (".example", "nomad.example", True),
        (".nomad.example", "nomad.example", False),
        ("*.example", "a.nomad.example", True),
        ("*.nomad.example", "nomad.example", False),
        ("nomad.example:4646", "nomad.example:4646", True),
        ("nomad.example:4647", "nomad.example:4646", False),
        ("nomad.example:80", "nomad.example", True),
        ("10.1.2.3", "10.1.2.3:4646", True),
        ("10.1.2.3:4646", "10.1.2.3:4646", True),
        ("10.1.2.3:80", "10.1.2.3:4646", False),
        ("10.0.0.0/8", "10.1.2.3:4646", True),
        ("10.0.0.0/8", "11.1.2.3:4646", False),
        ("10.0.0.0/8", "nomad.example", False),
        ("fd00::/8", "[fd00::1]:4646", True),
        ("[fd00::1]:4646", "[fd00::1]:4646", True),
        ("fd00::1", "[fd00::1]:4646", True),
        (",, ,", "nomad.example", False),
        (":4646", "nomad.example:4646", False),
        ("10.0.0.0/99", "10.1.2.3", False),
    ],
)
def test_no_proxy(no_proxy: str, host: str, *, direct: bool) -> None:
    """Its hosts, suffixes, addresses and networks, each with a port or without."""
    assert (found(f"http://{host}", no_proxy) == "") is direct


def test_the_environment() -> None:
    """Capitals first; nothing of a proxy is in a repr."""
    read = proxies({"HTTP_PROXY": "a:1", "http_proxy": "b:1", "no_proxy": "c", "HTTPS_PROXY": ""})
    assert (read.http, read.https, read.no_proxy) == ("a:1", "", "c")
    assert "a:1" not in repr(read)


NO_PROXYS = [
    "http://",
    "http://p:x",
    "p:x",
    "http://[::1",
    "http://p:-1",
    "a b",
]


@pytest.mark.parametrize("given", [*NO_PROXYS, "http://me:hunter22@proxy:x"])
def test_what_is_no_proxys_address_is_ignored_and_said(given: str) -> None:
    """As by the CLI; the variable is named, and no password shown."""
    for scheme in ("http", "https"):
        made = proxies({f"{scheme.upper()}_PROXY": given})
        address = parse_address(f"{scheme}://nomad.example")
        assert made.find(address) == ""
        assert f"{scheme.upper()}_PROXY is ignored" in made.ignored(address)
        assert "hunter22" not in made.ignored(address)
        # It would not have been used.
        assert made.ignored(parse_address(f"{scheme}://127.0.0.1")) == ""
    assert Proxies(http="http://p:1").ignored(parse_address("http://nomad.example")) == ""


@pytest.mark.parametrize("given", ["socks5://p:1080", "socks5h://p:1080"])
def test_a_proxy_of_a_kind_that_is_not_spoken_here_is_refused(given: str) -> None:
    """It is said before anything is sent: the way past the proxy may be the wrong one."""
    with pytest.raises(SettingsError, match=r"socks5h? is not supported \(HTTP_PROXY\)"):
        Proxies(http=given).find(parse_address("http://nomad.example"))


@pytest.mark.parametrize("given", ["p:99999", "http://p:65536", f"p:{'9' * 5000}"])
def test_a_proxys_port_that_does_not_exist_is_an_error(given: str) -> None:
    """As in the CLI, which uses it and fails: the way past it may be the wrong one."""
    with pytest.raises(SettingsError, match=r"the proxy in HTTP_PROXY has no port"):
        Proxies(http=given).find(parse_address("http://nomad.example"))


def test_the_password_is_a_secret() -> None:
    """As it stands in the variable, and as the header carries it."""
    secrets = list(Proxies(http="http://me:s%40crét@proxy:1", https="x:y@z").secrets)
    assert {"s%40crét", "s@crét", "y"} <= set(secrets)
