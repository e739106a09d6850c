"""One exec session without sockets: as recorded, and whatever happens in whatever order."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nomad_magic.nomad.frames import (
    CLOSE_ABNORMAL,
    CLOSE_NAMES,
    HEARTBEAT_SECONDS,
    OUTPUT_CHUNK,
    REFUSAL_SECONDS,
    STDIN_CHUNK,
    Exit,
    InputFrame,
    OutputFrame,
    Size,
    Stream,
    decode_input,
    encode,
)
from nomad_magic.nomad.ladder import KEY_SECONDS, KEYS, SIGNAL_NAMES
from nomad_magic.nomad.protocol import (
    CTRL_C,
    Event,
    ExecProtocol,
    Exited,
    Lost,
    Output,
    Refused,
    State,
)
from nomad_magic.nomad.stdin import CTRL_D
from nomad_magic.record.facts import Rung, StopReason

WIRE = Path(__file__).parents[1] / "data" / "wire"


def escaped(protocol: ExecProtocol) -> bool:
    """Whether the escape character was typed, before anyone else asked for the end."""
    return protocol.ladder.reason is StopReason.ESCAPE


def session(*, tty: bool = False, escape: str = "", now: float = 0.0) -> ExecProtocol:
    protocol = ExecProtocol(tty=tty, escape=escape)
    protocol.opened(now)
    return protocol


def frames(protocol: ExecProtocol, now: float = 0.0) -> list[InputFrame]:
    """All that is to be sent at a time, until there is nothing left."""
    found = []
    while (text := protocol.next_frame(now)) is not None:
        found.append(decode_input(text))
    return found


def typed(protocol: ExecProtocol) -> bytes:
    """The bytes of stdin that are to be sent."""
    return b"".join(
        frame.stdin.data for frame in frames(protocol) if frame.stdin and frame.stdin.data
    )


def stdin(data: bytes) -> InputFrame:
    return InputFrame(stdin=Stream(data=data))


EOF = InputFrame(stdin=Stream(close=True))
SIZE = InputFrame(tty_size=Size(height=24, width=80))


# The recordings

NO_COMMAND = (
    "rpc error: code = Unknown desc = failed to start command: fork/exec /nonexistent: "
    "no such file or directory"
)


def recording(name: str) -> list[dict[str, Any]]:
    """What happened on the exec websocket of one recorded run, in its order."""
    lines = (WIRE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["conn"] == 2 and line.get("text") != ""]


def from_agent(protocol: ExecProtocol, line: dict[str, Any]) -> list[Event]:
    if line.get("op") == "text":
        return protocol.receive(line["text"])
    if line.get("op") == "close":
        return protocol.receive_close(line["code"], line["reason"], now=0.0)
    return (
        protocol.receive_close(CLOSE_ABNORMAL, "unexpected EOF", now=0.0) if "eof" in line else []
    )


def replay(name: str, *, body: bytes = b"", typed_last: bytes = b"") -> Any:
    """Run a recording through the protocol; give the protocol and its events.

    What the agent sent is fed at its time, and where the CLI sent a Ctrl-C we stop.  The
    frames that the protocol gives must be those that the CLI sent.
    """
    found = recording(name)
    head = next(line["head"][0] for line in found if "head" in line)
    protocol = session(tty="tty=true" in head, escape="~")
    protocol.type(body)
    if not protocol.tty:
        protocol.end_stdin()
    events: list[Event] = []
    sent_any = False
    for line in found:
        if line["dir"] == "server":
            # Nothing is sent besides what the CLI sent.
            assert not sent_any or protocol.next_frame(line["t"]) is None
            events += from_agent(protocol, line)
        elif line.get("op") == "text":
            if line["text"] == '{"stdin":{"data":"Aw=="}}\n':
                protocol.stop()
            assert protocol.next_frame(line["t"]) == line["text"].rstrip("\n")
            sent_any = True
    protocol.type(typed_last)
    assert protocol.next_frame(1e9) is None
    return protocol, events


@pytest.mark.parametrize(
    ("name", "body", "events", "code"),
    [
        ("hello", b"", [Output("stdout", b"hello\n"), Output("stderr", b"oops\n")], 0),
        ("fail", b"", [Output("stderr", b"bad\n"), Output("stdout", b"partial\n")], 3),
        ("killed", b"", [], 137),
        ("stdin", b"one\ntwo\n", [Output("stdout", b"one\ntwo\n")], 0),
        ("inofalse", b"", [], 0),
        (
            "tty-size",
            b"",
            [Output("stdout", b"in\r\nout\r\n"), Output("stdout", b"24 80\r\nTERM=xterm\r\n")],
            0,
        ),
    ],
)
def test_a_recorded_run_goes_as_recorded(
    name: str, body: bytes, events: list[Event], code: int
) -> None:
    """The frames out are the CLI's, and what comes in gives its output and exit code."""
    protocol, happened = replay(name, body=body)
    assert happened == [*events, Exited(code)]
    assert (protocol.state, protocol.exit_code) == (State.EXITED, code)
    assert (protocol.ladder.rung, protocol.sent) == (Rung.NONE, len(body))


