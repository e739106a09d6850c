"""Lines of a run's output: whole, masked, with their stream, however the bytes came."""

from __future__ import annotations

import tracemalloc
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record.line_reader import LineReader, OutputLine
from nomad_magic.record.masking import Masker
from nomad_magic.record.result import ActionResult
from nomad_magic.record.transcript import STREAMS, Transcript

SECRET = "5f3c-geheim-91"

# What came, in order: bytes of a stream, or a reader's turn.
TURNS = st.lists(
    st.tuples(
        st.sampled_from(STREAMS),
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from([
                *(b"\n", b"\n\n", b"a\nb\nc", "é宽👩‍🚀".encode(), "é宽".encode()[:-1], b"\x80\xe4"),
                *(b"1/2\r2/2", b"\x1b[31mred\x1b[0m", SECRET.encode(), SECRET.encode()[:6]),
                *(SECRET.encode()[6:], b"x" * 200),
            ]),
        ),
        st.booleans(),
    ),
    max_size=25,
)  # fmt: skip


def run(*, tty: bool = False, memory: int = 1 << 20, secrets: tuple[str, ...] = ()) -> ActionResult:
    return ActionResult(
        action="a",
        command_line="",
        tty=tty,
        masker=Masker(secrets),
        transcript=Transcript(memory=memory),
    )


def all_lines(reader: LineReader) -> list[OutputLine]:
    """Return what there is, to the end."""
    lines: list[OutputLine] = []
    while (some := reader.take()) is not None:
        lines += some
    return lines + reader.finish()


def model(data: bytes, *, tty: bool) -> list[str]:
    """Return the lines of a stream, from all of its bytes at once.

    Masked first: a mask is not as wide as what stood there, and what is drawn over it may show.
    """
    only = run(tty=tty, secrets=(SECRET,))
    only.transcript.write("stdout", only.masker.data(data))
    return only.lines


def without_empty_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


@given(turns=TURNS, tty=st.booleans())
def test_each_stream_has_the_lines_of_its_text(
    turns: list[tuple[str, bytes, bool]], *, tty: bool
) -> None:
    """Cut anywhere, read at any moment, on disk or not: those of `.text` of that stream alone."""
    result = run(tty=tty, memory=64, secrets=(SECRET,))
    reader = LineReader(result)
    lines: list[OutputLine] = []
    whole = dict.fromkeys(STREAMS, b"")
    for stream, came, reads in turns:
        # What moves up is another matter (`tests/terminal/test_linewise.py`).
        data = came.translate(None, b"\x1b\x0b\x0c\xc2\x84\x85")
        result.transcript.write(stream, data)  # type: ignore[arg-type]  # it is one of the two
        whole[stream] += data
        while reads and (some := reader.take()) is not None:
            lines += some
    lines += all_lines(reader)
    for stream in STREAMS:
        texts = [line.text for line in lines if line.stream == stream]
        assert without_empty_end(texts) == model(whole[stream], tty=tty)
        assert SECRET not in "\n".join(texts)
    # A second one sees the same, and so does one that reads all of it at once.
    again = all_lines(LineReader(result))
    for stream in STREAMS:
        assert [(line.stream, line.text) for line in again if line.stream == stream] == [
            (line.stream, line.text) for line in lines if line.stream == stream
        ]


def test_a_line_of_one_stream_is_not_cut_by_the_other() -> None:
    """What is written to stderr in the middle of a line of stdout comes when it is whole."""
    result = run()
    reader = LineReader(result)
    came = [("stdout", b"ab"), ("stderr", b"oh\n"), ("stdout", b"c\n"), ("stdout", b"x")]
    for stream, data in came:
        result.transcript.write(stream, data)  # type: ignore[arg-type]  # it is one of the two
    assert [(line.stream, line.text) for line in reader.take() or []] == [
        ("stderr", "oh"),
        ("stdout", "abc"),
    ]
    assert [tuple(line[:2]) for line in reader.finish()] == [("stdout", "x")]


def test_a_line_is_of_the_moment_its_end_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock, however late it is read, with a zone."""
    now = [1000.0]
    monkeypatch.setattr("nomad_magic.record.transcript.time.time", lambda: now[0])
    result = run()
    for seconds, data in [(1000, b"a"), (1001, b"b\nc\nd"), (1002, b"e\n"), (1005, b"f")]:
        now[0] = float(seconds)
        result.transcript.write("stdout", data)
    lines = all_lines(LineReader(result))
    assert [(line.text, line.time.timestamp()) for line in lines] == [
        ("ab", 1001),
        ("c", 1001),
        ("de", 1002),
        ("f", 1005),
    ]
    assert all(isinstance(one.time, datetime) and one.time.tzinfo is not None for one in lines)


@pytest.mark.parametrize("line", [b"x" * 97, b"\rstep 12", "宽".encode() * 33])
def test_megabytes_without_an_end_of_line_are_read_in_bounded_memory(line: bytes) -> None:
    """As pieces that say that they go on, or as the last state of what was drawn over and over."""
    result = run(memory=1 << 16)
    for _ in range(3_000_000 // len(line) // 500):
        result.transcript.write("stdout", line * 500)
    reader = LineReader(result, longest=50_000)
    pieces = total = 0
    tracemalloc.start()
    try:
        while (some := reader.take()) is not None:
            pieces += len(some)
            total += sum(len(one.text) for one in some)
            assert all(one.more for one in some)
        (last,) = reader.finish()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not last.more
    assert most < 2_500_000
    if line.startswith(b"\r"):
        assert (pieces, last.text) == (0, "step 12")
    else:
        assert total + len(last.text) == result.transcript.size // len(line) * len(line.decode())


def test_what_the_disk_did_not_take_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the last line: a reader that misses something must hear of it."""
    result = run()
    result.transcript.write("stdout", b"kept\n")
    monkeypatch.setattr(Transcript, "_keep", lambda *_: False)
    result.transcript.write("stdout", b"gone\n")
    assert [one.text for one in all_lines(LineReader(result))] == [
        "kept",
        "[… 5 bytes lost here: the disk took no more …]",
    ]


def test_a_line_cannot_be_changed() -> None:
    """It is a value."""
    line = OutputLine("stdout", "x", datetime.now().astimezone())
    with pytest.raises(AttributeError):
        line.text = "y"  # type: ignore[misc]  # that is what is tested
