"""Certificates: who is trusted, what is refused and in which words."""

from __future__ import annotations

import base64
import datetime as dt
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from nomad_magic.errors import SettingsError
from nomad_magic.nomad.certificates import SYSTEM_FILES
from nomad_magic.nomad.target import TLSFiles
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


# What the CLI of version 2.0.6 took for a CA file, `{ca}` being one good certificate.


def blocks(ca: bytes) -> dict[str, tuple[bytes, bool]]:
    """Return bundles, each with whether the CLI found the certificate in it."""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    coded = b"".join(ca.split(b"\n")[1:-2])
    der = base64.b64decode(coded)

    def block(coded: bytes, kind: bytes = b"CERTIFICATE", head: bytes = b"") -> bytes:
        return b"-----BEGIN %b-----\n%b%b\n-----END %b-----\n" % (kind, head, coded, kind)

    def of(der: bytes) -> bytes:
        return block(base64.b64encode(der))

    key = block(b"AAAA", b"RSA PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED\nDEK-Info: x\n\n")
    return {
        "bad base64 before": (block(b"!!!!") + ca, True),
        "bad base64 after": (ca + block(b"!!!!"), True),
        "bad DER before": (of(b"nonsense") + ca, True),
        "bad DER after": (ca + of(b"nonsense"), True),
        "cut DER before": (of(der[:-5]) + ca, True),
        "empty block": (block(b"") + ca, True),
        "empty block of two lines": (begin + b"\n" + end + b"\n" + ca, True),
        "a key before": (block(b"AAAA", b"PRIVATE KEY") + ca, True),
        "an encrypted key before": (key + ca, True),
        "a revocation list before": (block(b"AAAA", b"X509 CRL") + ca, True),
        "with headers before": (block(coded, head=b"A: b\n\n") + ca, True),
        "a colon in the base64": (block(b"AB:CD\nAAAA") + ca, True),
        "CRLF": (ca.replace(b"\n", b"\r\n"), True),
        "text and bytes after": (ca + b"garbage \xff\x00", True),
        "bag attributes": (b"Bag Attributes\n    friendlyName: x\n" + ca, True),
        "a line with a mark before": (b"\xef\xbb\xbf# c\n" + ca, True),
        "one line of base64": (block(coded), True),
        "base64 indented": (block(b"  " + coded), True),
        "blank lines": (ca.replace(b"\n", b"\n\n"), True),
        "a blank after BEGIN": (ca.replace(b"-----\n", b"----- \n"), True),
        "a blank after END": (ca.rstrip() + b"  \n", True),
        "no line feed at the end": (ca.rstrip(), True),
        "END missing, then good": (ca.split(b"-----END")[0] + ca, True),
        "another END, then good": (ca.split(b"-----END")[0] + b"-----END X-----\n" + ca, True),
        "BEGIN twice": (begin + b"\n" + ca, True),
        "END and BEGIN on a line": (ca.rstrip() + ca + ca, True),
        "twice": (ca + ca, True),
        "a key alone": (block(b"AAAA", b"PRIVATE KEY"), False),
        "TRUSTED": (ca.replace(b" CERT", b" TRUSTED CERT"), False),
        "X509": (ca.replace(b" CERT", b" X509 CERT"), False),
        "a request": (ca.replace(b"CATE-", b"CATE REQUEST-"), False),
        "with headers": (block(coded, head=b"A: b\n\n"), False),
        "CR alone": (ca.replace(b"\n", b"\r"), False),
        "a mark before": (b"\xef\xbb\xbf" + ca, False),
        "UTF-16": (ca.decode().encode("utf-16"), False),
        "indented": (b"\n".join(b"  " + line for line in ca.split(b"\n")), False),
        "text after END": (ca.rstrip() + b" x\n", False),
        "text before BEGIN": (b"x " + ca, False),
        "END missing": (ca.split(b"-----END")[0], False),
        "bytes after the DER": (of(der + b"\0\0"), False),
        "two in a block": (of(der + der), False),
        "no padding": (block(coded.rstrip(b"=") + b"A"), False),
        "too much padding": (block(coded + b"===="), False),
        "DER": (der, False),
        "empty": (b"", False),
        "text": (b"text", False),
        "four dashes": (ca.replace(b"-----", b"----"), False),
        "six dashes": (ca.replace(b"-----", b"------"), False),
        "small letters": (ca.lower(), False),
        "two blanks": (ca.replace(b"BEGIN ", b"BEGIN  ").replace(b"END ", b"END  "), False),
        "a no-break space": (block(coded[:20] + b"\xc2\xa0" + coded[20:]), False),
    }


