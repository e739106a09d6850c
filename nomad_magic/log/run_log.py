"""One run's folder in a log: its `record.json` and what it wrote, masked.

The folder and the record are there before the action is started; its end takes the record's place
in one step.  So a kernel that is killed leaves a run that was started and whose end is not known,
with what it wrote until then.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from nomad_magic import cell as cells
from nomad_magic.log import writer
from nomad_magic.log.ledger import (
    PRIVATE_FOLDER,
    Ledger,
    canonical,
    open_new,
    sha256,
    write_all,
)
from nomad_magic.log.saved import variants
from nomad_magic.log.streams import Streams
from nomad_magic.record.facts import Logged
from nomad_magic.record.humanize import short_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nomad_magic.log.writer import Work
    from nomad_magic.record.masking import Masker
    from nomad_magic.record.transcript import Transcript

RECORD: Final = "record.json"
NEW: Final = "record.json.new"
"""The record's end, until it takes its place."""

COPY_BYTES: Final = 1 << 20
"""How much of a run's output is copied before others have their turn."""

SHOWN_SECONDS: Final = 1.0
"""How long a cell waits until what it is about to show stands in the ledger."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Facts(Protocol):
    """What is known of a run, or of a fleet of them."""

    run_id: str
    masker: Masker
    logged: Logged | None


class Description(NamedTuple):
    """What a record says.

    Attributes:
        facts: As its metadata.
        words: How it stands, as `exit 3 in 4.1 s`; not masked.
        target: Where it runs; not masked.
    """

    facts: dict[str, Any]
    words: str
    target: str


_ledgers: dict[Path, Ledger] = {}


def _leave_ledgers() -> None:
    for ledger in _ledgers.values():
        ledger.close()
    _ledgers.clear()


writer.in_child(_leave_ledgers)


def _ledger_of(folder: Path) -> Ledger:
    """Return this kernel's ledger in a folder; in the writer's thread."""
    ledger = _ledgers.get(folder)
    if ledger is None or not ledger.there:
        if ledger is not None:
            ledger.close()
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        facts = {
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "python": sys.version.partition(" ")[0],
            "time": _now().isoformat(),
        }
        ledger = _ledgers[folder] = Ledger(folder, facts)
    return ledger


def _now() -> datetime:
    return datetime.now(UTC)


def absolute(folder: str | os.PathLike[str]) -> Path:
    """Return a log's folder, whatever becomes the working directory."""
    return Path(os.path.expanduser(folder)).absolute()  # noqa: PTH111 - where there is no home, `~` stays


