"""The live view: a widget that shows the action's terminal, and whose Stop stops it."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from nomad_magic.notebook.kernel import control_channel
from nomad_magic.notebook.kernel.comm_pump import CommPump
from nomad_magic.notebook.live import widget
from nomad_magic.notebook.live.contract import DRAFT_OUTPUT, WIDGET_VIEW, Phase, rung_name
from nomad_magic.notebook.live.output import Output
from nomad_magic.notebook.live.pages import front_end
from nomad_magic.notebook.views.base import View
from nomad_magic.notebook.views.text import TextView
from nomad_magic.record.card import announcement, bundle, draft
from nomad_magic.record.record import Record
from nomad_magic.running import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.notebook.kernel.host import Host
    from nomad_magic.running.session import Session

PAGE_SECONDS: Final = 1.0
"""How long a flood waits for the page, which still has to load the view and needs the processor;
and how long the first action of a kernel waits for the size of the page's terminal."""

READY_SECONDS: Final = 3.0
"""When a front end of which no page has ever answered counts as one without widgets."""

LATE_SECONDS: Final = 10.0
"""The same where one has answered before."""

IDLE_SECONDS: Final = 0.5
"""How often a view looks that nothing wakes: a page that fell silent tells nobody."""

NO_PAGE: Final = (
    "No page has shown the live view in time (it needs {packages} where the Jupyter server runs), "
    "so the output is shown as text. ■ (interrupt) or Ctrl-C stops the action."
)

NO_PAGE_IN_BACKGROUND: Final = (
    "; no page has shown the live view yet (it needs {packages} where the Jupyter server runs): "
    ".stop() on its session stops it"
)

NOTHING: Final = {"text/plain": "", "text/html": ""}


