"""The widget of the live view: its traits, and the code that the page shows it with.

The code (`frontend/`) is sent once per kernel, by a model of its own; the model of an
action, or of a fleet, holds what is shown around its terminal or its rows, and its comm carries the
messages (`contract`).
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import anywidget
from ipywidgets import Widget
from traitlets import Bool, Dict, Float, Int, Unicode

from nomad_magic.notebook.live.contract import ROWS, Phase, rung_name
from nomad_magic.record.facts import Rung

if TYPE_CHECKING:
    from datetime import datetime

    from nomad_magic.record.facts import Outcome
    from nomad_magic.record.masking import Masker

STATIC: Final = Path(__file__).parents[1] / "static"

LINGER_SECONDS: Final = 5.0
"""How long a widget stays after its run is over."""


def built() -> bool:
    """Whether the front end's code is here; a source tree that was never installed has none."""
    return all((STATIC / name).is_file() for name in ("loader.js", "view.js"))


def needed() -> str:
    """Return the packages that the page's side needs, with their versions as this kernel has them.

    They are those of the server's environment, which may be another one than the kernel's.
    """
    minor = ".".join(anywidget.__version__.split(".")[:2])
    return f"jupyterlab_widgets and anywidget {minor}"


class Ending(Protocol):
    """What a widget says of the end."""

    masker: Masker

    @property
    def outcome(self) -> Outcome:
        """How it ended."""

    @property
    def state(self) -> str:
        """The same in words."""


class Assets(Widget):  # type: ignore[misc]  # ipywidgets has no types
    """The code of the view, held by the page's widget manager: one for each kernel."""

    code = Unicode().tag(sync=True)
    version = Unicode().tag(sync=True)


class LiveWidget(anywidget.AnyWidget):
    """What is shown around whatever runs."""

    _esm = STATIC / "loader.js" if built() else ""

    assets = Unicode().tag(sync=True)
    fleet = Bool().tag(sync=True)
    action = Unicode().tag(sync=True)
    target = Unicode().tag(sync=True)
    when = Unicode().tag(sync=True)
    phase = Unicode(Phase.STARTING.value).tag(sync=True)
    status = Unicode().tag(sync=True)
    outcome = Unicode().tag(sync=True)
    elapsed_ms = Float(0.0).tag(sync=True)
    rung = Unicode().tag(sync=True)
    climbed = Unicode(rung_name(Rung.NONE)).tag(sync=True)
    deed = Unicode().tag(sync=True)
    pumped = Bool().tag(sync=True)
    notice = Unicode().tag(sync=True)
    background = Bool().tag(sync=True)
    control = Unicode().tag(sync=True)
    draft = Dict().tag(sync=True)

    def begin(self, started: datetime | None, elapsed: float) -> bool:
        """Say that it runs, once it does; return whether it has just begun.

        Args:
            started: When it began; None while it has not.
            elapsed: For how many seconds it has run.
        """
        if started is None or self.phase != Phase.STARTING.value:
            return False
        with self.hold_sync():
            self.elapsed_ms = elapsed * 1000
            self.when = f"{started:%H:%M:%S}"
            self.phase = Phase.RUNNING.value
        return True

    def end(self, result: Ending) -> None:
        """Say how it ended."""
        with self.hold_sync():
            self.status = result.masker.name(result.state)
            self.outcome = str(result.outcome)
            self.phase = Phase.ENDED.value


class ActionWidget(LiveWidget):
    """What is shown around one action's terminal."""

    tty = Bool().tag(sync=True)
    rows = Int(ROWS).tag(sync=True)


class FleetWidget(LiveWidget):
    """What is shown around the rows of a fleet."""

    fleet = Bool(default_value=True).tag(sync=True)


_assets: list[Assets] = []
_over: list[tuple[float, LiveWidget]] = []
"""The widgets of runs that are over, and since when."""


def close_old() -> None:
    """Close the widgets that no page speaks to any more.

    Not at once: a page may still acknowledge what it was sent, and for a comm that is closed
    ipykernel writes a warning into whatever cell comes next.
    """
    now = time.monotonic()
    while _over and now - _over[0][0] > LINGER_SECONDS:
        _over.pop(0)[1].close()


def close_later(widget: LiveWidget) -> None:
    """Close a widget once no page speaks to it any more."""
    _over.append((time.monotonic(), widget))


def code() -> tuple[str, str]:
    """Return the view's code and its version."""
    text = (STATIC / "view.js").read_text(encoding="utf-8")
    return text, hashlib.sha256(text.encode()).hexdigest()[:16]


def assets() -> Assets:
    """Return this kernel's assets; the first call sends them to the page."""
    # A kernel that closes all its widgets (`Widget.close_all`) needs them sent again.
    if not _assets or _assets[0].comm is None:
        text, version = code()
        _assets[:] = [Assets(code=text, version=version)]
    return _assets[0]
