"""How many runs are shown in a cell: how far they are, and in the end their record.

Where a person sits at a notebook the picture is drawn anew while they run; where nobody does, and
in a terminal, a line says what begins, and the record what came of it.
"""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from nomad_magic.notebook.views.base import View
from nomad_magic.record import style
from nomad_magic.record.facts import Outcome
from nomad_magic.record.fleet_card import fleet_bundle
from nomad_magic.record.fleet_record import FleetRecord
from nomad_magic.record.humanize import seconds

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.notebook.kernel.host import Host
    from nomad_magic.record.result import ActionResult
    from nomad_magic.running.fleet import Fleet

DRAW_SECONDS: Final = 0.5
"""How often the picture is drawn anew."""

ROWS: Final = 20
"""How many runs it lists: those that have failed first, then those that run."""


class FleetView(View["Fleet"]):
    """Shows a fleet as text, and its record at the end.

    Args:
        fleet: Not yet started.
        host: Where the cell runs.
        shell: Its shell.
        live: Someone looks: draw how far it is.
    """

    def __init__(
        self, fleet: Fleet, host: Host, shell: InteractiveShell, *, live: bool = False
    ) -> None:
        super().__init__(fleet, host)
        self._shell = shell
        self._live = live
        self._display = f"nomad-magic-{uuid4().hex}"
        self._told = False
        self._drawn = 0.0
        self._shown = False

    def open(self) -> None:
        """Have nothing begin before it is said what will."""
        self.session.hold()

    def show(self) -> None:
        """Say what begins, once that is known; draw how far it is."""
        fleet = self.session
        if not fleet.located:
            return
        if not self._told:
            self._told = True
            if fleet.result.runs:
                print(self._beginning(), flush=True)  # noqa: T201 - in the cell
            fleet.go()
        if self._live and not fleet.done and time.monotonic() - self._drawn >= DRAW_SECONDS:
            self._drawn = time.monotonic()
            self._publish({"text/plain": self._line(), "text/html": self._picture()}, {})

    def end(self) -> None:
        """Show the record in the picture's place."""
        self.show()
        fleet = self.session
        if not fleet.result.runs:
            # Of what never began the error says all there is.
            return
        data, metadata = fleet_bundle(FleetRecord(fleet.result))
        if self.host.kernel:
            self._publish(data, metadata)
        else:
            print(data["text/plain"], flush=True)  # noqa: T201 - in a terminal

    def _publish(self, data: dict[str, str], metadata: dict[str, Any]) -> None:
        transient = {"display_id": self._display}
        update, self._shown = self._shown, True
        self._shell.display_pub.publish(data, metadata, transient=transient, update=update)

    def _beginning(self) -> str:
        """Return what runs where, what is left out, and what the user should know."""
        record = FleetRecord(self.session.result)
        return record.result.masker.text("\n".join([record.beginning, *record.warnings]))

    def _line(self) -> str:
        """Return how far it is, in a line."""
        fleet = self.session
        took = seconds(fleet.elapsed)
        return fleet.result.masker.shown(f"▶ {fleet.result.action} · {fleet.result.state} · {took}")

    def _picture(self) -> str:
        """Return how far it is, as HTML."""
        result = self.session.result
        shown, runs = result.masker.shown, result.runs
        ended = sum(run.outcome is not Outcome.RUNNING for run in runs.values())
        label = f"{ended} of {len(runs)} have ended"
        rows = sorted(runs.items(), key=lambda one: _urgency(one[1]))[:ROWS]
        labels = result.labels
        table = "".join(
            f'<tr style="background:transparent"><th scope="row" style="{style.LABEL}">'
            f"{escape(shown(labels[key]))}</th>"
            f'<td style="{style.CELL}">{run.outcome.sign} {escape(shown(run.ending))}</td></tr>'
            for key, run in rows
        )
        more = len(runs) - len(rows)
        rest = f'<div style="{style.MUTED}">and {more} more</div>' if more else ""
        return (
            f'<div class="nomad-magic {style.NO_MATH}" style="{style.FRAME}">'
            + style.bar(
                Outcome.RUNNING,
                shown(result.action),
                shown(f"{result.state} · {seconds(self.session.elapsed)}"),
                shown(FleetRecord(result).target),
                result.started,
            )
            + f'<div style="{style.BAR};{style.LINE}">'
            f'<progress max="{len(runs)}" value="{ended}" aria-label="{label}"'
            f' style="width:100%"></progress>'
            f'<table style="margin:4px 0 0;border:0;font-size:inherit">{table}</table>{rest}'
            f'<div style="{style.MUTED}">■ (interrupt) stops all of them.</div></div></div>'
        )


def _urgency(run: ActionResult) -> int:
    """Order those that have failed before those that run, and the others after them."""
    if run.outcome is Outcome.RUNNING:
        return 1 if run.started is not None else 2
    return 3 if run.outcome is Outcome.SUCCEEDED else 0
