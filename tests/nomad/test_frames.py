"""The messages of the exec websocket: as recorded, as garbage, and there and back."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.nomad.frames import (
    Exit,
    FrameError,
    InputFrame,
    OutputFrame,
    Size,
    Stream,
    decode_input,
    decode_output,
    encode,
)

WIRE = Path(__file__).parents[1] / "data" / "wire"


def recorded(direction: str) -> list[str]:
    lines = [
        json.loads(line)
        for path in sorted(WIRE.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return sorted(
        {
            line["text"]
            for line in lines
            if line.get("op") == "text" and line["dir"] == direction and line["text"]
        }
    )


FROM_CLIENT = {
    '{"stdin":{"close":true}}\n': InputFrame(stdin=Stream(close=True)),
    '{"stdin":{"data":"Aw=="}}\n': InputFrame(stdin=Stream(data=b"\x03")),
    '{"stdin":{"data":"b25lCnR3bwo="}}\n': InputFrame(stdin=Stream(data=b"one\ntwo\n")),
    '{"tty_size":{"height":24,"width":80}}\n': InputFrame(tty_size=Size(height=24, width=80)),
    "{}\n": InputFrame(),
}

FROM_AGENT = {
    '{"stdout":{"data":"aGVsbG8K"}}': OutputFrame(stdout=Stream(data=b"hello\n")),
    '{"stderr":{"data":"b29wcwo="}}': OutputFrame(stderr=Stream(data=b"oops\n")),
    '{"stdout":{"data":"cGFydGlhbAo="}}': OutputFrame(stdout=Stream(data=b"partial\n")),
    '{"stderr":{"data":"YmFkCg=="}}': OutputFrame(stderr=Stream(data=b"bad\n")),
    '{"stdout":{"data":"b25lCnR3bwo="}}': OutputFrame(stdout=Stream(data=b"one\ntwo\n")),
    '{"stdout":{"data":"XkM="}}': OutputFrame(stdout=Stream(data=b"^C")),
    '{"stdout":{"data":"dGljayA2DQpeQw=="}}': OutputFrame(stdout=Stream(data=b"tick 6\r\n^C")),
    '{"stdout":{"data":"aW4NCm91dA0K"}}': OutputFrame(stdout=Stream(data=b"in\r\nout\r\n")),
    '{"stdout":{"data":"MjQgODANClRFUk09eHRlcm0NCg=="}}': OutputFrame(
        stdout=Stream(data=b"24 80\r\nTERM=xterm\r\n")
    ),
    **{
        json.dumps({"stdout": {"data": text}}, separators=(",", ":")): OutputFrame(
            stdout=Stream(data=b"tick %d\r\n" % number)
        )
        for number, text in enumerate(
            ("dGljayAxDQo=", "dGljayAyDQo=", "dGljayAzDQo=", "dGljayA0DQo=", "dGljayA1DQo="), 1
        )
    },
    '{"stdout":{"close":true}}': OutputFrame(stdout=Stream(close=True)),
    '{"stderr":{"close":true}}': OutputFrame(stderr=Stream(close=True)),
    '{"exited":true,"result":{}}': OutputFrame(exited=True, result=Exit(exit_code=0)),
    '{"stdout":{"data":"bG9va2VkCg=="}}': OutputFrame(stdout=Stream(data=b"looked\n")),
    '{"exited":true,"result":{"exit_code":4}}': OutputFrame(exited=True, result=Exit(exit_code=4)),
    '{"exited":true,"result":{"exit_code":3}}': OutputFrame(exited=True, result=Exit(exit_code=3)),
    '{"exited":true,"result":{"exit_code":130}}': OutputFrame(
        exited=True, result=Exit(exit_code=130)
    ),
    '{"exited":true,"result":{"exit_code":137}}': OutputFrame(
        exited=True, result=Exit(exit_code=137)
    ),
}


def test_every_recorded_frame_has_its_meaning_here() -> None:
    """The tables hold exactly what the real CLI and the real agent said."""
    assert sorted(FROM_CLIENT) == recorded("client")
    assert sorted(FROM_AGENT) == recorded("server")


@pytest.mark.parametrize("text", FROM_CLIENT)
def test_a_clients_frame_is_read_and_written_as_recorded(text: str) -> None:
    """Every frame that the CLI sent is read as meant, and ours is the same text."""
    assert decode_input(text) == FROM_CLIENT[text]
    assert encode(FROM_CLIENT[text]) == text.rstrip("\n")


@pytest.mark.parametrize("text", FROM_AGENT)
def test_an_agents_frame_is_read_and_written_as_recorded(text: str) -> None:
    """Every frame that the agent sent is read as meant, from text and from bytes."""
    assert decode_output(text) == decode_output(text.encode()) == FROM_AGENT[text]
    assert encode(FROM_AGENT[text]) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "[",
        "[]",
        "null",
        '"stdin"',
        "7",
        "{",
        "{}{}",
        "<html>",
        '{"stdin":[],"stdout":[]}',
        '{"stdin":{"data":"!"},"stdout":{"data":"!"}}',
        '{"stdin":{"data":"aGk"},"stdout":{"data":"aGk"}}',
        '{"stdin":{"data":7},"stdout":{"data":7}}',
        '{"stdin":{"close":1},"exited":1}',
        '{"tty_size":{"height":24},"result":{"exit_code":"3"}}',
        '{"tty_size":{"height":"a","width":1},"result":{"exit_code":1e400}}',
        "\ud800",
        b"\xff\xfe",
        b'{"stdin":"\xff","stdout":"\xff"}',
        '{"x":' * 200_000,
        # Python 3.11 goes down a thousand levels, later ones ten thousand.
        '{"x":' + "[" * 200_000 + "]" * 200_000 + "}",
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_frame_is_a_frame_error(text: str | bytes) -> None:
    """Garbage, wrong shapes and bottomless nesting raise FrameError and nothing else."""
    for decode in (decode_input, decode_output):
        with pytest.raises(FrameError):
            decode(text)


@given(st.text() | st.binary())
def test_anything_is_a_frame_or_a_frame_error(data: str | bytes) -> None:
    """No text and no bytes make a decoder raise anything but FrameError."""
    for decode in (decode_input, decode_output):
        with contextlib.suppress(FrameError):
            decode(data)


def test_unknown_fields_are_ignored() -> None:
    """A newer agent may say more, at any depth."""
    assert decode_input('{"new":[{}],"stdin":{"data":"YQ==","new":null}}') == InputFrame(
        stdin=Stream(data=b"a")
    )
    assert decode_output('{"new":1,"exited":true,"result":{"new":{"a":[]},"exit_code":2}}') == (
        OutputFrame(exited=True, result=Exit(exit_code=2))
    )


@pytest.mark.parametrize("text", ["{}", '{"other":1}', '{"stdout":null,"stderr":null}'])
def test_anything_without_a_stream_or_a_result_is_a_heartbeat(text: str) -> None:
    """As in Go, an absent field and a null one are the same."""
    assert decode_output(text) == OutputFrame()


def test_data_and_close_can_come_together() -> None:
    """The last bytes of a stream may bring its end with them."""
    assert decode_input('{"stdin":{"data":"YQ==","close":true}}') == InputFrame(
        stdin=Stream(data=b"a", close=True)
    )


streams = st.none() | st.builds(Stream, data=st.none() | st.binary(), close=st.booleans())
inputs = st.builds(
    InputFrame,
    stdin=streams,
    tty_size=st.none() | st.builds(Size, height=st.integers(1, 999), width=st.integers(1, 999)),
)
outputs = st.builds(
    OutputFrame,
    stdout=streams,
    stderr=streams,
    exited=st.booleans(),
    result=st.none() | st.builds(Exit, exit_code=st.integers(-(2**31), 2**31)),
)


@given(inputs)
def test_a_clients_frame_survives_the_wire(frame: InputFrame) -> None:
    """What one side writes the other reads, for any bytes."""
    assert decode_input(encode(frame)) == frame
    assert decode_input(encode(frame).encode()) == frame


@given(outputs)
def test_an_agents_frame_survives_the_wire(frame: OutputFrame) -> None:
    """The same in the other direction."""
    assert decode_output(encode(frame)) == frame


def test_a_zero_is_left_out_on_the_wire() -> None:
    """`exit 0` is an empty result, as the agent writes it."""
    assert encode(OutputFrame(exited=True, result=Exit())) == '{"exited":true,"result":{}}'
