"""TLS in both directions: who trusts whom, for requests and for the session alike."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from support.cells import environment
from support.certificates import Certificates
from support.scripted import Script, scripted

from nomad_magic.errors import NomadMagicError, RequestError, SettingsError
from nomad_magic.line import flags
from nomad_magic.nomad.client import Client
from nomad_magic.nomad.options import Options
from nomad_magic.nomad.protocol import ExecProtocol
from nomad_magic.nomad.target import read_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import nomads
    from support.cells import Shell
    from websockets.asyncio.server import ServerConnection

    Secured = tuple[nomads.Agent, Certificates]

RUN = "-job=shop -group=web -task=main where"
UNKNOWN = "tls: failed to verify certificate: x509: certificate signed by unknown authority"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, secured_agent: Secured) -> Path:
    """Authorities in folders within a folder, as `-ca-path` takes them."""
    _, certificates = secured_agent
    made = tmp_path_factory.mktemp("authorities")
    (made / "cas" / "deep" / "er").mkdir(parents=True)
    shutil.copy(certificates.stranger_ca, made / "cas" / "a.crt")
    shutil.copy(certificates.ca, made / "cas" / "deep" / "er" / "no-suffix")
    (made / "bundle.pem").write_bytes(
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
        + certificates.stranger[1].read_bytes()
        + certificates.ca.read_bytes()
    )
    (made / "wrong").mkdir()
    shutil.copy(certificates.stranger_ca, made / "wrong")
    return made


@pytest.fixture
def words(secured_agent: Secured, folder: Path) -> dict[str, str]:
    """What stands for the paths in a case."""
    agent, certificates = secured_agent
    pairs = {"client": certificates.client, "expired": certificates.expired_client}
    pairs |= {"stranger": certificates.stranger}
    return {
        "ca": str(certificates.ca),
        "wrong_ca": str(certificates.stranger_ca),
        "leaf": str(certificates.server[0]),
        "cas": str(folder / "cas"),
        "wrong": str(folder / "wrong"),
        "deep": str(folder / "cas" / "deep" / "er"),
        "bundle": str(folder / "bundle.pem"),
        "port": agent.address.rpartition(":")[2],
        **{name: str(pair[0]) for name, pair in pairs.items()},
        **{f"{name}_key": str(pair[1]) for name, pair in pairs.items()},
    }


def session_words(line: str, environ: dict[str, str]) -> str:
    """Open a session past all requests; give why it could not be opened, or nothing."""
    args = flags.parse(shlex.split(line), environ=environ, stdin_is_tty=False)

    async def ask() -> str:
        client = Client(read_target(args, environ), Options())
        try:
            opened = await client.open_exec("/v1/job/shop/action", {}, ExecProtocol(tty=False))
        except RequestError as error:
            return error.message
        await opened.close()
        return ""

    try:
        return asyncio.run(ask())
    except SettingsError as error:
        return error.message


TRUSTED = [
    ("-ca-cert={ca}", {}),
    ("-ca-cert {leaf}", {}),
    ("-ca-path={cas}", {}),
    ("-ca-path={ca}", {}),
    ("-ca-cert={ca} -ca-path=/nonexistent", {}),
    ("-ca-cert={ca}", {"NOMAD_CACERT": "/nonexistent"}),
    ("", {"NOMAD_CACERT": "{ca}"}),
    ("", {"NOMAD_CAPATH": "{cas}"}),
    ("", {"NOMAD_CACERT": "{ca}", "NOMAD_ADDR": "https://localhost:{port}"}),
    ("", {"NOMAD_CACERT": "{ca}", "NOMAD_SKIP_VERIFY": "no"}),
    ("-ca-cert={ca} -tls-server-name=server.global.nomad", {}),
    ("-ca-cert={ca}", {"NOMAD_TLS_SERVER_NAME": "client.global.nomad"}),
    ("-ca-cert={bundle}", {}),
    ("", {"SSL_CERT_FILE": "{bundle}"}),
    ("", {"SSL_CERT_DIR": "/nonexistent:{deep}"}),
    ("", {"SSL_CERT_FILE": "{wrong_ca}", "SSL_CERT_DIR": "{deep}"}),
    ("-tls-skip-verify", {}),
    ("-insecure", {}),
    ("-tls-skip-verify -ca-cert={wrong_ca} -tls-server-name=other.nomad", {}),
    ("", {"NOMAD_SKIP_VERIFY": "1"}),
    (
        "-ca-cert={ca} -client-cert={client} -client-key={client_key}",
        {"NOMAD_CLIENT_CERT": "/nonexistent", "NOMAD_CLIENT_KEY": "/nonexistent"},
    ),
]


@pytest.mark.parametrize(("line", "more"), TRUSTED, ids=map(str, TRUSTED))
def test_each_trusts_the_other(
    shell: Shell, secured_agent: Secured, words: dict[str, str], line: str, more: dict[str, str]
) -> None:
    """A run from its first request to its exit code, and a session of its own."""
    line, environ = filled(secured_agent, words, line, more)
    with environment(environ):
        ran = shell.magic(f"{line} {RUN}")
    assert ran.error is None
    assert ran.stdout == b"default where\n"
    assert session_words(f"{line} {RUN}", environ) == ""


# What stands behind a refusal: the words of the CLI, measured on version 2.0.6, and the hint.
REFUSED = [
    ("", {}, UNKNOWN, "checked against the system's roots; -ca-cert"),
    ("-ca-cert={wrong_ca}", {}, UNKNOWN, "checked against {wrong_ca};"),
    ("-ca-path={wrong}", {}, UNKNOWN, "checked against {wrong};"),
    ("", {"SSL_CERT_DIR": "{cas}"}, UNKNOWN, "-ca-cert"),
    ("-ca-cert={wrong_ca}", {"SSL_CERT_FILE": "{ca}"}, UNKNOWN, "checked against {wrong_ca};"),
    ("", {"NOMAD_SKIP_VERIFY": "yes"}, UNKNOWN, "-ca-cert"),
    (
        "-ca-cert={ca} -tls-server-name=other.nomad",
        {},
        "tls: failed to verify certificate: x509: certificate is valid for",
        "does not bear the name other.nomad; -tls-server-name",
    ),
    (
        "-ca-cert={ca}",
        {"NOMAD_TLS_SERVER_NAME": "other.nomad"},
        "tls: failed to verify certificate: x509: certificate is valid for",
        "does not bear the name other.nomad",
    ),
    (
        "-ca-cert={ca}",
        {"NOMAD_CLIENT_CERT": "", "NOMAD_CLIENT_KEY": ""},
        "remote error: tls: certificate required",
        "wants a certificate of ours: -client-cert and -client-key",
    ),
    (
        "-tls-skip-verify",
        {"NOMAD_CLIENT_CERT": "", "NOMAD_CLIENT_KEY": ""},
        "remote error: tls: certificate required",
        "wants a certificate of ours",
    ),
    (
        # Go's client keeps back a certificate that no authority the agent names has signed, and
        # is then told that one is required; ours is told what is wrong with it.
        "-ca-cert={ca} -client-cert={stranger} -client-key={stranger_key}",
        {},
        "remote error: tls: unknown certificate authority",
        "does not accept our certificate, {stranger}.",
    ),
    (
        "-ca-cert={ca}",
        {"NOMAD_CLIENT_CERT": "{expired}", "NOMAD_CLIENT_KEY": "{expired_key}"},
        "remote error: tls: expired certificate",
        "does not accept our certificate, {expired}.",
    ),
    (
        "-ca-cert={ca}",
        {"NOMAD_ADDR": "http://127.0.0.1:{port}"},
        "Unexpected response code: 400 (Client sent an HTTP request to an HTTPS server.)",
        "begins with https://",
    ),
    (
        "-ca-cert={ca} -client-key={stranger_key}",
        {},
        "Error initializing client: tls: private key does not match public key",
        "its key {stranger_key}",
    ),
    (
        "-ca-cert={ca} -client-cert={client_key} -client-key={client}",
        {},
        "Error initializing client: tls: failed to find certificate PEM data in certificate input",
        "{client_key}",
    ),
]


@pytest.mark.parametrize(
    ("line", "more", "message", "hint"), REFUSED, ids=[str(case[:2]) for case in REFUSED]
)
def test_one_does_not_trust_the_other(  # noqa: PLR0917 - four of them are one case
    shell: Shell,
    secured_agent: Secured,
    words: dict[str, str],
    line: str,
    more: dict[str, str],
    message: str,
    hint: str,
) -> None:
    """The cause in the CLI's words, and which certificate it was; the same for a session."""
    line, environ = filled(secured_agent, words, line, more)
    with environment(environ):
        ran = shell.magic(f"{line} {RUN}")
    assert isinstance(ran.error, NomadMagicError)
    assert ran.exit_code == 1
    assert message in ran.error.message
    if not message.startswith("Error initializing"):
        assert ran.error.message.startswith('Error querying job prefix "shop": ')
    assert hint.format(**words) in ran.error.hint
    assert message in session_words(f"{line} {RUN}", environ)


