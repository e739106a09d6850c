"""What a beginner gets wrong, in a cell: the CLI's words, then one line with the way out."""

from __future__ import annotations

import json
import re
import shlex
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from support.cells import environment
from support.loops import listening
from support.ports import free_port
from support.scripted import answer, scripted

from nomad_magic.errors import NomadMagicError
from nomad_magic.line import flags, fleet_flags, listing_flags
from nomad_magic.notebook.magics import NomadMagics

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from support.cells import Shell
    from support.nomads import Agent
    from support.scripted import Script

SERVER = "-job=cache -group=redis -task=server"
PREFIX = 'Error querying job prefix "cache": '


def failure(shell: Shell, cell: str, environ: dict[str, str]) -> NomadMagicError:
    """Run a cell that fails; return its error, whose hint is one line at most."""
    with environment(environ):
        ran = shell.run(cell)
    assert isinstance(ran.error, NomadMagicError)
    assert ran.exit_code == 1
    assert "\n" not in ran.error.hint
    assert len(ran.error.hint) < 500
    return ran.error


# The line after the magic's name, how the CLI's words begin, and what our line says.
ON_AN_AGENT = [
    ("health-check", "A job ID is required\n", "-job=<id> -group=<name> -task=<name> <action>"),
    ("", "An action name is required\n", "A whole line: %nomad_action -job=<id>"),
    (f"-t false {SERVER} hello", "A job ID is required\n", "write -t=false"),
    (f"-it {SERVER} hello", "flag provided but not defined: -it\n", "write -i -t"),
    ("-jobs=cache hello", "flag provided but not defined: -jobs\n", "Did you mean -job?"),
    (f"hello {SERVER}", "A job ID is required\n", "Flags stand before the action"),
    (f"nomad job action {SERVER} hello", "A job ID is required\n", "Leave out 'nomad job action'"),
    (f"{SERVER} -t false hello", "failed to exec into task: action false not", "write -t=false"),
    (f"{SERVER} ''", "failed to exec into task: command is not present", "name is empty"),
    (f"{SERVER} helo", "failed to exec into task: action helo not found", "Did you mean hello?"),
    (f"{SERVER} zzz", "failed to exec into task: action zzz not found", "these actions: hello, "),
    ("-job=cache -group=single -task=only flod", "failed to exec into task: action flod",
     "There is an action flood in -group=redis -task=server."),
    ("-job=cahce -group=redis -task=server hello", 'No job(s) with prefix or ID "cahce" found',
     "Did you mean cache, in the namespace default?"),
    ("-job=zzz -group=redis -task=server hello", 'No job(s) with prefix or ID "zzz" found',
     "The jobs in the namespace default: cache, cache-two, ends, nightly."),
    (f"-namespace=defualt {SERVER} hello", 'No job(s) with prefix or ID "cache" found',
     "There is no namespace defualt. Did you mean default?"),
    (f"-region=globl {SERVER} hello", f"{PREFIX}Unexpected response code: 500 (No path to region)",
     "There is no region globl. Did you mean global?"),
    ("-job=cache -group=reddis -task=server hello", "Error fetching allocations: task group",
     "Did you mean redis? Groups with allocations: redis, single."),
    ("-job=cache -group=redis -task=servr hello",
     "Could not find task named: servr, found:\nserver\nsidecar\n", "Did you mean server?"),
    ("-job=cache -group=redis -task=zzz hello",
     "Could not find task named: zzz, found:\nserver\nsidecar\n", "-group=redis -task=server"),
    ("-job=cache -alloc=00000000 hello", "No allocation(s) with prefix or id",
     "Running ones of job cache: "),
    ("-job=cache -alloc=cache.redis[0] hello", "Error querying allocation: Unexpected response",
     "the id of an allocation or its beginning"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words", "hint"), ON_AN_AGENT)
def test_a_mistake_in_the_line(
    line: str, words: str, hint: str, shell: Shell, embedded_agent: Agent
) -> None:
    """A flag, or a name of something that is not there."""
    error = failure(shell, f"%nomad_action {line}", embedded_agent.environ)
    assert str(error).startswith(words)
    assert hint in error.hint


def test_an_allocation_of_another_job(shell: Shell, embedded_agent: Agent) -> None:
    """The job that it is of is named."""
    (one,) = embedded_agent.allocations("cache", "single")
    line = f"%nomad_action -job=nightly -alloc={one} hello"
    error = failure(shell, line, embedded_agent.environ)
    assert error.message.startswith("failed to exec into task: job nightly does not have")
    assert error.hint.endswith("is of another job: -job=cache")


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        ("", "No token was sent: set NOMAD_TOKEN to one that has read-job in the namespace "),
        (" ", "No token was sent: set NOMAD_TOKEN"),
        ("0" * 36, "The agent does not know the token, or the token lacks read-job"),
    ],
)
def test_a_token_that_is_not_there(
    token: str, hint: str, shell: Shell, embedded_agent: Agent
) -> None:
    """None at all and a wrong one are told apart."""
    environ = {**embedded_agent.environ, "NOMAD_TOKEN": token}
    error = failure(shell, f"%nomad_action {SERVER} hello", environ)
    assert error.message.endswith("Unexpected response code: 403 (Permission denied)")
    assert error.hint.startswith(hint)


# What speaks at the address


def at(shell: Shell, address: str, **more: str) -> NomadMagicError:
    return failure(shell, f"%nomad_action {SERVER} hello", {"NOMAD_ADDR": address, **more})