def test_the_recorded_ctrl_c_goes_as_recorded() -> None:
    """SIGINT reaches the process, and its exit frame says 130."""
    protocol, events = replay("tty-ctrlc")
    ticks = b"".join(b"tick %d\r\n" % number for number in range(1, 7)) + b"^C"
    assert b"".join(event.data for event in events[:-1]) == ticks
    assert events[-1] == Exited(130)
    assert (protocol.state, protocol.ladder.rung) == (State.EXITED, Rung.INTERRUPT)


def test_the_recorded_heartbeats_go_as_recorded() -> None:
    """One each ten seconds of silence, at the recorded times."""
    protocol, events = replay("tty-heartbeat")
    assert events == [Output("stdout", b"^C"), Exited(130)]
    assert protocol.exit_code == 130


def test_the_recorded_escape_goes_as_recorded() -> None:
    """Nothing is sent for it: the connection is closed, and that is all that is known."""
    protocol, events = replay("tty-escape", typed_last=b"~.")
    assert events == []
    assert (protocol.state, protocol.ladder.rung) == (State.DISCONNECTED, Rung.DISCONNECT)
    assert escaped(protocol)
    assert protocol.exit_code is None


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        (
            "missing",
            1011,
            NO_COMMAND,
        ),
        ("noaction", 1008, "action nosuch not found in task server"),
    ],
)
def test_a_recorded_refusal_goes_as_recorded(name: str, code: int, reason: str) -> None:
    """The close frame's reason is the message, and there is no exit code."""
    protocol, events = replay(name)
    assert events == [Refused(code, reason)]
    assert (protocol.state, protocol.exit_code) == (State.REFUSED, None)


# What is sent


def test_the_size_goes_first_and_only_with_a_tty() -> None:
    """Before any stdin, so that the program starts with the right one."""
    protocol = session(tty=True)
    protocol.type(b"a")
    assert frames(protocol) == [SIZE, stdin(b"a")]
    protocol.resize(50, 132)
    protocol.resize(51, 133)
    assert frames(protocol) == [InputFrame(tty_size=Size(height=51, width=133))]
    other = session()
    other.resize(50, 132)
    assert frames(other) == []


def test_a_heartbeat_follows_ten_seconds_of_silence() -> None:
    """Counted from the last frame of any kind; the agent's frames do not count."""
    protocol = session(now=100.0)
    assert protocol.heartbeat_due == 110.0
    assert protocol.next_frame(109.9) is None
    assert protocol.next_frame(110.0) == "{}"
    protocol.type(b"a")
    assert protocol.next_frame(115.0) is not None
    protocol.receive('{"stdout":{"data":"YQ=="}}')
    assert protocol.heartbeat_due == 125.0
    assert protocol.next_frame(124.9) is None
    assert protocol.next_frame(125.0) == "{}"


def test_no_heartbeat_is_sent_while_something_is_unread() -> None:
    """It would reset a connection that the agent has closed; what a person does is sent at once."""
    protocol = session(now=100.0)
    assert protocol.next_frame(200.0, quiet=False) is None
    protocol.type(b"a")
    assert protocol.next_frame(200.0, quiet=False) is not None
    assert protocol.next_frame(300.0, quiet=False) is None
    assert protocol.next_frame(300.0) == "{}"


def test_no_heartbeat_is_sent_while_there_is_stdin() -> None:
    """Any frame keeps the connection."""
    protocol = session()
    protocol.type(b"a")
    assert frames(protocol, now=1000.0) == [stdin(b"a")]


