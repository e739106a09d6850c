"""Which process of a task is a run's: the choice, whatever else began around it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nomad_magic.nomad.choosing import Choice, choose, choose_left, unless_left
from nomad_magic.nomad.processes import (
    APART_SECONDS,
    CONTAINER_SECONDS,
    DRIFT,
    STARTING_SECONDS,
    TICKS,
    Listing,
    Moment,
    Run,
    Span,
    Wanted,
    read_listing,
)
from nomad_magic.record.sighting import Process

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = ("/bin/sh", "-c", "work ${NOMAD_META_x} on; exec sleep 77 $x")
OURS = "/bin/sh-cwork 7 on; exec sleep 77 $x"
OTHER = ("/bin/sleep", "5")
SPAN = Span(asked=100.0, opened=100.01)
ASKED = 160.0
"""When the list was asked for, by our clock; the answer came at once."""


def process(
    pid: int, at: float, command: str = OURS, *, boot: float = 5000.0, **how: Any
) -> Process:
    return Process(pid=pid, start=round((at + boot) * TICKS), age=0, command=command, **how)


def listing(*began: tuple[float, str], boot: float = 5000.0) -> Listing:
    """What is listed, by our clock; the machine's own began elsewhere."""
    made = Listing(now=round((ASKED + boot) * TICKS), boot="b")
    made.processes += [process(pid, *one, boot=boot) for pid, one in enumerate(began, 10)]
    return made


def chosen(made: Listing, *, span: Span = SPAN, runs: bool = True, **more: Any) -> Choice:
    tty = bool(more.pop("tty", False))
    run = Run(span=span, command=COMMAND, tty=tty, runs=runs)
    wanted = Wanted(run=run, others=(OTHER,), **more)
    moment = Moment(now=made.now, asked=ASKED, answered=ASKED + 0.001)
    return choose(made, wanted.alone(moment), moment)


def pid(choice: Choice) -> int | None:
    return choice.ours.pid if choice.ours else None


@pytest.mark.parametrize(
    ("began", "ours"),
    [
        ([(100.02, OURS)], 10),
        ([(100.02, "script.sh: its title")], 10),
        ([(100.02, "sleep77 9")], 10),
        ([(100.02, OURS), (100.02, "/bin/sleep5")], 10),
        ([(99.7, OURS), (100.02, OURS), (100.27, OURS)], 11),
        ([(100.02, OURS), (100.03, OURS)], None),
        ([(100.02, OURS), (100.03, "bash")], None),
        ([(100.02, OURS), (100.02 + STARTING_SECONDS + APART_SECONDS - 0.03, OURS)], None),
        ([(99.7, OURS)], None),
        # An agent may be slow to start one, and then it is the only one.
        ([(100.5, OURS)], 10),
        ([(100.5, OURS), (100.5, "/bin/sleep5")], 10),
        ([(99.7, OURS), (100.5, OURS), (101.1, OURS)], 11),
        ([(100.5, OURS), (100.95, OURS)], None),
        ([(100.5, OURS), (100.95, "bash")], None),
        ([(100.5, "script.sh: its title")], None),
        ([(101.1, OURS)], None),
        ([(100.02, "/bin/sleep5")], None),
        ([], None),
    ],
)
def test_in_mid_run(began: list[tuple[float, str]], ours: int | None) -> None:
    """One that began then, and is not another action's; of two none."""
    choice = chosen(listing(*began))
    assert pid(choice) == ours
    assert bool(choice.why) == (ours is None)


@pytest.mark.parametrize(
    ("began", "wrote", "words"),
    [
        ([], None, "no process of the task began when it did"),
        ([(99.7, OURS)], None, "no process of the task began when it did"),
        ([(100.02, "/bin/sleep5")], None, "no process of the task began when it did"),
        ([(100.02, "another title")], None, "process 10 began then and shows another command"),
        # It may have been slow to start: that it has ended is not known.
        ([(100.6, OURS)], None, "process 10 began at a later time"),
        ([(100.6, "another title")], None, "process 10 began at a later time"),
        ([(100.6, OURS)], 101.0, "process 10 began at a later time"),
        ([(100.6, OURS)], 100.3, "no process of the task began when it did"),
        ([(130, OURS)], None, "no process of the task began when it did"),
    ],
)
def test_after_the_end(began: list[tuple[float, str]], wrote: float | None, words: str) -> None:
    """That a process has ended is only said where none can be it."""
    span = replace(SPAN, wrote=wrote)
    choice = chosen(listing(*began), span=span, runs=False)
    assert choice.ours is None
    assert choice.why == words
    assert bool(choice.instead) == ("process 10" in words)


