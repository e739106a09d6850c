"""Keeping secrets out of whatever is shown, saved or logged.

A secret is a token or a password that this run was given.  It is masked wherever we write
text of ours, and in an action's output too when that is shown: an action that prints its
own environment would otherwise put the token into the saved notebook.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, AnyStr, Final

from nomad_magic.go import to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MASK: Final = "[masked]"
"""What stands where a secret stood."""

SHORTEST: Final = 4
"""Shorter secrets (characters) are not looked for in output: they would match by chance."""


class Masker:
    """Replaces a run's secrets in text and in a stream of bytes.

    Where secrets overlap, one mask stands for all of them.

    Args:
        secrets: Tokens and passwords; blanks around them do not belong to them (a token read
            from a file ends in a newline), and empty ones are left out.
    """

    __slots__ = ("_bytes", "_texts")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        stripped = {secret.strip() for secret in secrets}
        self._texts = tuple(sorted(text for text in stripped if len(text) >= SHORTEST))
        self._bytes = tuple(to_bytes(text) for text in self._texts)

    def __repr__(self) -> str:
        return f"Masker({len(self._texts)} secrets)"

    def __bool__(self) -> bool:
        return bool(self._texts)

    @property
    def reach(self) -> int:
        """How long the longest secret is, in bytes: 0 without any."""
        return max(map(len, self._bytes), default=0)

    def text(self, text: str) -> str:
        """Return the text with every secret masked."""
        return _mask(text, self._texts, MASK)

    def data(self, data: bytes) -> bytes:
        """Return the bytes with every secret masked."""
        return _mask(data, self._bytes, _MASK_BYTES)

    def stream(self) -> StreamMasker:
        """Return a masker for one stream, for bytes that come in pieces."""
        return StreamMasker(self._bytes)


class StreamMasker:
    """Masks secrets in bytes that come cut anywhere, also inside a secret.

    Bytes that may be the beginning of a secret are held back until it is known; nothing
    else is delayed.  What comes out is what `Masker.data` would make of the whole.
    """

    __slots__ = ("_covered", "_held", "_secrets")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
        self._held = b""
        # How many of the bytes held back are behind a mask that was given out already.
        self._covered = 0

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return those that can be shown by now."""
        if not self._secrets:
            return data
        data = self._held + data
        return self._give(data, len(data) - max(_overlap(data, one) for one in self._secrets))

    def finish(self) -> bytes:
        """Return what was held back, once no more will come."""
        return self._give(self._held, len(self._held))

    def _give(self, data: bytes, cut: int) -> bytes:
        """Mask and return what is before the cut, hold back what is after it."""
        shown = []
        done = covered = self._covered
        for start, end in _spans(data, self._secrets, covered):
            if start >= cut:
                break
            # The first span may go on behind a mask that is out already.
            if start >= covered or not covered:
                shown += [data[done:start], _MASK_BYTES]
            done = end
        shown.append(data[done:cut])
        self._held = data[cut:]
        self._covered = max(done - cut, 0)
        return b"".join(shown)


_MASK_BYTES: Final = MASK.encode()


def _mask(data: AnyStr, secrets: Sequence[AnyStr], mask: AnyStr) -> AnyStr:
    spans = _spans(data, secrets)
    if not spans:
        return data
    shown = []
    done = 0
    for start, end in spans:
        shown += [data[done:start], mask]
        done = end
    shown.append(data[done:])
    return data[:0].join(shown)


def _spans(data: AnyStr, secrets: Sequence[AnyStr], covered: int = 0) -> list[tuple[int, int]]:
    """Return where the secrets stand, in order; those that overlap are one span.

    Args:
        data: Where to look.
        secrets: What to look for.
        covered: How much of the beginning counts as found already.
    """
    found = [(0, covered)] if covered else []
    for secret in secrets:
        start = data.find(secret)
        while start >= 0:
            found.append((start, start + len(secret)))
            start = data.find(secret, start + 1)
    spans: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _overlap(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of `data` are a beginning of `secret`, but not all of it."""
    for size in range(min(len(secret) - 1, len(data)), 0, -1):
        if secret.startswith(data[-size:]):
            return size
    return 0


def basic_auth_secrets(user: str, password: str) -> tuple[str, str]:
    """Return the password and the base64 that the Authorization header carries."""
    return password, base64.b64encode(to_bytes(f"{user}:{password}")).decode()


def without_password(address: str) -> str:
    """Take the `user:password@` out of an address, also out of one that is not a valid URL."""
    scheme, slashes, rest = address.partition("://")
    if not slashes:
        scheme, rest = "", address
    if _HOST_ONLY.match(rest):
        return address
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    if host != authority and host and _HOST_ONLY.match(host):
        return f"{scheme}{slashes}{host}{rest[len(authority) :]}"
    # A password with a slash in it: no valid URL, and still a password.
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"


_HOST_ONLY = re.compile(r"(?:\[[^\]@]*\]|[^:/?#@\[\]]*)(?::\d*)?(?:[/?#]|$)")
