"""A fleet's rows on their way to the pages that show them.

A page has all rows in one message, and from then on those that have changed.  They travel in
binary messages, as output does: a thousand of them are some 100 kB, and Jupyter's servers drop what
is more than 1 MB of text a second.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.notebook.live.contract import (
    STOPPED,
    WAITING,
    KernelMessage,
    PageMessage,
    rung_name,
)
from nomad_magic.notebook.live.feed import Feed
from nomad_magic.notebook.live.pages import Pages, press
from nomad_magic.record.facts import SHORT_ID, Outcome, Rung
from nomad_magic.record.reader import Reader
from nomad_magic.running import outcome
from nomad_magic.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nomad_magic.notebook.live.feed import Channel
    from nomad_magic.record.result import ActionResult
    from nomad_magic.running.fleet import Fleet

LOOK_SECONDS: Final = 0.2
"""How often it is looked for rows that have changed."""

LINES_SECONDS: Final = 0.02
"""How long a look may take for last lines; those of other rows follow with the next."""

LAST_BYTES: Final = 1 << 10
"""In how much of an output's end its last line is looked for, in bytes."""

LINE_CHARACTERS: Final = 200
"""How much of a line is sent; a row shows less."""

WINDOW: Final = 2
"""How many messages a page may be behind before it gets no more."""


class FleetPages(Pages):
    """Hears the pages of one fleet.

    Args:
        fleet: The fleet.
        said: As for any pages.

    Attributes:
        shown: The number of the row whose output each page shows, by the pages' names.
        asked: The rows that a page has opened since it was looked at the last time.
    """

    def __init__(self, fleet: Fleet, said: Callable[[PageMessage], None]) -> None:
        super().__init__(fleet, said)
        self._fleet = fleet
        self.shown: dict[str, int] = {}
        self.asked: list[int] = []

    def _take_more(self, kind: PageMessage, client: str, content: dict[str, Any]) -> None:
        match kind:
            case PageMessage.ROW_OPEN if content["row"] is None:
                self.shown.pop(client, None)
            case PageMessage.ROW_OPEN:
                self.shown[client] = int(content["row"])
                self.asked.append(int(content["row"]))
            case PageMessage.ROW_STOP:
                keys = dict(enumerate(self._fleet.result.runs))
                if (key := keys.get(int(content["row"]))) is not None:
                    press(self._fleet.member(key), content.get("rung"))