def test_https_to_an_agent_without_tls(shell: Shell, embedded_agent: Agent) -> None:
    """The address that is meant is written out."""
    host = embedded_agent.address.removeprefix("http://")
    error = at(shell, f"https://{host}")
    assert error.message.endswith("http: server gave HTTP response to HTTPS client")
    assert error.hint.endswith(f"for an agent without TLS write http://{host}")


@contextmanager
def with_tls() -> Iterator[Script]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with scripted(context) as script:
        yield script


def test_http_to_an_agent_with_tls(shell: Shell) -> None:
    """Whatever its TLS makes of the request, https:// is named."""
    with with_tls() as script:
        address = script.address.replace("https", "http")
        error = at(shell, address)
    assert script.address in error.hint


def test_a_port_where_nothing_listens(shell: Shell) -> None:
    """It is said in plain words, too."""
    error = at(shell, f"http://127.0.0.1:{free_port()}")
    assert error.message.endswith("connection refused")
    assert error.hint == "Nothing listens there."


PAGE = "<!DOCTYPE HTML>\n<html>\n<head><title>Error response</title></head>\n" + "<p>\n" * 12


@pytest.mark.parametrize("status", [200, 404])
def test_another_web_server(status: int, shell: Shell) -> None:
    """Its page is cut to its first line, and named by its title."""
    with scripted() as script:
        script.answers["/v1/"] = answer(PAGE, status, kind="text/html")
        error = at(shell, script.address)
    assert "\n" not in str(error.message)
    if status == 404:
        assert error.message == f"{PREFIX}Unexpected response code: 404 (<!DOCTYPE HTML>)"
    assert "another server" in error.hint
    assert "with the title 'Error response'" in error.hint


def test_another_servers_json(shell: Shell) -> None:
    """What is whole and JSON, and no list of jobs, is no answer of Nomad's."""
    with scripted() as script:
        script.answers["/v1/"] = answer('{"status": "ok"}')
        error = at(shell, script.address)
    assert error.message.startswith(f"{PREFIX}json: cannot unmarshal the answer")
    assert "another server's" in error.hint


def test_something_that_speaks_no_http(shell: Shell) -> None:
    """The port of another protocol."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"-ERR unknown command\r\n\r\n")
        writer.close()

    with listening(greet) as where:
        error = at(shell, f"http://{where}")
    assert error.hint == "What listens there does not speak HTTP."


@pytest.mark.parametrize("version", ["1.6.2", ""])
def test_an_agent_that_is_too_old(version: str, shell: Shell) -> None:
    """Before 1.7 there are no actions: the path is not there, and the node says its version."""
    with scripted() as script:
        refusal = answer("job not found", 404, kind="text/plain")
        refusal.headers["Vary"] = "Accept-Encoding"
        script.answers["/v1/job/cache/action"] = refusal
        node = {"ID": "n", "Status": "ready", "Attributes": {"nomad.version": version}}
        script.answers["/v1/node/"] = answer(json.dumps(node))
        error = at(shell, script.address)
    assert error.message.endswith("Unexpected response code: 404 (job not found)")
    assert "Actions exist since Nomad 1.7" in error.hint
    assert version in error.hint


def test_a_hint_never_fails_a_run_in_another_way(shell: Shell) -> None:
    """Where the question for it gets no answer, the error is the same without it."""
    with scripted() as script:
        script.answers["/v1/jobs"] = answer("[]")
        script.cut = "/v1/namespaces"
        error = at(shell, script.address, NOMAD_NAMESPACE="prod")
    assert error.message == 'No job(s) with prefix or ID "cache" found'
    assert error.hint == "There are no jobs in the namespace prod that this token can list."


# Files and help


@pytest.mark.parametrize("name", ["nope.hcl", "nope.json"])
def test_a_job_file_that_is_not_there(name: str, shell: Shell, tmp_path: Any) -> None:
    """It is said once, and a file of nearly that name is offered."""
    error = failure(shell, f"%nomad_agent start {tmp_path}/{name}", {})
    assert error.message == f"{tmp_path}/{name}: No such file or directory"
    assert "Errno" not in str(error)
    (tmp_path / f"n{name}").write_text("")
    error = failure(shell, f"%nomad_agent start {tmp_path}/{name}", {})
    assert error.hint == f"Did you mean {tmp_path}/n{name}?"


@pytest.mark.parametrize("name", sorted(NomadMagics.magics["line"]))
def test_the_question_mark_shows_how_a_magic_is_used(name: str, shell: Shell) -> None:
    """Usage, three examples that are read as they are meant, and where the help is."""
    shown = shell.run(f"%{name}?").stdout.decode()
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert f"Usage: %{name}" in text
    assert "Help: " in text
    examples = re.findall(rf"^ *(?:r = )?%{name} (.*)$", text, re.MULTILINE)
    assert len(examples) == 3
    for example in examples:
        words = shlex.split(example.removesuffix("&"))
        if name == "nomad":
            words = words[words.index("action") + 1 :]
        if name == "nomad_action_all":
            assert fleet_flags.parse(words, environ={}, stdin_is_tty=False).args.action
        elif name == "nomad_runs":
            assert len(words) == 1
        elif name == "nomad_actions":
            assert listing_flags.parse(words).given
        elif name != "nomad_agent":
            flags.check_target(flags.parse(words, environ={}, stdin_is_tty=False))
