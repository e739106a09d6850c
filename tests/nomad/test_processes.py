"""Which process of a task is a run's: the choice, whatever else began around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.nomad.processes import (
    APART_SECONDS,
    STARTING_SECONDS,
    TICKS,
    Choice,
    Listing,
    Span,
    choose,
    read_listing,
)
from nomad_magic.record.sighting import Process

COMMAND = ("/bin/sh", "-c", "work ${NOMAD_META_x} on")
OURS = "/bin/sh-cwork 7 on"
OTHER = ("/bin/sleep", "5")
SPAN = Span(asked=100.0, opened=100.01)
ASKED = 160.0
"""When the list was asked for, by our clock; the answer came at once."""


def listing(*began: tuple[float, str], boot: float = 5000.0) -> Listing:
    """What is listed, by our clock; the machine's own began elsewhere."""
    made = Listing(now=round((ASKED + boot) * TICKS), boot="b")
    for pid, (at, command) in enumerate(began, 10):
        start = round((at + boot) * TICKS)
        made.processes.append(Process(pid=pid, start=start, age=0, command=command, boot="b"))
    return made


def chosen(made: Listing, *, span: Span = SPAN, runs: bool = True) -> Choice:
    return choose(made, span, COMMAND, [OTHER], asked=ASKED, answered=ASKED + 0.001, runs=runs)


@pytest.mark.parametrize(
    ("began", "ours"),
    [
        ([(100.02, OURS)], 10),
        ([(100.02, "script.sh: its title")], 10),
        ([(100.02, OURS), (100.02, "/bin/sleep5")], 10),
        ([(99.7, OURS), (100.02, OURS), (100.27, OURS)], 11),
        ([(100.02, OURS), (100.03, OURS)], None),
        ([(100.02, OURS), (100.03, "bash")], None),
        ([(100.02, OURS), (100.02 + STARTING_SECONDS + APART_SECONDS - 0.03, OURS)], None),
        ([(99.7, OURS)], None),
        ([(100.5, OURS)], None),
        ([(100.02, "/bin/sleep5")], None),
        ([], None),
    ],
)
def test_in_mid_run(began: list[tuple[float, str]], ours: int | None) -> None:
    """One that began then, and is not another action's; of two none."""
    choice = chosen(listing(*began))
    assert (choice.ours.pid if choice.ours else None) == ours
    assert bool(choice.why) == (ours is None)


@pytest.mark.parametrize(
    ("began", "wrote", "words"),
    [
        ([], None, "no process of the task began when it did"),
        ([(99.7, OURS)], None, "no process of the task began when it did"),
        ([(100.02, "/bin/sleep5")], None, "no process of the task began when it did"),
        ([(100.02, "another title")], None, "process 10 began then and shows another command"),
        # It may have been slow to start: that it has ended is not known.
        ([(100.6, OURS)], None, "process 10 began a little later"),
        ([(100.6, "another title")], None, "process 10 began a little later"),
        ([(100.6, OURS)], 101.0, "process 10 began a little later"),
        ([(100.6, OURS)], 100.3, "no process of the task began when it did"),
    ],
)
def test_after_the_end(began: list[tuple[float, str]], wrote: float | None, words: str) -> None:
    """That a process has ended is only said where none can be it."""
    span = Span(asked=SPAN.asked, opened=SPAN.opened, wrote=wrote)
    choice = chosen(listing(*began), span=span, runs=False)
    assert choice.ours is None
    assert choice.why == words
    assert bool(choice.instead) == ("process 10" in words)


moments = st.floats(99.0, 102.0)
commands = st.sampled_from([OURS, "/bin/sleep5", "another"])


@given(st.lists(st.tuples(moments, commands), max_size=6), st.floats(1, 10**7))
def test_the_machines_own_clock_says_nothing(began: list[tuple[float, str]], boot: float) -> None:
    """Whatever it counts from, the same is chosen; up to what it rounds."""
    here, there = (chosen(listing(*began, boot=at)) for at in (5000.0, float(round(boot))))
    assert (here.ours and here.ours.pid) == (there.ours and there.ours.pid)


@given(st.lists(st.tuples(moments, commands), max_size=6))
def test_what_is_chosen_has_no_double(began: list[tuple[float, str]]) -> None:
    """No other that may be of this action began at that time."""
    made = listing(*began)
    choice = chosen(made)
    if choice.ours is None:
        return
    start = choice.ours.start
    near = [
        one
        for one in made.processes
        if one.command != "/bin/sleep5" and abs(one.start - start) < APART_SECONDS * TICKS
    ]
    first = made.now - (ASKED - SPAN.asked) * TICKS
    assert [one for one in near if one.start >= first] in ([choice.ours], [])


def test_a_hidden_one_stands_in_the_way() -> None:
    """It may be the run's own."""
    made = listing((100.02, OURS))
    made.hidden.append(Process(pid=99, start=made.processes[0].start, age=0))
    choice = chosen(made)
    assert (choice.ours, choice.instead) == (None, (made.hidden[0],))
    assert "hidden" in choice.why


def test_what_the_shell_says_is_read() -> None:
    """Commands have lines of their own; other looks and other tasks are left out."""
    said = ["now 500", "process 5 400 task", ": a b", ": ", ":", "process 6 1 other", ": x"]
    said += ["process 7 450 task", "look", "process 8 450 hidden"]
    made = read_listing(said, "boot")
    assert [(one.pid, one.age, one.command) for one in made.processes] == [(5, 1.0, "a b\n\n")]
    assert [one.pid for one in made.hidden] == [8]
    for wrong in (["what"], ["now x"], [": alone"], ["process 1 2"]):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            read_listing(wrong, "")
