"""What an error takes along when it leaves: words that can be shown, and nothing else."""

from __future__ import annotations

import json
import logging
import traceback
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from support.canaries import chain, of_error, of_result
from support.cells import environment
from support.scripted import answer, leave, recorded, scripted

import nomad_magic
from nomad_magic.errors import NomadMagicError
from nomad_magic.running.leaving import Cause, sealed, settle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.cells import Shell
    from support.scripted import Script

SERVER = "-job=cache -group=redis -task=server"
EVIL = "\x1b]0;owned\x07\x9b2J\u202ecod\u200b\r\n✔ exit 0\x7f"
SEEN = "\\x1b]0;owned\\a\\u009b2J\\u202ecod\\u200b\\r\\n✔ exit 0\\x7f"


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    with scripted() as made:
        made.session = leave
        yield made


def acting(shown: str | bytes) -> set[str]:
    """Return the control characters of a text, but for what parts lines and columns."""
    text = shown.decode("utf-8", "replace") if isinstance(shown, bytes) else shown
    return {one for one in text if unicodedata.category(one) in {"Cc", "Cf"}} - set("\n\t")


def evil_allocations() -> list[dict[str, Any]]:
    """Return the recorded allocations, with the names of one who means ill."""
    stubs = [stub for stub in recorded("job-allocations") if stub["TaskGroup"] == "redis"][:1]
    return [{**stub, "Name": EVIL, "NodeName": EVIL, "Namespace": EVIL} for stub in stubs]


def evil_allocation() -> dict[str, Any]:
    (stub,) = evil_allocations()
    made = {**recorded("allocation"), **stub}
    for group in made["Job"]["TaskGroups"]:
        for task in group["Tasks"]:
            task["Driver"] = EVIL
            for action in task.get("Actions") or ():
                action["Args"] = ["-c", f"echo {EVIL}"]
    made["Job"]["Region"] = EVIL
    return made


