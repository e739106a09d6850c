"""The output of a run: in order, whole, from memory or from disk, also from a full one."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import resource
import subprocess
import sys
import tempfile
import textwrap
import threading
import warnings
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record.transcript import STREAMS, StreamName, Transcript, text_decoder

Pieces = list[tuple[StreamName, bytes]]

writes = st.lists(st.tuples(st.sampled_from(STREAMS), st.binary(max_size=12)), max_size=20)


def filled(pieces: Pieces, *, memory: int = 1 << 20) -> Transcript:
    transcript = Transcript(memory=memory)
    for stream, data in pieces:
        transcript.write(stream, data)
    return transcript


def joined(pieces: Pieces) -> Pieces:
    """The pieces with neighbours of the same stream as one, and no empty ones."""
    out: Pieces = []
    for stream, data in pieces:
        if out and out[-1][0] == stream:
            out[-1] = (stream, out[-1][1] + data)
        elif data:
            out.append((stream, data))
    return out


def letters(pieces: Pieces) -> list[tuple[StreamName, int]]:
    """Each byte with its stream: the simplest model of a transcript."""
    return [(stream, byte) for stream, data in pieces for byte in data]


@given(writes, st.sampled_from([0, 1, 16, 1 << 20]))
def test_the_order_of_both_streams_is_kept(pieces: Pieces, memory: int) -> None:
    """What is read is what was written, in its order, from memory, from disk and across."""
    transcript = filled(pieces, memory=memory)
    assert list(transcript.read_all()) == joined(pieces)
    for stream in STREAMS:
        data = b"".join(data for name, data in pieces if name == stream)
        assert transcript.whole(stream) == data
        assert transcript.count(stream) == len(data)
        assert transcript.sha256(stream) == hashlib.sha256(data).hexdigest()
    assert transcript.size == sum(len(data) for _, data in pieces)
    assert transcript.lost == 0


@given(
    writes,
    st.integers(0, 260),
    st.integers(0, 260),
    st.none() | st.integers(0, 260),
    st.sampled_from([8, 1 << 20]),
)
def test_a_part_is_that_part_of_the_whole(
    pieces: Pieces, start: int, limit: int, end: int | None, memory: int
) -> None:
    """From any position, with any limit and end, a read gives just those bytes."""
    transcript = filled(pieces, memory=memory)
    stop = min(start + limit, len(letters(pieces)) if end is None else end)
    got = transcript.read(start, limit, end=end)
    assert letters(got) == letters(pieces)[start:stop]
    assert got == joined(got)


@given(writes, st.lists(st.integers(1, 9), min_size=1))
def test_a_cursor_sees_everything_once(pieces: Pieces, steps: list[int]) -> None:
    """A reader that asks for a little at a time, while more is written, misses nothing."""
    transcript = Transcript(memory=20)
    seen: Pieces = []
    position = 0
    for number, (stream, data) in enumerate(pieces):
        transcript.write(stream, data)
        got = transcript.read(position, steps[number % len(steps)])
        position += sum(len(data) for _, data in got)
        seen += got
    while got := transcript.read(position, steps[0]):
        position += sum(len(data) for _, data in got)
        seen += got
    assert letters(seen) == letters(pieces)


def test_small_outputs_never_touch_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to its memory a transcript needs no file; one byte more and everything is in one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    transcript = Transcript(memory=100)
    transcript.write("stdout", b"x" * 100)
    assert isinstance(transcript._file, io.BytesIO)
    transcript.write("stderr", b"!")
    assert isinstance(transcript._file, int)
    assert Path(f"/proc/self/fd/{transcript._file}").readlink().parent == tmp_path
    assert list(transcript.read_all()) == [("stdout", b"x" * 100), ("stderr", b"!")]


def test_the_file_has_no_name_and_goes_with_the_transcript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of an output is left behind, however the process ends."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    transcript = filled([("stdout", b"x" * 200)], memory=100)
    assert list(tmp_path.iterdir()) == []
    transcript.close()
    with pytest.raises(ValueError, match="closed"):
        transcript.read(0)


def test_without_a_place_for_a_file_what_is_in_memory_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary folder that is not there loses only what memory had no room for."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    transcript = Transcript(memory=10)
    transcript.write("stdout", b"12345")
    transcript.write("stderr", b"abcdefgh")
    transcript.write("stdout", b"6")
    assert list(transcript.read_all()) == [("stdout", b"12345")]
    assert transcript.lost == 9
    assert (transcript.count("stdout"), transcript.count("stderr")) == (6, 8)
    assert transcript.sha256("stdout") == hashlib.sha256(b"123456").hexdigest()


def nameless_files() -> int:
    """How many files are open that stand in no folder, as a transcript's.

    Those that other tests have left go first: they would be found, and warned of, at any time.
    """
    gc.collect()
    names = []
    for one in Path("/proc/self/fd").iterdir():
        # Threads of other tests close theirs.
        with contextlib.suppress(FileNotFoundError):
            names.append(one.readlink().name)
    return sum(name.endswith("(deleted)") for name in names)


@pytest.mark.parametrize("first", [True, False])
def test_one_that_is_let_go_leaves_no_file_and_no_warning(first: bool) -> None:
    """Alone, or in a circle with others, which a search for garbage takes apart in any order."""
    others: list[object] = [object() for _ in range(3)]
    before = nameless_files()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(5):
            transcript = Transcript(memory=10)
            transcript.write("stdout", bytes(100))
            circle = [transcript, *others] if first else [*others, transcript]
            circle.append(circle)
            del circle, transcript
        gc.collect()
        alone = Transcript(memory=10)
        alone.write("stdout", bytes(100))
        del alone
    assert not warned
    assert nameless_files() == before


def test_a_closed_one_is_read_no_more() -> None:
    """From memory or from a file, and it may be closed twice."""
    for memory in (10, 1000):
        transcript = Transcript(memory=memory)
        transcript.write("stdout", bytes(100))
        transcript.close()
        transcript.close()
        with pytest.raises(ValueError, match="closed"):
            list(transcript.read_all())


FULL_DISK = textwrap.dedent("""
    import resource, sys, tempfile, warnings
    from nomad_magic.record.transcript import Transcript

    warnings.simplefilter("error")
    sys.unraisablehook = lambda found: (print(found.exc_value), sys.exit(9))
    memory, limit = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    transcript = Transcript(memory=memory)
    for number in range(20):
        transcript.write("stderr" if number % 5 == 4 else "stdout", b"%d" % (number % 10) * 100)
    kept = list(transcript.read_all())
    print(transcript.size, transcript.lost, sum(len(data) for _, data in kept))
    print("".join(data.decode()[::100] for _, data in kept))
    print(transcript.count("stdout"), transcript.count("stderr"))
