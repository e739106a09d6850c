"""Every run ends once, when it should, and with all that is known of it."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import random
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from support.nomads import late, until
from support.scripted import Script, answer, leave
from websockets.datastructures import Headers
from websockets.http11 import Response

import nomad_magic
from nomad_magic import errors
from nomad_magic.nomad import protocol
from nomad_magic.record.facts import Outcome, Rung
from nomad_magic.running import api, loop
from nomad_magic.running.events import Output

if TYPE_CHECKING:
    from support.nomads import Agent
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request

    from nomad_magic.running.events import Event

SERVER = "-job=cache -group=redis -task=server"

# `socket` does not have it: as large as it is asked for, where root asks.
SO_SNDBUFFORCE = 32


def moved(path: str) -> Response:
    """Return an answer that points to another path of the same agent."""
    headers = Headers({"Location": path, "Content-Length": "0", "Connection": "close"})
    return Response(307, "Temporary Redirect", headers, b"")


def asked(script: Script) -> int:
    """How often an action was asked for."""
    return len([path for path in script.requests if "/action" in path])


@pytest.mark.parametrize("tty", ["true", "false"])
@pytest.mark.parametrize("how", ["stop", "disconnect", "wind_down"])
def test_a_run_that_is_stopped_at_once_is_never_started(script: Script, how: str, tty: str) -> None:
    """Thirty times each: the loop's thread may be anywhere by then, and once in ten would show."""
    script.session = leave
    for _ in range(30):
        session = nomad_magic.start(f"{SERVER} -t={tty} hello", env={"NOMAD_ADDR": script.address})
        getattr(session, how)(*([1.0] if how == "wind_down" else []))
        result = session.wait(5)
        assert session.error is None
        if result.outcome is Outcome.NOT_STARTED:
            assert result.reason == "stopped before the action was started"
        assert result.outcome is Outcome.NOT_STARTED
    assert asked(script) == 0


