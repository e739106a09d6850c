"""What is known of a run.

An `ActionResult` is made when the run starts and filled in while it goes on, so that a run
that fails, is stopped or loses its connection still carries all that came.
"""

from __future__ import annotations

import enum
import json
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.masking import Masker
from nomad_magic.record.humanize import seconds
from nomad_magic.record.record import Record
from nomad_magic.record.transcript import STREAMS, Transcript

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from datetime import datetime

    from nomad_magic.record.transcript import StreamName

SHORT_ID: Final = 8


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
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

    @property
    def short(self) -> str:
        """Allocation and node, as the record and the messages name them."""
        node = f" on node {self.node_name}" if self.node_name else ""
        return f"allocation {self.allocation[:SHORT_ID]}{node}"


@dataclass(slots=True, kw_only=True)
class ActionResult:
    """One run of an action: where, what came of it, and everything it wrote.

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
        notices: What the user should know besides the output, in the order it came up.
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
    notices: list[str] = field(default_factory=list)
    transcript: Transcript = field(default_factory=Transcript, repr=False)
    masker: Masker = field(default_factory=Masker, repr=False)

    @property
    def ok(self) -> bool:
        """The action ran to its end and left with 0."""
        return self.exit_code == 0

    @property
    def stdout_bytes(self) -> bytes:
        """All of stdout, as it came."""
        return self.transcript.whole("stdout")

    @property
    def stderr_bytes(self) -> bytes:
        """All of stderr, as it came; with a pty everything is stdout."""
        return self.transcript.whole("stderr")

    @property
    def stdout(self) -> str:
        r"""Stdout as text; what is no UTF-8 becomes U+FFFD, and a pty's `\r\n` is `\n`."""
        return self._decode(self.stdout_bytes)

    @property
    def stderr(self) -> str:
        """Stderr as text, in the same way."""
        return self._decode(self.stderr_bytes)

    @property
    def text(self) -> str:
        """What the terminal showed: both streams, no control codes, secrets masked."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The lines of `text`."""
        return Record(self).whole()

    def json(self) -> Any:
        """Read the output as JSON: `text`, or without a tty stdout alone.

        Raises:
            json.JSONDecodeError: It is neither.
        """
        try:
            return json.loads(self.text)
        except json.JSONDecodeError:
            if self.tty or not self.transcript.count("stderr"):
                raise
            return json.loads(self.masker.text(self.stdout))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the whole output to a file, as it came but with secrets masked; return the path.

        Both streams are in it, in the order in which they came.
        """
        target = Path(path)
        with target.open("wb") as file:
            for _, data in self._masked():
                file.write(data)
        return target

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
        where = self.place.short
        match self.outcome:
            case Outcome.RUNNING:
                return "running"
            case Outcome.SUCCEEDED | Outcome.FAILED:
                return f"exit {self.exit_code} in {took}"
            case Outcome.INTERRUPTED:
                return f"interrupted (exit {self.exit_code}) after {took}"
            case Outcome.DISCONNECTED:
                return f"disconnected after {took}: the process may still run in {where}"
            case Outcome.LOST:
                return (
                    f"connection lost after {took}: {self._first_reason}; "
                    f"the process may still run in {where}"
                )
            case Outcome.REFUSED:
                return f"refused: {self._first_reason}"
            case Outcome.NOT_STARTED:
                return f"not started: {self._first_reason}"

    @property
    def _first_reason(self) -> str:
        first = self.reason.partition("\n")[0]
        return first.removeprefix("failed to exec into task: ")

    def __repr__(self) -> str:
        place = self.place
        where = " / ".join(filter(None, (place.job, place.group, place.task)))
        counts = ", ".join(f"{self.transcript.count(name)} bytes of {name}" for name in STREAMS)
        text = (
            f"<ActionResult {self.action} of {where or 'an unknown task'}: {self.state}; {counts}>"
        )
        return self.masker.text(text)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return Record(self).bundle()

    def record(self, *, output: bool = True) -> str:
        """Give the record as text.

        Args:
            output: With the output as the terminal showed it, its head and tail when it is
                long; without it where it already stands above.
        """
        return Record(self).text(output=output)

    def __copy__(self) -> ActionResult:
        return replace(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> ActionResult:
        return replace(self, transcript=deepcopy(self.transcript, memo), notices=list(self.notices))

    def __getstate__(self) -> dict[str, Any]:
        """Travel without secrets: a pickle is a file, or goes to another process.

        What arrives has its output masked, and no masker that would have to know the secrets.  Of a
        long output a head and a tail arrive; counts and hashes are of all that came.
        """
        state = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.masker:
            state["transcript"] = self.transcript.with_pieces(self._masked())
            state["masker"] = Masker()
            state["notices"] = [self.masker.text(text) for text in self.notices]
            if self.command is not None:
                state["command"] = tuple(map(self.masker.text, self.command))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def _masked(self) -> Iterator[tuple[StreamName, bytes]]:
        """Go through the output with secrets masked, in the order in which it came."""
        masks = {stream: self.masker.stream() for stream in STREAMS}
        for stream, data in self.transcript.read_all():
            yield stream, masks[stream].feed(data)
        for stream, mask in masks.items():
            yield stream, mask.finish()

    def _decode(self, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        return text.replace("\r\n", "\n") if self.tty else text
