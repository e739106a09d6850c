"""How long a click on Stop takes to end its cell, in a real browser: median and worst.

Run it by hand: `python tests/benchmarks/bench_stop.py [runs [action …]]`, with nothing else on the
machine.  It prints milliseconds for a silent action and for one that floods, in JupyterLab and
in Notebook 7, on every ipykernel there is; on the embedded agent, and on a real one where there is
a `nomad` on the PATH.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import jupyter, nomads

LINE = "%nomad_action -job=cache -group=redis -task=server {} "


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    actions = sys.argv[2:] or ["quiet", "flood500"]
    kernels = [None, *jupyter.older_kernels()]
    for name in nomads.AGENTS:
        with (
            tempfile.TemporaryDirectory() as folder,
            nomads.either(name, Path(folder)) as agent,
            jupyter.server(Path(folder), agent.environ) as server,
            jupyter.browser() as browser,
        ):
            for front_end, version, action in itertools.product(
                ("lab", "notebook"), kernels, actions
            ):
                context = browser.new_context(viewport={"width": 1100, "height": 900})
                cells = ["%load_ext nomad_magic", *[LINE.format(action)] * runs]
                path = server.write(
                    f"{front_end}{version}{action}.ipynb",
                    cells,
                    kernel=jupyter.kernel_name(version),
                )
                notebook = jupyter.Notebook(context, server, path, front_end)
                notebook.open()
                times = measure(notebook, action, runs)
                print(  # noqa: T201 - its output is what it is for
                    f"{name:8} {front_end:8} ipykernel {version or 'newest':8} {action:9} "
                    f"median {statistics.median(times):4.0f} ms, worst of {runs} "
                    f"{max(times):4.0f} ms",
                    flush=True,
                )
                notebook.close()
                context.close()


def measure(notebook: jupyter.Notebook, action: str, runs: int) -> list[float]:
    """Return how long each run took from the click to its cell's number, in milliseconds."""
    notebook.run(0)
    notebook.wait_done(0)
    times = []
    for index in range(1, runs + 1):
        # One at a time (see `jupyter.ONE_CELL`): what the next action does is no part of this
        # one's end.
        notebook.run(index)
        # Lab takes cells out of the page that are not in sight.
        notebook.cell(index).scroll_into_view_if_needed()
        status = notebook.cell(index).get_by_role("status")
        expect(status).to_contain_text("running", timeout=60_000)
        if action != "quiet":
            terminal = notebook.cell(index).locator(".xterm")
            expect(terminal).to_contain_text("xxxx", timeout=60_000)
        else:
            notebook.page.wait_for_timeout(300)
        times.append(notebook.click_and_time(index))
        notebook.wait_done(index)
    return times


if __name__ == "__main__":
    main()
