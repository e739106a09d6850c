"""Addresses of every kind: a unix socket, IPv6, basic auth, and what stands behind the host."""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING

import pytest
from support.cells import Shell, environment
from support.front import Front, front, has_ipv6

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.nomads import Agent

LINE = "-job=cache -group=redis -task=server hello"
REQUESTS = 5
"""How many a run makes: four questions, and the session."""


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    """A shell that asks the configured address alone, for the session too."""
    shell = Shell()
    assert shell.run("%config NomadMagics.direct = False").error is None
    yield shell
    shell.close()


@pytest.fixture(scope="module")
def plain(started_agent: Agent) -> Iterator[Front]:
    with front(started_agent.address, "127.0.0.1") as made:
        yield made


def check(shell: Shell, agent: Agent, made: Front, **more: str) -> list[str | None]:
    """Run an action through a front; give the Authorization header of each request."""
    for sent in made.sent:
        sent.clear()
    with environment({**agent.environ, "NOMAD_ADDR": made.address, **more}):
        ran = shell.magic(LINE)
    assert ran.error is None
    assert (ran.stdout, ran.stderr) == (b"hello\n", b"oops\n")
    headers = made.headers("Authorization")
    assert len(headers) == REQUESTS
    assert made.headers("Upgrade").count("websocket") == 1
    return headers


@pytest.mark.parametrize("name", ["nomad.sock", "a b é.sock"])
def test_a_unix_socket(shell: Shell, agent: Agent, tmp_path: Path, name: str) -> None:
    """Requests and the session go over it, with `127.0.0.1` as their host, as the CLI's do.

    A blank in the path is better than in the CLI, which looks for a file called `a%20b`.
    """
    with front(agent.address, tmp_path / name) as made:
        assert check(shell, agent, made) == [None] * REQUESTS
        assert made.headers("Host") == ["127.0.0.1"] * REQUESTS
        auth = check(shell, agent, made, NOMAD_HTTP_AUTH="me:hunter22")
        assert auth == [basic("me:hunter22")] * REQUESTS


def test_ipv6(shell: Shell, agent: Agent) -> None:
    """An address in brackets, and its host with them."""
    if not has_ipv6():
        pytest.skip("there is no IPv6 here")
    with front(agent.address, "::1") as made:
        check(shell, agent, made)
        assert made.address.startswith("http://[::1]:")
        assert made.headers("Host") == [made.address.removeprefix("http://")] * REQUESTS


def test_a_port_alone(shell: Shell, agent: Agent, plain: Front) -> None:
    """Leads to this machine; its host header is the port alone, as the CLI's is."""
    port = plain.address.rpartition(":")[2]
    check(shell, agent, plain, NOMAD_ADDR=f"http://:{port}")
    assert plain.headers("Host") == [f":{port}"] * REQUESTS


def test_an_ipv6_zone(shell: Shell, agent: Agent) -> None:
    """It is dialled, and not sent: it is of this machine alone."""
    if not has_ipv6():
        pytest.skip("there is no IPv6 here")
    with front(agent.address, "::1") as made:
        port = made.address.rpartition(":")[2]
        check(shell, agent, made, NOMAD_ADDR=f"http://[::1%25lo]:{port}")
        assert made.headers("Host") == [f"[::1]:{port}"] * REQUESTS


def test_what_follows_the_host_is_ignored(shell: Shell, agent: Agent, plain: Front) -> None:
    """A path, a query and a fragment change nothing."""
    check(shell, agent, plain, NOMAD_ADDR=f"{plain.address}/some/path?a=b#c")
    assert all(b"GET /v1/" in sent for sent in plain.sent if sent)
    assert not any(b"some" in sent for sent in plain.sent)


# What the real CLI of version 2.0.6 sends.
AUTH = {
    ("me:hunter%20%2F:2@", ""): "me:hunter /:2",
    ("", "env:hunter:22"): "env:hunter:22",
    ("url:hunter22@", "env:hunter33"): "url:hunter22",
    ("", "env"): "env:",
    ("only@", ""): "only:",
    (":hunter22@", ""): ":hunter22",
    ("@", "env:hunter22"): ":",
}


