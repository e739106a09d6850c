"""Which process of a task is a run's: what the look's shell said, and the choice.  Pure.

The look's shell (`reach.sh`) was started in the task as the action was, by the same process of the
agent's (measured on Nomad 2.0.6; read of the other drivers): so the action's process is a sibling
of it.  Among those it is the one with the task's variables that began when the run did, by a clock
that both sides read at the same moment, and that stands as such a process does, with a terminal or
without.  Its command tells it from other actions of that moment.

An agent that has many to start at once may be slow to start one.  While the run goes on it has a
process, though: once that must be there, the only one of its command that began within a second is
it.

A driver that asks a container engine takes its time to start a process, and another run may have
been begun meanwhile.  But no process begins before it is asked for, and each of this kernel's own
runs has one of its own: so the last of them has no choice, the one before it none but that, and so
on.  Whatever can't be told apart is nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from nomad_magic.nomad.likeness import Likeness, likeness
from nomad_magic.nomad.processes import (
    CONTAINER_SECONDS,
    LATE_SECONDS,
    STARTING_SECONDS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nomad_magic.nomad.processes import Listing, Moment, Run, Wanted
    from nomad_magic.record.sighting import Process

NONE: Final = "no process of the task began when it did"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which of them is the run's.

    Attributes:
        ours: It, if it is surely one.
        instead: What may be it, where none surely is.
        why: Why none is.
        again: One of them was just being started, or about to end: it may be known in a moment.
        unless_left: It is the run's if that has left nothing behind, which would keep it running.
    """

    ours: Process | None = None
    instead: tuple[Process, ...] = ()
    why: str = ""
    again: bool = False
    unless_left: bool = False


def choose(listing: Listing, wanted: Wanted, moment: Moment) -> Choice:
    """Choose the run's process.

    Args:
        listing: What there is.
        wanted: What is looked for.
        moment: When the machine's time was read.
    """
    if not wanted.at_once or not _slow(listing, wanted, moment):
        return _choose(listing, wanted, moment)
    run = wanted.run
    if run.runs and moment.asked < run.span.opened + CONTAINER_SECONDS:
        # Another's that is there already cannot be told from it before it must be there as well.
        return Choice(why=NONE, again=True)
    late = _choose(listing, replace(wanted, slow=True), moment)
    if late.ours is None or not run.runs:
        return late
    if not _alike(late.ours, run):
        why = f"process {late.ours.pid} began then and shows another command"
        return Choice(instead=(late.ours,), why=why)
    return replace(late, unless_left=not _prompt(late.ours, run, moment))


def _prompt(one: Process, run: Run, moment: Moment) -> bool:
    """Whether a process began when a run's should have."""
    drift = moment.drift(run.span.asked)
    last = moment.last(run.span.within(STARTING_SECONDS))
    return moment.first(run.span.asked) - drift <= one.start <= last + drift


def _slow(listing: Listing, wanted: Wanted, moment: Moment) -> bool:
    """Whether one of these runs goes on and has no process that began when it should have."""
    taken = {one.found.pid for one in wanted.rivals if one.found is not None}
    there = [one for one in (*listing.processes, *listing.hidden) if one.pid not in taken]
    return any(
        run.runs
        and run.found is None
        and moment.asked >= run.span.within(STARTING_SECONDS)
        and not any(_stands(one, run) and _prompt(one, run, moment) for one in there)
        for run in (wanted.run, *wanted.rivals)
    )


def _choose(listing: Listing, wanted: Wanted, moment: Moment) -> Choice:
    run, drift = wanted.run, moment.drift(wanted.run.span.asked)
    first = moment.first(run.span.asked) - drift
    last = moment.last(run.span.within(wanted.soon)) + drift
    hidden = [one for one in listing.hidden if _stands(one, run) and first <= one.start <= last]
    if hidden:
        # While a program is loaded, and when it has just ended, it has no environment.
        why = "its environment is hidden from the task's shell"
        return Choice(instead=tuple(hidden), why=why, again=True)
    taken = {(one.found.pid, one.found.start) for one in wanted.rivals if one.found is not None}
    free = [one for one in listing.processes if (one.pid, one.start) not in taken]
    possible = [one for one in free if one.start >= first and _may_be(one, run, wanted.others)]
    then = [one for one in possible if one.start <= last]
    # An agent that starts several at once may take its time with some of them.
    until = moment.last(run.span.within(wanted.apart)) + drift
    near = [one for one in possible if one.start <= until]
    sure = _sure(near, free, wanted, moment)
    alike = [one for one in sure if likeness(run.command, one.command) is not Likeness.OTHER]
    if len(sure) == 1 and sure[0] in then and (run.runs or alike):
        return Choice(ours=sure[0])
    if then and len(near) > 1:
        pids = ", ".join(str(one.pid) for one in near)
        why = f"processes {pids} began then and cannot be told apart"
        return Choice(instead=tuple(near), why=why)
    if then and not sure:
        why = f"process {then[0].pid} began then, and may be another run's"
        return Choice(instead=tuple(then), why=why)
    if then:
        why = f"process {then[0].pid} began then and shows another command"
        # What ends has no command any more, before it is gone.
        again = not then[0].command
        return Choice(instead=tuple(then), why=why, again=again)
    if run.span.guessed:
        # Nothing but a clock says that these are not it.
        late, when = [one for one in free if _stands(one, run) and _alike(one, run)], "another time"
    else:
        until = moment.last(run.span.within(LATE_SECONDS)) + drift
        late, when = [one for one in possible if one.start <= until], "a later time"
    if late and not run.runs:
        pids = ", ".join(str(one.pid) for one in late)
        return Choice(instead=tuple(late), why=f"process {pids} began at {when}")
    return Choice(why=NONE)


