"""A run of a fleet that was not begun yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nomad_magic.record.facts import Outcome, Rung

if TYPE_CHECKING:
    from nomad_magic.record.fleet_result import FleetResult


class Begins(Protocol):
    """What begins it: a `Fleet`."""

    result: FleetResult

    @property
    def stopped(self) -> bool:
        """Someone asked for the end of all."""

    def give_up(self, key: str) -> None:
        """Do not begin the run in an allocation; where it was begun meanwhile, stop it."""


class Waiting:
    """A run of a fleet that was not begun yet: to stop it is to give it up.

    Args:
        fleet: The fleet.
        key: Its allocation's id.
    """

    def __init__(self, fleet: Begins, key: str) -> None:
        self._fleet, self._key = fleet, key

    @property
    def stopped(self) -> bool:
        """It will not be begun."""
        run = self._fleet.result.runs[self._key]
        return self._fleet.stopped or run.outcome is not Outcome.RUNNING

    @property
    def next_stop(self) -> Rung:
        """The rung that the next `stop` climbs."""
        return Rung.NONE if self.stopped else Rung.GIVE_UP

    def stop(self) -> None:
        """Do not begin it, or stop it where it was begun meanwhile."""
        self._fleet.give_up(self._key)