def test_after_the_end_what_a_shell_became_is_known() -> None:
    """Its words stand in the action's script; those of another program do not."""
    assert pid(chosen(listing((100.02, "sleep77 9")), runs=False)) == 10
    assert pid(chosen(listing((100.02, "sleep78")), runs=False)) is None


@pytest.mark.parametrize(("tty", "ours"), [(False, 10), (True, 11)])
@pytest.mark.parametrize("lost", [False, True])
def test_with_a_terminal_and_without(*, tty: bool, ours: int, lost: bool) -> None:
    """Of the same action begun at the same moment; a connection's end may take the terminal."""
    made = listing((100.02, OURS))
    made.processes.append(process(11, 100.02, terminal=not lost, leads=True))
    choice = chosen(made, tty=tty)
    assert pid(choice) == (None if lost and not tty else ours)


@pytest.mark.parametrize(("command", "again"), [("", True), ("another title", False)])
def test_one_that_ends_has_no_command_for_a_moment(command: str, again: bool) -> None:
    """It is gone a moment later, and looked for once more."""
    choice = chosen(listing((100.02, command)), runs=False)
    assert (choice.ours, choice.again) == (None, again)


def test_a_hidden_one_stands_in_the_way() -> None:
    """It may be the run's own; what was just begun, or has just ended, is hidden for a moment."""
    made = listing((100.02, OURS))
    made.hidden.append(Process(pid=99, start=made.processes[0].start, age=0))
    choice = chosen(made)
    assert choice.again
    assert (choice.ours, choice.instead) == (None, (made.hidden[0],))
    assert "hidden" in choice.why


@pytest.mark.parametrize(("at", "found"), [(100.02, True), (3700.0, False), (-3500.0, False)])
def test_by_the_time_in_a_record(at: float, found: bool) -> None:
    """The clock that it is of may be an hour off: then what may be it is listed."""
    made = listing((at, OURS), (at, "another"))
    made.now += 400_000
    span = replace(SPAN, guessed=True)
    run = Run(span=span, command=COMMAND, runs=False)
    moment = Moment(now=made.now, asked=ASKED + 4000, answered=ASKED + 4000)
    choice = choose(made, Wanted(run=run), moment)
    assert choice.ours is None or found
    if not found:
        assert [one.pid for one in choice.instead] == [10]
        assert "at another time" in choice.why


def test_what_was_left_behind_is_listed() -> None:
    """A process of the action's command, or what it became, below another parent."""
    wanted = Wanted(run=Run(span=SPAN, command=COMMAND, runs=False))
    made = listing((100.3, "sleep77"), (100.3, "another"), (99.0, OURS))
    moment = Moment(now=made.now, asked=ASKED, answered=ASKED)
    choice = choose_left(made, wanted, moment)
    assert [one.pid for one in choice.instead] == [10]
    assert "left process 10 behind" in choice.why
    assert not choose_left(listing((100.3, "another")), wanted, moment).instead


def spans(count: int, apart: float) -> list[Span]:
    return [Span(asked=100 + apart * one, opened=100.01 + apart * one) for one in range(count)]


def each(
    runs: Sequence[Span], began: Sequence[tuple[float, str]], *, at_once: bool, later: float = 0.0
) -> list[int | None]:
    """Choose for each of some runs of one kernel, so many seconds later."""
    made = listing(*began)
    made.now += round(later * TICKS)
    moment = Moment(now=made.now, asked=ASKED + later, answered=ASKED + later)
    all_of_them = [Run(span=span, command=COMMAND) for span in runs]
    found = []
    for run in all_of_them:
        rivals = tuple(one for one in all_of_them if one is not run)
        wanted = Wanted(run=run, others=(OTHER,), rivals=rivals, at_once=at_once)
        found.append(pid(choose(made, wanted.alone(moment), moment)))
    return found


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 0.9), min_size=20, max_size=20), st.sampled_from([0.24, 0.3, 2.0]))
def test_in_containers_no_other_runs_process_is_taken(late: list[float], apart: float) -> None:
    """Twenty runs, each slow to start as it likes: its own, or none."""
    runs = spans(20, apart)
    began = [(span.opened + slow, OURS) for span, slow in zip(runs, late, strict=True)]
    for index, one in enumerate(each(runs, began, at_once=False)):
        assert one in (index + 10, None)