def _body(size: int) -> bytes:
    """Bytes of which no two stretches are alike."""
    return b"".join(b"%d " % number for number in range(size // 2))[:size]


@given(st.lists(st.integers(1, 3 * STDIN_CHUNK).map(_body), max_size=4))
def test_stdin_is_cut_into_frames(parts: list[bytes]) -> None:
    """No frame has more than `STDIN_CHUNK`, none is empty, and together they are all of it."""
    protocol = session()
    for part in parts:
        protocol.type(part)
    protocol.end_stdin()
    *data, last = frames(protocol)
    assert last == EOF
    chunks = [frame.stdin.data if frame.stdin else None for frame in data]
    assert all(chunk and len(chunk) <= STDIN_CHUNK for chunk in chunks)
    assert b"".join(chunk or b"" for chunk in chunks) == b"".join(parts)
    assert protocol.sent == len(b"".join(parts))


def test_a_large_body_is_cut_as_it_is_sent() -> None:
    """The body is not copied into frames beforehand: what is sent counts, what waits does not."""
    protocol = session()
    protocol.type(bytes(10 * STDIN_CHUNK + 1))
    for number in range(1, 4):
        protocol.next_frame(0.0)
        assert protocol.sent == number * STDIN_CHUNK
    assert [len(frame.stdin.data or b"") for frame in frames(protocol) if frame.stdin] == [
        *[STDIN_CHUNK] * 7,
        1,
    ]


@pytest.mark.parametrize("body", [b"", b"one\n", b"one"])
def test_the_end_of_stdin_without_a_tty_is_a_close(body: bytes) -> None:
    """Once, after the last of it; what is typed later is dropped."""
    protocol = session()
    protocol.type(body)
    protocol.end_stdin()
    protocol.end_stdin()
    protocol.type(b"late")
    assert frames(protocol) == [*([stdin(body)] if body else []), EOF]


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (b"", CTRL_D),
        (b"one\n", CTRL_D),
        (b"one\r", CTRL_D),
        (b"one", CTRL_D * 2),
        (b"one\ntwo", CTRL_D * 2),
        (b"x" * STDIN_CHUNK + b"\n", CTRL_D),
        (b"\n" * STDIN_CHUNK + b"x", CTRL_D * 2),
    ],
)
def test_the_end_of_a_body_typed_on_a_tty_is_ctrl_d(body: bytes, end: bytes) -> None:
    """A close would hang up; in the middle of a line the first Ctrl-D only hands it over."""
    protocol = session(tty=True, escape="~")
    protocol.type(body)
    protocol.end_stdin()
    *_, last = frames(protocol)
    assert last == stdin(end)
    assert protocol.sent == len(body)


# The ladder


def test_the_ladder_with_a_tty() -> None:
    """Ctrl-C, Ctrl-backslash, and then the connection is closed; what comes next is known."""
    protocol = session(tty=True)
    assert frames(protocol) == [SIZE]
    assert protocol.next_rung is Rung.INTERRUPT
    assert protocol.stop() is Rung.INTERRUPT
    assert frames(protocol) == [stdin(CTRL_C)]
    assert protocol.next_rung is Rung.QUIT
    assert protocol.stop() is Rung.QUIT
    assert frames(protocol) == [stdin(KEYS[Rung.QUIT])]
    assert protocol.state is State.RUNNING
    assert protocol.next_rung is Rung.DISCONNECT
    assert protocol.stop() is Rung.DISCONNECT
    assert (protocol.state, protocol.next_rung) == (State.DISCONNECTED, Rung.NONE)
    assert protocol.stop() is Rung.NONE
    assert frames(protocol, now=1e9) == []
    assert protocol.exit_code is None
    assert not escaped(protocol)


def test_the_ladder_without_a_tty() -> None:
    """Nothing reaches the process, so that the first press is the last."""
    protocol = session()
    protocol.type(b"waiting")
    assert protocol.next_rung is Rung.DISCONNECT
    assert protocol.stop() is Rung.DISCONNECT
    assert (protocol.state, protocol.ladder.rung) == (State.DISCONNECTED, Rung.DISCONNECT)
    assert frames(protocol) == []


def test_a_ctrl_c_overtakes_waiting_stdin() -> None:
    """A large body does not make the user wait; the rest of it follows a moment later."""
    protocol = session(tty=True)
    protocol.type(b"x" * (3 * STDIN_CHUNK))
    assert protocol.next_frame(0.0) == encode(SIZE)
    assert protocol.next_frame(0.0) == encode(stdin(b"x" * STDIN_CHUNK))
    protocol.stop()
    protocol.stop()
    assert frames(protocol) == [
        stdin(CTRL_C),
        stdin(KEYS[Rung.QUIT]),
    ]
    assert frames(protocol, KEY_SECONDS) == [
        *[stdin(b"x" * STDIN_CHUNK)] * 2,
    ]
    assert protocol.sent == 3 * STDIN_CHUNK


def test_a_new_size_does_not_take_a_ctrl_c_away() -> None:
    """Only an older size is out of date."""
    protocol = session(tty=True)
    protocol.stop()
    protocol.resize(10, 20)
    assert frames(protocol) == [
        stdin(CTRL_C),
        InputFrame(tty_size=Size(height=10, width=20)),
    ]


def test_stop_works_after_the_end_of_stdin() -> None:
    """Ctrl-D does not end every program."""
    protocol = session(tty=True)
    protocol.end_stdin()
    frames(protocol)
    assert protocol.stop() is Rung.INTERRUPT
    assert frames(protocol) == [stdin(CTRL_C)]


