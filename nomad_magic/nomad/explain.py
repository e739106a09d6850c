"""What went wrong between us and the agent, in the words of the CLI, which are Go's.

An SRE searches runbooks and issues for these words; they also say more than Python's.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import ssl
import zlib
from typing import TYPE_CHECKING, Final, Self

import h11

from nomad_magic.errors import RequestError, UnexpectedAnswer
from nomad_magic.go import go_quote
from nomad_magic.nomad.dial import DialError, DialTimeout
from nomad_magic.nomad.libraries import InvalidHandshake
from nomad_magic.nomad.transport import HandshakeTimeout, ProxyRefused, Unanswered
from nomad_magic.record.humanize import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nomad_magic.nomad.address import Address
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.target import TLSFiles

# X509_V_ERR_* of OpenSSL (its manual page X509_STORE_CTX_get_error).
_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})
_EXPIRED: Final = frozenset({9, 10})
_WRONG_NAME: Final = frozenset({62, 64})

# The alerts of RFC 8446, section 6, by OpenSSL's names, where Go's package crypto/tls says them
# in other words.
_ALERTS: Final = {
    "CERTIFICATE_EXPIRED": "expired certificate",
    "CERTIFICATE_REVOKED": "revoked certificate",
    "CERTIFICATE_UNKNOWN": "unknown certificate",
    "UNKNOWN_CA": "unknown certificate authority",
    "PROTOCOL_VERSION": "protocol version not supported",
}

PERMISSION_DENIED: Final = "Permission denied"
"""What an agent answers to a token that lacks a right."""

NO_REGION: Final = "No path to region"
"""What an agent answers when it knows no server of the region."""

LOOKUP_FAILED: Final = "lookup failed"
"""What an agent answers to the beginning of an id that none can have."""

_DENIALS: Final = (PERMISSION_DENIED, "ACL token not found", "ACL token expired")

_OTHER_JSON: Final = "json: cannot unmarshal the answer: "

_BROKEN: Final = "net/http: HTTP/1.x transport connection broken"


def os_error(error: OSError) -> str:
    """Return what the operating system said, as Go says it: `connection refused`."""
    if error.errno is None:
        return str(error)
    return _lower(os.strerror(error.errno))


def explain(
    error: BaseException, address: Address, options: Options, *, upgrade: bool = False
) -> str:
    """Return why a request brought no answer, in the CLI's words.

    Args:
        error: What the libraries or the operating system raised.
        address: Where the request went.
        options: The bounds that may have been passed.
        upgrade: It was one to an exec session.
    """
    if isinstance(error, TimeoutError):
        return _too_late(error, address, options, upgrade=upgrade)
    for cause in _causes(error):
        if words := _words(cause, address):
            return words
    if any(isinstance(cause, EOFError | Unanswered) for cause in _causes(error)):
        return "EOF"
    return f"{_BROKEN}: {_lower(str(error))}"


def _words(cause: BaseException, address: Address) -> str:
    """Return what an error is, by its type; nothing where another that it came from may say it."""
    match cause:
        case ssl.SSLError():
            return _tls(cause)
        case socket.gaierror():
            return f"dial tcp: lookup {address.hostname}: {_lookup(cause)}"
        case DialError():
            return f"dial {_dialled(cause.where, address)}: connect: {_refused(cause)}"
        case OSError():
            return f"read: {os_error(cause)}"
        case InvalidHandshake():
            return f"websocket: bad handshake: {_lower(str(cause))}"
        case zlib.error():
            return "gzip: invalid header"
        case h11.ProtocolError():
            return f"{_BROKEN}: {_lower(str(cause))}"
        case _:
            return ""


def explain_by_proxy(
    error: BaseException, proxy: Address, options: Options, *, upgrade: bool = False
) -> str:
    """Return why a request through a proxy brought no answer, in the CLI's words.

    Args:
        error: As for `explain`.
        proxy: Where the request went first.
        options: The bounds that may have been passed.
        upgrade: As for `explain`.
    """
    if isinstance(error, ProxyRefused):
        # Of the proxy's refusal Go gives the words of the status line alone.
        return str(error)
    words = explain(error, proxy, options, upgrade=upgrade)
    return f"proxyconnect tcp: {words}" if words.startswith("dial ") else words


def _too_late(error: TimeoutError, address: Address, options: Options, *, upgrade: bool) -> str:
    """Return which bound was passed, and which setting holds it, in words."""
    if isinstance(error, DialTimeout):
        where = f"tcp: lookup {address.hostname}"
        if error.where:
            where = _dialled(error.where, address)
        return (
            f"dial {where}: i/o timeout: not connected within "
            f"{options.connect_timeout:g} s (connect_timeout)"
        )
    if isinstance(error, HandshakeTimeout):
        bound = f"{options.connect_timeout:g} s (connect_timeout)"
        return f"net/http: TLS handshake timeout: no answer within {bound}"
    if error.errno is not None:
        # The system's own: what was sent was never acknowledged.
        return f"read: {os_error(error)}"
    if upgrade:
        return f"no answer within {options.connect_timeout:g} s (connect_timeout)"
    return f"no answer within {options.answer_timeout:g} s (answer_timeout)"


def _dialled(where: str, address: Address) -> str:
    if address.scheme == "unix":
        return f"unix {where}"
    # Of a port alone Go names the port alone.
    return f"tcp {where}" if address.name else f"tcp {address.host}"


def _refused(error: OSError) -> str:
    if error.errno is not None:
        return os_error(error)
    # Python looks at the length of a socket's path itself; Go hears it from the system.
    return _lower(os.strerror(errno.EINVAL)) if "AF_UNIX" in str(error) else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Go through an error and all it came from, groups included."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(one.exceptions)
        waiting += [one.__cause__, one.__context__]


def _lookup(error: socket.gaierror) -> str:
    unknown = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    if error.errno in unknown or error.errno == socket.EAI_AGAIN:
        # Go's own resolver says the same when no name server answers for the name.
        return "no such host" if error.errno in unknown else "server misbehaving"
    return _lower(error.strerror or str(error))


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_certificate(error)}"
    reason = error.reason or ""
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}:
        return "http: server gave HTTP response to HTTPS client"
    if "ALERT" in reason:
        alert = reason.partition("ALERT_")[2]
        return f"remote error: tls: {_ALERTS.get(alert) or alert.replace('_', ' ').lower()}"
    if reason == "UNEXPECTED_EOF_WHILE_READING":
        return "EOF"
    return f"tls: {reason.replace('_', ' ').lower() or error}"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    detail = _lower(error.verify_message)
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return f"certificate signed by unknown authority ({detail})"
    if error.verify_code in _EXPIRED:
        return f"certificate has expired or is not yet valid: {detail}"
    if error.verify_code in _WRONG_NAME:
        return f"certificate is valid for another name: {detail}"
    return detail


def certificate_hint(error: BaseException, address: Address, files: TLSFiles) -> str:
    """Return which certificate it was that was not accepted, and by whom; nothing if none was.

    Args:
        error: As for `explain`.
        address: Where the request went.
        files: The certificates that were asked for.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _of_the_agents(cause.verify_code, address, files)
        if isinstance(cause, ssl.SSLError):
            alert = (cause.reason or "").partition("ALERT_")[2]
            if "CERTIFICATE" not in alert and alert != "UNKNOWN_CA":
                return ""
            if files.client_cert:
                return f"The agent does not accept our certificate, {files.client_cert}."
            return (
                "The agent wants a certificate of ours: -client-cert and -client-key, or "
                "NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY."
            )
    return ""


