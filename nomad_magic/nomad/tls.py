"""Whether TLS is wanted, and with which certificates; those are read by `certificates`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from nomad_magic.nomad.target import TLSFiles


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
    from nomad_magic.nomad import certificates  # noqa: PLC0415 - most short runs need none of it

    return certificates.context(files)


def fingerprint(files: TLSFiles, *, needed: bool = True) -> tuple[object, ...]:
    """Return what changes when one of the files does, so that a renewed one is read again.

    Args:
        files: The settings as given.
        needed: As for `context`: the system's own files count for `https` alone.
    """
    if not needed and not files.given:
        return (files,)
    from nomad_magic.nomad import certificates  # noqa: PLC0415 - as above

    paths = certificates.files_of(files)
    return (files, None) if paths is None else (files, *map(certificates.stamp, paths))
