"""The live view of one run: the action's terminal, and a Stop that stops it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from nomad_magic.notebook.live.contract import DRAFT_OUTPUT
from nomad_magic.notebook.live.pages import front_end
from nomad_magic.notebook.live.run import LiveRun
from nomad_magic.notebook.views.live import LiveView
from nomad_magic.notebook.views.text import TextView
from nomad_magic.record.card import announcement, bundle, draft
from nomad_magic.record.record import Record

if TYPE_CHECKING:
    from nomad_magic.notebook.live.feed import Feed
    from nomad_magic.notebook.live.widget import LiveWidget
    from nomad_magic.notebook.views.live import AsText, Bundle
    from nomad_magic.running.session import Session

PAGE_SECONDS: Final = 1.0
"""How long a flood waits for the page, which still has to load the view and needs the processor;
and how long the first action of a kernel waits for the size of the page's terminal."""


class WidgetView(LiveView["Session"]):
    """Shows a session in a widget, and the record in its place once it is over."""

    session: Session

    def make_widget(self) -> tuple[LiveWidget, Feed]:
        """Make the widget, and what feeds it."""
        self._live = LiveRun(
            self.session, rows=self.host.size[0], wake=self.wake, background=self._background
        )
        return self._live.widget, self._live.feed

    def open(self) -> None:
        """Show the widget, and have a flood wait for it."""
        self.session.take_time(PAGE_SECONDS)
        super().open()

    def prepare(self) -> None:
        """Give the terminal the page's size from its first frame on.

        Only the first action of a kernel waits for it, and only so long: a page that is not looked
        at says none.
        """
        if not self.session.result.tty:
            return
        if front_end.size is None and not front_end.asked and not self._background:
            front_end.asked = True
            end = time.monotonic() + PAGE_SECONDS
            while front_end.size is None and not self.interrupts and time.monotonic() < end:
                self._pump.poll()
                super().pause()
        if front_end.size is not None:
            self.session.resize(*front_end.size)

    def tell(self) -> bool:
        """Tell the widget what is new; return whether that is that it runs."""
        return self._live.tell()

    def draft(self) -> Bundle:
        """Return what is to stand in the widget's place should this kernel be gone."""
        return draft(self.session.result, DRAFT_OUTPUT)

    def announcement(self) -> dict[str, str]:
        """Return what stands above the widget, as far as the run has got."""
        return announcement(self.session.result, line=not self._literal)

    def record(self, *, output: bool = True) -> Bundle:
        """Return the record of the run."""
        return bundle(Record(self.session.result), output=output)

    def as_text(self) -> AsText:
        """Return the text view."""
        return TextView(self.session, self.host)
