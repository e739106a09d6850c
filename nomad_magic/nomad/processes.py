"""Which process of a task is a run's: what the look's shell said, and the choice.  Pure.

The look's shell (`reach.sh`) was started in the task as the action was, by the same process of the
agent's (measured on Nomad 2.0.6; read of the other drivers): so the action's process is a sibling
of it.  Among those it is the one with the task's variables that began when the run did, by a clock
that both sides read at the same moment.  Its command tells it from other actions of that moment.
Whatever can't be told apart is nobody's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nomad_magic.record.sighting import Process

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TICKS: Final = 100
"""Hundredths of a second: what `/proc` counts in on every machine (SPEC: `getconf CLK_TCK`)."""

ROUNDING: Final = 2
"""How many ticks two rounded times may be off."""

STARTING_SECONDS: Final = 0.12
"""How long after the session was opened a process begins at most, where it has not written yet.
On Nomad 2.0.6 it is some milliseconds."""


APART_SECONDS: Final = 0.08
"""How much later another of the same command must have begun to be surely another run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When a run began, by this machine's monotonic clock, in seconds.

    Attributes:
        asked: The session was asked for.
        opened: It was open.
        wrote: The first output had come; None while there is none.
    """

    asked: float
    opened: float
    wrote: float | None = None

    @property
    def latest(self) -> float:
        """When its process had begun."""
        latest = self.opened + STARTING_SECONDS
        return latest if self.wrote is None else min(latest, self.wrote)


@dataclass(slots=True)
class Listing:
    """What the look's shell listed.

    Attributes:
        now: The machine's time, in ticks since it started.
        processes: Siblings of the shell, without those of other looks.
        hidden: Those whose environment cannot be read.
    """

    now: int = 0
    boot: str = ""
    processes: list[Process] = field(default_factory=list)
    hidden: list[Process] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which of them is the run's.

    Attributes:
        ours: It, if it is surely one.
        instead: What may be it, where none surely is.
        why: Why none is.
    """

    ours: Process | None = None
    instead: tuple[Process, ...] = ()
    why: str = ""


def read_listing(lines: Iterable[str], boot: str) -> Listing:
    """Return what the shell listed.

    Args:
        lines: What it said.
        boot: Which start of the machine it is.

    Raises:
        ValueError: They are no listing.
    """
    found = Listing(boot=boot)
    entries: list[tuple[list[str], list[str]]] = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "now":
            found.now = int(rest)
        elif word == "process":
            entries.append((rest.split(), []))
        elif word in {":", "look"} and entries:
            entries[-1][1].append(line)
        else:
            raise ValueError(line)
    for (pid, start, whose), said in entries:
        if "look" in said or whose == "other":
            continue
        command = "\n".join(line.removeprefix(": ").removeprefix(":") for line in said)
        age = max(0, found.now - int(start)) / TICKS
        one = Process(pid=int(pid), start=int(start), age=age, command=command, boot=found.boot)
        (found.hidden if whose == "hidden" else found.processes).append(one)
    return found


def choose(  # noqa: PLR0913 - each is one side of it, and named
    listing: Listing,
    span: Span,
    command: Sequence[str] | None,
    others: Iterable[Sequence[str]] = (),
    *,
    asked: float,
    answered: float,
    runs: bool,
) -> Choice:
    """Choose the run's process.

    Args:
        listing: What there is.
        span: When the run began.
        command: What the action stands for, if that is known.
        others: The same of the task's other actions.
        asked: When the listing was asked for, by the clock of `span`.
        answered: When the machine's time had come.
        runs: The run has not ended: its process is there, if it can be seen.
    """
    first = listing.now - (answered - span.asked) * TICKS - ROUNDING
    last = listing.now - (asked - span.latest) * TICKS + ROUNDING
    hidden = [one for one in listing.hidden if first <= one.start <= last]
    if hidden:
        return Choice(instead=tuple(hidden), why="its environment is hidden from the task's shell")
    pattern = _pattern(command) if command is not None else None
    known = [_pattern(other) for other in others]

    def alike(one: Process) -> bool:
        return pattern is not None and pattern.fullmatch(one.command) is not None

    # What is not of another action may be of this one: a program may change its title, and a shell
    # become the program that it starts.
    possible = [
        one
        for one in listing.processes
        if one.start >= first
        and (alike(one) or not any(other.fullmatch(one.command) for other in known))
    ]
    then = [one for one in possible if one.start <= last]
    # An agent that starts several at once may take its time with some of them.
    near = [one for one in possible if one.start <= last + APART_SECONDS * TICKS]
    if len(then) == len(near) == 1 and (runs or alike(then[0])):
        return Choice(ours=then[0])
    if len(near) > 1 and then:
        pids = ", ".join(str(one.pid) for one in near)
        return Choice(
            instead=tuple(near), why=f"processes {pids} began then and cannot be told apart"
        )
    if then:
        why = f"process {then[0].pid} began then and shows another command"
        return Choice(instead=tuple(then), why=why)
    late = [one for one in possible if _may_be_late(one, listing, span, answered)]
    if late and not runs:
        pids = ", ".join(str(one.pid) for one in late)
        return Choice(instead=tuple(late), why=f"process {pids} began a little later")
    return Choice(why="no process of the task began when it did")


def _may_be_late(one: Process, listing: Listing, span: Span, answered: float) -> bool:
    """Whether a process that began late may be the run's all the same.

    Before its first output at any rate; a silent one may have been slow to start.
    """
    if span.wrote is None:
        return True
    return one.start <= listing.now - (answered - span.wrote) * TICKS + ROUNDING


# What Nomad puts something in the place of when it starts the command.
_INTERPOLATED: Final = re.compile(r"\$\{[^}]*\}")


def _pattern(command: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern for a command as `/proc` has it, without what parts the arguments.

    The program may be found on a path, or be a script that its interpreter is given.
    """
    program, *args = command
    name = program.rpartition("/")[2]
    if "${" in program:
        name = program
    return re.compile(f".*{_literal(name)}{''.join(map(_literal, args))}", re.DOTALL)


def _literal(text: str) -> str:
    return ".*".join(map(re.escape, _INTERPOLATED.split(text)))
