"""Certificates: from the TLS settings to an `ssl.SSLContext`.

What cannot be used is said in the CLI's words (measured on Nomad 2.0.6).
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from nomad_magic.errors import SettingsError

if TYPE_CHECKING:
    from nomad_magic.nomad.settings import TLSFiles


class _Named(ssl.SSLContext):
    """A context that asks for one name, whatever name it is told.

    For a tunnel through a proxy: there httpcore 1.0 tells the address's host, and has no setting.
    """

    name = ""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,  # noqa: ARG002 - what is put right here
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return super().wrap_bio(incoming, outgoing, server_side, self.name, session)


def named_context(files: TLSFiles) -> ssl.SSLContext:
    """Give a context that asks for `files.server_name`; for requests through a proxy.

    Raises:
        SettingsError: As by `context`.
    """
    made = _Named(ssl.PROTOCOL_TLS_CLIENT)
    made.name = files.server_name
    return _filled(made, files)


def context(files: TLSFiles, *, needed: bool) -> ssl.SSLContext | None:
    """Read the files and give a context; None where nothing is encrypted.

    The files are read for an unencrypted address too: a wrong path is an error there as well.

    Args:
        files: The settings as given.
        needed: The address is an `https` one.

    Raises:
        SettingsError: A file that cannot be read or holds no certificate.
    """
    if not needed and files == type(files)():
        return None
    return _filled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), files)


def _filled(made: ssl.SSLContext, files: TLSFiles) -> ssl.SSLContext:
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
        made.set_default_verify_paths()
    if files.skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def fingerprint(files: TLSFiles) -> tuple[object, ...]:
    """Give what changes when one of the files does, so that a renewed one is read again."""
    paths = [files.ca_cert, files.client_cert, files.client_key]
    if files.ca_path and not files.ca_cert:
        try:
            paths += map(str, _walk(Path(files.ca_path)))
        except SettingsError:
            return (files, None)
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


def _mismatch(error: Exception) -> str:
    """Say in Go's words that a key is not the certificate's; what else is wrong, in OpenSSL's."""
    reason = getattr(error, "reason", None) or ""
    return {
        "KEY_VALUES_MISMATCH": "private key does not match public key",
        "KEY_TYPE_MISMATCH": "private key type does not match public key type",
    }.get(reason, reason)


def _refuse_passphrase() -> str:
    raise ValueError("the private key is encrypted; a key without a passphrase is needed")


def _load_authority(made: ssl.SSLContext, path: Path, reading: str, parsing: str) -> None:
    text = _read(path, f"Error loading {reading}: ")
    try:
        # A bundle's comments may be in any encoding; its certificates are ASCII.
        made.load_verify_locations(cadata=text.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(
            f"Error initializing client: Error loading {parsing}: Couldn't parse PEM in: {path}"
        ) from error


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