def _of_the_agents(code: int, address: Address, files: TLSFiles) -> str:
    if code in _UNKNOWN_AUTHORITY:
        roots = files.ca_cert or files.ca_path or "the system's roots"
        return (
            f"The agent's certificate was checked against {roots}; -ca-cert (NOMAD_CACERT) names "
            "the certificate of another authority."
        )
    if code in _EXPIRED:
        return "It is the agent's certificate whose time it is not."
    if code in _WRONG_NAME:
        name = files.server_name or address.hostname
        return (
            f"The agent's certificate does not bear the name {name}; -tls-server-name "
            "(NOMAD_TLS_SERVER_NAME) has another one checked, as server.global.nomad."
        )
    return ""


def not_json(body: bytes, error: Exception) -> str:
    """Return why a body is not the JSON that was asked for."""
    if not body:
        return "Got 0 byte response with non-nil decode object"
    try:
        text = body.decode()
        json.loads(text)
    except UnicodeDecodeError:
        return "the answer is not UTF-8 text"
    except RecursionError:
        return "json: exceeded max depth"
    except json.JSONDecodeError as problem:
        if problem.pos >= len(text.rstrip()) or problem.msg.startswith("Unterminated"):
            return "unexpected EOF"
        place = "looking for beginning of value" if problem.msg == "Expecting value" else "in JSON"
        character = go_quote(text[problem.pos])[1:-1]
        return f"invalid character '{character}' {place}"
    except ValueError as problem:
        # A number that is longer than any.
        return f"{_OTHER_JSON}{problem}"
    if isinstance(error, RecursionError):
        return "json: exceeded max depth"
    return f"{_OTHER_JSON}{error}"


def is_other_json(words: str) -> bool:
    """Whether these words of `not_json` are of JSON that is whole, and not what was asked for."""
    return words.startswith(_OTHER_JSON)


def cut_short(error: BaseException, *, asked: bool) -> str:
    """Return a hint when the connection ended in the middle of an upgrade; else nothing.

    Args:
        error: What it failed with.
        asked: Whether the upgrade may have reached an agent.
    """
    lost = ConnectionResetError | BrokenPipeError | EOFError
    cut = isinstance(error, Unanswered) and error.__cause__ is None
    if not cut and not any(isinstance(cause, lost) for cause in _causes(error)):
        return ""
    return (
        "The connection was cut while the session was being opened. Often that is something "
        "between here and Nomad, a proxy or a load balancer, that lets no websocket through."
        + (" The action may have been started all the same." if asked else "")
    )


def too_large(limit: int) -> str:
    """Return that something is larger than so many bytes, in words."""
    return f"larger than {size(limit)}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


_UNUSABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What it comes to when an answer that could be read makes no sense."""


class Step:
    """Puts the CLI's words for a step before whatever goes wrong in it.

    Args:
        prefix: Those words.

    Attributes:
        denied: The hint for an answer that denies permission.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.denied = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, _UNUSABLE):
            # A number that no date has, or a list that is none: nothing of it is to be believed.
            raise UnexpectedAnswer(
                f"{self._prefix}the answer cannot be used: {error}",
                status=200,
            ) from error
        if isinstance(error, RequestError):
            denied = any(words in error.message for words in _DENIALS)
            if self.denied and denied and not error.hint:
                error.hint = self.denied
            error.message = self._prefix + error.message