@pytest.mark.parametrize("name", blocks(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END -----\n"))
def test_a_bundle_is_read_as_the_cli_reads_it(
    name: str, authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """What is no certificate is passed over; only a file without any is an error."""
    bundle, good = blocks(ca_file(authority))[name]
    path = pem("cas/bundle.pem", bundle)
    for files, which in (
        (TLSFiles(ca_cert=path), "File"),
        (TLSFiles(ca_path=str(Path(path).parent)), "Path"),
    ):
        if good:
            assert handshake(made(files), server(authority))
        else:
            assert refused(files).message == (
                f"Error initializing client: Error loading CA {which}: "
                f"Couldn't parse PEM in: {path}"
            )
    system = made(TLSFiles(system_file=path, system_dirs="/nonexistent"))
    if good:
        assert handshake(system, server(authority))
    else:
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(system, server(authority))


# The system's authorities


@pytest.mark.parametrize(
    ("file", "folders", "good"),
    [
        ("", "{cas}", True),
        ("", "{mixed}", True),
        ("", "{linked}", True),
        ("", "/nonexistent:{cas}", True),
        ("", "{junk}::{cas}", True),
        ("", ":{cas}", True),
        ("", " {cas}", False),
        ("", "{junk}", False),
        ("", "{deep}", False),
        ("", "{ca}", False),
        ("{ca}", "", True),
        ("{ca}", "{junk}", True),
        ("{stranger}", "{cas}", True),
        ("/nonexistent", "{cas}", True),
        ("{cas}", "{cas}", True),
        ("{cas}", "/nonexistent", False),
        ("/nonexistent", "", False),
        ("{ca}:{stranger}", "", False),
        ("{stranger}", "{junk}", False),
    ],
)
def test_the_systems_authorities_are_read_as_go_reads_them(
    *,
    file: str,
    folders: str,
    good: bool,
    authority: trustme.CA,
    stranger: trustme.CA,
    pem: Callable[[str, bytes], str],
    tmp_path: Path,
) -> None:
    """SSL_CERT_FILE and SSL_CERT_DIR, as measured on the CLI: every file, by no special name."""
    paths = {
        "ca": pem("cas/.any name", ca_file(authority)),
        "stranger": pem("stranger.pem", ca_file(stranger)),
    }
    pem("mixed/a", b"junk")
    pem(
        "mixed/b",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n" + ca_file(authority),
    )
    pem("junk/a.pem", b"\xff\x00")
    (tmp_path / "junk" / "dangling").symlink_to("/nonexistent/x")
    pem("deep/er/ca.pem", ca_file(authority))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "a").symlink_to(paths["ca"])
    (tmp_path / "linked" / "0123abcd.0").symlink_to("a")
    paths |= {name: str(tmp_path / name) for name in ("cas", "mixed", "junk", "deep", "linked")}
    files = TLSFiles(system_file=file.format(**paths), system_dirs=folders.format(**paths))
    if good:
        assert handshake(made(files), server(authority))
    else:
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(made(files), server(authority))


def test_a_given_authority_stands_for_the_systems(
    authority: trustme.CA, stranger: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """With -ca-cert or -ca-path, SSL_CERT_FILE and SSL_CERT_DIR are not looked at."""
    ca, other = pem("a/ca.pem", ca_file(authority)), pem("b/ca.pem", ca_file(stranger))
    for given in ({"ca_cert": other}, {"ca_path": str(Path(other).parent)}):
        files = TLSFiles(**given, system_file=ca, system_dirs=str(Path(ca).parent))  # type: ignore[arg-type] # no switch is among them
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(made(files), server(authority))
        assert handshake(made(files), server(stranger))


def test_a_system_file_alone_leaves_the_systems_folder_and_the_reverse(
    authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """As in Go: the one that is not given is where the system has it."""
    ca = pem("cas/ca.pem", ca_file(authority))
    folder = str(Path(ca).parent)
    if not any(Path(path).is_file() for path in SYSTEM_FILES):
        pytest.skip("the system has no authorities")
    alone = made(TLSFiles(system_file="/nonexistent", system_dirs=folder))
    assert len(alone.get_ca_certs()) == 1
    assert len(made(TLSFiles(system_dirs=folder)).get_ca_certs()) > 10


# A certificate of ours


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
    assert error.message == "Error initializing client: tls: failed to parse private key"
    assert "is encrypted; one without a passphrase is needed" in error.hint


def test_nothing_is_made_where_nothing_is_encrypted() -> None:
    """An `http` address with no TLS settings needs no context."""
    assert context(TLSFiles(), needed=False) is None
    assert context(TLSFiles(skip_verify=True), needed=False) is not None


def test_the_systems_files_do_not_count_where_nothing_is_encrypted() -> None:
    """SSL_CERT_FILE and SSL_CERT_DIR are in many environments: they are not read for `http`."""
    files = TLSFiles(system_file="/nonexistent", system_dirs="/nonexistent")
    assert context(files, needed=False) is None
    assert fingerprint(files, needed=False) == (files,)
    assert fingerprint(files) == (files, ("/nonexistent", 0, 0))


# Keys


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    """Private keys, one of each kind."""
    return {
        "rsa": rsa.generate_private_key(65537, 2048),
        "rsa2": rsa.generate_private_key(65537, 2048),
        "rsa1024": rsa.generate_private_key(65537, 1024),
        "small": rsa.generate_private_key(65537, 1024),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "x25519": x25519.X25519PrivateKey.generate(),
    }


def certificate(key: Any, issuer: Any, *, authority: bool = False) -> x509.Certificate:
    """Make a certificate for a key, signed by another."""
    names = {
        id(one): x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{id(one)}")])
        for one in (key, issuer)
    }
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(names[id(key)])
        .issuer_name(names[id(issuer)])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(issuer, hashes.SHA256())
    )


def pem_of(made: x509.Certificate) -> bytes:
    return made.public_bytes(Encoding.PEM)


def pem_of_key(key: Any, written: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, written, NoEncryption()))


DIFFER = "private key type does not match public key type"
OTHER = "private key does not match public key"
SWITCHED = (
    "tls: failed to find certificate PEM data in certificate input, but did find a private key; "
    "PEM inputs may have been switched"
)
NO_KEY = 'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input'
SKIPPED = "after skipping PEM blocks of the following types: [EC PARAMETERS CERTIFICATE REQUEST]"


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("rsa", "rsa", ""),
        ("rsa1024", "rsa1024", ""),
        ("p256", "p256", ""),
        ("ed25519", "ed25519", ""),
        ("rsa", "p256", DIFFER),
        ("p256", "rsa", DIFFER),
        ("p256", "ed25519", DIFFER),
        ("ed25519", "p256", DIFFER),
        ("rsa", "ed25519", DIFFER),
        ("rsa1024", "p256", DIFFER),
        ("rsa", "rsa2", OTHER),
        ("rsa", "rsa1024", OTHER),
        ("rsa1024", "rsa", OTHER),
        ("p256", "p384", OTHER),
        ("p256", "x25519", "found unknown private key type in PKCS#8 wrapping"),
    ],
)
def test_a_key_and_a_certificate_of_each_kind(
    cert: str, key: str, words: str, keys: dict[str, Any], pem: Callable[[str, bytes], str]
) -> None:
    """They are a pair, or it is said in the CLI's words why not; measured on version 2.0.6."""
    files = TLSFiles(
        client_cert=pem("cert.pem", pem_of(certificate(keys[cert], keys["rsa2"]))),
        client_key=pem("key.pem", pem_of_key(keys[key])),
    )
    if not words:
        assert made(files)
        return
    error = refused(files)
    assert error.message == f"Error initializing client: tls: {words}"
    assert files.client_cert in error.hint
    assert files.client_key in error.hint


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("{cert}", "{key}", ""),
        ("{cert}{key}", "{cert}{key}", ""),
        ("{key}{cert}", "{key}{cert}", ""),
        ("{bad64}{cert}", "{bad64}{key}", ""),
        ("{cert}{bad64}", "{key}{bad64}", ""),
        ("{cert}{junk}", "{key}{junk}", ""),
        ("{headed}", "{key}", ""),
        ("{cert}", "{mislabelled}", ""),
        ("{cert}", "{params}{key}", ""),
        ("{cert}", "{traditional}", ""),
        ("{crlf}", "{key}", ""),
        (
            "{key}",
            "{cert}",
            SWITCHED,
        ),
        (
            "{cert}",
            "{cert}",
            "tls: found a certificate rather than a key in the PEM for the private key",
        ),
        (
            "{params}{request}",
            "{key}",
            f'tls: failed to find "CERTIFICATE" PEM block in certificate input {SKIPPED}',
        ),
        (
            "{cert}",
            "{params}{request}",
            f"{NO_KEY} {SKIPPED}",
        ),
        ("", "{key}", "tls: failed to find any PEM data in certificate input"),
        ("text", "{key}", "tls: failed to find any PEM data in certificate input"),
        ("{bad64}", "{key}", "tls: failed to find any PEM data in certificate input"),
        ("\ufeff{cert}", "{key}", "tls: failed to find any PEM data in certificate input"),
        ("{cert}", "", "tls: failed to find any PEM data in key input"),
        ("{cert}", "\ufeff{key}", "tls: failed to find any PEM data in key input"),
        ("{junk}", "{key}", "x509: malformed certificate"),
        ("{junk}{cert}", "{key}", "x509: malformed certificate"),
        ("{cert}", "{bad_key}", "tls: failed to parse private key"),
        ("{cert}", "{bad_key}{key}", "tls: failed to parse private key"),
        ("{cert}", "{openssh}", "tls: failed to parse private key"),
    ],
)
def test_files_of_a_pair_are_read_as_the_cli_reads_them(
    cert: str, key: str, words: str, keys: dict[str, Any], pem: Callable[[str, bytes], str]
) -> None:
    """By what is in their blocks; each refusal is in its words and names the file."""

    def block(kind: str, coded: str, head: str = "") -> str:
        return f"-----BEGIN {kind}-----\n{head}{coded}\n-----END {kind}-----\n"

    good = pem_of(certificate(keys["p256"], keys["rsa"])).decode()
    private = pem_of_key(keys["p256"]).decode()
    texts = {
        "cert": good,
        "key": private,
        "crlf": good.replace("\n", "\r\n"),
        "bad64": block("CERTIFICATE", "!!!!"),
        "junk": block("CERTIFICATE", "AAAA"),
        "headed": good.replace("CATE-----\n", "CATE-----\nA: b\n\n", 1),
        "mislabelled": private.replace(" PRIVATE", " RSA PRIVATE"),
        "params": block("EC PARAMETERS", "BggqhkjOPQMBBw=="),
        "request": block("CERTIFICATE REQUEST", "AAAA"),
        "traditional": pem_of_key(keys["p256"], PrivateFormat.TraditionalOpenSSL).decode(),
        "openssh": pem_of_key(keys["p256"], PrivateFormat.OpenSSH).decode(),
        "bad_key": block("PRIVATE KEY", "AAAA"),
    }
    files = TLSFiles(
        client_cert=pem("cert.pem", cert.format(**texts).encode()),
        client_key=pem("key.pem", key.format(**texts).encode()),
    )
    if not words:
        assert made(files)
        return
    error = refused(files)
    assert error.message == f"Error initializing client: {words}"
    assert files.client_cert in error.hint or files.client_key in error.hint
    assert private.split("\n")[1] not in str(error)


