"""The runs of this kernel that have ended: what there was to know of each, and how to ask for more.

It keeps no output: a result that nobody holds any more is let go, with all that it wrote.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import ref

from nomad_magic import fork

if TYPE_CHECKING:
    from datetime import datetime

    from nomad_magic.record.facts import Outcome

MOST: Final = 5000
"""How many are remembered."""

SOON_SECONDS: Final = 0.01
"""After how long what has ended is looked at: a thread that waits for it has Python by then."""


class Seen(NamedTuple):
    """A run, or a fleet, as it was when it was looked at.

    Attributes:
        handle: Has its result, as long as somebody holds that.
        run_id: Names it.
        is_fleet: It is a fleet.
        fleet: The id of the fleet that it is one of; may be empty.
        action: Of its result, as are the others.
    """

    handle: ref[Any]
    run_id: str
    is_fleet: bool
    fleet: str
    action: str
    target: str
    outcome: Outcome
    state: str
    exit_code: int | None
    started: datetime | None
    ended: datetime | None


_past: deque[Seen] = deque(maxlen=MOST)
_new: deque[Any] = deque()
"""Those that have just ended.

Who waits for one does not wait for the words about it, too: a thread that is woken has Python only
when the loop's has nothing more to do."""

_lock = threading.Lock()


def _forget() -> None:
    """Begin anew: a forked child has runs of its own."""
    global _lock  # noqa: PLW0603 - a thread that is not here may hold the parent's
    _lock = threading.Lock()
    _past.clear()
    _new.clear()


fork.in_child(_forget)


def see(handle: Any) -> Seen:
    """Return what is known of a run, or a fleet, by now."""
    result = handle.result
    shown = result.masker.name
    is_fleet = hasattr(result, "runs")
    return Seen(
        handle=ref(handle),
        run_id=result.run_id,
        is_fleet=is_fleet,
        fleet="" if is_fleet else result.fleet,
        action=shown(result.action),
        target=shown(f"job {result.place.job}" if is_fleet else result.target),
        outcome=result.outcome,
        state=shown(result.state),
        exit_code=None if is_fleet else result.exit_code,
        started=result.started,
        ended=result.ended,
    )


def ended(handle: Any) -> None:
    """Remember one that has ended; in the loop's thread."""
    _new.append(handle)
    if len(_new) == 1:
        asyncio.get_running_loop().call_later(SOON_SECONDS, _settle)


def past() -> list[Seen]:
    """Return those that have ended, in that order."""
    _settle()
    return list(_past)


def _settle() -> None:
    with _lock:
        while _new:
            _past.append(see(_new.popleft()))
