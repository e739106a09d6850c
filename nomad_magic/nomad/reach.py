"""Looks for a run's process, and signals it, by a second session in the same task.

Closing a connection ends nothing, and nothing in Nomad's API says whether a process still runs.
But whoever may run an action may run any command in its task: with `alloc-exec`, and
`alloc-node-exec` for a driver without isolation (measured on Nomad 2.0.6).  So a shell is started
there (`reach.sh`); it lists what may be the run's process, `processes` chooses, and the shell
signals that by its id.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from nomad_magic.errors import NomadMagicError, UnexpectedAnswer
from nomad_magic.nomad import processes
from nomad_magic.nomad.connect import Connector
from nomad_magic.nomad.protocol import ExecProtocol, Exited, Lost, Output, Refused
from nomad_magic.nomad.websocket import ConnectionEnded
from nomad_magic.record.facts import SHORT_ID
from nomad_magic.record.sighting import Presence, Process, Sighting, described

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Unpack

    from nomad_magic.nomad.client import Client
    from nomad_magic.nomad.options import Options
    from nomad_magic.nomad.processes import Span
    from nomad_magic.nomad.resolve import Resolved
    from nomad_magic.nomad.websocket import ExecConnection

COMMAND: Final = ("/bin/sh", "-s", "nomad_magic-look")
"""What is run in the task: a shell that reads `reach.sh` from its stdin, and a name to know it by.
In the request's URL that would be too long for some proxies."""

SIGNAL_SECONDS: Final = 5.0
"""How long a look may take that is to signal."""

WRITING_SECONDS: Final = 0.4
"""After how long it is looked at once more whether a process that writes has ended."""

MOST_BYTES: Final = 1 << 20
"""How much the shell may say."""

FORBIDDEN: Final = 403

OLDEST_SECONDS: Final = 60.0
"""How much older than the run a process may be and still be listed."""

_NO_SHELL: Final = ("no such file or directory", "executable file not found", "not found in $PATH")


class _More(TypedDict, total=False):
    why: str
    signal: str
    signalled: tuple[int, ...]
    hopeless: bool


class CannotLookError(Exception):
    """The second session came to nothing.

    Args:
        why: In words.
        hopeless: It would come to nothing again.
    """

    def __init__(self, why: str, *, hopeless: bool = False) -> None:
        super().__init__(why)
        self.hopeless = hopeless


class Reach:
    """Looks for one run's process.

    Args:
        client: Of the configured address.
        options: The bounds of each wait.
        resolved: Where the action runs.
        action: Its name.

    Attributes:
        found: The run's process, once it was found.
    """

    def __init__(
        self,
        client: Client,
        options: Options,
        resolved: Resolved,
        *,
        action: str,
    ) -> None:
        self.found: Process | None = None
        self._client = client
        self._options = options
        self._resolved = resolved
        actions = resolved.task.actions or ()
        commands = {one.name: (one.command, *(one.args or ())) for one in actions}
        self._command = commands.pop(action, None)
        self._others = list(commands.values())
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
        return await self._visit(span, runs=runs, signal="", seconds=seconds)

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
        try:
            async with asyncio.timeout(seconds), self._one_at_a_time, self._shell() as shell:
                return await self._work(shell, span, runs=runs, signal=signal)
        except TimeoutError:
            why = f"there was no answer within {seconds:g} s"
        except CannotLookError as error:
            why, hopeless = str(error), error.hopeless
        except NomadMagicError as error:
            why = error.message.partition("\n")[0].removeprefix("failed to exec into task: ")
            if isinstance(error, UnexpectedAnswer) and error.status == FORBIDDEN:
                why, hopeless = self._denied(), True
        return self._saw(Presence.UNKNOWN, why=why, signal=signal, hopeless=hopeless)

    async def _work(
        self, shell: Shell, span: Callable[[], Span], *, runs: bool, signal: str
    ) -> Sighting:
        if self.found is not None:
            if not await shell.knows(self.found):
                return self._saw(Presence.ENDED, why="it has ended", signal=signal)
        else:
            choice = await self._choose(shell, span(), runs=runs)
            self.found = choice.ours
        if self.found is None:
            if choice.instead:
                why = f"{choice.why}: {described(choice.instead)}"
                return self._saw(Presence.UNKNOWN, choice.instead, why=why, signal=signal)
            if runs:
                return self._saw(Presence.UNKNOWN, why=choice.why, signal=signal)
            return self._saw(Presence.ENDED, why=choice.why, signal=signal)
        sent: tuple[int, ...] = ()
        if not runs and span().wrote is not None:
            # One that writes ends at its next write, once its reader is gone (measured).
            await asyncio.sleep(WRITING_SECONDS)
            if not await shell.knows(self.found):
                return self._saw(Presence.ENDED)
        if signal:
            sent = await shell.signal(signal, self.found)
            if self.found.pid not in sent:
                why = "it has ended" if not sent else "it cannot be signalled"
                return self._saw(Presence.UNKNOWN, (self.found,), why=why, signal=signal)
        return self._saw(Presence.RUNNING, (self.found,), signal=signal, signalled=sent)

    async def _choose(self, shell: Shell, span: Span, *, runs: bool) -> processes.Choice:
        oldest = (time.monotonic() - span.asked + OLDEST_SECONDS) * processes.TICKS
        asked, answered, listing = await shell.listing(round(oldest))
        return processes.choose(
            listing,
            span,
            self._command,
            self._others,
            asked=asked,
            answered=answered,
            runs=runs,
        )

    def _saw(
        self, presence: Presence, found: tuple[Process, ...] = (), **more: Unpack[_More]
    ) -> Sighting:
        now = datetime.now().astimezone()
        return Sighting(time=now, presence=presence, processes=found, by=self.by, **more)

    def _denied(self) -> str:
        driver = self._resolved.task.driver
        return (
            f"the token may not exec in this task (alloc-exec, and alloc-node-exec for {driver})"
            if driver
            else "the token may not exec in this task (alloc-exec)"
        )

    @asynccontextmanager
    async def _shell(self) -> AsyncIterator[Shell]:
        """Run the script in the task's shell."""
        script = await asyncio.to_thread(_script)
        protocol = ExecProtocol(tty=False)
        connector = Connector(self._client, self._options, protocol)
        connection = await connector.open_command(self._resolved, COMMAND)
        try:
            protocol.opened(time.monotonic())
            shell = Shell(protocol, connection, self._denied)
            await shell.begin(script)
            yield shell
            await shell.end()
        finally:
            await connection.close()


