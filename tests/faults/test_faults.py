"""A run meets one fault, at any point: it ends in time, says what happened, keeps what came.

A case is a line of the table.  Of each it is held that no exit code is made up, that the action was
asked for at most once, that nothing is left behind, and that the next run is well.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import ssl
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from faults.deeds import (
    CHUNK,
    DEEP,
    ENDLESS,
    after,
    also,
    bomb,
    cut,
    drip,
    first,
    flood,
    half_close,
    honest,
    late,
    reset,
    says,
    stall,
    swallow,
    swallow_some,
)
from support.certificates import Certificates
from support.nomads import until
from support.peer import (
    OUTPUT,
    Peer,
    allocation,
    close,
    exit_frame,
    frame,
    peer,
    reply,
    stdout,
    text,
)
from support.scripted import recorded

import nomad_magic
from nomad_magic import errors
from nomad_magic.nomad import reach
from nomad_magic.record.facts import Outcome
from nomad_magic.running import loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.peer import Deed

LINE = "-job=cache -group=redis -task=server hello"
OPTIONS = nomad_magic.Options(
    connect_timeout=0.6,
    answer_timeout=0.6,
    link_timeout=1.5,
    grace=0.2,
    max_answer_bytes=1_000_000,
    max_frame_bytes=1_000_000,
)
SECONDS = 20.0
"""Far more than any case may take on a slow machine, and less than a hang."""

NUMBER = itertools.count()

QUESTIONS = ("jobs", "allocations", "allocation", "node")
LOST, REFUSED = Outcome.LOST, Outcome.REFUSED
UNKNOWN, NEVER = Outcome.DISCONNECTED, Outcome.NOT_STARTED


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault, and what it must come to."""

    name: str
    at: str
    deed: Deed
    outcome: Outcome
    words: str = ""
    """A regular expression for the message and the hint."""
    output: bytes = b""
    code: int | None = None
    stdin: bytes | None = None
    node: Deed | None = None
    """What the node does at the upgrade; with it there is one."""
    asked: tuple[int, int] = (0, 0)
    """How often the action was asked for at the address, and at the node."""
    tls: bool = True
    """It is of interest in TLS too."""


def question(at: str, name: str, deed: Deed, words: str) -> Case:
    """A fault in a question: nothing was started; what is wrong with the node's is no matter."""
    if at == "node":
        return Case(
            name=f"{at}: {name}", at=at, deed=deed, outcome=Outcome.SUCCEEDED, output=OUTPUT,
            code=0, asked=(1, 0),
        )  # fmt: skip
    return Case(name=f"{at}: {name}", at=at, deed=deed, outcome=NEVER, words=words)


def upgrade(name: str, deed: Deed, outcome: Outcome, words: str, *, tls: bool = True) -> Case:
    """A fault in the answer to the upgrade, which is asked for once."""
    return Case(
        name=f"upgrade: {name}", at="upgrade", deed=deed, outcome=outcome, words=words,
        asked=(1, 0), tls=tls,
    )  # fmt: skip


def session(
    name: str,
    deed: Deed,
    outcome: Outcome,
    words: str = "",
    *,
    output: bytes = OUTPUT,
    code: int | None = None,
    stdin: bytes | None = None,
) -> Case:
    """A fault once the session is open."""
    return Case(
        name=f"session: {name}", at="session", deed=deed, outcome=outcome, words=words,
        output=output, code=code, asked=(1, 0), stdin=stdin,
    )  # fmt: skip


def at_node(
    name: str, deed: Deed, outcome: Outcome, asked: tuple[int, int], words: str = ""
) -> Case:
    """A node that does something at the upgrade."""
    fine = outcome is Outcome.SUCCEEDED
    return Case(
        name=f"node's upgrade: {name}", at="", deed=honest, node=deed, outcome=outcome,
        asked=asked, words=words, output=OUTPUT if fine else b"", code=0 if fine else None,
    )  # fmt: skip


SO_FAR = stdout(OUTPUT)
HUGE = b"9" * 5000
EOF = r"EOF|reset by peer|broken pipe"
TIMED = r"no answer within 0\.6 s"
LARGE = r"larger than 1,000,000 bytes"
OTHER = allocation(recorded("job-allocations")[-1]["ID"])
STALE = reply(json.dumps({**OTHER, "ID": "ffffffff-0000-0000-0000-000000000000"}).encode())

