"""A run in a log: there before it is asked for, as it comes, whatever ends it, and no secret."""

from __future__ import annotations

import base64
import errno
import json
import os
import resource
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from support.canaries import Canary
from support.nomads import until
from support.scripted import answer, leave

import nomad_magic
from nomad_magic import Options, Outcome
from nomad_magic.log import ledger, notebook, writer
from nomad_magic.log.evidence import Log
from nomad_magic.log.verify import verify
from nomad_magic.notebook.live.contract import DRAFT_OUTPUT
from nomad_magic.record.card import announcement, bundle, draft
from nomad_magic.record.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.nomads import Agent
    from support.scripted import Script
    from websockets.asyncio.server import ServerConnection

    from nomad_magic.record.result import ActionResult

LINE = "-job=cache -group=redis -task=server hello"


def frame(stream: str, data: bytes) -> str:
    return json.dumps({stream: {"data": base64.b64encode(data).decode()}})


@dataclass
class Action:
    """Writes what the test says, and looks at the log before it does."""

    pieces: list[tuple[str, bytes]]
    log: Path | None = None
    before: list[Any] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, connection: ServerConnection) -> None:
        if self.log is not None:
            self.before = [json.loads(one.read_text()) for one in self.log.glob("*/record.json")]
        for stream, data in self.pieces:
            await connection.send(frame(stream, data))
        await leave(connection)


def run(script: Script, log: Path, *, token: str = "", **options: Any) -> ActionResult:
    env = {"NOMAD_ADDR": script.address, "NOMAD_TOKEN": token}
    return nomad_magic.run(LINE, env=env, options=Options(log_dir=log, **options))


def only(log: Path) -> Path:
    (found,) = (path for path in log.iterdir() if path.is_dir())
    return found


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "record.json").read_text())
    return found


def test_a_run_leaves_its_record_and_its_streams(script: Script, tmp_path: Path) -> None:
    """As bytes, each in a file of its own; private; the record is the notebook's."""
    log = tmp_path / "new" / "log"
    script.session = Action(
        [("stdout", b"one\n\xff"), ("stderr", b"bad\n"), ("stdout", b"\x00two")]
    )
    result = run(script, log)
    folder = only(log)
    assert (folder / "stdout").read_bytes() == b"one\n\xff\x00two"
    assert (folder / "stderr").read_bytes() == b"bad\n"
    made = record(folder)
    assert made["record"] == json.loads(json.dumps(Record(result).metadata()))
    assert (made["state"], made["left_out"], made["words"]) == ("ended", 0, result.state)
    assert made["run"] == result.run_id == folder.name.partition("-")[2]
    assert made["streams"]["stdout"] == {"bytes": 9, "sha256": result.transcript.sha256("stdout")}
    assert sorted(path.name for path in folder.iterdir()) == ["record.json", "stderr", "stdout"]
    modes = {path.name: path.stat().st_mode & 0o777 for path in [log, *log.rglob("*")]}
    assert {modes.pop(name) for name in ("log", folder.name)} == {0o700}
    assert set(modes.values()) == {0o600}
    assert list(Log(log).problems(made["kernel"])) == []
    assert list(Log(log).runs[result.run_id].problems()) == []


def test_its_beginning_is_there_before_the_action_is(script: Script, tmp_path: Path) -> None:
    """Where it is to run and what it stands for, before the agent is asked for the session."""
    script.session = action = Action([], log=tmp_path)
    seen: list[str] = []
    respond = script.respond

    def look(connection: ServerConnection, request: Any) -> Any:
        if "/action?" in request.path:
            lines = ledger.read(next(tmp_path.glob("kernel-*")))
            seen.extend(line["what"] for line in lines.lines)
        return respond(connection, request)

    script.respond = look  # type: ignore[method-assign]
    result = run(script, tmp_path)
    assert seen == ["began"]
    (before,) = action.before
    assert before["state"] == "started"
    assert before["record"]["place"]["allocation"] == result.place.allocation
    assert before["record"]["command"] == list(result.command or ())
    assert before["record"]["outcome"] == "running"


def test_what_is_refused_is_in_it_and_what_is_not_asked_for_is_not(
    script: Script, tmp_path: Path
) -> None:
    """A session that the agent refuses is an end; a job that is not there is no run."""
    script.answers = {"/v1/client/allocation": answer("no", 403, kind="text/plain")}
    with pytest.raises(nomad_magic.NomadMagicError) as caught:
        run(script, tmp_path, direct=False)
    made = record(only(tmp_path))
    assert made["record"]["outcome"] == str(caught.value.result.outcome)
    assert made["state"] == "ended"
    script.answers = {"/v1/jobs": answer("[]")}
    with pytest.raises(nomad_magic.LocateError):
        run(script, tmp_path)
    only(tmp_path)