def test_an_exit_after_stop_keeps_its_code() -> None:
    """Whatever the process made of Ctrl-C, its own exit code counts."""
    protocol = session(tty=True)
    protocol.stop()
    assert protocol.receive('{"exited":true,"result":{}}') == [Exited(0)]
    assert (protocol.state, protocol.exit_code, protocol.ladder.rung) == (
        State.EXITED,
        0,
        Rung.INTERRUPT,
    )


@pytest.mark.parametrize(
    ("typed", "reply", "after"),
    [
        (b"ls\r", False, Rung.INTERRUPT),
        (b"\x03", False, Rung.DISCONNECT),
        (b"\x03\x03", False, Rung.DISCONNECT),
        (b"\x1b[2;1R", True, Rung.DISCONNECT),
        (b"q", False, Rung.INTERRUPT),
    ],
)
def test_whoever_goes_on_typing_begins_the_ladder_anew(
    typed: bytes, reply: bool, after: Rung
) -> None:
    """Ctrl-C that is typed is the action's, and so is a terminal's answer: neither is a rung."""
    protocol = session(tty=True)
    assert [protocol.stop(), protocol.stop()] == [Rung.INTERRUPT, Rung.QUIT]
    protocol.type(typed, reply=reply)
    assert protocol.next_rung is after
    assert (protocol.ladder.reason is None) == (after is Rung.INTERRUPT)


def test_a_timeout_is_not_typed_away() -> None:
    """Its interrupt has begun the ladder anew too, but it stays the reason."""
    protocol = session(tty=True)
    protocol.stop(StopReason.TIMEOUT)
    protocol.type(b"x")
    assert protocol.ladder.reason is StopReason.TIMEOUT


def test_disconnect_goes_straight_to_the_last_rung() -> None:
    """From the first one too."""
    protocol = session(tty=True)
    protocol.disconnect()
    assert (protocol.state, protocol.ladder.rung, escaped(protocol)) == (
        State.DISCONNECTED,
        Rung.DISCONNECT,
        False,
    )


# The escape character


def as_the_rules_say(data: bytes, escape: bytes) -> tuple[bytes, bool]:
    """What reaches the process, and whether the connection is closed: SPEC §4, word for word.

    The escape character counts at the start of the input and after CR or LF: twice sends one,
    with a dot it closes, with another character both are sent; anywhere else it is plain.
    """
    out = b""
    position = 0
    while position < len(data):
        one, two = data[position : position + 1], data[position + 1 : position + 2]
        counts = position == 0 or data[position - 1 : position] in (b"\r", b"\n")
        if not (counts and one == escape):
            out += one
            position += 1
        elif two == b".":
            return out, True
        elif two == escape:
            out += escape
            position += 2
        else:
            out += one + two
            position += 2
    return out, False


keys = st.binary(max_size=40) | st.lists(
    st.sampled_from([b"~", b".", b"\r", b"\n", b"a", b"~.", b"\r~", b"\n~~"]), max_size=20
).map(b"".join)


