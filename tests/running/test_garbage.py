"""What there is already is kept out of searches for garbage, and never for good."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from nomad_magic.running import garbage
from nomad_magic.running.garbage import RUNS, spare_more, spared

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ring:
    """Refers to itself: only a search for garbage finds it."""

    def __init__(self) -> None:
        self.itself = self


def dropped() -> weakref.ref[Ring]:
    return weakref.ref(Ring())


def searched(objects: list[Any]) -> int:
    """How many of them a search for garbage goes through.

    Not by how many are frozen: what was before this test may go at any time.
    """
    known = set(map(id, gc.get_objects()))
    return sum(id(one) in known for one in objects)


@pytest.fixture(autouse=True)
def thawed() -> Iterator[int]:
    """Nothing is frozen before but what Python has frozen itself, and nothing after."""
    gc.collect()
    before = gc.get_freeze_count()
    yield before
    assert gc.get_freeze_count() <= before


def test_what_was_there_is_left_out_for_a_while() -> None:
    """What came since is found at once, and what was there when it is over."""

    async def run() -> None:
        gc.disable()
        try:
            old = dropped()
            with spared():
                new = dropped()
                gc.collect()
                assert old() is not None
                assert new() is None
        finally:
            gc.enable()
        gc.collect()
        assert old() is None

    asyncio.run(run())


def test_it_is_over_with_the_last(thawed: int) -> None:
    """Of two at once, whichever ends first."""

    async def run() -> None:
        first, second = spared(), spared()
        with first:
            second.__enter__()
        assert gc.get_freeze_count() > thawed
        second.__exit__(None, None, None)
        assert gc.get_freeze_count() <= thawed

    asyncio.run(run())


def test_more_is_left_out_every_so_many_runs(thawed: int) -> None:
    """And nothing where nothing is held."""
    spare_more(RUNS)
    assert gc.get_freeze_count() <= thawed

    async def run() -> None:
        with spared():
            held = [[one] for one in range(1000)]
            spare_more(RUNS - 1)
            assert searched(held) == len(held)
            spare_more(2 * RUNS)
            assert searched(held) == 0

    asyncio.run(run())


def test_it_ends_though_the_runs_go_on(monkeypatch: pytest.MonkeyPatch, thawed: int) -> None:
    """What is garbage by then is not kept for as long as they run."""
    monkeypatch.setattr(garbage, "MOST_SECONDS", 0.0)

    async def run() -> None:
        with spared():
            assert gc.get_freeze_count() > thawed
            while gc.get_freeze_count() > thawed:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
            spare_more(RUNS)
            assert gc.get_freeze_count() <= thawed

    asyncio.run(run())


GROWS = """
import asyncio, sys, weakref
from nomad_magic.running import garbage

class Ring:
    def __init__(self):
        self.itself = self
        self.more = [[] for _ in range(28)]

garbage.SLACK = 100_000
more, left, held, others = int(sys.argv[1]), [], [], []

async def run():
    global held, others
    for _ in range(100):
        with garbage.spared():
            made = [Ring() for _ in range(500)]
            left.extend(map(weakref.ref, made))
            garbage.spare_more(garbage.RUNS)
            for one in others:
                one.__exit__(None, None, None)
            others = [garbage.spared() for _ in range(more)]
            for one in others:
                one.__enter__()
        # As the result of the last is held until there is that of the next.
        held = made
        left[:] = [one for one in left if one() is not None]
        print(len(left))

asyncio.run(run())
"""


@pytest.mark.parametrize("more", [0, 1], ids=["one after the other", "while another goes on"])
def test_a_process_that_grows_is_searched(more: int) -> None:
    """Run after run, what none of them holds any more is let go again.

    Each of a hundred leaves 15,000 objects that only a search finds; in a process that had some
    50,000 there are never more than twice those, and what `SLACK` says, before it is searched.
    """
    command = [sys.executable, "-c", GROWS, str(more)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    left = list(map(int, ran.stdout.split()))
    assert len(left) == 100
    assert max(left) <= 30 * 500
    assert min(left[50:]) <= 10 * 500


def test_what_someone_else_has_frozen_stays_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is theirs to release."""
    monkeypatch.setattr(garbage, "SOMEONE_ELSES", 0)
    gc.freeze()
    frozen = gc.get_freeze_count()

    async def run() -> None:
        with spared():
            spare_more(RUNS)

    asyncio.run(run())
    # Some of it may have been deleted since.
    assert gc.get_freeze_count() > frozen / 2
    gc.unfreeze()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_nothing_frozen(thawed: int) -> None:
    """None of its parent's runs goes on in it."""

    async def fork() -> int:
        with spared():
            child = os.fork()
            if not child:
                os._exit(0 if gc.get_freeze_count() <= thawed else 1)
        return child

    assert os.waitstatus_to_exitcode(os.waitpid(asyncio.run(fork()), 0)[1]) == 0
