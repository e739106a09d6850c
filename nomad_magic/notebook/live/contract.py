"""What the page and the kernel say to each other, and whatever both of them must know.

The page's constants are made from it when the front end is built (`frontend/build.py`), so that
neither side can speak a word that the other does not know, nor count other cells.  It loads
nothing but the standard library, for it is read where a wheel is made.  By hand, for the tests of
the JavaScript:

    python -m nomad_magic.notebook.live.contract > nomad_magic/notebook/frontend/src/contract.js
"""

from __future__ import annotations

import enum
import json
import sys
from typing import Final

from nomad_magic.record.facts import Outcome, Rung
from nomad_magic.terminal import cellwidth


class PageMessage(enum.StrEnum):
    """What a page says.

    Each has `client`, the page's own name; one on the control channel that must not be lost has a
    `number` too, by which it is done once however often it comes.
    """

    CODE = "code"
    """It has no code for the view: the model that holds it was not restored (VS Code)."""
    READY = "ready"
    """It has nothing, or missed something: it wants a snapshot."""
    ACK = "ack"
    """It has shown the output up to `seq`."""
    STOP = "stop"
    """Climb the rung that the button names."""
    SIZE = "size"
    INPUT = "input"
    """`data` was typed, or with `reply` is the terminal's own answer to the action."""
    ROW_STOP = "row_stop"
    """Climb the rung that the button of a fleet's row names."""
    ROW_OPEN = "row_open"
    """The page shows the output of a fleet's row, and of no other; None for none."""


class KernelMessage(enum.StrEnum):
    """What the kernel says.  Bytes of output travel beside it, in the only buffer."""

    CODE = "code"
    """The view's `code` and its `version`, for whoever has none."""
    HEARD = "heard"
    """The messages of these `numbers` came from the page `client` on the control channel."""
    SNAPSHOT = "snapshot"
    """All that the page `client` should show, up to `seq`."""
    OUTPUT = "output"
    """Piece `seq` of the output, `skipped` bytes after the one before."""
    ENDED = "ended"
    """`seq` was the last piece."""
    RECORD = "record"
    """What is to stand in the widget's place."""
    ROWS = "rows"
    """Rows of a fleet as they are now, in the buffer as JSON (`RowField`): all of them for the page
    `client`, or where that is empty those that have changed since `seq` - 1, for every page."""
    ROW = "row"
    """The output of a row is shown by the widget `model`, as that of an action alone."""


PAGE_FIELDS: Final[dict[PageMessage, tuple[str, ...]]] = {
    PageMessage.CODE: (),
    PageMessage.READY: (),
    PageMessage.ACK: ("seq",),
    PageMessage.STOP: ("rung",),
    PageMessage.SIZE: ("rows", "cols"),
    PageMessage.INPUT: ("data", "reply"),
    PageMessage.ROW_STOP: ("row", "rung"),
    PageMessage.ROW_OPEN: ("row",),
}
KERNEL_FIELDS: Final[dict[KernelMessage, tuple[str, ...]]] = {
    KernelMessage.CODE: ("code", "version"),
    KernelMessage.HEARD: ("client", "numbers"),
    KernelMessage.SNAPSHOT: ("client", "seq", "skipped"),
    KernelMessage.OUTPUT: ("seq", "skipped"),
    KernelMessage.ENDED: ("seq",),
    KernelMessage.RECORD: ("widget", "before", "head", "record", "metadata"),
    KernelMessage.ROWS: ("client", "seq"),
    KernelMessage.ROW: ("row", "model"),
}


class RowField(enum.IntEnum):
    """What a fleet's row has, in its order; a change has the first six."""

    ROW = 0
    """Its number, from 0."""
    STATE = 1
    """`WAITING`, `STOPPED`, or an outcome."""
    ENDING = 2
    """The same in words: `exit 3`."""
    SECONDS = 3
    """How long it has run by now, or ran."""
    RUNG = 4
    """The next that its Stop climbs."""
    LINE = 5
    """The last line of its output."""
    NAME = 6
    """Its allocation's name."""
    ALLOCATION = 7
    """The beginning of its allocation's id."""
    NODE = 8
    """Its node's name."""


WAITING: Final = "waiting"
"""The state of a row whose run was not begun yet."""

STOPPED: Final = "stopped"
"""The state of a row whose run someone has stopped, or given up: that is no failure."""


