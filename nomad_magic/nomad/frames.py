"""The messages of the exec websocket, both directions.

Each message is one JSON text frame (measured on Nomad 2.0.6; also in its API documentation
under "Exec Allocation").  Bytes travel as base64, which msgspec decodes straight into the
structs.  Fields that are not known are ignored, as Go's decoder ignores them.
"""

from __future__ import annotations

from typing import Final

import msgspec

CLOSE_NORMAL: Final = 1000
CLOSE_ABNORMAL: Final = 1006
CLOSE_POLICY: Final = 1008
CLOSE_INTERNAL: Final = 1011

CLOSE_NAMES: Final = {
    1000: "normal",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no status",
    1006: "abnormal closure",
    1007: "invalid payload data",
    1008: "policy violation",
    1009: "message too big",
    1011: "internal server error",
    1012: "service restart",
    1013: "try again later",
    1015: "TLS handshake error",
}
"""What the CLI calls the close codes of RFC 6455 and its registry."""

STDIN_CHUNK: Final = 1 << 16
"""The most bytes of stdin in one frame.

The CLI sends 2,048.  But an agent drops the exit frame of an action when some stdin is still on its
way as the action ends, and each frame is one more chance for that: of a body of 60 kB that is not
read, in 36 of 120 runs of the CLI, in 47 with frames of 2 KiB, and in 1 with one frame (Nomad
2.0.6, in turns).
"""

OUTPUT_CHUNK: Final = 4096
"""The most bytes of output in one frame, as the agent sends them."""

REFUSAL_SECONDS: Final = 1.0
"""How long after the upgrade a close is still Nomad's refusal, in seconds.  Nomad refuses with
1008 and 1011 within the first round trip (measured); other codes, and later closes, are of what
stands between here and the agent."""

NOT_STARTED_WORDS: Final = "failed to start command"
"""A close with these words is a refusal however late: a driver may take its time to fail."""

HEARTBEAT_SECONDS: Final = 10.0
"""How often the client sends an empty frame, so that proxies keep the connection."""


class Stream(msgspec.Struct, omit_defaults=True):
    """Some bytes of one stream, or its end, or (stdin at once) both."""

    data: bytes | None = None
    close: bool = False


class Size(msgspec.Struct):
    """The terminal's size, in character cells."""

    height: int
    width: int


class Exit(msgspec.Struct, omit_defaults=True):
    """How the process ended: a zero is left out on the wire; a signal is 128 + its number."""

    exit_code: int = 0


class InputFrame(msgspec.Struct, omit_defaults=True):
    """Client to agent.  With neither field it is a heartbeat."""

    stdin: Stream | None = None
    tty_size: Size | None = None


class OutputFrame(msgspec.Struct, omit_defaults=True):
    """Agent to client.  Anything without a stream and without a result is a heartbeat."""

    stdout: Stream | None = None
    stderr: Stream | None = None
    exited: bool = False
    result: Exit | None = None


class FrameError(ValueError):
    """A frame that is not what the protocol says."""


_encoder: Final = msgspec.json.Encoder()
_input_decoder: Final = msgspec.json.Decoder(InputFrame)
_output_decoder: Final = msgspec.json.Decoder(OutputFrame)

# Deep nesting, even in a field that is ignored, is msgspec's RecursionError.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


def encode(frame: InputFrame | OutputFrame) -> str:
    """Return the JSON text of a frame."""
    return _encoder.encode(frame).decode()


def decode_input(text: str | bytes) -> InputFrame:
    """Read a frame that a client sent.

    Raises:
        FrameError: It is not JSON, or not of this shape.
    """
    try:
        return _input_decoder.decode(text)
    except _UNREADABLE as error:
        raise FrameError(str(error)) from error


def decode_output(text: str | bytes) -> OutputFrame:
    """Read a frame that an agent sent.

    Raises:
        FrameError: It is not JSON, or not of this shape.
    """
    try:
        return _output_decoder.decode(text)
    except _UNREADABLE as error:
        raise FrameError(str(error)) from error


def is_refusal(code: int, reason: str, seconds: float) -> bool:
    """Return whether a close frame, with nothing before it, says that the action was not started.

    Args:
        code: The frame's.
        reason: The frame's; may be empty.
        seconds: How long after the upgrade it came.
    """
    nomads = code in (CLOSE_POLICY, CLOSE_INTERNAL)
    return nomads and (seconds < REFUSAL_SECONDS or NOT_STARTED_WORDS in reason)


def close_words(code: int, reason: str) -> str:
    """Return what the CLI says of a connection that ended with a close frame.

    Args:
        code: The frame's.
        reason: The frame's; may be empty.
    """
    name = f" ({CLOSE_NAMES[code]})" if code in CLOSE_NAMES else ""
    said = f"websocket: close {code}{name}" + (f": {reason}" if reason else "")
    if code == CLOSE_NORMAL:
        return f"websocket closed before receiving exit code: {said}"
    return said