def test_a_folder_instead_of_a_file_is_said(tmp_path: Path) -> None:
    """It is opened and cannot be read, in the CLI's words."""
    folder = str(tmp_path)
    assert refused(TLSFiles(client_cert=folder, client_key=folder)).message == (
        f"Error initializing client: read {folder}: is a directory"
    )


# What is small or weak


def agent_with(cert: bytes, key: Any, pem: Callable[[str, bytes], str]) -> ssl.SSLContext:
    """Return an agent that shows a certificate, whatever it is signed with."""
    agent = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    agent.set_ciphers("ALL:@SECLEVEL=0")
    agent.load_cert_chain(pem("agent.pem", cert), pem("agent-key.pem", pem_of_key(key)))
    return agent


def root_file(key: Any, pem: Callable[[str, bytes], str]) -> str:
    return pem("ca/ca.pem", pem_of(certificate(key, key, authority=True)))


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="its levels were others")
@pytest.mark.parametrize(
    ("leaf", "root"), [("rsa1024", "rsa"), ("p256", "rsa1024"), ("rsa1024", "small")]
)
def test_keys_of_1024_bits_are_taken_as_the_cli_takes_them(
    leaf: str, root: str, keys: dict[str, Any], pem: Callable[[str, bytes], str]
) -> None:
    """From an agent or an authority of the user's own; measured on the CLI of version 2.0.6."""
    ca = root_file(keys[root], pem)
    agent = agent_with(pem_of(certificate(keys[leaf], keys[root])), keys[leaf], pem)
    for files in (
        TLSFiles(ca_cert=ca),
        TLSFiles(ca_path=str(Path(ca).parent)),
        TLSFiles(system_file=ca),
        TLSFiles(system_dirs=str(Path(ca).parent)),
        TLSFiles(skip_verify=True),
    ):
        assert handshake(made(files), agent)