""")


@pytest.mark.parametrize(
    ("memory", "limit", "kept"),
    [
        (300, 1000, 10),  # the file takes ten writes
        (300, 1050, 10),  # a write that fits by half is not kept by half
        (300, 250, 3),  # the file does not even take what was in memory
        (300, 0, 3),  # nor anything at all
    ],
)
def test_a_full_disk_loses_only_what_could_not_be_written(
    memory: int, limit: int, kept: int
) -> None:
    """What was there stays readable, what came later is counted, and nothing is raised."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(memory), str(limit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.split("\n")[:3] == [
        f"{kept * 100} {2000 - kept * 100} {kept * 100}",
        "01234567890123456789"[:kept],
        "1600 400",
    ]


def test_what_follows_a_loss_is_lost_too() -> None:
    """A hole in the middle would look like output: after the first loss nothing is kept."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    transcript = Transcript(memory=0)
    try:
        transcript.write("stdout", b"x" * 50)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        transcript.write("stdout", b"y" * 51)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    transcript.write("stdout", b"z")
    assert transcript.whole("stdout") == b"x" * 50
    assert transcript.lost == 52


def test_a_reader_in_another_thread_sees_a_growing_whole() -> None:
    """Reading while it is written gives each byte once and in order, from memory to disk."""
    transcript = Transcript(memory=1 << 14)
    over = threading.Event()
    expected: Pieces = [
        (STREAMS[number % 3 == 2], b"%d\n" % number * (number % 40)) for number in range(3000)
    ]
    seen: Pieces = []

    def follow() -> None:
        position = 0
        while True:
            last = over.is_set()
            got = transcript.read(position, 1000)
            position += sum(len(data) for _, data in got)
            seen.extend(got)
            if last and not got:
                return

    reader = threading.Thread(target=follow)
    reader.start()
    for stream, data in expected:
        transcript.write(stream, data)
    over.set()
    reader.join()
    assert joined(seen) == joined(expected)


def test_nothing_written_is_nothing() -> None:
    """An empty write starts no turn, and an empty transcript reads as nothing."""
    transcript = Transcript()
    transcript.write("stderr", b"")
    assert transcript.read(0) == transcript.read(7) == list(transcript.read_all()) == []
    transcript.write("stdout", b"a")
    assert transcript.read(0) == [("stdout", b"a")]
    assert repr(transcript) == "Transcript(1 bytes of stdout, 0 of stderr)"


def test_the_streams_are_those_of_the_type() -> None:
    """The names that can be iterated are the names that are allowed."""
    assert get_args(StreamName) == STREAMS


@given(st.text(), st.lists(st.integers(0, 200)))
def test_text_cut_anywhere_decodes_as_the_whole(text: str, cuts: list[int]) -> None:
    """A character cut in two is one character."""
    data = text.encode("utf-8", "replace")
    decoder = text_decoder()
    ends = [*sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert "".join(decoder.decode(part) for part in parts) == data.decode()


def test_what_is_no_utf8_becomes_a_replacement_character() -> None:
    """Binary output is shown, never an error."""
    assert text_decoder().decode(b"a\xffb") == "a�b"


def test_a_transcript_that_is_let_go_leaves_no_descriptor() -> None:
    """Results come and go in a kernel that runs for weeks."""
    before = nameless_files()
    for _ in range(20):
        filled([("stdout", b"xx")], memory=1)
    assert nameless_files() == before
    kept = filled([("stdout", b"xx")], memory=1)
    assert nameless_files() == before + 1
    kept.close()
