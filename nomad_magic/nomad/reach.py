"""Looks for a run's process, and signals it, by a second session in the same task.

Closing a connection ends nothing, and nothing in Nomad's API says whether a process still runs.
But whoever may run an action may run any command in its task: with `alloc-exec`, and
`alloc-node-exec` for a driver without isolation (measured on Nomad 2.0.6).  So a shell is started
there (`reach.sh`); it lists what may be the run's process, `choosing` chooses, and the shell
signals that by its id.
"""

from __future__ import annotations

import asyncio
import enum
import shlex
import time
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from nomad_magic.errors import NomadMagicError, UnexpectedAnswer
from nomad_magic.nomad import choosing, processes
from nomad_magic.nomad.connect import Connector
from nomad_magic.nomad.look_shell import COMMAND, CannotLookError, Shell, script
from nomad_magic.nomad.protocol import ExecProtocol
from nomad_magic.record.facts import SHORT_ID
from nomad_magic.record.sighting import Presence, Process, Sighting, described

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from typing import Unpack

    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.processes import Span
    from nomad_magic.nomad.resolve import Resolved

SIGNAL_SECONDS: Final = 5.0
"""How long a look may take that is to signal."""

AGAIN_SECONDS: Final = 0.2
"""After how long a look that came to nothing is tried once more."""

TIMES: Final = 6
"""How often it is looked again at what is just being started, or ends."""

WRITING_SECONDS: Final = 0.4
"""After how long it is looked at once more whether a process that writes has ended."""

FORBIDDEN: Final = 403


SILENT: Final = frozenset({"exec", "java"})
"""The drivers that say nothing of a program that is not there."""


class _Stage(enum.Enum):
    """How far a second session has come."""

    ASKED = enum.auto()
    OPEN = enum.auto()
    HEARD = enum.auto()
    SIGNALLING = enum.auto()


class _More(TypedDict, total=False):
    maybe: bool
    why: str
    signal: str
    signalled: tuple[int, ...]
    hopeless: bool


class _Run(TypedDict, total=False):
    tty: bool
    runs: bool
    found: Process | None


class Rival(NamedTuple):
    """Another run of this kernel in the same task.

    Attributes:
        span: When it began.
        action: Its action's name.
        tty: It has a terminal.
        runs: It has not ended.
        found: Its process, where that is known.
    """

    span: Span
    action: str
    tty: bool
    runs: bool
    found: Process | None


