"""The small pictures of records: what they count, and that nothing is lost without them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record import picture
from nomad_magic.record.card import card
from nomad_magic.record.facts import Deed, Outcome, Rung
from nomad_magic.record.pace import MOST, MOST_MARKS, Pace
from nomad_magic.record.record import Record
from nomad_magic.record.result import ActionResult

START = datetime(2026, 11, 26, 7, 42, 3, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"

WRITES = st.lists(
    st.tuples(st.floats(0, 50, allow_nan=False), st.integers(1, 1 << 20)), min_size=1, max_size=200
)


@given(WRITES)
def test_each_byte_is_counted_in_its_time(writes: list[tuple[float, int]]) -> None:
    """However long it took, in so many stretches at the most, all as long as each other."""
    pace, at = Pace(), 0.0
    moments = []
    for pause, count in writes:
        at += pause
        pace.wrote(at, count)
        moments.append((at, count))
    assert len(pace.counts) <= MOST
    assert pace.seconds & (pace.seconds - 1) == 0
    expected = [0] * len(pace.counts)
    for moment, count in moments:
        expected[int(moment) // pace.seconds] += count
    assert pace.counts == expected
    # No longer than it has to be.
    assert pace.seconds == 1 or int(at) // (pace.seconds // 2) >= MOST


def test_a_window_that_is_dragged_leaves_a_bounded_number_of_marks() -> None:
    """Each step of it resizes the terminal."""
    pace = Pace()
    for step in range(10_000):
        pace.was_resized(step / 100)
    assert len(pace.resized) == MOST_MARKS


def run(seconds: float, outcome: Outcome = Outcome.SUCCEEDED) -> ActionResult:
    made = ActionResult(action="watch", command_line="nomad job action watch", outcome=outcome)
    made.started, made.duration = START, seconds
    made.ended = START + timedelta(seconds=seconds)
    return made


def shapes(html: str) -> list[ET.Element]:
    (svg,) = re.findall(r"<svg.*?</svg>", html)
    root = ET.fromstring(svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"'))
    # No script, no style sheet, and no word that a sanitiser would leave in the text.
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {"svg", "rect", "path"}
    assert not "".join(root.itertext()).strip()
    return list(root)


def test_a_long_run_shows_how_fast_it_wrote_and_what_stopped_it() -> None:
    """A bar for each second in which it wrote, marks for Stop and a resize; in words too."""
    made = run(20.0, Outcome.INTERRUPTED)
    made.transcript.write("stdout", b"x" * 3000)
    for second, count in ((0, 1000), (7, 2000)):
        made.pace.wrote(second + 0.5, count)
    made.pace.was_resized(5.0)
    made.deeds.append(Deed(time=START + timedelta(seconds=19), rung=Rung.INTERRUPT))
    html = card(Record(made))
    drawn = shapes(html)
    bars = [one for one in drawn if one.tag == f"{SVG}rect"]
    assert [float(bar.attrib["height"]) for bar in bars] == [0.5, 1.0]
    assert [int(float(bar.attrib["x"])) for bar in bars] == [0, 7]
    marks = [one.attrib["d"] for one in drawn if one.tag == f"{SVG}path"]
    assert marks == ["M19 0V1", "M5 0V1"]
    words = "output per second, at most 2.0 kB · Ctrl-C sent at 19.0 s · resized at 5.0 s"
    assert html.count(words) == 2


@pytest.mark.parametrize("seconds", [0.0, 9.9])
def test_a_short_run_has_none(seconds: float) -> None:
    """There would be nothing to see."""
    made = run(seconds)
    made.pace.wrote(0.1, 5)
    assert "<svg" not in card(Record(made))


def test_a_silent_run_has_none() -> None:
    """However long it took."""
    assert picture.pace(run(100.0)) == ""


@given(st.lists(st.tuples(st.floats(0.001, 1000), st.sampled_from(Outcome)), max_size=300))
def test_a_fleet_shows_how_long_its_runs_took(runs: list[tuple[float, Outcome]]) -> None:
    """Each run is in one column, in the colour of its end; the words have the extremes."""
    made = [run(seconds, outcome) for seconds, outcome in runs]
    html = picture.durations(made)
    if len(made) < picture.FLEET_RUNS:
        assert html == ""
        return
    drawn = shapes(html)
    tallest: dict[int, float] = {}
    for bar in drawn:
        place = int(float(bar.attrib["x"]))
        assert 0 <= place < picture.COLUMNS
        tallest[place] = tallest.get(place, 0.0) + float(bar.attrib["height"])
    assert max(tallest.values()) == pytest.approx(1, abs=0.01)
    for found in ("shortest", "median", "longest"):
        assert f"{found} " in html
