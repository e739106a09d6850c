"""Signs of life, by a clock that is handed in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.nomad.link import ASKS, QUIET_SECONDS, UNREAD_BYTES, Link, Look

TIMEOUT = 60.0


def looks(link: Link, start: float, seconds: float, **named: int) -> list[tuple[float, Look]]:
    """Look whenever it is due, and return what that came to."""
    found = []
    while link.due <= start + seconds:
        now = link.due
        found.append((now, link.look(now, **named)))
        if found[-1][1] is Look.DEAD:
            break
    return found


def test_a_day_of_living_silence_is_no_error() -> None:
    """An agent that answers pings is there, however long its action says nothing."""
    link = Link(TIMEOUT, 0.0)
    for _ in range(24 * 60 * 3):
        now = link.due
        assert link.look(now) is Look.PING
        link.heard(now + 0.001)
    assert now > 24 * 60 * 60


@given(st.floats(0.1, 600), st.floats(0, 1e6))
def test_a_dead_link_is_found_in_its_time(timeout: float, start: float) -> None:
    """It is asked several times first."""
    link = Link(timeout, start)
    found = looks(link, start, 10 * timeout)
    asked = [now for now, look in found if look is Look.PING]
    assert found[-1][1] is Look.DEAD
    assert len(asked) >= ASKS - 1
    assert timeout * 0.999 <= found[-1][0] - start <= timeout * (1 + 1.01 / ASKS)


@given(st.lists(st.floats(0.01, 0.9 * TIMEOUT), min_size=1, max_size=30))
def test_whatever_comes_is_a_sign_of_life(pauses: list[float]) -> None:
    """Output, an answer to a ping, a heartbeat: no matter which."""
    link, now = Link(TIMEOUT, 0.0), 0.0
    for pause in pauses:
        end = now + pause
        while link.due < end:
            assert link.look(link.due) is not Look.DEAD
        now = end
        link.heard(now)


def test_a_machine_that_slept_asks_before_it_judges() -> None:
    """A lid that was closed, a process that was stopped: nobody could have heard anything."""
    link = Link(TIMEOUT, 0.0)
    assert link.look(link.due) is Look.PING
    assert link.look(8 * 3600.0) is Look.PING
    assert looks(link, 8 * 3600.0, 0.9 * TIMEOUT)[-1][1] is Look.PING
    assert looks(link, 8 * 3600.0, 2 * TIMEOUT)[-1][1] is Look.DEAD


def test_an_agent_full_of_unread_stdin_is_not_taken_for_dead() -> None:
    """It answers no ping then, and its action may be well."""
    link = Link(TIMEOUT, 0.0)
    assert {look for _, look in looks(link, 0.0, 3600.0, unread=UNREAD_BYTES + 1)} == {Look.PING}
    link = Link(TIMEOUT, 0.0)
    assert looks(link, 0.0, 3600.0, unread=UNREAD_BYTES)[-1][1] is Look.DEAD


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=20))
def test_it_is_quiet_a_while_after_the_last_that_came(apart: list[float]) -> None:
    """Whatever was asked meanwhile."""
    link, now = Link(TIMEOUT, 0.0), 0.0
    for seconds in apart:
        now += seconds
        link.heard(now)
        link.look(now)
        assert link.quiet_at == now + QUIET_SECONDS
