"""What a log says of its runs, and whether it is as it was written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nomad_magic.log import ledger
from nomad_magic.log.entries import folders, read_record
from nomad_magic.log.run_log import NEW, RECORD
from nomad_magic.record.transcript import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nomad_magic.log.ledger import Lines


@dataclass(slots=True)
class LoggedRun:
    """A run, as the ledger of its kernel has it.

    Attributes:
        run_id: Names it.
        lines: The ledger.
        began: The ledger's line of its beginning.
        chain: That line's hash.
        ended: The hash of the record of its end; empty where it is not known.
        shown: The ledger's lines of what was shown of it.
        folder: Its folder; None where it is gone.
    """

    run_id: str
    lines: Lines
    began: dict[str, Any]
    chain: str
    ended: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    folder: Path | None = None

    @property
    def start(self) -> dict[str, Any]:
        """The record of its beginning."""
        found = self.began.get("record")
        return found if isinstance(found, dict) else {}

    @property
    def cell(self) -> dict[str, Any]:
        """The cell that it was called in; empty where it was in none."""
        found = self.start.get("cell")
        return found if isinstance(found, dict) else {}

    @property
    def kernel(self) -> str:
        """Its kernel."""
        return self.lines.kernel

    @property
    def is_one_of_many(self) -> bool:
        """It is one of a fleet, whose record is for all of them."""
        return bool(self.start.get("fleet"))

    @property
    def words(self) -> str:
        """What names it for a reader."""
        facts = self.start.get("record")
        action = facts.get("action", "") if isinstance(facts, dict) else ""
        return f"run {self.run_id} of {action}" if action else f"run {self.run_id}"

    def shown_as(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the lines of what was shown of it as one of these."""
        return [line for line in self.shown if line.get("as") in kinds]

    def record(self) -> dict[str, Any] | None:
        """Return the record in its folder, as the ledger confirms it; None where it does not."""
        for name in (RECORD, NEW):
            data = None if self.folder is None else _bytes(self.folder / name)
            if data is not None and self._confirms(data):
                found = json.loads(data)
                return found if isinstance(found, dict) else None
        return None

    def _confirms(self, data: bytes) -> bool:
        if self.ended:
            return ledger.sha256(data) == self.ended
        try:
            return ledger.canonical(json.loads(data)) == ledger.canonical(self.start)
        except ValueError:
            return False

    def problems(self) -> Iterator[str]:
        """Go through what is not as it was written."""
        if self.folder is None:
            yield "its folder is gone from the log"
            return
        record = self.record()
        if record is None:
            there = _bytes(self.folder / RECORD) is not None
            yield "its record.json in the log " + ("was changed" if there else "is gone")
            return
        streams = record.get("streams")
        if record.get("state") != "ended" or not isinstance(streams, dict):
            # How much a kernel that was killed has written nobody knows.
            return
        for name in STREAMS:
            said = streams.get(name)
            if not isinstance(said, dict) or _hash(self.folder / name) != said.get("sha256"):
                there = (self.folder / name).exists()
                yield f"its {name} in the log " + ("was changed" if there else "is gone")


class Log:
    """A log, as it lies on the disk.

    Args:
        folder: Its folder.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folders = folders(folder)
        self.ledgers: dict[str, Lines] = {}
        self.runs: dict[str, LoggedRun] = {}
        self._twice: dict[str, list[str]] = {}
        for path in sorted(folder.glob(f"{ledger.BEGINNING}*{ledger.ENDING}")):
            lines = ledger.read(path)
            self.ledgers[lines.kernel] = lines
            self._take(lines)

    def _take(self, lines: Lines) -> None:
        for line, chain in zip(lines.lines, lines.hashes, strict=True):
            run_id, run = str(line.get("run")), self.runs.get(str(line.get("run")))
            if line.get("what") == "began":
                if run is not None:
                    lines.changed.append(f"run {run_id} begins twice")
                    continue
                folder = self.folders.get(run_id)
                self.runs[run_id] = LoggedRun(run_id, lines, line, chain, folder=folder)
            elif run is not None and run.lines is lines:
                if line.get("what") == "ended":
                    run.ended = str(line.get("record"))
                elif _is_sound(line):
                    run.shown.append(line)
                else:
                    lines.changed.append(f"a line about run {run_id} cannot be understood")

    def of_kernel(self, kernel: str) -> list[LoggedRun]:
        """Return the runs of a kernel, in the order in which they began."""
        return [run for run in self.runs.values() if run.kernel == kernel]

    @cached_property
    def _unknown(self) -> dict[str, list[str]]:
        """The folders that no ledger has, by the kernel that they name."""
        found: dict[str, list[str]] = {}
        for run_id, path in self.folders.items():
            if run_id not in self.runs:
                kernel = str((read_record(path) or {}).get("kernel"))
                found.setdefault(kernel, []).append(path.name)
        return found

    def problems(self, kernel: str) -> Iterator[str]:
        """Go through what is not as it was written in a kernel's ledger."""
        lines = self.ledgers.get(kernel)
        if lines is None:
            yield f"the ledger of kernel {kernel} is not in the log"
            return
        yield from (f"{lines.path.name} was changed: {one}" for one in lines.changed)
        numbers = [run.began.get("number") for run in self.of_kernel(kernel)]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{lines.path.name} was changed: runs are missing in it"
        for name in self._unknown.get(kernel, []):
            yield f"the folder {name} is in no ledger"


def _is_sound(line: dict[str, Any]) -> bool:
    """Whether a line about what was shown has the shape of one."""
    ways = [way for ways in _dict(line, "streams").values() for way in _list(ways)]
    texts = [*_dict(line, "forms").values(), *_dict(line, "data").values()]
    return (
        line.get("what") == "shown"
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(way, list) and [*map(type, way)] == [int, str] for way in ways)
    )


def _dict(line: dict[str, Any], name: str) -> dict[str, Any]:
    found = line.get(name, {})
    return found if isinstance(found, dict) else {"": None}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [None]


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _hash(path: Path) -> str | None:
    """Return the hash of a file; one that is not there is empty, as a silent stream's is."""
    made = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while data := file.read(1 << 20):
                made.update(data)
    except FileNotFoundError:
        return made.hexdigest()
    except OSError:
        return None
    return made.hexdigest()
