"""Users and passwords in addresses, also in those that are mistyped.  Pure."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from nomad_magic.go import to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

# `http://`, and what it becomes in a hurry: `http:/`, `http//`, `https:`, `http;//`, `http:\\`,
# and twice where an address was pasted behind the beginning of one.
_BEGINNING: Final = re.compile(
    r"(?:[\w -]*=)?(?:[^\w@]*(?:[\w+.-]*[:;.]?[/\\]{2}|https?[:;][/\\]?|unix:))*", re.IGNORECASE
)
_HOST_ONLY: Final = re.compile(r"(?:\[[^\]@]*\]|[^:/?#@\[\]]*)(?::\d*)?(?:[/?#]|$)")


def without_password(address: str) -> str:
    """Take the `user:password@` out of an address, also out of one that is not a valid URL."""
    before, _, after = _parts(address)
    return before + after


def has_password(text: str) -> bool:
    """Whether a text that may be an address has a user and a password in it."""
    return ":" in _parts(text)[1]


def address_secrets(address: str) -> Iterator[str]:
    """Return what must not be shown of an address, also of one that is not a valid URL."""
    user, colon, password = _parts(address)[1].partition(":")
    if colon:
        yield password
        yield from basic_auth_secrets(unquote(user), unquote(password))


def basic_auth_secrets(user: str, password: str) -> tuple[str, ...]:
    """Return the password, and the base64 that the Authorization header carries.

    In both alphabets of RFC 4648, with its padding and without.
    """
    pair = to_bytes(f"{user}:{password}")
    coded = {code(pair).decode() for code in (base64.b64encode, base64.urlsafe_b64encode)}
    return password, *sorted({one.rstrip("=") for one in coded} | coded)


def _parts(text: str) -> tuple[str, str, str]:
    """Split an address into what is before the user and password, these, and what follows them."""
    begins = _BEGINNING.match(text)
    start = begins.end() if begins is not None else 0
    if _ends_with_host(text, start):
        # Another address may stand in its path, with a password of its own.
        inner = text.rfind("://", start, text.rfind("@") + 1)
        if inner < 0 or _ends_with_host(text, start := inner + len("://")):
            return text, "", ""
    before, rest = text[:start], text[start:]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    userinfo, _, host = authority.rpartition("@")
    if not (userinfo and host and _HOST_ONLY.match(host)):
        # A password with a slash in it: no valid URL, and still a password.
        userinfo = rest.rpartition("@")[0]
    return before, userinfo, rest[len(userinfo) + 1 :]


def _ends_with_host(text: str, start: int) -> bool:
    """Whether the address that goes on from there has a host first, and no user before it."""
    rest, before = text[start:], text[:start].lower()
    named = before.endswith(("://", "unix:"))
    return "@" not in rest or bool(named and _HOST_ONLY.match(rest))
