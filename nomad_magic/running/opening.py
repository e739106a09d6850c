"""From a line to an open exec session: find where it is to run, connect, or be given up."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from nomad_magic.errors import NomadMagicError
from nomad_magic.nomad import clock
from nomad_magic.nomad.connect import Connector
from nomad_magic.nomad.protocol import State
from nomad_magic.nomad.resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.models import AllocationStub
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.protocol import ExecProtocol
    from nomad_magic.nomad.resolve import Resolved
    from nomad_magic.nomad.survey import Spot
    from nomad_magic.nomad.websocket import ExecConnection
    from nomad_magic.record.facts import Place


class _Known:
    """Stands for a `Resolver` where nothing is left to ask.

    Args:
        spot: Where the action is to run.
        located: As for `Resolver`.
    """

    def __init__(
        self, spot: Spot, located: Callable[[Place, tuple[str, ...] | None], None]
    ) -> None:
        self._spot = spot
        self._located = located

    async def find(self) -> str:
        """Say where; return the id of the node."""
        self._located(self._spot.place, self._spot.command)
        return self._spot.place.node

    async def look(self) -> Resolved:
        """Return what was found."""
        return self._spot.resolved


class Opening:
    """Opens the exec session of one run.

    Args:
        args: The line.
        client: Of the configured address.
        options: The bounds of each wait.
        protocol: The run's state; is told when the action is asked for, and what came of that.
        spot: Where it is to run, where that was found already.
        located: As for `Resolver`.
        notice: As for `Resolver`.
        permit: Is awaited once it is known where, and before anything is opened; None where nobody
            need be asked.
        before: Is waited for before the action is asked for.

    Attributes:
        resolved: Where the action is to run, once that is known.
        chosen_from: How many allocations it was chosen from, where the line names none.
        asked: When the session was asked for, by `clock.now`.
    """

    def __init__(  # noqa: PLR0913 - each is one side of it, and named
        self,
        args: ActionArgs,
        client: Client,
        options: Options,
        protocol: ExecProtocol,
        *,
        spot: Spot | None,
        located: Callable[[Place, tuple[str, ...] | None], None],
        notice: Callable[[str], None],
        permit: Callable[[Opening, Resolved], Awaitable[None]] | None = None,
        before: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self.resolved: Resolved | None = None
        self.chosen_from = 0
        self.asked: float | None = None
        self._args = args
        self._protocol = protocol
        self._before = before
        self._resolver: Resolver | _Known = (
            Resolver(args, client, choose=self._choose, located=located, notice=notice)
            if spot is None
            else _Known(spot, located)
        )
        self._permit = permit
        self._connector = Connector(client, options, protocol)

    async def open(self, over: asyncio.Event) -> ExecConnection | None:
        """Return the open session; None when the run was given up before it was open.

        Args:
            over: Set when the run is given up, by whoever does that.

        Raises:
            NomadMagicError: It cannot be opened.
        """
        opening = asyncio.create_task(self._find_and_connect())
        given_up = asyncio.create_task(over.wait())
        try:
            await asyncio.wait({opening, given_up}, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                opening.cancel()
                await asyncio.wait({opening})
            if opening.cancelled():
                return None
            connection = opening.result()
        except NomadMagicError:
            if self._protocol.ended and self._protocol.state is not State.REFUSED:
                # A question that comes to nothing once nobody waits for it is not a failure.
                return None
            raise
        finally:
            given_up.cancel()
        if self._protocol.ended:
            await connection.close()
            return None
        return connection

    def _choose(self, stubs: Sequence[AllocationStub]) -> AllocationStub:
        self.chosen_from = len(stubs)
        return random.SystemRandom().choice(stubs)

    async def _find_and_connect(self) -> ExecConnection:
        try:
            node = await self._resolver.find()
            if self._permit is None:
                self._connector.begin(node)
            self.resolved = await self._resolver.look()
            if self._permit is not None:
                await self._permit(self, self.resolved)
            if self._before is not None:
                await self._before()
            self.asked = clock.now()
            return await self._connector.open(self.resolved, self._args)
        finally:
            self._connector.drop()
