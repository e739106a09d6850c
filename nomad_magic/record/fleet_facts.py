"""What is known of one action in many allocations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nomad_magic.record.facts import Outcome, Place
from nomad_magic.record.grouping import grouped, labels
from nomad_magic.record.masking import Masker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from nomad_magic.record.facts import Logged
    from nomad_magic.record.grouping import Group
    from nomad_magic.record.result import ActionResult


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An allocation in which the action was not to run.

    Attributes:
        allocation: Its id.
        name: Its name, as `cache.redis[3]`.
        node_name: Its node's.
        reason: Why, in words.
    """

    allocation: str
    name: str
    node_name: str
    reason: str


@dataclass(slots=True, kw_only=True)
class FleetFacts:
    """An action in many allocations, as far as it has got.

    Attributes:
        action: The action's name.
        command_line: The magic's line that repeats all of it; no token is in it.
        place: What they have in common: agent, region, namespace and job.
        started: When the first was begun; None when none was.
        ended: When the last one ended; None while one runs.
        duration: Seconds from the first to the last.
        left_out: Where the action was not to run, and why.
        notices: What the user should know besides, in the order it came up.
        confirmed: How it was confirmed before any ran, in words; empty where nothing asked for it.
        run_id: Names all of it.
        logged: As of a run.
        journal: As of a run.
        masker: Knows the secrets of the runs.
        runs: The results by their allocations' ids.
    """

    action: str
    command_line: str
    place: Place = field(default_factory=Place)
    started: datetime | None = None
    ended: datetime | None = None
    duration: float = 0.0
    left_out: list[LeftOut] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    confirmed: str = ""
    run_id: str = ""
    logged: Logged | None = None
    journal: Callable[[str, Mapping[str, str], Mapping[str, Any]], None] | None = field(
        default=None, repr=False
    )
    masker: Masker = field(default_factory=Masker)
    runs: dict[str, ActionResult] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many runs there are of each ending: `{"exit 0": 195, "exit 3": 2}`; most first."""
        counts: dict[str, int] = {}
        for run in self.runs.values():
            counts[run.ending] = counts.get(run.ending, 0) + 1
        return dict(sorted(counts.items(), key=lambda one: -one[1]))

    @property
    def groups(self) -> list[Group]:
        """The runs that have ended, those with the same ending and output together, largest first.

        A smaller group has its difference from the largest.
        """
        ended = {key: run for key, run in self.runs.items() if run.outcome is not Outcome.RUNNING}
        return grouped(ended, self.labels)

    @property
    def labels(self) -> dict[str, str]:
        """What each allocation is called where they are listed: names that tell them apart."""
        return labels({key: run.place for key, run in self.runs.items()})

    @property
    def state(self) -> str:
        """How they ended, in words: `195 of 200 exit 0, 2 exit 3, 3 connection lost`."""
        if not self.runs:
            return "no allocation"
        (first, count), *others = self.counts.items()
        words = [f"{count} of {len(self.runs)} {first}"]
        return ", ".join(words + [f"{count} {ending}" for ending, count in others])

    @property
    def outcome(self) -> Outcome:
        """The outcome of all: that of the one that is worst off."""
        there = {run.outcome for run in self.runs.values()}
        return next((one for one in _WORST_FIRST if one in there), Outcome.NOT_STARTED)


_WORST_FIRST = (
    Outcome.RUNNING,
    Outcome.LOST,
    Outcome.UNKNOWN,
    Outcome.REFUSED,
    Outcome.FAILED,
    Outcome.DISCONNECTED,
    Outcome.INTERRUPTED,
    Outcome.NOT_STARTED,
    Outcome.SUCCEEDED,
)
