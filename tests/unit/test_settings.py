"""From flags and environment to the agent that is meant, and what never shows of it."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic import flags
from nomad_magic.errors import SettingsError, UsageError
from nomad_magic.flags import ActionArgs
from nomad_magic.masking import MASK
from nomad_magic.nomad.locate import sanitize_prefix
from nomad_magic.nomad.settings import Address, Target, TLSFiles, parse_address, target

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "cli" / "parse.json").read_text(encoding="utf-8")
)


def settings(*argv: str, **environ: str) -> Target:
    args = flags.parse(
        ["-job=j", "-group=g", "-task=t", *argv, "a"], environ=environ, stdin_is_tty=False
    )
    return target(args, environ)


def refused(address: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        parse_address(address)
    return caught.value


# Precedence


@pytest.mark.parametrize(
    ("flag", "variable", "read", "default"),
    [
        ("region", "NOMAD_REGION", lambda found: found.region, ""),
        ("namespace", "NOMAD_NAMESPACE", lambda found: found.namespace, ""),
        ("token", "NOMAD_TOKEN", lambda found: found.token, ""),
        ("ca-cert", "NOMAD_CACERT", lambda found: found.tls.ca_cert, ""),
        ("ca-path", "NOMAD_CAPATH", lambda found: found.tls.ca_path, ""),
        ("client-cert", "NOMAD_CLIENT_CERT", lambda found: found.tls.client_cert, ""),
        ("client-key", "NOMAD_CLIENT_KEY", lambda found: found.tls.client_key, ""),
        ("tls-server-name", "NOMAD_TLS_SERVER_NAME", lambda found: found.tls.server_name, ""),
    ],
)
def test_a_flag_wins_over_the_environment_and_that_over_the_default(
    flag: str, variable: str, read: Any, default: str
) -> None:
    """A flag that is given as empty, and an empty variable, are as if not there."""
    assert read(settings(f"-{flag}=one", **{variable: "two"})) == "one"
    assert read(settings(f"-{flag}=", **{variable: "two"})) == "two"
    assert read(settings(**{variable: "two"})) == "two"
    assert read(settings(**{variable: ""})) == default
    assert read(settings()) == default


def test_the_address_follows_the_same_rule_and_remembers_who_gave_it() -> None:
    """The default is offered help that a given address is not."""
    flag, variable = "http://flag:1", "https://variable:2"
    assert str(settings(f"-address={flag}", NOMAD_ADDR=variable).address) == flag
    assert str(settings("-address=", NOMAD_ADDR=variable).address) == variable
    assert settings(NOMAD_ADDR=variable).given
    assert str(settings(NOMAD_ADDR="").address) == "http://127.0.0.1:4646"
    assert not settings().given


@pytest.mark.parametrize(
    ("argv", "value", "expected"),
    [
        ((), "", False),
        ((), "1", True),
        ((), "true", True),
        ((), "0", False),
        ((), "yes", False),
        ((), "maybe", False),
        ((), " true", False),
        (("-tls-skip-verify",), "0", True),
        (("-insecure",), "", True),
        (("-tls-skip-verify=false",), "1", True),
    ],
)
def test_skip_verify_is_on_when_either_says_so(
    argv: tuple[str, ...], value: str, expected: bool
) -> None:
    """What Go cannot read as a boolean is ignored in the environment."""
    assert settings(*argv, NOMAD_SKIP_VERIFY=value).tls.skip_verify is expected


@pytest.mark.parametrize(
    ("environ", "address", "expected"),
    [
        ("ann:s3cret", "http://h", ("ann", "s3cret")),
        ("ann:s:3", "http://h", ("ann", "s:3")),
        ("ann", "http://h", ("ann", "")),
        (":s3cret", "http://h", ("", "s3cret")),
        ("", "http://h", None),
        ("ann:s3cret", "http://bob:p%40ss@h", ("bob", "p@ss")),
        ("", "http://bob@h", ("bob", "")),
        ("ann:s3cret", "http://@h", ("", "")),
    ],
)
def test_basic_auth_comes_from_the_address_or_the_environment(
    environ: str, address: str, expected: tuple[str, str] | None
) -> None:
    """A user in the address wins; a name without a colon has an empty password."""
    found = settings(NOMAD_HTTP_AUTH=environ, NOMAD_ADDR=address)
    assert found.auth == expected
    assert found.node_auth == settings(NOMAD_HTTP_AUTH=environ).auth


def test_region_and_namespace_go_with_every_request_when_set() -> None:
    """An empty one is left out, so that the agent's own default holds."""
    assert settings().params == {}
    assert settings("-region=eu", "-namespace=*").params == {"region": "eu", "namespace": "*"}


