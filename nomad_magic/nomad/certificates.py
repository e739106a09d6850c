"""Certificates: from the TLS settings to an `ssl.SSLContext`; for `tls` alone.

What cannot be used is said in the CLI's words, and what it passes over is passed over (measured
on Nomad 2.0.6; read in Go 1.26's `crypto/tls` and `crypto/x509`, whose steps these are).
"""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from nomad_magic.errors import SettingsError
from nomad_magic.go import pem_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nomad_magic.go import PemBlock
    from nomad_magic.nomad.target import TLSFiles

SYSTEM_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Go looks for the system's authorities without SSL_CERT_FILE: the first that can be read."""


def context(files: TLSFiles) -> ssl.SSLContext:
    """Read the files and return a context.

    Raises:
        SettingsError: A file that cannot be read or holds no certificate.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if bool(files.client_cert) != bool(files.client_key):
        raise SettingsError(
            "Error initializing client: Both client cert and client key must be provided"
        )
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # As in Go, any certificate that is trusted ends the chain, an intermediate one too.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _lower_level(made, files)
    if files.client_cert:
        _load_client(made, files.client_cert, files.client_key)
    if files.ca_cert:
        _load_authority(made, Path(files.ca_cert), "CA File", "CA File")
    elif files.ca_path:
        for path in _walk(Path(files.ca_path)):
            _load_authority(made, path, "file from CAPath", "CA Path")
    elif files.system_file or files.system_dirs:
        _load_system(made, files)
    else:
        made.set_default_verify_paths()
    if files.skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _lower_level(made: ssl.SSLContext, files: TLSFiles) -> None:
    """Let OpenSSL take the key sizes that Go takes, where the certificates are the user's own.

    OpenSSL's usual level 2 refuses RSA keys below 2048 bits; Go, and so the CLI and every agent,
    takes them from 1024 bits on, which is what level 1 asks for.  That opens nothing that Go has
    shut: since OpenSSL 3 a signature by SHA-1 or MD5 is refused at level 1 too, TLS 1.2 stays the
    least, and the ciphers stay those that were there but for the DHE ones, which Go does not have
    and whose groups could be small then.  Public authorities sign no such keys any more, so the
    system's own authorities keep the level that the system has.
    """
    own = (files.ca_cert, files.ca_path, files.client_cert, files.system_file, files.system_dirs)
    if any(own) and made.security_level > 1 and ssl.OPENSSL_VERSION_INFO >= (3,):
        names = [cipher["name"] for cipher in made.get_ciphers()]
        kept = [name for name in names if not name.startswith("DHE-")]
        # Where there are no ciphers for TLS 1.2 at all, the level stays.
        with contextlib.suppress(ssl.SSLError):
            made.set_ciphers(":".join([*kept, "@SECLEVEL=1"]))


def files_of(files: TLSFiles) -> list[str] | None:
    """Return the paths of all that is read, or None where a folder cannot be."""
    paths = [files.ca_cert, files.client_cert, files.client_key]
    if files.ca_path and not files.ca_cert:
        try:
            paths += map(str, _walk(Path(files.ca_path)))
        except SettingsError:
            return None
    elif not files.ca_cert:
        paths += [files.system_file, *map(str, _in_folders(files.system_dirs))]
    return list(filter(None, paths))


def stamp(path: str) -> tuple[str, int, int]:
    """Return what changes when a file does: its time and its size, beside its name."""
    try:
        found = Path(path).stat()
    except OSError:
        return (path, 0, 0)
    return (path, found.st_mtime_ns, found.st_size)


# What we show


def _load_client(made: ssl.SSLContext, cert: str, key: str) -> None:
    """Load what `tls.LoadX509KeyPair` would, and refuse in its words what it refuses."""
    files = f"The certificate is {cert}, its key {key}."
    texts = [_read(Path(path), "") for path in (cert, key)]
    chain = _certificates(texts[0], f"The file is {cert}.")
    private = _private_key(texts[1], f"The file is {key}.")
    if not _is_certificate(chain[0]):
        raise _unusable("x509: malformed certificate", f"The file is {cert}.")
    if "ENCRYPTED" in private.kind + private.headers.get("Proc-Type", ""):
        raise _unusable(
            "tls: failed to parse private key",
            f"The private key in {key} is encrypted; one without a passphrase is needed.",
        )
    written = "".join(map(ssl.DER_cert_to_PEM_cert, filter(_is_certificate, chain)))
    try:
        _load_pair(made, written, private)
    except (ssl.SSLError, ValueError) as error:
        words, hint = _OF_PAIRS.get(getattr(error, "reason", None) or "", ("", ""))
        raise _unusable(
            f"tls: {words or 'failed to parse private key'}", f"{hint} {files}".strip()
        ) from error


def _load_pair(made: ssl.SSLContext, chain: str, key: PemBlock) -> None:
    """Hand a certificate and its key to OpenSSL.

    Raises:
        ssl.SSLError: They are not a pair, or the key cannot be read.
    """
    # Go reads a key by what it holds, OpenSSL by what it is called.
    names = dict.fromkeys([key.kind, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"])
    failure: ssl.SSLError | None = None
    for name in names:
        text = ssl.DER_cert_to_PEM_cert(key.data).replace(" CERTIFICATE-", f" {name}-")
        try:
            with _in_file(chain) as cert_path, _in_file(text) as key_path:
                # A callback keeps a passphrase from being asked for on the kernel's terminal.
                made.load_cert_chain(cert_path, key_path, password=_refuse_passphrase)
        except ssl.SSLError as error:
            # The first says the most: it had the key's own name.
            failure = failure or error
            if error.reason in _OF_PAIRS:
                raise
        else:
            return
    raise failure or ssl.SSLError


@contextlib.contextmanager
def _in_file(text: str) -> Iterator[str]:
    """Write a text to a file of its own, and yield its path: OpenSSL reads only files.

    On Linux it is in memory; elsewhere it is there for the moment, and for this user alone.
    """
    with contextlib.ExitStack() as stack:
        file: IO[str]
        if sys.platform == "linux" and Path("/proc/self/fd").is_dir():
            file = stack.enter_context(os.fdopen(os.memfd_create("nomad_magic"), "w"))
            path = f"/proc/self/fd/{file.fileno()}"
        else:
            file = stack.enter_context(tempfile.NamedTemporaryFile("w"))
            path = file.name
        file.write(text)
        file.flush()
        yield path


_OF_PAIRS: Final = {
    "KEY_VALUES_MISMATCH": ("private key does not match public key", ""),
    "KEY_TYPE_MISMATCH": ("private key type does not match public key type", ""),
    # There is a certificate, but none for a key of this type.
    "NO_CERTIFICATE_ASSIGNED": ("private key type does not match public key type", ""),
    "UNKNOWN_CERTIFICATE_TYPE": ("found unknown private key type in PKCS#8 wrapping", ""),
    "EE_KEY_TOO_SMALL": (
        "the client certificate's key is too small",
        "An RSA key needs 1024 bits, and 2048 to be safe.",
    ),
    "CA_KEY_TOO_SMALL": (
        "the key of an authority in the client certificate's file is too small",
        "An RSA key needs 1024 bits, and 2048 to be safe.",
    ),
    "CA_MD_TOO_WEAK": (
        "the client certificate is signed with a digest that is too weak",
        "It may be SHA-1 or MD5, which no agent accepts: have it signed with SHA-256.",
    ),
}
"""OpenSSL's reasons for refusing a certificate and its key: Go's words, or ours, and a hint."""


def _certificates(text: bytes, hint: str) -> list[bytes]:
    """Return the certificates of a file, in DER.

    Raises:
        SettingsError: There is none.
    """
    blocks = list(pem_blocks(text))
    if chain := [block.data for block in blocks if block.kind == "CERTIFICATE"]:
        return chain
    kinds = [block.kind for block in blocks]
    if not kinds:
        words = "failed to find any PEM data in certificate input"
    elif len(kinds) == 1 and kinds[0].endswith("PRIVATE KEY"):
        words = (
            "failed to find certificate PEM data in certificate input, but did find a private "
            "key; PEM inputs may have been switched"
        )
    else:
        words = f'failed to find "CERTIFICATE" PEM block in certificate input {_skipped(kinds)}'
    raise _unusable(f"tls: {words}", hint)


def _private_key(text: bytes, hint: str) -> PemBlock:
    """Return the first block of a file that is called a private key.

    Raises:
        SettingsError: There is none.
    """
    kinds: list[str] = []
    for block in pem_blocks(text):
        if f" {block.kind}".endswith(" PRIVATE KEY"):
            return block
        kinds.append(block.kind)
    if not kinds:
        words = "failed to find any PEM data in key input"
    elif kinds == ["CERTIFICATE"]:
        words = "found a certificate rather than a key in the PEM for the private key"
    else:
        words = (
            'failed to find PEM block with type ending in "PRIVATE KEY" in key input '
            f"{_skipped(kinds)}"
        )
    raise _unusable(f"tls: {words}", hint)


def _skipped(kinds: Sequence[str]) -> str:
    return f"after skipping PEM blocks of the following types: [{' '.join(kinds)}]"


def _unusable(words: str, hint: str) -> SettingsError:
    return SettingsError(f"Error initializing client: {words}", hint=hint)


def _refuse_passphrase() -> str:
    raise ValueError("the private key is encrypted; a key without a passphrase is needed")


# Whom we trust


def _load_authority(made: ssl.SSLContext, path: Path, reading: str, parsing: str) -> None:
    if not _trust(made, _authorities(_read(path, f"Error loading {reading}: "))):
        raise SettingsError(
            f"Error initializing client: Error loading {parsing}: Couldn't parse PEM in: {path}"
        )


def _load_system(made: ssl.SSLContext, files: TLSFiles) -> None:
    """Trust what Go takes for the system's authorities; what cannot be read is passed over.

    Of file and folders one may be given; the other is then where the system has it.
    """
    defaults = ssl.get_default_verify_paths()
    given = (files.system_file,) if files.system_file else (*SYSTEM_FILES, defaults.openssl_cafile)
    # A folder mostly holds what is in the file too.
    found: dict[bytes, None] = {}
    for path in given:
        with contextlib.suppress(OSError):
            found |= dict.fromkeys(_authorities(Path(path).read_bytes()))
            break
    if not files.system_dirs:
        with contextlib.suppress(OSError):
            # Its files have the names that OpenSSL looks for.
            made.load_verify_locations(capath=defaults.openssl_capath)
    for file in _in_folders(files.system_dirs):
        with contextlib.suppress(OSError):
            found |= dict.fromkeys(_authorities(file.read_bytes()))
    _trust(made, list(found))


def _authorities(text: bytes) -> list[bytes]:
    """Return what `AppendCertsFromPEM` takes for certificates in a file, in DER.

    Blocks of another kind or with headers are passed over.
    """
    return [
        block.data
        for block in pem_blocks(text)
        if block.kind == "CERTIFICATE" and not block.headers and _is_one_value(block.data)
    ]


def _trust(made: ssl.SSLContext, authorities: Sequence[bytes]) -> bool:
    """Trust those that are certificates; whether there was one."""
    try:
        # All at once is much faster, and mostly there is nothing wrong.
        made.load_verify_locations(cadata=b"".join(authorities))
    except (ssl.SSLError, ValueError):
        return sum(_is_trusted(made, one) for one in authorities) > 0
    return True


def _is_trusted(made: ssl.SSLContext, authority: bytes) -> bool:
    try:
        made.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _is_certificate(der: bytes) -> bool:
    return _is_one_value(der) and _is_trusted(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), der)


def _is_one_value(der: bytes) -> bool:
    """Whether this is one sequence of DER and nothing else: OpenSSL takes several in a row."""
    if len(der) < 2 or der[0] != 0x30:
        return False
    more = der[1] & 0x7F if der[1] & 0x80 else 0
    return len(der) == 2 + more + (int.from_bytes(der[2 : 2 + more], "big") if more else der[1])


def _in_folders(folders: str) -> list[Path]:
    """Return the files in folders with colons between them, not those further down."""
    found: list[Path] = []
    for folder in filter(None, folders.split(":")):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            found += sorted(
                Path(entry.path)
                for entry in entries
                if not _is_other_name(entry) and entry.is_file()
            )
    return found


def _is_other_name(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to a file of the same folder, as OpenSSL's hashed names are."""
    return entry.is_symlink() and len(Path(entry.path).readlink().parts) == 1


# Files


def _read(path: Path, prefix: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        # A folder can be opened, but not read.
        verb = "read" if isinstance(error, IsADirectoryError) else "open"
        raise SettingsError(
            f"Error initializing client: {prefix}{verb} {path}: {_words(error)}"
        ) from error


def _walk(folder: Path) -> list[Path]:
    """Return every file below a folder, in lexical order as Go walks it; a file is its own."""
    if folder.is_file():
        return [folder]

    def fail(error: OSError) -> None:
        raise SettingsError(
            f"Error initializing client: lstat {error.filename}: {_words(error)}"
        ) from error

    found = [
        Path(directory, name)
        for directory, _, names in os.walk(folder, onerror=fail)
        for name in names
    ]
    return sorted(found)


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
