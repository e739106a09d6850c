"""What went wrong on the way to the agent, in Go's words: real attempts on the loopback."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import shlex
import socket
import ssl
import struct
import zlib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trustme
from support.front import has_ipv6

from nomad_magic.errors import NomadMagicError, RequestError, UnexpectedAnswer, Unreachable
from nomad_magic.go import basic_auth
from nomad_magic.line import flags
from nomad_magic.nomad.address import Address, parse_address
from nomad_magic.nomad.bodies import REFUSAL_BYTES, unpacked
from nomad_magic.nomad.client import Client
from nomad_magic.nomad.dial import DialTimeout
from nomad_magic.nomad.explain import explain, not_json, os_error
from nomad_magic.nomad.options import Options
from nomad_magic.nomad.protocol import ExecProtocol
from nomad_magic.nomad.stranger import in_between
from nomad_magic.nomad.target import Target, TLSFiles, read_target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "cli" / "parse.json").read_text(encoding="utf-8")
)
OPTIONS = Options(connect_timeout=5.0, answer_timeout=5.0)


async def failure_at(
    where: Target | str, *, options: Options = OPTIONS, upgrade: bool = False
) -> NomadMagicError:
    """Ask there for something, and give the error that comes of it."""
    found = where if isinstance(where, Target) else Target(address=parse_address(where))
    client = Client(found, options)
    try:
        if upgrade:
            await client.open_exec("/v1/job/j/action", {}, ExecProtocol(tty=False))
        else:
            await client.get("/v1/jobs", {"prefix": "j", "per_page": "20"}, list[str])
    except NomadMagicError as error:
        return error
    finally:
        await client.aclose()
    raise AssertionError("something answered")


@asynccontextmanager
async def agent(answer: bytes | None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen on a free port and give each request this answer; None never answers."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await over.wait()
            else:
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        over.set()
        server.close()
        await server.wait_closed()


async def words_of(answer: bytes | None, **named: Any) -> str:
    options = named.pop("options", OPTIONS)
    async with agent(answer, **named) as port:
        error = await failure_at(f"http://127.0.0.1:{port}", options=options)
        return error.message.replace(str(port), "PORT")


def reply(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# As recorded


def _resolver() -> bool:
    """Whether a name that cannot exist is known not to exist."""
    try:
        socket.getaddrinfo("nonexistent.invalid", 1)
    except socket.gaierror as error:
        return error.errno == socket.EAI_NONAME
    return False


UNREACHED = {
    shlex.join(recorded["argv"]) + json.dumps(recorded["env"]): recorded
    for recorded in RECORDED
    if 'Error querying job prefix "j": Get ' in recorded["stderr"]
    and (recorded["env"].get("NOMAD_ADDR") or "-address=" in recorded["argv"][0])
}


@pytest.mark.parametrize("name", UNREACHED)
def test_a_recorded_failure_has_the_recorded_words(name: str) -> None:
    """Refused, no such file, no such host, no such port, no such scheme: each as the CLI's."""
    recorded = UNREACHED[name]
    if "[::1]" in name and not has_ipv6():
        pytest.skip("there is no IPv6 here")
    environ = {"NOMAD_ADDR": "http://127.0.0.1:1"} | recorded["env"]
    args = flags.parse(recorded["argv"], environ=environ, stdin_is_tty=False)
    expected = recorded["stderr"].removesuffix("\n").removeprefix('Error querying job prefix "j": ')
    if "nonexistent.invalid" in name and not _resolver():
        expected = expected.replace("no such host", "server misbehaving")
    error = asyncio.run(failure_at(read_target(args, environ)))
    assert isinstance(error, RequestError)
    assert error.message == expected


