"""What is known of a run's process, and what the look's shell said of those there are.  Pure.

No clock of another machine is compared with one of ours: both are read at the same moment
(`Moment`), and times are how long before that something was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from nomad_magic.record.sighting import Process

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TICKS: Final = 100
"""Hundredths of a second: what `/proc` counts in on every machine (SPEC: `getconf CLK_TCK`)."""

ROUNDING: Final = 2
"""How many ticks two rounded times may be off."""

DRIFT: Final = 1e-4
"""How far two clocks may be apart after a second: crystals keep within 50 ppm each."""

STARTING_SECONDS: Final = 0.12
"""How long after the session was opened a process begins at most, where it has not written yet.
On Nomad 2.0.6 it is some milliseconds."""

APART_SECONDS: Final = 0.08
"""How much later another of the same command must have begun to be surely another run's."""

CONTAINER_SECONDS: Final = 1.0
"""The sum of both, where the driver asks a container engine."""

AT_ONCE: Final = frozenset({"raw_exec", "exec", "java"})
"""The drivers whose own executor starts the processes of sessions."""

LATE_SECONDS: Final = 10.0
"""How much later a silent process may have begun, where that it has ended is to be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When a run began, by `clock.now`, in seconds.

    Attributes:
        asked: The session was asked for.
        opened: It was open.
        wrote: The first output had come; None while there is none.
        guessed: These are of a clock that may have been put right since, by any time.
    """

    asked: float
    opened: float
    wrote: float | None = None
    guessed: bool = False

    def within(self, seconds: float) -> float:
        """Return when its process had begun, if that was so long after the session was open."""
        latest = self.opened + seconds
        return latest if self.wrote is None else max(self.asked, min(latest, self.wrote))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run whose process is looked for, or that is in the way of one.

    Attributes:
        span: When it began.
        command: What its action stands for, if that is known.
        tty: It has a terminal.
        found: Its process, where that is known.
        runs: It has not ended: its process is there, if it can be seen.
    """

    span: Span
    command: Sequence[str] | None
    tty: bool = False
    found: Process | None = None
    runs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The same moment by the machine's clock and by ours.

    Attributes:
        now: The machine's time, in ticks since it started.
        asked: It had not come yet, by `clock.now`.
        answered: It had come.
    """

    now: int
    asked: float
    answered: float

    def first(self, at: float) -> int:
        """Return at which tick at the earliest it was that time, if the clocks run alike."""
        return math.floor(self.now - (self.answered - at) * TICKS) - ROUNDING

    def last(self, at: float) -> int:
        """Return at which tick at the latest it was that time, if the clocks run alike."""
        return math.ceil(self.now - (self.asked - at) * TICKS) + ROUNDING

    def drift(self, at: float) -> int:
        """Return by how many ticks the clocks may have come apart since then."""
        return math.floor(abs(self.answered - at) * DRIFT * TICKS)


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
class Wanted:
    """What a look looks for.

    Attributes:
        run: Whose process.
        others: The commands of the task's other actions, and of the task itself.
        rivals: The other runs of this kernel that began with it (`together`).
        at_once: The driver's own executor starts processes.
        slow: That it was slow to start them is reckoned with: an agent that has many to start may
            take as long as a container engine (measured: 88 at once on two busy cores, 0.43 s).
    """

    run: Run
    others: tuple[Sequence[str], ...] = ()
    rivals: tuple[Run, ...] = ()
    at_once: bool = True
    slow: bool = False

    @property
    def soon(self) -> float:
        """How many seconds after the session was opened its process may begin."""
        if not self.at_once:
            return CONTAINER_SECONDS
        return CONTAINER_SECONDS - APART_SECONDS if self.slow else STARTING_SECONDS

    @property
    def apart(self) -> float:
        """How many seconds after the session was opened another is in the way."""
        return self.soon + APART_SECONDS if self.at_once else CONTAINER_SECONDS

    def alone(self, moment: Moment) -> Wanted:
        """Return it without the rivals that began at quite another time."""
        seconds = CONTAINER_SECONDS + 2 * moment.drift(self.run.span.asked) / TICKS
        return replace(self, rivals=together(self.run, self.rivals, seconds))

    def between(self, moment: Moment) -> tuple[int, int]:
        """Return from which tick to which a process began that the choice has a use for."""
        if self.run.span.guessed:
            return 0, moment.now
        spans = [self.run.span, *(one.span for one in self.rivals)]
        drift = max(moment.drift(one.asked) for one in spans)
        last = [one.within(CONTAINER_SECONDS) for one in spans]
        if not self.run.runs:
            last.append(self.run.span.within(LATE_SECONDS))
        first = moment.first(min(one.asked for one in spans))
        return max(0, first - drift), moment.last(max(last)) + drift


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
    for (pid, start, whose, tty, *leads), said in entries:
        if "look" in said or whose == "other":
            continue
        one = Process(
            pid=int(pid),
            start=int(start),
            age=max(0, found.now - int(start)) / TICKS,
            command="\n".join(line.removeprefix(": ").removeprefix(":") for line in said),
            boot=found.boot,
            terminal=tty != "0",
            leads=bool(leads),
        )
        (found.hidden if whose == "hidden" else found.processes).append(one)
    return found


def together(run: Run, rivals: Iterable[Run], seconds: float) -> tuple[Run, ...]:
    """Return the runs that began while a run did, or while one of these did, and so on.

    Args:
        run: The one.
        rivals: Others.
        seconds: How long a process may take to begin, and clocks may be apart.
    """
    first, last = run.span.asked, run.span.within(seconds)
    left, found = list(rivals), list[Run]()
    while True:
        more = [
            one
            for one in left
            if one.span.asked - seconds <= last and one.span.within(seconds) >= first - seconds
        ]
        if not more:
            return tuple(found)
        found += more
        left = [one for one in left if one not in more]
        first = min(first, *(one.span.asked for one in more))
        last = max(last, *(one.span.within(seconds) for one in more))