PRIMES = (
    0xF16994E0E0387DD76FA928FBB85D6F7D2E101F077C54CD0B7B76431D3C5A9BE5,
    0xDDC2AF12C5F025BB0AEDC39FC882C33740698D34EB2A4949D5C2A1440CC2448D,
)
"""Of an RSA key of 512 bits, which nothing here would make."""


def test_a_key_of_ours_that_is_too_small_is_said(
    keys: dict[str, Any], pem: Callable[[str, bytes], str]
) -> None:
    """What it is, and what would do; the CLI fails when it signs with it, without a word more."""
    p, q = PRIMES
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    small = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public
    ).private_key()
    error = refused(
        TLSFiles(
            client_cert=pem("cert.pem", pem_of(certificate(small, keys["rsa"]))),
            client_key=pem("key.pem", pem_of_key(small)),
        )
    )
    assert error.message.endswith("tls: the client certificate's key is too small")
    assert "1024 bits" in error.hint


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="its levels were others")
def test_a_lower_level_leaves_all_else_as_it_was(
    authority: trustme.CA, pem: Callable[[str, bytes], str]
) -> None:
    """The ciphers that Go has too, and the level where only the system's authorities count."""
    usual = made(TLSFiles())
    lower = made(TLSFiles(ca_cert=pem("ca.pem", ca_file(authority))))
    names = [[one["name"] for one in context.get_ciphers()] for context in (usual, lower)]
    assert names[1] == [name for name in names[0] if not name.startswith("DHE-")]
    assert usual.security_level == ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).security_level
    assert lower.security_level <= 1
    assert lower.minimum_version is ssl.TLSVersion.TLSv1_2