def test_the_recordings_have_every_kind_of_failure() -> None:
    """The test above is not empty."""
    words = " ".join(recorded["stderr"] for recorded in UNREACHED.values())
    for kind in (
        "connection refused",
        "no such file",
        "no such host",
        "invalid port",
        "missing address",
        "unsupported protocol scheme",
        "no Host in request URL",
    ):
        assert kind in words


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("https://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("unix:///nonexistent/x", "dial unix /nonexistent/x: connect: no such file or directory"),
        (f"unix:///{'x' * 200}", f"dial unix /{'x' * 200}: connect: invalid argument"),
    ],
)
def test_an_exec_session_that_reaches_nobody_has_the_same_words(address: str, words: str) -> None:
    """The websocket's errors go through the same door."""
    error = asyncio.run(failure_at(address, upgrade=True))
    assert isinstance(error, Unreachable)
    assert error.message == words


def test_a_name_that_resolves_is_named_by_its_address() -> None:
    """As Go's dial does."""
    error = asyncio.run(failure_at("http://localhost:1"))
    assert re.search(
        r"dial tcp (127\.0\.0\.1|\[::1\]):1: connect: connection refused$", error.message
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [(socket.EAI_NONAME, "no such host"), (socket.EAI_AGAIN, "server misbehaving")],
)
def test_a_name_that_does_not_resolve_is_said_as_go_says_it(code: int, words: str) -> None:
    """It does not exist, or no name server says so."""
    error = socket.gaierror(code, "whatever")
    address = Address(scheme="http", host="nomad.example:4646")
    assert explain(error, address, OPTIONS) == f"dial tcp: lookup nomad.example: {words}"


# Connections that come to nothing