def filled(
    secured_agent: Secured, words: dict[str, str], line: str, more: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Put the paths into a case; by itself it trusts the system's authorities."""
    agent, _ = secured_agent
    environ = dict(agent.environ)
    del environ["NOMAD_CACERT"]
    environ |= {name: value.format(**words) for name, value in more.items()}
    return line.format(**words), environ


def test_an_agent_without_tls(shell: Shell, agent: nomads.Agent) -> None:
    """`https` for a plain port is said, for requests and for a session."""
    environ = {"NOMAD_ADDR": agent.address.replace("http:", "https:")}
    with environment(environ):
        ran = shell.magic(RUN)
    message = "http: server gave HTTP response to HTTPS client"
    assert isinstance(ran.error, NomadMagicError)
    assert ran.error.message.endswith(message)
    assert session_words(RUN, environ) == message


# The other side of these is any TLS server: what an agent does has no part in them.


def test_an_agent_whose_certificate_has_expired(shell: Shell, certificates: Certificates) -> None:
    """It says whose certificate it is; -tls-skip-verify goes past it."""
    with serving(certificates.expired_server) as (script, _):
        environ = {"NOMAD_ADDR": script.address, "NOMAD_CACERT": str(certificates.ca)}
        with environment(environ):
            ran = shell.magic(RUN)
        message = "x509: certificate has expired or is not yet valid"
        assert isinstance(ran.error, NomadMagicError)
        assert message in ran.error.message
        assert "the agent's certificate" in ran.error.hint
        assert message in session_words(RUN, environ)
        assert script.requests == []
        assert session_words(f"-tls-skip-verify {RUN}", environ) == ""


def test_the_server_name_is_asked_for(shell: Shell, certificates: Certificates) -> None:
    """It goes out as SNI, with every request and with the session; an IP address never does."""
    with serving(certificates.server) as (script, asked):
        environ = {"NOMAD_ADDR": script.address, "NOMAD_CACERT": str(certificates.ca)}
        line = "-job=cache -group=redis -task=server hello"
        with environment(environ):
            assert shell.magic(f"-tls-server-name=server.global.nomad {line}").error is None
            assert set(asked) == {"server.global.nomad"}
            assert len(asked) > 1
            asked.clear()
            assert shell.magic(line).error is None
            assert set(asked) == {None}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@contextmanager
def serving(pair: tuple[Path, Path]) -> Iterator[tuple[Script, list[str | None]]]:
    """Serve a script with a certificate; gives it, and the names that it was asked for."""
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def leave(connection: ServerConnection) -> None:
        await connection.send('{"exited":true,"result":{}}')
        await connection.wait_closed()

    with scripted(context) as script:
        script.session = leave
        yield script, asked
