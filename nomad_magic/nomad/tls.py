"""Certificates: from the TLS settings to an `ssl.SSLContext`.

What cannot be used is said in the CLI's words (measured on Nomad 2.0.6).
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import SettingsError

if TYPE_CHECKING:
    from nomad_magic.nomad.settings import TLSFiles


def context(files: TLSFiles, *, needed: bool) -> ssl.SSLContext | None:
    """Read the files and return a context; None where nothing is encrypted.

    The files are read for an unencrypted address too: a wrong path is an error there as well.

    Args:
        files: The settings as given.
        needed: The address is an `https` one.

    Raises:
        SettingsError: A file that cannot be read or holds no certificate.
    """
    if not needed and not files.given:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if bool(files.client_cert) != bool(files.client_key):
        raise SettingsError(
            "Error initializing client: Both client cert and client key must be provided"
        )
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # As in Go, any certificate that is trusted ends the chain, an intermediate one too.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if files.client_cert:
        _load_client(made, files.client_cert, files.client_key)
    if files.ca_cert:
        _load_authority(made, Path(files.ca_cert), "CA File", "CA File")
    elif files.ca_path:
        for path in _walk(Path(files.ca_path)):
            _load_authority(made, path, "file from CAPath", "CA Path")
    else:
        _load_system(made, files)
    if files.skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def fingerprint(files: TLSFiles) -> tuple[object, ...]:
    """Return what changes when one of the files does, so that a renewed one is read again."""
    paths = [files.ca_cert, files.client_cert, files.client_key]
    if files.ca_path and not files.ca_cert:
        try:
            paths += map(str, _walk(Path(files.ca_path)))
        except SettingsError:
            return (files, None)
    if not files.ca_cert and not files.ca_path:
        paths += [files.root_file, *map(str, _system_files(files))]
    stats = []
    for path in filter(None, paths):
        try:
            stat = Path(path).stat()
        except OSError:
            stats.append((path, 0, 0))
        else:
            stats.append((path, stat.st_mtime_ns, stat.st_size))
    return (files, *stats)


def _load_client(made: ssl.SSLContext, cert: str, key: str) -> None:
    for path in (cert, key):
        text = _read(Path(path), "")
        if b"-----BEGIN" not in text:
            kind = "certificate" if path == cert else "key"
            raise SettingsError(
                f"Error initializing client: tls: failed to find any PEM data in {kind} input",
                hint=f"The file is {path}.",
            )
    try:
        # A callback keeps a key with a passphrase from asking on the kernel's terminal.
        made.load_cert_chain(cert, key, password=_refuse_passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(
            f"Error initializing client: tls: {_mismatch(error) or error}",
            hint=f"The certificate is {cert}, its key {key}.",
        ) from error


_KEY_WORDS: Final = {
    "KEY_VALUES_MISMATCH": "private key does not match public key",
    "KEY_TYPE_MISMATCH": "private key type does not match public key type",
    # What OpenSSL says of a key for which it has no certificate of that type.
    "NO_CERTIFICATE_ASSIGNED": "private key type does not match public key type",
    "EE_KEY_TOO_SMALL": "the key is smaller than this system's OpenSSL accepts (RSA: 2048 bits)",
    "CA_KEY_TOO_SMALL": "a key of its authority is smaller than this system's OpenSSL accepts",
    "CA_MD_TOO_WEAK": "it is signed with a digest that this system's OpenSSL does not accept",
}
"""OpenSSL's reasons: in Go's words where Go refuses it too."""


def _mismatch(error: Exception) -> str:
    """Say what is wrong with a certificate and its key."""
    reason = getattr(error, "reason", None) or ""
    return _KEY_WORDS.get(reason, reason)


def _refuse_passphrase() -> str:
    raise ValueError("the private key is encrypted; a key without a passphrase is needed")


def _load_authority(made: ssl.SSLContext, path: Path, reading: str, parsing: str) -> None:
    text = _read(path, f"Error loading {reading}: ")
    if not _load_certificates(made, text):
        raise SettingsError(
            f"Error initializing client: Error loading {parsing}: Couldn't parse PEM in: {path}"
        )


_BLOCK: Final = re.compile(
    rb"^-----BEGIN CERTIFICATE-----[ \t]*\r?\n(.*?)^-----END CERTIFICATE-----[ \t]*\r?$",
    re.DOTALL | re.MULTILINE,
)


def _load_certificates(made: ssl.SSLContext, text: bytes) -> int:
    """Trust the certificates of a bundle; return how many there are.

    As Go's `CertPool.AppendCertsFromPEM` (https://pkg.go.dev/crypto/x509): what is no certificate,
    has headers or cannot be read is passed over.
    """
    count = 0
    for block in _BLOCK.finditer(text):
        try:
            made.load_verify_locations(cadata=base64.b64decode(block[1], validate=False))
        except (ssl.SSLError, ValueError):
            continue
        count += 1
    return count


def _load_system(made: ssl.SSLContext, files: TLSFiles) -> None:
    """Trust what the system trusts; as Go, every file of `SSL_CERT_DIR`, whatever its name."""
    made.set_default_verify_paths()
    found = [Path(files.root_file)] if files.root_file else []
    for path in [*found, *_system_files(files)]:
        with contextlib.suppress(OSError):
            _load_certificates(made, path.read_bytes())


def _system_files(files: TLSFiles) -> list[Path]:
    found: list[Path] = []
    for folder in filter(None, files.root_dirs.split(os.pathsep)):
        with contextlib.suppress(OSError):
            found += sorted(one for one in Path(folder).iterdir() if one.is_file())
    return found


def _read(path: Path, prefix: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"Error initializing client: {prefix}open {path}: {_words(error)}"
        ) from error


def _walk(folder: Path) -> list[Path]:
    """Give every file below a folder, in lexical order as Go walks it; a file is its own."""
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
