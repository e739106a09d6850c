"""The command line of `python -m nomad_magic agent`."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from nomad_magic.agent.acl import Token, load_policy
from nomad_magic.agent.jobfile import LoadOptions, load_jobs
from nomad_magic.agent.reaper import remove_tree, run_guarded
from nomad_magic.agent.run import Settings, run
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_BIND = "127.0.0.1:0"
MAX_DELAY_SECONDS = 3600
_OPEN_DOOR = (
    "warning: --no-token: whoever reaches the address runs commands as you, and that is every "
    "user and every program of this machine"
)


def main(argv: Sequence[str]) -> int:
    """Run the agent until it is told to end; return the exit code.

    The first two lines on stdout are `NOMAD_ADDR=…` and `NOMAD_TOKEN=…`, printed when every task
    has been started and the address answers.
    """
    options = _parser().parse_args(argv)
    try:
        settings = _settings(options)
    except AgentError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return 130

    def agent() -> int:
        try:
            asyncio.run(run(settings))
        except AgentError as error:
            return _fail(error)
        except Exception as error:  # noqa: BLE001 - a user is told what failed, never shown a stack
            return _fail(AgentError(f"the embedded agent failed: {type(error).__name__}"))
        return 0

    def cleanup() -> None:
        # The directory is made once the socket is bound: where it is, the socket is ours.
        if settings.unix_socket is not None and settings.root.exists():
            settings.unix_socket.unlink(missing_ok=True)
        remove_tree(settings.root)

    return run_guarded(agent, cleanup)


def _fail(error: AgentError) -> int:
    sys.stderr.write(f"{error}\n")
    return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nomad_magic agent",
        description="Run Nomad job files as processes of this machine, behind Nomad's HTTP API. "
        "Without a job file a demo job is run. Ctrl-C ends the agent and all that it started.",
        allow_abbrev=False,
    )
    parser.add_argument("jobs", nargs="*", type=Path, metavar="JOBFILE", help="HCL or JSON")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--bind",
        default=DEFAULT_BIND,
        metavar="HOST:PORT",
        help="a loopback address; port 0 is any free port (default: %(default)s)",
    )
    where.add_argument("--socket", type=Path, metavar="PATH", help="a unix socket instead")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", help="the management token (default: a random one)")
    token.add_argument(
        "--no-token", action="store_true", help="let everyone on this machine run commands"
    )
    parser.add_argument(
        "-var",
        "--var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable of the job files, as for nomad job run",
    )
    parser.add_argument(
        "-var-file",
        "--var-file",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a file with such variables",
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="leave out what has no effect here (network, service, template, volume, ...) and "
        "say so, instead of refusing the file",
    )
    parser.add_argument("--acl", type=Path, metavar="POLICYFILE", help="more tokens, as JSON")
    parser.add_argument("--tls-cert", type=Path, metavar="PEM", help="serve TLS")
    parser.add_argument("--tls-key", type=Path, metavar="PEM")
    parser.add_argument(
        "--tls-ca", type=Path, metavar="PEM", help="require client certificates of this CA"
    )
    parser.add_argument(
        "--upgrade-delay",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="open each exec session only after so long, as a slow or distant agent does; a "
        "client that has gone by then starts nothing",
    )
    # For the process that started this one: its first line on stdin is the token, or empty, and
    # the end of stdin is the end of the agent.
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    token: str | None = options.token
    if options.with_parent:
        token = _first_line(sys.stdin.fileno()).decode().strip() or token
    if token is not None and (not token or not token.isascii() or not token.isprintable()):
        raise AgentError("--token: needs printable ASCII")
    if options.no_token and options.acl:
        raise AgentError("--acl is of no use with --no-token")
    if (options.tls_cert is None) != (options.tls_key is None):
        raise AgentError("--tls-cert and --tls-key need each other")
    if options.tls_ca is not None and options.tls_cert is None:
        raise AgentError("--tls-ca needs --tls-cert and --tls-key")
    if options.socket is not None and options.tls_cert is not None:
        raise AgentError("there is no TLS on a unix socket")
    if not 0 <= options.upgrade_delay <= MAX_DELAY_SECONDS:
        raise AgentError(f"--upgrade-delay: needs 0 to {MAX_DELAY_SECONDS} seconds")
    tokens: list[Token] = load_policy(options.acl) if options.acl else []
    loaded = load_jobs(
        options.jobs,
        LoadOptions(
            lenient=options.lenient,
            variables=options.var,
            var_files=options.var_file,
            environment=os.environ,
        ),
    )
    notices = loaded.notes
    if options.no_token:
        notices = [_OPEN_DOOR, *notices]
    return Settings(
        jobs=loaded.jobs,
        notices=tuple(notices),
        root=Path(tempfile.gettempdir()).resolve() / f"nomad-magic-agent-{secrets.token_hex(8)}",
        bind=options.bind,
        unix_socket=_absolute(options.socket),
        token="" if options.no_token else token or _random_token(),
        tokens=tuple(tokens),
        tls_cert=_absolute(options.tls_cert),
        tls_key=_absolute(options.tls_key),
        tls_ca=_absolute(options.tls_ca),
        upgrade_delay=options.upgrade_delay,
        watch_stdin=options.with_parent,
    )


def _first_line(descriptor: int) -> bytes:
    """Read one line and not a byte more: what follows is for the agent to watch."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(descriptor, 1)):
        line += byte
    return line


def _absolute(path: Path | None) -> Path | None:
    return path.absolute() if path is not None else None


def _random_token() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
