"""The live view of many runs: a row for each, the output of one on demand, a Stop for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomad_magic.notebook.live import widget
from nomad_magic.notebook.live.contract import DRAFT_OUTPUT, rung_name
from nomad_magic.notebook.live.rows import Rows
from nomad_magic.notebook.live.run import OpenedRow
from nomad_magic.notebook.views.fleet import FleetView
from nomad_magic.notebook.views.live import LiveView
from nomad_magic.record.fleet_card import fleet_announcement, fleet_bundle, fleet_draft
from nomad_magic.record.fleet_record import FleetRecord

if TYPE_CHECKING:
    from nomad_magic.notebook.live.feed import Feed
    from nomad_magic.notebook.views.live import AsText, Bundle
    from nomad_magic.running.fleet import Fleet
    from nomad_magic.running.session import Session


class FleetWidgetView(LiveView["Fleet"]):
    """Shows a fleet in a widget, and the record in its place once it is over."""

    session: Fleet
    turn_seconds = 0.05

    def make_widget(self) -> tuple[widget.LiveWidget, Feed]:
        """Make the widget, and what feeds it."""
        fleet = self.session
        made = widget.FleetWidget(
            assets=widget.assets().model_id,
            action=fleet.result.action,
            rung=rung_name(fleet.next_stop),
            background=self._background,
        )
        self._rows = Rows(fleet, made, self.wake, widget.code)
        self._opened_rows: dict[int, OpenedRow] = {}
        made.on_msg(lambda _widget, content, _buffers: self._rows.pages.hear(content))
        self._said = False
        self._warned: tuple[bool, int, int] | None = None
        """Of how much the widget knows: whether of the place, and of how many warnings."""
        return made, self._rows

    def open(self) -> None:
        """Show the widget, and have nothing begin before it is said what will."""
        self.session.hold()
        super().open()

    def show(self) -> None:
        """Hear the pages, tell them what is new, show the rows that they have opened."""
        fleet = self.session
        if fleet.located and not self._said:
            self._said = True
            self.tell()
            self._announce()
            fleet.go()
        super().show()
        if not fleet.done:
            self._show_opened()

    def tell(self) -> bool:
        """Tell the widget what is new; return whether that is that it runs."""
        shown, fleet = self._widget, self.session
        result = fleet.result
        said = (fleet.located, len(result.left_out), len(result.notices))
        with shown.hold_sync():
            shown.rung = rung_name(fleet.next_stop)
            shown.climbed = rung_name(fleet.rung)
            if said != self._warned:
                self._warned = said
                record = FleetRecord(result)
                shown.target = result.masker.shown(record.target)
                shown.notice = result.masker.text("\n".join(record.warnings))
            return self._widget.begin(result.started, fleet.elapsed)

    def end(self) -> None:
        """Put the record in the widget's place."""
        for row in self._opened_rows.values():
            row.close()
        super().end()

    def draft(self) -> Bundle:
        """Return what is to stand in the widget's place should this kernel be gone."""
        return fleet_draft(FleetRecord(self.session.result), DRAFT_OUTPUT)

    def announcement(self) -> dict[str, str]:
        """Return what stands above the widget, as far as the fleet has got."""
        record = FleetRecord(self.session.result)
        return fleet_announcement(record, line=not self._literal, over=self.session.done)

    def record(self, *, output: bool = True) -> Bundle:
        """Return the record of the fleet."""
        return fleet_bundle(FleetRecord(self.session.result), output=output)

    def as_text(self) -> AsText:
        """Return the view that draws a picture."""
        return FleetView(self.session, self.host, self._shell, live=True)

    def _show_opened(self) -> None:
        """Show the output of the rows that pages have opened, and of no others."""
        rows = self._rows
        shown = set(rows.shown().values())
        for number in list(self._opened_rows):
            opened = self._opened_rows[number]
            if number not in shown or opened.session is not self._session_of(number):
                self._opened_rows.pop(number).close()
        asked = rows.asked()
        for number in shown:
            session = self._session_of(number)
            if number in self._opened_rows:
                if number in asked:
                    rows.tell_row(number, self._opened_rows[number].widget.model_id)
            elif session is not None:
                self._open_row(number, session)
        for opened in self._opened_rows.values():
            opened.show()

    def _session_of(self, number: int) -> Session | None:
        return self.session.session(self._rows.key(number))

    def _open_row(self, number: int, session: Session) -> None:
        opened = OpenedRow(
            session, rows=self.host.size[0], wake=self.wake, background=self._background
        )
        name, shown = f"{self._display}-{number}", opened.widget
        if self._background and self.listen_by_control(name, opened.feed):
            shown.control = name
        shown.pumped = self._widget.pumped
        self._opened_rows[number] = opened
        self._rows.tell_row(number, shown.model_id)

    def due(self) -> float | None:
        """When there is something to send; None while no page has room for it."""
        feeds = [opened.feed for opened in self._opened_rows.values()]
        dues = [self._rows.due, *(feed.due for feed in feeds if feed.behind)]
        return min((due for due in dues if due is not None), default=None)
