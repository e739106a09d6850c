"""When a run's process is looked for and signalled: as rungs are climbed, and after its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from nomad_magic import fork
from nomad_magic.nomad import clock
from nomad_magic.nomad.ladder import SIGNAL_NAMES
from nomad_magic.nomad.protocol import State
from nomad_magic.record.facts import Rung

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.processes import Span
    from nomad_magic.nomad.protocol import ExecProtocol
    from nomad_magic.nomad.reach import Reach, Rival
    from nomad_magic.nomad.resolve import Resolved
    from nomad_magic.record.result import ActionResult
    from nomad_magic.record.sighting import Sighting

LOOK_SECONDS: Final = 5.0
"""How long a look may take that someone asked for."""

SETTLE_SECONDS: Final = 0.5
"""How long a run that has ended waits for what its last signal's session says."""

CLOSED_SECONDS: Final = 1.0
"""How long the look may take after someone closed the connection, and waits for the cell."""

LOST_SECONDS: Final = 3.0
"""The same where the connection was lost: the way there may be, too."""

_all: WeakSet[Reaching] = WeakSet()
"""Those of this kernel: each says of the others which process is not theirs."""


AT_ONCE: Final = 8
"""How many second sessions there are at a time: many runs may be stopped together, and a look that
starves says nothing."""


class _Room:
    """That many; made anew in a forked child, which has a loop of its own."""

    def __init__(self) -> None:
        self.empty()

    def empty(self) -> None:
        self.free = asyncio.Semaphore(AT_ONCE)


_room: Final = _Room()
fork.in_child(_room.empty)


class Reaching:
    """One run's.

    Args:
        protocol: Says which signal is due, and hears what became of it.
        action: The action's name.
        result: Takes what a look saw.
        done: Is called with what a signal's session saw and did.

    Attributes:
        asked: When the action's session was asked for, by `clock.now`.
        opened: When it was open.
        wrote: When the first output came.
        where: In which task, of which allocation, it runs, and of which process of ours.
    """

    def __init__(
        self,
        protocol: ExecProtocol,
        action: str,
        result: ActionResult,
        *,
        done: Callable[[Rung, Sighting], None],
    ) -> None:
        self.asked: float | None = None
        self.opened: float | None = None
        self.wrote: float | None = None
        self._protocol = protocol
        self._action = action
        self._result = result
        self._done = done
        self._way: Callable[[], Reach] | None = None
        self._reach: Reach | None = None
        self._work: asyncio.Task[None] | None = None
        self.where: tuple[str, str, int] | None = None

    def located(self, client: Client, options: Options, resolved: Resolved) -> None:
        """It is known now where the action runs.

        Args:
            client: Of the configured address.
            options: The bounds of each wait, and whether processes are looked for at all.
            resolved: Where.
        """

        def make() -> Reach:
            from nomad_magic.nomad.reach import Reach  # noqa: PLC0415 - most runs need none

            return Reach(
                client,
                options,
                resolved,
                action=self._action,
                tty=self._result.tty,
                rivals=self._rivals,
            )

        if options.reach:
            self._way = make
        # A forked child has runs of its own.
        self.where = (resolved.allocation.id, resolved.task.name, os.getpid())
        _all.add(self)

    def begin(self) -> None:
        """The session is open; in the loop's thread."""
        self.opened = clock.now()
        self.wake()

    def as_rival(self) -> Rival:
        """Return what another run has to know of this one."""
        from nomad_magic.nomad.reach import Rival  # noqa: PLC0415 - as for the reach

        return Rival(
            span=self._span(),
            action=self._action,
            tty=self._result.tty,
            runs=self._protocol.state is State.RUNNING,
            found=self._reach.found if self._reach is not None else None,
        )

    def _rivals(self) -> tuple[Rival, ...]:
        """Return the other runs of this kernel in the same task."""
        others = [one for one in _all if one is not self and one.where == self.where]
        return tuple(one.as_rival() for one in others if one.asked is not None)

    def wake(self) -> None:
        """A signal may be due; in the loop's thread."""
        if self._way is None or (self._work is not None and not self._work.done()):
            return
        if (rung := self._protocol.next_signal()) is not Rung.NONE:
            self._work = asyncio.create_task(self._signal(rung))

    async def _signal(self, rung: Rung) -> None:
        while rung is not Rung.NONE and (reach := self._begun()) is not None:
            async with _room.free:
                sighting = await reach.signal(self._span, SIGNAL_NAMES[rung])
            sent = bool(sighting.signalled) or sighting.maybe
            self._protocol.signalled(sent=sent, hopeless=sighting.hopeless)
            self._done(rung, sighting)
            rung = self._protocol.next_signal()

    async def end(self) -> None:
        """After the run: hear what the last signal's session says, and see what became of it.

        That is one look, where no exit code came.
        """
        # A failure of our own is not an end that the protocol knows.
        self._protocol.failed()
        if self._work is not None:
            await asyncio.wait({self._work}, timeout=SETTLE_SECONDS)
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
        match self._protocol.state:
            case _ if self.opened is None:
                # What did not answer that request will hardly answer this one.
                return
            case State.DISCONNECTED:
                await self.look(CLOSED_SECONDS)
            case State.LOST:
                await self.look(LOST_SECONDS)

    def _begun(self) -> Reach | None:
        """Return the way to the process, once it is needed; None where there is none."""
        if self._reach is None and self._way is not None:
            self._reach = self._way()
        return self._reach

    async def look(self, seconds: float = LOOK_SECONDS) -> Sighting | None:
        """Look what became of the process; None where there is no way to.

        Args:
            seconds: How long that may take.
        """
        if self.asked is None or (reach := self._begun()) is None:
            return None
        async with _room.free:
            runs = self._protocol.state is State.RUNNING
            seen = await reach.look(self._span, runs=runs, seconds=seconds)
        self._result.seen = seen = seen.shown(self._result.masker)
        return seen

    def _span(self) -> Span:
        from nomad_magic.nomad.processes import Span  # noqa: PLC0415 - as for the reach

        asked = self.asked or 0.0
        opened = asked if self.opened is None else self.opened
        return Span(asked=asked, opened=opened, wrote=self.wrote)
