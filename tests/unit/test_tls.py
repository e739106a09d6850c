"""Certificates: who is trusted, what is refused and in which words."""

from __future__ import annotations

import base64
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from nomad_magic.errors import SettingsError
from nomad_magic.nomad.settings import TLSFiles
from nomad_magic.nomad.tls import context, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "server.global.nomad"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pem(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Write a file and give its path."""

    def write(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    return write


def server(authority: trustme.CA, *, client: trustme.CA | None = None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(made)
    if client is not None:
        client.configure_trust(made)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def handshake(client: ssl.SSLContext, agent: ssl.SSLContext, name: str = NAME) -> str:
    """Let two contexts shake hands in memory; give the TLS version.

    Raises:
        ssl.SSLError: What the first of them that fails raises.
    """
    to_agent, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_agent, server_hostname=name),
        agent.wrap_bio(to_agent, to_client, server_side=True),
    ]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    # In TLS 1.3 a refused client certificate shows only with the first data.
    ends[1].write(b"x")
    assert ends[0].read(1) == b"x"
    return str(ends[0].version())


def refused(files: TLSFiles, *, needed: bool = True) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        context(files, needed=needed)
    return caught.value


def made(files: TLSFiles) -> ssl.SSLContext:
    found = context(files, needed=True)
    assert found is not None
    return found


def ca_file(authority: trustme.CA) -> bytes:
    return authority.cert_pem.bytes()


# Who is trusted


def test_the_given_authority_is_trusted_and_another_is_not(
    authority: trustme.CA, stranger: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """`-ca-cert` is what the agent's certificate is checked against."""
    client = made(TLSFiles(ca_cert=pem("ca.pem", ca_file(authority))))
    assert handshake(client, server(authority)) in {"TLSv1.2", "TLSv1.3"}
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get"):
        handshake(client, server(stranger))


def test_without_a_ca_the_systems_authorities_count(authority: trustme.CA) -> None:
    """Which do not know ours."""
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made(TLSFiles()), server(authority))


def test_the_name_is_checked(authority: trustme.CA, pem: Callable[[str, bytes], str]) -> None:
    """A certificate for another name is refused."""
    client = made(TLSFiles(ca_cert=pem("ca.pem", ca_file(authority))))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(client, server(authority), name="other.nomad")


def test_skip_verify_checks_neither_authority_nor_name(stranger: trustme.CA) -> None:
    """That is what it is for."""
    client = made(TLSFiles(skip_verify=True))
    assert handshake(client, server(stranger), name="other.nomad")


