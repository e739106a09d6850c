"""One agent from its start to its end, in its own process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent import files
from nomad_magic.agent.acl import Acl, Token
from nomad_magic.agent.cluster import Cluster
from nomad_magic.agent.connections import Connections
from nomad_magic.agent.listen import Listener, bind_loopback, bind_unix, tls_context
from nomad_magic.agent.reaper import GRACE_SECONDS
from nomad_magic.agent.spawn import IDLE_DIRECTORY, Spawner, in_own_session
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from aiohttp.web_request import BaseRequest

    from nomad_magic.agent.jobs import Job


_CLOSE_SECONDS: Final = 0.5
"""How long the last answers may take to leave when the agent ends."""

_NOTICES: Final = 50
"""How many warnings of tasks a user is shown."""


@dataclass(frozen=True)
class Settings:
    """What an agent is started with; every path is absolute.

    Attributes:
        jobs: What to run.
        root: Where the allocations' directories are made; is made here.
        bind: `HOST:PORT`; ignored with a unix socket.
        token: The management token; empty when none is asked for.
        tokens: The tokens of the policy file.
        notices: What the user is told at the start.
        upgrade_delay: Seconds before each exec session is opened.
        watch_stdin: It is another process's: it ends when stdin does, and announces its notices
            on stdout too, where they cannot come too late.
    """

    jobs: list[Job]
    root: Path
    bind: str
    unix_socket: Path | None = None
    token: str = field(default="", repr=False)
    tokens: tuple[Token, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None
    notices: tuple[str, ...] = ()
    upgrade_delay: float = 0.0
    watch_stdin: bool = False


async def run(settings: Settings) -> None:
    """Start everything, print the two lines, and serve until a signal.

    After it this process hears no signal any more: it is to end.

    Raises:
        AgentError: It cannot listen, or a library is missing.
    """
    try:
        await _serve(settings)
    finally:
        # asyncio closes what signals wake it with before it unhooks them: one that comes in
        # between would have Python write a traceback.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


async def _serve(settings: Settings) -> None:
    try:
        from aiohttp import web  # noqa: PLC0415 - an extra, only needed here

        from nomad_magic.agent.actions import Actions  # noqa: PLC0415 - imports aiohttp
        from nomad_magic.agent.server import Api  # noqa: PLC0415 - imports aiohttp
    except ImportError as error:
        raise AgentError(
            f"the embedded agent needs more packages: {error}",
            hint='pip install "nomad-magic[agent]"',
        ) from error
    _say_no_secrets()
    end = _end_signal(watch_stdin=settings.watch_stdin)
    context = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        context = tls_context(settings.tls_cert, settings.tls_key, settings.tls_ca)
    listener = (
        bind_unix(settings.unix_socket) if settings.unix_socket else bind_loopback(settings.bind)
    )
    os.chdir(IDLE_DIRECTORY)
    spawner = Spawner()
    try:
        settings.root.mkdir(mode=0o700)
        cluster = Cluster(
            settings.jobs, root=settings.root, environment=os.environ, spawner=spawner
        )
    except OSError as error:
        raise AgentError(f"{settings.root}: {files.reason(error)}") from error
    actions = Actions(cluster, spawner, settings.upgrade_delay)
    own = [Token(settings.token, "the agent's own", management=True)] if settings.token else []
    api = Api(cluster, actions, Acl([*own, *settings.tokens]), tls=context is not None)
    if settings.unix_socket is None:
        api.address = _host_port(listener)
    connections = Connections()
    api.most_connections = connections.most

    async def handle(request: BaseRequest) -> web.StreamResponse:
        with connections.busy(request.transport):
            return await api.handle(request)

    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=_CLOSE_SECONDS)
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - for the type checker; setup() made it
    accepting = Listener(listener, server, context, connections)
    try:
        starting = asyncio.create_task(cluster.start())
        await asyncio.wait([starting, end], return_when=asyncio.FIRST_COMPLETED)
        if not end.done():
            starting.result()
            accepting.start()
            notices = [*settings.notices, *_warnings(cluster)]
            _announce(settings, api.address, notices, tls=context is not None)
            await end
    finally:
        await accepting.stop()
        await asyncio.gather(cluster.stop(GRACE_SECONDS), actions.stop(GRACE_SECONDS))
        await runner.cleanup()
        spawner.close()
        if settings.unix_socket is not None:
            settings.unix_socket.unlink(missing_ok=True)


def _say_no_secrets() -> None:
    """Keep what came from clients out of stderr: libraries log requests with all their headers."""
    logging.disable(logging.CRITICAL)

    def report(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        sys.stderr.write(f"warning: something failed inside: {type(error).__name__}\n")

    asyncio.get_running_loop().set_exception_handler(report)


def _end_signal(*, watch_stdin: bool) -> asyncio.Future[None]:
    """Done when the agent is to end: a signal, or the end of stdin."""
    loop = asyncio.get_running_loop()
    end: asyncio.Future[None] = loop.create_future()

    def finish() -> None:
        if not end.done():
            end.set_result(None)

    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, finish)
    if in_own_session():
        # A Ctrl-C on the user's terminal reaches the guard.  What comes here is a client's, meant
        # for an action in the agent's group; a real agent's executor lives through it as well.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    else:
        loop.add_signal_handler(signal.SIGINT, finish)
    if watch_stdin:
        descriptor = sys.stdin.fileno()

        def read() -> None:
            with contextlib.suppress(BlockingIOError):
                if not os.read(descriptor, 4096):
                    loop.remove_reader(descriptor)
                    finish()

        os.set_blocking(descriptor, False)
        loop.add_reader(descriptor, read)
    return end


def _announce(settings: Settings, address: str, notices: list[str], *, tls: bool) -> None:
    if settings.unix_socket is not None:
        url = f"unix://{settings.unix_socket}"
    else:
        url = f"{'https' if tls else 'http'}://{address}"
    sys.stderr.writelines(f"{notice}\n" for notice in notices)
    sys.stderr.flush()
    sys.stdout.write(f"NOMAD_ADDR={url}\nNOMAD_TOKEN={settings.token}\n")
    if settings.watch_stdin:
        sys.stdout.write(f"NOTICES={json.dumps(notices)}\n")
    sys.stdout.flush()


def _warnings(cluster: Cluster) -> list[str]:
    """Return what the user would otherwise find out late."""
    warnings = []
    for allocation in cluster.allocations.values():
        for name, task in allocation.tasks.items():
            if task.spec.driver == "exec" and allocation.index == 0:
                warnings.append(
                    f"warning: task {name!r} of {allocation.name!r} uses the exec driver, which "
                    "the embedded agent runs without isolation, as raw_exec"
                )
            if task.started_at is None and task.state == "dead":
                warnings.append(
                    f"warning: task {name!r} of {allocation.name!r} did not start: {task.trouble}"
                )
    if len(warnings) > _NOTICES:
        warnings[_NOTICES:] = [f"warning: and {len(warnings) - _NOTICES} more"]
    return warnings


def _host_port(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
