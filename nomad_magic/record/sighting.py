"""What a look at an action's process saw, and what was done to it.  Pure."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nomad_magic.record.humanize import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nomad_magic.record.masking import Masker


class Presence(enum.StrEnum):
    """What is known of an action's process."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process, as the task's own shell saw it.

    Attributes:
        pid: As it is called in the task.
        start: When it began, in hundredths of a second since the machine did.
        age: For how long it had run, in seconds.
        command: Its command and arguments, run together.
        boot: Which start of the machine that was: with `start` and `pid` it is one process for
            ever.  Empty where the machine does not say.
    """

    pid: int
    start: int
    age: float
    command: str = ""
    boot: str = ""
    terminal: bool = field(default=False, repr=False)
    """It has a terminal."""
    leads: bool = field(default=False, repr=False)
    """It leads a session, as what is started on a terminal does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one look saw.

    Attributes:
        time: When.
        presence: What is known of the action's process.
        processes: The one that is the action's; or, with `UNKNOWN`, those that may be.
        why: Why it is not known, in words.
        signal: What was sent, `INT` or `KILL`; empty where nothing was to be sent.
        signalled: The ids of the processes that got it: the action's, then those that it started.
        by: The command of the second session.
    """

    time: datetime
    presence: Presence
    processes: tuple[Process, ...] = ()
    why: str = ""
    signal: str = ""
    signalled: tuple[int, ...] = ()
    by: str = ""
    maybe: bool = False
    """The signal may have been sent all the same: what came of it was not heard."""
    hopeless: bool = field(default=False, repr=False)
    """No look will ever see more."""

    def words(self, where: str = "") -> str:
        """Return it in words: `process 17576 still runs`.

        Args:
            where: In which allocation, if that is to be said.
        """
        within = f" in {where}" if where else ""
        match self.presence:
            case Presence.RUNNING:
                return f"process {self.processes[0].pid} still runs{within}"
            case Presence.ENDED:
                return f"the process has ended{within}"
            case Presence.UNKNOWN:
                return f"the process may still run{within}; a look could not tell: {self.why}"

    @property
    def deed(self) -> str:
        """What was done, in words; empty where nothing was to be sent."""
        if not self.signal:
            return ""
        if self.maybe:
            return f"SIG{self.signal} may have reached process {self.processes[0].pid}: {self.why}"
        if not self.signalled:
            return f"SIG{self.signal} was not sent: {self.why}"
        if self.presence is Presence.ENDED:
            whose = f"process {self.processes[0].pid}" if self.processes else "the process"
            return f"SIG{self.signal} sent to {_listed(self.signalled)}, which {whose} had started"
        first, *others = self.signalled
        more = f" and {_listed(others)}, which it started" if others else ""
        return f"SIG{self.signal} sent to process {first}{more}"

    def metadata(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "time": self.time.isoformat(),
            "presence": self.presence.value,
            "processes": [asdict(one) for one in self.processes],
            "why": self.why,
            "signal": self.signal,
            "signalled": list(self.signalled),
            "maybe": self.maybe,
            "by": self.by,
        }

    def shown(self, masker: Masker) -> Sighting:
        """Return it as it can be shown: commands and reasons are others' words."""
        return replace(
            self,
            processes=tuple(
                replace(one, command=masker.shown(one.command), boot=masker.name(one.boot))
                for one in self.processes
            ),
            why=masker.shown(self.why),
            by=masker.shown(self.by),
        )


def described(processes: tuple[Process, ...]) -> str:
    """Return some processes with their ages: `17576 (for 3.2 s)`."""
    return _listed([f"{one.pid} (for {seconds(one.age)})" for one in processes])


def _listed(things: Sequence[int] | Sequence[str]) -> str:
    words = list(map(str, things))
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