def choose_left(listing: Listing, wanted: Wanted, moment: Moment) -> Choice:
    """Choose among what has lost its own parent, where no process is the run's.

    Args:
        listing: Children of what is above the look's parent.
        wanted: What is looked for.
        moment: When the machine's time was read.
    """
    first, last = wanted.between(moment)
    left = [
        one for one in listing.processes if first <= one.start <= last and _alike(one, wanted.run)
    ]
    if not left:
        return Choice(why=NONE)
    pids = ", ".join(str(one.pid) for one in left)
    why = f"its process has ended, and may have left process {pids} behind"
    return Choice(instead=tuple(left), why=why)


def unless_left(choice: Choice, listing: Listing, wanted: Wanted, moment: Moment) -> Choice:
    """Return a choice that is the run's unless that has left something behind.

    Args:
        choice: The choice.
        listing: Children of what is above the look's parent.
        wanted: What is looked for.
        moment: When the machine's time was read.
    """
    asked = wanted.run.span.asked
    first = moment.first(asked) - moment.drift(asked)
    if choice.ours is None or not any(one.start >= first for one in listing.processes):
        return replace(choice, unless_left=False)
    why = f"process {choice.ours.pid} began at a later time"
    return Choice(instead=(choice.ours,), why=why)


def _alike(one: Process, run: Run) -> bool:
    return likeness(run.command, one.command) is not Likeness.OTHER


def _stands(one: Process, run: Run) -> bool:
    """Whether it stands as a run's process: on a terminal it leads a session.

    That session may have lost the terminal when the connection was.
    """
    return one.leads if run.tty else not one.terminal


def _may_be(one: Process, run: Run, others: Iterable[Sequence[str]]) -> bool:
    """Whether a process may be a run's, whenever it began.

    What is not of another action may be of this one: a program may change its title, and a shell
    become the program that it starts.
    """
    if not _stands(one, run):
        return False
    if _alike(one, run):
        return True
    return not any(likeness(other, one.command) is Likeness.SAME for other in others)


class _Window(NamedTuple):
    """When one run's process began, and what began about then."""

    first: int
    last: int
    processes: list[Process]

    def at(self, shift: int) -> list[Process]:
        """Return what began then if the machine's clock has gained so many ticks."""
        return [one for one in self.processes if self.first <= one.start + shift <= self.last]


def _sure(
    near: Sequence[Process], free: Sequence[Process], wanted: Wanted, moment: Moment
) -> list[Process]:
    """Return which of these can be it while each of the rivals has one of its own.

    By how much the clocks have come apart is not known, but it is the same for all of them.
    """
    commands = [*wanted.others, *([wanted.run.command] if wanted.run.command else [])]
    windows = [_window(near, wanted.run, wanted, moment)]
    for rival in wanted.rivals:
        if rival.found is None and rival.runs:
            others = [one for one in commands if one != rival.command]
            may_be = [one for one in free if _may_be(one, rival, others)]
            windows.append(_window(may_be, rival, wanted, moment))
    drift = moment.drift(min([wanted.run.span.asked, *(one.span.asked for one in wanted.rivals)]))
    # One that has none at all has ended, or has not begun.
    windows = windows[:1] + [one for one in windows[1:] if one.processes]
    # Those at which something comes into a window: between two of them nothing more does.
    shifts = {window.first - one.start for window in windows for one in window.processes}
    found: list[Process] = []
    for shift in {-drift, *(one for one in shifts if -drift < one <= drift)}:
        ours, *rivals = [one.at(shift) for one in windows]
        found += [one for one in ours if one not in found and _each_has_one([[one], *rivals])]
    return found


def _window(processes: Sequence[Process], run: Run, wanted: Wanted, moment: Moment) -> _Window:
    first, last = moment.first(run.span.asked), moment.last(run.span.within(wanted.apart))
    drift = moment.drift(run.span.asked)
    there = [one for one in processes if first - drift <= one.start <= last + drift]
    return _Window(first, last, there)


def _each_has_one(sets: Sequence[Sequence[Process]]) -> bool:
    """Whether one can be taken from each set, and none twice: by augmenting paths."""
    holder: dict[tuple[int, int], int] = {}

    def take(index: int, tried: set[tuple[int, int]]) -> bool:
        for one in sets[index]:
            key = (one.pid, one.start)
            if key in tried:
                continue
            tried.add(key)
            if key not in holder or take(holder[key], tried):
                holder[key] = index
                return True
        return False

    return all(take(index, set()) for index in range(len(sets)))
