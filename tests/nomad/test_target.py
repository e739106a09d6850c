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

from nomad_magic.errors import SettingsError, UsageError
from nomad_magic.line import flags
from nomad_magic.line.flag_table import FLAGS, Flag
from nomad_magic.line.flags import ActionArgs
from nomad_magic.nomad.address import Address, parse_address, stray
from nomad_magic.nomad.locate import sanitize_prefix
from nomad_magic.nomad.target import Target, TLSFiles, read_target
from nomad_magic.record.masking import MASK, SHORTEST

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "cli" / "parse.json").read_text(encoding="utf-8")
)


def settings(*argv: str, **environ: str) -> Target:
    args = flags.parse(
        ["-job=j", "-group=g", "-task=t", *argv, "a"], environ=environ, stdin_is_tty=False
    )
    return read_target(args, environ)


def refused(address: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        parse_address(address)
    return caught.value


# Precedence


READ = {
    "region": lambda found: found.region,
    "namespace": lambda found: found.namespace,
    "token": lambda found: found.token,
    "ca-cert": lambda found: found.tls.ca_cert,
    "ca-path": lambda found: found.tls.ca_path,
    "client-cert": lambda found: found.tls.client_cert,
    "client-key": lambda found: found.tls.client_key,
    "tls-server-name": lambda found: found.tls.server_name,
}
"""What of a target each flag is for; the address, and booleans, have tests of their own."""


@pytest.mark.parametrize(
    "flag",
    [
        flag
        for flag in FLAGS
        if flag.environment and flag.kind == "string" and flag.name != "address"
    ],
    ids=lambda flag: flag.name,
)
def test_a_flag_wins_over_the_environment_and_that_over_the_default(flag: Flag) -> None:
    """A flag that is given as empty, and an empty variable, are as if not there."""
    name, variable, read = flag.name, flag.environment, READ[flag.name]
    assert read(settings(f"-{name}=one", **{variable: "two"})) == "one"
    assert read(settings(f"-{name}=", **{variable: "two"})) == "two"
    assert read(settings(**{variable: "two"})) == "two"
    assert read(settings(**{variable: ""})) == ""
    assert read(settings()) == ""


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
    assert not settings().tls.given


def test_where_the_systems_authorities_are_is_of_the_environment() -> None:
    """They are read for `https` alone, so they do not count as given."""
    found = settings(SSL_CERT_FILE="/a", SSL_CERT_DIR="/b:/c").tls
    assert (found.system_file, found.system_dirs, found.given) == ("/a", "/b:/c", False)
    for flag in ("ca-cert", "ca-path", "client-cert", "client-key", "tls-server-name"):
        assert settings(f"-{flag}=x").tls.given
    assert settings("-tls-skip-verify").tls.given


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
    found = read_target(args, environ)
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
        ("http://[fe80::1%25eth0]:2", "http", "[fe80::1%eth0]:2", "fe80::1%eth0", 2, ""),
        ("http://h:1/some/path?x=1#y", "http", "h:1", "h", 1, ""),
        ("http://h?x=%zz", "http", "h", "h", 80, ""),
        ("http://é:80", "http", "é:80", "xn--9ca", 80, ""),
        ("http://%C3%89:80", "http", "É:80", "xn--9ca", 80, ""),
        ("http://h%25x", "http", "h%x", "h%x", 80, ""),
        ("http://:4746", "http", ":4746", "127.0.0.1", 4746, ""),
        ("http://:", "http", ":", "127.0.0.1", 80, ""),
        ("http://h#\n", "http", "h", "h", 80, ""),
        ("http://h]", "http", "h]", "h]", 80, ""),
        ("http://h:" + "1" * 5000, "http", "h:" + "1" * 5000, "h", int("1" * 18), ""),
        ("unix://a:b:1/s", "unix", "a:b:1", "127.0.0.1", 80, "/s"),
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


# What the CLI of version 2.0.6 dialled (or looked up, where it said so), what it sent as `Host`,
# and how it wrote the address in its errors.
REACHED = [
    ("http://:4746", "127.0.0.1", ":4746", "http://:4746"),
    ("http://:", "127.0.0.1", ":", "http://:"),
    ("http://[::1]:1", "::1", "[::1]:1", "http://[::1]:1"),
    ("http://[::1%25lo]:1", "::1", "[::1]:1", "http://[::1%25lo]:1"),
    ("http://[::1%25nope]:1", "::1", "[::1]:1", "http://[::1%25nope]:1"),
    ("http://[::1%25l%6f]:1", "::1", "[::1]:1", "http://[::1%25lo]:1"),
    ("http://[fe80::1%25%41é]:1", "fe80::1%Aé", "[fe80::1]:1", "http://[fe80::1%25A%C3%A9]:1"),
    ("http://0.0.0.0:1", "0.0.0.0", "0.0.0.0:1", "http://0.0.0.0:1"),
    ("http://[::]:1", "::", "[::]:1", "http://[::]:1"),
    ("http://[::%25lo]:1", "::", "[::]:1", "http://[::%25lo]:1"),
    ("http://[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:1", None),
    ("http://LOCALHOST:1", "LOCALHOST", "LOCALHOST:1", "http://LOCALHOST:1"),
    ("http://h.:1", "h.", "h.:1", "http://h.:1"),
    ("http://é.localhost:1", "xn--9ca.localhost", None, "http://%C3%A9.localhost:1"),
    ("http://%C3%A9:1", "xn--9ca", None, "http://%C3%A9:1"),
    ("http://É:1", "xn--9ca", None, "http://%C3%89:1"),
    ("http://h%25x:1", "h%x", None, "http://h%25x:1"),
    ("http://127.0.0.1%25lo:1", "127.0.0.1%lo", None, "http://127.0.0.1%25lo:1"),
    ("http://h,:1", "h,", None, "http://h,:1"),
    ('http://h":1', 'h"', None, 'http://h":1'),
    ("http://<h>:1", "<h>", None, "http://<h>:1"),
    ("https://[::1%25lo]:1", "::1", "[::1]:1", "https://[::1%25lo]:1"),
    ("unix:///run/nomad.sock", "127.0.0.1", "127.0.0.1", "http://127.0.0.1"),
]


@pytest.mark.parametrize(("text", "dialled", "header", "written"), REACHED)
def test_an_address_leads_where_the_clis_leads(
    text: str, dialled: str, header: str | None, written: str | None
) -> None:
    """A port alone is of this machine, and a zone is for the dial: no header holds it."""
    found = parse_address(text)
    assert found.hostname == dialled
    if header is not None:
        assert found.url_host == header
    assert found.url("/v1/jobs", {}) == f"{written or text}/v1/jobs"


@pytest.mark.parametrize(
    ("text", "name", "plain"),
    [
        ("https://:1", "", ""),
        ("https://[fe80::1%25eth0]:1", "fe80::1%eth0", "fe80::1"),
        ("https://[::1]", "::1", "::1"),
        ("https://h:1", "h", "h"),
        ("https://é", "é", "xn--9ca"),
        ("https://bücher。example", "bücher。example", "xn--bcher-kva.example"),
        ("https://\udcff", "\udcff", "\udcff"),
    ],
)
def test_the_name_that_a_certificate_must_bear(text: str, name: str, plain: str) -> None:
    """It has no zone and is ASCII; a port alone has none."""
    found = parse_address(text)
    assert (found.name, found.plain_name) == (name, plain)


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
        ("http://a%41|b", 'invalid URL escape "%41"'),
        ("http://a|b%41", 'invalid character "|" in host name'),
        ("http://x[::1]:a", "invalid IP-literal"),
        ("http://[fe80::1%25a b]", 'invalid character " " in host name'),
        ("http://a%2", 'invalid URL escape "%2"'),
        ("http://[fe80::1%eth0]:1", 'invalid URL escape "%et"'),
        ("http://[fe80::1%25a%2Fb]", 'invalid URL escape "%2F"'),
        ("http://[fe80::1%25%C3%A9]", 'invalid URL escape "%C3"'),
        ("http://[fe80::1%25a%z]", 'invalid URL escape "%z"'),
        (
            "http://[fe80::1%25]",
            'invalid host: ParseAddr("fe80::1%"): zone must be a non-empty string',
        ),
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


# What stands around `http://h:1`, and how it is called.
AROUND = [
    (" ", "", "a blank before the address"),
    ("", " ", "a blank after the address"),
    ("", "\n", "the end of a line after the address"),
    ("", "\r\n", "the end of a line after the address"),
    ("\t", "", "a tab before the address"),
    ("\xa0", "", "a blank (U+00A0) before the address"),
    ("\ufeff", "", "an invisible character (U+FEFF) before the address"),
    ("", "\u200b", "an invisible character (U+200B) after the address"),
    ("", "\x1b", "an invisible character (U+001B) after the address"),
    ("\udcff", "", "a byte that is not UTF-8 before the address"),
    ("'", "'", "a quotation mark before and after the address"),
    ('"', '"', "a quotation mark before and after the address"),
    ("", '"', "a quotation mark after the address"),
    ("“", "”", "a quotation mark (“) before the address, and a quotation mark (”) after it"),
    ("`", "`", "` before and after the address"),
    ("<", ">", "< before the address, and > after it"),
    ("(", ")", "( before the address, and ) after it"),
    ("=", "", "= before the address"),
    ("= ", "", "= and a blank before the address"),
    ("='", "'", "= and a quotation mark before the address, and a quotation mark after it"),
    ("NOMAD_ADDR=", "", "NOMAD_ADDR= before the address"),
    ('export NOMAD_ADDR="', '"', None),
    ("-address=", "", "-address= before the address"),
    ("", ",", ", after the address"),
    ("", ";", "; after the address"),
    ("", ".", ". after the address"),
    (" \t'", "'; \n", None),
]


@pytest.mark.parametrize(("before", "after", "said"), AROUND)
@pytest.mark.parametrize(
    "address", ["http://h:1", "https://[::1]:4646", "http://bob9:s3cret@h:1", "http://10.0.0.1:1"]
)
def test_what_stands_around_an_address_is_said(
    before: str, after: str, said: str | None, address: str
) -> None:
    """In a sentence with the variable or the flag and the address as it should be."""
    meant = address.replace("bob9:s3cret@", "")
    text = f"{before}{address}{after}"
    for argv, environ, source in (
        ([f"-address={text}"], {}, "-address"),
        ([], {"NOMAD_ADDR": text}, "NOMAD_ADDR"),
    ):
        with pytest.raises(SettingsError) as caught:
            settings(*argv, **environ)
        hint = caught.value.hint
        if said is not None:
            said_here = said.replace("the address", f"the address in {source}")
            assert hint == f"There is {said_here}: write {meant}"
        assert hint.startswith("There is ")
        assert hint.endswith(f": write {meant}")
        assert caught.value.message.startswith("Error initializing client: invalid address '")
        for part in ("s3c", "ret", "bob9"):
            assert part not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("=127.0.0.1:4646", "There is = before the address: write http://127.0.0.1:4646"),
        ("http://h :1", "There is a blank within the address."),
        ("ht\ntp://h:1", "There is the end of a line within the address."),
        (
            "' http://h :1",
            "There is a quotation mark and a blank before the address.",
        ),
        ("http://h:abc", ""),
        ("'", "There is a quotation mark before the address."),
    ],
)
def test_what_is_left_without_them_need_be_no_address(text: str, hint: str) -> None:
    """A scheme that is missing is put there; what is wrong all the same is not written."""
    with pytest.raises(SettingsError) if text != "'" else contextlib.nullcontext():
        parse_address(text)
    assert stray(text) == hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("http://h", ""),
        ("http://[fe80::1%25eth0]:1/x y", ""),
        ("unix:///run/a b.sock", ""),
        ("http://a,b", ""),
        ('http://h"', "There is a quotation mark after the address in NOMAD_ADDR: write http://h"),
        ("http://h,", "There is , after the address in NOMAD_ADDR: write http://h"),
        ("http://h'", "There is a quotation mark after the address in NOMAD_ADDR: write http://h"),
        (
            "unix:///run/n.sock ",
            "There is a blank after the address in NOMAD_ADDR: write unix:///run/n.sock",
        ),
    ],
)
def test_an_address_that_parses_may_have_a_hint_all_the_same(text: str, hint: str) -> None:
    """For when nothing answers there: Go looks up a host called `h,`."""
    assert settings(NOMAD_ADDR=text).hint == hint