def test_a_connection_that_is_closed_without_an_answer_is_an_eof() -> None:
    """A proxy that gave up, or something that speaks no HTTP."""
    assert asyncio.run(words_of(b"")).endswith(": EOF")
    assert asyncio.run(words_of(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")).endswith(
        ": EOF"
    )


def test_something_that_speaks_no_http_is_said() -> None:
    """The port of another protocol."""
    words = asyncio.run(words_of(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"))
    assert ": net/http: HTTP/1.x transport connection broken: " in words


def test_a_connection_that_is_reset_is_said() -> None:
    """As the operating system says it."""

    async def reset() -> str:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0)
            port = listener.getsockname()[1]
            asking = asyncio.ensure_future(failure_at(f"http://127.0.0.1:{port}"))
            loop = asyncio.get_running_loop()
            accepted, _ = await loop.sock_accept(listener)
            await loop.sock_recv(accepted, 1)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            return (await asking).message

    assert asyncio.run(reset()).endswith(": read: connection reset by peer")


def test_an_agent_that_never_answers_is_said_with_the_bound() -> None:
    """In seconds, and by the name of the setting."""
    options = Options(connect_timeout=5.0, answer_timeout=0.1)
    assert asyncio.run(words_of(None, options=options)).endswith(
        ": no answer within 0.1 s (answer_timeout)"
    )


def test_an_upgrade_that_is_never_answered_is_said_with_its_bound() -> None:
    """The whole handshake counts as connecting."""

    async def ask() -> str:
        async with agent(None) as port:
            options = Options(connect_timeout=0.1)
            error = await failure_at(f"http://127.0.0.1:{port}", options=options, upgrade=True)
            return error.message

    assert asyncio.run(ask()) == "no answer within 0.1 s (connect_timeout)"


def test_a_connection_that_is_not_made_in_time_is_said() -> None:
    """As Go says it, with the bound."""
    words = explain(DialTimeout("127.0.0.1:2"), parse_address("http://127.0.0.1:2"), OPTIONS)
    assert words == (
        "dial tcp 127.0.0.1:2: i/o timeout: not connected within 5 s (connect_timeout)"
    )


def test_an_error_without_a_number_keeps_its_words() -> None:
    """And one with a number is said in lower case."""
    assert os_error(OSError("odd")) == "odd"
    assert os_error(ConnectionRefusedError(111, "x")) == "connection refused"


# TLS


async def tls_failure(agent_tls: ssl.SSLContext, files: TLSFiles, *, upgrade: bool) -> str:
    async with agent(reply("200 OK", b"[]"), tls=agent_tls) as port:
        where = Target(address=parse_address(f"https://127.0.0.1:{port}"), tls=files)
        error = await failure_at(where, upgrade=upgrade)
        assert isinstance(error, Unreachable)
        return error.message


@pytest.mark.parametrize("upgrade", [False, True])
@pytest.mark.parametrize(
    ("name", "trusted", "words"),
    [
        ("127.0.0.1", False, "x509: certificate signed by unknown authority"),
        ("other.nomad", True, "x509: certificate is valid for another name: "),
    ],
)
def test_a_certificate_that_does_not_hold_is_said(
    tmp_path: Path, *, name: str, trusted: bool, words: str, upgrade: bool
) -> None:
    """Its authority or its name, for requests and for the session."""
    authority, stranger = trustme.CA(), trustme.CA()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    ca = tmp_path / "ca.pem"
    (authority if trusted else stranger).cert_pem.write_to_path(str(ca))
    said = asyncio.run(tls_failure(made, TLSFiles(ca_cert=str(ca)), upgrade=upgrade))
    assert f"tls: failed to verify certificate: {words}" in said


def test_an_agent_without_tls_is_said() -> None:
    """An `https` address for an `http` port."""

    async def ask() -> str:
        # It is sent before anything is asked for: the handshake never has a blank line.
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(reply("400 Bad Request", b"no"))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return (await failure_at(f"https://127.0.0.1:{port}")).message

    assert asyncio.run(ask()).endswith(": http: server gave HTTP response to HTTPS client")


def test_an_agent_that_wants_a_certificate_is_said(tmp_path: Path) -> None:
    """Mutual TLS without ours: the agent's alert is its word."""
    authority = trustme.CA()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(made)
    authority.configure_trust(made)
    made.verify_mode = ssl.CERT_REQUIRED
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    said = asyncio.run(tls_failure(made, TLSFiles(ca_cert=str(ca)), upgrade=False))
    assert re.search(r"(remote error: tls: .*certificate|EOF|reset by peer)", said)


# Answers that are no answer


def decoding(body: bytes) -> str:
    with pytest.raises((msgspec.DecodeError, UnicodeError)) as caught:
        msgspec.json.decode(body, type=list[str])
    return not_json(body, caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Got 0 byte response with non-nil decode object"),
        (b"<html><body>", "invalid character '<' looking for beginning of value"),
        (b"\n <html>", "invalid character '<' looking for beginning of value"),
        (b"Service unavailable", "invalid character 'S' looking for beginning of value"),
        (b'["a",', "unexpected EOF"),
        (b'["a', "unexpected EOF"),
        (b"[", "unexpected EOF"),
        (b'["a"} ', "invalid character '}' in JSON"),
        (b'["\xff"]', "the answer is not UTF-8 text"),
        (b"\x1f\x8b\x08", "the answer is not UTF-8 text"),
        (b'{"a":1}', "json: cannot unmarshal the answer: Expected `array`, got `object`"),
        (b"[1]", "json: cannot unmarshal the answer: Expected `str`, got `int` - at `$[0]`"),
    ],
)
def test_a_body_that_is_not_what_was_asked_for_is_said(body: bytes, words: str) -> None:
    """In the words of Go's decoder where it is no JSON."""
    assert decoding(body) == words


def test_a_page_of_a_proxy_gets_a_hint() -> None:
    """It says that this is not Nomad, and how the page begins."""

    async def ask(answer: bytes) -> NomadMagicError:
        async with agent(answer) as port:
            return await failure_at(f"http://127.0.0.1:{port}")

    page = b"<html>\n<title>Sign in</title>"
    error = asyncio.run(ask(reply("200 OK", page)))
    assert isinstance(error, UnexpectedAnswer)
    assert error.message == "invalid character '<' looking for beginning of value"
    assert error.hint.endswith("It begins: <html>")
    bad = asyncio.run(ask(reply("502 Bad Gateway", page)))
    assert bad.message.startswith("Unexpected response code: 502 (<html>")
    assert bad.hint == error.hint.replace("200", "502")
    nomads = asyncio.run(ask(reply("403 Forbidden", b"Permission denied")))
    assert nomads.message == "Unexpected response code: 403 (Permission denied)"
    assert nomads.hint == ""


MARK = {"Vary": "Accept-Encoding", "Content-Type": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (403, "Permission denied", {}),
        (404, "", MARK),
        (404, "x <html>", MARK),
        (429, "slow down", MARK),
        (400, "Client sent an HTTP request to an HTTPS server.\n", {}),
        (200, '{"a":"<html>"}', {}),
        (200, '[{"ID', {}),
    ],
)
def test_nomads_own_answers_get_no_such_hint(
    status: int, body: str, headers: dict[str, str]
) -> None:
    """Nomad's header or its words, where the body is no page."""
    assert in_between(status, body, headers) == ""


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, "", {}),
        (200, "OK", {}),
        (403, "<p>Permission denied", MARK),
        (403, "Permission denied", MARK | {"Content-Type": "text/html"}),
        (502, "rpc error", MARK),
        (404, "nothing here", {"Vary": "Origin"}),
    ],
)
def test_others_answers_get_the_hint(status: int, body: str, headers: dict[str, str]) -> None:
    """A page, a status that Nomad never gives, or words that are not its."""
    hint = in_between(status, body, headers)
    assert f"with status {status}" in hint
    assert hint.endswith(body or "an empty body.")