QUESTION_FAULTS: list[tuple[str, Deed, str]] = [
    ("cut", cut, EOF),
    ("reset", reset, EOF),
    ("stalled", stall, TIMED),
    ("half an answer, then cut", first(-5, cut), EOF),
    ("half an answer, then reset", first(-5, reset), EOF),
    ("half an answer, then stalled", first(-5, stall), TIMED),
    ("half an answer, then half closed", first(-5, half_close), f"{EOF}|{TIMED}"),
    ("half a head, then cut", first(9, cut), EOF),
    ("half a head, then stalled", first(9, stall), TIMED),
    ("larger than it may be", flood(CHUNK, ENDLESS.encode()), LARGE),
    ("a head without end", flood(b"X: y\r\n" * 1000, b"HTTP/1.1 200 OK\r\n"), "transport connection broken"),
    ("a gzip that stands for gigabytes", says(bomb()), LARGE),
    ("a gzip that is none", says(reply(b"no", 200, "Content-Encoding: gzip")), "gzip"),
    ("nested deep", says(reply(DEEP)), "max depth|EOF"),
    ("nested deep, in a field", says(reply(b'[{"ID":"x","Odd":' + DEEP + b"}]")), "max depth|json|EOF"),
    ("a number of 5,000 digits", says(reply(b'[{"ID":"x","Priority":' + HUGE + b',"CreateIndex":' + HUGE + b"}]")), "json"),
    ("an odd charset", says(reply(b"<html>", 200, "Content-Type: text/plain; charset=base64")), "'<'"),
    ("another kind of JSON", says(reply(b'{"a":1}')), "json: cannot unmarshal"),
    ("nothing", says(reply(b"")), "0 byte response"),
    ("not HTTP", says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", cut), "transport connection broken"),
    ("a chunk that is none", says(ENDLESS.encode() + b"xyz\r\n", cut), "transport connection broken"),
    ("a redirect to no URL", says(reply(b"", 302, "Location: http://[::1/x")), "302.*not a URL"),
    ("403 and half a body", says(reply(b"Perm", 403, length=100), cut), "403"),
    ("500 and a body that stalls", says(reply(b"rpc err", 500, length=100), stall), "500"),
    ("502 without a body", says(reply(b"", 502)), "502"),
    ("503 and a body without end", flood(CHUNK, ENDLESS.replace("200 OK", "503 No").encode()), "503"),
]  # fmt: skip

STATUSES = (400, 401, 403, 404, 405, 429, 500, 502, 503)

UPGRADE_FAULTS = [
    *(
        upgrade(f"{status}, {name}", deed, REFUSED, f"{status}")
        for status in STATUSES
        for name, deed in (
            ("whole", says(reply(b"Permission denied", status))),
            ("half a body, cut", says(reply(b"Perm", status, length=99), cut)),
            ("half a body, reset", says(reply(b"Perm", status, length=99), reset)),
        )
    ),
    upgrade("403, a body that stalls", says(reply(b"", 403, length=99), stall), REFUSED, "403"),
    upgrade("502, endless", flood(CHUNK, ENDLESS.replace("200 OK", "502 B").encode()), REFUSED, "502"),
    upgrade("HTTP/1.0", says(b"HTTP/1.0 503 No\r\n\r\n<html>", cut), REFUSED, "503"),
    upgrade("200", says(reply(b"<html>")), REFUSED, "200"),
    upgrade("a redirect to no URL", says(reply(b"", 307, "Location: http://[::1/x")), REFUSED, "307"),
    upgrade("504 of a gateway", says(reply(b"", 504)), UNKNOWN, "504.*may have been started"),
    upgrade("cut", cut, UNKNOWN, "EOF.*may have been started"),
    upgrade("reset", reset, UNKNOWN, "may have been started"),
    upgrade("stalled", stall, UNKNOWN, rf"{TIMED}.*may have been started"),
    upgrade("half a head, cut", first(20, cut), UNKNOWN, "may have been started"),
    upgrade("half a head, stalled", first(20, stall), UNKNOWN, "may have been started"),
    upgrade("not HTTP", says(b"\x00\x01\x02\x03\r\n\r\n", cut), UNKNOWN, "may have been started"),
    upgrade(
        "101 without a key",
        says(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", stall),
        UNKNOWN, "bad handshake.*may have been started",
    ),
    upgrade(
        "101 with a header of an odd value",
        says(
            b"HTTP/1.1 101 S\r\nServer: \x01\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            stall,
        ),
        UNKNOWN, "bad handshake.*may have been started",
    ),
]  # fmt: skip

CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999)
NOMADS = (1008, 1011)

CLOSES = [
    session(
        f"close {code} {'with' if reason else 'without'} a reason {when}, {how}",
        says(before + close(code, reason), ended),
        REFUSED if code in NOMADS and reason and not before else LOST,
        reason or str(code),
        output=OUTPUT if before else b"",
    )
    for code in CODES
    for reason in ("", "because of this")
    for when, before in (("first", b""), ("after output", SO_FAR))
    for how, ended in (("cut", cut), ("kept open", swallow))
]  # fmt: skip

SESSION_FAULTS = [
    session("cut before output", cut, LOST, EOF, output=b""),
    session("reset before output", reset, LOST, EOF, output=b""),
    session("cut after output", says(SO_FAR, cut), LOST, EOF),
    session("reset after output", says(SO_FAR, reset), LOST, EOF),
    session("half closed after output", says(SO_FAR, half_close), LOST, f"{EOF}|no sign of life"),
    session("dead before output", swallow, LOST, "no sign of life", output=b""),
    session("dead after output", says(SO_FAR, swallow), LOST, "no sign of life"),
    session("dead in the middle of a frame", first(len(SO_FAR) + 5, swallow), LOST, "no sign of life"),
    session("a late refusal is none", late(1.1, says(close(1011, "going"), cut)), LOST, "going", output=b""),
    session("a late failure to start", late(1.1, says(close(1011, "failed to start command: x"), cut)),
            REFUSED, "failed to start", output=b""),
    session("byte by byte", drip, Outcome.SUCCEEDED, code=0),
    session("exit, then cut", after(cut), Outcome.SUCCEEDED, code=0),
    session("exit, then reset", after(reset), Outcome.SUCCEEDED, code=0),
    session("exit, then kept open", after(swallow), Outcome.SUCCEEDED, code=0),
    session("exit 3, then another", says(SO_FAR + exit_frame(3) + exit_frame(0), cut),
            Outcome.FAILED, code=3),
    session("exit, then a close", says(SO_FAR + exit_frame(3) + close(1011, "late"), cut),
            Outcome.FAILED, code=3),
    session("exit, then output", says(SO_FAR + exit_frame(3) + stdout(b"late"), cut),
            Outcome.FAILED, code=3),
    *(
        session(f"exit with {size:,} bytes of stdin unread, then reset", swallow_some,
                Outcome.SUCCEEDED, code=0, stdin=b"y\n" * (size // 2))
        for size in (3_000, 10_000, 60_000)
    ),
    session("a frame that announces 640 MB", says(SO_FAR + frame(1, b"", length=640 << 20), swallow),
            LOST, LARGE),
    session("a frame that announces 2^63", says(SO_FAR + frame(1, b"", length=(1 << 63) - 1), swallow),
            LOST, LARGE),
    session("one that is too large", says(SO_FAR + frame(1, bytes(1_100_000)), swallow), LOST, LARGE),
    session("fragments without end", flood(b"\x00\x7e\x10\x00" + bytes(0x1000), SO_FAR + b"\x01\x00"),
            LOST, LARGE),
    session("empty fragments without end", flood(b"\x00\x00" * 4096, SO_FAR + b"\x01\x00", 1 << 18),
            LOST, "no sign of life"),
    session("pings without end", flood(frame(9, b"x" * 100), SO_FAR), LOST, "no sign of life"),
    session("not JSON", says(SO_FAR + text("<html>"), swallow), LOST, "cannot be read"),
    session("nested deep", says(SO_FAR + text('{"new":' + "[" * 200_000), swallow), LOST, "cannot be read"),
    session("a number of 5,000 digits",
            says(SO_FAR + text('{"exited":true,"result":{"exit_code":' + "9" * 5000 + "}}"), swallow),
            LOST, "cannot be read"),
    session("base64 that is none", says(SO_FAR + text('{"stdout":{"data":"%"}}'), swallow),
            LOST, "cannot be read"),
    session("not a websocket frame", says(SO_FAR + b"\xff" * 50, swallow), LOST, ""),
    session("a masked frame", says(SO_FAR + b"\x81\x82\x00\x00\x00\x00{}", swallow), LOST, ""),
    session("other things first", says(text("{}") + text('{"new":{"a":1}}') + frame(9, b"") +
            SO_FAR + frame(10, b"?") + exit_frame(0), cut), Outcome.SUCCEEDED, code=0),
]  # fmt: skip

NODE_FAULTS = [
    at_node("it is well", honest, Outcome.SUCCEEDED, (0, 1)),
    at_node("slow", late(0.3, honest), Outcome.SUCCEEDED, (0, 1)),
    at_node("cut", cut, UNKNOWN, (0, 1), "may have been started"),
    at_node("reset", reset, UNKNOWN, (0, 1), "may have been started"),
    at_node("stalled", stall, UNKNOWN, (0, 1), rf"{TIMED}.*may have been started"),
    at_node("half a head, cut", first(20, cut), UNKNOWN, (0, 1), "may have been started"),
    at_node("504 of a gateway", says(reply(b"", 504)), UNKNOWN, (0, 1), "may have been started"),
    *(
        at_node(f"{status}", says(reply(b"no", status)), Outcome.SUCCEEDED, (1, 1))
        for status in STATUSES
    ),
    at_node("403 and half a body", says(reply(b"no", 403, length=9), cut), Outcome.SUCCEEDED, (1, 1)),
]  # fmt: skip

LIES = [
    Case(name="two answers in one segment", at="allocations", deed=also(STALE),
         outcome=Outcome.SUCCEEDED, output=OUTPUT, code=0, asked=(1, 0)),
    Case(name="half an answer behind one", at="allocations", deed=also(STALE[:40]),
         outcome=Outcome.SUCCEEDED, output=OUTPUT, code=0, asked=(1, 0)),
    Case(name="an answer behind the jobs'", at="jobs", deed=also(reply(b"[]")),
         outcome=Outcome.SUCCEEDED, output=OUTPUT, code=0, asked=(1, 0)),
    Case(name="another allocation's answer", at="allocation", deed=says(STALE), outcome=NEVER,
         words="it is of allocation ffffffff"),
    Case(name="cut at the handshake", at="accept", deed=cut, outcome=NEVER, words=EOF, tls=False),
    Case(name="reset as it is taken", at="accept", deed=reset, outcome=NEVER, words=EOF, tls=False),
    Case(name="another protocol that speaks first", at="accept", deed=says(b"220 smtp\r\n", stall),
         outcome=NEVER, words=TIMED, tls=False),
]  # fmt: skip

CASES = [
    *(question(at, *fault) for at in QUESTIONS for fault in QUESTION_FAULTS),
    *UPGRADE_FAULTS,
    *CLOSES,
    *SESSION_FAULTS,
    *NODE_FAULTS,
    *LIES,
]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that comes to nothing is tried once more at once: most of these do, each time."""
    monkeypatch.setattr(reach, "AGAIN_SECONDS", 0.01)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "tls"])
def peers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Peer, Peer, dict[str, str]]]:
    context, environ = None, dict[str, str]()
    if request.param:
        made = Certificates(tmp_path_factory.mktemp("certificates"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*made.server)
        environ = made.environ
    with peer(context) as (one, node):
        yield one, node, {**environ, "NOMAD_ADDR": one.address}


def tasks() -> int:
    """How many tasks the loop has."""

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return asyncio.run_coroutine_threadsafe(count(), loop.get()).result(10)


@pytest.mark.parametrize(
    ("peers", "case"),
    [(tls, case) for tls in (False, True) for case in CASES if case.tls or not tls],
    indirect=["peers"],
    ids=lambda value: value.name if isinstance(value, Case) else ("plain", "tls")[value],
)
def test_a_fault(peers: tuple[Peer, Peer, dict[str, str]], case: Case) -> None:
    """It comes to what the table says, and to nothing else."""
    one, node, environ = peers
    start(one, node)
    if case.at:
        one.faults[case.at] = case.deed
    if case.node is not None:
        one.node_address = node.address
        node.faults["upgrade"] = case.node
    threads = threading.active_count()
    # A client of its own: no connection is kept from before.
    options = replace(OPTIONS, grace=OPTIONS.grace + next(NUMBER) / 1e6)
    session = nomad_magic.start(LINE, case.stdin, env=environ, options=options)
    assert session.wait_done(SECONDS), "it hangs"
    result, said = session.result, str(session.error or "")
    assert result.outcome is case.outcome, said
    assert "bug in nomad_magic" not in said
    assert re.search(case.words, said, re.DOTALL), said
    assert case.outcome is not NEVER or "may have been started" not in said
    assert (result.stdout_bytes, result.exit_code) == (case.output, case.code)
    assert (one.asked.count("upgrade"), node.asked.count("upgrade")) == case.asked
    if case.at == "allocations" and case.outcome is Outcome.SUCCEEDED:
        assert result.place.allocation in one.paths[-1]
    start(one, node)
    assert nomad_magic.run(LINE, env=environ, options=options).stdout_bytes == OUTPUT
    until(lambda: tasks() == 0, seconds=5, what="the loop has nothing to do")
    until(lambda: one.busy + node.busy == 0, seconds=5, what="the connections are closed")
    assert threading.active_count() <= threads + 1


def start(one: Peer, node: Peer) -> None:
    """Have both be honest from now on; a node that failed is tried again."""
    from nomad_magic.nomad import cache  # noqa: PLC0415 - what a minute's wait would do

    cache._tired.clear()
    for each in (one, node):
        each.faults.clear()
        each.asked.clear()
        each.paths.clear()
    one.node_address = ""


def test_the_table_has_every_kind() -> None:
    """Each name once, at every point of a run."""
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 200
    assert {case.at for case in CASES} >= {*QUESTIONS, "accept", "upgrade", "session"}


WHOLE = SO_FAR + stdout(b"more\n") + exit_frame(0)


@pytest.mark.parametrize("end", [cut, reset], ids=["cut", "reset"])
def test_a_session_that_is_cut_at_every_byte(
    peers: tuple[Peer, Peer, dict[str, str]], end: Deed
) -> None:
    """What was whole is kept; the exit code counts from its last byte on, and never before."""
    one, node, environ = peers
    start(one, node)
    # What is cut off is the session, and none of two hundred may be too slow to begin.
    options = replace(OPTIONS, connect_timeout=10, answer_timeout=10)
    one.session = WHOLE
    try:
        sessions = []
        for size in range(len(WHOLE) + 1):
            one.faults["session"] = first(size, end)
            made = nomad_magic.start(LINE, env=environ, options=options)
            assert made.wait_done(SECONDS)
            sessions.append(made.result)
        for size, result in enumerate(sessions):
            expected = OUTPUT if size >= len(SO_FAR) else b""
            if size >= len(SO_FAR + stdout(b"more\n")):
                expected += b"more\n"
            assert result.stdout_bytes == expected
            whole = size == len(WHOLE)
            assert (result.exit_code, result.outcome) == (
                (0, Outcome.SUCCEEDED) if whole else (None, Outcome.LOST)
            )
    finally:
        start(one, node)
        one.__post_init__()


@pytest.mark.parametrize("at", ["jobs", "upgrade"])
def test_an_answer_that_is_cut_at_every_byte(
    peers: tuple[Peer, Peer, dict[str, str]], at: str
) -> None:
    """A question that fails started nothing; an upgrade may have, until its head is whole."""
    one, node, environ = peers
    start(one, node)
    size = 0
    while True:
        one.faults[at] = first(size, cut)
        session = nomad_magic.start(LINE, env=environ, options=OPTIONS)
        assert session.wait_done(SECONDS)
        outcome = session.result.outcome
        if at == "jobs" and outcome is Outcome.SUCCEEDED:
            break
        if at == "upgrade" and outcome is Outcome.LOST:
            break
        assert outcome is (NEVER if at == "jobs" else UNKNOWN)
        assert isinstance(session.error, errors.RequestError)
        size += 1 if size < 30 else 17
        assert size < 5000
    start(one, node)


def test_the_peer_is_honest_without_a_fault(peers: tuple[Peer, Peer, dict[str, str]]) -> None:
    """An honest run is well, and asks for each thing once."""
    one, node, environ = peers
    start(one, node)
    result = nomad_magic.run(LINE, env=environ, options=OPTIONS)
    assert (result.stdout_bytes, result.exit_code) == (OUTPUT, 0)
    # What does not depend on each other is asked at the same time.
    assert sorted(one.asked) == sorted([*QUESTIONS, "upgrade"])
    assert (one.asked[0], one.asked[-1]) == ("jobs", "upgrade")
