"""One run in a widget of its own: alone in its cell, or opened from a fleet's row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomad_magic.notebook.live import widget
from nomad_magic.notebook.live.contract import Phase, rung_name
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
        widget: The widget.
        feed: Sends it the output.
    """

    def __init__(
        self, session: Session, *, rows: int, wake: Callable[[], None], background: bool
    ) -> None:
        self._session = session
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
        shown, session = self.widget, self._session
        result = session.result
        begins = shown.phase == Phase.STARTING.value and result.started is not None
        with shown.hold_sync():
            shown.target = result.target
            shown.rung = rung_name(session.next_stop)
            shown.climbed = rung_name(session.rung)
            last = result.deeds[-1:]
            shown.deed = last[0].words if last and last[0].rung is session.rung else ""
            shown.notice = "\n".join(result.notices)
            if begins and result.started is not None:
                shown.elapsed_ms = session.elapsed * 1000
                shown.when = f"{result.started:%H:%M:%S}"
                shown.phase = Phase.RUNNING.value
        return begins

    def end(self) -> None:
        """Tell the widget how it ended."""
        with self.widget.hold_sync():
            self.tell()
            self.widget.end(self._session.result)


class OpenedRow:
    """A fleet's row whose output a page shows.

    Args:
        session: Its run, in whatever state it is.
        rows: How many rows its terminal has.
        wake: Called, from any thread, when a page has said something.
        background: No cell waits for it.

    Attributes:
        session: The run.
        run: It in its widget.
    """

    def __init__(
        self, session: Session, *, rows: int, wake: Callable[[], None], background: bool
    ) -> None:
        self.session = session
        self._over = False
        self.run = LiveRun(session, rows=rows, wake=wake, background=background)

    def show(self) -> None:
        """Tell the widget what is new, and send output."""
        feed = self.run.feed
        if self._over:
            feed.send()
            return
        over = self.session.done
        self.run.tell()
        feed.send()
        # Of a run that is over already a page is to have the output before it hears of the end:
        # then it does not wait for a kernel that is busy with another cell.
        if over and feed.pages.any_fed:
            self._over = True
            feed.finish()
            self.run.end()

    def close(self) -> None:
        """No page shows it any more."""
        widget.close_later(self.run.widget)
