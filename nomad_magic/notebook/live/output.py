"""A session's output on its way to the pages that show it.

It travels in binary messages with a sequence number, as many as each page has acknowledged (see
`frontend/src/feed.js`, the other end).  Jupyter's servers drop everything past 1,000 messages a
second and 1 MB of text a second: this stays far below the first, and binary buffers do not count
as the second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.notebook.live.beat import FLOOD_SECONDS, beat
from nomad_magic.notebook.live.contract import KernelMessage, PageMessage
from nomad_magic.notebook.live.feed import Feed
from nomad_magic.notebook.live.pages import ActionPages
from nomad_magic.record.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.notebook.live.feed import Channel
    from nomad_magic.running.session import Session

FRAME_BYTES: Final = 1 << 16
"""The most bytes of output in one message."""

FLOOD_BYTES: Final = 1 << 14
"""How much of a flood is shown at a time."""

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


class Output(Feed):
    """Sends a session's output to the pages that show it, each at its own pace.

    Args:
        session: Whose output.
        channel: The widget.
        wake: Called, from any thread, when a page has said something.
        code: Returns the view's code and its version, for a page that has lost them.
    """

    def __init__(
        self,
        session: Session,
        channel: Channel,
        wake: Callable[[], None],
        code: Callable[[], tuple[str, str]],
    ) -> None:
        super().__init__(session, ActionPages(session, self._heard), channel, wake, code)
        self._reader = Reader(session.result.transcript, session.result.masker)
        self._skipped = 0
        self._tail = bytearray()
        self._tail_start = 0
        self._due = 0.0
        self._looks = 0
        """How many more looks at a flood there will be; 0 when there is none."""

    def _heard(self, kind: PageMessage) -> None:
        if kind is PageMessage.STOP:
            now = time.monotonic()
            beat.pressed(self, now)
            if self._looks:
                # The page is to have its hands free for the end.
                self._due = now + FLOOD_SECONDS
        super()._heard(kind)

    @property
    def behind(self) -> bool:
        """Whether there is output that was not sent."""
        return self._reader.behind > 0

    @property
    def due(self) -> float | None:
        """When it may be sent, by the monotonic clock; None while no page has room for it."""
        return beat.due(self, self._due) if self.pages.room(self._seq, beat.window) else None

    def send(self) -> None:
        """Send what is new, as far as the pages have room for it."""
        now = time.monotonic()
        self._answer()
        due = self.due
        if due is None or now < due:
            return
        if self._reader.behind > (CALM_BYTES if self._looks else LAG_BYTES):
            self._looks = CALM_LOOKS
            self._jump()
        else:
            self._looks = max(0, self._looks - 1)
        if self._forward():
            self._due = beat.sent(self, now, flood=self._looks > 0)

    def finish(self) -> None:
        """Send the end of the output, and say that it is the end."""
        self._answer()
        # The record takes the place of all but a reloaded page's view.
        if self._reader.behind > (LAG_BYTES if self.reloaded else FLOOD_BYTES):
            self._jump()
        while self._forward():
            pass
        rest = b"".join(data for _, data in self._reader.finish())
        if rest:
            self._frame(rest)
        self._say(KernelMessage.ENDED, seq=self._seq)

    def keep(self, record: dict[str, Any]) -> None:
        """Let a page put the record in the widget's place, and leave the page to other runs."""
        super().keep(record)
        beat.leave(self, time.monotonic())

    def _forward(self) -> bool:
        pieces = self._reader.take(FRAME_BYTES)
        if not pieces:
            return False
        data = b"".join(data for _, data in pieces)
        if data:
            self._frame(data)
        return True

    def _frame(self, data: bytes) -> None:
        self._seq += 1
        skipped, self._skipped = self._skipped, 0
        self._say(KernelMessage.OUTPUT, data, seq=self._seq, skipped=skipped)
        self._keep(data)

    def _keep(self, data: bytes) -> None:
        self._tail += data
        if len(self._tail) > 2 * TAIL_BYTES:
            cut = len(self._tail) - TAIL_BYTES
            self._tail_start += cut
            del self._tail[:cut]

    def _jump(self) -> None:
        """Leave out the middle of a flood: nobody could read it anyway."""
        reader = self._reader
        skipped = reader.jump(reader.position + reader.behind - FLOOD_BYTES)
        self._skipped += skipped
        self._tail_start += len(self._tail) + skipped
        self._tail.clear()

    def _snapshot(self, client: str) -> None:
        if not self.pages.any_fed:
            self._catch_up()
        self.pages.feed(client, self._seq)
        start = max(0, len(self._tail) - TAIL_BYTES)
        self._say(
            KernelMessage.SNAPSHOT,
            bytes(self._tail[start:]),
            client=client,
            seq=self._seq,
            skipped=self._tail_start + start,
        )

    def _catch_up(self) -> None:
        """Take in what came while there was no page to show it."""
        if self._reader.behind > TAIL_BYTES:
            self._jump()
            self._skipped = 0
        while pieces := self._reader.take(FRAME_BYTES):
            self._keep(b"".join(data for _, data in pieces))
