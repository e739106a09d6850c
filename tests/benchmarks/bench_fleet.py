"""What an action in many allocations costs: time, memory, the event loop, Stop for all, the page.

Run it by hand: `python tests/benchmarks/bench_fleet.py [embedded | nomad] [allocations]`, with
nothing else on the machine; 200 allocations unless it is told otherwise, `nomad` wants one on the
PATH.  It prints

- an action of one second, 32 at a time and all at once, and how many times as fast as one after
  another it was;
- how long the event loop was held at the most, and by how much the process grew;
- `true` everywhere, and how large the record is;
- how long Stop took for all of them, with a tty and without one, and whether any process is left;
- in JupyterLab the largest gap between two frames of the page while they run, change, are scrolled
  and are stopped.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import nomads

from nomad_magic import run_all, start_all
from nomad_magic.nomad.capacity import MOST_AT_AN_ADDRESS
from nomad_magic.record.fleet_card import fleet_bundle
from nomad_magic.record.fleet_record import FleetRecord
from nomad_magic.running import loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

MS = 120_000
EMBEDDED_MOST = 500
SILENT = "12347"
ACTIONS = {
    "true": ["/bin/true"],
    "second": ["/bin/sleep", "1"],
    "silent": ["/bin/sleep", SILENT],
    "ticks": ["/bin/sh", "-c", "i=0; while :; do i=$((i+1)); echo tick $i; sleep 1; done"],
}
GAPS = """() => {
    window.gaps = [];
    let last = performance.now();
    const turn = () => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
        requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
}"""


def job(count: int) -> dict[str, Any]:
    actions = [{"Name": name, "Command": w[0], "Args": w[1:]} for name, w in ACTIONS.items()]
    task = {
        "Name": "t",
        "Driver": "raw_exec",
        "Config": {"command": "/bin/sleep", "args": ["100000"]},
        "Resources": {"CPU": 1, "MemoryMB": 10},
        # Else a real agent starts a second process of 14 MB for each.
        "LogConfig": {"Disabled": True, "MaxFiles": 1, "MaxFileSizeMB": 1},
        "Actions": actions,
    }
    # By default each would have 300 MB of the disk put aside.
    group = {"Name": "g", "Count": count, "Tasks": [task], "EphemeralDisk": {"SizeMB": 10}}
    return {"ID": "fleet", "Type": "service", "Datacenters": ["*"], "TaskGroups": [group]}


@contextmanager
def held() -> Iterator[list[float]]:
    """Note in milliseconds how late the event loop was each time."""
    late, over = [0.0], threading.Event()

    def tick(due: float) -> None:
        now = time.monotonic()
        late.append((now - due) * 1000)
        if not over.is_set():
            loop.get().call_later(0.005, tick, now + 0.005)

    loop.get().call_soon_threadsafe(lambda: tick(time.monotonic()))
    yield late
    over.set()


def say(*words: str) -> None:
    print(*words, flush=True)  # noqa: T201 - its output is what it is for


def megabytes() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


def sleepers() -> int:
    return sum(
        SILENT in (one.info["cmdline"] or ()) for one in psutil.process_iter(attrs=["cmdline"])
    )


def headless(agent: nomads.Agent, count: int) -> None:
    env = agent.environ
    run_all("-job=fleet -parallel=1 -fail-fast true", env=env)
    before = megabytes()
    for parallel in (32, count):
        with held() as late:
            start = time.monotonic()
            run_all(f"-job=fleet -parallel={parallel} second", env=env)
            took = time.monotonic() - start
        say(
            f"{count} x 1 s, {parallel} at a time: {took:.1f} s, {count / took:.0f} times as fast"
            f" as one after another; loop held {max(late):.0f} ms; +{megabytes() - before:.0f} MB"
        )
    start = time.monotonic()
    result = run_all(f"-job=fleet -parallel={count} true", env=env)
    took = time.monotonic() - start
    data, metadata = fleet_bundle(FleetRecord(result))
    size = len(json.dumps([data, metadata]))
    say(f"{count} x true: {took:.1f} s; {megabytes():.0f} MB; record {size / 1000:.0f} kB")
    for tty in ("-t", "-t=false"):
        fleet = start_all(f"-job=fleet -parallel={count} {tty} silent", env=env)
        # No agent is asked for more at a time than it takes.
        most = min(count, EMBEDDED_MOST if agent.name == "embedded" else MOST_AT_AN_ADDRESS)
        while sum(one.opened for one in fleet.running().values()) < most:
            time.sleep(0.05)
        start = time.monotonic()
        fleet.stop()
        fleet.wait(60)
        took = time.monotonic() - start
        say(f"stop all, {tty}: {took:.2f} s; {fleet.result.state}; {sleepers()} left")


def worst(page: Page) -> str:
    gaps = sorted(page.evaluate("gaps.splice(0)"))
    return f"{gaps[-1]:.0f} ms ({len(gaps)} frames)"


def in_lab(agent: nomads.Agent, folder: Path, count: int) -> None:
    # Loaded before, they would be a part of the figures above: a third of what a full collection
    # of garbage goes through.
    from playwright.sync_api import expect  # noqa: PLC0415
    from support import jupyter  # noqa: PLC0415

    cells = [
        "%load_ext nomad_magic",
        f"%nomad_action_all -job=fleet -parallel={count} true",
        f"%nomad_action_all -job=fleet -parallel={min(count, 200)} ticks",
    ]
    with jupyter.server(folder, agent.environ) as server, jupyter.browser() as browser:
        context = browser.new_context(viewport={"width": 1100, "height": 900})
        path = server.write("fleet.ipynb", [], kernel=jupyter.kernel_name(None))
        notebook = jupyter.Notebook(context, server, path, "lab")
        notebook.open()
        notebook.fill(cells)
        notebook.run(0)
        notebook.wait_done(0)
        page = notebook.page
        page.evaluate(GAPS)
        notebook.run(1)
        notebook.wait_done(1)
        say("largest gap, true:", worst(page))
        notebook.run(2)
        cell = notebook.cell(2)
        rows = cell.get_by_role("grid", name="Allocations")
        expect(rows).to_contain_text("tick 4", timeout=MS)
        say("largest gap, rows that change:", worst(page))
        cell.get_by_role("button", name="running").click()
        for step in range(20):
            rows.evaluate("(list, top) => { list.scrollTop = top }", step * 997)
            page.wait_for_timeout(100)
        say("largest gap, scrolled:", worst(page))
        rows.get_by_role("row").last.click()
        expect(cell.locator(".xterm")).to_contain_text("tick", timeout=MS)
        say("largest gap, a row opened:", worst(page))
        start = time.monotonic()
        cell.get_by_role("button", name="Stop all", exact=True).click()
        notebook.wait_done(2)
        say(f"stop all in the page: {time.monotonic() - start:.2f} s; gap {worst(page)}")


def main() -> None:
    """Print the figures."""
    kind = sys.argv[1] if len(sys.argv) > 1 else "embedded"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "fleet.json"
        path.write_text(json.dumps({"Job": job(count)}))
        setup = nomads.Setup(
            jobs=[path],
            ready=lambda agent: len(agent.allocations("fleet", "g")) == count,
            ready_seconds=60 + count,
        )
        with nomads.either(kind, folder, setup) as agent:
            headless(agent, count)
            in_lab(agent, folder, count)


if __name__ == "__main__":
    main()
