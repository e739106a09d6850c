"""Small pictures in records: how fast a long run wrote, how long the runs of a fleet took.

Inline SVG without a script, a style sheet or a word in it: where a site takes it out nothing is
lost, for what it shows is said beside it.  Pure.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from nomad_magic.record import style
from nomad_magic.record.facts import Tone
from nomad_magic.record.humanize import seconds, short_size
from nomad_magic.terminal.html import LEGIBLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nomad_magic.record.facts import RunFacts

LONG_SECONDS: Final = 10.0
"""From which duration on a run has a picture."""

FLEET_RUNS: Final = 5
"""From how many runs on a fleet has one."""

COLUMNS: Final = 60
"""In how many stretches the durations of a fleet are counted."""

_HEIGHT: Final = 24
_BOX: Final = f"display:block;width:100%;height:{_HEIGHT}px"
_TINTS: Final = {
    Tone.GOOD: LEGIBLE["green"],
    Tone.BAD: LEGIBLE["red"],
    Tone.UNSURE: LEGIBLE["yellow"],
    Tone.NEUTRAL: LEGIBLE["blue"],
}


def pace(run: RunFacts) -> str:
    """Return how fast a run wrote, with marks for what was done to stop it and for resizes.

    Args:
        run: The run; one that was short, or wrote nothing, has no picture.
    """
    counts, width = run.pace.counts, run.pace.seconds
    if run.duration < LONG_SECONDS or not any(counts) or run.started is None:
        return ""
    most = max(counts)
    bars = [
        _bar(place, count / most, "currentColor", opacity=0.45)
        for place, count in enumerate(counts)
        if count
    ]
    stops = [(deed.time - run.started).total_seconds() for deed in run.deeds]
    marks = [_mark(at / width, LEGIBLE["red"]) for at in stops if 0 <= at <= run.duration]
    marks += [_mark(at / width, "currentColor", dashed=True) for at in run.pace.resized]
    per = "second" if width == 1 else f"{width} s"
    words = [f"output per {per}, at most {short_size(most)}"]
    words += [f"{deed.words} at {seconds(at)}" for deed, at in zip(run.deeds, stops, strict=True)]
    words += [f"resized at {seconds(at)}" for at in run.pace.resized[:3]]
    if len(run.pace.resized) > 3:
        words.append(f"and {len(run.pace.resized) - 3} times more")
    return _figure([*bars, *marks], run.duration / width, " · ".join(words))


def durations(runs: Iterable[RunFacts]) -> str:
    """Return how long the runs of a fleet took: how many took how long, by how they ended.

    Args:
        runs: The runs; a few have no picture.
    """
    ended = [run for run in runs if run.started is not None and run.ended is not None]
    longest = max((run.duration for run in ended), default=0.0)
    if len(ended) < FLEET_RUNS or not longest:
        return ""
    tones = list(Tone)
    columns = [dict.fromkeys(tones, 0) for _ in range(COLUMNS)]
    for run in ended:
        place = min(int(run.duration / longest * COLUMNS), COLUMNS - 1)
        columns[place][run.outcome.tone] += 1
    most = max(sum(column.values()) for column in columns)
    shapes = []
    for place, column in enumerate(columns):
        below = 0
        for tone, count in column.items():
            if count:
                shapes.append(_bar(place, count / most, _TINTS[tone], below=below / most))
            below += count
    took = sorted(run.duration for run in ended)
    words = f"durations: shortest {seconds(took[0])}, median {seconds(took[len(took) // 2])}"
    return _figure(shapes, COLUMNS, f"{words}, longest {seconds(longest)}")


def _figure(shapes: Sequence[str], width: float, words: str) -> str:
    """Return shapes as a picture, and what it shows in words under it."""
    return (
        f'<div style="{style.BAR};{style.LINE}"><svg role="img" aria-label="{escape(words)}"'
        f' viewBox="0 0 {width:.4g} 1" preserveAspectRatio="none" style="{_BOX}">'
        f'{"".join(shapes)}</svg><div style="{style.MUTED};font-size:.9em">{escape(words)}</div>'
        "</div>"
    )


def _bar(
    place: int, height: float, colour: str, *, below: float = 0.0, opacity: float = 1.0
) -> str:
    faint = f' opacity="{opacity}"' if opacity < 1 else ""
    return (
        f'<rect x="{place + 0.05:.4g}" y="{1 - below - height:.4g}" width=".9"'
        f' height="{height:.4g}" fill="{colour}"{faint}/>'
    )


def _mark(at: float, colour: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="3 3"' if dashed else ""
    return (
        f'<path d="M{at:.4g} 0V1" stroke="{colour}" stroke-width="2"{dashes}'
        ' vector-effect="non-scaling-stroke"/>'
    )