class Reach:
    """Looks for one run's process.

    Args:
        client: Of the configured address.
        options: The bounds of each wait.
        resolved: Where the action runs.
        action: Its name.
        tty: It has a terminal.
        rivals: Returns the other runs of this kernel in the task.

    Attributes:
        found: The run's process, once it was found.
    """

    def __init__(  # noqa: PLR0913 - each is one side of it, and named
        self,
        client: Client,
        options: Options,
        resolved: Resolved,
        *,
        action: str,
        tty: bool,
        rivals: Callable[[], Iterable[Rival]] = tuple,
    ) -> None:
        self.found: Process | None = None
        self._client = client
        self._options = options
        self._resolved = resolved
        self._action, self._tty, self._rivals = action, tty, rivals
        actions = resolved.task.actions or ()
        self._commands = {one.name: (one.command, *(one.args or ())) for one in actions}
        self._family: dict[int, int] = {}
        self._stage, self._lost = _Stage.ASKED, False
        self._one_at_a_time = asyncio.Lock()

    @property
    def by(self) -> str:
        """The command of the second session, as the CLI would be asked for it."""
        allocation, task = self._resolved.allocation, self._resolved.task
        return (
            shlex.join(
                [
                    *("nomad", "alloc", "exec", "-t=false", f"-task={task.name}"),
                    *(allocation.id[:SHORT_ID], *COMMAND),
                ]
            )
            + " < reach.sh"
        )

    async def look(self, span: Callable[[], Span], *, runs: bool, seconds: float) -> Sighting:
        """Look whether the process is there.

        Args:
            span: Returns when the run began.
            runs: The run has not ended, as far as its own session knows.
            seconds: How long it may take.
        """
        until = time.monotonic() + seconds
        seen = await self._visit(span, runs=runs, signal="", seconds=seconds)
        if self._lost and until - time.monotonic() > 2 * AGAIN_SECONDS:
            # What has cut off a run may cut off this too.
            await asyncio.sleep(AGAIN_SECONDS)
            seconds = until - time.monotonic()
            seen = await self._visit(span, runs=runs, signal="", seconds=seconds)
        return seen

    async def signal(self, span: Callable[[], Span], name: str) -> Sighting:
        """Look, and send a signal to the process and to those that it started.

        Args:
            span: As for `look`.
            name: `INT` or `KILL`.
        """
        return await self._visit(span, runs=True, signal=name, seconds=SIGNAL_SECONDS)

    async def _visit(
        self, span: Callable[[], Span], *, runs: bool, signal: str, seconds: float
    ) -> Sighting:
        why, hopeless = "", False
        self._stage, self._lost = _Stage.ASKED, False
        try:
            async with asyncio.timeout(seconds), self._one_at_a_time, self._shell() as shell:
                return await self._work(shell, span, runs=runs, signal=signal)
        except TimeoutError:
            why = f"there was no answer within {seconds:g} s"
            driver = self._resolved.task.driver
            if self._stage is _Stage.OPEN and driver in SILENT:
                # Measured on Nomad 2.0.6: the session stays open, and nothing ever comes.
                why += f", and the driver {driver} gives none where the task has no {COMMAND[0]}"
                hopeless = True
        except CannotLookError as error:
            why, hopeless, self._lost = str(error), error.hopeless, error.lost
        except NomadMagicError as error:
            why = error.message.partition("\n")[0].removeprefix("failed to exec into task: ")
            self._lost = not isinstance(error, UnexpectedAnswer)
            if isinstance(error, UnexpectedAnswer) and error.status == FORBIDDEN:
                why, hopeless = self._denied(), True
        if self._stage is _Stage.SIGNALLING and self.found is not None:
            found, maybe = (self.found,), True
            return self._saw(Presence.UNKNOWN, found, why=why, signal=signal, maybe=maybe)
        return self._saw(Presence.UNKNOWN, why=why, signal=signal, hopeless=hopeless)

    async def _work(
        self, shell: Shell, span: Callable[[], Span], *, runs: bool, signal: str
    ) -> Sighting:
        if self.found is not None:
            if not await shell.knows(self.found):
                # What it had started may hold its output, and the run with it.
                sent = await self._send(shell, signal, *self._family.items()) if signal else {}
                return self._saw(
                    Presence.ENDED,
                    (self.found,),
                    why="it has ended",
                    signal=signal,
                    signalled=tuple(sent),
                )
        else:
            wanted = self._wanted(span(), runs=runs).alone(shell.moment)
            choice = await self._choose(shell, wanted)
            self.found = choice.ours
        if self.found is None:
            if choice.instead:
                why = f"{choice.why}: {described(choice.instead)}"
                return self._saw(Presence.UNKNOWN, choice.instead, why=why, signal=signal)
            if runs:
                return self._saw(Presence.UNKNOWN, why=choice.why, signal=signal)
            return self._saw(Presence.ENDED, why=choice.why, signal=signal)
        signalled: tuple[int, ...] = ()
        if not runs and span().wrote is not None:
            # One that writes ends at its next write, once its reader is gone (measured).
            await asyncio.sleep(WRITING_SECONDS)
            if not await shell.knows(self.found):
                return self._saw(Presence.ENDED)
        if signal:
            family = await self._send(shell, signal, (self.found.pid, self.found.start))
            self._family.update(family)
            signalled = tuple(family)
            if self.found.pid not in signalled:
                why = "it has ended" if not signalled else "it cannot be signalled"
                return self._saw(Presence.UNKNOWN, (self.found,), why=why, signal=signal)
        return self._saw(Presence.RUNNING, (self.found,), signal=signal, signalled=signalled)

    async def _send(self, shell: Shell, signal: str, *which: tuple[int, int]) -> dict[int, int]:
        self._stage = _Stage.SIGNALLING
        sent = await shell.signal(signal, *which)
        self._stage = _Stage.HEARD
        return sent

    async def _choose(self, shell: Shell, wanted: processes.Wanted) -> choosing.Choice:
        choice = await self._choose_now(shell, wanted)
        for _ in range(TIMES):
            if not choice.again:
                break
            await asyncio.sleep(AGAIN_SECONDS)
            choice = await self._choose_now(shell, wanted)
        return choice

    async def _choose_now(self, shell: Shell, wanted: processes.Wanted) -> choosing.Choice:
        first, last = wanted.between(shell.moment)
        moment, listing = await shell.listing("list", first, last)
        choice = choosing.choose(listing, wanted, moment)
        if choice.unless_left:
            moment, listing = await shell.listing("left", first, moment.now)
            return choosing.unless_left(choice, listing, wanted, moment)
        if choice.ours is None and not choice.instead and not wanted.run.runs:
            _, listing = await shell.listing("left", first, last)
            return choosing.choose_left(listing, wanted, moment)
        return choice

    def _wanted(self, span: Span, *, runs: bool) -> processes.Wanted:
        task = self._resolved.task
        run = self._run(span, self._action, tty=self._tty, runs=runs)
        config = task.config or {}
        command, args = config.get("command"), config.get("args") or []
        own = [[command, *args]] if isinstance(command, str) and isinstance(args, list) else []
        others = [words for name, words in self._commands.items() if name != self._action]
        rivals = [
            self._run(one.span, one.action, tty=one.tty, runs=one.runs, found=one.found)
            for one in self._rivals()
        ]
        return processes.Wanted(
            run=run,
            others=(*others, *([str(word) for word in words] for words in own)),
            rivals=tuple(rivals),
            at_once=task.driver in processes.AT_ONCE,
        )

    def _run(self, span: Span, action: str, **more: Unpack[_Run]) -> processes.Run:
        return processes.Run(span=span, command=self._commands.get(action), **more)

    def _saw(
        self, presence: Presence, found: tuple[Process, ...] = (), **more: Unpack[_More]
    ) -> Sighting:
        now = datetime.now().astimezone()
        return Sighting(time=now, presence=presence, processes=found, by=self.by, **more)

    def _denied(self) -> str:
        driver = self._resolved.task.driver
        node = f", and alloc-node-exec for {driver}" if driver else ""
        # Nomad says the same of both.
        return (
            f"the token may not exec in this task (alloc-exec{node}), or the node's agent lets "
            "nobody (disable_remote_exec)"
        )

    @asynccontextmanager
    async def _shell(self) -> AsyncIterator[Shell]:
        """Run the script in the task's shell."""
        text = await asyncio.to_thread(script)
        protocol = ExecProtocol(tty=False)
        connector = Connector(self._client, self._options, protocol)
        connection = await connector.open_command(self._resolved, COMMAND)
        try:
            protocol.opened(time.monotonic())
            shell = Shell(protocol, connection, self._denied)
            self._stage = _Stage.OPEN
            await shell.begin(text)
            self._stage = _Stage.HEARD
            yield shell
            await shell.end()
        finally:
            await connection.close()
