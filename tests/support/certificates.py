"""Certificates of a cluster, in files: an authority's, the agent's, a client's, and wrong ones."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("127.0.0.1", "localhost", "server.global.nomad", "client.global.nomad")
"""The names on an agent's certificate; Nomad's documentation on TLS says which it needs."""


class Certificates:
    """PEM files in a folder.

    Args:
        folder: Where they are written; exists.

    Attributes:
        ca: The authority of all of them but the stranger's.
        stranger_ca: Another, which nobody here trusts.
        server: What an agent serves with; each pair is a certificate and its key.
        expired_server: The same, of the past.
        client: What a client shows.
        expired_client: The same, of the past.
        stranger: A client's, of the other authority.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        authority, other = trustme.CA(), trustme.CA()
        past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.stranger_ca = folder / "stranger-ca.pem"
        other.cert_pem.write_to_path(self.stranger_ca)
        self.server = self._write("server", authority.issue_cert(*NAMES))
        self.expired_server = self._write(
            "expired-server", authority.issue_cert(*NAMES, not_after=past)
        )
        self.client = self._write("client", authority.issue_cert("cli.global.nomad"))
        self.expired_client = self._write(
            "expired-client", authority.issue_cert("cli.global.nomad", not_after=past)
        )
        self.stranger = self._write("stranger", other.issue_cert("cli.global.nomad"))

    @property
    def environ(self) -> dict[str, str]:
        """What a client needs that trusts the agent and that the agent trusts."""
        cert, key = map(str, self.client)
        return {
            "NOMAD_CACERT": str(self.ca),
            "NOMAD_CLIENT_CERT": cert,
            "NOMAD_CLIENT_KEY": key,
        }

    def _write(self, name: str, issued: trustme.LeafCert) -> tuple[Path, Path]:
        cert, key = self._folder / f"{name}.pem", self._folder / f"{name}-key.pem"
        issued.cert_chain_pems[0].write_to_path(cert)
        issued.private_key_pem.write_to_path(key)
        return cert, key