@pytest.mark.parametrize(
    ("at_once", "slow", "later"),
    [
        *((True, slow, later) for slow in (0.003, 0.1) for later in (0, 600, 3600)),
        # An hour later nobody knows it within a quarter of a second, and both are listed.
        *((False, slow, later) for slow in (0.003, 0.15) for later in (0, 100)),
    ],
)
def test_twenty_a_quarter_of_a_second_apart(*, slow: float, at_once: bool, later: float) -> None:
    """Each is told apart, by the order: in containers too, and an hour later."""
    runs = spans(20, 0.24)
    began = [(span.opened + slow, OURS) for span in runs]
    assert each(runs, began, at_once=at_once, later=later) == list(range(10, 30))


@pytest.mark.parametrize("at_once", [True, False])
def test_another_kernels_run_is_in_the_way(*, at_once: bool) -> None:
    """Begun at the moment of one of ours, it makes that one uncertain: nobody's."""
    runs = spans(4, 0.24)
    began = [(span.opened + 0.003, OURS) for span in runs]
    found = each(runs, [*began, (runs[2].opened + 0.004, OURS)], at_once=at_once)
    assert found[2] is None
    assert all(one in (index + 10, None) for index, one in enumerate(found))


def test_a_run_whose_process_is_not_there_yet_takes_no_others() -> None:
    """Two runs and one process, which began in the time of both: whose it is is not known."""
    runs = spans(2, 0.24)
    assert each(runs, [(runs[1].opened + 0.01, OURS)], at_once=False) == [None, None]


def test_what_was_found_for_another_run_is_not_ours() -> None:
    """It is taken, also when that run's connection is gone."""
    made = listing((100.02, OURS), (100.03, OURS))
    run = Run(span=SPAN, command=COMMAND, found=made.processes[0], runs=False)
    assert pid(chosen(made)) is None
    assert pid(chosen(made, rivals=(run,))) == 11


moments = st.floats(99.0, 102.0)
commands = st.sampled_from([OURS, "/bin/sleep5", "another"])


@given(st.lists(st.tuples(moments, commands), max_size=6), st.floats(1, 10**7))
def test_the_machines_own_clock_says_nothing(began: list[tuple[float, str]], boot: float) -> None:
    """Whatever it counts from, an hour off or thirty years, the same is chosen."""
    here, there = (chosen(listing(*began, boot=at)) for at in (5000.0, float(round(boot))))
    assert pid(here) == pid(there)


@given(st.floats(0, 86_400), st.floats(-DRIFT, DRIFT))
def test_clocks_that_come_apart(later: float, rate: float) -> None:
    """A run's own process is among what may be it for as long as crystals are no worse."""
    made = listing((100.02, OURS))
    ago = ASKED + later - 100.02
    made.now = made.processes[0].start + round(ago * (1 + rate) * TICKS)
    moment = Moment(now=made.now, asked=ASKED + later, answered=ASKED + later)
    wanted = Wanted(run=Run(span=SPAN, command=COMMAND))
    first, last = wanted.between(moment)
    assert first <= made.processes[0].start <= last
    assert pid(choose(made, wanted, moment)) == 10


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


