"""One run of an action, from its flags to its result.

A `Session` lives in the background loop; every method may be called from any thread.  Output goes
to the result's transcript, from which views read at their own pace.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.errors import Interrupted, SessionRefused
from nomad_magic.nomad import cache, clock, refusals, stream
from nomad_magic.nomad.protocol import CTRL_C, ExecProtocol, State
from nomad_magic.record.facts import Outcome, Rung, StopReason
from nomad_magic.record.result import ActionResult
from nomad_magic.record.transcript import size_and_hash
from nomad_magic.running import loop, outcome
from nomad_magic.running.conversation import Conversation
from nomad_magic.running.events import Ended, Listeners, Output
from nomad_magic.running.handle import Handle
from nomad_magic.running.opening import Opening
from nomad_magic.running.reaching import Reaching
from nomad_magic.running.stopping import Stopper
from nomad_magic.running.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nomad_magic.errors import NomadMagicError
    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.resolve import Resolved
    from nomad_magic.nomad.survey import Spot
    from nomad_magic.nomad.target import Target
    from nomad_magic.nomad.websocket import ExecConnection
    from nomad_magic.record.sighting import Sighting
    from nomad_magic.record.transcript import StreamName
    from nomad_magic.running.events import Listener
    from nomad_magic.running.lines import AsyncLineIterator, LineIterator
    from nomad_magic.running.log import SessionLog

INTERRUPTED_CLI: Final = 130
"""What the CLI leaves with when Ctrl-C reaches it before the session is open."""

# Connections that outlive their sessions are not closed one by one.
loop.at_end(stream.let_go)


class Session(Handle["ActionResult"]):
    """One run of an action.

    Args:
        args: The line, parsed and checked.
        target: Which agent, and as whom.
        options: The bounds of each wait.
        stdin: What the action reads, then the end of stdin.  None means nothing, or what is
            typed.
        typing: Someone may type: without a `stdin` it stays open for `type`.
        size: The terminal's height and width in cells.
        spot: Where it is to run, where that was found already.
        word: What was given to confirm it.
        fleet: The id of the fleet that it is one of; may be empty.

    Attributes:
        result: What is known so far; filled in while the run goes on.
        error: Why the run failed, once it is done; None when it did not, or was stopped.
    """

    def __init__(  # noqa: PLR0913 - each is one side of a run, and named
        self,
        args: ActionArgs,
        target: Target,
        options: Options,
        *,
        stdin: bytes | None = None,
        typing: bool = False,
        size: tuple[int, int] = (24, 80),
        spot: Spot | None = None,
        word: str | None = None,
        fleet: str = "",
    ) -> None:
        self.args, self.target = args, target
        masker = target.masker()
        result = ActionResult(
            action=masker.name(args.action),
            command_line=masker.shown(args.command_line()),
            tty=args.tty,
            width=size[1],
            place=(target.place if spot is None else spot.place).shown(masker),
            masker=masker,
            stdin=size_and_hash(stdin) if stdin else None,
            run_id=secrets.token_hex(8),
            fleet=fleet,
        )
        super().__init__(options, result, action=args.action, word=word)
        self.result.looker = self.look
        self._spot = spot
        self._throttle = Throttle()
        self._protocol = ExecProtocol(
            tty=args.tty, escape=args.escape, size=size, reach=options.reach
        )
        if stdin is not None:
            self._protocol.type(stdin)
        if not (args.stdin and stdin is None and typing):
            self._protocol.end_stdin()
        self._began = 0.0
        self._listeners = Listeners(self.result)
        self._log: SessionLog | None = None
        if options.log_dir:
            from nomad_magic.running.log import SessionLog  # noqa: PLC0415 - most runs have none

            self._log = SessionLog(result, options.log_dir, self._listeners)
        self._stopper = Stopper(self._protocol, self.result, self._listeners, self._after_change)
        self._reaching = Reaching(
            self._protocol,
            args.action,
            self.result,
            done=self._stopper.signalled,
        )
        self._conversation: Conversation | None = None
        self._given_up = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Session {self.result.action}: {self.result.state}>"

    # What a user of the session calls, from any thread

    @property
    def opened(self) -> bool:
        """The exec session is open, or the run is over."""
        return self.done or self._protocol.state not in (State.RESOLVING, State.OPENING)

    @property
    def stopped(self) -> bool:
        """Someone asked for the end, if only after it had come."""
        return self._stopper.late or self._protocol.ladder.reason is not None

    @property
    def takes_input(self) -> bool:
        """Stdin is open for `type`."""
        return self._protocol.takes_input

    @property
    def elapsed(self) -> float:
        """Seconds since the session was opened; 0 before."""
        if self.done or not self._began:
            return self.result.duration
        return time.monotonic() - self._began

    def wind_down(self, grace: float) -> None:
        """Stop without a person to climb, as by `stop` with a grace, and do not wait for it."""
        self._call(lambda: self._wind_down(grace))

    def disconnect(self) -> None:
        """Close the connection within a second; the process may go on."""
        self._call(self._stopper.disconnect)

    @property
    def next_stop(self) -> Rung:
        """The rung that the next `stop` climbs; `NONE` when there is nothing left to do."""
        return Rung.NONE if self.done else self._protocol.next_rung

    @property
    def rung(self) -> Rung:
        """The rung that was climbed last."""
        return self._protocol.ladder.rung

    def type(self, data: bytes, *, reply: bool = False) -> None:
        """Type into the action's terminal, or hand bytes to its stdin.

        Args:
            data: The bytes.
            reply: The terminal answers the action by itself: the ladder of `stop` stays as it is.
        """
        if CTRL_C in data:
            self._throttle.hurry()
        self._change(lambda: self._protocol.type(data, reply=reply))

    def end_input(self) -> None:
        """End the input: no more will be typed."""
        self._change(self._protocol.end_stdin)

    def resize(self, height: int, width: int) -> None:
        """Tell the action's terminal its size in cells."""
        self._change(lambda: self._resize(height, width))

    def take_time(self, idle: float = 0.0) -> None:
        """Read no faster than leaves the machine to others: the page, its server, a click on Stop.

        For a view that leaves most of a flood out; the action waits, as for a slow terminal.

        Args:
            idle: Seconds from now in which to read next to nothing of a flood.
        """
        self._throttle.pace.take_time(time.monotonic() + idle)

    def look(self) -> Sighting | None:
        """Look for the action's process by a second session; also when the run is over.

        Returns:
            What was seen, which is in `result.seen` from then on.  None where there was nothing to
            look for, or `Options.reach` is off.
        """
        return loop.submit(self._reaching.look()).result()

    def listen(self, listener: Listener) -> None:
        """Call a function with each event of the run from now on, in the loop's thread."""
        self._listeners.add(listener)

    def __iter__(self) -> LineIterator:
        """Go through the output's lines as they come, until the run is over.

        Each iteration begins at the first line, also when the run is over, and misses none however
        slow it is; several may go on at once.  Nothing is raised for an action that fails: `wait`
        with `check` does that.  An interrupt leaves the run as it is, as one of `wait` does.
        """
        from nomad_magic.running.lines import LineIterator  # noqa: PLC0415 - most runs need none

        return LineIterator(self, self._listeners)

    def __aiter__(self) -> AsyncLineIterator:
        """The same with `async for`, in any event loop."""
        from nomad_magic.running.lines import AsyncLineIterator  # noqa: PLC0415 - the same

        return AsyncLineIterator(self, self._listeners)

    def leave_to_parent(self) -> None:
        """End here, in a forked child: the run goes on in the parent, and ends there."""
        super().leave_to_parent()
        self.result.journal = None
        self.result.transcript.begin_anew()

    @property
    def unfinished(self) -> bool:
        """No exit code came."""
        return self.result.exit_code is None

    def interrupted(self) -> Interrupted:
        """Return what a Ctrl-C that stopped it is raised as, with what the CLI leaves with."""
        result = self.result
        code = result.exit_code
        if code is None:
            code = INTERRUPTED_CLI if result.outcome is Outcome.NOT_STARTED else 1
        return Interrupted(f"{result.action}: {result.state}", exit_code=code, result=result)

    # What runs in the loop

    def _change(self, function: Callable[[], None]) -> None:
        def change() -> None:
            function()
            self._after_change()

        self._call(change)

    async def _run(self) -> None:
        failure: NomadMagicError | None = None
        try:
            failure = await outcome.caught(self._start_and_talk())
            failure = await outcome.caught(self._reaching.end()) or failure
        finally:
            self._conclude(failure)
            try:
                await self._end(self._log)
            finally:
                self._listeners.tell(Ended(self.result, self.error))

    async def _start_and_talk(self) -> NomadMagicError | None:
        protocol = self._protocol
        if protocol.ended:
            # Given up before it began.
            return None
        client = cache.client(self.target, self.options)
        opening = Opening(
            self.args,
            client,
            self.options,
            protocol,
            spot=self._spot,
            located=self._listeners.located,
            notice=self._listeners.noticed,
            permit=None if self.gate is None else self._permit,
            before=None if self._log is None else self._log.begin,
        )
        try:
            connection = await opening.open(self._given_up)
        finally:
            self._reaching.asked = opening.asked
            if opening.resolved is not None:
                self._reaching.located(client, self.options, opening.resolved)
        if connection is None:
            return None
        self._began = time.monotonic()
        protocol.opened(self._began)
        self._stopper.opened()
        self._reaching.begin()
        self._listeners.started()
        failure = await self._talk(connection)
        if isinstance(failure, SessionRefused) and opening.resolved is not None:
            failure.hint = await refusals.hint(failure.reason, self.args, opening.resolved, client)
        return failure

    async def _permit(self, opening: Opening, resolved: Resolved) -> None:
        """Wait at the gate, with all that is known of where it is to run."""
        from nomad_magic.running import planning  # noqa: PLC0415 - most runs have no gate

        gate = self.gate
        assert gate is not None, "there is one"  # noqa: S101 - else it is not called
        await planning.check(self.args, resolved, cache.client(self.target, self.options))
        await gate.pause(
            planning.of_one(
                self.result, self.args, self.options, resolved, chosen_from=opening.chosen_from
            ),
            planning.values_of_one(self.target, self.args, resolved),
        )
        self.result.confirmed = gate.verdict()

    async def _talk(self, connection: ExecConnection) -> NomadMagicError | None:
        """Carry frames both ways until the session is over."""
        talk = self._conversation = Conversation(
            connection,
            self._protocol,
            self._throttle,
            self._given_up,
            link_timeout=self.options.link_timeout,
            write=self._wrote,
            notify=lambda: self._listeners.tell(Output(self.result.transcript.size)),
        )
        expiring: list[Coroutine[Any, Any, None]] = []
        if (timeout := self.options.timeout) is not None:
            expiring.append(self._expire(timeout))
        try:
            await talk.run(*expiring)
        finally:
            # Closing may take a while; the action's own time ends here.
            self.result.duration = time.monotonic() - self._began
            self.result.sent = self._protocol.sent
            await connection.close()
            # The session outlives its connection.
            self._conversation = None
        return talk.failure

    def _wrote(self, stream: StreamName, data: bytes) -> None:
        if self._reaching.wrote is None:
            self._reaching.wrote = clock.now()
        self.result.pace.wrote(time.monotonic() - self._began, len(data))
        self.result.transcript.write(stream, data)

    async def _expire(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._wind_down(self.options.grace, StopReason.TIMEOUT)

    def _stop(self) -> None:
        self._throttle.hurry()
        self._stopper.stop()

    def _wind_down(self, grace: float, reason: StopReason = StopReason.PERSON) -> None:
        self._throttle.hurry()
        self._stopper.wind_down(grace, reason)

    def _resize(self, height: int, width: int) -> None:
        if self._began and width != self.result.width:
            self.result.pace.was_resized(self.elapsed)
        self.result.width = width
        self._protocol.resize(height, width)

    def _after_change(self) -> None:
        if self._conversation is not None:
            self._conversation.wake()
        self._reaching.wake()
        if self._protocol.ended:
            self._given_up.set()

    def _conclude(self, failure: NomadMagicError | None) -> None:
        result, protocol = self.result, self._protocol
        protocol.failed()
        self._stopper.never_opened()
        self.error = outcome.conclude(
            result,
            failure,
            protocol,
            given=self.target.given,
            timeout=self.options.timeout,
        )
        # What was typed may be long, and the session outlives the run.
        protocol.forget_stdin()
