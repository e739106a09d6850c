"""How long Stop takes in one of 30 live views, beside the same in a view that is alone.

Run it by hand: `python tests/benchmarks/bench_many.py [samples [kind …]]`, with nothing else on the
machine.  It prints milliseconds from the click until the view says the end, in JupyterLab, and how
many times as long it is among 30; how busy the kernel is with 30; and the largest gap between two
frames of the page.  The kinds: `silent`, `lines` (ten lines a second each) and `flood` (the same,
but each tenth one writes at full speed).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import jupyter, nomads

MANY = 30
A_CELL = 10
"""Lab shows no more than 50 outputs of a cell."""

MS = 60_000

LINES = """\
import itertools, time
for n in itertools.count():
    print("line", n, flush=True)
    time.sleep(0.1)
"""
ACTIONS = {
    "silent": ["/bin/sleep", "12345"],
    "lines": [sys.executable, "-c", LINES],
    "flood": ["/bin/sh", "-c", "head -c 100000000000 /dev/zero | tr '\\0' x | fold -w 99"],
}
JOB = {
    "ID": "many",
    "Type": "service",
    "TaskGroups": [
        {
            "Name": "g",
            "Tasks": [
                {
                    "Name": "t",
                    "Driver": "raw_exec",
                    "Config": {"command": "/bin/sleep", "args": ["100000"]},
                    "Resources": {"CPU": 20, "MemoryMB": 32},
                    "Actions": [
                        {"Name": name, "Command": words[0], "Args": words[1:]}
                        for name, words in ACTIONS.items()
                    ],
                }
            ],
        }
    ],
}
START = """\
for number in range({first}, {last}):
    action = "lines" if {kind!r} == "flood" and number % 10 != 1 else {kind!r}
    run = %nomad_action -job=many -group=g -task=t $action &
    runs.append(run)
"""
STOP = """index => new Promise((resolve, reject) => {
    const views = [...document.querySelectorAll('.nomad-action')];
    const view = views[index % views.length];
    if (!view) return reject(new Error('no view'));
    const start = performance.now();
    const watch = new MutationObserver(() => {
        if (view.isConnected && view.dataset.phase !== 'ended') return;
        watch.disconnect();
        resolve(performance.now() - start);
    });
    watch.observe(view, {attributes: true});
    // Whichever element the front end takes out.
    for (let one = view.parentElement; one; one = one.parentElement) {
        watch.observe(one, {childList: true});
        if (one.classList.contains('jp-Cell')) break;
    }
    view.querySelector('.nomad-stop').click();
})"""
GAPS = """seconds => new Promise(resolve => {
    const start = performance.now();
    let last = start, worst = 0;
    const tick = now => {
        worst = Math.max(worst, now - last);
        last = now;
        if (now - start < 1000 * seconds) requestAnimationFrame(tick); else resolve(worst);
    };
    requestAnimationFrame(tick);
})"""


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    kinds = sys.argv[2:] or list(ACTIONS)
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "many.json"
        job.write_text(json.dumps(JOB))
        setup = nomads.Setup(jobs=[job], ready=lambda agent: bool(agent.allocations("many", "g")))
        with (
            nomads.embedded(Path(folder), setup) as agent,
            jupyter.server(Path(folder), agent.environ) as server,
            jupyter.browser() as browser,
        ):
            for kind in kinds:
                medians = {}
                for count in (1, MANY):
                    context = browser.new_context(viewport={"width": 1100, "height": 2400})
                    path = server.write(
                        f"{kind}{count}.ipynb", [], kernel=jupyter.kernel_name(None)
                    )
                    notebook = jupyter.Notebook(context, server, path, "lab")
                    notebook.open()
                    times, busy, gap = measure(notebook, kind, count, samples)
                    medians[count] = statistics.median(times)
                    print(  # noqa: T201 - its output is what it is for
                        f"{kind:7} {count:3} views: median {medians[count]:5.0f} ms, worst of "
                        f"{len(times)} {max(times):5.0f} ms; kernel {busy:3.0f} % of a processor, "
                        f"largest gap {gap:4.0f} ms",
                        flush=True,
                    )
                    notebook.close()
                    context.close()
                print(f"{kind:7} ratio {medians[MANY] / medians[1]:.2f}", flush=True)  # noqa: T201


def measure(
    notebook: jupyter.Notebook, kind: str, count: int, samples: int
) -> tuple[list[float], float, float]:
    """Return the time of each Stop (ms), the kernel's share (%), the worst frame gap (ms)."""
    starts = [
        START.format(kind=kind, first=first, last=min(first + A_CELL, count))
        for first in range(0, count, A_CELL)
    ]
    # Each run that is stopped is replaced.
    again = [
        START.format(kind=kind, first=count + number, last=count + number + 1)
        for number in range(samples)
    ]
    end = "for run in runs: run.stop()\nfor run in runs: run.wait(20)"
    pid = "import os; print(os.getpid()); runs = []"
    notebook.fill(["%load_ext nomad_magic", pid, *starts, *again, end])
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    notebook.wait_done(1)
    kernel = psutil.Process(int(notebook.cell(1).locator(".jp-OutputArea-output").inner_text()))
    for index in range(len(starts)):
        notebook.run(2 + index)
        notebook.wait_done(2 + index)
    running(notebook, count)
    kernel.cpu_percent()
    gap: float = notebook.page.evaluate(GAPS, 3)
    busy = kernel.cpu_percent()
    times: list[float] = []
    for number in range(samples):
        times.append(notebook.page.evaluate(STOP, 16))
        index = 2 + len(starts) + number
        notebook.run(index)
        notebook.wait_done(index)
        running(notebook, count)
        # Its beginning is over, and whatever it had the page do.
        notebook.page.wait_for_timeout(500)
    notebook.run(2 + len(starts) + samples)
    notebook.wait_done(2 + len(starts) + samples)
    return times, busy, gap


def running(notebook: jupyter.Notebook, count: int) -> None:
    """Wait until so many views say that their action runs."""
    views: Any = notebook.page.locator(".nomad-action[data-phase=running]")
    expect(views).to_have_count(count, timeout=MS)


if __name__ == "__main__":
    main()
