"""What is sent to the pages that show one widget, and what any of them asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from nomad_magic.notebook.live.contract import KERNEL_FIELDS, KernelMessage, PageMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.notebook.live.pages import Pages


class Timed(Protocol):
    """What has run for some time."""

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""


class Channel(Protocol):
    """What carries messages to every page that shows a widget."""

    elapsed_ms: float

    def send(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        """Send a message."""


class Feed(ABC):
    """Tells the pages of a widget what is new, each at its own pace, and all to one that asks.

    Args:
        timed: What the widget shows.
        pages: Those that show it.
        channel: The widget.
        wake: Called, from any thread, when a page has said something.
        code: Returns the view's code and its version, for a page that has lost them.

    Attributes:
        pages: Those that show it; hears what they say.
    """

    def __init__(
        self,
        timed: Timed,
        pages: Pages,
        channel: Channel,
        wake: Callable[[], None],
        code: Callable[[], tuple[str, str]],
    ) -> None:
        self.pages = pages
        self._timed = timed
        self._channel = channel
        self._wake = wake
        self._code = code
        self._wants_code = False
        self._seq = 0
        self._record: dict[str, Any] | None = None

    @property
    def reloaded(self) -> bool:
        """Whether a page came after another one, as a reloaded one does."""
        return len(self.pages) > 1

    @property
    @abstractmethod
    def behind(self) -> bool:
        """Whether there is something that was not sent."""

    @property
    @abstractmethod
    def due(self) -> float | None:
        """When it may be sent, by the monotonic clock; None while no page has room for it."""

    @abstractmethod
    def send(self) -> None:
        """Answer, and send what is new as far as the pages have room for it."""

    @abstractmethod
    def finish(self) -> None:
        """Send the end, and say that it is the end."""

    def keep(self, record: dict[str, Any]) -> None:
        """Let a page that came in mid-run, or comes late, put the record in the widget's place.

        Front ends drop what is sent to a cell that was started before the page was loaded.

        Args:
            record: What `keepRecord` in `frontend/src/record.js` wants to know.
        """
        self._record = record
        if self.reloaded:
            self._say(KernelMessage.RECORD, **record)

    @abstractmethod
    def _snapshot(self, client: str) -> None:
        """Send a page all that it should show."""

    def _heard(self, kind: PageMessage) -> None:
        self._wants_code = self._wants_code or kind is PageMessage.CODE
        self._wake()
        if self._record is not None:
            # It is over, and nobody else is there to answer.
            self._answer()

    def _say(self, kind: KernelMessage, data: bytes | None = None, **fields: Any) -> None:
        assert set(fields) == set(KERNEL_FIELDS[kind]), fields  # noqa: S101 - our own words
        self._channel.send({"type": kind.value, **fields}, None if data is None else [data])

    def _answer(self) -> None:
        """Send a page that is new, or missed a message, all that it should show."""
        if self._wants_code:
            self._wants_code = False
            code, version = self._code()
            self._say(KernelMessage.CODE, code=code, version=version)
        if self._record is None:
            # Of the end every page hears anyway, and this may be any thread then.
            for client, numbers in self.pages.heard_by_control().items():
                self._say(KernelMessage.HEARD, client=client, numbers=numbers)
        asking = self.pages.asking()
        if asking:
            # A page that comes late starts its clock from here.
            self._channel.elapsed_ms = self._timed.elapsed * 1000
        for client in asking:
            self._snapshot(client)
        if asking and self._record is not None:
            self._say(KernelMessage.RECORD, **self._record)
