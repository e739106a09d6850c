"""What happens in a run, as its listeners hear of it."""

from __future__ import annotations

import contextlib
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nomad_magic.errors import NomadMagicError
    from nomad_magic.record.facts import Place, Rung
    from nomad_magic.record.result import ActionResult

_log: Final = logging.getLogger(__name__)


class Located(msgspec.Struct, frozen=True):
    """More is known of where the action runs, and of what it stands for.

    Attributes:
        place: What is known by now.
        command: Command and arguments; None until they are known.
    """

    place: Place
    command: tuple[str, ...] | None


class Notice(msgspec.Struct, frozen=True):
    """There is something that the user should know besides the output; no secret is in it."""

    text: str


class Started(msgspec.Struct, frozen=True):
    """The exec session is open."""

    time: datetime


class Output(msgspec.Struct, frozen=True):
    """The action wrote something: the transcript has so many bytes now."""

    size: int


class Stopping(msgspec.Struct, frozen=True):
    """Someone asked for the end, and this rung of the ladder was climbed."""

    rung: Rung


class Ended(msgspec.Struct, frozen=True):
    """The run is over.

    Attributes:
        result: All that is known of it; final.
        error: Why it failed; None when it did not, or was stopped.
    """

    result: ActionResult
    error: NomadMagicError | None


Event = Located | Notice | Started | Output | Stopping | Ended


class Listener(Protocol):
    """Who wants to hear of a run.

    It is called in the thread of the event loop, which all runs share, and should do little there.
    """

    def __call__(self, event: Event, /) -> None:
        """Take an event."""


class Listeners:
    """Those of one run.

    Args:
        result: Takes what they are told.
    """

    def __init__(self, result: ActionResult) -> None:
        self._result = result
        self._all: list[Listener] = []

    def located(self, place: Place, command: tuple[str, ...] | None) -> None:
        """Tell that more is known of where the action runs."""
        masker = self._result.masker
        self._result.place = place = place.shown(masker)
        self._result.command = command = command and tuple(map(masker.shown, command))
        self.tell(Located(place, command))

    def noticed(self, text: str) -> None:
        """Tell something that the user should know."""
        text = self._result.masker.shown(text)
        self._result.notices.append(text)
        self.tell(Notice(text))

    def started(self) -> None:
        """Tell that the session is open."""
        self._result.started = datetime.now().astimezone()
        self.tell(Started(self._result.started))

    def add(self, listener: Listener) -> None:
        """Tell another one from now on."""
        self._all.append(listener)

    @contextlib.contextmanager
    def telling(self, listener: Listener) -> Iterator[None]:
        """Tell another one, and no longer than this lasts."""
        self.add(listener)
        try:
            yield
        finally:
            self._remove(listener)

    def _remove(self, listener: Listener) -> None:
        # It may have failed, and be gone already.
        with contextlib.suppress(ValueError):
            self._all.remove(listener)

    def tell(self, event: Event) -> None:
        """Tell all of them.  One that fails is not told any more; the run goes on."""
        for listener in list(self._all):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - whatever it is, it must not end the run
                _log.exception("A listener failed at %r, and is not told any more", event)
                self._remove(listener)
