"""Requests to an agent: HTTP by httpx, and the upgrade to an exec session's websocket.

The one door for foreign errors: what httpx, websockets, ssl and the operating system raise
leaves here as a `RequestError` in the words of Nomad's CLI, which are Go's.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import msgspec
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from nomad_magic.errors import RequestError, UnexpectedAnswer, Unreachable
from nomad_magic.nomad import networds, redirects, tls
from nomad_magic.nomad.dial import EarlyDial, dial
from nomad_magic.nomad.gowords import go_quote, to_bytes
from nomad_magic.nomad.settings import parse_address
from nomad_magic.nomad.websocket import ExecConnection, connect

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from websockets.http11 import Response

    from nomad_magic.nomad.settings import Options, Target

T = TypeVar("T")

HIGHEST_PORT = 65535
KEPT_CONNECTIONS = 4
"""How many idle connections to one target are kept."""

KEPT_SECONDS = 50.0
"""How long an idle connection is kept for the next cell: less than load balancers keep one."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

BODY_SHOWN = 1024
"""How much of an unexpected answer's body (characters) is kept."""


class Client:
    """Requests to one target, over connections that are kept.

    Args:
        target: Where, and as whom.
        options: The bounds of each wait.

    Raises:
        SettingsError: A certificate file, or a proxy, that cannot be used.
    """

    def __init__(
        self, target: Target, options: Options, *, context: ssl.SSLContext | None = None
    ) -> None:
        self.target = target
        self.options = options
        proxy = self._proxy_url = target.proxies.find(target.address)
        self._proxy = parse_address(proxy) if proxy else None
        self._ssl = context or tls.context(target.tls, needed=target.address.scheme == "https")
        self._http: httpx.AsyncClient | None = None
        self._busy = 0
        self._idle = asyncio.Event()

    def for_node(self, target: Target, options: Options) -> Client:
        """Give a client for a node, with the same certificates."""
        return Client(target, options, context=self._ssl)

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
        self._check_address(f'Get "{url}": ')
        for _ in range(redirects.MOST):
            response = await self._ask(url)
            location = response.headers.get("Location", "")
            if response.status_code not in redirects.OF_GET or not location:
                break
            if not (there := redirects.target(url, location)):
                hint = redirects.refusal(url, location)
                raise _unexpected(response.status_code, response.text, hint)
            url = there
        else:
            raise Unreachable(f"Get {go_quote(location)}: stopped after {redirects.MOST} redirects")
        body = response.text
        if response.status_code != httpx.codes.OK:
            raise _unexpected(response.status_code, body, _hint(response, body))
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise UnexpectedAnswer(
                networds.not_json(response.content, error),
                status=response.status_code,
                body=body[:BODY_SHOWN],
                hint=_hint(response, body),
            ) from error

    async def _ask(self, url: str) -> httpx.Response:
        self._busy += 1
        fresh = False

        async def watch(event: str, _info: Mapping[str, Any]) -> None:
            nonlocal fresh
            fresh = fresh or event.startswith("connection.connect")

        try:
            async with asyncio.timeout(self.options.connect_timeout + self.options.answer_timeout):
                for _ in range(KEPT_CONNECTIONS):
                    try:
                        return await self._client().get(url, extensions={"trace": watch})
                    except (httpx.NetworkError, httpx.RemoteProtocolError):
                        # As Go's client: a kept connection may have ended unseen.
                        if fresh:
                            raise
                return await self._client().get(url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise await self._unreachable(f'Get "{url}": ', error) from error
        finally:
            self._busy -= 1
            self._idle.set()

    def dial_early(self) -> EarlyDial | None:
        """Begin the connection for an exec session; None where that cannot be done."""
        address = self.target.address
        usable = address.scheme in ("http", "https") and 0 < address.port <= HIGHEST_PORT
        if self._proxy is not None or not usable or not address.hostname:
            return None
        return EarlyDial(address.hostname, address.port, self.options.connect_timeout)

    async def open_exec(
        self, path: str, params: Mapping[str, str], *, early: EarlyDial | None = None
    ) -> ExecConnection:
        """Open an exec session.

        Args:
            path: Percent-encoded.
            params: As for `get`.
            early: A connection from `dial_early` that is to be used.

        Raises:
            Unreachable: Nothing answered.
            UnexpectedAnswer: The upgrade was refused.
        """
        address = self.target.address
        url = address.url(path, {**self.target.params, **params})
        self._check_address("")
        scheme = {"http": "ws", "https": "wss"}[address.url_scheme]
        extra: dict[str, Any] = {"proxy": self._proxy_url or None}
        if address.scheme == "unix":
            extra |= {"unix": True, "path": address.path}
        elif scheme == "wss":
            extra |= {"ssl": self._ssl, "server_hostname": self._server_name()}
        for _ in range(redirects.MOST):
            try:
                if early is not None:
                    extra["sock"], early = await early.take(), None
                elif address.scheme != "unix" and self._proxy is None:
                    extra["sock"] = await dial(
                        address.hostname, address.port, self.options.connect_timeout
                    )
                return await connect(
                    scheme + url.removeprefix(address.url_scheme),
                    self._headers(),
                    self.options.connect_timeout,
                    **extra,
                )
            except InvalidStatus as refused:
                url = _after_refusal(url, refused)
            except (InvalidHandshake, WebSocketException, OSError, ValueError) as error:
                unreachable = await self._unreachable("", error)
                unreachable.hint = unreachable.hint or networds.cut_short(error)
                raise unreachable from error
        raise Unreachable(f"stopped after {redirects.MOST} redirects")

    async def _unreachable(self, prefix: str, error: BaseException) -> Unreachable:
        """Say why nothing answered; with a proxy, which one it was."""
        address, options = self.target.address, self.options
        if self._proxy is None:
            return Unreachable(
                prefix + await networds.explain(error, address, options),
                hint=networds.certificate_hint(error, address, self.target.tls),
            )
        variable = f"{address.scheme}_proxy".upper()
        return Unreachable(
            prefix + await networds.explain_by_proxy(error, self._proxy, options),
            hint=f"The way went through the proxy {self._proxy} ({variable}). NO_PROXY names the "
            "hosts for which there is to be none.",
        )

    async def aclose_when_idle(self) -> None:
        """Close the kept connections once no request is under way."""
        while self._busy:
            self._idle.clear()
            await self._idle.wait()
        if self._http is not None:
            http, self._http = self._http, None
            await http.aclose()

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            address, options, name = self.target.address, self.options, self.target.tls.server_name
            tunnel = bool(name) and self._proxy is not None
            self._http = httpx.AsyncClient(
                # As bytes: httpx would take text for ASCII.
                headers={
                    to_bytes(name): to_bytes(value) for name, value in self._headers().items()
                },
                transport=httpx.AsyncHTTPTransport(
                    verify=(tls.named_context(self.target.tls) if tunnel else self._ssl) or False,
                    limits=httpx.Limits(
                        max_connections=None,
                        max_keepalive_connections=KEPT_CONNECTIONS,
                        keepalive_expiry=KEPT_SECONDS,
                    ),
                    uds=address.path if address.scheme == "unix" else None,
                    proxy=self._proxy_url or None,
                ),
                timeout=httpx.Timeout(options.answer_timeout, connect=options.connect_timeout),
                follow_redirects=False,
                trust_env=False,
            )
            if name:
                self._http.event_hooks["request"].append(_with_server_name(name))
        return self._http

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "gzip", "User-Agent": "nomad_magic"}
        if self.target.token:
            headers["X-Nomad-Token"] = self.target.token
        if self.target.auth is not None:
            headers["Authorization"] = networds.basic_auth(*self.target.auth)
        return headers

    def _server_name(self) -> str:
        return self.target.tls.server_name or self.target.address.hostname

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


def _with_server_name(name: str) -> Any:
    async def hook(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = name

    return hook


def _after_refusal(url: str, refused: InvalidStatus) -> str:
    """Give the URL that a refused upgrade points to.

    Raises:
        UnexpectedAnswer: It points nowhere, or to another host.
    """
    response = refused.response
    status, location = response.status_code, response.headers.get("Location", "")
    if (
        location
        and status in redirects.OF_UPGRADE
        and (there := redirects.with_path(url, location))
    ):
        return there
    body = networds.body_text(response.body, response.headers)
    hint = _hint(response, body)
    if location and status in redirects.OF_GET:
        hint = redirects.refusal(url, location)
    raise _unexpected(status, body, hint) from refused


def _hint(response: httpx.Response | Response, body: str) -> str:
    return networds.answer_hint(response.status_code, body, response.headers)


def _unexpected(status: int, body: str, hint: str) -> UnexpectedAnswer:
    body = body.strip()
    said = f" ({body})" if body else ""
    return UnexpectedAnswer(
        f"Unexpected response code: {status}{said[: BODY_SHOWN + 3]}",
        status=status,
        body=body[:BODY_SHOWN],
        hint=hint,
    )
