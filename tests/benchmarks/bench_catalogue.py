"""How long the actions of 300 jobs take to list, and Tab, over a link of 50 ms: worst of some.

Run it by hand: `python tests/benchmarks/bench_catalogue.py`, with nothing else on the machine.  It
runs against the embedded agent, or against a real one with a `nomad` on the PATH.  The list is held
against asking one job after the other; Tab is asked in an IPython shell, each time as if nothing
were known any more, and once more when it is.  A figure of 1 or less keeps to its bound.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench_link import ONE_WAY, Link
from support import nomads
from support.cells import Shell
from support.loops import listening

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS: Final = 300
LIST_SECONDS: Final = 1.5
TAB_SECONDS: Final = 0.3
RUNS: Final = 5


def job(number: int) -> dict[str, object]:
    """Return a job with two actions, in the form of the API."""
    actions = [
        {"Name": name, "Command": "/bin/echo", "Args": [name]} for name in ("check", "flush")
    ]
    task = {
        "Name": "server",
        "Driver": "raw_exec",
        "Config": {"command": "/bin/sleep", "args": ["99999"]},
        "Actions": actions,
        "Resources": {"CPU": 1, "MemoryMB": 10},
    }
    group = {"Name": "redis", "Count": 1, "Tasks": [task]}
    name = f"cache-{number:03}"
    return {"Job": {"ID": name, "Name": name, "Type": "service", "TaskGroups": [group]}}


def running(agent: nomads.Agent) -> bool:
    """Whether every job runs."""
    stubs = agent.get("/v1/allocations")
    return sum(stub["ClientStatus"] == "running" for stub in stubs) >= JOBS


def longest(run: Callable[[], None], times: int = RUNS) -> float:
    """Return the longest of some runs, in seconds."""
    measured = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        measured.append(time.perf_counter() - start)
    return max(measured)


def report(what: str, seconds: float, bound: float, more: str = "") -> None:
    print(f"{what:34} {seconds * 1000:5.0f} ms, {seconds / bound:4.2f} of its bound{more}")  # noqa: T201 - its output is what it is for


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = []
        for number in range(JOBS):
            files.append(folder / f"{number}.json")
            files[-1].write_text(json.dumps(job(number)))
        setup = nomads.Setup(jobs=files, ready=running)
        agent = stack.enter_context(nomads.either(nomads.AGENTS[-1], folder, setup))
        link = Link(agent.address.removeprefix("http://"))
        where = stack.enter_context(listening(link.serve))
        os.environ.update({**agent.environ, "NOMAD_ADDR": f"http://{where}"})
        shell = Shell()
        stack.callback(shell.close)

        def all_jobs() -> None:
            ran = shell.run("found = %nomad_actions")
            assert ran.error is None
            assert len(shell.ipython.user_ns["found"]) == 2 * JOBS

        first = longest(all_jobs, 1)
        report("all jobs, the first time", first, LIST_SECONDS)
        seconds = longest(all_jobs)
        report("all jobs", seconds, LIST_SECONDS)
        alone = JOBS * 2 * ONE_WAY
        print(f"{'':34} {seconds / alone:.2f} of asking one job after the other")  # noqa: T201 - as above
        tabs(shell)


def tabs(shell: Shell) -> None:
    """Say how long each kind of Tab takes."""
    from IPython.core.completer import provisionalcompleter  # noqa: PLC0415 - as a front end does

    from nomad_magic.nomad import vocabulary  # noqa: PLC0415 - with the first Tab

    lines = {
        "-job": "%nomad_action -job=cache-1",
        "-group": "%nomad_action -job=cache-123 -group=",
        "-task": "%nomad_action -job=cache-123 -group=redis -task=",
        "-alloc": "%nomad_action -job=cache-123 -alloc=",
        "an action": "%nomad_action -job=cache-123 -group=redis -task=server f",
    }
    for what, line in lines.items():
        empty = 0

        def press(line: str = line) -> None:
            nonlocal empty
            with provisionalcompleter():
                found = list(shell.ipython.Completer.completions(line, len(line)))
            empty += not found

        def anew(press: Callable[[], None] = press) -> None:
            vocabulary.forget()
            press()

        seconds = longest(anew)
        more = f", {empty} of {RUNS} with nothing in time" if empty else ""
        report(f"Tab for {what}", seconds, TAB_SECONDS, more)
        report(f"Tab for {what}, a moment later", longest(press), TAB_SECONDS)


if __name__ == "__main__":
    main()
