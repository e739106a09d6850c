"""What can go wrong between us and the agent: each says what, where and what to do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from support.loops import listening
from support.nomads import until
from support.ports import free_port
from support.proxy import connected, relay
from support.scripted import Script, answer, leave, recorded, scripted

import nomad_magic
from nomad_magic import errors
from nomad_magic.nomad import target
from nomad_magic.record.facts import Outcome

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Response

LINE = "-job=cache -group=redis -task=server hello"
HTML = "<html>\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n"


def failure(script: Script, line: str = LINE, **options: Any) -> errors.NomadMagicError:
    """Run a line that fails, and give its error."""
    with pytest.raises(errors.NomadMagicError) as caught:
        nomad_magic.run(
            line,
            env={"NOMAD_ADDR": script.address, "NOMAD_TOKEN": "c0ffee00-secret"},
            options=nomad_magic.Options(**options),
        )
    assert "c0ffee00" not in str(caught.value) + repr(caught.value.result)
    return caught.value


def output(stream: str, data: bytes) -> str:
    return json.dumps({stream: {"data": base64.b64encode(data).decode()}})


def test_no_agent_there() -> None:
    """A refused connection is named as the CLI names it, and a way out is offered."""
    port = free_port()
    with pytest.raises(errors.Unreachable) as caught:
        nomad_magic.run(LINE, env={"NOMAD_ADDR": f"http://127.0.0.1:{port}"})
    assert caught.value.message == (
        f'Error querying job prefix "cache": Get "http://127.0.0.1:{port}/v1/jobs?per_page=20'
        f'&prefix=cache": dial tcp 127.0.0.1:{port}: connect: connection refused'
    )
    assert caught.value.exit_code == 1
    assert caught.value.result is not None
    assert caught.value.result.outcome is Outcome.NOT_STARTED


def test_no_address_and_no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing set and nothing on the default address, an embedded agent is offered."""
    port = free_port()
    monkeypatch.setattr(target, "DEFAULT_ADDRESS", f"http://127.0.0.1:{port}")
    with pytest.raises(errors.Unreachable) as caught:
        nomad_magic.run(LINE, env={})
    assert "%nomad_agent start" in caught.value.hint


def test_html_instead_of_json(script: Script) -> None:
    """HTML with status 200 is not Nomad's answer, and is said to come from in between."""
    script.answers["/v1/jobs"] = answer(HTML, kind="text/html")
    error = failure(script)
    assert error.message == (
        "Error querying job prefix \"cache\": invalid character '<' looking for beginning of value"
    )
    assert "between here and Nomad" in error.hint
    assert "<html>" in error.hint


BETWEEN = [
    *((status, HTML, "text/html") for status in (400, 403, 404, 413, 414, 502, 503)),
    (403, "RBAC: access denied", "text/plain"),
    (404, "default backend - 404", "text/plain"),
    (503, "no healthy upstream", "text/plain"),
    *((status, "", "text/plain") for status in (400, 403, 404, 502)),
]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/job/cache/action"])
@pytest.mark.parametrize(("status", "body", "kind"), BETWEEN)
def test_something_in_between_that_refuses(
    script: Script, path: str, status: int, body: str, kind: str
) -> None:
    """Its status and the first line of its body are in the message, gzip or not."""
    script.answers[path] = answer(body, status, kind=kind, compressed=status % 2 == 0)
    error = failure(script)
    first = body.partition("\n")[0]
    said = f" ({first}" if body else ""
    assert f"Unexpected response code: {status}{said}" in error.message
    assert "something between here and Nomad" in error.hint
    assert f"status {status}" in error.hint
    assert (f"It begins: {first}" if body else "an empty body") in error.hint


NOMADS = [
    (403, "Permission denied"),
    (403, "ACL token not found"),
    (404, "job not found"),
    (404, "any words at all"),
    (500, "No path to region"),
    (500, "rpc error: EOF"),
]


@pytest.mark.parametrize("path", ["/v1/job/cache/allocations", "/v1/job/cache/action"])
@pytest.mark.parametrize(("status", "words"), NOMADS)
def test_nomads_own_refusal_is_its_own(script: Script, path: str, status: int, words: str) -> None:
    """Plain text with Nomad's header, or in Nomad's words, is not a proxy's."""
    response = answer(words, status, kind="text/plain; charset=utf-8")
    if words == "any words at all":
        response.headers["Vary"] = "Accept-Encoding"
    script.answers[path] = response
    error = failure(script)
    assert f"Unexpected response code: {status} ({words})" in error.message
    assert "between here and Nomad" not in error.hint


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/job/cache/action"])
def test_a_gzip_body_that_is_none(script: Script, path: str) -> None:
    """A body that cannot be unpacked hides neither the failure nor its step."""
    response = answer("no gzip", 502)
    response.headers["Content-Encoding"] = "gzip"
    script.answers[path] = response
    error = failure(script)
    assert "gzip: invalid header" in error.message or "502" in error.message


