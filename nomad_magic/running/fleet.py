"""One action in many allocations: so many at a time, each a session of its own, all waited for."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.errors import Interrupted, NotConfirmed
from nomad_magic.nomad import cache
from nomad_magic.nomad.capacity import sessions_at_once
from nomad_magic.nomad.survey import survey
from nomad_magic.record.facts import Outcome, Rung
from nomad_magic.record.fleet_facts import LeftOut
from nomad_magic.record.fleet_result import FleetResult
from nomad_magic.record.result import ActionResult
from nomad_magic.running import garbage, leaving, outcome
from nomad_magic.running.handle import Handle
from nomad_magic.running.outcome import STOPPED
from nomad_magic.running.pending import Waiting
from nomad_magic.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from nomad_magic.errors import NomadMagicError
    from nomad_magic.line.fleet_flags import FleetArgs
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.survey import Spot, Survey
    from nomad_magic.nomad.target import Target
    from nomad_magic.running.events import Listener
    from nomad_magic.running.gate import Gate
    from nomad_magic.running.log import FleetLog

TRIES: Final = 10
PAUSE_SECONDS: Final = 0.5
"""How often, and after which pause, it is asked again then."""

AT_A_TIME: Final = 16
"""How many are got ready in one turn of the loop: others share it."""

FAILED_BEFORE: Final = "not begun after a failure (-fail-fast)"


class Fleet(Handle["FleetResult"]):
    """Runs an action in every running allocation that has it.

    It lives in the background loop; every method may be called from any thread.

    Args:
        line: The line, parsed and checked.
        target: Which agent, and as whom.
        options: The bounds of each wait, of each run.
        stdin: What each of them reads, then the end of stdin; None for nothing.
        size: The terminals' height and width in cells.
        only: The ids of the allocations that count; None for all.
        word: What was given to confirm it.

    Attributes:
        result: What is known so far; filled in while the runs go on.
        error: Why it failed, once it is done; None when it did not, or was stopped.
        stdin: What each of them reads; None for nothing.
    """

    def __init__(  # noqa: PLR0913 - each is one side of it, and named
        self,
        line: FleetArgs,
        target: Target,
        options: Options,
        *,
        stdin: bytes | None = None,
        size: tuple[int, int] = (24, 80),
        only: Collection[str] | None = None,
        word: str | None = None,
    ) -> None:
        self.line, self.target = line, target
        masker = target.masker()
        result = FleetResult(
            action=masker.name(line.args.action),
            command_line=masker.shown(line.command_line()),
            place=target.place.shown(masker),
            masker=masker,
            run_id=secrets.token_hex(8),
        )
        super().__init__(options, result, action=line.args.action, word=word)
        self.result.rerunner = self._rerun
        self.stdin, self._size = stdin if line.args.stdin else None, size
        self._only = None if only is None else frozenset(only)
        self._sessions: dict[str, Session] = {}
        self._running: dict[str, Session] = {}
        self._failures: dict[str, NomadMagicError] = {}
        self._rooms: dict[str, asyncio.Semaphore] = {}
        self._most = 1
        self._rung = Rung.NONE
        self._closed = ""
        """Why no more are begun; empty while they are."""
        self._asking: asyncio.Task[Survey] | None = None
        self._located = False
        self._began = 0.0
        self._listeners: list[Listener] = []
        self._told = asyncio.Event()
        self._told.set()
        self._log: FleetLog | None = None
        if options.log_dir:
            from nomad_magic.running.log import FleetLog  # noqa: PLC0415 - most have none

            self._log = FleetLog(result, options.log_dir)

    def __repr__(self) -> str:
        return f"<Fleet {self.result.action}: {self.result.state}>"

    # What a user calls, from any thread

    @property
    def stopped(self) -> bool:
        """Someone asked for the end."""
        return self._closed == STOPPED

    @property
    def elapsed(self) -> float:
        """Seconds since the first was begun; 0 before."""
        if self.done or not self._began:
            return self.result.duration
        return time.monotonic() - self._began

    def running(self) -> dict[str, Session]:
        """Return the sessions that have not ended, by their allocations' ids."""
        return dict(self._running)

    def session(self, key: str) -> Session | None:
        """Return an allocation's session, also once it has ended; None while none was begun."""
        return self._sessions.get(key)

    def member(self, key: str) -> Session | Waiting:
        """Return what stops the run in one allocation."""
        return self._sessions.get(key) or Waiting(self, key)

    def give_up(self, key: str) -> None:
        """Do not begin the run in an allocation; where it was begun meanwhile, stop it."""
        self._call(lambda: self._stop_one(key))

    @property
    def opened(self) -> bool:
        """Something of it may have been started, or it is over."""
        return self.done or bool(self._began)

    @property
    def located(self) -> bool:
        """It is known where it runs, what is left out and why; or it is over."""
        return self.done or self._located

    def listen(self, listener: Listener) -> None:
        """Call a function with each event of every run that begins from now on."""
        self._listeners.append(listener)

    def hold(self) -> None:
        """Before it is started: begin no run until `go` is called, once it is known where."""
        self._told.clear()

    def go(self) -> None:
        """What runs where was said: begin."""
        self._call(self._told.set)

    def wind_down(self, grace: float) -> None:
        """Stop all without a person to climb, and do not wait for it."""
        self._call(lambda: self._end_each(lambda session: session.wind_down(grace)))

    def disconnect(self) -> None:
        """Close the connections within a second; the processes may go on."""
        self._call(lambda: self._end_each(Session.disconnect))

    @property
    def next_stop(self) -> Rung:
        """The rung that the next `stop` climbs; `NONE` when there is nothing left to do."""
        if self.done:
            return Rung.NONE
        rungs = {session.next_stop for session in self.running().values()} - {Rung.NONE}
        return min(rungs, default=Rung.NONE if self.stopped else Rung.GIVE_UP)

    @property
    def rung(self) -> Rung:
        """The rung that was climbed last, of all."""
        return self._rung

    @property
    def unfinished(self) -> bool:
        """Nothing was to run."""
        return not self.result.runs

    def interrupted(self) -> Interrupted:
        """Return what a Ctrl-C that stopped all is raised as."""
        said = f"{self.result.action}: {self.result.state}"
        return Interrupted(said, exit_code=1, result=self.result)

    # What runs in the loop

    def _stop(self) -> None:
        # Those climb that are furthest behind, so that each does what the rung's name says; what
        # was not asked for yet is given up in any case, for else it would begin.
        self._close(STOPPED)
        rung = self._rung = self.next_stop
        for session in self.running().values():
            if session.next_stop in (rung, Rung.GIVE_UP):
                session.stop()

    def _stop_one(self, key: str) -> None:
        if (session := self._sessions.get(key)) is not None:
            session.stop()
        self._give_up(key, STOPPED)

    def _end_each(self, end: Callable[[Session], None]) -> None:
        self._close(STOPPED)
        for session in self._running.values():
            end(session)

    def _close(self, why: str) -> None:
        """Begin no more."""
        self._closed = why
        self._told.set()
        if self.gate is not None:
            self.gate.open()
        for key in self.result.runs:
            self._give_up(key, why)
        if self._asking is not None:
            self._asking.cancel()

    async def _run(self) -> None:
        failure: NomadMagicError | None = None
        try:
            failure = await outcome.caught(self._ask_and_run())
        finally:
            self._conclude(failure)
            await self._end(self._log)

    async def _ask_and_run(self) -> None:
        client = cache.client(self.target, self.options)
        self._asking = asyncio.create_task(survey(self.line.args, client))
        await asyncio.wait({self._asking})
        if self._asking.cancelled() or self._closed:
            return
        with garbage.spared():
            spots = await self.take(found := self._asking.result())
        self._asking = None
        self._most = await sessions_at_once(client, self.line.parallel)
        if self.gate is not None:
            await self._confirm(self.gate, found, spots)
        self._located = True
        await self._told.wait()
        if self._log is not None and spots and not self._closed:
            await self._log.begin()
        self.result.started, self._began = datetime.now().astimezone(), time.monotonic()
        left = iter(spots)
        workers = []
        with garbage.spared():
            for _ in range(min(self.line.parallel, len(spots))):
                workers.append(asyncio.create_task(self._work(left)))
                # All in one turn would hold the loop up, and each next step of theirs again.
                await asyncio.sleep(0)
            await asyncio.gather(*workers)

    async def _confirm(self, gate: Gate, found: Survey, spots: Sequence[Spot]) -> None:
        """Wait at the gate, with all that is known of where it is to run."""
        from nomad_magic.running import planning  # noqa: PLC0415 - most runs have no gate

        plan = planning.of_many(self.result, self.line, self.options, spots, self.stdin)
        await gate.pause(plan, planning.values_of_many(self.target, self.line, found))
        if not self._closed:
            self.result.confirmed = gate.verdict()

    async def take(self, found: Survey) -> list[Spot]:
        """Write down what was found, before anything runs; return where it is to run."""
        result, shown = self.result, self.result.masker.shown
        spots = [
            spot
            for spot in found.spots
            if self._only is None or spot.resolved.allocation.id in self._only
        ]
        there = {spot.resolved.allocation.id for spot in spots}
        result.place = found.place.shown(result.masker)
        result.left_out += found.left_out if self._only is None else ()
        result.left_out += [
            LeftOut(allocation=one, name=one, node_name="", reason="does not run any more")
            for one in sorted((self._only or frozenset()) - there)
        ]
        result.notices += map(shown, found.notices)
        waiting: dict[str, ActionResult] = {}
        for spot in spots:
            waiting[spot.resolved.allocation.id] = self._waiting(spot)
            if not len(waiting) % AT_A_TIME:
                await asyncio.sleep(0)
        result.runs.update(waiting)
        if self._closed:
            self._close(self._closed)
        return spots

    def _waiting(self, spot: Spot) -> ActionResult:
        """Return the result of a run that was not begun."""
        masker = self.result.masker
        return ActionResult(
            action=self.result.action,
            command_line=masker.shown(self._args(spot).command_line()),
            tty=self.line.args.tty,
            width=self._size[1],
            place=spot.place.shown(masker),
            command=tuple(map(masker.shown, spot.command)),
            masker=masker,
        )

    def _args(self, spot: Spot) -> Any:
        """Return the line that runs the action in one allocation alone."""
        return replace(
            self.line.args, alloc=spot.resolved.allocation.id, group="", task=spot.place.task
        )

    async def _work(self, spots: Iterator[Spot]) -> None:
        """Run one after the other until none is left."""
        for spot in spots:
            key = spot.resolved.allocation.id
            async with self._room(spot):
                for left in reversed(range(TRIES)):
                    session = await self._begin(key, spot)
                    if session is None or not (left and outcome.is_too_many(session.error)):
                        break
                    # It was not even read: there is room once others have ended.
                    del self._sessions[key]
                    self.result.runs[key] = self._waiting(spot)
                    if not (self._closed or session.stopped):
                        await asyncio.sleep(PAUSE_SECONDS)
                    if why := self._closed or (STOPPED if session.stopped else ""):
                        self._give_up(key, why)
            if session is not None and session.error is not None:
                self._failures[key] = session.error
                if self.line.fail_fast and not self._closed:
                    self._close(FAILED_BEFORE)

    def _room(self, spot: Spot) -> asyncio.Semaphore:
        """Return what bounds the sessions with the agent that a spot's is with."""
        node = spot.resolved.node
        address = node.http_addr if node is not None and self.options.direct else ""
        return self._rooms.setdefault(address, asyncio.Semaphore(self._most))

    async def _begin(self, key: str, spot: Spot) -> Session | None:
        """Run it in one allocation, to its end; None where no more are begun."""
        if self.result.runs[key].outcome is not Outcome.RUNNING:
            # It was given up.
            return None
        session = Session(
            self._args(spot),
            self.target,
            # Each is confirmed by what all are.
            replace(self.options, confirm=()),
            stdin=self.stdin,
            size=self._size,
            spot=spot,
            fleet=self.result.run_id,
        )
        for listener in self._listeners:
            session.listen(listener)
        self.result.runs[key] = session.result
        self._sessions[key] = self._running[key] = session
        garbage.spare_more(len(self._sessions))
        await session.run_here()
        del self._running[key]
        return session

    def _give_up(self, key: str, why: str) -> None:
        run = self.result.runs[key]
        if key not in self._sessions and run.outcome is Outcome.RUNNING:
            run.outcome, run.reason = Outcome.NOT_STARTED, why
            run.ended = datetime.now().astimezone()

    def _conclude(self, failure: NomadMagicError | None) -> None:
        result = self.result
        if self._began:
            result.duration = time.monotonic() - self._began
            result.ended = datetime.now().astimezone()
        if isinstance(failure, NotConfirmed):
            # Of what never began the error says all there is.
            result.runs.clear()
        self.error = failure or outcome.fleet_failure(result, self._failures)
        if self.error is not None:
            leaving.settle(self.error, result.masker.shown)

    def _rerun(self, allocations: list[str], word: str | None) -> FleetResult:
        made = Fleet(
            self.line,
            self.target,
            self.options,
            stdin=self.stdin,
            size=self._size,
            only=allocations,
            word=word,
        )
        if not allocations:
            return made.result
        with made:
            return made.start().wait(check=True)