def test_an_intermediate_authority_alone_is_enough(
    authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """As in Go: whatever is in the file is trusted, its own issuer need not be."""
    middle = authority.create_child_ca()
    client = made(TLSFiles(ca_cert=pem("ca.pem", ca_file(middle))))
    assert handshake(client, server(middle))


def test_a_bundle_may_hold_comments_in_any_encoding(
    authority: trustme.CA, stranger: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """As those of the system's vendors do; every certificate in it counts."""
    bundle = b"# Certificaci\xc3\xb3n \xff\n" + ca_file(stranger) + b"# x\n" + ca_file(authority)
    client = made(TLSFiles(ca_cert=pem("bundle.pem", bundle)))
    assert handshake(client, server(authority))
    assert handshake(client, server(stranger))


def test_every_file_below_the_ca_path_counts(
    authority: trustme.CA, stranger: trustme.CA, pem: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    """In folders within it too, whatever the files are called."""
    pem("cas/one.pem", ca_file(stranger))
    pem("cas/deep/er/two", ca_file(authority))
    client = made(TLSFiles(ca_path=str(tmp_path / "cas")))
    assert handshake(client, server(authority))
    assert handshake(client, server(stranger))


def test_a_ca_path_that_is_a_file_is_that_file(
    authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """Go's walk begins with the path itself."""
    client = made(TLSFiles(ca_path=pem("ca.pem", ca_file(authority))))
    assert handshake(client, server(authority))


def test_the_ca_cert_wins_over_the_ca_path(
    authority: trustme.CA, stranger: trustme.CA, pem: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    """The path is not even looked at."""
    pem("cas/one.pem", ca_file(stranger))
    ca = pem("ca.pem", ca_file(authority))
    client = made(TLSFiles(ca_cert=ca, ca_path=str(tmp_path / "cas")))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, server(stranger))
    assert context(TLSFiles(ca_cert=ca, ca_path="/nonexistent"), needed=True)


def test_tls_1_2_is_the_least(authority: trustme.CA, pem: Callable[[str, bytes], str]) -> None:
    """An agent that speaks nothing newer than 1.1 is refused; 1.2 is enough."""
    client = made(TLSFiles(ca_cert=pem("ca.pem", ca_file(authority))))
    assert client.minimum_version is ssl.TLSVersion.TLSv1_2
    agent = server(authority)
    agent.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(client, agent) == "TLSv1.2"


def test_a_client_certificate_is_shown_to_an_agent_that_asks(
    authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """Mutual TLS; without it the agent ends the handshake."""
    mine = authority.issue_cert("cli.global.nomad")
    ca = pem("ca.pem", ca_file(authority))
    files = TLSFiles(
        ca_cert=ca,
        client_cert=pem("cert.pem", mine.cert_chain_pems[0].bytes()),
        client_key=pem("key.pem", mine.private_key_pem.bytes()),
    )
    agent = server(authority, client=authority)
    assert handshake(made(files), agent)
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate"):
        handshake(made(TLSFiles(ca_cert=ca)), agent)


# What cannot be used


@pytest.mark.parametrize("needed", [False, True])
@pytest.mark.parametrize(
    ("files", "words"),
    [
        (TLSFiles(client_cert="/x"), "Both client cert and client key must be provided"),
        (TLSFiles(client_key="/x"), "Both client cert and client key must be provided"),
        (
            TLSFiles(client_cert="/x", client_key="/y"),
            "open /x: no such file or directory",
        ),
        (
            TLSFiles(ca_cert="/nonexistent"),
            "Error loading CA File: open /nonexistent: no such file or directory",
        ),
        (
            TLSFiles(ca_cert="/etc/hosts"),
            "Error loading CA File: Couldn't parse PEM in: /etc/hosts",
        ),
        (
            TLSFiles(ca_cert="/nonexistent", client_cert="/x"),
            "Both client cert and client key must be provided",
        ),
        (TLSFiles(ca_path="/nonexistent"), "lstat /nonexistent: no such file or directory"),
    ],
)
def test_what_cannot_be_used_is_said_in_the_clis_words(
    files: TLSFiles, words: str, needed: bool
) -> None:
    """As recorded, also for an address that needs no certificates."""
    assert refused(files, needed=needed).message == f"Error initializing client: {words}"


def test_a_file_without_a_certificate_is_said(pem: Callable[[str, bytes], str]) -> None:
    """Empty, text, binary, or a PEM of something else."""
    start = "Error initializing client: "
    for number, content in enumerate((b"", b"text", b"\xff\x00", b"-----BEGIN X-----\n")):
        path = pem(f"cas{number}/ca.pem", content)
        assert refused(TLSFiles(ca_cert=path)).message == (
            f"{start}Error loading CA File: Couldn't parse PEM in: {path}"
        )
        assert refused(TLSFiles(ca_path=str(Path(path).parent))).message == (
            f"{start}Error loading CA Path: Couldn't parse PEM in: {path}"
        )


def test_a_client_certificate_that_is_no_pem_is_said(
    authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """Which of the two it is, and where."""
    mine = authority.issue_cert("cli.global.nomad")
    cert = pem("cert.pem", mine.cert_chain_pems[0].bytes())
    text = pem("text", b"text")
    for files, kind in (
        (TLSFiles(client_cert=text, client_key=text), "certificate"),
        (TLSFiles(client_cert=cert, client_key=text), "key"),
    ):
        error = refused(files)
        assert error.message == (
            f"Error initializing client: tls: failed to find any PEM data in {kind} input"
        )
        assert text in error.hint


def test_a_key_of_another_certificate_is_refused(
    authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """The error names both files."""
    one, other = authority.issue_cert("one.nomad"), authority.issue_cert("other.nomad")
    cert = pem("cert.pem", one.cert_chain_pems[0].bytes())
    key = pem("key.pem", other.private_key_pem.bytes())
    error = refused(TLSFiles(client_cert=cert, client_key=key))
    assert error.message == (
        "Error initializing client: tls: private key does not match public key"
    )
    assert cert in error.hint
    assert key in error.hint


def test_a_key_with_a_passphrase_is_refused_without_asking(
    authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """Nobody could answer on the kernel's terminal."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    mine = authority.issue_cert("cli.global.nomad")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    error = refused(
        TLSFiles(
            client_cert=pem("cert.pem", mine.cert_chain_pems[0].bytes()),
            client_key=pem("key.pem", locked),
        )
    )
    assert "the private key is encrypted" in error.message


def test_nothing_is_made_where_nothing_is_encrypted() -> None:
    """An `http` address with no TLS settings needs no context."""
    assert context(TLSFiles(), needed=False) is None
    assert context(TLSFiles(skip_verify=True), needed=False) is not None


# Renewal


def test_a_renewed_file_has_another_fingerprint(
    authority: trustme.CA, pem: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    """So that a kernel that runs for weeks reads it again; one that is gone counts too."""
    one = pem("cas/one.pem", ca_file(authority))
    for files in (
        TLSFiles(ca_cert=one),
        TLSFiles(ca_path=str(tmp_path / "cas")),
        TLSFiles(client_cert=one, client_key=one),
    ):
        before = fingerprint(files)
        assert fingerprint(files) == before
        stat = Path(one).stat()
        os.utime(one, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
        assert fingerprint(files) != before
    gone = fingerprint(TLSFiles(ca_cert=str(tmp_path / "gone")))
    assert gone == fingerprint(TLSFiles(ca_cert=str(tmp_path / "gone")))
    pem("cas/two.pem", b"")
    assert len(fingerprint(TLSFiles(ca_path=str(tmp_path / "cas")))) == 3
    assert fingerprint(TLSFiles(ca_path="/nonexistent"))


# Bundles that have more in them than certificates


def block(kind: str, content: bytes, *headers: str) -> bytes:
    lines = base64.encodebytes(content).decode()
    head = "".join(f"{header}\n" for header in headers)
    return f"-----BEGIN {kind}-----\n{head}{lines}-----END {kind}-----\n".encode()


BAD_BLOCKS = {
    "not base64": b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    "no certificate in it": block("CERTIFICATE", b"x" * 100),
    "empty": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "a key": block("PRIVATE KEY", b"x" * 100),
    "a comment": "# Zertifikat für alle\n".encode("latin-1"),
    "with no end": b"-----BEGIN CERTIFICATE-----\nMIIB\n",
}


@pytest.mark.parametrize(
    ("bad", "first"),
    [
        (bad, first)
        for bad in BAD_BLOCKS
        for first in (True, False)
        # Go reads on to the next end of a block, and so loses the good one behind.
        if not (first and bad == "with no end")
    ],
)
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_bad_block_in_a_bundle_is_passed_over(
    authority: trustme.CA, pem: Callable[[str, bytes], str], bad: str, ends: bytes, *, first: bool
) -> None:
    """As by Go: the certificates before and after it are trusted."""
    good = ca_file(authority)
    text = BAD_BLOCKS[bad] + good if first else good + BAD_BLOCKS[bad]
    client = made(TLSFiles(ca_cert=pem("ca.pem", text.replace(b"\n", ends))))
    assert handshake(client, server(authority))


@pytest.mark.parametrize("bad", BAD_BLOCKS)
def test_a_bundle_without_any_certificate_is_refused(
    pem: Callable[[str, bytes], str], bad: str
) -> None:
    """In the CLI's words."""
    path = pem("ca.pem", BAD_BLOCKS[bad])
    assert refused(TLSFiles(ca_cert=path)).message == (
        f"Error initializing client: Error loading CA File: Couldn't parse PEM in: {path}"
    )


def test_every_file_of_the_systems_folders_is_read(
    authority: trustme.CA, stranger: trustme.CA, pem: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    """Whatever its name, as by Go; what is no certificate is passed over there."""
    pem("one/any-name.txt", ca_file(authority))
    pem("one/README", b"no certificate")
    pem("two/x.pem", ca_file(stranger))
    dirs = f"{tmp_path / 'one'}:{tmp_path / 'missing'}:{tmp_path / 'two'}"
    client = made(TLSFiles(root_dirs=dirs))
    assert handshake(client, server(authority))
    assert handshake(made(TLSFiles(root_dirs=dirs)), server(stranger))
    client = made(TLSFiles(root_file=str(tmp_path / "two" / "x.pem")))
    assert handshake(client, server(stranger))
    # They count for nothing where an authority is named, and not where nothing is encrypted.
    named = TLSFiles(ca_cert=str(tmp_path / "two" / "x.pem"), root_dirs=dirs)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made(named), server(authority))
    assert context(TLSFiles(root_dirs=dirs), needed=False) is None


def test_a_renewed_file_of_a_folder_is_noticed(
    authority: trustme.CA, pem: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    """As any other that is read."""
    pem("one/a", b"")
    files = TLSFiles(root_dirs=str(tmp_path / "one"))
    before = fingerprint(files)
    pem("one/b", ca_file(authority))
    assert fingerprint(files) != before


def key_of(kind: str) -> bytes:
    private: Any = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "small": lambda: rsa.generate_private_key(65537, 1024),
        "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    encoding = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    return bytes(private.private_bytes(encoding, form, serialization.NoEncryption()))


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed25519"])
def test_a_key_that_is_not_the_certificates_is_said(
    authority: trustme.CA, pem: Callable[[str, bytes], str], kind: str
) -> None:
    """In Go's words, of another type or of the same."""
    issued = authority.issue_cert("client")
    cert = pem("cert.pem", b"".join(one.bytes() for one in issued.cert_chain_pems))
    message = refused(TLSFiles(client_cert=cert, client_key=pem("key.pem", key_of(kind)))).message
    assert "private key" in message
    assert "does not match public key" in message
    assert "_" not in message.replace(str(cert), "")


def test_a_key_that_is_too_small_is_said(pem: Callable[[str, bytes], str]) -> None:
    """Where this system's OpenSSL accepts none so small; else there is nothing to say."""
    private = serialization.load_pem_private_key(key_of("small"), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=9999))
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    key = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    cert = pem("cert.pem", certificate.public_bytes(serialization.Encoding.PEM))
    files = TLSFiles(client_cert=cert, client_key=pem("key.pem", key))
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        probe.load_cert_chain(files.client_cert, files.client_key)
    except ssl.SSLError:
        assert "smaller than this system's OpenSSL accepts" in refused(files).message
    else:
        assert made(files)
