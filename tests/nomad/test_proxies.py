"""Which proxy a request goes through: Go's rules, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.errors import SettingsError
from nomad_magic.nomad.address import parse_address
from nomad_magic.nomad.proxies import Proxies, proxies

PROXY = "http://proxy.example:3128"


def found(address: str, no_proxy: str = "") -> str:
    environ = Proxies(http=PROXY, https="proxy.example:3129", no_proxy=no_proxy)
    return environ.find(parse_address(address))


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


def test_a_port_alone_goes_through_a_proxy() -> None:
    """As measured on the CLI: `http://:4646` is of this machine, but not by name."""
    assert found("http://:4646") == PROXY
    assert found("http://[::1%25lo]:4646") == ""
    assert found("http://[fd00::1%25eth0]:4646", "fd00::1") == ""


# What the CLI of version 2.0.6 took each value of HTTP_PROXY for: the proxy it asked.
USED = {
    "http://127.0.0.1:8": "http://127.0.0.1:8",
    "127.0.0.1:8": "http://127.0.0.1:8",
    "localhost:8": "http://localhost:8",
    "HTTP://127.0.0.1:8": "http://127.0.0.1:8",
    "https://127.0.0.1:8": "https://127.0.0.1:8",
    "http://127.0.0.1:8/path?q#f": "http://127.0.0.1:8",
    "http://:8": "http://127.0.0.1:8",
    ":8": "http://127.0.0.1:8",
    "[::1]:8": "http://[::1]:8",
    "http://[::ffff:127.0.0.1]:8": "http://[::ffff:127.0.0.1]:8",
    "x": "http://x",
    "none": "http://none",
    "-": "http://-",
    "http://[::1%25lo]:1": "http://[::1%25lo]:1",
    "me:pw@127.0.0.1:8": "http://me:pw@127.0.0.1:8",
    "http://me@127.0.0.1:8": "http://me:@127.0.0.1:8",
    "http://me:p%40w%2F@127.0.0.1:8": "http://me:p%40w%2F@127.0.0.1:8",
}


@pytest.mark.parametrize("value", USED)
def test_what_is_a_proxy(value: str) -> None:
    """With a scheme or without; it is an address that parses."""
    proxy = Proxies(http=value)
    address = parse_address("http://nomad.example")
    assert proxy.find(address) == USED[value]
    assert proxy.ignored(address) == ()
    assert parse_address(USED[value]).hostname


@pytest.mark.parametrize(
    "value", [" http://p:8", "\thttp://p:8", "http://p:8\n", "http://p:8\r\n", "::1", "%zz"]
)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"])
def test_what_the_cli_ignores_is_ignored(value: str, variable: str) -> None:
    """As measured on version 2.0.6: what does not parse, with `http://` before it or without."""
    scheme = variable.lower().removesuffix("_proxy")
    read = proxies({variable: value})
    address = parse_address(f"{scheme}://nomad.example")
    assert read.find(address) == ""
    assert read.ignored(address) == ((variable, value),)
    other = "http" if scheme == "https" else "https"
    for unconcerned in (f"{other}://nomad.example", f"{scheme}://localhost", "unix:///s"):
        assert read.ignored(parse_address(unconcerned)) == ()


def test_a_bad_variable_in_capitals_hides_a_good_one() -> None:
    """As in the CLI: the first that is not empty is the one that is read."""
    read = proxies({"HTTP_PROXY": " http://p:8", "http_proxy": "http://p:8"})
    address = parse_address("http://nomad.example")
    assert read.find(address) == ""
    assert read.ignored(address) == (("HTTP_PROXY", " http://p:8"),)


# These the CLI takes for a proxy, and cannot reach.
LEAD_NOWHERE = [
    *("http://", "http:", "http://?x", "http:/p:8", "http:p:8", "http//p:8", "//p:8", "/", "#"),
    *("http://p:x", "p:x", "http://p:99999", "http://[::1", "http://p q:1", "http://p:8 "),
    *("'http://p:8'", '"http://p:8"', "=http://p:8", "'p:8", "p,:8", "me:pw x@p:8"),
    *("me:p%zz@p:8", "http://me:p/w@p:8"),
]


@pytest.mark.parametrize("value", LEAD_NOWHERE)
def test_what_leads_nowhere_is_said_with_its_variable(value: str) -> None:
    """Before anything is sent, as the way past the proxy may be the wrong one; no password."""
    address = parse_address("http://nomad.example")
    for variable in ("HTTP_PROXY", "http_proxy"):
        with pytest.raises(SettingsError) as caught:
            proxies({variable: value}).find(address)
        assert caught.value.message.startswith("invalid proxy address ")
        assert caught.value.message.endswith(f" in {variable}")
        assert "me:" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "ftp", "tcp"])
def test_a_proxy_that_is_not_spoken_to_is_said_with_its_variable(scheme: str) -> None:
    """Go speaks to SOCKS5, and asks the others for requests but not for the session."""
    with pytest.raises(SettingsError, match=rf"kind {scheme}, as in HTTPS_PROXY") as caught:
        Proxies(https=f"{scheme}://me:hunter22@p:1").find(parse_address("https://nomad.example"))
    assert "hunter22" not in str(caught.value)


@given(st.text(max_size=20) | st.text(":/?#[]@%0123456789abfhpt. '=\n", max_size=20))
def test_any_text_is_a_proxy_or_ignored_or_an_error(text: str) -> None:
    """And a proxy is an address that parses."""
    address = parse_address("http://nomad.example")
    proxy = Proxies(http=text)
    try:
        url = proxy.find(address)
    except SettingsError:
        return
    assert bool(url) is bool(text and not proxy.ignored(address))
    if url:
        assert parse_address(url).hostname


@pytest.mark.parametrize(
    "value",
    [
        *("http://me:hunter22@p:1", "me:hunter22@p:1", "//me:hunter22@p", "http:me:hunter22@p"),
        *(
            "http:/me:hunter22@p",
            " 'http://me:hunter22@p'",
            "http//me:hunter22@p",
            "=me:hunter22@p",
        ),
    ],
)
def test_the_password_is_a_secret_in_whatever_stands_for_an_address(value: str) -> None:
    """Also where Go makes nothing of it."""
    assert "hunter22" in set(Proxies(http=value).secrets)
    assert "hunt//er22" in set(Proxies(https=value.replace("hunt", "hunt//")).secrets)


def test_the_password_is_a_secret() -> None:
    """As it stands in the variable, and as the header carries it."""
    secrets = list(Proxies(http="http://me:s%40crét@proxy:1", https="x:y@z").secrets)
    assert {"s%40crét", "s@crét", "y"} <= set(secrets)
    with pytest.raises(SettingsError) as caught:
        Proxies(http="me:hunter22@proxy:x").find(parse_address("http://nomad.example"))
    assert "hunter22" not in caught.value.message