def test_what_counts_as_not_started_was_not_asked_for(script: Script) -> None:
    """Stop in any turn of the loop about when the upgrade goes out, in 250 runs.

    It may fall into the very turn in which that is due; four to nine of them meet it.
    """
    script.session = leave

    def begins(turns: int) -> bool:
        """Whether a run counts as begun that is stopped so many turns after its start."""
        session = nomad_magic.start(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})

        def wait(left: int) -> None:
            if left:
                loop.get().call_soon(wait, left - 1)
            else:
                session.stop()

        loop.get().call_soon_threadsafe(wait, turns)
        return session.wait(20).outcome is not Outcome.NOT_STARTED

    # How many turns a start takes goes by how busy the machine is.
    begun, far = 1, 64
    while not begins(far):
        far *= 2
    begun += sum(begins(far // 4 + run * far // 250) for run in range(250))
    # What was asked for before it has been heard by the time that this one has.
    nomad_magic.start(f"{SERVER} hello", env={"NOMAD_ADDR": script.address}).wait(20)
    assert asked(script) == begun + 1


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/job/cache/allocations", "/v1/job/cache/action"])
@pytest.mark.parametrize("how", ["stop", "disconnect"])
def test_a_run_is_given_up_at_whatever_it_waits_for(script: Script, path: str, how: str) -> None:
    """At once: the agent never answers within the test's time.

    Once the action was asked for, a first press waits to reach its process; the next does not.
    """
    script.silent = path
    session = nomad_magic.start(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
    until(
        lambda: any(one.partition("?")[0] == path for one in script.requests),
        seconds=10,
        what=f"{path} is asked for",
    )
    getattr(session, how)()
    upgrade = path.endswith("/action")
    if upgrade and how == "stop":
        until(lambda: session.next_stop is Rung.DISCONNECT, seconds=5, what="the first press")
        session.stop()
    result = session.wait(1.5)
    assert result.outcome is (Outcome.DISCONNECTED if upgrade else Outcome.NOT_STARTED)
    assert result.exit_code is None
    assert asked(script) == upgrade


@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize("tty", ["true", "false"])
@pytest.mark.parametrize(
    "refusal",
    [
        answer("no", 403),
        answer("Your IP is issuing too many concurrent connections", 429),
        answer("bad gateway", 502),
        moved("/v1/job/cache/action"),
    ],
    ids=lambda one: str(one.status_code),
)
def test_what_was_stopped_is_asked_for_nowhere_else(
    script: Script, refusal: Response, tty: str, stop: bool
) -> None:
    """What the node refuses goes to the configured address, unless someone pressed Stop meanwhile.

    Nothing was done to a process then, and nothing else is said.
    """
    script.session = leave
    own = script.address.removeprefix("http://")
    script.answers["/v1/node/"] = answer(json.dumps({"ID": "n", "HTTPAddr": own}))
    plain, pressed = script.respond, asyncio.Event()

    async def refuse() -> Response:
        await pressed.wait()
        return refusal

    def respond(connection: ServerConnection, request: Request) -> Any:
        response = plain(connection, request)
        return refuse() if asked(script) == 1 and "/action" in request.path else response

    script.respond = respond  # type: ignore[method-assign]

    running = nomad_magic.start(f"{SERVER} -t={tty} hello", env={"NOMAD_ADDR": script.address})
    until(lambda: asked(script) == 1, seconds=10, what="the action is asked for")
    if stop:
        running.stop()
    assert script._loop is not None
    script._loop.call_soon_threadsafe(pressed.set)
    result = running.wait(20)
    assert running.error is None
    if stop:
        assert asked(script) == 1
        assert (result.outcome, result.exit_code) == (Outcome.NOT_STARTED, None)
        assert result.reason == "stopped before the action was started"
        assert [deed.words for deed in result.deeds] == ["given up"]
    else:
        assert asked(script) == 2
        assert result.exit_code == 0


def test_a_press_while_the_session_opens_is_typed_into_it(script: Script) -> None:
    """With a tty it waits for the process that it is for."""
    script.silent = "/v1/job/cache/action"
    keys: list[str | bytes] = []

    async def session(connection: ServerConnection) -> None:
        # Ctrl-C in base64.
        while "Aw==" not in str(keys):
            keys.append(await connection.recv())
        await connection.send('{"exited":true,"result":{"exit_code":130}}')
        await connection.wait_closed()

    script.session = session
    running = nomad_magic.start(f"{SERVER} -t quiet", env={"NOMAD_ADDR": script.address})
    until(lambda: asked(script) == 1, seconds=10, what="the action is asked for")
    running.stop()
    script.speak()
    result = running.wait(20)
    assert (result.outcome, result.exit_code) == (Outcome.INTERRUPTED, 130)
    assert asked(script) == 1


def test_a_cancelled_arun_has_ended_when_it_returns(embedded_agent: Agent) -> None:
    """With its result, whatever cancels it."""

    async def bounded() -> BaseException:
        running = nomad_magic.arun(f"{SERVER} -t forever", env=embedded_agent.environ)
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(running, 1)
        assert caught.value.__cause__ is not None
        return caught.value.__cause__

    cancelled: Any = asyncio.run(bounded())
    assert cancelled.result.exit_code == 130
    assert cancelled.result.outcome is Outcome.INTERRUPTED


def test_an_interrupted_run_has_ended_when_it_returns(embedded_agent: Agent) -> None:
    """`KeyboardInterrupt` carries the result, and any other exception too."""

    def when_it_writes(number: int) -> None:
        until(
            lambda: any(one.result.transcript.size for one in running()), seconds=20, what="output"
        )
        os.kill(os.getpid(), number)

    from nomad_magic.running.loop import running  # noqa: PLC0415 - not part of the public API

    class Alarm(Exception):
        result: Any = None

    def alarm(_number: int, _frame: Any) -> None:
        raise Alarm

    before = signal.signal(signal.SIGUSR1, alarm)
    try:
        for number, kind in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGUSR1, Alarm)):
            threading.Thread(target=when_it_writes, args=[number]).start()
            with pytest.raises(kind) as caught:
                nomad_magic.run(f"{SERVER} -t forever", env=embedded_agent.environ)
            result = caught.value.result  # type: ignore[attr-defined] # that is what is tested
            assert (result.outcome, result.exit_code) == (Outcome.INTERRUPTED, 130)
            assert not running()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_stop_with_a_grace_period_returns_when_the_run_has_ended(embedded_agent: Agent) -> None:
    """What ignores the interrupt is left behind after it, and that is said."""
    for action, outcome in (("forever", Outcome.INTERRUPTED), ("stubborn", Outcome.DISCONNECTED)):
        session = nomad_magic.start(f"{SERVER} -t {action}", env=embedded_agent.environ)
        until(lambda: session.opened, seconds=20, what="the session is open")  # noqa: B023 - used at once
        if action == "forever":
            until(lambda: session.result.transcript.size > 0, seconds=20, what="output")  # noqa: B023 - likewise
        session.stop(grace=0.5)
        assert session.done
        assert session.result.outcome is outcome


def test_a_session_is_a_context(embedded_agent: Agent) -> None:
    """At its end the run has ended."""
    with nomad_magic.start(f"{SERVER} -t forever", env=embedded_agent.environ) as session:
        until(lambda: session.result.transcript.size > 0, seconds=20, what="output")
    assert session.done
    assert session.result.exit_code == 130


def test_a_listener_that_raises_does_not_hold_the_run_up(
    embedded_agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a caller's: it is logged once, and the others are called on."""
    session = api.prepare(f"{SERVER} utf8".split(), stdin=None, environ=embedded_agent.environ)
    heard: list[bool] = []
    session.listen(lambda: 1 / 0)
    session.listen(lambda _event: heard.append(session.done))
    result = session.start().wait(20)
    assert result.ok
    assert heard[-1]
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_a_terminal_where_nobody_types_has_an_end_of_input(embedded_agent: Agent) -> None:
    """An action that reads does not wait for ever."""
    result = nomad_magic.run(f"{SERVER} -t cat", env=embedded_agent.environ)
    assert result.exit_code == 0


LINES = ["hello", "fail", "nosuch", "-t forever", "quiet", "-t hello", "utf8"]
CHECKED, RUNS = 20, 300


def test_whatever_ends_them_runs_leave_nothing_behind(embedded_agent: Agent) -> None:
    """After 300 that fail, end or are cancelled at random moments it is as after 20.

    A leak of one descriptor in a hundred such runs would show three times over.
    """
    chance = random.Random(20)
    me = psutil.Process()

    async def one() -> str:
        line = chance.choice(LINES)
        running = asyncio.ensure_future(
            nomad_magic.arun(
                f"{SERVER} {line}",
                env=embedded_agent.environ,
                options=nomad_magic.Options(grace=0.2),
            )
        )
        await asyncio.sleep(chance.choice([0, 0.002, 0.01, 0.05]) * chance.random())
        for _ in range(
            chance.choice([1, 2]) if line in ("-t forever", "quiet") else chance.choice([0, 1, 2])
        ):
            running.cancel()
            await asyncio.sleep(0)
        try:
            return str((await running).outcome)
        except asyncio.CancelledError as cancelled:
            return f"cancelled: {getattr(cancelled, 'result', None)!r:.20}"
        except errors.NomadMagicError as error:
            return "a bug" if "bug" in error.hint else type(error).__name__

    async def tasks() -> int:
        return len(asyncio.all_tasks()) - 1

    def facts() -> tuple[int, int, int]:
        left = asyncio.run_coroutine_threadsafe(tasks(), loop.get()).result(10)
        return me.num_fds(), threading.active_count(), left

    async def many(count: int) -> collections.Counter[str]:
        return collections.Counter([await one() for _ in range(count)])

    asyncio.run(many(CHECKED))
    before = facts()
    seen = asyncio.run(many(RUNS))
    assert len(seen) >= 3
    assert "a bug" not in seen
    # Kept connections come and go, at most as many as are kept.
    until(lambda: facts()[1:] <= before[1:], seconds=10, what=f"{facts()} as {before}")
    assert facts()[0] <= before[0] + 4


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may have so much in a buffer"
)
def test_all_that_came_is_read_before_a_heartbeat(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that is gone, with 3 MB in its buffers: one byte to it, and they are lost.

    The client sleeps from the first output until the agent has closed the connection, and the
    heartbeat is due.  One that sends it first lost output and exit code in 10 runs of 10.
    """
    monkeypatch.setattr(protocol, "HEARTBEAT_SECONDS", 0.05)
    asleep, gone, awake = threading.Event(), threading.Event(), threading.Event()
    pieces = ["eHh4" * 10_000] * 100

    async def send_all_and_go(connection: ServerConnection) -> None:
        # The end of stdin: else the client has that to send when it wakes.
        await connection.recv()
        raw = connection.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 12_000_000)
        await connection.send('{"stdout":{"data":"eHh4"}}')
        await asyncio.to_thread(asleep.wait, 10)
        for piece in pieces:
            await connection.send(f'{{"stdout":{{"data":"{piece}"}}}}')
        await connection.send('{"exited":true,"result":{"exit_code":3}}')
        assert not connection.transport.get_write_buffer_size()
        connection.transport.close()
        gone.set()

    def sleep(event: Event) -> None:
        if isinstance(event, Output) and not asleep.is_set():
            asleep.set()
            awake.wait(10)

    script.session = send_all_and_go
    for _ in range(3):
        for event in (asleep, gone, awake):
            event.clear()
        session = nomad_magic.start(f"{SERVER} -t=false hello", env={"NOMAD_ADDR": script.address})
        session.listen(sleep)
        try:
            assert gone.wait(10)
            late(0.2)
        finally:
            awake.set()
        result = session.wait(20)
        assert (result.exit_code, len(result.stdout)) == (3, 3_000_003), str(session.error)
