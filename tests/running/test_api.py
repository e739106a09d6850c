"""The Python API: the same runs, with no IPython loaded."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.nomads import until

import nomad_magic
from nomad_magic.record.facts import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from support.nomads import Agent

SERVER = "-job=cache -group=redis -task=server"


@pytest.fixture(autouse=True)
def agent(named_agent: Agent) -> Agent:
    return named_agent


def test_run_gives_the_result() -> None:
    """A line, its output and its exit code."""
    result = nomad_magic.run(f"{SERVER} cat", "é\n")
    assert result.ok
    assert result.exit_code == 0
    assert result.outcome is Outcome.SUCCEEDED
    assert (result.stdout, result.stderr) == ("é\n", "")
    assert result.sent == 3
    assert result.command == ("/bin/cat",)
    assert result.place.job == "cache"
    assert result.place.job_version == 0
    assert result.started is not None
    assert result.ended is not None


def test_run_raises_what_failed_with_all_that_came() -> None:
    """A failure carries the result; `check=False` gives it instead."""
    with pytest.raises(nomad_magic.ActionFailed) as caught:
        nomad_magic.run([*SERVER.split(), "fail"])
    assert caught.value.exit_code == 3
    assert caught.value.result is not None
    assert caught.value.result.stdout == "partial\n"
    assert nomad_magic.run(f"{SERVER} fail", check=False).exit_code == 3
    with pytest.raises(nomad_magic.SessionRefused, match="action nosuch not found in task server"):
        nomad_magic.run(f"{SERVER} nosuch", check=False)


def test_a_line_takes_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """`$NAME` is an environment variable; a Python expression is refused."""
    monkeypatch.setenv("JOB", "cache")
    assert nomad_magic.run("-job=$JOB -group=single -task=only hello").stdout == "from only\n"
    with pytest.raises(nomad_magic.UsageError, match="only a notebook's line"):
        nomad_magic.run("-job={job} hello")


def test_the_environment_can_be_handed_in(agent: Agent) -> None:
    """`env` stands for the whole environment."""
    os.environ["NOMAD_ADDR"] = "http://127.0.0.1:1"
    assert nomad_magic.run(f"{SERVER} hello", env=agent.environ).ok


async def one_after_another() -> list[int | None]:
    first, second = await asyncio.gather(
        nomad_magic.arun(f"{SERVER} utf8"), nomad_magic.arun(f"{SERVER} fail", check=False)
    )
    return [first.exit_code, second.exit_code]


def test_arun_works_in_any_loop() -> None:
    """Two loops one after the other, two runs at once in each."""
    assert asyncio.run(one_after_another()) == [0, 3]
    assert asyncio.run(one_after_another()) == [0, 3]


def test_a_cancelled_arun_stops_its_action() -> None:
    """Cancelling is stopping: the process ends."""

    async def cancel() -> None:
        task = asyncio.ensure_future(nomad_magic.arun(f"{SERVER} -t forever"))
        mine: list[nomad_magic.Session] = []

        def writes() -> bool:
            mine[:] = [one for one in _running() if one.result.transcript.size]
            return bool(mine)

        await asyncio.sleep(0)
        await asyncio.to_thread(until, writes, seconds=20, what="it writes")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        sessions.extend(mine)

    sessions: list[nomad_magic.Session] = []
    asyncio.run(cancel())
    assert sessions[0].wait(10).exit_code == 130


def _running() -> list[nomad_magic.Session]:
    from nomad_magic.running.loop import running  # noqa: PLC0415 - not part of the public API

    return running()


def test_start_streams_while_it_runs() -> None:
    """What came can be read before the end; `wait` with a bound stops nothing."""
    session = nomad_magic.start(f"{SERVER} -t forever")
    until(lambda: "tick 2" in session.result.stdout, seconds=20, what="two ticks")
    with pytest.raises(TimeoutError):
        session.wait(0.01)
    assert not session.done
    session.stop()
    assert session.wait(10).exit_code == 130


def test_typing_reaches_the_terminal() -> None:
    """Input can be typed as it comes, and the terminal resized."""
    session = nomad_magic.start(f"{SERVER} -t cat")
    session.resize(30, 100)
    session.type(b"ping\r")
    until(lambda: session.result.stdout.count("ping\n") == 2, seconds=20, what="the echo")
    session.end_input()
    assert session.wait(10).exit_code == 0


def test_a_result_gives_its_output_in_every_form(tmp_path: Path) -> None:
    """Text, lines, JSON and a file."""
    document = {"answer": [42]}
    result = nomad_magic.run(f"{SERVER} cat", json.dumps(document))
    assert result.json() == document
    colour = nomad_magic.run(f"{SERVER} color")
    assert colour.text == "red green"
    assert colour.lines == ["red green"]
    assert "\x1b[31m" in colour.stdout
    saved = colour.save(tmp_path / "colour.txt")
    assert saved.read_bytes() == colour.stdout_bytes


def printed(script: str, agent: Agent) -> bytes:
    """Run a script in an interpreter of its own, and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **agent.environ},
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    ).stdout


