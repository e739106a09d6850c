"""What live views have in common: a widget while it runs, the record in its place at the end."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from uuid import uuid4

from nomad_magic.notebook.kernel import control_channel
from nomad_magic.notebook.kernel.comm_pump import CommPump
from nomad_magic.notebook.live import widget
from nomad_magic.notebook.live.contract import WIDGET_VIEW
from nomad_magic.notebook.live.pages import front_end
from nomad_magic.notebook.live.widget import Ending
from nomad_magic.notebook.views.base import Shown, View
from nomad_magic.running import events, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.notebook.kernel.host import Host
    from nomad_magic.notebook.live.feed import Feed

    Bundle = tuple[dict[str, str], dict[str, Any]]
    """Something by its MIME types, and its metadata."""

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


class Result(Ending, Protocol):
    """What a live view knows of what came of it."""

    started: datetime | None
    journal: Callable[[str, Mapping[str, str], Mapping[str, Any]], None] | None


class ShownLive(Shown, Protocol):
    """What can be shown in a widget."""

    error: Any

    @property
    def result(self) -> Result:
        """What is known of it."""


class AsText(Protocol):
    """What shows it where no page does."""

    def show(self) -> None:
        """Show what is new."""

    def end(self) -> None:
        """Show the rest."""


L = TypeVar("L", bound=ShownLive)


class LiveView(View[L]):
    """Shows something in a widget, and its record in the widget's place once it is over.

    Args:
        session: Not yet started.
        host: Where the cell runs.
        shell: The kernel's shell.
        background: The cell ends while it goes on.
        literal: The line that runs stands in the cell as it is, and need not be shown again.
    """

    turn_seconds = 0.01

    def __init__(
        self,
        session: L,
        host: Host,
        shell: InteractiveShell,
        *,
        background: bool = False,
        literal: bool = False,
    ) -> None:
        super().__init__(session, host)
        self._shell = shell
        self._literal = literal
        self._background = background
        self._display = f"nomad-magic-{uuid4().hex}"
        self._head = f"{self._display}-head"
        self._pump = CommPump(shell)
        # Who waits for a line of a run in the background hears its page meanwhile.
        waiting.here.pump = partial(CommPump, shell)
        widget.close_old()
        self._widget, self._feed = self.make_widget()
        if background and self.listen_by_control(self._display, self._feed):
            self._widget.control = self._display
        self._announced: dict[str, str] = {}
        """What stands above the widget now."""
        self._text: AsText | None = None
        """Shows it where no page does."""
        self._unseen = False
        """No page has shown what runs in the background, nor anything before it."""
        self._opened = time.monotonic()
        self._awaits_output = True
        """Output wakes this thread; else it looks for it by itself."""

    @abstractmethod
    def make_widget(self) -> tuple[widget.LiveWidget, Feed]:
        """Make the widget, and what feeds it."""

    @abstractmethod
    def tell(self) -> bool:
        """Tell the widget what is new; return whether that is that it runs."""

    @abstractmethod
    def draft(self) -> Bundle:
        """Return what is to stand in the widget's place should this kernel be gone."""

    @abstractmethod
    def announcement(self) -> dict[str, str]:
        """Return what stands above the widget, as far as it has got."""

    @abstractmethod
    def record(self, *, output: bool = True) -> Bundle:
        """Return the record.

        Args:
            output: With the output; without it where that stands above.
        """

    @abstractmethod
    def as_text(self) -> AsText:
        """Return what shows it where no page does."""

    def around(self) -> AbstractContextManager[object]:
        """Listen to the widget while it runs."""
        return self._pumped()

    def open(self) -> None:
        """Show the widget, and above it what stays if the kernel or the page dies."""
        self._draft()
        self._announce(update=False)
        view = {WIDGET_VIEW: self._widget.get_view_spec(), "text/plain": ""}
        self._publish(self._display, view, update=False)

    @contextmanager
    def _pumped(self) -> Iterator[None]:
        with CommPump(self._shell) as self._pump:
            # In the background the kernel is free to hear a click by itself.
            self._widget.pumped = self._pump.installed or self._background
            yield

    def listen_by_control(self, name: str, feed: Feed) -> bool:
        """Hear the pages of a feed on the control channel; return whether there is one."""
        return control_channel.listen(self._shell, name, feed.pages)

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
        elif self._feed.behind:
            # More of it is no news.
            self._awaits_output = False
            if (due := self.due()) is not None:
                seconds = min(max(due - time.monotonic(), self.turn_seconds), IDLE_SECONDS)
        self.wait_news(seconds)

    def due(self) -> float | None:
        """When there is something to send; None while no page has room for it."""
        return self._feed.due

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
        if self.tell():
            self._draft()
            self._announce()
        self._feed.send()
        self._show_as_text()

    def _show_as_text(self) -> None:
        """Show the output as text once it is plain that no page shows it."""
        if self._text is not None:
            self._text.show()
            return
        seconds = LATE_SECONDS if front_end.answered else READY_SECONDS
        if self._feed.pages or time.monotonic() - self._opened <= seconds:
            return
        if not self._background:
            print(NO_PAGE.format(packages=widget.needed()), flush=True)  # noqa: T201 - in the cell
            self._text = self.as_text()
        elif not self._unseen and not front_end.answered:
            # Its cell is over, and takes no text; but what was displayed can be displayed anew.
            self._unseen = True
            self._announce()

    def end(self) -> None:
        """Put the record in the widget's place, then send the end to views that have none."""
        head = self._announcement()
        # Looked at once: a page may answer at any moment.
        anew = self._text is not None or not (front_end.answered or self._background)
        never_began = self.session.result.started is None and self.session.error is not None
        record, metadata = (NOTHING, {}) if never_began else self.record()
        if anew or never_began:
            # The record stands elsewhere; of a run that never began the error says all there is.
            self._publish(self._display, NOTHING, update=True)
        else:
            self._publish(self._display, record, metadata=metadata, update=True)
        if anew and not never_began:
            self._show_anew()
        # Last: VS Code may lose what comes last from a cell, and the line above is true either way.
        self._publish(self._head, head, update=True)
        self._feed.finish()
        with self._widget.hold_sync():
            self.tell()
            self._widget.end(self.session.result)
        self._feed.keep(
            {
                "widget": self._widget.model_id,
                "before": self._announced["text/plain"],
                "head": head,
                "record": record,
                "metadata": metadata,
            }
        )
        if not self._feed.reloaded:
            widget.close_later(self._widget)
        # A page that was reloaded in mid-run may show nothing but the widget.

    def _show_anew(self) -> None:
        """Show the record where the front end may not show updates, the output only once."""
        if self._text is not None:
            self._text.end()
        data, metadata = self.record(output=self._text is None)
        self._shell.display_pub.publish(data, metadata)

    def _announcement(self) -> dict[str, str]:
        """Return what stands above the widget, and that no page shows it where that is so."""
        made = self.announcement()
        if self._unseen and not self.session.done:
            made["text/plain"] += NO_PAGE_IN_BACKGROUND.format(packages=widget.needed())
        if (journal := self.session.result.journal) is not None:
            journal("line", made, {})
        return made

    def _announce(self, *, update: bool = True) -> None:
        self._announced = self._announcement()
        self._publish(self._head, self._announced, update=update)

    def _draft(self) -> None:
        """Have the page know what to put in the widget's place should this kernel be gone."""
        record, metadata = self.draft()
        widget_id = self._widget.model_id
        self._widget.draft = {"widget": widget_id, "record": record, "metadata": metadata}

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
