"""One run in a widget of its own: alone in its cell, or opened from a fleet's row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomad_magic.notebook.live import widget
from nomad_magic.notebook.live.contract import rung_name
from nomad_magic.notebook.live.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.running.session import Session


class LiveRun:
    """Keeps a widget true to a run.

    Args:
        session: The run, in whatever state it is.
        rows: How many rows its terminal has.
        wake: Called, from any thread, when a page has said something.
        background: No cell waits for it.

    Attributes:
        session: The run.
        widget: The widget.
        feed: Sends it the output.
    """

    def __init__(
        self, session: Session, *, rows: int, wake: Callable[[], None], background: bool
    ) -> None:
        self.session = session
        result = session.result
        self.widget = widget.ActionWidget(
            assets=widget.assets().model_id,
            action=result.action,
            tty=result.tty,
            rows=rows,
            rung=rung_name(session.next_stop),
            notice="\n".join(result.notices),
            background=background,
        )
        self.feed = Output(session, self.widget, wake, widget.code)
        self.widget.on_msg(lambda _widget, content, _buffers: self.feed.pages.hear(content))

    def tell(self) -> bool:
        """Tell the widget what is new; return whether that is that it runs."""
        shown, session = self.widget, self.session
        result = session.result
        with shown.hold_sync():
            shown.target = result.target
            shown.rung = rung_name(session.next_stop)
            shown.climbed = rung_name(session.rung)
            last = result.deeds[-1:]
            shown.deed = last[0].words if last and last[0].rung is session.rung else ""
            shown.notice = "\n".join(result.notices)
            return shown.begin(result.started, session.elapsed)

    def end(self) -> None:
        """Tell the widget how it ended."""
        with self.widget.hold_sync():
            self.tell()
            self.widget.end(self.session.result)


class OpenedRow(LiveRun):
    """A fleet's row whose output a page shows: its run may have ended before, as any."""

    _over = False

    def show(self) -> None:
        """Tell the widget what is new, and send output."""
        if self._over:
            self.feed.send()
            return
        over = self.session.done
        self.tell()
        self.feed.send()
        # Of a run that is over already a page is to have the output before it hears of the end:
        # then it does not wait for a kernel that is busy with another cell.
        if over and self.feed.pages.any_fed:
            self._over = True
            self.feed.finish()
            self.end()

    def close(self) -> None:
        """No page shows it any more."""
        widget.close_later(self.widget)