def test_a_reset_in_mid_upgrade(script: Script) -> None:
    """Nobody knows whether the action was started, and something in between is suspected."""
    script.cut = "/v1/job/cache/action"
    error = failure(script)
    assert error.message in {
        "failed to exec into task: EOF",
        "failed to exec into task: read: connection reset by peer",
    }
    assert "something between here and Nomad" in error.hint
    assert error.result is not None
    assert error.result.outcome is Outcome.DISCONNECTED


def test_half_an_answer(script: Script) -> None:
    """JSON that stops in the middle is an unexpected end."""
    half = json.dumps(recorded("jobs-prefix"))[:200]
    script.answers["/v1/jobs"] = answer(half)
    error = failure(script)
    assert error.message == 'Error querying job prefix "cache": unexpected EOF'


def test_a_body_shorter_than_announced(script: Script) -> None:
    """A connection cut inside a body is an error too."""
    script.answers["/v1/jobs"] = answer("[", length=1000)
    assert "EOF" in failure(script).message


def test_an_empty_answer(script: Script) -> None:
    """An empty body with status 200 is not taken for an empty list."""
    script.answers["/v1/jobs"] = answer("")
    assert "Got 0 byte response" in failure(script).message


def test_an_agent_that_never_answers() -> None:
    """Each answer has a bound, and the error names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(errors.Unreachable, match=r"no answer within 0\.3 s \(answer_timeout"):
            nomad_magic.run(
                LINE,
                env={"NOMAD_ADDR": f"http://127.0.0.1:{port}"},
                options=nomad_magic.Options(answer_timeout=0.3),
            )


def test_an_upgrade_that_never_comes(script: Script) -> None:
    """The upgrade has a bound as well; nobody knows whether the action was started."""
    script.silent = "/v1/job/cache/action"
    error = failure(script, connect_timeout=0.3)
    assert error.message == "failed to exec into task: no answer within 0.3 s (connect_timeout)"
    assert error.result is not None
    assert error.result.exit_code is None
    assert error.result.outcome is Outcome.DISCONNECTED


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_connection_lost_in_mid_run(script: Script, *, reset: bool) -> None:
    """Output that came is kept, no exit code is made up, and the process may still run."""

    async def session(connection: ServerConnection) -> None:
        if not reset:
            # A socket that is closed with something unread in it resets its connection.
            await connection.recv()
        await connection.send(output("stdout", b"so far\n"))
        await connection.send(output("stderr", b"so bad\n"))
        connection.transport.close()

    script.session = session
    error = failure(script)
    assert isinstance(error, errors.ConnectionLost)
    assert error.message in {
        "failed to exec into task: unexpected EOF",
        "failed to exec into task: read: connection reset by peer",
    }
    assert "may still run in allocation" in error.hint
    assert error.result is not None
    assert error.result.exit_code is None
    assert error.result.outcome is Outcome.LOST
    assert (error.result.stdout, error.result.stderr) == ("so far\n", "so bad\n")
    assert error.exit_code == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1000, "websocket closed before receiving exit code: websocket: close 1000 (normal)"),
        (1001, "websocket: close 1001 (going away)"),
        (1011, "websocket: close 1011 (internal server error)"),
    ],
)
def test_a_session_closed_without_an_exit_frame(script: Script, code: int, words: str) -> None:
    """A polite close is no success either: never exit code 0."""

    async def session(connection: ServerConnection) -> None:
        await connection.send(output("stdout", b"so far\n"))
        await connection.close(code)

    script.session = session
    error = failure(script)
    assert error.message == f"failed to exec into task: {words}"
    assert error.exit_code == 1
    assert error.result is not None
    assert error.result.exit_code is None
    assert error.result.stdout == "so far\n"


def test_a_frame_that_is_no_frame(script: Script) -> None:
    """Rubbish on the websocket ends the run with what came before it."""

    async def session(connection: ServerConnection) -> None:
        await connection.send(output("stdout", b"so far\n"))
        await connection.send("<html>")
        await connection.wait_closed()

    script.session = session
    error = failure(script)
    assert "a frame that cannot be read" in error.message
    assert error.result is not None
    assert error.result.stdout == "so far\n"


def test_a_heartbeat_is_no_end(script: Script) -> None:
    """Frames without a stream or a result are ignored; a missing exit code is 0."""

    async def session(connection: ServerConnection) -> None:
        for frame in ("{}", '{"exited":true}', '{"new":{"field":1}}', '{"stdout":{"close":true}}'):
            await connection.send(frame)
        await connection.send('{"exited":true,"result":{}}')
        await connection.wait_closed()

    script.session = session
    result = nomad_magic.run(LINE, env={"NOMAD_ADDR": script.address})
    assert result.exit_code == 0


def test_an_agent_that_never_answers_a_close_holds_nobody_up(script: Script) -> None:
    """A close handshake waits for ten seconds by itself; here nobody waits for it."""

    async def session(connection: ServerConnection) -> None:
        # Nothing is read any more, so that no close frame is seen.
        connection.transport.pause_reading()
        await connection.wait_closed()

    script.session = session
    running = nomad_magic.start(f"{LINE}", env={"NOMAD_ADDR": script.address})
    while running.result.started is None:
        with pytest.raises(TimeoutError):
            running.wait(0.01)
    running.disconnect()
    result = running.wait(5)
    assert result.outcome is Outcome.DISCONNECTED


def test_nothing_is_retried_once_the_websocket_is_open(script: Script) -> None:
    """A session that fails at once was asked for once."""

    async def session(connection: ServerConnection) -> None:
        connection.transport.abort()

    script.session = session
    failure(script)
    assert len([path for path in script.requests if "/action" in path]) == 1


def redirect(status: int, location: str) -> Response:
    response = answer("", status)
    response.headers["Location"] = location
    return response


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/job/cache/action"])
def test_a_redirect_to_another_host_is_not_followed(script: Script, path: str, status: int) -> None:
    """The token never goes to another host; the message names both."""
    with scripted() as elsewhere:
        script.answers[path] = redirect(status, f"{elsewhere.address}{path}")
        error = failure(script)
        assert f"Unexpected response code: {status}" in error.message
        assert f"{script.address} redirects to {elsewhere.address}" in error.hint
        assert elsewhere.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_host_is_followed(script: Script, status: int) -> None:
    """The path and the query of its Location, with the token, as by the CLI."""
    script.session = leave
    script.answers["/v1/jobs"] = redirect(status, "/moved?x=1")
    script.answers["/moved"] = answer(json.dumps(recorded("jobs-prefix")))
    env = {"NOMAD_ADDR": script.address, "NOMAD_TOKEN": "t0ken"}
    assert nomad_magic.run(LINE, env=env).exit_code == 0
    assert script.requests[:2] == ["/v1/jobs?per_page=20&prefix=cache", "/moved?x=1"]
    assert script.headers[1]["X-Nomad-Token"] == "t0ken"


def test_a_redirect_to_what_a_request_cannot_name(script: Script) -> None:
    """What is more than the printable part of ASCII goes out percent-encoded, and stands so."""
    location = '/moved now/%20?x="é'.encode().decode("latin-1")
    script.answers["/v1/jobs"] = redirect(302, location)
    script.answers["/moved"] = answer("gone", 500)
    moved = "/moved%20now/%20?x=%22%C3%A9"
    assert "500 (gone)" in failure(script).message
    # The peer's websockets before 16 wrote a header as UTF-8 once more.
    assert script.requests[1] in (moved, moved.replace("%C3%A9", "%C3%83%C2%A9"))
    script.answers["/v1/jobs"] = redirect(302, script.address)
    failure(script)
    assert script.requests[-1] == "/"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_upgrade_is_redirected_to_a_path(script: Script, status: int) -> None:
    """Its query stays as it was; of a 302 the CLI follows none."""
    script.session = leave
    script.answers["/v1/job/cache/action"] = redirect(status, "/moved/action?x=1")
    if status == 302:
        assert "302" in failure(script).message
    else:
        assert nomad_magic.run(LINE, env={"NOMAD_ADDR": script.address}).exit_code == 0
        before, after = script.requests[-2:]
        assert after == before.replace("/v1/job/cache/action", "/moved/action")


def test_redirects_that_never_end(script: Script) -> None:
    """Ten requests, as Go's client, and no more."""
    script.answers["/v1/jobs"] = redirect(302, "/v1/jobs")
    message = 'Error querying job prefix "cache": Get "/v1/jobs": stopped after 10 redirects'
    assert failure(script).message == message
    assert len(script.requests) == 10
    del script.answers["/v1/jobs"]
    script.answers["/v1/job/cache/action"] = redirect(307, "/v1/job/cache/action")
    assert failure(script).message == "failed to exec into task: stopped after 10 redirects"


