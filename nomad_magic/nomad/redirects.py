"""Which redirects are followed: those to the same host, for the token goes nowhere else.

Pure.  Measured on Nomad's CLI 2.0.6: it follows a redirect of a GET wherever it leads, and takes
the token along; of an upgrade it follows some, and then only to the path.  Here both stay on
the host that was named.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from nomad_magic.go import go_quote, to_bytes

MOST: Final = 10
"""How many requests are made for one question, as by Go's client."""

OF_GET: Final = frozenset({301, 302, 303, 307, 308})
OF_UPGRADE: Final = frozenset({301, 307, 308})

_PORTS: Final = {"http": 80, "https": 443}

_IN_A_TARGET: Final = "!#$%&'()*+,/:;=?@[\\]^|"
"""What may stand in a request's first line besides letters, digits and `-._~`; the rest is
percent-encoded."""


def target(url: str, location: str) -> str:
    """Return the URL that a `Location` means; empty when it is of another host.

    Args:
        url: That of the request.
        location: As the answer has it.
    """
    try:
        joined = urljoin(url, quote(to_bytes(location), safe=_IN_A_TARGET))
        return joined if _origin(joined) == _origin(url) else ""
    except ValueError:
        return ""


def with_path(url: str, location: str) -> str:
    """Return the URL of an upgrade that was redirected: another path, the same query."""
    found = target(url, location)
    return urlsplit(url)._replace(path=urlsplit(found).path).geturl() if found else ""


def refusal(url: str, location: str) -> str:
    """Return why a redirect is not followed, with both hosts' names."""
    try:
        here, there = (_shown(one) for one in (url, urljoin(url, location)))
    except ValueError:
        return f"It redirects to what is not a URL: {go_quote(location[:200])}"
    return (
        f"{here} redirects to {there}. That is not followed, for the token would go to another "
        f"host. If {there} is the agent that you mean, make it the address."
    )


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _shown(url: str) -> str:
    parts = urlsplit(url)
    # A password in it is nobody's business.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
