"""Which of many runs ended alike: the same ending, the same output, said once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nomad_magic.record.facts import SHORT_ID, Outcome
from nomad_magic.record.folding import folded
from nomad_magic.record.transcript import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nomad_magic.record.facts import Place
    from nomad_magic.record.result import ActionResult

DIFF_LINES: Final = 2000
"""Of longer outputs there is no diff: it would take as long as the runs."""

SHOWN_DIFF_LINES: Final = 200
"""How much of a diff is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Runs that ended alike.

    Attributes:
        ending: How, in words: `exit 0`.
        outcome: The same, as it is computed with.
        allocations: Where, by their ids.
        names: The same, as a person reads them: folded.
        lines: What the terminal showed, of a long output its ends.
        diff: How that differs from the largest group's, as the lines of a unified diff; empty for
            the largest, and where it does not, or is too long to say.
        sample: One of the runs.
    """

    ending: str
    outcome: Outcome
    allocations: tuple[str, ...]
    names: str
    lines: tuple[str, ...]
    diff: tuple[str, ...]
    sample: ActionResult

    def __len__(self) -> int:
        return len(self.allocations)


def grouped(runs: Mapping[str, ActionResult], labels: Mapping[str, str]) -> list[Group]:
    """Return runs in groups of those that ended alike, the largest first.

    Args:
        runs: Those that have ended, by their allocations' ids.
        labels: What the allocations are called.
    """
    texts: dict[object, tuple[str, ...]] = {}
    found: dict[object, list[str]] = {}
    for key, run in runs.items():
        raw = _raw(run)
        if raw not in texts:
            # Most outputs are the same to the byte, and need not be drawn once more.
            texts[raw] = tuple(run.shown_lines())
        whole = tuple(map(run.transcript.sha256, STREAMS)) if run.long else ()
        found.setdefault((run.ending, texts[raw], whole), []).append(key)
    ordered = sorted(found.values(), key=len, reverse=True)
    largest = texts[_raw(runs[ordered[0][0]])] if ordered else ()
    groups = []
    for keys in ordered:
        run = runs[keys[0]]
        lines = texts[_raw(run)]
        groups.append(
            Group(
                ending=run.ending,
                outcome=run.outcome,
                allocations=tuple(keys),
                names=folded(labels[key] for key in keys),
                lines=lines,
                diff=_diff(largest, lines),
                sample=run,
            )
        )
    return groups


def _raw(run: ActionResult) -> object:
    """Return what tells outputs apart that are shown in another way.

    Which of the two streams came first is chance: the agent reads them side by side.
    """
    return (run.tty, run.width, *map(run.transcript.sha256, STREAMS))


def _diff(largest: tuple[str, ...], lines: tuple[str, ...]) -> tuple[str, ...]:
    if largest == lines or max(len(largest), len(lines)) > DIFF_LINES:
        return ()
    made = list(difflib.unified_diff(largest, lines, lineterm="", n=1))[2:]
    if len(made) > SHOWN_DIFF_LINES:
        more = len(made) - SHOWN_DIFF_LINES
        made = [*made[:SHOWN_DIFF_LINES], f"[… {more} more lines of the difference …]"]
    return tuple(made)


def labels(places: Mapping[str, Place]) -> dict[str, str]:
    """Return what allocations are called so that each is told apart from the others.

    By their names; those of a system job all have the same, and are told apart by their nodes.

    Args:
        places: By the allocations' ids.
    """
    names = _twice(place.allocation_name for place in places.values())
    nodes = _twice((place.allocation_name, place.node_name) for place in places.values())
    made = {}
    for key, place in places.items():
        name = place.allocation_name or place.allocation[:SHORT_ID]
        if place.allocation_name not in names:
            made[key] = name
        elif place.node_name and (place.allocation_name, place.node_name) not in nodes:
            made[key] = f"{name} on {place.node_name}"
        else:
            made[key] = f"{name} {place.allocation[:SHORT_ID]}"
    return made


def _twice(things: Iterable[object]) -> set[object]:
    """Return those that are there more than once."""
    seen: set[object] = set()
    again: set[object] = set()
    for thing in things:
        (again if thing in seen else seen).add(thing)
    return again
