"""Keeping secrets out of whatever is shown, saved or logged.

A secret is a token or a password that this run was given.  It is masked wherever we write
text of ours, and in an action's output too when that is shown: an action that prints its
own environment would otherwise put the token into the saved notebook.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK: Final = "[masked]"
"""What stands where a secret stood."""

SHORTEST: Final = 4
"""Shorter secrets (characters) are not looked for in output: they would match by chance."""


class Masker:
    """Replaces a run's secrets in text and in a stream of bytes.

    Args:
        secrets: Tokens and passwords; empty ones are left out.
    """

    __slots__ = ("_bytes", "_texts")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found = {secret for secret in secrets if len(secret) >= SHORTEST}
        # The longest first: one secret may begin with another.
        self._texts = tuple(sorted(found, key=lambda text: (-len(text), text)))
        self._bytes = tuple(text.encode("utf-8", "surrogateescape") for text in self._texts)

    def __repr__(self) -> str:
        return f"Masker({len(self._texts)} secrets)"

    def __bool__(self) -> bool:
        return bool(self._texts)

    def text(self, text: str) -> str:
        """Give the text with every secret masked."""
        for secret in self._texts:
            text = text.replace(secret, MASK)
        return text

    def data(self, data: bytes) -> bytes:
        """Give the bytes with every secret masked."""
        for secret in self._bytes:
            data = data.replace(secret, MASK.encode())
        return data

    def stream(self) -> StreamMasker:
        """Give a masker for one stream, for bytes that come in pieces."""
        return StreamMasker(self, self._bytes)


class StreamMasker:
    """Masks secrets in bytes that come cut anywhere, also inside a secret.

    Bytes that may be the beginning of a secret are held back until it is known; nothing
    else is delayed.
    """

    __slots__ = ("_held", "_masker", "_secrets")

    def __init__(self, masker: Masker, secrets: tuple[bytes, ...]) -> None:
        self._masker = masker
        self._secrets = secrets
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; give those that can be shown by now."""
        if not self._secrets:
            return data
        data = self._masker.data(self._held + data)
        keep = max(_overlap(data, secret) for secret in self._secrets)
        cut = len(data) - keep
        self._held = data[cut:]
        return data[:cut]

    def finish(self) -> bytes:
        """Give what was held back, once no more will come."""
        held, self._held = self._held, b""
        return held


def _overlap(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of `data` are a beginning of `secret`, but not all of it."""
    for size in range(min(len(secret) - 1, len(data)), 0, -1):
        if secret.startswith(data[-size:]):
            return size
    return 0


def basic_auth_secrets(user: str, password: str) -> tuple[str, str]:
    """Give the password and the base64 that the Authorization header carries."""
    return password, base64.b64encode(f"{user}:{password}".encode()).decode()