@given(st.text(max_size=20), st.text(" '\"=\t\n\r\ufeff\x00,;<>", max_size=5))
def test_any_text_has_a_hint_or_none(text: str, around: str) -> None:
    """It is one line of text, whatever the address."""
    for hint in (stray(around + text + around), stray(text), stray(around + "http://h" + around)):
        assert hint == "" or hint.startswith("There is ")
        assert hint.isprintable() or not text.isprintable()


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
    found = read_target(args, {})
    other = read_target(
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


# The token as given, and the header's value that the CLI of version 2.0.6 sent.
TOKENS = [
    ("tok1 ", "tok1"),
    (" tok1", "tok1"),
    ("\ttok1\t", "tok1"),
    ("a b", "a b"),
    (" ", ""),
    (" \t ", ""),
    ("tök", "tök"),
    ("tok\xa0", "tok\xa0"),
    ("tok\x85", "tok\x85"),
    ("tok\u2003", "tok\u2003"),
    # Refused when it is sent.
    ("tok\n", "tok\n"),
    ("\x0btok", "\x0btok"),
]


@pytest.mark.parametrize(("given_token", "sent"), TOKENS)
def test_a_token_is_as_go_sends_it(given_token: str, sent: str) -> None:
    """Blanks and tabs around it are not of it, nothing else is taken off."""
    assert settings(NOMAD_TOKEN=given_token).token == sent
    # A flag of blanks is a flag.
    assert settings(f"-token={given_token}", NOMAD_TOKEN="env").token == sent


@given(st.text(" \tabcé\xa0", max_size=12))
def test_a_token_is_masked_as_given_and_as_sent(text: str) -> None:
    """No part of it is left, but for the blanks around it."""
    found = settings(f"-token={text}", NOMAD_TOKEN="")
    assert found.token == text.strip(" \t")
    if len(found.token.strip()) >= SHORTEST:
        for form in (text, found.token):
            assert found.masker().text(f"<{form}>").replace(MASK, "").strip("<> \t\xa0") == ""


@pytest.mark.parametrize(
    ("variable", "sent"),
    [
        ("ann:pw ", "ann:pw "),
        (" ann:pw", " ann:pw"),
        ("ann: pw", "ann: pw"),
        ("ann:pw\n", "ann:pw\n"),
        (" ", " :"),
        ("ann:pö", "ann:pö"),
    ],
)
def test_basic_auth_keeps_its_blanks(variable: str, sent: str) -> None:
    """They are inside the base64: measured on the CLI of version 2.0.6."""
    auth = settings(NOMAD_HTTP_AUTH=variable).auth
    assert auth is not None
    assert ":".join(auth) == sent


def test_a_proxy_that_is_ignored_is_said() -> None:
    """With its variable and what is wrong with it; the password is not."""
    found = settings(NOMAD_ADDR="http://h", http_proxy=" http://ann:s3cret@p:1")
    (notice,) = found.notices
    assert notice.startswith("http_proxy does not hold the address of a proxy and is ignored, ")
    assert notice.endswith("a blank before the address in http_proxy: write http://p:1")
    assert "s3cret" not in notice
    assert settings(NOMAD_ADDR="https://h", HTTP_PROXY=" http://p:1").notices == ()
    assert settings(NOMAD_ADDR="http://h", HTTP_PROXY="http://p:1").notices == ()
    assert settings(NOMAD_ADDR="http://localhost", HTTP_PROXY=" http://p:1").notices == ()
    assert settings(NOMAD_ADDR="http://h", HTTP_PROXY="%zz").notices[0].endswith("ignores it.")


def test_a_recorded_refusal_of_flags_never_reaches_the_settings() -> None:
    """The order is the CLI's: flags first, then address and certificates."""
    with pytest.raises(UsageError):
        settings("-bogus", NOMAD_ADDR="127.0.0.1:4646")
