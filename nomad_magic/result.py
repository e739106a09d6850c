"""What is known of a run, and its record in text.

An `ActionResult` is made when the run starts and filled in while it goes on, so that a run
that fails, is stopped or loses its connection still carries all that came.
"""

from __future__ import annotations

import enum
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.masking import Masker
from nomad_magic.terminal import Terminal
from nomad_magic.transcript import STREAMS, StreamName, Transcript, text_decoder

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from datetime import datetime

RECORD_BYTES: Final = 1 << 16
"""How much of each end of a long output a record shows, in bytes."""

CUT_BYTES: Final = 1 << 12
"""How far before a cut a secret is looked for: the other stream may stand in its middle."""

SHORT_ID: Final = 8
_UNITS: Final = ("kB", "MB", "GB", "TB")


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
        return self._shown(self.transcript.read_all())

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
        """Write the whole output to a file, as it came but with secrets masked; give the path.

        Both streams are in it, in the order in which they came.
        """
        target = Path(path)
        masks = {stream: self.masker.stream() for stream in STREAMS}
        with target.open("wb") as file:
            for stream, data in self.transcript.read_all():
                file.write(masks[stream].feed(data))
            for mask in masks.values():
                file.write(mask.finish())
        return target

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
        return {"text/plain": self.record()}

    def record(self, *, output: bool = True) -> str:
        """Give the record as text.

        Args:
            output: With the output as the terminal showed it, its head and tail when it is
                long; without it where it already stands above.
        """
        parts = [*self._facts()]
        if output and (shown := self._record_output()):
            parts += ["", *shown]
        return self.masker.text("\n".join(parts))

    def _facts(self) -> Iterable[str]:
        yield f"{self.action}: {self.state}"
        rows = [*self._where(), *self._when(), *self._how_much()]
        rows += [("notice", text) for text in self.notices]
        rows.append(("again", self.command_line))
        width = max(len(label) for label, _ in rows)
        for label, text in rows:
            yield f"  {label.ljust(width)}  {text}"

    def _where(self) -> Iterable[tuple[str, str]]:
        place = self.place
        version = "" if place.job_version is None else f" (version {place.job_version})"
        names = [
            f"job {place.job}{version}" if place.job else "",
            f"group {place.group}" if place.group else "",
            f"task {place.task}" if place.task else "",
        ]
        if place.job:
            yield "target", " / ".join(filter(None, names))
        if place.allocation:
            yield "allocation", f"{place.allocation} {place.allocation_name}".rstrip()
        if place.node:
            yield "node", f"{place.node} {place.node_name}".rstrip()
        agent = [
            place.address,
            f"region {place.region}" if place.region else "",
            f"namespace {place.namespace}" if place.namespace else "",
        ]
        yield "agent", ", ".join(filter(None, agent))
        if self.command is not None:
            yield "command", shlex.join(self.command)

    def _when(self) -> Iterable[tuple[str, str]]:
        if self.started is not None:
            yield "started", instant(self.started)
        if self.ended is not None:
            yield "ended", instant(self.ended)

    def _how_much(self) -> Iterable[tuple[str, str]]:
        for name in STREAMS:
            count = self.transcript.count(name)
            digest = f"{size(count)}, SHA-256 {self.transcript.sha256(name)}"
            yield name, digest if count else "nothing"
        if self.transcript.lost:
            yield "lost", f"{size(self.transcript.lost)}: the disk took no more"

    def _record_output(self) -> list[str]:
        total = self.transcript.size
        if total <= 2 * RECORD_BYTES:
            return self._shown(self.transcript.read_all())
        # A secret that a cut runs through must not be shown in part either.
        start, reach = total - RECORD_BYTES, min(CUT_BYTES + self.masker.reach, RECORD_BYTES)
        before = self.transcript.read(start - reach, reach)
        head = self._shown(self._masked(self.transcript.read(0, RECORD_BYTES), to_end=False))
        tail = self._shown(self._masked(self.transcript.read(start), before=before))
        return [*head, left_out(total - 2 * RECORD_BYTES), *tail]

    def _masked(
        self,
        pieces: Iterable[tuple[StreamName, bytes]],
        *,
        before: Iterable[tuple[StreamName, bytes]] = (),
        to_end: bool = True,
    ) -> Iterable[tuple[StreamName, bytes]]:
        """Mask a part of the output.

        Args:
            pieces: The part.
            before: What came before it, and is not given.
            to_end: Nothing comes after it; else what may be half a secret is left out.
        """
        masks = {stream: self.masker.stream() for stream in STREAMS}
        for stream, data in before:
            masks[stream].feed(data)
        for stream, data in pieces:
            yield stream, masks[stream].feed(data)
        if to_end:
            for stream in STREAMS:
                yield stream, masks[stream].finish()

    def _shown(self, pieces: Iterable[tuple[StreamName, bytes]]) -> list[str]:
        terminal = Terminal(self.width, newline=not self.tty)
        decoders = {stream: text_decoder() for stream in STREAMS}
        for stream, data in pieces:
            terminal.feed(decoders[stream].decode(data))
        return [self.masker.text("".join(span.text for span in line)) for line in terminal.lines()]

    def _decode(self, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        return text.replace("\r\n", "\n") if self.tty else text


def left_out(count: int) -> str:
    """The notice that stands for the middle of a long output."""
    return f"[… {size(count)} left out here; the result's .stdout and .save(path) have all of it …]"


def seconds(duration: float) -> str:
    """Say a duration: `0.12 s`, `4.1 s`, `2 min 5 s`, `1 h 2 min`."""
    if duration < 1:
        return f"{duration:.2f} s"
    if duration < 59.95:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Say a number of bytes, exactly when it is small."""
    if count < 10_000:
        return f"{count} byte{'' if count == 1 else 's'}"
    power = min(len(str(count)) // 3 - (len(str(count)) % 3 == 0), len(_UNITS))
    return f"{count:,} bytes ({count / 1000**power:.1f} {_UNITS[power - 1]})"


def instant(time: datetime) -> str:
    """Say a time to the millisecond, with its zone."""
    return time.isoformat(sep=" ", timespec="milliseconds")