def test_basic_auth_in_the_address_is_for_that_address_alone(script: Script) -> None:
    """As in the CLI, the node gets the variable's, and the address's only itself."""
    script.session = leave
    own = script.address.removeprefix("http://")
    script.answers["/v1/node/"] = answer(json.dumps({"ID": "n", "HTTPAddr": own}))
    for variable, expected in (("", None), ("ann:secret", "Basic YW5uOnNlY3JldA==")):
        script.headers.clear()
        env = {"NOMAD_ADDR": f"http://bob:secret@{own}", "NOMAD_HTTP_AUTH": variable}
        assert nomad_magic.run(LINE, env=env).exit_code == 0
        seen = [headers.get("Authorization") for headers in script.headers]
        assert seen == ["Basic Ym9iOnNlY3JldA=="] * 4 + [expected]


def test_the_requests_are_the_clis(script: Script) -> None:
    """Paths and query parameters are those that were recorded, the token in its header."""
    script.session = leave
    env = {"NOMAD_ADDR": script.address, "NOMAD_TOKEN": "t0ken", "NOMAD_REGION": "eu west"}
    result = nomad_magic.run(LINE, env=env)
    allocation = result.place.allocation
    asked = [path.replace(result.place.node, "NODE") for path in script.requests]
    assert asked[:2] == [
        "/v1/jobs?per_page=20&prefix=cache&region=eu+west",
        "/v1/job/cache/allocations?all=false&namespace=default&region=eu+west",
    ]
    assert sorted(asked[2:4]) == [
        f"/v1/allocation/{allocation}?namespace=default&region=eu+west",
        "/v1/node/NODE?region=eu+west",
    ]
    action = (
        f"/v1/job/cache/action?action=hello&allocID={allocation}&command=%5B%5D&group=redis"
        "&region=eu+west&task=server&tty=false"
    )
    assert asked[4:] == [action]
    assert {headers["X-Nomad-Token"] for headers in script.headers} == {"t0ken"}


