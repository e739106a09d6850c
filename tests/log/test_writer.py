"""The thread that writes: in order, together, and whatever becomes of one, the others go on."""

from __future__ import annotations

import errno
import logging
import os
import threading
from typing import TYPE_CHECKING

import pytest

from nomad_magic.log.writer import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from nomad_magic.log.writer import Work


@pytest.fixture
def writer() -> Writer:
    return Writer()


def held(writer: Writer) -> threading.Event:
    """Have it wait until the event is set, so that what is handed to it meanwhile is one batch."""
    go = threading.Event()

    def wait() -> Work:
        go.wait(20)
        yield []

    writer.do(wait())
    return go


def test_what_waits_goes_on_together(writer: Writer, tmp_path: Path) -> None:
    """Each up to where its files must be on the disk, in the order in which it came."""
    done: list[str] = []
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)

    def work(name: str) -> Work:
        done.append(f"{name} begins")
        yield [file]
        done.append(f"{name} ends")

    go = held(writer)
    writer.do(work("one"))
    writer.do(work("two"))
    go.set()
    assert writer.wait(20)
    assert done == ["one begins", "two begins", "one ends", "two ends"]
    os.close(file)


def test_what_fails_is_ones_own(writer: Writer, caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be synced is said to whose it is; a fault of ours is logged."""
    said: list[object] = []
    reader, other = os.pipe()
    os.close(reader)
    os.close(other)

    def of_closed() -> Work:
        try:
            yield [reader]
        except OSError as error:
            said.append(error.errno)

    def of_fault() -> Work:
        raise ValueError("a fault")
        yield []

    def sound() -> Work:
        yield []
        said.append("sound")

    go = held(writer)
    with caplog.at_level(logging.ERROR):
        for work in (of_closed(), of_fault(), sound()):
            writer.do(work)
        go.set()
        assert writer.wait(20)
    assert set(said) == {errno.EBADF, "sound"}
    assert "a fault" in caplog.text


class Copier:
    """Has so many parts to copy; a negative number is a fault."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.times = 0

    def copy(self) -> bool:
        self.times += 1
        if self.parts < 0:
            raise ValueError("a fault")
        return self.times < self.parts


def test_all_that_is_there_is_copied(writer: Writer, caplog: pytest.LogCaptureFixture) -> None:
    """Part by part, and none of it is asked for twice."""
    many, one, fault = Copier(5), Copier(1), Copier(-1)
    with caplog.at_level(logging.ERROR):
        for copier in (many, one, fault):
            writer.touch(copier, now=True)
        assert writer.wait(20)
    assert (many.times, one.times, fault.times) == (5, 1, 1)
    writer.touch(one)
    assert writer.wait(20)
    assert one.times == 2
