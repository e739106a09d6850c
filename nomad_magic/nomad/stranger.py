"""What speaks at an address, where it is not the agent that was meant: hints for an error.  Pure.

A port that is not Nomad's, an address with the wrong scheme, a web server, a load balancer.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nomad_magic.nomad.address import Address

AGENTS_PORT: Final = 4646
"""Where an agent's HTTP API is unless its configuration says another (Nomad's documentation,
"agent configuration", `ports`)."""

_OTHER_PORTS: Final = {
    4647: "4647 is the port that agents use among themselves (RPC)",
    4648: "4648 is the port that servers use among themselves (gossip)",
}

_NEVER_NOMADS: Final = frozenset({407, 413, 414, 502, 503, 504})
# Not compiled before there is a stranger.
_NOMADS_WORDS: Final = (
    r"(?i)permission denied|token not found|token expired|no path to region|no cluster leader"
    r"|rpc error|lookup failed|UUID|(job|alloc|node|eval|namespace)\w* not found|unknown job"
    r"|websocket|rate limit|HTTP request to an HTTPS server"
)

# Go's server, then nginx; a TLS server that answers in TLS to what it cannot read sends an alert
# (RFC 8446, section 6), which begins with these two bytes.
_WANTS_TLS: Final = r"HTTP request (to an HTTPS server|was sent to HTTPS port)"
_ALERT: Final = re.escape(r"\x15\x03")

_TITLE: Final = r"(?is)<title[^>]*>\s*(.*?)\s*</title"
_TITLE_SHOWN: Final = 60
_LINE_SHOWN: Final = 120


def silent_hint(words: str, address: Address, *, known: bool) -> str:
    """Return what may be at an address that gave no HTTP answer; empty where nothing shows it.

    Args:
        words: Why there is none, in the CLI's words (`explain`).
        address: Where the request went.
        known: An agent has answered there before.
    """
    if address.scheme not in ("http", "https"):
        return ""
    host = address.host
    if words.endswith("connection refused"):
        return f"Nothing listens there. {_port_hint(address)}".rstrip()
    if known:
        return ""
    if "HTTP response to HTTPS client" in words:
        return (
            f"What listens there does not speak TLS: for an agent without TLS write http://{host}"
        )
    if re.search(_ALERT, words):
        return _tls_there(address)
    if "malformed HTTP" in words or "transport connection broken" in words:
        return f"What listens there does not speak HTTP. {_port_hint(address)}".rstrip()
    if words.endswith(("EOF", "reset by peer", "broken pipe")):
        port = _port_hint(address) or "or it may not be an agent's HTTP port."
        if address.scheme == "http":
            return f"It closed the connection unasked: it may want TLS (https://{host}); {port}"
        return f"It closed the connection unasked: {port}".replace(": or it", ": it")
    return ""


def answer_hint(status: int, body: str, headers: Mapping[str, str], address: Address) -> str:
    """Return a hint when an answer is not what an agent says to a client that reached it.

    Args:
        status: As for `in_between`.
        body: As for `in_between`.
        headers: As for `in_between`.
        address: Where the request went.
    """
    if address.scheme == "http" and re.search(_WANTS_TLS, body):
        return _tls_there(address)
    hint = in_between(status, body, headers)
    return f"{_port_hint(address)} {hint}".strip() if hint else ""


def in_between(status: int, body: str, headers: Mapping[str, str]) -> str:
    """Return a hint when an answer is another server's than Nomad's; else nothing.

    Every answer of Nomad's says `Vary: Accept-Encoding`, and its errors are plain text (measured
    on Nomad 2.0.6).  Where something on the way has dropped the header its words tell.

    Args:
        status: The HTTP status code; 200 for a body that is not what was asked for.
        body: As text, unpacked.
        headers: Of the answer.
    """
    if status == HTTPStatus.OK and body.lstrip().startswith(("[", "{")):
        # Half of an answer, or another one.
        return ""
    page = body.lstrip().startswith("<") or "html" in headers.get("Content-Type", "").lower()
    own = marked(headers) or re.search(_NOMADS_WORDS, body)
    if own and not page and status not in _NEVER_NOMADS:
        return ""
    server = headers.get("Server", "")
    title = re.search(_TITLE, body)
    first = first_line(body)
    return (
        "That is not Nomad's answer: it comes from another server, or from something between here "
        f"and Nomad, a proxy or a load balancer, with status {status}"
        + (f", from {server[:_TITLE_SHOWN]}" if server else "")
        + (f", with the title {_plain(title[1])!r}" if title else "")
        + (f". It begins: {first[:_LINE_SHOWN]}" if first else " and an empty body.")
    )


def other_json(headers: Mapping[str, str]) -> str:
    """Return a hint for JSON that is not what was asked for; nothing where it is Nomad's."""
    if marked(headers):
        return ""
    return "It is JSON, and without the marks of Nomad's answers: perhaps another server's."


def marked(headers: Mapping[str, str]) -> bool:
    """Whether an answer bears what all of Nomad's bear."""
    return "accept-encoding" in headers.get("Vary", "").lower() or "X-Nomad-Index" in headers


def first_line(body: str) -> str:
    """Return the first line of a body that is not empty."""
    return next((line.strip() for line in body.splitlines() if line.strip()), "")


def too_old(version: str) -> str:
    """Return a hint for an agent that does not know the path of actions; empty for one that does.

    Args:
        version: Of the node's agent; empty where it is not known.
    """
    parts = re.match(r"(\d+)\.(\d+)", version)
    if parts and (int(parts[1]), int(parts[2])) < (1, 7):
        return f"Actions exist since Nomad 1.7; the allocation's node runs {version}."
    return "Actions exist since Nomad 1.7; the agent that was asked may be older."


def _plain(title: str) -> str:
    # Only a page needs it, and it brings a table of all of HTML's names.
    from html import unescape  # noqa: PLC0415 - see above

    return unescape(title)[:_TITLE_SHOWN]


def _tls_there(address: Address) -> str:
    return f"There is TLS on that port: the address begins with https:// (https://{address.host})"


def _port_hint(address: Address) -> str:
    """Return what is odd about an address's port; empty for any that an agent may have."""
    if address.port in _OTHER_PORTS:
        return f"{_OTHER_PORTS[address.port]}; the HTTP API's is {AGENTS_PORT}."
    if address.host == address.name:
        return (
            f"The address names no port, which means {address.port}; an agent's is {AGENTS_PORT} "
            "unless it is set otherwise."
        )
    return ""