class RunLog:
    """Writes one run, or a fleet, into a log.  What goes wrong stops no run, and is said once.

    Args:
        folder: The log's; is made where there is none.
        facts: What is known; `logged` is set when the beginning is on the disk.
        describe: Returns what its record says now.
        transcript: What the run writes; None for a fleet.
        trouble: Is called in the writer's thread, at most once, with what went wrong.
        fleet: The id of the fleet that the run is one of; may be empty.
    """

    def __init__(  # noqa: PLR0913 - each is one side of it, and named
        self,
        folder: str | os.PathLike[str],
        facts: Facts,
        describe: Callable[[], Description],
        *,
        transcript: Transcript | None,
        trouble: Callable[[str], None],
        fleet: str = "",
    ) -> None:
        self._root = absolute(folder)
        self._facts = facts
        self._describe = describe
        self._transcript = transcript
        self._trouble: Callable[[str], None] | None = trouble
        self._fleet = fleet
        self._cell = cells.current()
        self._process = os.getpid()
        self._writer = writer.get()
        self._path: Path | None = None
        self._ledger: Ledger | None = None
        self._number = 0
        self._began = ""
        self._asked = False
        self._early: list[dict[str, Any]] = []
        self._streams: Streams | None = None
        self._end: Future[None] | None = None

    # From any thread

    def begin(self) -> Future[None]:
        """Write that it begins; the future is done when that is on the disk, or has failed."""
        self._asked = True
        done: Future[None] = Future()
        self._writer.do(self._begin(done))
        return done

    def wrote(self) -> None:
        """There is more output."""
        self._writer.touch(self)

    def end(self) -> Future[None]:
        """Write the rest and the end, once nothing more will come."""
        done: Future[None] = Future()
        if not self._asked:
            done.set_result(None)
            return done
        self._end = done
        self._writer.touch(self, now=True)
        return done

    def shown(self, kind: str, data: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        """Write down what is about to be shown of it, so that it can be told from something else.

        Args:
            kind: `record`; `draft`, which a page may complete; `value`, the result of another cell;
                `line`, which stands above; `text`, the output that does.
            data: By its MIME types, or the name of the stream for a `text`.
            metadata: What goes with it.
        """
        if os.getpid() != self._process:
            # A forked child has no part in it.
            return
        line: dict[str, Any] = {"what": "shown", "run": self._facts.run_id, "as": kind}
        match kind:
            case "draft":
                line |= {"data": dict(data), "metadata": dict(metadata)}
            case "text":
                line["streams"] = {name: variants(text) for name, text in data.items()}
            case _:
                line["forms"] = {name: sha256(text) for name, text in data.items()}
                line["metadata"] = sha256(canonical(metadata))
                here = cells.current() if kind == "value" else self._cell
                line["count"] = here.execution if here is not None else None
        written = threading.Event()
        self._writer.do(self._note(line, written))
        written.wait(SHOWN_SECONDS)

    # In the writer's thread

    def _begin(self, done: Future[None]) -> Work:
        try:
            ledger = _ledger_of(self._root)
            now = _now()
            self._began = now.isoformat()
            path = self._root / f"{now:%Y%m%dT%H%M%SZ}-{self._facts.run_id}"
            path.mkdir(mode=PRIVATE_FOLDER)
            self._number = ledger.runs + 1
            try:
                record = self._record(ledger, "started")
                os.close(_write_new(path / NEW, _written(record)))
                (path / NEW).rename(path / RECORD)
                line = {"what": "began", "run": self._facts.run_id, "number": self._number}
                chain = ledger.append({**line, "record": record})
            except OSError:
                _remove(path)
                raise
            ledger.runs = self._number
            yield [ledger.file]
            self._path, self._ledger = path, ledger
            if self._transcript is not None:
                self._streams = Streams(path, self._transcript, self._facts.masker)
            self._facts.logged = Logged(ledger.kernel, self._number, chain)
            for early in self._early:
                ledger.append(early)
        except OSError as error:
            self._fail(error, "This run is not in the log")
        finally:
            self._early.clear()
            _done(done)

    def _record(self, ledger: Ledger, state: str) -> dict[str, Any]:
        here, streams = self._cell, self._streams
        shown = self._facts.masker.shown
        said = self._describe()
        return {
            "version": 1,
            "run": self._facts.run_id,
            "state": state,
            "began": self._began,
            "kernel": ledger.kernel,
            "number": self._number,
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "fleet": self._fleet or None,
            "cell": None
            if here is None
            else {
                "notebook": shown(here.notebook),
                "id": shown(here.id),
                "count": here.execution,
                "source": here.source,
            },
            "streams": None if streams is None else streams.facts(),
            "left_out": 0 if streams is None else streams.left_out,
            "words": shown(said.words),
            "target": shown(said.target),
            "record": said.facts,
        }

    def copy(self) -> bool:
        """Copy a part of the output, and write the end once it has come."""
        if self._copy_some():
            return True
        if self._end is not None:
            done, self._end = self._end, None
            self._writer.do(self._finish(done))
        return False

    def _copy_some(self) -> bool:
        streams, deadline = self._streams, self._writer.deadline
        if streams is None:
            return False
        if streams.behind and deadline is not None and time.monotonic() > deadline:
            # Whoever waits for the end of the interpreter waits no longer.
            streams.full = True
        try:
            return streams.copy(COPY_BYTES)
        except OSError as error:
            self._fail_at(streams, error)
            return False

    def _finish(self, done: Future[None]) -> Work:
        new = folder = -1
        streams = self._streams
        try:
            if self._path is None or self._ledger is None:
                return
            if streams is not None:
                try:
                    streams.finish()
                except OSError as error:
                    self._fail_at(streams, error)
            data, new = self._write_end()
            yield [*(() if streams is None else streams.files.values()), new]
            # First the ledger: a reader finds the new record where it is not in its place yet.
            line = {"what": "ended", "run": self._facts.run_id, "record": sha256(data)}
            self._ledger.append(line)
            (self._path / NEW).rename(self._path / RECORD)
            folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            yield [self._ledger.file, folder]
        except OSError as error:
            self._fail(error, "The end of this run is not in the log")
        finally:
            if streams is not None:
                streams.close()
            for file in (new, folder):
                with contextlib.suppress(OSError):
                    os.close(file)
            _done(done)

    def _write_end(self) -> tuple[bytes, int]:
        """Write the record of the end beside the other; return its bytes and its file."""
        assert self._path is not None  # noqa: S101 - it has begun
        assert self._ledger is not None  # noqa: S101 - the same
        data = _written(self._record(self._ledger, "ended"))
        try:
            return data, _write_new(self._path / NEW, data)
        except OSError as error:
            if error.errno not in _FULL or self._streams is None:
                raise
            # Some of the output makes room for it.
            self._streams.back()
            data = _written(self._record(self._ledger, "ended"))
            return data, _write_new(self._path / NEW, data)

    def _note(self, line: dict[str, Any], written: threading.Event) -> Work:
        try:
            if self._ledger is not None:
                self._ledger.append(line)
                written.set()
                yield [self._ledger.file]
            elif self._trouble is not None:
                self._early.append(line)
        except OSError as error:
            self._fail(error, "What the notebook shows of this run is not in the log")
        finally:
            written.set()

    def _fail_at(self, streams: Streams, error: OSError) -> None:
        first = f"the first {short_size(streams.kept)} only" if streams.kept else "nothing"
        self._fail(error, f"Of this run's output the log has {first}")

    def _fail(self, error: OSError, what: str) -> None:
        """Say what went wrong, once."""
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            trouble(f"{what}: {self._root}: {error.strerror or error}")


def _done(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _written(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, indent=1).encode() + b"\n"


def _write_new(path: Path, data: bytes) -> int:
    """Write a new file and return it, open; where it does not fit there is none."""
    file = open_new(path)
    try:
        write_all(file, data)
    except OSError:
        os.close(file)
        path.unlink()
        raise
    return file


def _remove(path: Path) -> None:
    for one in (path / NEW, path / RECORD):
        with contextlib.suppress(OSError):
            one.unlink()
    with contextlib.suppress(OSError):
        path.rmdir()