def test_the_hint_is_short() -> None:
    """However long the page's first line is."""
    assert len(in_between(200, "\n\n<html>" + "x" * 5000, {})) < 400


def test_a_refused_upgrade_may_be_compressed() -> None:
    """And what cannot be unpacked is nothing at all."""
    packed = gzip.compress(b"<html>no</html>")
    headers = {"Content-Encoding": "GZIP"}
    assert unpacked(packed, headers) == b"<html>no</html>"
    assert unpacked(packed[:-9], headers).startswith(b"<html>")
    assert unpacked(b"no gzip", headers) == b""
    assert unpacked(b"plain \xff", {}) == b"plain \xff"
    assert unpacked(b"", headers) == b""


def test_a_compressed_flood_is_not_unpacked_whole() -> None:
    """A kilobyte can stand for a megabyte."""
    packed = zlib.compress(bytes(1 << 20), wbits=zlib.MAX_WBITS | 16)
    assert len(unpacked(packed, {"Content-Encoding": "gzip"})) == REFUSAL_BYTES


def test_a_compressed_refusal_of_an_upgrade_is_read() -> None:
    """From the wire to the error."""
    packed = gzip.compress(b"<html>Forbidden by policy</html>")

    async def ask() -> NomadMagicError:
        async with agent(reply("403 Forbidden", packed, "Content-Encoding: gzip")) as port:
            return await failure_at(f"http://127.0.0.1:{port}", upgrade=True)

    error = asyncio.run(ask())
    assert error.message == "Unexpected response code: 403 (<html>Forbidden by policy</html>)"
    assert "proxy" in error.hint


@pytest.mark.parametrize("cut", [1, 8, 9, 20])
def test_an_upgrade_may_be_refused_in_http_1_0(cut: int) -> None:
    """As Go's server and some load balancers do, in however many pieces it comes."""

    async def ask() -> NomadMagicError:
        whole = b"HTTP/1.0 503 Service Unavailable\r\n\r\n<html>No server</html>\n"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(whole[:cut])
            # Both ends are in one loop: by then the client has read this piece.
            for _ in range(5):
                await asyncio.sleep(0)
            writer.write(whole[cut:])
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await failure_at(f"http://127.0.0.1:{port}", upgrade=True)

    error = asyncio.run(ask())
    assert error.message == "Unexpected response code: 503 (<html>No server</html>)"
    assert "load balancer" in error.hint


def test_basic_auth_takes_any_password() -> None:
    """Also one whose bytes are no UTF-8."""
    odd = b"\xff".decode("utf-8", "surrogateescape")
    assert basic_auth("ann", "pass:word") == "Basic YW5uOnBhc3M6d29yZA=="
    assert basic_auth("a", odd) == "Basic YTr/"