@given(keys, st.lists(st.integers(0, 40), max_size=8))
@example(b"~~.", [1, 2])
@example(b"~\r~.", [1, 2, 3])
@example(b"a\r~~\n~.x", [3])
@example(b"~", [])
def test_the_escape_character_is_found_wherever_the_input_is_cut(
    data: bytes, cuts: list[int]
) -> None:
    """Typed key by key or pasted at once, the result is what the rules say."""
    expected, closed = as_the_rules_say(data, b"~")
    protocol = session(tty=True, escape="~")
    out = b""
    ends = [*sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in zip([0, *ends], ends, strict=False):
        # What stands before the close in the same piece is not to be sent any more.
        protocol.type(data[start:end])
        out += typed(protocol)
    assert escaped(protocol) is closed
    assert (protocol.state is State.DISCONNECTED) is closed
    if closed:
        assert expected.startswith(out)
    else:
        protocol.end_stdin()
        out += typed(protocol)
        assert out.rstrip(CTRL_D) == expected.rstrip(CTRL_D)


@pytest.mark.parametrize(
    ("data", "sent", "closed"),
    [
        (b"~.", b"", True),
        (b"ls\r~.", b"ls\r", True),
        (b"ls\n~.", b"ls\n", True),
        (b"~~.", b"~.", False),
        (b"~~", b"~", False),
        (b"~~~.", b"~~.", False),
        (b"~a", b"~a", False),
        (b"~a~.", b"~a~.", False),
        (b"~\r~.", b"~\r", True),
        (b"a~.", b"a~.", False),
        (b" ~.", b" ~.", False),
        (b"a~~", b"a~~", False),
        (b"~ .", b"~ .", False),
        (b".~.", b".~.", False),
    ],
)
def test_the_escape_characters_rules(data: bytes, sent: bytes, closed: bool) -> None:
    """Each of SPEC §4, key by key as a terminal sends them."""
    protocol = session(tty=True, escape="~")
    out = b""
    for value in data:
        protocol.type(bytes((value,)))
        out += typed(protocol)
    assert (out, escaped(protocol)) == (sent, closed)


def test_an_escape_character_waits_for_the_next_key() -> None:
    """It is not sent before it is known what it means, and not lost at the end."""
    protocol = session(tty=True, escape="~")
    protocol.type(b"~")
    assert frames(protocol) == [SIZE]
    protocol.end_stdin()
    assert frames(protocol) == [stdin(b"~"), stdin(CTRL_D * 2)]


@pytest.mark.parametrize(("tty", "escape"), [(False, "~"), (True, ""), (True, "^")])
def test_the_escape_character_is_looked_for_only_with_a_tty(tty: bool, escape: str) -> None:
    """Without one, with none, or with another, `~.` is plain input."""
    protocol = session(tty=tty, escape=escape)
    protocol.type(b"~.")
    assert typed(protocol) == b"~."
    assert not escaped(protocol)


def test_any_byte_can_be_the_escape_character() -> None:
    """Also one that is no UTF-8 by itself, which a shell hands over as a surrogate."""
    protocol = session(tty=True, escape=b"\xff".decode("utf-8", "surrogateescape"))
    protocol.type(b"\xff\xff")
    assert typed(protocol) == b"\xff"
    protocol.type(b"\r\xff.")
    assert escaped(protocol)


# What the agent sends


@pytest.mark.parametrize(
    "text", ["{}", '{"exited":true}', '{"result":{"exit_code":1}}', '{"new":1}', '{"stdout":{}}']
)
def test_anything_else_is_a_heartbeat(text: str) -> None:
    """Half an exit frame is none."""
    protocol = session()
    assert protocol.receive(text) == []
    assert (protocol.state, protocol.exit_code) == (State.RUNNING, None)


@given(st.binary(min_size=1, max_size=OUTPUT_CHUNK), st.sampled_from(["stdout", "stderr"]))
def test_output_is_given_as_it_came(data: bytes, stream: str) -> None:
    """Any bytes, cut anywhere."""
    text = json.dumps({stream: {"data": base64.b64encode(data).decode()}})
    assert session().receive(text) == [Output(stream, data)]  # type: ignore[arg-type] - sampled


@pytest.mark.parametrize("garbage", ["", "{", "<html>", '{"stdout":7}', '{"stdout":{"data":"!"}}'])
def test_a_frame_that_cannot_be_read_ends_the_session(garbage: str) -> None:
    """What follows could be anything; no exit code is made up."""
    protocol = session()
    (event,) = protocol.receive(garbage)
    assert isinstance(event, Lost)
    assert event.reason.startswith("the agent sent a frame that cannot be read: ")
    assert (protocol.state, protocol.exit_code) == (State.LOST, None)
    assert protocol.receive('{"exited":true,"result":{}}') == []


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (1000, "", "websocket closed before receiving exit code: websocket: close 1000 (normal)"),
        (
            1000,
            "bye",
            "websocket closed before receiving exit code: websocket: close 1000 (normal): bye",
        ),
        (1001, "", "websocket: close 1001 (going away)"),
        (1006, "", "websocket: close 1006 (abnormal closure)"),
        (1006, "unexpected EOF", "unexpected EOF"),
        (1008, "", "websocket: close 1008 (policy violation)"),
        (1011, "", "websocket: close 1011 (internal server error)"),
        (4000, "", "websocket: close 4000"),
    ],
)
def test_a_close_without_a_reason_is_a_lost_connection(code: int, reason: str, words: str) -> None:
    """Its code is named as the CLI names it."""
    protocol = session()
    assert protocol.receive_close(code, reason, now=0.0) == [Lost(words)]
    assert (protocol.state, protocol.exit_code) == (State.LOST, None)


@pytest.mark.parametrize("code", [1008, 1011])
@pytest.mark.parametrize("late", [0.0, 0.9 * REFUSAL_SECONDS])
def test_nomads_own_close_at_once_is_a_refusal(code: int, late: float) -> None:
    """The reason is the agent's own message."""
    protocol = session(now=5.0)
    events = protocol.receive_close(code, "Permission denied", now=5.0 + late)
    assert events == [Refused(code, "Permission denied")]
    assert (protocol.state, protocol.exit_code) == (State.REFUSED, None)


@given(
    st.sampled_from([*CLOSE_NAMES, 3000, 4999]),
    st.text(min_size=1, max_size=10),
    st.booleans(),
    st.floats(0, 1e6),
)
def test_any_other_close_is_a_lost_connection(
    code: int, reason: str, output: bool, late: float
) -> None:
    """Of what stands between here and the agent, or of an action that did run."""
    protocol = session()
    if output:
        protocol.receive('{"stdout":{"data":"YQ=="}}')
    refusal = code in (1008, 1011) and not output and late < REFUSAL_SECONDS
    (event,) = protocol.receive_close(code, reason, now=late)
    assert isinstance(event, Refused) == refusal
    assert reason in event.reason
    assert protocol.state is (State.REFUSED if refusal else State.LOST)