class Phase(enum.StrEnum):
    """Where a run stands, as its view knows it."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


RUNGS: Final[dict[str, tuple[str, str, str]]] = {
    Rung.NONE.name.lower(): ("", "", ""),
    Rung.GIVE_UP.name.lower(): (
        "Stop",
        "Gives the run up: the action was not asked for yet.",
        "given up",
    ),
    Rung.INTERRUPT.name.lower(): ("Stop", "Sends Ctrl-C to the action.", "Ctrl-C sent"),
    Rung.SIGNAL.name.lower(): (
        "Stop",
        "Sends SIGINT to the action's process, by a second session in its task.",
        "sending SIGINT",
    ),
    Rung.QUIT.name.lower(): (
        "Force stop",
        "Sends Ctrl-\\ to the action, which ends what ignores Ctrl-C.",
        "Ctrl-\\ sent",
    ),
    Rung.KILL.name.lower(): (
        "Kill",
        "Sends SIGKILL to the action's process and what it started, by a second session.",
        "sending SIGKILL",
    ),
    Rung.DISCONNECT.name.lower(): (
        "Disconnect",
        "Closes the connection; the process may go on.",
        "disconnecting",
    ),
}
"""What the button says for the rung that the next press climbs, what that does, and what is said
once it was climbed."""

OUTCOMES: Final[dict[str, tuple[str, str]]] = {
    outcome.value: (outcome.sign, outcome.tone.value) for outcome in Outcome
}
"""Each outcome's sign and tone."""

FLEET_TRAITS: Final = (
    *("fleet", "action", "target", "when", "phase", "status", "outcome", "elapsed_ms", "rung"),
    *("climbed", "deed", "pumped", "notice", "background", "control", "draft"),
)
"""The traits of a fleet's widget that the page reads."""

TRAITS: Final = (*FLEET_TRAITS, "tty", "rows")
"""Those of an action's."""

DRAFT_OUTPUT: Final = "\ue000output\ue000"
"""What stands for the output in a record that the page completes, as no kernel can any more."""

CONTROL_MESSAGE: Final = "nomad_magic_message"
"""The type of a page's message on the control channel: in `said` it has any number of `message`,
each with whom it is for, `to`."""

CONTROL_MS: Final = 1000
"""How long a page waits to be heard on the control channel before it says the same on its comm.

Voilà and some gateways let no message of a type pass that they do not know, and say nothing."""

WIDGET_VIEW: Final = "application/vnd.jupyter.widget-view+json"
"""The MIME type of a widget's place in a cell (Jupyter's own)."""

ROWS: Final = 24
"""How many rows a terminal has where nothing else is known."""


def rung_name(rung: Rung) -> str:
    """Return what a rung is called in a trait or a message."""
    return rung.name.lower()


def javascript() -> str:
    """Return the page's half: a module of constants."""
    constants: dict[str, object] = {
        "PAGE": {message.name: message.value for message in PageMessage},
        "KERNEL": {message.name: message.value for message in KernelMessage},
        "PHASE": {phase.name: phase.value for phase in Phase},
        "RUNGS": {
            name: {"label": label, "hint": hint, "said": said}
            for name, (label, hint, said) in RUNGS.items()
        },
        "OUTCOMES": {name: {"sign": sign, "tone": tone} for name, (sign, tone) in OUTCOMES.items()},
        "ROW": {field.name: field.value for field in RowField},
        "WAITING": WAITING,
        "STOPPED": STOPPED,
        "FLEET_TRAITS": FLEET_TRAITS,
        "TRAITS": TRAITS,
        "DRAFT_OUTPUT": DRAFT_OUTPUT,
        "UNKNOWN": Outcome.UNKNOWN.value,
        "RUNNING": Outcome.RUNNING.value,
        "SUCCEEDED": Outcome.SUCCEEDED.value,
        "INTERRUPTED": Outcome.INTERRUPTED.value,
        "CONTROL_MESSAGE": CONTROL_MESSAGE,
        "CONTROL_MS": CONTROL_MS,
        "WIDGET_VIEW": WIDGET_VIEW,
        "ROWS": ROWS,
        "CELLS": cellwidth.page_half(),
    }
    lines = [
        f"export const {name} = {json.dumps(value, ensure_ascii=False)};"
        for name, value in constants.items()
    ]
    return "\n".join(["// Made from contract.py when the front end is built.", *lines, ""])


if __name__ == "__main__":
    sys.stdout.write(javascript())