class Shell:
    """The script in the task's shell, while it runs.

    Args:
        protocol: Of its session, which is open.
        connection: Carries that.
        denied: Says what is missing where it is not allowed.
    """

    def __init__(
        self, protocol: ExecProtocol, connection: ExecConnection, denied: Callable[[], str]
    ) -> None:
        self._protocol = protocol
        self._connection = connection
        self._denied = denied
        self._said = bytearray()
        self._boot = ""

    async def begin(self, script: str) -> None:
        """Hand the script to it, and hear its first word.

        Args:
            script: `reach.sh`.

        Raises:
            CannotLookError: There is no shell, or none that can look.
        """
        await self._ask(script.rstrip())
        word, _, rest = (await self._line()).partition(" ")
        if word != "here":
            raise CannotLookError("there is no /proc in the task", hopeless=True)
        boot = rest.split()[-1]
        self._boot = "" if boot == "none" else boot

    async def end(self) -> None:
        """End it: it leaves at the end of its input."""
        self._protocol.end_stdin()
        await self._send()

    async def listing(self, oldest: int) -> tuple[float, float, processes.Listing]:
        """Return siblings of the shell, and between which two moments it read the time.

        Args:
            oldest: Without those that are older, in ticks.
        """
        asked = time.monotonic()
        await self._ask(f"list {oldest}")
        first = await self._line()
        answered = time.monotonic()
        lines = [first, *await self._rest()] if first != "done" else []
        try:
            return asked, answered, processes.read_listing(lines, self._boot)
        except ValueError as error:
            raise CannotLookError("the task's shell does not say what is there") from error

    async def knows(self, process: Process) -> bool:
        """Whether a process that was seen before is still there."""
        if process.boot != self._boot:
            return False
        await self._ask(f"known {process.pid}")
        return f"process {process.pid} {process.start} known" in await self._rest()

    async def signal(self, name: str, process: Process) -> tuple[int, ...]:
        """Send a signal to a process and to those that it started; return who got it."""
        await self._ask(f"signal {name} {process.pid} {process.start}")
        told = [line.split() for line in await self._rest()]
        return tuple(int(words[1]) for words in told if words[0] == "signalled")

    async def _ask(self, line: str) -> None:
        self._protocol.type(f"{line}\n".encode())
        await self._send()

    async def _rest(self) -> list[str]:
        lines = []
        while (line := await self._line()) != "done":
            lines.append(line)
        return lines

    async def _send(self) -> None:
        while (frame := self._protocol.next_frame(time.monotonic())) is not None:
            try:
                await self._connection.send(frame)
            except ConnectionEnded:
                # Whoever reads hears why.
                return

    async def _line(self) -> str:
        """Return the next line of what the script says."""
        taken = 0
        while (end := self._said.find(b"\n")) < 0:
            if taken > MOST_BYTES:
                raise CannotLookError("the task's shell says too much")
            try:
                messages = await self._connection.receive()
            except ConnectionEnded as ended:
                last = self._protocol.receive_close(ended.code, ended.reason, time.monotonic())
                raise self._over(last[0] if last else None) from None
            if not messages:
                await asyncio.sleep(0)
            for message in messages:
                for event in self._protocol.receive(message):
                    if not isinstance(event, Output):
                        raise self._over(event)
                    if event.stream == "stdout":
                        self._said += event.data
                        taken += len(event.data)
        line = bytes(self._said[:end])
        del self._said[: end + 1]
        return line.decode("utf-8", "replace")

    def _over(self, event: Exited | Refused | Lost | Output | None) -> CannotLookError:
        match event:
            case Refused(reason=reason) if "Permission denied" in reason:
                return CannotLookError(self._denied(), hopeless=True)
            case Refused(reason=reason) if any(words in reason for words in _NO_SHELL):
                return CannotLookError(f"there is no {COMMAND[0]} in the task", hopeless=True)
            case Refused(reason=reason):
                return CannotLookError(f"the agent refused a second session: {reason}")
            case Lost(reason=reason):
                return CannotLookError(f"the second session was lost: {reason}")
            case Exited(code=code):
                return CannotLookError(f"the task's shell left with {code}", hopeless=True)
        return CannotLookError("the second session ended")


_scripts: list[str] = []


def _script() -> str:
    if not _scripts:
        _scripts.append((Path(__file__).parent / "reach.sh").read_text())
    return _scripts[0]