def test_the_tls_settings_default_to_nothing_at_all() -> None:
    """Nothing given is the same as a new `TLSFiles`."""
    assert settings().tls == TLSFiles()


# Addresses, as the CLI was recorded


WITH_URL = [
    (recorded, found[1])
    for recorded in RECORDED
    if (found := re.search(r'Get "(.*?)"', recorded["stderr"]))
]


@pytest.mark.parametrize(
    ("recorded", "url"),
    WITH_URL,
    ids=[shlex.join(recorded["argv"]) + str(recorded["env"]) for recorded, _ in WITH_URL],
)
def test_every_recorded_url_is_built_as_recorded(recorded: dict[str, Any], url: str) -> None:
    """Scheme, host, path and sorted query are the CLI's, byte for byte."""
    environ = {"NOMAD_ADDR": "http://127.0.0.1:1"} | recorded["env"]
    args = flags.parse(recorded["argv"], environ=environ, stdin_is_tty=False)
    found = target(args, environ)
    if args.alloc:
        prefix = sanitize_prefix(args.alloc)
        path, params = "/v1/allocations", {"prefix": prefix} if prefix else {}
    else:
        path, params = "/v1/jobs", {"prefix": args.job, "per_page": "20"}
    assert found.address.url(path, {**found.params, **params}) == url


def test_the_recordings_have_every_kind_of_address() -> None:
    """The test above is not empty."""
    assert len(WITH_URL) > 40
    assert {"http", "localhost", "/v1/jobs?per_page=20&prefix=j"} == {
        url.partition(":")[0] for _, url in WITH_URL
    }


@pytest.mark.parametrize(
    ("text", "scheme", "host", "hostname", "port", "path"),
    [
        ("http://127.0.0.1:4646", "http", "127.0.0.1:4646", "127.0.0.1", 4646, ""),
        ("http://nomad", "http", "nomad", "nomad", 80, ""),
        ("https://nomad", "https", "nomad", "nomad", 443, ""),
        ("HTTPS://Nomad:1", "https", "Nomad:1", "Nomad", 1, ""),
        ("http://h:", "http", "h:", "h", 80, ""),
        ("http://h:99999", "http", "h:99999", "h", 99999, ""),
        ("http://[::1]:2", "http", "[::1]:2", "::1", 2, ""),
        ("https://[fe80::1]", "https", "[fe80::1]", "fe80::1", 443, ""),
        ("http://[fe80::1%25eth0]:2", "http", "[fe80::1%25eth0]:2", "fe80::1%eth0", 2, ""),
        ("http://h:1/some/path?x=1#y", "http", "h:1", "h", 1, ""),
        ("http://h?x=%zz", "http", "h", "h", 80, ""),
        ("http://é:80", "http", "é:80", "é", 80, ""),
        ("http://h%25x", "http", "h%25x", "h%25x", 80, ""),
        ("http://", "http", "", "", 80, ""),
        ("http:h:80", "http", "", "", 80, ""),
        ("http:/h", "http", "", "", 80, ""),
        ("unix:///run/nomad.sock", "unix", "", "127.0.0.1", 80, "/run/nomad.sock"),
        ("unix:/run/nomad.sock", "unix", "", "127.0.0.1", 80, "/run/nomad.sock"),
        ("unix://rel.sock", "unix", "rel.sock", "127.0.0.1", 80, ""),
        ("localhost:4646", "localhost", "", "", 0, ""),
        ("nocolon", "", "", "", 0, ""),
        ("//h:80", "", "h:80", "h", 80, ""),
        ("tcp://h:1", "tcp", "h:1", "h", 1, ""),
    ],
)
def test_an_address_is_read_as_go_reads_it(
    *, text: str, scheme: str, host: str, hostname: str, port: int, path: str
) -> None:
    """Measured on Go 1.26's `url.Parse`; what leads nowhere fails at the request, as there."""
    found = parse_address(text)
    assert (found.scheme, found.host, found.path) == (scheme, host, path)
    assert (found.hostname, found.port, found.user) == (hostname, port, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("127.0.0.1:4646", "first path segment in URL cannot contain colon"),
        (":4646", "missing protocol scheme"),
        ("http://h:abc", 'invalid port ":abc" after host'),
        ("http://h:80:90", 'invalid port ":80:90" after host'),
        ("http://::1:4646", 'invalid port "::1:4646" after host'),
        ("http://h:80:", 'invalid port ":80:" after host'),
        ("http://[::1", "missing ']' in host"),
        ("http://[::1]x", 'invalid port "x" after host'),
        ("http://[::1]:80:90", 'invalid port ":80:90" after host'),
        ("http://[zz]:1", 'invalid host: ParseAddr("zz"): unable to parse IP'),
        ("http://[1.2.3.4]:80", "invalid IP-literal"),
        ("http://a[b]:80", "invalid IP-literal"),
        ("http://a b", 'invalid character " " in host name'),
        ("http://a|b", 'invalid character "|" in host name'),
        ("http://a\\b", 'invalid character "\\\\" in host name'),
        ("http://{host}", 'invalid character "{" in host name'),
        ("http://a%zz", 'invalid URL escape "%zz"'),
        ("http://a%41b", 'invalid URL escape "%41"'),
        ("http://a%2", 'invalid URL escape "%2"'),
        ("http://[fe80::1%eth0]:1", 'invalid URL escape "%et"'),
        ("http://h/%zz", 'invalid URL escape "%zz"'),
        ("http://h#%zz", 'invalid URL escape "%zz"'),
        ("nocolon%zz", 'invalid URL escape "%zz"'),
        ("http://h\x7f", "net/url: invalid control character in URL"),
        ("http://h\n", "net/url: invalid control character in URL"),
    ],
)
def test_an_address_that_go_refuses_is_refused_in_its_words(text: str, problem: str) -> None:
    """Measured on Go 1.26, with the CLI's words around it."""
    shown = text.replace("\\", "\\\\").replace("\x7f", r"\x7f").replace("\n", r"\n")
    assert refused(text).message == (
        f"Error initializing client: invalid address '{text}': parse \"{shown}\": {problem}"
    )


