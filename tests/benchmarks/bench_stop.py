"""How long a click on Stop takes to end its cell, in a real browser: median and worst.

Run it by hand: `python tests/benchmarks/bench_stop.py [runs [action …]]`, with nothing else on the
machine.  It prints milliseconds for a silent action and for one that floods, in JupyterLab and
in Notebook 7 on the newest ipykernel, and in JupyterLab on each older one there is.
"""

from __future__ import annotations

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
    places = [("lab", None), ("notebook", None)]
    places += [("lab", version) for version in jupyter.older_kernels()]
    with (
        nomads.embedded() as agent,
        tempfile.TemporaryDirectory() as folder,
        jupyter.server(Path(folder), agent.environ) as server,
        jupyter.browser() as browser,
    ):
        for front_end, version in places:
            for action in actions:
                context = browser.new_context(viewport={"width": 1100, "height": 900})
                cells = ["%load_ext nomad_magic", *[LINE.format(action)] * runs]
                path = server.write(
                    f"{front_end}{version}{action}.ipynb",
                    cells,
                    kernel=jupyter.kernel_name(version),
                )
                notebook = jupyter.Notebook(context, server, path, front_end)
                notebook.open()
                notebook.run(0)
                notebook.wait_done(0)
                times = []
                for index in range(1, runs + 1):
                    # One at a time (see `jupyter.ONE_CELL`): what the next action does is no
                    # part of this one's end.
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
                print(  # noqa: T201 - its output is what it is for
                    f"{front_end:9} ipykernel {version or 'newest':8} {action:9} "
                    f"median {statistics.median(times):4.0f} ms, worst of {runs} "
                    f"{max(times):4.0f} ms"
                )
                notebook.close()
                context.close()


if __name__ == "__main__":
    main()