def test_names_of_others_do_nothing_in_a_record(script: Script, tmp_path: Path) -> None:
    """Of a node, an allocation, a namespace, a region, a driver, and a command."""
    script.answers = {
        "/v1/job/cache/allocations": answer(json.dumps(evil_allocations())),
        "/v1/allocation/": answer(json.dumps(evil_allocation())),
    }
    result = nomad_magic.run(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
    for place, text in of_result(result, tmp_path).items():
        if place not in {"saved", "pickle"}:
            assert acting(text) == set(), place
    assert result.place.node_name == result.place.allocation_name == SEEN
    assert SEEN in result.record()
    # A command may be a script of several lines.
    assert result.command is not None
    assert result.command[-1].startswith("echo \\x1b]0;owned\\a")
    assert "✔ exit 0" not in result.record().splitlines()


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("/v1/jobs", answer(EVIL, 403, kind="text/plain")),
        ("/v1/jobs", answer(f"<title>{EVIL}</title>", 502, kind="text/html")),
        ("/v1/jobs", answer(json.dumps([{"ID": f"cache{EVIL}{at}"} for at in range(3)]))),
        ("/v1/jobs", answer(f"[{EVIL}")),
        ("/v1/job/cache/allocations", answer(json.dumps([{"ID": "x", "TaskGroup": EVIL}]))),
        ("/v1/allocation/", answer(EVIL, 500, kind="text/plain")),
    ],
)
def test_words_of_others_do_nothing_in_an_error(script: Script, path: str, made: Any) -> None:
    """What an agent, a proxy or a cluster says is shown, and does not act."""
    script.answers = {path: made}
    with pytest.raises(NomadMagicError) as caught:
        nomad_magic.run(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
    for place, text in of_error(caught.value).items():
        # IPython colours what it shows itself.
        if "xmode" not in place and "pickle" not in place:
            assert acting(text) == set(), place
    assert "\\x1b" in str(caught.value) or "\\x1b" in repr(vars(caught.value))


def test_the_words_of_a_refusal_do_nothing(script: Script, tmp_path: Path) -> None:
    """A reason to close the session with is shown in error, state and record."""
    script.answers = {}

    async def refuse(connection: Any) -> None:
        await connection.close(1008, "\x1b[2Jno\x07")

    script.session, before = refuse, script.session
    try:
        with pytest.raises(nomad_magic.SessionRefused) as caught:
            nomad_magic.run(f"{SERVER} hello", env={"NOMAD_ADDR": script.address})
    finally:
        script.session = before
    error = caught.value
    assert error.reason == "\\x1b[2Jno\\a"
    assert str(error) == "failed to exec into task: \\x1b[2Jno\\a"
    assert error.args == ("failed to exec into task: \\x1b[2Jno\\a",)
    assert error.result is not None
    places = of_result(error.result, tmp_path)
    assert not any(acting(text) for place, text in places.items() if place != "pickle")


def test_a_cause_keeps_type_and_words_alone() -> None:
    """Of all that an error came from, in their order."""
    with pytest.raises(nomad_magic.RequestError) as caught:
        nomad_magic.run(f"{SERVER} hello", env={"NOMAD_ADDR": "http://127.0.0.1:1"})
    first, *causes = chain(caught.value)
    assert first is caught.value
    assert [type(one) for one in causes] == [Cause] * len(causes)
    assert str(causes[0]).startswith("nomad_magic.nomad.dial.DialError: ")
    assert str(causes[1]).startswith("ConnectionRefusedError: ")
    assert all(one.__traceback__ is None for one in causes)


def test_of_a_fault_of_ours_it_stays_known_where_it_is() -> None:
    """Its cause has the frames, emptied: whoever mends it needs the lines."""

    def faulty(environ: dict[str, str]) -> None:
        raise TypeError(f"{len(environ)} is too many")

    # As a function of ours.
    exec_in = {"__name__": "nomad_magic.made_up", "faulty": faulty}
    exec("def ours(environ):\n    secret = environ\n    faulty(secret)\n", exec_in)
    try:
        exec_in["ours"]({"NOMAD_TOKEN": "t"})  # type: ignore[operator]  # it is a function
    except TypeError as error:
        failure = NomadMagicError("nomad_magic failed")
        failure.__cause__ = error
    settle(failure, str)
    cause = failure.__cause__
    assert isinstance(cause, Cause)
    assert str(cause) == "TypeError: 1 is too many"
    frames = [frame for frame, _ in traceback.walk_tb(cause.__traceback__)]
    assert "ours" in {frame.f_code.co_name for frame in frames}
    assert all(not frame.f_locals for frame in frames if frame.f_code.co_name == "ours")


def test_an_exception_of_the_user_keeps_the_frames_of_the_user(shell: Shell) -> None:
    """Those that are ours are empty."""
    cell = (
        "def boom():\n"
        "    mine = 'kept'\n"
        "    raise KeyboardInterrupt\n"
        "try:\n"
        "    get_ipython().run_line_magic('nomad_action', '-token=s3cret-token {boom()} a')\n"
        "except KeyboardInterrupt as error:\n"
        "    caught = error"
    )
    with environment({"NOMAD_TOKEN": "t"}):
        assert shell.run(cell).error is None
    caught = shell.ipython.user_ns.pop("caught")
    frames = [frame for frame, _ in traceback.walk_tb(caught.__traceback__)]
    locals_of = {frame.f_code.co_name: dict(frame.f_locals) for frame in frames}
    assert locals_of["boom"] == {"mine": "kept"}
    assert locals_of["nomad_action"] == locals_of["_split"] == {}


def test_a_sealed_function_is_what_it_was() -> None:
    """To who calls it, and to who looks at it."""

    @sealed
    def add(one: int, other: int = 2) -> int:
        """Add."""
        return one + other

    assert add(1) == 3
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    with pytest.raises(TypeError) as caught:
        add("x")  # type: ignore[arg-type]  # that is the point
    assert caught.value.__context__ is None


def test_no_library_logs_what_it_sends(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    """Not with every logger at work: no header, and no frame of what is typed."""
    script.answers = {}
    with caplog.at_level(logging.DEBUG):
        nomad_magic.run(
            f"{SERVER} -t hello", env={"NOMAD_ADDR": script.address, "NOMAD_TOKEN": "s3cret-tok"}
        )
    ours = [one for one in caplog.records if not one.name.startswith("websockets.server")]
    assert not any("s3cret-tok" in one.getMessage() for one in ours)
    assert not any(one.name.startswith("websockets.client") for one in ours)
