"""Runs in the background where no page shows them: their records, in the cells that began them.

A runner such as nbclient or papermill keeps what is shown while a cell runs, and drops what comes
between two cells or after the last one (measured on nbclient 0.10).  So a cell has a line about its
run from the beginning, and whichever cell ends next brings it up to date, in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import uuid4

from nomad_magic.record import card, fleet_card
from nomad_magic.record.fleet_record import FleetRecord
from nomad_magic.record.record import Record
from nomad_magic.running.session import Session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.running.fleet import Fleet

Bundle: TypeAlias = tuple[dict[str, str], dict[str, Any]]

NOTHING: Final[Bundle] = ({"text/plain": "", "text/html": ""}, {})


@dataclass
class _Shown:
    """What a cell shows of one run, or of many: a line, and below it the record.

    Attributes:
        handle: What runs.
        whole: The line that runs is in the line, as it is not in the cell.
        display: The beginning of the ids of both.
        last: What they show now.
    """

    handle: Session | Fleet
    whole: bool
    display: str = field(default_factory=lambda: f"nomad-magic-{uuid4().hex}")
    last: dict[str, Bundle] = field(default_factory=dict)

    def now(self) -> dict[str, Bundle]:
        """Return what they should show, by their ids."""
        handle, over = self.handle, self.handle.done
        record: Bundle = NOTHING
        if isinstance(handle, Session):
            line = card.announcement(handle.result, line=self.whole)
            if over and handle.result.started is not None:
                record = card.bundle(Record(handle.result))
        else:
            facts = FleetRecord(handle.result)
            line = fleet_card.fleet_announcement(facts, line=self.whole, over=over)
            if over and handle.result.runs:
                record = fleet_card.fleet_bundle(facts)
        head = f"{self.display}-head"
        journal = handle.result.journal
        if journal is not None and self.last.get(head) != (line, {}):
            journal("line", line, {})
        return {head: (line, {}), self.display: record}


class BackgroundRecords:
    """Brings the cells of runs in the background up to date.

    Args:
        shell: The kernel's shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._shown: list[_Shown] = []

    def begin(self, handle: Session | Fleet, *, literal: bool) -> None:
        """Show in its cell what is to run in the background.

        Args:
            handle: Not yet started.
            literal: The line that runs stands in the cell as it is.
        """
        shown = _Shown(handle, whole=not literal)
        self._show(shown, update=False)
        if not self._shown:
            self._shell.events.register("post_run_cell", self._bring_up_to_date)
        self._shown.append(shown)

    def close(self) -> None:
        """Look after none of them any more."""
        if self._shown:
            self._shell.events.unregister("post_run_cell", self._bring_up_to_date)
        self._shown.clear()

    def _bring_up_to_date(self, _result: object) -> None:
        left = [shown for shown in self._shown if not shown.handle.done]
        for shown in self._shown:
            self._show(shown, update=True)
        if not left:
            self.close()
        self._shown = left

    def _show(self, shown: _Shown, *, update: bool) -> None:
        before, shown.last = shown.last, shown.now()
        for display, made in shown.last.items():
            if made != before.get(display):
                data, metadata = made
                transient = {"display_id": display}
                self._shell.display_pub.publish(data, metadata, transient=transient, update=update)
