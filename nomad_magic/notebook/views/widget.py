"""The live view: a widget that shows the action's terminal, and whose Stop stops it.

The widget's code (`frontend/`) is sent once per kernel, by a model of its own; an action's
model holds what is shown around the terminal, and its comm carries the output (`feed`).
"""

from __future__ import annotations

import hashlib
import time
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import anywidget
from ipywidgets import Widget
from traitlets import Bool, Float, Int, Unicode

from nomad_magic.notebook.kernel import control_channel
from nomad_magic.notebook.kernel.comm_pump import CommPump
from nomad_magic.notebook.live.output import Feed
from nomad_magic.notebook.views.base import View
from nomad_magic.record.record import Record, announcement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.notebook.kernel.host import Surroundings
    from nomad_magic.run.session import Session

STATIC: Final = Path(__file__).parent / "static"

WIDGET_VIEW: Final = "application/vnd.jupyter.widget-view+json"

PAGE_SECONDS: Final = 1.0
"""How long a flood waits for the page, which still has to load the view and needs the processor."""

LINGER_SECONDS: Final = 5.0
"""How long a widget stays after its run is over."""

STOP_HINTS: Final = {
    "Stop": "Sends Ctrl-C to the action.",
    "Force stop": "Sends Ctrl-\\ to the action, which ends what ignores Ctrl-C.",
    "Disconnect": "Closes the connection; the process may go on.",
    "": "",
}


def built() -> bool:
    """Whether the front end's code is here; a source tree that was never installed has none."""
    return all((STATIC / name).is_file() for name in ("loader.js", "view.js"))


class Assets(Widget):  # type: ignore[misc]  # ipywidgets has no types
    """The code of the view, held by the page's widget manager: one for each kernel."""

    code = Unicode().tag(sync=True)
    version = Unicode().tag(sync=True)


class ActionWidget(anywidget.AnyWidget):
    """What is shown around one action's terminal."""

    _esm = STATIC / "loader.js" if built() else ""

    assets = Unicode().tag(sync=True)
    action = Unicode().tag(sync=True)
    target = Unicode().tag(sync=True)
    phase = Unicode("starting").tag(sync=True)
    status = Unicode().tag(sync=True)
    outcome = Unicode().tag(sync=True)
    elapsed_ms = Float(0.0).tag(sync=True)
    stop_label = Unicode().tag(sync=True)
    stop_hint = Unicode().tag(sync=True)
    tty = Bool().tag(sync=True)
    rows = Int(24).tag(sync=True)
    pumped = Bool().tag(sync=True)
    notice = Unicode().tag(sync=True)
    background = Bool().tag(sync=True)
    control = Unicode().tag(sync=True)


_assets: list[Assets] = []
_over: list[tuple[float, ActionWidget]] = []
"""The widgets of runs that are over, and since when."""


def _close_old() -> None:
    """Close the widgets that no page speaks to any more.

    Not at once: a page may still acknowledge what it was sent, and for a comm that is closed
    ipykernel writes a warning into whatever cell comes next.
    """
    now = time.monotonic()
    while _over and now - _over[0][0] > LINGER_SECONDS:
        _over.pop(0)[1].close()


def assets() -> Assets:
    """Give this kernel's assets; the first call sends them to the page."""
    # A kernel that closes all its widgets (`Widget.close_all`) needs them sent again.
    if not _assets or _assets[0].comm is None:
        code = (STATIC / "view.js").read_text()
        version = hashlib.sha256(code.encode()).hexdigest()[:16]
        _assets[:] = [Assets(code=code, version=version)]
    return _assets[0]


class WidgetView(View):
    """Shows a session in a widget, and the record in its place once it is over."""

    turn_seconds = 0.01

    def __init__(
        self,
        session: Session,
        surroundings: Surroundings,
        shell: InteractiveShell,
        *,
        background: bool = False,
    ) -> None:
        super().__init__(session, surroundings)
        self._shell = shell
        self._display = f"nomad-magic-{uuid4().hex}"
        self._head = f"{self._display}-head"
        self._pump = CommPump(shell)
        result = session.result
        _close_old()
        self._widget = ActionWidget(
            assets=assets().model_id,
            action=result.action,
            tty=result.tty,
            rows=surroundings.size[0],
            stop_label="Stop",
            stop_hint=STOP_HINTS["Stop"],
            notice="\n".join(result.notices),
            background=background,
        )
        self._feed = Feed(session, self._widget, self.wake)
        if background and control_channel.listen(shell, self._display, self._feed):
            self._widget.control = self._display
        self._announced: dict[str, str] = {}
        """What stands above the widget now."""

    def around(self) -> AbstractContextManager[object]:
        """Listen to the widget while the session runs."""
        return self._pumped()

    def open(self) -> None:
        """Show the widget, and above it what stays if the kernel or the page dies."""
        self.session.take_time(PAGE_SECONDS)
        self._announced = announcement(self.session.result)
        self._publish(self._head, self._announced, update=False)
        view = {WIDGET_VIEW: self._widget.get_view_spec(), "text/plain": ""}
        self._publish(self._display, view, update=False)

    @contextmanager
    def _pumped(self) -> Iterator[None]:
        with CommPump(self._shell) as self._pump:
            # In the background the kernel is free to hear a click by itself.
            self._widget.pumped = self._pump.installed or self._widget.background
            yield

    def pause(self) -> None:
        """Wait a turn, or for the end.

        Not for each piece of news: in a flood there is always some, and this thread would take
        the time that the event loop needs to read it.
        """
        self.session.wait_done(self.turn_seconds)

    def show(self) -> None:
        """Hear the page, tell it what is new, and send output."""
        self._pump.poll()
        if self.session.done:
            # The record says it all, and should not wait behind anything.
            return
        self._tell()
        self._feed.send()

    def end(self) -> None:
        """Put the record in the widget's place, then send the end to views that have none."""
        result = self.session.result
        head, record = announcement(result), Record(result).bundle()
        self._publish(self._display, record, update=True)
        self._publish(self._head, head, update=True)
        self._feed.finish()
        with self._widget.hold_sync():
            self._tell()
            self._widget.status = result.masker.text(result.state)
            self._widget.outcome = str(result.outcome)
            self._widget.phase = "ended"
        self._feed.keep(
            {
                "widget": self._widget.model_id,
                "before": self._announced["text/plain"],
                "head": head,
                "record": record,
            }
        )
        if not self._feed.reloaded:
            _over.append((time.monotonic(), self._widget))
        # A page that was reloaded in mid-run may show nothing but the widget.

    def _tell(self) -> None:
        widget, session = self._widget, self.session
        label = session.next_stop
        with widget.hold_sync():
            widget.target = session.result.target
            widget.stop_label = label
            widget.stop_hint = STOP_HINTS[label]
            widget.notice = "\n".join(session.result.notices)
            if widget.phase == "starting" and session.result.started and not session.done:
                widget.elapsed_ms = session.elapsed * 1000
                widget.phase = "running"
                self._announced = announcement(session.result)
                self._publish(self._head, self._announced, update=True)

    def _publish(self, display: str, data: dict[str, Any], *, update: bool) -> None:
        self._shell.display_pub.publish(data, transient={"display_id": display}, update=update)