@pytest.mark.parametrize(("user", "variable"), AUTH)
def test_basic_auth(shell: Shell, agent: Agent, plain: Front, user: str, variable: str) -> None:
    """In the URL or in NOMAD_HTTP_AUTH: it is in each request, and nowhere in what is kept."""
    address = plain.address.replace("//", f"//{user}")
    auth = check(shell, agent, plain, NOMAD_ADDR=address, NOMAD_HTTP_AUTH=variable)
    assert auth == [basic(AUTH[user, variable])] * REQUESTS
    with environment({**agent.environ, "NOMAD_ADDR": address, "NOMAD_HTTP_AUTH": variable}):
        result = shell.magic(LINE).value
    assert "hunter" not in repr(result) + result.record()
    assert result.place.address == plain.address


# A token as given, and the header's value that the CLI of version 2.0.6 sent; {} is the agent's.
TOKENS = ["{} ", " {}", "\t{}\t", " \t{} \t"]


@pytest.mark.parametrize("given", TOKENS)
@pytest.mark.parametrize("flag", ["", "-token"])
def test_blanks_around_a_token_are_not_sent(
    shell: Shell, agent: Agent, plain: Front, given: str, flag: str
) -> None:
    """With every request and with the session, from the variable and from the flag."""
    for sent in plain.sent:
        sent.clear()
    token = given.format("some-token-of-mine")
    environ = {**agent.environ, "NOMAD_ADDR": plain.address, "NOMAD_TOKEN": token}
    line = f'-token="{token}" {LINE}' if flag else LINE
    with environment(environ):
        shell.magic(line)
    assert set(plain.headers("X-Nomad-Token")) == {"some-token-of-mine"}


@pytest.mark.parametrize("token", [" ", "\t"])
def test_a_token_of_blanks_is_none(shell: Shell, agent: Agent, plain: Front, token: str) -> None:
    """The CLI sends the header without a value, which an agent takes for none."""
    for sent in plain.sent:
        sent.clear()
    with environment({**agent.environ, "NOMAD_ADDR": plain.address, "NOMAD_TOKEN": token}):
        shell.magic(LINE)
    assert set(plain.headers("X-Nomad-Token")) == {None}


@pytest.mark.parametrize("value", [" http://127.0.0.1:1", "http://127.0.0.1:1\n", "%zz"])
def test_a_proxy_variable_that_does_not_parse_is_ignored(
    shell: Shell, agent: Agent, value: str
) -> None:
    """As by the CLI: nobody is asked on the way."""
    if not (address := own_address()):
        pytest.skip("this machine has no address but loopback's, which no proxy is for")
    with front(agent.address, address) as made:
        environ = {"NOMAD_ADDR": made.address, "HTTP_PROXY": value, "NO_PROXY": ""}
        with environment({**agent.environ, **environ}):
            shell.magic(LINE)
        # What the agent makes of a host that is not its own is not asked here.
        assert made.sent
        assert made.sent[0].startswith(b"GET /v1/jobs?")


def own_address() -> str:
    """Return an IPv4 address of this machine that is not loopback's, or nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: it only asks which way it would go.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        found = str(probe.getsockname()[0])
    return "" if found.startswith("127.") else found


@pytest.mark.parametrize("flag", ["", "-address"])
def test_what_stands_around_an_address_is_said(shell: Shell, flag: str) -> None:
    """In the words of the CLI, and then what it is and where."""
    given = " http://127.0.0.1:4646"
    line = f'-address="{given}" {LINE}' if flag else LINE
    with environment({} if flag else {"NOMAD_ADDR": given}):
        ran = shell.magic(line)
    assert str(ran.error) == (
        f"Error initializing client: invalid address '{given}': parse \"{given}\": first path "
        "segment in URL cannot contain colon\n"
        f"There is a blank before the address in {flag or 'NOMAD_ADDR'}: "
        "write http://127.0.0.1:4646"
    )


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()
