"""When the runs of a kernel send: seen from outside, with the clock handed in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.notebook.live.beat import (
    FLOOD_SECONDS,
    FRAME_SECONDS,
    FREE_SECONDS,
    MOST_SECONDS,
    WINDOW_FRAMES,
    Beat,
)

many = st.integers(min_value=5, max_value=200)
moments = st.floats(min_value=0, max_value=1e6)


def printing(count: int, now: float) -> Beat:
    """Return the beat of so many runs that all print."""
    made = Beat()
    for run in range(count):
        made.sent(run, now)
    return made


@given(moments)
def test_a_run_alone_is_shown_at_full_speed(now: float) -> None:
    """It has the whole window, and no moment of others'."""
    made = Beat()
    assert made.sent("run", now) == now + FRAME_SECONDS
    assert made.window == WINDOW_FRAMES


@given(many, moments)
def test_many_send_at_the_same_moment_and_less_often(count: int, now: float) -> None:
    """The next moment is one for all of them, and so is the one after it."""
    made = printing(count, now)
    times = [now]
    for _ in range(4):
        (due,) = {made.sent(run, times[-1]) for run in range(count)}
        times.append(due)
    gaps = [after - before for before, after in pairwise(times)]
    assert all(FRAME_SECONDS - 1e-6 < gap < MOST_SECONDS + FRAME_SECONDS + 1e-6 for gap in gaps)


@given(many)
def test_what_is_on_its_way_to_a_page_does_not_grow_with_the_runs(count: int) -> None:
    """All of them together have the window of one, or one message each."""
    assert count * printing(count, 0).window <= max(WINDOW_FRAMES, count)


@given(many, moments, st.floats(min_value=0, max_value=1))
def test_a_press_has_the_others_wait(count: int, now: float, due: float) -> None:
    """Until its end was sent, or for a moment; not the run itself."""
    made = printing(count, now)
    made.pressed(0, now)
    assert made.due(0, now + due) == now + due
    assert made.due(1, now + due) == max(now + due, now + FREE_SECONDS)
    made.leave(0, now)
    assert now + due <= made.due(1, now + due) < max(now + due, now) + FREE_SECONDS


def test_what_is_over_counts_no_more() -> None:
    """Neither what has ended, nor what has long printed nothing."""
    made = printing(30, 0)
    for run in range(1, 30):
        made.leave(run, 0)
    assert made.window == WINDOW_FRAMES
    made = printing(30, 0)
    assert made.sent("another", 100) == 100 + FRAME_SECONDS
    assert made.window == WINDOW_FRAMES


def test_floods_share_their_time() -> None:
    """The page draws all of them."""
    made = Beat()
    assert made.sent(1, 0, flood=True) == FLOOD_SECONDS
    assert made.sent(2, 0, flood=True) == 2 * FLOOD_SECONDS
    made.sent(1, 1)
    assert made.sent(2, 1, flood=True) == 1 + FLOOD_SECONDS