@given(st.lists(st.tuples(moments, commands), max_size=8), st.booleans(), st.booleans())
def test_what_the_choice_needs_is_listed(
    began: list[tuple[float, str]],
    runs: bool,
    at_once: bool,
) -> None:
    """Without all that began outside the time that the shell is told, the same is chosen."""
    random.Random(1).shuffle(began)
    made = listing(*began)
    moment = Moment(now=made.now, asked=ASKED, answered=ASKED + 0.001)
    run = Run(span=SPAN, command=COMMAND, runs=runs)
    rival = Run(span=Span(asked=100.5, opened=100.6), command=COMMAND)
    wanted = Wanted(run=run, others=(OTHER,), rivals=(rival,), at_once=at_once).alone(moment)
    whole = choose(made, wanted, moment)
    first, last = wanted.between(moment)
    made.processes = [one for one in made.processes if first <= one.start <= last]
    assert choose(made, wanted, moment) == whole


def test_containers_are_waited_for() -> None:
    """Where an engine has to be asked, a process may begin a second late."""
    made = listing((SPAN.opened + CONTAINER_SECONDS - 0.02, OURS))
    assert pid(chosen(made)) is None
    assert pid(chosen(made, at_once=False)) == 10


@pytest.mark.parametrize("late", [0.25, 0.5, 0.9])
def test_one_that_was_slow_to_begin(late: float) -> None:
    """It is the run's once that must have one: not before, not after its end, not as an orphan."""
    at = SPAN.opened + late
    made = listing((at, OURS))
    choice = chosen(made)
    assert pid(choice) == 10
    assert choice.unless_left
    # A moment after it began another's might be there, and the run's own not yet.
    soon = Moment(now=round((at + 5000.02) * TICKS), asked=at + 0.02, answered=at + 0.02)
    run = Run(span=SPAN, command=COMMAND)
    choice = choose(made, Wanted(run=run, others=(OTHER,)), soon)
    assert (choice.ours, choice.again) == (None, True)
    # Its output may have come: then it had begun by then.
    assert pid(chosen(made, span=replace(SPAN, wrote=SPAN.opened + 0.2))) is None
    assert pid(chosen(made, runs=False)) is None


@pytest.mark.parametrize(
    ("left", "ours"),
    [
        ([], 10),
        ([(99.7, OURS)], 10),
        ([(100.02, OURS)], None),
        ([(100.02, "sleep 99")], None),
        ([(130.0, "sleep 99")], None),
    ],
)
def test_one_that_was_slow_and_what_was_left(
    left: list[tuple[float, str]], ours: int | None
) -> None:
    """What a run has left behind may be what keeps it running: then the late one is nobody's."""
    wanted = Wanted(run=Run(span=SPAN, command=COMMAND), others=(OTHER,))
    made, moment = listing((100.5, OURS)), Moment(now=516000, asked=ASKED, answered=ASKED)
    choice = unless_left(choose(made, wanted, moment), listing(*left), wanted, moment)
    assert pid(choice) == ours
    assert not choice.unless_left
    assert bool(choice.why) == (ours is None)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(0, 0.9), min_size=8, max_size=8),
    st.sampled_from([0.0, 0.05, 0.24, 0.6]),
    st.sets(st.integers(0, 7)),
)
def test_of_slow_ones_no_other_runs_is_taken(
    late: list[float], apart: float, gone: set[int]
) -> None:
    """Eight runs of one kernel, each slow to start as it likes: its own process, or none."""
    runs = spans(8, apart)
    began = [(span.opened + slow, OURS) for span, slow in zip(runs, late, strict=True)]
    for index, one in enumerate(each(runs, began, at_once=True)):
        assert one in (index + 10, None)
    # Some have ended, and what they had started keeps them running.
    there = [one if index not in gone else (50.0, OURS) for index, one in enumerate(began)]
    for index, one in enumerate(each(runs, there, at_once=True)):
        assert one in (index + 10, None) or index in gone


def test_what_the_shell_says_is_read() -> None:
    """Commands have lines of their own; other looks and other tasks are left out."""
    said = ["now 500", "process 5 400 task 0", ": a b", ": ", ":", "process 6 1 other 0", ": x"]
    said += ["process 7 450 task 0", "look", "process 8 450 hidden 34816 leads"]
    made = read_listing(said, "boot")
    assert [(one.pid, one.age, one.command) for one in made.processes] == [(5, 1.0, "a b\n\n")]
    assert [(one.pid, one.terminal, one.leads) for one in made.hidden] == [(8, True, True)]
    for wrong in (["what"], ["now x"], [": alone"], ["process 1 2"]):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            read_listing(wrong, "")
