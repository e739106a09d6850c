"""When output came, in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record.arrivals import MOST, Arrivals

STEPS = st.lists(st.tuples(st.integers(1, 100), st.floats(0.01, 10)), min_size=1, max_size=60)


@given(steps=STEPS, most=st.integers(1, 10))
def test_a_moment_is_never_too_early_and_the_last_one_is_exact(
    steps: list[tuple[int, float]], most: int
) -> None:
    """Whatever was let go: by the moment that is said it had come, and that is not to come."""
    arrivals = Arrivals(most)
    end, now, came = 0, 1.0, []
    for size, pause in steps:
        end, now = end + size, now + pause
        came += [now] * size
        arrivals.note(end, now)
    position = 0
    for at, moment in enumerate(came):
        until, said = arrivals.of(at)
        assert moment <= said <= now
        assert at < until <= end
        position = max(position, until)
    assert arrivals.of(end - 1) == (end, now)
    with pytest.raises(IndexError):
        arrivals.of(end)


def test_few_moments_are_all_kept() -> None:
    """As many as a run of a minute has."""
    arrivals = Arrivals()
    for at in range(MOST):
        arrivals.note(at + 1, float(at))
    assert [arrivals.of(at) for at in range(0, MOST, 999)] == [
        (at + 1, float(at)) for at in range(0, MOST, 999)
    ]


def test_a_clock_that_is_set_back_is_written_down_as_it_is() -> None:
    """A moment is what the clock said."""
    arrivals = Arrivals()
    arrivals.note(1, 100.0)
    arrivals.note(2, 50.0)
    assert (arrivals.of(0), arrivals.of(1)) == ((1, 100.0), (2, 50.0))
