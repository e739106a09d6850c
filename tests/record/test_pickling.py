"""Results and errors go through pickle, copy and other processes, and arrive whole."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic import errors
from nomad_magic.line import flags
from nomad_magic.record.facts import Outcome, Place
from nomad_magic.record.masking import MASK, Masker
from nomad_magic.record.result import ActionResult
from nomad_magic.record.transcript import TRAVEL_BYTES, Transcript

SECRET = "c0ffee00-5ec7e7"


def result(*pieces: tuple[Any, bytes], secret: str = "") -> ActionResult:
    made = ActionResult(
        action="hello",
        command_line="nomad job action hello",
        place=Place(job="cache", group="redis", task="server", allocation="0123456789"),
        command=("/bin/echo", "hello"),
        outcome=Outcome.FAILED,
        exit_code=3,
        started=datetime(2026, 1, 2, tzinfo=UTC),
        notices=["one"],
        masker=Masker([secret] if secret else []),
    )
    for stream, data in pieces:
        made.transcript.write(stream, data)
    return made


def facts(one: ActionResult) -> dict[str, Any]:
    """All that a user can ask of it."""
    names = ("action", "place", "command", "outcome", "exit_code", "started", "notices", "stdout")
    more = ("stderr", "stdout_bytes", "stderr_bytes", "text", "lines", "state", "ok")
    return {name: getattr(one, name) for name in names + more} | {
        "record": one.record(),
        "repr": repr(one),
        "sha256": [one.transcript.sha256("stdout"), one.transcript.sha256("stderr")],
    }


def piped(one: Any) -> Any:
    return pickle.loads(pickle.dumps(one))


COPIES = {"pickle": piped, "copy": copy.copy, "deepcopy": copy.deepcopy}
pieces = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=20)))


@pytest.mark.parametrize("how", COPIES)
@given(pieces)
def test_a_result_arrives_as_it_was(how: str, written: list[tuple[Any, bytes]]) -> None:
    """In every way that it can be asked."""
    before = result(*written)
    assert facts(COPIES[how](before)) == facts(before)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_a_copy_stands_for_itself(how: str) -> None:
    """What goes on in the original does not reach it, nor the other way round."""
    before = result(("stdout", b"a"))
    after = COPIES[how](before)
    before.transcript.write("stdout", b"b")
    before.notices.append("two")
    before.transcript.close()
    assert (after.stdout, after.notices) == ("a", ["one"])


def test_a_long_output_arrives_with_its_ends() -> None:
    """The middle counts as lost; sizes and hashes are of all that came."""
    head, tail = b"h" * (TRAVEL_BYTES // 2), b"t" * (TRAVEL_BYTES // 2)
    before = result(("stdout", head), ("stdout", b"middle"), ("stderr", tail))
    after = piped(before)
    assert (after.stdout_bytes, after.stderr_bytes) == (head, tail)
    assert after.transcript.lost == len(b"middle")
    for stream in ("stdout", "stderr"):
        assert after.transcript.count(stream) == before.transcript.count(stream)
        assert after.transcript.sha256(stream) == before.transcript.sha256(stream)
    assert len(pickle.dumps(before)) < TRAVEL_BYTES + 10_000
    assert piped(after).stdout_bytes == head


def test_no_secret_travels() -> None:
    """A pickle is a file: its output is masked, and nothing in it knows what was."""
    cut = SECRET.encode()
    before = result(("stdout", b"<" + cut[:5]), ("stdout", cut[5:] + b">"), secret=SECRET)
    before.command = ("echo", SECRET)
    data = pickle.dumps(before)
    assert cut not in data
    assert piped(before).stdout == f"<{MASK}>"
    assert copy.deepcopy(before).stdout == f"<{SECRET}>"
    assert copy.deepcopy(before).text == f"<{MASK}>"


def every(kind: type) -> list[type]:
    return [kind, *(one for sub in kind.__subclasses__() for one in every(sub))]


MADE: dict[type, dict[str, Any]] = {
    errors.UnexpectedAnswer: {"status": 403, "body": "no"},
    errors.SessionRefused: {"code": 1008, "reason": "no"},
    errors.ActionFailed: {"exit_code": 3},
    errors.FleetFailed: {"hint": "", "result": None},
    errors.Interrupted: {"exit_code": 130, "result": None},
}
KINDS = [*every(errors.NomadMagicError), errors.Interrupted, flags.HelpRequested]


def made(kind: type) -> Any:
    error = kind("what failed", **MADE.get(kind, {}))
    error.hint = "what to do"
    error.result = result(("stdout", b"partial"))
    return error


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_arrives_with_all_that_it_knows(kind: type, how: str) -> None:
    """Its class, its words, its codes and its result."""
    before = made(kind)
    after = COPIES[how](before)
    assert type(after) is kind
    assert str(after) == str(before)
    assert after.args == before.args
    assert vars(after).keys() == vars(before).keys()
    for name, value in vars(before).items():
        if name != "result":
            assert getattr(after, name) == value
    assert after.result.stdout == "partial"


def fail(kind: type) -> None:
    raise made(kind)


def test_an_error_comes_out_of_another_process() -> None:
    """As one raised here."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for kind in (errors.ActionFailed, errors.SessionRefused, errors.UnexpectedAnswer):
            with pytest.raises(kind) as caught:
                pool.submit(fail, kind).result(60)
            assert caught.value.result is not None  # type: ignore[attr-defined] # it is one of ours
            assert caught.value.result.exit_code == 3  # type: ignore[attr-defined] # likewise


def test_a_transcript_that_travelled_still_takes_no_harm() -> None:
    """It can be read, copied and sent on."""
    before = Transcript(memory=10)
    before.write("stdout", b"x" * 100)
    for after in (piped(before), copy.copy(before), copy.deepcopy(piped(before))):
        assert after.whole("stdout") == b"x" * 100
        assert after.sha256("stdout") == before.sha256("stdout")
