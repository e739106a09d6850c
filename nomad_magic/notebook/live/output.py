"""A session's output on its way to the pages that show it.

It travels in binary messages with a sequence number, as many as each page has acknowledged (see
`frontend/src/feed.js`, the other end).  Jupyter's servers drop everything past 1,000 messages a
second and 1 MB of text a second: this stays far below the first, and binary buffers do not count
as the second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.record.reader import Follower

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.notebook.views.widget import ActionWidget
    from nomad_magic.run.session import Session

FRAME_BYTES: Final = 1 << 16
"""The most bytes of output in one message."""

FLOOD_BYTES: Final = 1 << 14
"""How much of a flood is shown at a time."""

WINDOW_FRAMES: Final = 8
"""How many messages a page may be behind before it gets no more."""

FRAME_SECONDS: Final = 1 / 30
"""How often output is sent, at the most."""

FLOOD_SECONDS: Final = 1 / 4
"""How often, while most of it is left out: the page has a click to hear besides."""

LAG_BYTES: Final = 1 << 20
"""How far behind the output a page may be before its middle is left out: a flood has begun."""

CALM_BYTES: Final = 1 << 16
"""How much may come between two looks at a flood without anything being left out.

Less than `LAG_BYTES` by far: between two looks the page is to be left alone.
"""

CALM_LOOKS: Final = 4
"""After so many such looks the flood is over: some floods come in gusts."""

TAIL_BYTES: Final = 1 << 19
"""How much of the output a page gets that comes late, or after a gap."""

OPENING_SECONDS: Final = 0.25
"""How long a page may take from its first word until its terminal stands."""

SILENT_SECONDS: Final = 5.0
"""A page that acknowledges nothing for so long is gone, or asleep, and holds nobody up."""


_floods: set[Feed] = set()
"""The feeds that leave most out; looked at in several threads, so never walked through."""


class Feed:
    """Sends a session's output to the pages that show it, each at its own pace.

    Args:
        session: Whose output.
        widget: Whose comm carries it.
        wake: Called, from any thread, when a page has said something.
    """

    def __init__(self, session: Session, widget: ActionWidget, wake: Callable[[], None]) -> None:
        self._session = session
        self._widget = widget
        self._wake = wake
        self._follower = Follower(session.result)
        self._seq = 0
        self._skipped = 0
        self._tail = bytearray()
        self._tail_start = 0
        # Pages speak in other threads on some kernels: always look at a copy.
        self._pages: dict[str, _Page] = {}
        self._asked: list[str] = []
        self._due = 0.0
        self._looks = 0
        """How many more looks at a flood there will be; 0 when there is none."""
        self._record: dict[str, Any] | None = None
        widget.on_msg(lambda _widget, content, _buffers: self.hear(content))

    @property
    def reloaded(self) -> bool:
        """Whether a page came after another one, as a reloaded one does."""
        return len(self._pages) > 1

    def hear(self, content: dict[str, Any]) -> None:
        """Take a message of a page; it may come in any thread, and prints nothing."""
        if not self._pages:
            self._session.take_time(OPENING_SECONDS)
        page = self._pages.setdefault(str(content.get("client")), _Page())
        page.heard = time.monotonic()
        match content.get("type"):
            case "ready" | "resend":
                self._asked.append(str(content["client"]))
            case "ack":
                page.acknowledged = max(page.acknowledged, int(content["seq"]))
            case "stop":
                self._press(str(content.get("label")))
            case "size":
                self._session.resize(int(content["rows"]), int(content["cols"]))
            case "input" if not content.get("reply") or self._first(str(content["client"])):
                self._session.type(str(content["data"]).encode())
        self._wake()
        if self._record is not None:
            # The run is over, and nobody else is there to answer.
            self._answer()

    def _press(self, label: str) -> None:
        """Climb a rung, unless the press was meant for one that was climbed meanwhile."""
        session = self._session
        if label == session.next_stop or not session.stopped:
            session.stop()
            if self._looks:
                # The page is to have its hands free for the end.
                self._due = time.monotonic() + FLOOD_SECONDS

    def _first(self, client: str) -> bool:
        """Whether a page is the one whose terminal answers the action's questions."""
        return client == next((name for name, page in list(self._pages.items()) if page.fed), None)

    def send(self) -> None:
        """Send what is new, as far as the pages have room for it."""
        now = time.monotonic()
        self._answer()
        if now < self._due or not self._room(now):
            return
        if self._follower.behind > (CALM_BYTES if self._looks else LAG_BYTES):
            self._looks = CALM_LOOKS
            _floods.add(self)
            self._jump()
        else:
            self._looks = max(0, self._looks - 1)
            if not self._looks:
                _floods.discard(self)
        if self._forward():
            # The page draws all of them.
            self._due = now + (FLOOD_SECONDS * len(_floods) if self._looks else FRAME_SECONDS)

    def finish(self) -> None:
        """Send the end of the output, and say that it is the end."""
        _floods.discard(self)
        self._answer()
        # The record takes the place of all but a reloaded page's view.
        if self._follower.behind > (LAG_BYTES if self.reloaded else FLOOD_BYTES):
            self._jump()
        while self._forward():
            pass
        rest = b"".join(data for _, data in self._follower.finish())
        if rest:
            self._frame(rest)
        self._widget.send({"type": "ended", "seq": self._seq})

    def keep(self, record: dict[str, Any]) -> None:
        """Have the record put in the widget's place by a page that came in mid-run, or comes late.

        Front ends drop what is sent to a cell that was started before the page was loaded.

        Args:
            record: What `keepRecord` in `frontend/src/record.js` wants to know.
        """
        self._record = {**record, "type": "record"}
        if self.reloaded:
            self._widget.send(self._record)

    def _room(self, now: float) -> bool:
        """Whether every page that still listens has room; False when there is none."""
        listening = [
            page
            for page in list(self._pages.values())
            if page.fed and now - page.heard < SILENT_SECONDS
        ]
        return bool(listening) and all(
            self._seq - page.acknowledged < WINDOW_FRAMES for page in listening
        )

    def _forward(self) -> bool:
        pieces = self._follower.take(FRAME_BYTES)
        if not pieces:
            return False
        data = b"".join(data for _, data in pieces)
        if data:
            self._frame(data)
        return True

    def _frame(self, data: bytes) -> None:
        self._seq += 1
        skipped, self._skipped = self._skipped, 0
        self._widget.send({"type": "output", "seq": self._seq, "skipped": skipped}, [data])
        self._keep(data)

    def _keep(self, data: bytes) -> None:
        self._tail += data
        if len(self._tail) > 2 * TAIL_BYTES:
            cut = len(self._tail) - TAIL_BYTES
            self._tail_start += cut
            del self._tail[:cut]

    def _jump(self) -> None:
        """Leave out the middle of a flood: nobody could read it anyway."""
        follower = self._follower
        skipped = follower.jump(follower.position + follower.behind - FLOOD_BYTES)
        self._skipped += skipped
        self._tail_start += len(self._tail) + skipped
        self._tail.clear()

    def _answer(self) -> None:
        """Give a page that is new, or lost a message, all that it should show."""
        asked, self._asked = self._asked, []
        if asked:
            # A page that comes late starts its clock from here.
            self._widget.elapsed_ms = self._session.elapsed * 1000
        for client in dict.fromkeys(asked):
            if not any(page.fed for page in list(self._pages.values())):
                self._catch_up()
            page = self._pages[client]
            page.fed, page.acknowledged = True, self._seq
            start = max(0, len(self._tail) - TAIL_BYTES)
            self._widget.send(
                {
                    "type": "snapshot",
                    "client": client,
                    "seq": self._seq,
                    "skipped": self._tail_start + start,
                },
                [bytes(self._tail[start:])],
            )
        if asked and self._record is not None:
            self._widget.send(self._record)

    def _catch_up(self) -> None:
        """Take in what came while there was no page to show it."""
        if self._follower.behind > TAIL_BYTES:
            self._jump()
            self._skipped = 0
        while pieces := self._follower.take(FRAME_BYTES):
            self._keep(b"".join(data for _, data in pieces))


class _Page:
    """One page that shows the widget."""

    def __init__(self) -> None:
        self.fed = False
        self.acknowledged = 0
        self.heard = 0.0