@pytest.mark.parametrize("always", [False, True], ids=["a kept one", "a new one too"])
def test_a_kept_connection_that_has_ended(*, always: bool) -> None:
    """A question is asked again on a new connection, as by Go's client, and only once there."""
    opened: list[int] = []

    async def agent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if len(opened) == 1 or not always:
                # An answer after which nothing more is asked, not even for a hint.
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                await reader.readuntil(b"\r\n\r\n")

    again = errors.Unreachable if always else errors.UnexpectedAnswer
    with listening(agent) as address:
        for expected in (errors.UnexpectedAnswer, again):
            with pytest.raises(expected):
                nomad_magic.run(LINE, env={"NOMAD_ADDR": f"http://{address}"})
    assert len(opened) == 2


def test_the_connection_to_a_known_node_is_begun_early(script: Script) -> None:
    """Together with the question for the allocation; it is closed when nothing comes of that."""
    script.session = leave
    opened: list[str] = []
    closed: list[str] = []

    async def node(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(script.requests[-1])
        host, port = script.address.removeprefix("http://").split(":")
        try:
            with await connected(host, int(port)) as there:
                await relay(reader, writer, there)
        finally:
            closed.append(opened[-1])
            writer.close()

    env = {"NOMAD_ADDR": script.address}
    with listening(node) as address:
        stub = recorded("job-allocations")[0]
        known = {"ID": stub["NodeID"], "HTTPAddr": address}
        script.answers["/v1/node/"] = answer(json.dumps(known))
        assert nomad_magic.run(LINE, env=env).exit_code == 0
        assert nomad_magic.run(LINE, env=env).exit_code == 0
        assert len(opened) == 2
        script.answers["/v1/allocation/"] = answer("rpc error: EOF", 500)
        assert "rpc error" in failure(script).message
        until(lambda: len(closed) == 3, seconds=10, what="the third connection is closed")
        assert "/action" not in script.requests[-1] + script.requests[-2]


def test_a_task_that_is_being_started_is_worth_another_try(script: Script) -> None:
    """It counts as running already, and nothing was run; that is for whoever asked to decide."""

    async def session(connection: ServerConnection) -> None:
        await connection.close(1008, 'task "server" not started yet.')

    script.session = session
    error = failure(script)
    assert error.message == 'failed to exec into task: task "server" not started yet.'
    assert error.hint.endswith("is being started: once more in a moment.")
    assert error.result is not None
    assert error.result.outcome is Outcome.REFUSED
    assert sum("/action" in path for path in script.requests) == 1


@pytest.mark.parametrize(
    ("having", "words"),
    [
        ([], "(Version 0 of the job, which this allocation runs.)"),
        ([2], "Version 2 of the job has it in this task; this allocation runs version 0,"),
        ([3, 2], "Versions 2, 3 of the job have it in this task; this allocation runs version 0,"),
        (None, "(Version 0 of the job, which this allocation runs.)"),
    ],
)
def test_an_action_that_only_newer_versions_have(
    script: Script, having: list[int] | None, words: str
) -> None:
    """The hint says which; only the failure asks for them, and needs no answer."""
    job = {"ID": "cache", "Name": "cache", "JobModifyIndex": 40}
    script.answers["/v1/jobs"] = answer(json.dumps([job]))

    async def session(connection: ServerConnection) -> None:
        await connection.close(1008, "action fresh not found in task server")

    def version(number: int) -> dict[str, Any]:
        actions = [{"Name": "fresh"}] if number in (having or []) else None
        task = {"Name": "server", "Actions": actions}
        group = {"Name": "redis", "Tasks": [task, {"Name": "x", "Actions": [{"Name": "fresh"}]}]}
        return {"ID": "cache", "Version": number, "TaskGroups": [group]}

    script.session = session
    versions = [version(number) for number in (3, 2, 1, 0)]
    answers = json.dumps({"Versions": versions}) if having is not None else "[]"
    script.answers["/v1/job/cache/versions"] = answer(answers)
    error = failure(script, LINE.replace("hello", "fresh"))
    assert error.message == "failed to exec into task: action fresh not found in task server"
    assert words in error.hint
    assert script.requests[-1] == "/v1/job/cache/versions?namespace=default"


def test_an_action_that_the_newest_version_does_not_have(script: Script) -> None:
    """Nothing is asked that is known: the allocation runs the job as it is now."""

    async def session(connection: ServerConnection) -> None:
        await connection.close(1008, "action fresh not found in task server")

    script.session = session
    error = failure(script, LINE.replace("hello", "fresh"))
    assert "(Version 0 of the job, which this allocation runs.)" in error.hint
    assert "/action?" in script.requests[-1]


def test_a_word_that_led_to_a_job_leads_to_another_one_now(script: Script) -> None:
    """The allocations are asked for at the same time as the job, and only believed for it."""
    script.session = leave
    line = LINE.replace("-job=cache ", "-job=ca ")
    for job in ("cache", "cache", "cache-b", "cache-b"):
        stubs = recorded("job-allocations")
        script.answers = {
            "/v1/jobs": answer(json.dumps([{"ID": job, "Namespace": "default"}])),
            "/v1/job/cache/allocations": answer(json.dumps(stubs if job == "cache" else [])),
        }
        result = nomad_magic.run(line, env={"NOMAD_ADDR": script.address})
        assert result.place.job == job
    asked = [path.partition("?")[0] for path in script.requests]
    assert [path for path in asked if path.endswith("/allocations")] == [
        "/v1/job/cache/allocations",
        "/v1/job/cache/allocations",
        "/v1/job/cache/allocations",
        "/v1/job/cache-b/allocations",
        "/v1/job/cache-b/allocations",
    ]
    assert [path for path in asked if path.endswith("/action")][-1] == "/v1/job/cache-b/action"


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".invalid", "xn--zzzzzzz.invalid"])
def test_a_host_that_cannot_be_one(host: str) -> None:
    """A name that no resolver takes is a host that is not found."""
    with pytest.raises(errors.Unreachable, match="no such host"):
        nomad_magic.run(LINE, env={"NOMAD_ADDR": f"http://{host}:4646"})


def test_a_token_with_the_end_of_a_line(script: Script) -> None:
    """A token that cannot be sent is refused, and shown nowhere."""
    environ = {"NOMAD_ADDR": script.address, "NOMAD_TOKEN": "c0ffee00-secret\n"}
    with pytest.raises(errors.RequestError) as caught:
        nomad_magic.run(LINE, env=environ)
    assert 'invalid header field value for "X-Nomad-Token"' in caught.value.message
    assert "c0ffee00" not in "".join(traceback.format_exception(caught.value))
    assert script.requests == []


def test_a_token_in_any_script_is_sent(script: Script) -> None:
    """A token need not be ASCII, as for the CLI; here it leads nowhere, but it is sent."""
    script.answers["/v1/jobs"] = answer("{}")
    with pytest.raises(errors.UnexpectedAnswer):
        nomad_magic.run(LINE, env={"NOMAD_ADDR": script.address, "NOMAD_TOKEN": "schlüssel"})
    assert len(script.requests) == 1