def test_a_command_that_fails_to_start_is_a_refusal_however_late() -> None:
    """A driver may take its time."""
    protocol = session()
    reason = "rpc error: code = Unknown desc = failed to start command: exec: no such file"
    assert protocol.receive_close(1011, reason, now=30.0) == [Refused(1011, reason)]


@pytest.mark.parametrize("first", ['{"stdout":{"data":"YQ=="}}', '{"stderr":{"close":true}}'])
def test_what_has_begun_is_not_refused_any_more(first: str) -> None:
    """After the first output a close with a reason is a lost connection: it may still run."""
    protocol = session()
    protocol.receive("{}")
    protocol.receive(first)
    assert protocol.receive_close(1011, "rpc error: EOF", now=0.0) == [Lost("rpc error: EOF")]
    assert protocol.state is State.LOST


@given(st.sampled_from([*CLOSE_NAMES, 3000, 4999]), st.text(max_size=10), st.booleans())
def test_no_close_ever_gives_an_exit_code(code: int, reason: str, output: bool) -> None:
    """Only an exit frame does."""
    protocol = session()
    if output:
        protocol.receive('{"stdout":{"data":"YQ=="}}')
    (event,) = protocol.receive_close(code, reason, now=0.0)
    assert isinstance(event, Lost | Refused)
    assert protocol.exit_code is None
    assert protocol.state in {State.LOST, State.REFUSED}


ENDINGS = {
    State.EXITED: lambda protocol: protocol.receive('{"exited":true,"result":{"exit_code":3}}'),
    State.REFUSED: lambda protocol: protocol.receive_close(1008, "no", now=0.0),
    State.LOST: lambda protocol: protocol.receive_close(1006, "", now=0.0),
    State.DISCONNECTED: lambda protocol: protocol.disconnect(),
}


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("tty", [False, True])
def test_nothing_changes_after_the_end(end: State, tty: bool) -> None:
    """Whatever the user does and the agent sends: no event, no frame, no other state."""
    protocol = session(tty=tty, escape="~")
    protocol.type(b"waiting")
    ENDINGS[end](protocol)
    before = (
        protocol.state,
        protocol.exit_code,
        protocol.ladder.rung,
        protocol.sent,
        protocol.ladder.reason,
    )
    assert before[0] is end
    protocol.type(b"more")
    protocol.type(b"\r~.")
    protocol.end_stdin()
    protocol.resize(1, 1)
    assert protocol.stop() is Rung.NONE
    protocol.disconnect()
    assert protocol.receive('{"exited":true,"result":{"exit_code":9}}') == []
    assert protocol.receive('{"stdout":{"data":"YQ=="}}') == []
    assert protocol.receive("garbage") == []
    assert protocol.receive_close(1011, "late", now=0.0) == []
    assert protocol.next_frame(1e9) is None
    assert protocol.next_rung is Rung.NONE
    assert before == (
        protocol.state,
        protocol.exit_code,
        protocol.ladder.rung,
        protocol.sent,
        protocol.ladder.reason,
    )


@pytest.mark.parametrize("event", [Output("stdout", b""), Exited(0), Refused(1008, ""), Lost("")])
def test_an_event_cannot_be_changed(event: Event) -> None:
    """It may be handed to several views."""
    with pytest.raises(AttributeError):
        setattr(event, type(event).__struct_fields__[0], None)


# Before it is open


def test_what_comes_early_is_kept_for_the_session() -> None:
    """The size, keys and their end; a press of Stop before all that waits."""
    protocol = ExecProtocol(tty=True)
    protocol.type(b"ls\r")
    protocol.resize(30, 100)
    protocol.opening()
    assert protocol.stop() is Rung.INTERRUPT
    assert protocol.next_frame(0.0) is None
    protocol.opened(7.0)
    assert frames(protocol, 7.0) == [
        InputFrame(tty_size=Size(height=30, width=100)),
        stdin(CTRL_C),
    ]
    assert frames(protocol, 7.0 + KEY_SECONDS) == [stdin(b"ls\r")]


