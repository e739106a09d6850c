"""Requests to an agent, and the upgrade to an exec session's websocket.

The one door for foreign errors: what httpx, h11, websockets, ssl and the operating system raise
leaves here as a `RequestError` in the words of Nomad's CLI, which are Go's.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from nomad_magic.errors import RequestError, UnexpectedAnswer, Unreachable
from nomad_magic.go import basic_auth, go_quote, to_bytes
from nomad_magic.nomad import bodies, explain, redirects, stranger, tls
from nomad_magic.nomad.address import HIGHEST_PORT, parse_address
from nomad_magic.nomad.libraries import httpx
from nomad_magic.nomad.transport import SWITCHING_PROTOCOLS, Transport, Way
from nomad_magic.nomad.websocket import ExecConnection, Handshake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.protocol import ExecProtocol
    from nomad_magic.nomad.target import Target

T = TypeVar("T")


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

REFUSAL_BYTES: Final = bodies.REFUSAL_BYTES
BODY_SHOWN: Final = 1024
"""How much of an unexpected answer's body (characters) is kept."""


class Client:
    """Requests to one target, over connections that are kept.

    Args:
        target: Where, and as whom.
        options: The bounds of each wait.
        context: Of the same certificates, where there is one already.
        dial_seconds: How long a TCP connection may take; None as `connect_timeout`.
        way: The same target's, where there is one already.

    Raises:
        SettingsError: A certificate file, or a proxy, that cannot be used.
    """

    def __init__(
        self,
        target: Target,
        options: Options,
        *,
        context: ssl.SSLContext | None = None,
        dial_seconds: float | None = None,
        way: Way | None = None,
    ) -> None:
        self.target = target
        self.options = options
        address = target.address
        proxy = target.proxies.find(address)
        self._proxy = parse_address(proxy) if proxy else None
        needed = address.scheme == "https" or (
            self._proxy is not None and self._proxy.scheme == "https"
        )
        self._ssl = context or tls.context(target.tls, needed=needed)
        self._server_name = target.tls.server_name or address.plain_name
        self._way = way or Way(
            address=address,
            proxy=self._proxy,
            context=self._ssl,
            server_name=self._server_name,
            dial_seconds=options.connect_timeout if dial_seconds is None else dial_seconds,
            seconds=options.connect_timeout,
        )
        self._transport = Transport(self._way)
        self._shown = target.masker().shown
        # Whether an agent has answered here: then it is not a stranger that is silent now.
        self._known = False

    def for_node(self, target: Target, seconds: float) -> Client:
        """Return a client for a node, with the same certificates.

        Args:
            target: The node.
            seconds: How long the TCP connection may take.
        """
        return Client(target, self.options, context=self._ssl, dial_seconds=seconds)

    def dialled(self) -> Client:
        """Return a client for the same target whose first connection is begun at once."""
        return Client(self.target, self.options, context=self._ssl, way=self._way.dialled())

    def drop(self) -> None:
        """Close a connection that was begun and not used."""
        self._way.drop()

    async def get(self, path: str, params: Mapping[str, str], kind: type[T]) -> T:
        """Ask for something.

        Args:
            path: Percent-encoded.
            params: Query parameters besides region and namespace, which they override.
            kind: The msgspec type of the answer.

        Raises:
            Unreachable: Nothing answered.
            UnexpectedAnswer: Not 200, or not what was asked for.
        """
        url = self.target.address.url(path, {**self.target.params, **params})
        self._check_address(f"Get {go_quote(url)}: ")
        for _ in range(redirects.MOST):
            response, body = await self._ask(url)
            location = response.headers.get("Location", "")
            if response.status_code not in redirects.OF_GET or not location:
                break
            if not (there := redirects.target(url, location)):
                raise self._unexpected(response, body, self._refusal(url, location))
            url = there
        else:
            raise Unreachable(f"Get {go_quote(location)}: stopped after {redirects.MOST} redirects")
        if response.status_code != httpx.codes.OK:
            raise self._unexpected(response, body)
        try:
            answer = msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
            text, words = self._text(body), explain.not_json(body, error)
            hint = self._hint(response, text)
            if not hint and explain.is_other_json(words):
                hint = stranger.other_json(response.headers)
            raise UnexpectedAnswer(
                words, status=response.status_code, body=text[:BODY_SHOWN], hint=hint
            ) from error
        self._known = True
        return answer

    async def _ask(self, url: str) -> tuple[httpx.Response, bytes]:
        """Return an answer and its body, of a refusal as much as came of it."""
        try:
            async with asyncio.timeout(None) as bound:
                response = await self._send(url, {}, bound, self.options.answer_timeout)
                if response.status_code == httpx.codes.OK:
                    return response, await bodies.read(response, self.options.max_answer_bytes)
                # The status is an answer already, whatever becomes of its body.
                bound.reschedule(None)
                return response, await bodies.read_refusal(response)
        except bodies.TooLargeError as error:
            raise UnexpectedAnswer(
                str(error), status=response.status_code, hint=_TOO_LARGE_HINT
            ) from error
        except bodies.FOREIGN as error:
            raise self._unreachable(f"Get {go_quote(url)}: ", error) from error

    async def _send(
        self,
        url: str,
        headers: Mapping[str, str],
        bound: asyncio.Timeout,
        seconds: float,
        *,
        protocol: ExecProtocol | None = None,
    ) -> httpx.Response:
        """Send a request; once it is under way its answer has so many seconds."""

        def sent() -> None:
            if protocol is not None and not protocol.opening():
                # Given up in this very turn of the loop, which has yet to cancel this task.
                raise asyncio.CancelledError
            bound.reschedule(asyncio.get_running_loop().time() + seconds)

        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        request = httpx.Request(
            "GET",
            # Where it goes the transport knows; the rest is to be the CLI's, byte for byte.
            httpx.URL(scheme="http", host="agent", raw_path=to_bytes(target)),
            headers=[
                # As bytes: httpx would take text for ASCII.
                (to_bytes(name), to_bytes(value))
                for name, value in (self._headers() | dict(headers)).items()
            ],
            extensions={"sent": sent, "session": protocol is not None},
        )
        # By the transport itself: httpx's client would look at a Location that is not a URL.
        return await self._transport.handle_async_request(request)

    async def open_exec(
        self,
        path: str,
        params: Mapping[str, str],
        protocol: ExecProtocol,
    ) -> ExecConnection:
        """Open an exec session; the upgrade is sent once, to each place that it is redirected to.

        Args:
            path: Percent-encoded.
            params: As for `get`.
            protocol: Is told as the upgrade goes out, and when it was definitely not taken:
                whatever is raised, its state tells whether the action may have been started.

        Raises:
            Unreachable: Nothing answered.
            UnexpectedAnswer: The upgrade was refused.
            asyncio.CancelledError: The run was given up before, and nothing was sent.
        """
        url = self.target.address.url(path, {**self.target.params, **params})
        self._check_address("")
        for _ in range(redirects.MOST):
            handshake = Handshake()
            try:
                async with asyncio.timeout(None) as bound:
                    response = await self._send(
                        url,
                        handshake.headers,
                        bound,
                        self.options.connect_timeout,
                        protocol=protocol,
                    )
                if response.status_code == SWITCHING_PROTOCOLS:
                    return handshake.complete(response, self.options.max_frame_bytes)
                body = await bodies.read_refusal(response)
            except bodies.FOREIGN as error:
                asked = not _never_read(error)
                if not asked:
                    protocol.not_asked()
                unreachable = self._unreachable("", error, upgrade=True)
                unreachable.hint = unreachable.hint or explain.cut_short(error, asked=asked)
                raise unreachable from error
            # A gateway that waited in vain has handed the upgrade on; all else is definite.
            if response.status_code != httpx.codes.GATEWAY_TIMEOUT:
                protocol.not_asked()
            url = self._after_refusal(url, response, body)
        raise Unreachable(f"stopped after {redirects.MOST} redirects")

    def _unreachable(
        self, prefix: str, error: BaseException, *, upgrade: bool = False
    ) -> Unreachable:
        """Return the error for no answer; with a proxy it names it."""
        address, options = self.target.address, self.options
        if self._proxy is None:
            words = explain.explain(error, address, options, upgrade=upgrade)
            hint = explain.certificate_hint(error, address, self.target.tls) or self.target.hint
            if not (hint or upgrade):
                hint = stranger.silent_hint(words, address, known=self._known)
            return Unreachable(prefix + words, hint=hint)
        variable = f"{address.scheme}_proxy".upper()
        return Unreachable(
            prefix + explain.explain_by_proxy(error, self._proxy, options, upgrade=upgrade),
            hint=f"The way went through the proxy {self._proxy} ({variable}). NO_PROXY names the "
            "hosts for which there is to be none.",
        )

    def _after_refusal(self, url: str, response: httpx.Response, body: bytes) -> str:
        """Return the URL that a refused upgrade points to.

        Raises:
            UnexpectedAnswer: It points nowhere, or to another host.
        """
        status, location = response.status_code, response.headers.get("Location", "")
        if (
            location
            and status in redirects.OF_UPGRADE
            and (there := redirects.with_path(url, location))
        ):
            return there
        elsewhere = location and status in redirects.OF_GET
        hint = self._refusal(url, location) if elsewhere else ""
        raise self._unexpected(response, body, hint)

    def _unexpected(
        self, response: httpx.Response, data: bytes, hint: str = ""
    ) -> UnexpectedAnswer:
        status, body = response.status_code, self._text(data).strip()
        strange = self._hint(response, body)
        # Of a page the CLI would print all; its first line says as much.
        shown = stranger.first_line(body) if strange else body
        said = f" ({shown})" if shown else ""
        return UnexpectedAnswer(
            f"Unexpected response code: {status}{said[: BODY_SHOWN + 3]}",
            status=status,
            body=body[:BODY_SHOWN],
            hint=hint or strange,
        )

    def _hint(self, response: httpx.Response, body: str) -> str:
        address = self.target.address
        headers = {name: self._shown(value) for name, value in response.headers.items()}
        return stranger.answer_hint(response.status_code, body, httpx.Headers(headers), address)

    def _refusal(self, url: str, location: str) -> str:
        return redirects.refusal(url, self._shown(location))

    def _text(self, body: bytes) -> str:
        """Return a body as it may be shown: masked before it is cut, which may be in a secret."""
        return self._shown(body[:REFUSAL_BYTES].decode("utf-8", "replace"))

    async def aclose(self) -> None:
        """Close the kept connections; a request under way closes its own when it ends."""
        await self._transport.aclose()

    def _headers(self) -> dict[str, str]:
        headers = {
            "Host": self.target.address.url_host,
            "Accept-Encoding": "gzip",
            "User-Agent": "nomad_magic",
        }
        if self.target.token:
            headers["X-Nomad-Token"] = self.target.token
        if self.target.auth is not None:
            headers["Authorization"] = basic_auth(*self.target.auth)
        return headers

    def _check_address(self, prefix: str) -> None:
        """Refuse an address that parses but leads nowhere, as Go does at the first request."""
        address = self.target.address
        words = ""
        if address.scheme not in ("http", "https", "unix"):
            words = f"unsupported protocol scheme {go_quote(address.scheme)}"
        elif address.scheme == "unix":
            words = "" if address.path else "dial unix: missing address"
        elif not address.hostname:
            words = "http: no Host in request URL"
        elif address.port > HIGHEST_PORT:
            words = f"dial tcp: address {address.port}: invalid port"
        elif address.scheme == "https" and not (self._server_name or self.target.tls.skip_verify):
            words = (
                "tls: either ServerName or InsecureSkipVerify must be specified in the tls.Config"
            )
        if words:
            raise RequestError(
                prefix + words,
                hint="An address looks like http://127.0.0.1:4646 or unix:///run/nomad.sock.",
            )
        if _CONTROL.search(self.target.token):
            raise RequestError(
                f'{prefix}net/http: invalid header field value for "X-Nomad-Token"',
                hint="There is a control character in the token, perhaps the end of a line.",
            )


_TOO_LARGE_HINT: Final = "max_answer_bytes is the setting."


def _never_read(error: BaseException) -> bool:
    """Whether an upgrade that went out was certainly not looked at.

    A server that wants another certificate says so before it decrypts a request; in TLS 1.3 that
    comes after ours has gone out (RFC 8446, section 4.4.2.4).
    """
    cause = error.__cause__
    return isinstance(cause, ssl.SSLError) and "ALERT" in (cause.reason or "")