class Rows(Feed):
    """Sends a fleet's rows to the pages that show them.

    Args:
        fleet: Whose rows.
        channel: The widget.
        wake: Called, from any thread, when a page has said something.
        code: Returns the view's code and its version, for a page that has lost them.
    """

    def __init__(
        self,
        fleet: Fleet,
        channel: Channel,
        wake: Callable[[], None],
        code: Callable[[], tuple[str, str]],
    ) -> None:
        self._fleet = fleet
        self._heard_by = FleetPages(fleet, self._heard)
        super().__init__(fleet, self._heard_by, channel, wake, code)
        self._due = 0.0
        self._keys: list[str] = []
        self._names: list[tuple[str, str, str]] = []
        self._sent: dict[int, tuple[object, ...]] = {}
        """What the pages know of each row."""
        self._lines: dict[int, tuple[int, str]] = {}
        """The last line of each, and how much had been written by then."""
        self._next = 0

    @property
    def behind(self) -> bool:
        """Whether there is something that was not sent: it cannot be known without a look."""
        return True

    @property
    def due(self) -> float | None:
        """When it may be sent, by the monotonic clock; None while no page has room for it."""
        return self._due if self.pages.room(self._seq, WINDOW) else None

    def shown(self) -> dict[str, int]:
        """Return the number of the row whose output each page shows, by the pages' names."""
        return {
            client: row
            for client, row in list(self._heard_by.shown.items())
            if 0 <= row < len(self._keys)
        }

    def asked(self) -> set[int]:
        """Return the rows that a page has opened; they are not returned again."""
        asked, self._heard_by.asked = self._heard_by.asked, []
        return set(asked)

    def key(self, row: int) -> str:
        """Return the id of a row's allocation."""
        return self._keys[row]

    def send(self) -> None:
        """Send the rows that have changed."""
        self._answer()
        now, due = time.monotonic(), self.due
        if due is None or now < due or not self._known():
            return
        self._due = now + LOOK_SECONDS
        self._send_changes(now + LINES_SECONDS)

    def finish(self) -> None:
        """Send what is left, and say that it is the end."""
        self._answer()
        if self._known():
            self._send_changes(time.monotonic() + LINES_SECONDS)
        self._say(KernelMessage.ENDED, seq=self._seq)

    def tell_row(self, row: int, model: str) -> None:
        """Tell the pages which widget shows the output of a row."""
        self._say(KernelMessage.ROW, row=row, model=model)

    def _snapshot(self, client: str) -> None:
        rows: list[tuple[object, ...]] = []
        if self._known():
            now = dict(self._look(time.monotonic() + LINES_SECONDS))
            rows = [(row, *now[row], *names) for row, names in enumerate(self._names)]
        self.pages.feed(client, self._seq)
        self._say(KernelMessage.ROWS, _encoded(rows), client=client, seq=self._seq)

    def _known(self) -> bool:
        """Whether it is known where the fleet runs."""
        if self._keys:
            return True
        if not self._fleet.located:
            return False
        result = self._fleet.result
        labels, shown = result.labels, result.masker.name
        self._keys = list(result.runs)
        self._names = [
            (
                shown(labels[key]),
                shown(run.place.allocation[:SHORT_ID]),
                shown(run.place.node_name),
            )
            for key, run in result.runs.items()
        ]
        return bool(self._keys)

    def _send_changes(self, until: float) -> None:
        changed = []
        for row, now in self._look(until):
            # A row that runs has another duration each time; a page has a clock of its own.
            known = (now[0], now[1], *now[3:])
            if self._sent.get(row) != known:
                self._sent[row] = known
                changed.append((row, *now))
        if changed:
            self._seq += 1
            self._say(KernelMessage.ROWS, _encoded(changed), client="", seq=self._seq)

    def _look(self, until: float) -> Iterator[tuple[int, tuple[object, ...]]]:
        """Go through all rows as they are now; last lines are looked for until a time."""
        self._look_for_lines(until)
        members, runs = self._fleet.running(), self._fleet.result.runs
        for row, key in enumerate(self._keys):
            run = runs[key]
            session = members.get(key)
            if run.outcome is not Outcome.RUNNING:
                rung = Rung.NONE
            elif session is not None:
                rung = session.next_stop
            else:
                rung = Rung.NONE if self._fleet.stopped else Rung.GIVE_UP
            yield (
                row,
                (
                    self._state(key),
                    run.masker.name(run.ending),
                    round(run.duration if session is None else session.elapsed, 1),
                    rung_name(rung),
                    self._lines.get(row, (0, ""))[1],
                ),
            )

    def _state(self, key: str) -> str:
        """Return `RowField.STATE`: what makes no cell fail has not failed."""
        run, session = self._fleet.result.runs[key], self._fleet.session(key)
        if run.outcome is Outcome.RUNNING and run.started is None:
            return WAITING
        if session is not None and not session.done:
            return Outcome.RUNNING.value
        if session is None:
            # Never begun: given up by someone, or after the failure of another.
            stopped = run.reason == outcome.STOPPED
        else:
            stopped = session.error is None and not run.ok
        return STOPPED if stopped else run.outcome.value

    def _look_for_lines(self, until: float) -> None:
        """Look for the last lines of outputs that have grown, from where it ended the last time."""
        runs = self._fleet.result.runs
        for _ in self._keys:
            row = self._next
            self._next = (row + 1) % len(self._keys)
            run = runs[self._keys[row]]
            size = run.transcript.size
            if size and self._lines.get(row, (0, ""))[0] != size:
                self._lines[row] = (size, last_line(run))
                if time.monotonic() > until:
                    return


def _encoded(rows: list[tuple[object, ...]]) -> bytes:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def last_line(run: ActionResult) -> str:
    """Return the last line of a run's output that is not empty, as it can be shown."""
    reader = Reader(run.transcript, run.masker)
    reader.jump(max(0, run.transcript.size - LAST_BYTES))
    data = b"".join(data for _, data in reader.take(LAST_BYTES))
    if run.outcome is not Outcome.RUNNING:
        data += b"".join(data for _, data in reader.finish())
    terminal = Terminal(run.width, newline=not run.tty)
    terminal.feed(data.decode("utf-8", "replace"))
    texts = ("".join(span.text for span in line).rstrip() for line in reversed(terminal.lines()))
    return next(filter(None, texts), "")[:LINE_CHARACTERS]