def test_the_two_usual_mistakes_get_a_hint() -> None:
    """A scheme that is missing, and an IPv6 address without its brackets."""
    assert refused("127.0.0.1:4646").hint == "Put the scheme before it: http://127.0.0.1:4646"
    assert "brackets" in refused("http://::1:4646").hint
    assert refused("http://h:abc").hint == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http://bob9:s3cret word@h", "net/url: invalid userinfo"),
        ("http://bob9:s3crét@h", "net/url: invalid userinfo"),
        ("http://bob9:s3cret%zz@h", "net/url: invalid userinfo"),
        ("http://bob9:s3c/ret@h", "net/url: invalid userinfo"),
        ("http://bob9:s3cret@h:abc", 'invalid port ":abc" after host'),
        ("http://bob9:s3cret@a b", 'invalid character " " in host name'),
        ("1bob9:s3cret@h:80", "first path segment in URL cannot contain colon"),
        ("http://bob9:s3cret@h\n", "net/url: invalid control character in URL"),
    ],
)
def test_a_refused_address_never_repeats_its_password(text: str, problem: str) -> None:
    """Not the whole of it, nor the part that Go quotes."""
    error = refused(text)
    assert error.message.endswith(problem)
    for part in ("s3c", "ret", "bob9", "%zz"):
        assert part not in str(error)


@given(st.text(max_size=30) | st.text(":/?#[]@%0123456789abfhptuxn.{ ", max_size=30))
def test_any_text_is_an_address_or_a_settings_error(text: str) -> None:
    """And an address always has a port, a host name and a URL."""
    for start in ("", "http://", "unix://", "http://u:p@", "https://["):
        try:
            found = parse_address(start + text)
        except SettingsError:
            continue
        assert found.port >= 0
        assert isinstance(found.hostname, str)
        assert found.url("/v1/jobs", {}).endswith("/v1/jobs")
        assert str(found) is not None


@pytest.mark.parametrize(
    "text",
    ["http://h:1", "https://[::1]:2", "unix:///run/nomad.sock", "unix://rel.sock", "nocolon"],
)
def test_an_address_is_written_as_it_was_given(text: str) -> None:
    """What is shown can be given again, except where no scheme led anywhere."""
    assert str(parse_address(text)) == ("" if text == "nocolon" else text)


def test_a_url_has_its_query_sorted_and_escaped() -> None:
    """As `url.Values.Encode` does."""
    url = Address(scheme="http", host="h:1").url(
        "/v1/job/a%2Fb/action", {"task": "t 1", "action": "a&b", "allocID": "x"}
    )
    assert url == "http://h:1/v1/job/a%2Fb/action?action=a%26b&allocID=x&task=t+1"


# What never shows


def test_nothing_secret_is_in_any_repr() -> None:
    """Tokens and passwords, from flags, variables and addresses."""
    argv = ["-job=j", "-token=flag-token", "-address=http://ann:flag-password@h", "a"]
    args = flags.parse(argv, environ={}, stdin_is_tty=False)
    found = target(args, {})
    other = target(
        ActionArgs(action="a", job="j"),
        {"NOMAD_TOKEN": "env-token", "NOMAD_HTTP_AUTH": "bob:env-password"},
    )
    shown = repr([args, found, found.address, other, found.masker(), other.masker()])
    shown += f"{args} {found} {other} {found.address}"
    for secret in ("flag-token", "flag-password", "env-token", "env-password"):
        assert secret not in shown


