"""`for line in session`: lines as they come, for as many readers as there are, however slow."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest
from support.nomads import until
from support.scripted import leave

import nomad_magic
from nomad_magic.record.facts import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.nomads import Agent
    from support.scripted import Script
    from websockets.asyncio.server import ServerConnection

SERVER = "-job=cache -group=redis -task=server"


class Action:
    """An action whose output is what the test says, when it says it."""

    def __init__(self, script: Script) -> None:
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop: Any = None
        self._begun = threading.Event()
        script.session = self._run
        self.session = nomad_magic.start(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
        assert self._begun.wait(20)

    def write(self, data: bytes, stream: str = "stdout") -> None:
        """Write, in a frame of its own."""
        frame = json.dumps({stream: {"data": base64.b64encode(data).decode()}})
        self._loop.call_soon_threadsafe(self._frames.put_nowait, frame)

    def end(self) -> None:
        """Leave with 0."""
        self._loop.call_soon_threadsafe(self._frames.put_nowait, None)

    async def _run(self, connection: ServerConnection) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun.set()
        while (frame := await self._frames.get()) is not None:
            await connection.send(frame)
        await leave(connection)


@pytest.fixture
def action(script: Script) -> Iterator[Action]:
    made = Action(script)
    yield made
    made.end()
    made.session.wait(20)


def listeners(session: nomad_magic.Session) -> int:
    """Return how many are told what happens in a run."""
    return len(session._listeners._all)


async def collected(session: nomad_magic.Session) -> list[str]:
    return [line.text async for line in session]


def test_lines_come_as_they_are_written(action: Action) -> None:
    """Each at once, with its stream and a moment with a zone; the last one needs no end."""
    lines = iter(action.session)
    action.write(b"one\ntw")
    first = next(lines)
    assert (first.stream, first.text, first.more) == ("stdout", "one", False)
    assert abs(time.time() - first.time.timestamp()) < 20
    assert first.time.tzinfo is not None
    action.write(b"oh\n", "stderr")
    assert next(lines)[:2] == ("stderr", "oh")
    action.write(b"o\nthree")
    assert next(lines)[:2] == ("stdout", "two")
    action.end()
    assert [line.text for line in lines] == ["three"]
    assert list(lines) == []


def test_every_reader_sees_everything_also_afterwards(action: Action) -> None:
    """One in a thread, one in an event loop, one that is slow, one once it is over."""
    found: dict[str, list[str]] = {}

    def read() -> None:
        found["thread"] = [line.text for line in action.session]

    def wait() -> None:
        found["loop"] = asyncio.run(collected(action.session))

    threads = [threading.Thread(target=one) for one in (read, wait)]
    for thread in threads:
        thread.start()
    slow = iter(action.session)
    expected = [str(number) for number in range(3000)]
    for number in expected:
        action.write(f"{number}\n".encode())
    assert next(slow).text == "0"
    action.end()
    # Nobody is held up by the slow one.
    assert action.session.wait(20).ok
    for thread in threads:
        thread.join(20)
    assert found == {"thread": expected, "loop": expected}
    assert [line.text for line in slow] == expected[1:]
    assert [line.text for line in action.session] == expected
    assert asyncio.run(collected(action.session)) == expected


def test_who_leaves_leaves_nothing_behind(action: Action) -> None:
    """No listener, no task, and the run goes on."""
    before = listeners(action.session)

    async def first() -> str:
        async for line in action.session:
            return line.text
        return ""

    for _ in range(3):
        action.write(b"x\n")
        for line in action.session:
            assert line.text == "x"
            break
        assert asyncio.run(first()) == "x"
    assert listeners(action.session) == before
    assert not action.session.done


def test_a_cancelled_reader_leaves_the_run_as_it_is(action: Action) -> None:
    """As one that awaits the session; what had come is not lost to the next."""

    async def cancelled() -> None:
        reading = asyncio.ensure_future(collected(action.session))
        for _ in range(3):
            await asyncio.sleep(0)
        before = listeners(action.session)
        assert before == 1
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(cancelled())
    assert listeners(action.session) == 0
    action.write(b"more\n")
    assert next(iter(action.session)).text == "more"
    assert not action.session.done


def test_an_interrupt_while_it_waits_leaves_the_run_to_its_context(embedded_agent: Agent) -> None:
    """`for` raises the KeyboardInterrupt; `with` has the action stopped, as for `wait`."""
    session = nomad_magic.start(f"{SERVER} -t forever", env=embedded_agent.environ)

    def read() -> None:
        with session:
            for one in session:
                if one.text == "tick 2":
                    threading.Timer(0, os.kill, [os.getpid(), signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        read()
    assert session.result.outcome is Outcome.INTERRUPTED
    assert listeners(session) == 0
    assert [one.text for one in session][:2] == ["tick 1", "tick 2"]


def test_a_run_that_fails_ends_its_lines_and_raises_nothing(embedded_agent: Agent) -> None:
    """What failed is raised by `wait`, with `check`."""
    session = nomad_magic.start(f"{SERVER} fail", env=embedded_agent.environ)
    found = sorted((line.stream, line.text) for line in session)
    assert found == [("stderr", "bad"), ("stdout", "partial")]
    assert session.done
    with pytest.raises(nomad_magic.ActionFailed):
        session.wait(check=True)
    refused = nomad_magic.start(f"{SERVER} nosuch", env=embedded_agent.environ)
    assert list(refused) == []
    assert isinstance(refused.error, nomad_magic.SessionRefused)


@pytest.mark.parametrize("tty", ["true", "false"])
def test_two_hundred_thousand_lines_of_a_real_action(embedded_agent: Agent, tty: str) -> None:
    """None is missing, in the order in which they were written."""
    session = nomad_magic.start(f"{SERVER} -t={tty} lines", env=embedded_agent.environ)
    number = 0
    for number, line in enumerate(session, 1):
        assert line.text == str(number)
    assert number == 200_000
    assert session.done


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("-t progress", ["5/5"]),
        ("utf8", ["été 🚀"]),
        ("-t color", ["red green"]),
        ("env", []),
    ],
)
def test_what_a_real_action_draws(embedded_agent: Agent, line: str, texts: list[str]) -> None:
    """A progress bar is its last state, a character cut in two is one, colours are left out."""
    session = nomad_magic.start(f"{SERVER} {line}", env=embedded_agent.environ)
    lines = [one.text for one in session]
    assert lines == (texts or session.result.lines)
    assert lines


def test_a_secret_is_in_no_line(embedded_agent: Agent) -> None:
    """Masked as in `.text`, though the action prints it."""
    token = embedded_agent.environ["NOMAD_TOKEN"]
    session = nomad_magic.start(
        f"{SERVER} cat", f"a {token[:9]}\x1b[1m{token[9:]} b\n", env=embedded_agent.environ
    )
    assert [line.text for line in session] == ["a [masked] b"]


def test_a_flood_leaves_others_of_an_event_loop_their_turn(embedded_agent: Agent) -> None:
    """Many lines are read without holding up a task beside it."""

    async def counted() -> tuple[int, int]:
        session = nomad_magic.start(f"{SERVER} lines", env=embedded_agent.environ)
        await session
        turns = lines = 0

        async def beside() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.ensure_future(beside())
        async for _ in session:
            lines += 1
        other.cancel()
        return lines, turns

    lines, turns = asyncio.run(counted())
    assert lines == 200_000
    assert turns >= 20


def test_an_event_loop_that_is_closed_is_told_nothing(
    action: Action, caplog: pytest.LogCaptureFixture
) -> None:
    """A loop that went away while a task waited in it leaves no error in the log."""
    own = asyncio.new_event_loop()
    reading = own.create_task(collected(action.session))
    own.call_soon(own.stop)
    own.run_forever()
    until(lambda: listeners(action.session) == 1, seconds=5, what="it waits")
    own.close()
    action.write(b"x\n")
    assert next(iter(action.session)).text == "x"
    assert not caplog.records
    reading._log_destroy_pending = False  # type: ignore[attr-defined]  # it is meant


def test_waiting_hears_what_else_is_said_to_the_thread(
    action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A click on Stop, in a cell: while it waits, and in a flood that leaves no time to."""
    from nomad_magic.running import waiting  # noqa: PLC0415 - not part of the public API

    heard: list[str] = []

    class Pump:
        installed = True

        def __enter__(self) -> Self:
            heard.append("in")
            return self

        def __exit__(self, *_: object) -> None:
            heard.append("out")

        def poll(self) -> None:
            heard.append("poll")
            if heard.count("poll") == 3:
                action.write(b"now\n")

    monkeypatch.setattr(waiting.here, "pump", Pump)
    lines = iter(action.session)
    assert next(lines).text == "now"
    assert heard[0] == "in"
    assert heard[-1] == "out"
    assert heard.count("poll") >= 3
    # With something to read all the time it never waits, and hears all the same.
    for _ in range(20):
        action.write(b"x" * 50_000 + b"\n")
    before = len(heard)
    until(lambda: action.session.result.transcript.size > 900_000, seconds=20, what="a flood")
    monkeypatch.setattr(waiting, "TURN_SECONDS", 0.0)
    for _ in range(10):
        next(lines)
    assert heard[before:].count("poll") >= 5
    assert heard[-1] == "out"


def test_readers_that_come_and_go_leave_nothing_behind(action: Action) -> None:
    """Forty threads that read a line each."""
    action.write(b"x\n")
    read: list[str] = []

    def one() -> None:
        for line in action.session:
            read.append(line.text)
            break

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert read == ["x"] * 40
    assert listeners(action.session) == 0
