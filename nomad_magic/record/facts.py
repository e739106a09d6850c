"""What is known of a run: where, how it ended, and what it wrote.  Pure.

`RunFacts` is made when a run starts and filled in while it goes on, so that a run that fails, is
stopped or loses its connection still has all that came.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nomad_magic.record.humanize import seconds
from nomad_magic.record.masking import Masker
from nomad_magic.record.pace import Pace
from nomad_magic.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from nomad_magic.record.sighting import Sighting
    from nomad_magic.record.transcript import Transcript

SHORT_ID: Final = 8
"""How many characters of an id Nomad's CLI shows."""


class Tone(enum.StrEnum):
    """How an outcome is coloured."""

    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"
    NEUTRAL = "neutral"


class Outcome(enum.StrEnum):
    """How a run ended, as far as is known."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    DISCONNECTED = "disconnected"
    LOST = "connection lost"
    REFUSED = "refused"
    NOT_STARTED = "not started"
    UNKNOWN = "unknown"
    """The kernel that ran it is gone, and took the answer along."""

    @property
    def sign(self) -> str:
        """What stands before it, for who does not see the colour."""
        return _SHOWN[self][0]

    @property
    def tone(self) -> Tone:
        """How it is coloured."""
        return _SHOWN[self][1]


_SHOWN: Final = {
    Outcome.RUNNING: ("▶", Tone.NEUTRAL),
    Outcome.SUCCEEDED: ("✔", Tone.GOOD),
    Outcome.FAILED: ("✖", Tone.BAD),
    Outcome.INTERRUPTED: ("■", Tone.UNSURE),
    Outcome.DISCONNECTED: ("⚠", Tone.UNSURE),
    Outcome.LOST: ("⚠", Tone.BAD),
    Outcome.REFUSED: ("✖", Tone.BAD),
    Outcome.NOT_STARTED: ("✖", Tone.BAD),
    Outcome.UNKNOWN: ("⚠", Tone.UNSURE),
}


class Rung(enum.IntEnum):
    """How far the ladder that stops an action has been climbed."""

    NONE = 0
    INTERRUPT = 1
    """Ctrl-C is typed into its terminal."""
    SIGNAL = 2
    """A second session sends SIGINT to its process: it has no terminal."""
    QUIT = 3
    """Ctrl-\\ is typed into its terminal."""
    KILL = 4
    """A second session sends SIGKILL to its process."""
    DISCONNECT = 5
    GIVE_UP = 6
    """The action was not asked for yet."""


class StopReason(enum.Enum):
    """Who asked for the end."""

    PERSON = "person"
    """Whoever presses Stop, or calls it."""
    TIMEOUT = "timeout"
    ESCAPE = "escape"
    """The escape character was typed."""


_DEEDS: Final = {
    Rung.INTERRUPT: "Ctrl-C sent",
    Rung.QUIT: "Ctrl-\\ sent",
    Rung.DISCONNECT: "connection closed",
    Rung.GIVE_UP: "given up",
}


class Deed(Value):
    """A rung that was climbed.

    Attributes:
        time: When.
        rung: Which.
        sighting: What the second session saw and did, for a rung that has one.
    """

    time: datetime
    rung: Rung
    sighting: Sighting | None = None

    @property
    def words(self) -> str:
        """What was done: `SIGINT sent to process 17576`."""
        if self.sighting is not None:
            return self.sighting.deed
        return _DEEDS.get(self.rung, self.rung.name.lower())


class Place(Value):
    """Where an action runs; fields are empty until they are known."""

    address: str = ""
    region: str = ""
    namespace: str = ""
    job: str = ""
    job_version: int | None = None
    group: str = ""
    task: str = ""
    allocation: str = ""
    allocation_name: str = ""
    node: str = ""
    node_name: str = ""
    driver: str = ""

    def shown(self, masker: Masker) -> Place:
        """Return it as it can be shown: its names are others' words."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        texts = {name: masker.name(one) for name, one in values.items() if isinstance(one, str)}
        return Place(**(values | texts))

    @property
    def short(self) -> str:
        """Allocation and node, as the record and the messages name them."""
        node = f" on node {self.node_name}" if self.node_name else ""
        return f"allocation {self.allocation[:SHORT_ID]}{node}"


class Logged(NamedTuple):
    """Where a log has a run.

    Attributes:
        kernel: Names the ledger.
        number: Which of its runs it is, from 1.
        chain: The hash of the ledger's line that says that it begins, and so of all before it.
    """

    kernel: str
    number: int
    chain: str