def test_the_masker_knows_every_secret_of_a_target() -> None:
    """Token, password, and the header that carries the password."""
    found = settings(NOMAD_TOKEN="the-token", NOMAD_HTTP_AUTH="ann:the-password")
    text = "the-token the-password YW5uOnRoZS1wYXNzd29yZA=="
    assert found.masker().text(text) == f"{MASK} {MASK} {MASK}"
    assert not settings().masker()


def test_a_recorded_refusal_of_flags_never_reaches_the_settings() -> None:
    """The order is the CLI's: flags first, then address and certificates."""
    with pytest.raises(UsageError):
        settings("-bogus", NOMAD_ADDR="127.0.0.1:4646")


# What does not belong there


ODD = [
    (" http://h:1", "NOMAD_ADDR has a blank before it"),
    ("http://h:1 ", "NOMAD_ADDR has a blank after it"),
    ("http://h ", "NOMAD_ADDR has a blank after it"),
    ("http://h:1\n", "NOMAD_ADDR has the end of a line after it"),
    ("http://h:1\r\n", "NOMAD_ADDR has a carriage return, the end of a line after it"),
    ("\thttp://h:1", "NOMAD_ADDR has a tab before it"),
    ("=http://h:1", "NOMAD_ADDR has an equals sign before it"),
    ("'http://h:1'", "NOMAD_ADDR has a quote before it and a quote after it"),
    ('"http://h:1"', "NOMAD_ADDR has a quote before it and a quote after it"),
    ("http://h:1,", "NOMAD_ADDR has a comma after it"),
]


@pytest.mark.parametrize(("given", "words"), ODD)
def test_what_stands_around_an_address_is_named(given: str, words: str) -> None:
    """The CLI's words first; then what is there that should not be, and where it came from."""
    with pytest.raises(SettingsError) as caught:
        settings(NOMAD_ADDR=given)
    assert caught.value.message.startswith(
        f"Error initializing client: invalid address '{given}': "
    )
    assert caught.value.hint.startswith(words)
    with pytest.raises(SettingsError) as caught:
        settings(f"-address={given}")
    assert caught.value.hint.startswith(words.replace("NOMAD_ADDR", "-address"))


@pytest.mark.parametrize("given", ["h:1", "http:/ /h", "", " ", "http://h:x", '"'])
def test_other_mistakes_get_no_such_hint(given: str) -> None:
    """Only where the rest is an address."""
    with contextlib.suppress(SettingsError):
        settings(NOMAD_ADDR=given)
        return
    with pytest.raises(SettingsError) as caught:
        settings(NOMAD_ADDR=given)
    assert "before it" not in caught.value.hint
    assert "after it" not in caught.value.hint


def test_no_password_is_in_that_hint() -> None:
    """Nor in the message."""
    with pytest.raises(SettingsError) as caught:
        settings(NOMAD_ADDR=" http://ops:hunter22@h:1")
    assert "hunter22" not in str(caught.value)
    assert "a blank before it" in caught.value.hint


@pytest.mark.parametrize("around", [" ", "\t", "  \t"])
def test_a_token_is_sent_without_the_blanks_around_it(around: str) -> None:
    """As by Go; whatever form of it an action prints is masked."""
    found = settings(NOMAD_TOKEN=f"{around}abc def{around}")
    assert found.token == "abc def"
    assert "abc def" not in found.masker().text(f"<{around}abc def{around}>")
    assert settings(NOMAD_TOKEN=around).token == ""
    # Anything else is no blank: it is refused when it is sent.
    assert settings(NOMAD_TOKEN="abc\n").token == "abc\n"


@pytest.mark.parametrize(
    ("text", "hostname", "header", "port"),
    [
        ("http://:4746", "localhost", ":4746", 4746),
        ("http://[::1%25lo]:4746", "::1%lo", "[::1]:4746", 4746),
        ("http://[fe80::1%25eth0]", "fe80::1%eth0", "[fe80::1]", 80),
        ("http://h:0", "h", "h:0", 0),
        ("http://h:", "h", "h:", 80),
        (f"http://h:{'9' * 5000}", "h", f"h:{'9' * 5000}", 999999),
    ],
)
def test_hosts_that_are_dialled_otherwise_than_they_are_written(
    text: str, hostname: str, header: str, port: int
) -> None:
    """As Go does: this machine for a port alone, zones for the dial only."""
    address = parse_address(text)
    assert (address.hostname, address.host_header, address.port) == (hostname, header, port)
    assert "%" not in address.certificate_name