class WidgetView(View["Session"]):
    """Shows a session in a widget, and the record in its place once it is over.

    Args:
        session: Not yet started.
        host: Where the cell runs.
        shell: The kernel's shell.
        background: The cell ends while the action goes on.
        literal: The line that runs stands in the cell as it is, and need not be shown again.
    """

    turn_seconds = 0.01

    def __init__(
        self,
        session: Session,
        host: Host,
        shell: InteractiveShell,
        *,
        background: bool = False,
        literal: bool = False,
    ) -> None:
        super().__init__(session, host)
        self._shell = shell
        self._literal = literal
        self._display = f"nomad-magic-{uuid4().hex}"
        self._head = f"{self._display}-head"
        self._pump = CommPump(shell)
        result = session.result
        widget.close_old()
        self._widget = widget.ActionWidget(
            assets=widget.assets().model_id,
            action=result.action,
            tty=result.tty,
            rows=host.size[0],
            rung=rung_name(session.next_stop),
            notice="\n".join(result.notices),
            background=background,
        )
        self._output = Output(session, self._widget, self.wake, widget.code)
        self._widget.on_msg(lambda _widget, content, _buffers: self._output.pages.hear(content))
        if background and control_channel.listen(shell, self._display, self._output.pages):
            self._widget.control = self._display
        self._announced: dict[str, str] = {}
        """What stands above the widget now."""
        self._text: TextView | None = None
        """Shows the output where no page does."""
        self._unseen = False
        """No page has shown a run in the background, nor any run before it."""
        self._opened = time.monotonic()
        self._awaits_output = True
        """Output wakes this thread; else it looks for it by itself."""

    def around(self) -> AbstractContextManager[object]:
        """Listen to the widget while the session runs."""
        return self._pumped()

    def open(self) -> None:
        """Show the widget, and above it what stays if the kernel or the page dies."""
        self.session.take_time(PAGE_SECONDS)
        self._draft()
        self._announce(update=False)
        view = {WIDGET_VIEW: self._widget.get_view_spec(), "text/plain": ""}
        self._publish(self._display, view, update=False)

    def prepare(self) -> None:
        """Give the terminal the page's size from its first frame on.

        Only the first action of a kernel waits for it, and only so long: a page that is not looked
        at says none.
        """
        if not self.session.result.tty:
            return
        if front_end.size is None and not front_end.asked and not self._widget.background:
            front_end.asked = True
            end = time.monotonic() + PAGE_SECONDS
            while front_end.size is None and not self.interrupts and time.monotonic() < end:
                self._pump.poll()
                super().pause()
        if front_end.size is not None:
            self.session.resize(*front_end.size)

    @contextmanager
    def _pumped(self) -> Iterator[None]:
        with CommPump(self._shell) as self._pump:
            # In the background the kernel is free to hear a click by itself.
            self._widget.pumped = self._pump.installed or self._widget.background
            yield

    def pause(self) -> None:
        """Wait a turn, or for the end; in the background until there is something to do.

        A cell's thread has to look for what pages say.  It does so each turn, and not for each
        piece of news: in a flood there is always some, and it would take the time that the event
        loop needs to read it.  In the background it sleeps: thirty that look each turn keep a
        processor busy, and the press of Stop waits for it.
        """
        if self._pump.installed:
            self.session.wait_done(self.turn_seconds)
            return
        # Before it looks: what comes from here on wakes it.
        self._awaits_output = True
        seconds = IDLE_SECONDS
        if self._text is not None:
            seconds = super().turn_seconds
        elif self._output.behind:
            # More of it is no news.
            self._awaits_output = False
            if (due := self._output.due) is not None:
                seconds = min(max(due - time.monotonic(), self.turn_seconds), IDLE_SECONDS)
        self.wait_news(seconds)

    def wake(self) -> None:
        """Wake the thread where it waits for that."""
        if not self._pump.installed:
            super().wake()

    def _heard(self, event: events.Event) -> None:
        if self._awaits_output or not isinstance(event, events.Output):
            self.wake()

    def show(self) -> None:
        """Hear the page, tell it what is new, and send output."""
        self._pump.poll()
        if self.session.done:
            # The record says it all, and should not wait behind anything.
            return
        self._tell()
        self._output.send()
        self._show_as_text()

    def _show_as_text(self) -> None:
        """Show the output as text once it is plain that no page shows it."""
        if self._text is not None:
            self._text.show()
            return
        seconds = LATE_SECONDS if front_end.answered else READY_SECONDS
        if self._output.pages or time.monotonic() - self._opened <= seconds:
            return
        if not self._widget.background:
            print(NO_PAGE.format(packages=widget.needed()), flush=True)  # noqa: T201 - in the cell
            self._text = TextView(self.session, self.host)
        elif not self._unseen and not front_end.answered:
            # Its cell is over, and takes no text; but what was displayed can be displayed anew.
            self._unseen = True
            self._announce()

    def end(self) -> None:
        """Put the record in the widget's place, then send the end to views that have none."""
        result = self.session.result
        head = self._announcement()
        # Looked at once: a page may answer at any moment.
        anew = self._text is not None or not (front_end.answered or self._widget.background)
        never_began = result.started is None and self.session.error is not None
        record, metadata = (NOTHING, {}) if never_began else bundle(Record(result))
        if anew or never_began:
            # The record stands elsewhere; of a run that never began the error says all there is.
            self._publish(self._display, NOTHING, update=True)
        else:
            self._publish(self._display, record, metadata=metadata, update=True)
        if anew and not never_began:
            self._show_anew()
        # Last: VS Code may lose what comes last from a cell, and the line above is true either way.
        self._publish(self._head, head, update=True)
        self._output.finish()
        with self._widget.hold_sync():
            self._tell()
            self._widget.status = result.masker.name(result.state)
            self._widget.outcome = str(result.outcome)
            self._widget.phase = Phase.ENDED.value
        self._output.keep(
            {
                "widget": self._widget.model_id,
                "before": self._announced["text/plain"],
                "head": head,
                "record": record,
                "metadata": metadata,
            }
        )
        if not self._output.reloaded:
            widget.close_later(self._widget)
        # A page that was reloaded in mid-run may show nothing but the widget.

    def _show_anew(self) -> None:
        """Show the record where the front end may not show updates, the output only once."""
        if self._text is not None:
            self._text.end()
        data, metadata = bundle(Record(self.session.result), output=self._text is None)
        self._shell.display_pub.publish(data, metadata)

    def _announcement(self) -> dict[str, str]:
        """Return what stands above the widget, as far as the run has got."""
        result = self.session.result
        made = announcement(result, line=not self._literal)
        if self._unseen and not self.session.done:
            made["text/plain"] += NO_PAGE_IN_BACKGROUND.format(packages=widget.needed())
        if result.journal is not None:
            result.journal("line", made, {})
        return made

    def _announce(self, *, update: bool = True) -> None:
        self._announced = self._announcement()
        self._publish(self._head, self._announced, update=update)

    def _draft(self) -> None:
        """Have the page know what to put in the widget's place should this kernel be gone."""
        record, metadata = draft(self.session.result, DRAFT_OUTPUT)
        widget_id = self._widget.model_id
        self._widget.draft = {"widget": widget_id, "record": record, "metadata": metadata}

    def _tell(self) -> None:
        shown, session = self._widget, self.session
        with shown.hold_sync():
            shown.target = session.result.target
            shown.rung = rung_name(session.next_stop)
            shown.climbed = rung_name(session.rung)
            last = session.result.deeds[-1:]
            shown.deed = last[0].words if last and last[0].rung is session.rung else ""
            shown.notice = "\n".join(session.result.notices)
            if shown.phase == Phase.STARTING.value and session.result.started and not session.done:
                shown.elapsed_ms = session.elapsed * 1000
                shown.when = f"{session.result.started:%H:%M:%S}"
                shown.phase = Phase.RUNNING.value
                self._draft()
                self._announce()

    def _publish(
        self,
        display: str,
        data: dict[str, str],
        *,
        update: bool,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        transient = {"display_id": display}
        self._shell.display_pub.publish(data, metadata, transient=transient, update=update)