@dataclass(slots=True, kw_only=True, repr=False, eq=False)
class RunFacts:
    """One run of an action, as far as it has got.

    Attributes:
        action: The action's name.
        command_line: The `nomad job action …` line that repeats it; no token is in it.
        tty: It ran on a pty: then all output is stdout.
        place: Where it ran.
        command: What the action stands for: command and arguments, or None if not known.
        outcome: How it ended.
        exit_code: The action's own; None when no exit frame came.
        reason: Why it did not end by itself, in words; empty when it did.
        started: When the session was opened; None when none was.
        ended: When it ended; None while it runs.
        duration: Seconds from `started` to the end.
        sent: Bytes of stdin that were sent.
        stdin: How many bytes of stdin it was given, and their SHA-256; None where none were.
        run_id: Names this run; empty where nobody gave it a name.
        fleet: The `run_id` of the fleet that it is one of; empty where it is of none.
        logged: Where the log has it; None where there is none.
        journal: Takes each form in which the record is about to be shown: what as, by MIME types,
            its metadata.  None where there is no log.
        notices: What the user should know besides the output, in the order it came up.
        confirmed: How it was confirmed before it ran, in words; empty where nothing asked for it.
        deeds: What was done to stop it.
        seen: What the last look at its process saw; None where there was none.
        transcript: Everything it wrote.
        pace: How fast it wrote.
        masker: Knows the secrets of the run.
    """

    action: str
    command_line: str
    tty: bool = False
    width: int = 80
    place: Place = field(default_factory=Place)
    command: tuple[str, ...] | None = None
    outcome: Outcome = Outcome.RUNNING
    exit_code: int | None = None
    reason: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    duration: float = 0.0
    sent: int = 0
    stdin: tuple[int, str] | None = None
    run_id: str = ""
    fleet: str = ""
    logged: Logged | None = None
    journal: Callable[[str, Mapping[str, str], Mapping[str, Any]], None] | None = field(
        default=None, repr=False, compare=False
    )
    notices: list[str] = field(default_factory=list)
    confirmed: str = ""
    deeds: list[Deed] = field(default_factory=list)
    seen: Sighting | None = None
    pace: Pace = field(default_factory=Pace, repr=False)
    transcript: Transcript = field(repr=False)
    masker: Masker = field(default_factory=Masker, repr=False)

    @property
    def target(self) -> str:
        """Where it runs, in a line: job, group, task, allocation and node, as far as known."""
        place = self.place
        names = [("job", place.job), ("group", place.group), ("task", place.task)]
        where = " / ".join(f"{kind} {name}" for kind, name in names if name)
        return f"{where} · {place.short}" if place.allocation else where

    @property
    def state(self) -> str:
        """The line of state: `exit 3 in 4.1 s`; only what is known."""
        took = seconds(self.duration)
        match self.outcome:
            case Outcome.RUNNING:
                return "running"
            case Outcome.SUCCEEDED | Outcome.FAILED:
                return f"exit {self.exit_code} in {took}"
            case Outcome.INTERRUPTED:
                return f"interrupted (exit {self.exit_code}) after {took}"
            case Outcome.DISCONNECTED:
                return f"disconnected after {took}: {self.became}"
            case Outcome.LOST:
                return f"connection lost after {took}: {self._first_reason}; {self.became}"
            case Outcome.REFUSED:
                return f"refused: {self._first_reason}"
            case Outcome.NOT_STARTED:
                return f"not started: {self._first_reason}"
            case Outcome.UNKNOWN if self.started is None:
                return "the kernel is gone: whether the action was started is not known"
            case Outcome.UNKNOWN:
                return "the kernel is gone: how the action ended is not known, it may still run"

    @property
    def ending(self) -> str:
        """How it ended, without when and how long: what runs that ended alike have in common."""
        match self.outcome:
            case Outcome.RUNNING:
                return "waiting" if self.started is None else "running"
            case Outcome.SUCCEEDED | Outcome.FAILED:
                return f"exit {self.exit_code}"
            case Outcome.INTERRUPTED:
                return f"interrupted (exit {self.exit_code})"
            case Outcome.REFUSED | Outcome.NOT_STARTED:
                return f"{self.outcome.value}: {self._first_reason}"
            case _:
                return self.outcome.value

    @property
    def became(self) -> str:
        """What became of the process, where no exit code came."""
        if self.seen is not None:
            return self.seen.words(self.place.short)
        return f"the process may still run in {self.place.short}"

    @property
    def _first_reason(self) -> str:
        first = self.reason.partition("\n")[0]
        return first.removeprefix("failed to exec into task: ")