def test_the_interpreter_ends_its_actions_when_it_ends(agent: Agent) -> None:
    """A script that ends with an action running on a tty leaves no process behind."""
    script = (
        "import nomad_magic, sys\n"
        f"session = nomad_magic.start('{SERVER} -t forever')\n"
        "while not session.result.transcript.size: pass\n"
        "import atexit\n"
        "sys.stdout.write(session.result.place.allocation)\n"
        "atexit._run_exitfuncs()\n"
        "print('', session.result.exit_code)\n"
    )
    assert printed(script, agent).split()[1] == b"130"


NEEDLESS = {
    # Front ends, and how a run is shown in them; the embedded agent.
    *("IPython", "ipywidgets", "traitlets", "nomad_magic.notebook", "nomad_magic.agent"),
    *("nomad_magic.terminal", "nomad_magic.record.record", "nomad_magic.record.card"),
    # What many runs, TLS and a second session need.
    *("nomad_magic.running.fleet", "nomad_magic.nomad.survey", "nomad_magic.nomad.certificates"),
    *("nomad_magic.nomad.reach", "nomad_magic.nomad.look_shell"),
    # What the libraries ask for and never use in a run; what is made for outputs that are large.
    *("httpx._main", "click", "rich", "anyio", "httpcore", "idna", "mimetypes", "platform"),
    *("importlib.metadata", "typing_extensions", "textwrap", "shutil", "bz2", "lzma"),
    *("encodings.idna", "html"),
}
"""What makes the start of a short script longer, and is no use to it."""


def test_a_short_run_loads_no_more_than_it_needs(agent: Agent) -> None:
    """Importing the package loads no socket library; a whole run no IPython, and no more besides.

    What was loaded counts as old from then on, so that no collection of garbage goes through it.
    """
    script = (
        "import gc, sys\n"
        "before = set(sys.modules)\n"
        # Python 3.12 begins with some; then all is left as it is.
        "frozen = gc.get_freeze_count()\n"
        "import nomad_magic\n"
        "early = {'h11', 'httpx', 'websockets', 'asyncio', 'IPython', 'ssl'} & set(sys.modules)\n"
        "run = nomad_magic.run\n"
        "young = sum(len(gc.get_objects(generation)) for generation in (0, 1))\n"
        f"run('{SERVER} hello')\n"
        f"needless = {NEEDLESS!r} & (set(sys.modules) - before)\n"
        "print(sorted(early), sorted(needless), young < 1000 or frozen > 0)\n"
        "print(gc.isenabled(), gc.get_freeze_count() == frozen)\n"
    )
    assert printed(script, agent).split() == b"[] [] True True True".split()


def test_loading_leaves_the_collector_as_it_was() -> None:
    """Turned off it stays off, and what someone has frozen stays frozen."""
    gc.freeze()
    gc.disable()
    try:
        nomad_magic._load("nomad_magic.running.api")
        assert not gc.isenabled()
        gc.enable()
        nomad_magic._load("nomad_magic.running.api")
        assert gc.isenabled()
        assert gc.get_freeze_count()
    finally:
        gc.enable()
        gc.unfreeze()


def test_a_session_that_takes_its_time_loses_nothing() -> None:
    """It reads more slowly, all the same bytes, and stops as another does."""
    session = nomad_magic.start(f"{SERVER} -t=false flood")
    session.take_time()
    result = session.wait(60)
    assert result.transcript.count("stdout") == 52_958_383
    session = nomad_magic.start(f"{SERVER} -t flood500")
    session.take_time()
    until(lambda: session.result.transcript.size > 1 << 21, seconds=30, what="there is output")
    session.stop()
    assert session.wait(30).exit_code == 130
