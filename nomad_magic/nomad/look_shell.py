"""The script of a look in the task's shell (`reach.sh`), while it runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nomad_magic.nomad import clock, processes
from nomad_magic.nomad.protocol import ExecProtocol, Exited, Lost, Output, Refused
from nomad_magic.nomad.websocket import ConnectionEnded

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.nomad.websocket import ExecConnection
    from nomad_magic.record.sighting import Process

COMMAND: Final = ("/bin/sh", "-s", "nomad_magic-look")
"""What is run in the task: a shell that reads `reach.sh` from its stdin, and a name to know it by.
In the request's URL that would be too long for some proxies."""

MOST_BYTES: Final = 1 << 20
"""How much the shell may say."""

_NO_SHELL: Final = ("no such file or directory", "executable file not found", "not found in $PATH")


class CannotLookError(Exception):
    """The second session came to nothing.

    Args:
        why: In words.
        hopeless: It would come to nothing again.
        lost: It may come to something if it is tried again at once.
    """

    def __init__(self, why: str, *, hopeless: bool = False, lost: bool = False) -> None:
        super().__init__(why)
        self.hopeless = hopeless
        self.lost = lost


class Shell:
    """The script in the task's shell, while it runs.

    Args:
        protocol: Of its session, which is open.
        connection: Carries that.
        denied: Says what is missing where it is not allowed.

    Attributes:
        moment: When it said its first word.
    """

    def __init__(
        self, protocol: ExecProtocol, connection: ExecConnection, denied: Callable[[], str]
    ) -> None:
        self._protocol = protocol
        self._connection = connection
        self._denied = denied
        self._said = bytearray()
        self._boot = ""
        self.moment = processes.Moment(now=0, asked=0.0, answered=0.0)

    async def begin(self, script: str) -> None:
        """Hand the script to it, and hear its first word.

        Args:
            script: `reach.sh`.

        Raises:
            CannotLookError: There is no shell, or none that can look.
        """
        asked = clock.now()
        await self._ask(script.rstrip())
        word, _, rest = (await self._line()).partition(" ")
        if word != "here":
            raise CannotLookError("there is no /proc in the task", hopeless=True)
        *_, boot, now = rest.split()
        self._boot = "" if boot == "none" else boot
        self.moment = processes.Moment(now=int(now), asked=asked, answered=clock.now())

    async def end(self) -> None:
        """End it: it leaves at the end of its input."""
        self._protocol.end_stdin()
        await self._send()

    async def listing(
        self, which: str, first: int, last: int
    ) -> tuple[processes.Moment, processes.Listing]:
        """Return what there is, and when the shell read the time for it.

        Args:
            which: `list` for the shell's siblings, `left` for children of what is above its parent.
            first: Without those that began earlier, in the machine's ticks.
            last: Without those that began later.
        """
        asked = clock.now()
        await self._ask(f"{which} {first} {last}")
        word = await self._line()
        answered = clock.now()
        lines = [word, *await self._rest()] if word != "done" else []
        try:
            listing = processes.read_listing(lines, self._boot)
        except ValueError as error:
            raise CannotLookError("the task's shell does not say what is there") from error
        return processes.Moment(now=listing.now, asked=asked, answered=answered), listing

    async def knows(self, process: Process) -> bool:
        """Whether a process that was seen before is still there."""
        if process.boot != self._boot:
            return False
        await self._ask(f"known {process.pid}")
        return f"process {process.pid} {process.start} known" in await self._rest()

    async def signal(self, name: str, *which: tuple[int, int]) -> dict[int, int]:
        """Send a signal to processes and to those that they started; return who got it.

        Args:
            name: The signal's, without SIG.
            which: Each one's id, and when it began.

        Returns:
            The same of each that got it, the first one first.
        """
        found: dict[int, int] = {}
        for pid, start in which:
            if pid in found:
                continue
            await self._ask(f"signal {name} {pid} {start}")
            told = [line.split() for line in await self._rest()]
            found |= {int(words[1]): int(words[2]) for words in told if words[0] == "signalled"}
        return found

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
                return CannotLookError(f"the second session was lost: {reason}", lost=True)
            case Exited(code=code):
                return CannotLookError(f"the task's shell left with {code}", hopeless=True)
        return CannotLookError("the second session ended", lost=True)


_scripts: list[str] = []


def script() -> str:
    """Return the script."""
    if not _scripts:
        _scripts.append((Path(__file__).parent / "reach.sh").read_text())
    return _scripts[0]
