"""The pages that show one widget: what each has said, and how far it has got."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from nomad_magic.notebook.live.contract import PageMessage, rung_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.record.facts import Rung
    from nomad_magic.running.session import Session

OPENING_SECONDS: Final = 0.25
"""How long a page may take from its first word until its terminal stands."""

SILENT_SECONDS: Final = 5.0
"""A page that acknowledges nothing for so long is gone, or asleep, and holds nobody up."""


REMEMBERED: Final = 1000
"""How many messages of a page are known to have been done, should they come a second time."""


@dataclass(slots=True)
class FrontEnd:
    """What this kernel has learnt of the front end that its cells are in.

    Attributes:
        answered: A page has said something: the front end has widgets.
        size: The last size of a page's terminal, rows and columns; None while none was said.
        asked: A size was waited for already.
    """

    answered: bool = False
    size: tuple[int, int] | None = None
    asked: bool = False


front_end: Final = FrontEnd()


@dataclass(slots=True)
class _Page:
    """One page.

    Attributes:
        fed: It has had a snapshot.
        acknowledged: The last piece of output that it has shown.
        heard: When it last said something, by the monotonic clock.
        done: The numbers of the messages that have been done.
    """

    fed: bool = False
    acknowledged: int = 0
    heard: float = 0.0
    done: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class Ladder(Protocol):
    """What a page's Stop climbs."""

    @property
    def next_stop(self) -> Rung:
        """The rung that the next press climbs."""

    @property
    def stopped(self) -> bool:
        """One was climbed."""

    def stop(self) -> None:
        """Climb it."""


class Pages:
    """Hears the pages that show one widget.

    Args:
        ladder: What their Stop climbs.
        said: Is called, in the thread in which a page was heard, with what it was.
    """

    def __init__(self, ladder: Ladder, said: Callable[[PageMessage], None]) -> None:
        self._ladder = ladder
        self._said = said
        # Pages speak in other threads on some kernels: always look at a copy.
        self._pages: dict[str, _Page] = {}
        self._asked: list[str] = []
        self._numbers: deque[tuple[str, int]] = deque()
        self._once = threading.Lock()

    def __len__(self) -> int:
        return len(self._pages)

    def hear_by_control(self, content: dict[str, Any]) -> None:
        """Take a message that came on the control channel, and have the page told that it did."""
        if (number := content.get("number")) is not None:
            self._numbers.append((str(content.get("client")), int(number)))
        self.hear(content)

    def hear(self, content: dict[str, Any]) -> None:
        """Take a message of a page; it may come in any thread, and prints nothing."""
        try:
            kind = PageMessage(str(content.get("type")))
        except ValueError:
            # Of another version of the view, or of no view at all.
            return
        match kind:
            case PageMessage.CODE:
                pass  # Not a page yet: it has nothing to show the output with.
            case _:
                self._take(kind, content)
        self._said(kind)

    def _take(self, kind: PageMessage, content: dict[str, Any]) -> None:
        """Do what a page says."""
        client = str(content.get("client"))
        if not self._pages:
            self._first_came()
        page = self._pages.setdefault(client, _Page())
        page.heard = time.monotonic()
        front_end.answered = True
        if not self._is_first(page, content.get("number")):
            return
        match kind:
            case PageMessage.READY:
                self._asked.append(client)
            case PageMessage.ACK:
                page.acknowledged = max(page.acknowledged, int(content["seq"]))
            case PageMessage.STOP:
                press(self._ladder, content.get("rung"))
            case _:
                self._take_more(kind, client, content)

    def _first_came(self) -> None:
        """Take in that a page has said its first word."""

    def _take_more(self, kind: PageMessage, client: str, content: dict[str, Any]) -> None:
        """Do what is not said to every widget."""

    def _is_first(self, page: _Page, number: int | None) -> bool:
        """Whether a message is not the repetition of one that came by another way, late."""
        if number is None:
            return True
        with self._once:
            first = number not in page.done
            page.done.append(number)
        return first

    def heard_by_control(self) -> dict[str, list[int]]:
        """Return the numbers of what each page said on the control channel, each once."""
        said: dict[str, list[int]] = {}
        while self._numbers:
            client, number = self._numbers.popleft()
            said.setdefault(client, []).append(number)
        return said

    def asking(self) -> list[str]:
        """Return the pages that want a snapshot, each once; they are not returned again."""
        asked, self._asked = self._asked, []
        return list(dict.fromkeys(asked))

    def feed(self, client: str, seq: int) -> None:
        """Remember that a page was sent all up to that piece."""
        page = self._pages[client]
        page.fed, page.acknowledged = True, seq

    @property
    def any_fed(self) -> bool:
        """Whether one of them has had a snapshot."""
        return any(page.fed for page in list(self._pages.values()))

    def room(self, seq: int, window: int) -> bool:
        """Whether every page that still listens has room; False when there is none.

        Args:
            seq: The number of the last piece that was sent.
            window: How many pieces a page may be behind.
        """
        now = time.monotonic()
        listening = [
            page
            for page in list(self._pages.values())
            if page.fed and now - page.heard < SILENT_SECONDS
        ]
        return bool(listening) and all(seq - page.acknowledged < window for page in listening)


class ActionPages(Pages):
    """Hears the pages of one run.

    Args:
        session: The run.
        said: As for any pages.
    """

    def __init__(self, session: Session, said: Callable[[PageMessage], None]) -> None:
        super().__init__(session, said)
        self._session = session

    def _first_came(self) -> None:
        self._session.take_time(OPENING_SECONDS)

    def _take_more(self, kind: PageMessage, client: str, content: dict[str, Any]) -> None:
        match kind:
            case PageMessage.SIZE:
                front_end.size = int(content["rows"]), int(content["cols"])
                self._session.resize(*front_end.size)
            case PageMessage.INPUT if not content.get("reply") or self._first(client):
                data = str(content["data"]).encode()
                self._session.type(data, reply=bool(content.get("reply")))

    def _first(self, client: str) -> bool:
        """Whether a page is the one whose terminal answers the action's questions."""
        return client == next((name for name, page in list(self._pages.items()) if page.fed), None)


def press(ladder: Ladder, rung: object) -> None:
    """Climb a rung, unless the press was meant for one that was climbed meanwhile."""
    if rung in (None, rung_name(ladder.next_stop)) or not ladder.stopped:
        ladder.stop()