@given(
    st.lists(st.tuples(st.floats(0, 2), st.sampled_from(["stop", "type", "end", "resize", "send"])))
)
def test_no_stdin_follows_a_key_at_once(steps: list[tuple[float, str]]) -> None:
    """What is on its way as the action ends may cost its exit code; its size may be told."""
    protocol, now, last_key = session(tty=True), 0.0, -9.0
    for seconds, step in [*steps, (9.0, "send")]:
        now += seconds
        match step:
            case "stop" if protocol.next_rung in KEYS:
                protocol.stop()
            case "type":
                protocol.type(b"more\r")
            case "end":
                protocol.end_stdin()
            case "resize":
                protocol.resize(30, 100)
        for frame in frames(protocol, now) if step == "send" else ():
            if frame.stdin is not None and frame.stdin.data in KEYS.values():
                last_key = now
            elif frame.stdin is not None:
                assert now >= last_key + KEY_SECONDS
    # And nothing of it is lost.
    frames(protocol, now + KEY_SECONDS)
    assert protocol.sent == 5 * _before_end(steps).count("type")


def _before_end(steps: list[tuple[float, str]]) -> list[str]:
    names = [step for _, step in steps]
    return names[: names.index("end")] if "end" in names else names


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("end", ["stop", "disconnect"])
def test_before_it_was_asked_for_a_run_is_given_up(end: str, tty: bool) -> None:
    """Nothing was started, and nothing is any more."""
    protocol = ExecProtocol(tty=tty)
    assert protocol.next_rung is Rung.GIVE_UP
    getattr(protocol, end)()
    assert (protocol.state, protocol.ladder.rung) == (State.NOT_STARTED, Rung.GIVE_UP)
    protocol.opening()
    protocol.opened(0.0)
    assert (protocol.state, protocol.ended) == (State.NOT_STARTED, True)
    assert protocol.next_frame(0.0) is None


def test_while_it_opens_the_ladder_ends_with_the_connection() -> None:
    """Without a tty nothing waits for a process that nothing reaches."""
    protocol = ExecProtocol(tty=False)
    protocol.opening()
    assert protocol.stop() is Rung.DISCONNECT
    assert protocol.state is State.DISCONNECTED


def test_a_signal_waits_for_the_session() -> None:
    """Where a second session may send it; the next press does not wait any more."""
    protocol = ExecProtocol(tty=False, reach=True)
    protocol.opening()
    assert protocol.stop() is Rung.SIGNAL
    assert (protocol.next_signal(), protocol.next_rung) == (Rung.NONE, Rung.DISCONNECT)
    protocol.opened(0.0)
    assert protocol.next_signal() is Rung.SIGNAL
    assert (protocol.next_signal(), protocol.next_rung) == (Rung.NONE, Rung.KILL)


@pytest.mark.parametrize(
    ("tty", "rungs"),
    [
        (True, [Rung.INTERRUPT, Rung.QUIT, Rung.KILL, Rung.DISCONNECT]),
        (False, [Rung.SIGNAL, Rung.KILL, Rung.DISCONNECT]),
    ],
)
@pytest.mark.parametrize("hopeless_after", [None, 0, 1])
def test_the_ladder_with_reach(tty: bool, rungs: list[Rung], hopeless_after: int | None) -> None:
    """Rungs that need a second session are left out once there is known to be no way to one."""
    protocol = ExecProtocol(tty=tty, reach=True)
    protocol.opened(0.0)
    climbed = []
    while not protocol.ended:
        if len(climbed) == hopeless_after:
            protocol.signalled(sent=False, hopeless=True)
            rungs = [rung for rung in rungs if rung in climbed or rung not in SIGNAL_NAMES]
        climbed.append(protocol.stop())
        signal = protocol.next_signal()
        assert signal is (climbed[-1] if climbed[-1] in SIGNAL_NAMES else Rung.NONE)
    assert climbed == rungs


def test_what_was_not_reached_was_not_interrupted() -> None:
    """An action that ends by itself after a signal that never came has simply ended."""
    for sent in (False, True):
        protocol = ExecProtocol(tty=False, reach=True)
        protocol.opened(0.0)
        protocol.stop()
        assert protocol.next_signal() is Rung.SIGNAL
        protocol.signalled(sent=sent, hopeless=False)
        protocol.receive(encode(OutputFrame(exited=True, result=Exit(exit_code=0))))
        assert protocol.ladder.touched is sent


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (["failed"], State.NOT_STARTED),
        (["opening", "failed"], State.DISCONNECTED),
        (["opening", "not_asked", "failed"], State.NOT_STARTED),
        (["opening", "not_asked", "refused"], State.REFUSED),
        (["opening", "refused", "failed"], State.DISCONNECTED),
        (["opening", "not_asked", "opening", "failed"], State.DISCONNECTED),
        (["refused", "failed", "stop", "opening"], State.REFUSED),
        (["opening", "stop", "not_asked", "opening", "failed"], State.NOT_STARTED),
        (["opening", "stop", "not_asked", "refused"], State.REFUSED),
        (["opening", "stop", "failed"], State.DISCONNECTED),
    ],
)
def test_what_became_of_asking(steps: list[str], state: State) -> None:
    """It may have been started unless the last that was asked definitely said no.

    What was stopped meanwhile is not asked for anywhere else.
    """
    protocol = ExecProtocol(tty=True)
    for step in steps:
        getattr(protocol, step)()
    assert protocol.state is state


