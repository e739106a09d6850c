"""What output that means no good does to the page, to Stop and to the record, kind by kind.

Run it by hand: `python tests/benchmarks/bench_hostile.py [seconds [kind …]]`, with nothing else on
the machine.  It prints for each kind the longest time (ms) in which the page did nothing else, in
JupyterLab, while the action writes for so many seconds; the time from the click on Stop until the
view says the end; both also as ratios to those of harmless lines; and what became of the record.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import hostile, jupyter, nomads

MS = 60_000
AT_ONCE = 600_000
"""Less than a view leaves out of a flood."""

LINE = "r = %nomad_action -job=hostile -group=g -task=t {}"
WATCH = """() => {
    const watch = window.watch = {worst: 0, last: performance.now()};
    watch.timer = setInterval(() => {
        const now = performance.now();
        watch.worst = Math.max(watch.worst, now - watch.last);
        watch.last = now;
    }, 10);
}"""
WORST = """() => {
    clearInterval(watch.timer);
    return Math.max(watch.worst, performance.now() - watch.last);
}"""


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3
    kinds = sys.argv[2:] or [name for name in hostile.KINDS if name != hostile.HARMLESS]
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "hostile.json"
        job.write_text(json.dumps(hostile.job(AT_ONCE)))
        setup = nomads.Setup(jobs=[job], ready=lambda one: bool(one.allocations("hostile", "g")))
        with (
            nomads.embedded(Path(folder), setup) as agent,
            jupyter.server(Path(folder), agent.environ) as server,
            jupyter.browser() as browser,
        ):
            context = browser.new_context(viewport={"width": 1100, "height": 900})
            path = server.write("hostile.ipynb", [], kernel=jupyter.kernel_name(None))
            notebook = jupyter.Notebook(context, server, path, "lab")
            notebook.open()
            # The first is there to load the view.
            measure(notebook, hostile.HARMLESS, seconds)
            gap, stop, record = measure(notebook, hostile.HARMLESS, seconds)
            say(hostile.HARMLESS, f"gap {gap:5.0f} ms; Stop {stop:5.0f} ms; {record}")
            for kind in kinds:
                its_gap, its_stop, record = measure(notebook, kind, seconds)
                say(
                    kind,
                    f"gap {its_gap:5.0f} ms ({its_gap / gap:5.1f}); "
                    f"Stop {its_stop:5.0f} ms ({its_stop / stop:5.1f}); {record}",
                )
            notebook.close()


def say(kind: str, text: str) -> None:
    print(f"{kind:22} {text}", flush=True)  # noqa: T201 - its output is what it is for


def measure(notebook: jupyter.Notebook, kind: str, seconds: float) -> tuple[float, float, str]:
    """Return the longest silence of the page (ms), the time of Stop (ms), and how the record is."""
    line = LINE.format(hostile.action(kind))
    notebook.fill(["%load_ext nomad_magic", line, "print(r.exit_code)"])
    notebook.run(0)
    notebook.wait_done(0)
    notebook.page.evaluate(WATCH)
    notebook.run(1)
    running: Any = notebook.cell(1).locator(".nomad-action[data-phase=running]")
    expect(running).to_have_count(1, timeout=MS)
    notebook.page.wait_for_timeout(1000 * seconds)
    gap: float = notebook.page.evaluate(WORST)
    stop = notebook.click_and_time(1)
    notebook.run(2)
    notebook.wait_done(2)
    saved = notebook.save()
    texts = [one.get("data", {}).get("text/plain", "") for one in saved.cells[1].outputs]
    whole = any(hostile.FIRST in text for text in texts)
    ended = any(hostile.LAST in text for text in texts)
    exit_code = saved.cells[2].outputs[0].text.strip()
    return gap, stop, f"exit {exit_code}, first line {whole}, last line {ended}"


if __name__ == "__main__":
    main()