CHILD = """
import json, sys
import os
import nomad_magic
from nomad_magic import cell
from nomad_magic.notebook.live.contract import DRAFT_OUTPUT
from nomad_magic.record.card import draft
if "CELL" in os.environ:
    here = cell.Cell(os.environ["JPY_SESSION_NAME"], os.environ["CELL"], 7, "")
    cell.see_by(lambda: here)
session = nomad_magic.start(sys.argv[1], options=nomad_magic.Options(log_dir=sys.argv[2]))
while session.result.started is None:
    session.wait_done(0.01)
print(json.dumps(draft(session.result, DRAFT_OUTPUT)), flush=True)
session.wait()
"""


@contextmanager
def child(script: Script, log: Path, token: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A kernel that runs an action, to be killed."""
    environ = {**os.environ, "NOMAD_ADDR": script.address, "NOMAD_TOKEN": token, **more}
    ran = subprocess.Popen(
        [sys.executable, "-c", CHILD, LINE, str(log)], env=environ, stdout=subprocess.PIPE
    )
    try:
        yield ran
    finally:
        ran.kill()
        ran.communicate()


def test_a_kernel_that_is_killed_leaves_what_had_come(script: Script, tmp_path: Path) -> None:
    """While it runs, and no half of a secret; another kernel in the same folder is not touched.

    Its record says that the end is not known, as does what the page has put into the notebook: that
    is no forgery, and what was changed in it is.
    """
    token, log = Canary(before="c4-").text, tmp_path / "log"
    script.session = Action([("stdout", b"mine\n")])
    mine = run(script, log, token=token)
    ended = threading.Event()

    async def session(connection: ServerConnection) -> None:
        await connection.send(frame("stdout", f"with {token} in it\nand ".encode()))
        await connection.send(frame("stdout", token[:-1].encode()))
        await connection.wait_closed()
        ended.set()

    script.session = session
    with child(script, log, token) as ran:
        assert ran.stdout is not None
        data, metadata = json.loads(ran.stdout.readline())
        theirs = next(entry for entry in nomad_magic.runs(log) if entry.run_id != mine.run_id)
        assert (theirs.state, theirs.outcome) == ("running", Outcome.RUNNING)
        assert theirs.kernel.startswith(f"process {ran.pid} on ")
        until(lambda: b"and" in theirs.stdout_bytes, seconds=20, what="what had come")
    assert ended.wait(20)
    assert theirs.stdout == "with [masked] in it\nand "
    newest, older = (entry for entry in nomad_magic.runs(log) if entry.folder is not None)
    assert (newest.state, newest.outcome) == ("started, end not known", Outcome.UNKNOWN)
    assert newest.exit_code is None
    assert (older.run_id, older.kernel, older.stdout) == (mine.run_id, "this kernel", "mine\n")
    assert len(list(log.glob("kernel-*"))) == 2

    filled = {
        kind: text.replace(DRAFT_OUTPUT, "as &#60;it was" if kind == "text/html" else "as <it was")
        for kind, text in data.items()
    }
    verdict = judged(tmp_path, filled, metadata)
    assert verdict.findings == []
    assert [note.partition(": started, end not known")[0] for note in verdict.notes] == [
        f"cell 1: run {newest.run_id} of hello"
    ]
    for kind, text in filled.items():
        other = {**filled, kind: text.replace("redis", "other", 1)}
        (words,) = judged(tmp_path, other, metadata).findings
        assert "is not what was to stay if its kernel died" in words
    changed = {"nomad_magic": {**metadata["nomad_magic"], "action": "other"}}
    assert judged(tmp_path, filled, changed).findings


def test_a_cell_whose_kernel_was_killed_may_have_no_record(script: Script, tmp_path: Path) -> None:
    """What ran in it is named, and is no fault: by its cell's id, in the notebook of that name."""
    token = Canary(before="c4-").text
    came = threading.Event()

    async def session(connection: ServerConnection) -> None:
        came.set()
        await connection.wait_closed()

    script.session = session
    environ = {"JPY_SESSION_NAME": "there/killed.ipynb", "CELL": "the-cell"}
    with child(script, tmp_path / "log", token, **environ):
        assert came.wait(20)
    (entry,) = (one for one in nomad_magic.runs(tmp_path / "log") if one.folder is not None)
    cell = {"cell_type": "code", "source": "", "execution_count": None, "outputs": []}
    for name, cell_id, count in (
        ("killed", "the-cell", 1),
        ("killed", "another", 0),
        ("other", "the-cell", 0),
    ):
        path = tmp_path / f"{name}.ipynb"
        path.write_text(json.dumps({"cells": [{**cell, "id": cell_id}]}))
        (verdict,) = verify({str(path): notebook.read(path)}, Log(tmp_path / "log"))
        assert verdict.findings == []
        note = f"cell 1: run {entry.run_id} of hello: started, end not known; it has no record"
        assert [one[: len(note)] for one in verdict.notes] == [note] * count


def judged(folder: Path, data: dict[str, str], metadata: dict[str, Any]) -> Any:
    """Return what is said of a notebook with that output alone."""
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    cell = {"cell_type": "code", "source": "", "execution_count": None, "outputs": [output]}
    path = folder / "killed.ipynb"
    path.write_text(json.dumps({"cells": [cell]}))
    (verdict,) = verify({"killed": notebook.read(path)}, Log(folder / "log"))
    return verdict


FLOOD = [("stdout", bytes([65 + at]) * 100_000) for at in range(4)]


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Have the disk refuse what comes after so many bytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


SIZES = [0, 100, 1000, 2500, 4000, 5000, 7000, 50_000, 250_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_disk_that_takes_no_more_is_said_once_and_stops_nothing(
    size: int, script: Script, tmp_path: Path
) -> None:
    """Whatever it is that does not fit: the ledger, the record, the output."""
    script.session = Action(FLOOD)
    with no_file_longer_than(size):
        result = run(script, tmp_path)
    assert (result.exit_code, len(result.stdout)) == (0, 400_000)
    (notice,) = [one for one in result.notices if "log" in one]
    assert notice.endswith(f": {tmp_path}: File too large")
    for path in tmp_path.glob("*/record.json"):
        made = record(path.parent)
        kept = (path.parent / "stdout").stat().st_size if made["state"] == "ended" else 0
        assert made["state"] == "started" or made["left_out"] == 400_000 - kept > 0
        assert made["state"] == "started" or made["streams"]["stdout"]["bytes"] == kept
    for path in tmp_path.glob("kernel-*"):
        assert ledger.read(path).changed == []
    # There is room again.
    assert run(script, tmp_path).notices == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte."""
    where = tmp_path / "disk"
    where.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "nomad_magic", where],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("only root may make a small disk")
    yield where
    subprocess.run(["umount", "--lazy", where], check=True)


def test_a_disk_that_fills_up_has_room_for_the_end(script: Script, small_disk: Path) -> None:
    """Some of the output goes for it; later runs say that they are not in the log."""
    script.session = Action([*FLOOD, *FLOOD])
    log = small_disk / "log"
    result = run(script, log)
    assert (result.exit_code, len(result.stdout)) == (0, 800_000)
    (notice,) = result.notices
    assert re_first(notice) == "Of this run's output the log has the first"
    assert notice.endswith(f": {log}: No space left on device")
    made = record(only(log))
    kept = made["streams"]["stdout"]["bytes"]
    assert (made["state"], made["left_out"]) == ("ended", 800_000 - kept)
    assert kept == (only(log) / "stdout").stat().st_size > 100_000
    with (small_disk / "filler").open("ab", buffering=0) as file, pytest.raises(OSError) as caught:  # noqa: PT011 - it is looked at below
        fill(file)
    assert caught.value.errno == errno.ENOSPC
    again = run(script, log)
    assert again.exit_code == 0
    assert [re_first(one) for one in again.notices] == ["This run is not in the log"]
    (small_disk / "filler").unlink()
    script.session = Action([("stdout", b"x")])
    assert run(script, log).notices == []


def fill(file: Any) -> None:
    while True:
        file.write(bytes(1 << 12))


def re_first(notice: str) -> str:
    """Return a notice's first words, as far as they are always the same."""
    first = notice.partition(": ")[0]
    return first.partition(" first ")[0] + " first" if " first " in first else first


@pytest.mark.parametrize("wrong", ["a file", "nobody's"])
def test_a_folder_that_cannot_be_is_said_and_stops_nothing(
    wrong: str, script: Script, tmp_path: Path
) -> None:
    """A file in its place, a place where there is nothing to be made."""
    script.session = Action([("stdout", b"x")])
    (tmp_path / "file").write_text("")
    result = run(script, tmp_path / "file" if wrong == "a file" else tmp_path / "file" / "log")
    (notice,) = result.notices
    assert notice.startswith("This run is not in the log: ")
    assert result.stdout == "x"


def test_a_log_that_is_removed_is_begun_anew(script: Script, tmp_path: Path) -> None:
    """As by who clears it away while the kernel runs on."""
    import shutil  # noqa: PLC0415 - of this alone

    script.session = Action([("stdout", b"x")])
    log = tmp_path / "log"
    first = run(script, log)
    shutil.rmtree(log)
    second = run(script, log)
    assert second.notices == []
    assert first.logged is not None
    assert second.logged is not None
    assert (second.logged.number, second.logged.kernel != first.logged.kernel) == (1, True)


def test_every_run_of_a_fleet_is_one_and_names_it(named_agent: Agent, tmp_path: Path) -> None:
    """A folder for each and one for all of them; a fork has a ledger of its own."""
    line = "-job=cache -group=redis -task=server hello"
    fleet = nomad_magic.run_all(line, options=Options(log_dir=tmp_path))
    entries = nomad_magic.runs(tmp_path)
    ours = [entry for entry in entries if fleet.run_id in {entry.fleet, entry.run_id}]
    assert sorted(entry.run_id for entry in ours if entry.fleet) == sorted(
        run.run_id for run in fleet.values()
    )
    (all_of_them,) = [entry for entry in ours if entry.is_fleet]
    assert all_of_them.facts["counts"] == {"exit 0": 3}
    assert {entry.stdout for entry in ours if entry.fleet} == {"hello\n"}
    assert {entry.facts["fleet"] for entry in ours if entry.fleet} == {fleet.run_id}
    assert named_agent.address
    log = Log(tmp_path)
    assert [problem for run in log.runs.values() for problem in run.problems()] == []
    assert list(log.problems(log.runs[fleet.run_id].kernel)) == []


def test_no_log_is_loaded_where_none_is_wanted(script: Script) -> None:
    """A run without one costs nothing."""
    script.session = Action([("stdout", b"x")])
    code = (
        f"import sys, nomad_magic; print(nomad_magic.run({LINE!r}).stdout, "
        "[name for name in sys.modules if name.startswith('nomad_magic.log')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NOMAD_ADDR": script.address},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "x []\n"


def test_a_disk_that_does_not_answer_holds_up_no_run(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on and says so; the log has it once the disk answers."""
    monkeypatch.setattr("nomad_magic.running.log.BEGIN_SECONDS", 0.1)
    monkeypatch.setattr("nomad_magic.running.log.END_SECONDS", 0.1)
    answers = threading.Event()

    def slow() -> Iterator[list[int]]:
        answers.wait(20)
        yield []

    script.session = Action([("stdout", b"x")])
    writer.get().do(slow())  # type: ignore[arg-type] # a generator
    result = run(script, tmp_path)
    (notice,) = result.notices
    assert "has not answered for" in notice
    assert not list(tmp_path.iterdir())
    answers.set()
    assert writer.get().wait(20)
    assert record(only(tmp_path))["state"] == "ended"
    assert (only(tmp_path) / "stdout").read_bytes() == b"x"


def test_what_runs_when_the_interpreter_ends_is_ended_in_the_log(
    script: Script, tmp_path: Path
) -> None:
    """As it was stopped then, with what it wrote."""

    async def session(connection: ServerConnection) -> None:
        await connection.send(frame("stdout", b"so far"))
        await connection.wait_closed()

    script.session = session
    code = (
        "import sys, nomad_magic\n"
        "session = nomad_magic.start(sys.argv[1], options=nomad_magic.Options(log_dir=sys.argv[2]))"
        "\nwhile not session.result.transcript.size:\n    session.wait_done(0.01)"
    )
    subprocess.run(
        [sys.executable, "-c", code, LINE, str(tmp_path)],
        env={**os.environ, "NOMAD_ADDR": script.address},
        check=True,
    )
    made = record(only(tmp_path))
    assert (made["state"], made["record"]["outcome"]) == ("ended", "disconnected")
    assert (only(tmp_path) / "stdout").read_bytes() == b"so far"


def test_what_is_shown_is_in_the_ledger_first(script: Script, tmp_path: Path) -> None:
    """Each form of a record, and the line above it, by their hashes."""
    script.session = Action([("stdout", b"x")])
    result = run(script, tmp_path)
    data, _ = bundle(Record(result))
    announcement(result)
    lines = ledger.read(next(tmp_path.glob("kernel-*")))
    (shown,) = lines.of(result.run_id, "shown")
    assert shown["as"] == "record"
    assert shown["forms"] == {kind: ledger.sha256(text) for kind, text in data.items()}
    draft(result, DRAFT_OUTPUT)
    assert ledger.lives(lines.path)