class AnySession(RuleBasedStateMachine):
    """Anything that can happen to a session, in any order."""

    tty = False

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.protocol = session(tty=self.tty, escape="~", now=self.now)
        self.changes = 0
        self.last = self.protocol.state
        self.code: int | None = None
        self.given: list[InputFrame] = []
        self.rung = Rung.NONE

    @rule(data=keys)
    def type(self, data: bytes) -> None:
        self.protocol.type(data)
        if data.strip(b"\x03"):
            # Whoever goes on typing begins the ladder anew.
            self.rung = min(self.rung, self.protocol.ladder.rung)

    @rule()
    def end_stdin(self) -> None:
        self.protocol.end_stdin()

    @rule(height=st.integers(1, 99), width=st.integers(1, 99))
    def resize(self, height: int, width: int) -> None:
        self.protocol.resize(height, width)

    @rule()
    def stop(self) -> None:
        promised = self.protocol.next_rung
        assert self.protocol.stop() is promised

    @precondition(lambda self: self.protocol.state is not State.RUNNING)
    @rule()
    def disconnect_late(self) -> None:
        self.protocol.disconnect()

    @rule(seconds=st.sampled_from([0.0, 1.0, 10.0, 60.0]))
    def send(self, seconds: float) -> None:
        self.now += seconds
        running = self.protocol.state is State.RUNNING
        text = self.protocol.next_frame(self.now)
        assert running or text is None
        if text is not None:
            self.given.append(decode_input(text))
            assert self.protocol.heartbeat_due == self.now + HEARTBEAT_SECONDS

    @rule(data=st.binary(max_size=4), stderr=st.booleans(), close=st.booleans())
    def output(self, data: bytes, stderr: bool, close: bool) -> None:
        running = self.protocol.state is State.RUNNING
        stream = Stream(data=data or None, close=close)
        frame = OutputFrame(stderr=stream) if stderr else OutputFrame(stdout=stream)
        events = self.protocol.receive(encode(frame))
        name = "stderr" if stderr else "stdout"
        assert events == ([Output(name, data)] if running and data else [])

    @rule(code=st.integers(0, 255))
    def exit(self, code: int) -> None:
        running = self.protocol.state is State.RUNNING
        frame = OutputFrame(exited=True, result=Exit(exit_code=code))
        events = self.protocol.receive(encode(frame))
        assert events == ([Exited(code)] if running else [])
        if running:
            self.code = code

    @rule(code=st.sampled_from([1000, 1006, 1008, 1011]), reason=st.sampled_from(["", "why"]))
    def close(self, code: int, reason: str) -> None:
        running = self.protocol.state is State.RUNNING
        assert len(self.protocol.receive_close(code, reason, now=0.0)) == running

    @rule()
    def garbage(self) -> None:
        running = self.protocol.state is State.RUNNING
        assert len(self.protocol.receive("<html>")) == running

    @invariant()
    def running_is_left_once(self) -> None:
        if self.protocol.state is not self.last:
            assert self.last is State.RUNNING
            self.changes += 1
            self.last = self.protocol.state
        assert self.changes <= 1

    @invariant()
    def only_an_exit_frame_gives_a_code(self) -> None:
        assert self.protocol.exit_code == self.code
        assert (self.protocol.exit_code is not None) == (self.protocol.state is State.EXITED)

    @invariant()
    def the_ladder_is_only_climbed(self) -> None:
        assert self.protocol.ladder.rung >= self.rung
        self.rung = self.protocol.ladder.rung
        assert (self.rung is Rung.DISCONNECT) == (self.protocol.state is State.DISCONNECTED)
        assert (self.protocol.next_rung is Rung.NONE) == (self.protocol.state is not State.RUNNING)

    @invariant()
    def stdin_ends_once_and_frames_are_small(self) -> None:
        ends = [frame for frame in self.given if frame.stdin and frame.stdin.close]
        assert len(ends) <= (not self.tty)
        sizes = [len(frame.stdin.data or b"") for frame in self.given if frame.stdin]
        assert max(sizes, default=0) <= STDIN_CHUNK
        if not self.tty:
            assert not any(frame.tty_size for frame in self.given)


class AnySessionOnATerminal(AnySession):
    """The same with a pty."""

    tty = True


@pytest.mark.parametrize("kind", [AnySession, AnySessionOnATerminal])
def test_whatever_happens_the_rules_hold(kind: type[AnySession]) -> None:
    """RUNNING is left once, an exit code is an exit frame's, nothing is sent after the end."""
    run_state_machine_as_test(
        kind, settings=settings(max_examples=40, stateful_step_count=20, deadline=None)
    )
