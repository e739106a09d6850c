"""The runs that a log has, as values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.log import ledger
from nomad_magic.log.run_log import NEW, RECORD
from nomad_magic.record.facts import Outcome
from nomad_magic.record.reader import mask_pieces

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nomad_magic.record.result import ActionResult
    from nomad_magic.record.transcript import StreamName

FOLDER: Final = re.compile(r"\d{8}T\d{6}Z-([0-9a-f]{16})")
"""How a run's folder is called: when it began, and the run's id."""

END_NOT_KNOWN: Final = "started, end not known"
_STARTED: Final = {
    True: "running",
    False: END_NOT_KNOWN,
    None: "started; whether its kernel lives is not known",
}
"""What is said of a run that has not ended, by whether its kernel is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """A run, of this kernel or of a log.

    Attributes:
        run_id: Names it; a record in a notebook has it too.
        action: The action's name.
        target: Where it ran, in a line.
        outcome: How it ended; `running` while it runs, `unknown` where its end is not known.
        state: The same in words: `exit 3 in 4.1 s`, `running`, `started, end not known`.
        exit_code: The action's own; None when none came.
        began: When; None for one that was not begun.
        ended: When it ended; None while it runs, and where its end is not known.
        fleet: The id of the fleet that it is one of; empty where it is of none.
        is_fleet: It is the fleet itself: its runs are entries of their own.
        kernel: Which kernel ran it: `this kernel`, or its process and host.
        folder: Where the log has it; None where there is none.
    """

    run_id: str
    action: str
    target: str
    outcome: Outcome
    state: str
    exit_code: int | None = None
    began: datetime | None = None
    ended: datetime | None = None
    fleet: str = ""
    is_fleet: bool = False
    kernel: str = ""
    folder: Path | None = None
    find: Callable[[], ActionResult | None] = field(default=lambda: None, repr=False, compare=False)
    """Returns the result, where this kernel has it still."""

    @property
    def stdout_bytes(self) -> bytes:
        """What it wrote on stdout, as it came but with secrets masked, as far as the log has it.

        Raises:
            LookupError: No log has it, and nobody holds its result any more.
        """
        return self._stream("stdout")

    @property
    def stderr_bytes(self) -> bytes:
        """What it wrote on stderr, in the same way."""
        return self._stream("stderr")

    @property
    def stdout(self) -> str:
        """What it wrote on stdout, as text; what is not UTF-8 becomes U+FFFD."""
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """What it wrote on stderr, as text."""
        return self.stderr_bytes.decode("utf-8", "replace")

    @property
    def facts(self) -> dict[str, Any]:
        """What its record says, as in a notebook's metadata; empty where no log has it.

        `nomad_magic.look` takes it.  Of a run whose end is not known `started` is when the log was
        written, right before the action was asked for.
        """
        record = None if self.folder is None else read_record(self.folder)
        if record is None:
            return {}
        facts = dict(record.get("record") or {})
        if record.get("state") != "ended":
            facts["started"] = facts.get("started") or record.get("began")
        return facts

    def _stream(self, name: StreamName) -> bytes:
        if self.is_fleet:
            return b""
        if self.folder is not None:
            try:
                return (self.folder / name).read_bytes()
            except FileNotFoundError:
                if self.folder.is_dir():
                    return b""
        result = self.find()
        if result is None:
            raise LookupError(
                f"What run {self.run_id} wrote is not there any more: it is in no log, and its "
                "result was let go"
            )
        pieces = mask_pieces(result.masker, result.transcript.read_all())
        return b"".join(data for stream, data in pieces if stream == name)


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record in a run's folder; None where it cannot be read."""
    record = _json(folder / RECORD)
    if record is None or record.get("state") != "ended":
        # A kernel that was killed just then has not put it in its place.
        end = _json(folder / NEW)
        if end is not None and end.get("state") == "ended":
            return end
    return record


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def folders(log: Path) -> dict[str, Path]:
    """Return the folders of a log's runs by the runs' ids.

    Raises:
        OSError: It cannot be read.
    """
    found = {}
    for path in sorted(log.iterdir()):
        if (name := FOLDER.fullmatch(path.name)) is not None and path.is_dir():
            found[name.group(1)] = path
    return found


def read_log(log: Path) -> list[RunEntry]:
    """Return all runs of a log, in the order in which they began.

    Raises:
        OSError: It cannot be read.
    """
    alive: dict[str, bool | None] = {}
    return [_entry(log, run_id, folder, alive) for run_id, folder in folders(log).items()]


def _entry(log: Path, run_id: str, folder: Path, alive: dict[str, bool | None]) -> RunEntry:
    record = read_record(folder)
    if record is None:
        return RunEntry(
            run_id=run_id,
            action="",
            target="",
            outcome=Outcome.UNKNOWN,
            state="its record cannot be read",
            folder=folder,
        )
    facts = record.get("record") or {}
    ended = record.get("state") == "ended"
    outcome = _outcome(facts.get("outcome"))
    words = str(record.get("words", ""))
    if not ended:
        kernel = str(record.get("kernel", ""))
        if kernel not in alive:
            path = log / f"{ledger.BEGINNING}{kernel}{ledger.ENDING}"
            alive[kernel] = ledger.lives(path)
        outcome = Outcome.UNKNOWN if alive[kernel] is False else Outcome.RUNNING
        words = _STARTED[alive[kernel]]
    return RunEntry(
        run_id=run_id,
        action=str(facts.get("action", "")),
        target=str(record.get("target", "")),
        outcome=outcome,
        state=words,
        exit_code=facts.get("exit_code"),
        began=_time(facts.get("started")) or _time(record.get("began")),
        ended=_time(facts.get("ended")),
        fleet=str(record.get("fleet") or ""),
        is_fleet=facts.get("kind") == "fleet",
        kernel=f"process {record.get('pid')} on {record.get('host')}",
        folder=folder,
    )


def _outcome(value: object) -> Outcome:
    try:
        return Outcome(str(value))
    except ValueError:
        return Outcome.UNKNOWN


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
