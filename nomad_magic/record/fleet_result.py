"""`FleetResult`: one action in many allocations, as a value to compute with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from nomad_magic.record.facts import Outcome
from nomad_magic.record.fleet_facts import FleetFacts
from nomad_magic.record.masking import Masker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nomad_magic.record.fleet_record import FleetRecord
    from nomad_magic.record.result import ActionResult


@dataclass(slots=True, kw_only=True, repr=False, eq=False)
class FleetResult(FleetFacts, Mapping[str, "ActionResult"]):
    """The results of an action by the ids of the allocations that it ran in.

    It is there from the start, and filled in while the runs go on.  What is known are its
    first attributes (`FleetFacts`); the others are made of them.
    """

    rerunner: Callable[[list[str], str | None], FleetResult] | None = None
    """Runs it again in these allocations; not where the result has travelled."""

    def __getitem__(self, allocation: str) -> ActionResult:
        """Return the result of an allocation, by its id or the beginning of it.

        Raises:
            KeyError: There is none, or several begin so.
        """
        if allocation in self.runs:
            return self.runs[allocation]
        found = [key for key in self.runs if allocation and key.startswith(allocation)]
        if len(found) != 1:
            raise KeyError(allocation)
        return self.runs[found[0]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        return self.masker.shown(f"<FleetResult {self.action}: {self.state}>")

    @property
    def ok(self) -> bool:
        """Every run has ended with 0, and there was one."""
        return bool(self.runs) and all(run.ok for run in self.runs.values())

    @property
    def failed(self) -> dict[str, ActionResult]:
        """The runs that have ended otherwise than with 0, by their allocations' ids."""
        return {
            key: run
            for key, run in self.runs.items()
            if run.outcome not in (Outcome.RUNNING, Outcome.SUCCEEDED)
        }

    def rerun_failed(self, *, confirm: str | None = None) -> FleetResult:
        """Run the action once more in the allocations where it has not left with 0.

        Args:
            confirm: The action's name, where it is to be confirmed.

        Returns:
            The results of those alone.

        Raises:
            RuntimeError: There is no way to: the result has travelled.
            FleetFailed: It has failed again.
            NotConfirmed: It was not confirmed.
        """
        if self.rerunner is None:
            raise RuntimeError("This result was copied or read from a file; nothing can be rerun")
        return self.rerunner(list(self.failed), confirm)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each allocation.

        Raises:
            ImportError: pandas is not there.
        """
        import pandas as pd  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415 - where it is there

        rows = [
            {
                "allocation": key,
                "name": run.place.allocation_name,
                "node": run.place.node_name,
                "outcome": run.outcome.value,
                "exit_code": run.exit_code,
                "seconds": run.duration,
                "text": run.text,
            }
            for key, run in self.runs.items()
        ]
        return pd.DataFrame(rows).set_index("allocation") if rows else pd.DataFrame()

    def markdown(self) -> str:
        """Return the record as Markdown, for an incident's document."""
        return self._record().markdown()

    def record(self) -> str:
        """Return the record as text."""
        return self._record().text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from nomad_magic.record.fleet_card import fleet_bundle  # noqa: PLC0415 - as for a run's

        return fleet_bundle(self._record(), shown_as="value")[0]

    def _record(self) -> FleetRecord:
        from nomad_magic.record.fleet_record import FleetRecord  # noqa: PLC0415 - as for a run's

        return FleetRecord(self)

    def __getstate__(self) -> dict[str, Any]:
        """Travel without secrets, as the results in it do."""
        shown = self.masker.shown
        state = {one.name: getattr(self, one.name) for one in fields(self)}
        return state | {
            "rerunner": None,
            "journal": None,
            "masker": Masker(),
            "action": shown(self.action),
            "command_line": shown(self.command_line),
            "place": self.place.shown(self.masker),
            "notices": [shown(text) for text in self.notices],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
