"""Through a proxy as Go's client goes: HTTP and websocket the same way, in the clear and in TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from support.proxy import Proxy, proxy
from support.scripted import Script, leave, scripted

import nomad_magic
from nomad_magic import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


LINE = "-job=cache -group=redis -task=server hello"
TOKEN = "c0ffee00-secret"


@pytest.fixture
def way() -> Iterator[Proxy]:
    with proxy() as made:
        yield made


def environ(script: Script, way: Proxy, **more: str) -> dict[str, str]:
    """Name the agent by a host that only the proxy knows."""
    address = script.address.replace("127.0.0.1", "nomad.test")
    proxies = {"HTTP_PROXY": way.url, "HTTPS_PROXY": way.url}
    return {"NOMAD_ADDR": address, "NOMAD_TOKEN": TOKEN, **proxies, **more}


def test_in_the_clear(way: Proxy) -> None:
    """Requests name the whole URL, the websocket asks for a tunnel."""
    with scripted() as script:
        script.session = leave
        assert nomad_magic.run(LINE, env=environ(script, way)).exit_code == 0
    host = script.address.replace("127.0.0.1", "nomad.test")
    assert way.lines[0].startswith(f"GET {host}/v1/jobs?")
    assert way.lines[-1] == f"CONNECT {host.removeprefix('http://')} HTTP/1.1"
    assert len(way.lines) == len(script.requests)


def test_in_tls(way: Proxy, tmp_path: Path) -> None:
    """Everything goes through tunnels; the proxy never sees the token."""
    authority = trustme.CA()
    roots = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(roots)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("nomad.test").configure_cert(context)
    with scripted(context) as script:
        script.session = leave
        made = environ(script, way, NOMAD_CACERT=str(roots))
        assert nomad_magic.run(LINE, env=made).exit_code == 0
    assert {line.partition(" ")[0] for line in way.lines} == {"CONNECT"}
    assert TOKEN not in "".join(way.heads)
    assert {headers["X-Nomad-Token"] for headers in script.headers} == {TOKEN}


@pytest.mark.parametrize("asked", ["agent.example", "other.example"])
def test_in_tls_by_another_name(way: Proxy, tmp_path: Path, asked: str) -> None:
    """`-tls-server-name` is the name checked, through a tunnel too, and for the websocket."""
    authority = trustme.CA()
    roots = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(roots)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("agent.example").configure_cert(context)
    seen: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    with scripted(context) as script:
        script.session = leave
        made = environ(script, way, NOMAD_CACERT=str(roots), NOMAD_TLS_SERVER_NAME=asked)
        if asked == "agent.example":
            assert nomad_magic.run(LINE, env=made).exit_code == 0
        else:
            with pytest.raises(errors.Unreachable, match="certificate is valid for another name"):
                nomad_magic.run(LINE, env=made)
    assert set(seen) == {asked}


def test_loopback_goes_past_it(way: Proxy) -> None:
    """As in Go, whatever the variables say."""
    with scripted() as script:
        script.session = leave
        made = environ(script, way, NOMAD_ADDR=script.address)
        assert nomad_magic.run(LINE, env=made).exit_code == 0
    assert way.lines == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_proxy_there(scheme: str) -> None:
    """The error names the proxy, and the variable that it stands in."""
    made = {
        "NOMAD_ADDR": f"{scheme}://nomad.test:4646",
        f"{scheme.upper()}_PROXY": "http://me:hunter22@127.0.0.1:1",
    }
    with pytest.raises(errors.Unreachable) as caught:
        nomad_magic.run(LINE, env=made)
    assert caught.value.message.endswith(
        "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused"
    )
    assert f"127.0.0.1:1 ({scheme.upper()}_PROXY)" in caught.value.hint
    assert "hunter22" not in str(caught.value) + repr(caught.value.result)


def test_a_proxy_that_refuses(way: Proxy) -> None:
    """Its own words, for Nomad was never asked."""
    way.refusal = "407 Proxy Authentication Required"
    with scripted() as script:
        made = environ(script, way)
        made["NOMAD_ADDR"] = made["NOMAD_ADDR"].replace("http:", "https:")
        with pytest.raises(errors.Unreachable) as caught:
            nomad_magic.run(LINE, env=made)
    assert caught.value.message.endswith(": Proxy Authentication Required")
    assert way.url in caught.value.hint
    assert script.requests == []


def test_a_tunnel_that_is_refused(way: Proxy) -> None:
    """The requests went through, the websocket does not."""
    way.no_tunnels = True
    with scripted() as script, pytest.raises(errors.Unreachable) as caught:
        nomad_magic.run(LINE, env=environ(script, way))
    assert caught.value.message == "failed to exec into task: Forbidden"
    assert way.url in caught.value.hint
    assert way.lines[-1].startswith("CONNECT ")