def weakened(cert: x509.Certificate, digest: int) -> bytes:
    """Say that a certificate is signed with another digest: 4 is MD5, 5 is SHA-1."""
    oid = bytes.fromhex("06092a864886f70d0101")
    der = cert.public_bytes(Encoding.DER).replace(oid + b"\x0b", oid + bytes([digest]))
    return ssl.DER_cert_to_PEM_cert(der).encode()


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="its levels were others")
@pytest.mark.parametrize("digest", [4, 5])
def test_a_certificate_of_ours_that_is_signed_weakly_is_said(
    digest: int, keys: dict[str, Any], pem: Callable[[str, bytes], str]
) -> None:
    """The CLI shows it, and every agent that looks refuses it."""
    error = refused(
        TLSFiles(
            client_cert=pem("cert.pem", weakened(certificate(keys["rsa"], keys["rsa2"]), digest)),
            client_key=pem("key.pem", pem_of_key(keys["rsa"])),
        )
    )
    assert error.message.endswith("is signed with a digest that is too weak")
    assert "SHA-256" in error.hint


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="its levels were others")
@pytest.mark.parametrize("digest", [4, 5])
def test_an_agent_whose_certificate_is_signed_weakly_is_refused(
    digest: int, keys: dict[str, Any], pem: Callable[[str, bytes], str]
) -> None:
    """By the CLI too (`insecure algorithm`), whatever the level of keys."""
    ca = root_file(keys["rsa"], pem)
    agent = agent_with(weakened(certificate(keys["rsa2"], keys["rsa"]), digest), keys["rsa2"], pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made(TLSFiles(ca_cert=ca)), agent)


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
        TLSFiles(system_file=one),
        TLSFiles(system_dirs=f"/nonexistent:{tmp_path / 'cas'}"),
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
