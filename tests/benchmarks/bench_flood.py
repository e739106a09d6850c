"""What 50 MB of output do to a page: its frame gaps, its heap, and the saved notebook.

Run it by hand: `python tests/benchmarks/bench_flood.py [runs]`, with nothing else on the machine.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import jupyter, nomads

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

LINE = "%nomad_action -job=cache -group=redis -task=server -t={} flood"
WATCH = """() => {
    const gaps = [];
    let last = performance.now();
    window.gaps = gaps;
    const tick = now => {
        gaps.push(now - last);
        last = now;
        if (window.gaps === gaps) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
}"""


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with (
        nomads.embedded() as agent,
        tempfile.TemporaryDirectory() as folder,
        jupyter.server(Path(folder), agent.environ) as server,
        jupyter.browser() as browser,
    ):
        for front_end in ("lab", "notebook"):
            for tty in ("false", "true"):
                context = browser.new_context(viewport={"width": 1100, "height": 900})
                cells = ["%load_ext nomad_magic", *[LINE.format(tty)] * runs]
                path = server.write(
                    f"{front_end}{tty}.ipynb", cells, kernel=jupyter.kernel_name(None)
                )
                notebook = jupyter.Notebook(context, server, path, front_end)
                notebook.open()
                notebook.run(0)
                notebook.wait_done(0)
                browser_side = context.new_cdp_session(notebook.page)
                for index in range(1, runs + 1):
                    before = heap(browser_side)
                    notebook.page.evaluate(WATCH)
                    notebook.run(index)
                    notebook.wait_done(index)
                    gaps: list[float] = notebook.page.evaluate(
                        "() => { const gaps = window.gaps; window.gaps = null; return gaps; }"
                    )
                    gaps.sort(reverse=True)
                    print(  # noqa: T201 - its output is what it is for
                        f"{front_end:9} tty={tty:6} largest frame gaps "
                        f"{', '.join(f'{gap:.0f}' for gap in gaps[:4])} ms of {len(gaps)}, "
                        f"heap {(heap(browser_side) - before) / 1e6:+.1f} MB"
                    )
                notebook.save()
                print(f"{'':9} saved: {path.stat().st_size / runs / 1e3:.0f} KB a run")  # noqa: T201
                notebook.close()
                context.close()


def heap(browser_side: CDPSession) -> float:
    """Return how many bytes of the page's heap are in use, garbage left out."""
    browser_side.send("HeapProfiler.collectGarbage")
    used: dict[str, Any] = browser_side.send("Runtime.getHeapUsage")
    return float(used["usedSize"])


if __name__ == "__main__":
    main()
