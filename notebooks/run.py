"""Run notebooks in a terminal: each cell and its output, printed as it comes.

`make demo` runs this.  A cell that fails ends the run and is the exit code, unless it carries
the tag `raises-exception`, which says that its failure is the point.

Nobody can type here.  A cell with the tag `parameters` may say in its metadata, as `unattended`,
what is given to it then: as papermill gives parameters, and with what papermill would be told.
"""

from __future__ import annotations

import argparse
import atexit
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_client.client import KernelClient

CELL_TIMEOUT: Final = 300
"""Seconds that one cell may take."""

LAB_PORT: Final = 8888
LAB_SECONDS: Final = 60.0

PIECE: Final = re.compile(r"[^\n]*\n|[^\n]+")
DRAWN_OVER: Final = re.compile(r"[^\n]*\r(?!\n)")
SGR: Final = re.compile(r"\x1b\[[0-9;:]*m")
CONTROL: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")


class Page:
    """Writes a notebook's cells and outputs to a terminal or a file.

    Outputs stand behind a bar, so that it is plain what the notebook said.  A terminal shows
    colours and redraws a progress bar in place; a file gets its last state.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._colours = self._terminal and not os.environ.get("NO_COLOR")
        self._width = min(shutil.get_terminal_size().columns, 100)
        self._bar = ""
        self._line = ""
        """What stands behind the bar on the last line."""

    def title(self, text: str) -> None:
        """Write a line that is none of the notebook's."""
        self._end_line()
        self._write(f"{self._paint(text, '1')}\n")

    def prose(self, source: str) -> None:
        """Write a cell of Markdown."""
        self._end_line()
        for paragraph in source.split("\n\n"):
            heading = paragraph.startswith("#")
            text = paragraph.lstrip("# ") if heading else paragraph
            filled = textwrap.fill(text, self._width, break_on_hyphens=False)
            self._write(f"\n{self._paint(filled, '1') if heading else filled}\n")

    def code(self, number: int, source: str) -> None:
        """Write a cell of code, before it runs."""
        self._end_line()
        head = f"[{number}]".rjust(4)
        lines = source.split("\n")
        self._write("\n")
        for index, line in enumerate(lines):
            label = self._paint(head, "36") if index == 0 else " " * len(head)
            self._write(f"{label} {self._paint(line, '1')}\n" if line else "\n")

    def output(self, output: NotebookNode) -> None:
        """Write one output of the running cell, or one more piece of it."""
        match output.output_type:
            case "stream":
                self._behind(output.text, bar="31" if output.name == "stderr" else "2")
            case "error":
                self._end_line()
                self._behind("\n".join(output.traceback).rstrip("\n") + "\n", bar="31")
            case _:
                self._end_line()
                text = output.data.get("text/plain", f"<{', '.join(output.data)}>")
                if not text:
                    return
                self._behind(text.rstrip("\n") + "\n", bar="2")

    def end(self) -> None:
        """End the last line."""
        self._end_line()

    def _behind(self, text: str, *, bar: str) -> None:
        """Write text behind the bar, from wherever the last piece of it ended."""
        if bar != self._bar:
            self._end_line()
            self._bar = bar
        for piece in PIECE.findall(text):
            body = piece.rstrip("\n")
            if self._terminal:
                if not self._line:
                    self._write(self._edge())
                # A carriage return goes back to the bar, not before it.
                shown = CONTROL.sub(self._only_colours, body)
                self._write(shown.replace("\r", f"\r{self._edge()}"))
            self._line += body
            if piece.endswith("\n"):
                self._end_line(always=True)

    def _edge(self) -> str:
        return f"     {self._paint('│', self._bar)} " if self._terminal else "     | "

    def _only_colours(self, match: re.Match[str]) -> str:
        sequence = match.group()
        return sequence if self._colours and SGR.fullmatch(sequence) else ""

    def _end_line(self, *, always: bool = False) -> None:
        if self._line or always:
            last = self._line.rstrip("\r").rpartition("\r")[2]
            self._write("\n" if self._terminal else f"{self._edge()}{CONTROL.sub('', last)}\n")
        self._line = ""

    def _paint(self, text: str, style: str) -> str:
        if not self._colours:
            return text
        return "\n".join(f"\x1b[{style}m{line}\x1b[0m" if line else "" for line in text.split("\n"))

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Runner(NotebookClient):
    """nbclient's runner, telling a page what it does.

    Args:
        notebook: Is run in place.
        page: Is told.
    """

    def __init__(self, notebook: NotebookNode, page: Page, **options: Any) -> None:
        super().__init__(notebook, timeout=CELL_TIMEOUT, **options)
        self._page = page
        self._number = 0
        self._displays: dict[str, str] = {}
        """What was shown last under each id."""
        self.on_cell_start = self._cell_starts

    def _cell_starts(self, cell: NotebookNode, cell_index: int) -> None:  # noqa: ARG002 - nbclient's names
        if cell.cell_type == "markdown":
            self._page.prose(cell.source)
        elif cell.cell_type == "code" and cell.source.strip():
            self._number += 1
            self._page.code(self._number, cell.source)

    async def async_start_new_kernel_client(self) -> KernelClient:
        """Start another kernel where one dies before its first word; no cell has run then.

        A kernel binds ports that were free when it was started (jupyter_client 8.10), and another
        program may have been given one of them since.

        Raises:
            DeadKernelError: So did the third.
        """
        for more in (True, True, False):
            try:
                return await super().async_start_new_kernel_client()
            except RuntimeError as error:
                if not more:
                    # nbclient has let go of its manager, and would look for it at the end.
                    atexit.unregister(self._cleanup_kernel)
                    raise DeadKernelError(str(error)) from error
            self.km = self.create_kernel_manager()
            await self.async_start_new_kernel()
        raise AssertionError("the third time returns or raises")

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Show an output when it comes; nbclient keeps it."""
        output = super().output(outs, msg, display_id, cell_index)
        if output is not None:
            if display_id is not None:
                self._displays[display_id] = output.data.get("text/plain", "")
            self._page.output(output)
        return output

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Show what a run in the background has come to, when that is brought up to date."""
        if msg["msg_type"] == "update_display_data":
            data, display = msg["content"]["data"], msg["content"]["transient"]["display_id"]
            if self._displays.get(display) != data.get("text/plain", ""):
                self._displays[display] = data.get("text/plain", "")
                shown = NotebookNode(output_type="display_data", data=data)  # type: ignore[no-untyped-call] # nbformat has no types
                self._page.output(shown)
        return super().process_message(msg, cell, cell_index)


def main(argv: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="run.py", description="Run notebooks in a terminal.")
    parser.add_argument("notebooks", type=Path, nargs="+", metavar="notebook")
    parser.add_argument("--save", action="store_true", help="write the outputs into the notebook")
    parser.add_argument(
        "--serve", action="store_true", help="on a terminal, open it in JupyterLab afterwards"
    )
    options = parser.parse_args(argv)
    # What is shown is for the embedded agent; a cluster that this shell knows is left alone.
    for name in [name for name in os.environ if name.startswith("NOMAD_")]:
        del os.environ[name]
    page = Page(sys.stdout)
    for path in options.notebooks:
        if code := run(path, page, save=options.save):
            return code
    if options.serve:
        first = options.notebooks[0]
        others = sorted({path.stem for path in first.parent.glob("*.ipynb")} - {first.stem})
        page.title(f"Beside it in {first.parent}: {', '.join(others)}")
        if sys.stdin.isatty() and sys.stdout.isatty():
            return serve(first, page)
    return 0


def run(path: Path, page: Page, *, save: bool) -> int:
    """Run a notebook and print it; gives 0, or 1 when a cell failed."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat has no types
    sources = [cell.source for cell in notebook.cells]
    give_parameters(notebook)
    began = time.monotonic()
    runner = Runner(
        notebook,
        page,
        resources={"metadata": {"path": str(path.parent)}},
        # ipykernel warns that its loopback connection is not encrypted, into the middle of a page.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    try:
        runner.execute()
    except CellExecutionError:
        # Its output and traceback stand above.
        page.title(f"\n{path.name}: the last cell failed")
        return 1
    except DeadKernelError:
        page.title(f"\n{path.name}: the kernel died")
        return 1
    except TimeoutError:
        page.title(f"\n{path.name}: the last cell did not end within {CELL_TIMEOUT} s")
        return 1
    page.title(f"\n{path.name}: every cell ran as it should, in {time.monotonic() - began:.0f} s")
    if save:
        for cell, source in zip(notebook.cells, sources, strict=True):
            cell.source = source
        tidy(notebook)
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call] # the same
        page.title(f"Its outputs are saved in {path}")
    return 0


def give_parameters(notebook: NotebookNode) -> None:
    """Have the cells of parameters set what they say is given where nobody can type."""
    for cell in notebook.cells:
        given = cell.metadata.get("unattended", {})
        if given and "parameters" in cell.metadata.get("tags", []):
            lines = [f"{name} = {value!r}" for name, value in given.items()]
            cell.source = "\n".join([cell.source, "", "# Given, as nobody can type here:", *lines])


def tidy(notebook: NotebookNode) -> None:
    """Leave in a notebook what a reader of the saved file needs.

    Pieces of one stream that follow each other become one, as in JupyterLab, and a line that was
    drawn over is its last state.  What the runner adds, times and its Python's version, goes.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    notebook.metadata.get("language_info", {}).pop("version", None)


def joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs with neighbours of the same stream made one."""
    kept: list[NotebookNode] = []
    for output in outputs:
        before = kept[-1] if kept else None
        if output.output_type != "stream":
            kept.append(output)
        elif before is not None and before.get("name") == output.name:
            before.text += output.text
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = DRAWN_OVER.sub("", output.text)
    return kept


def serve(path: Path, page: Page) -> int:
    """Serve a notebook in JupyterLab on loopback until Ctrl-C; gives JupyterLab's exit code."""
    port = free_port()
    token = secrets.token_urlsafe(24)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--log-level=ERROR"),
        "--LabApp.log_level=ERROR",
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={path.parent.resolve()}", "--ServerApp.answer_yes=True"),
    ]
    if os.geteuid() == 0:
        command.append("--allow-root")
    page.title("Starting JupyterLab …")
    # The token goes through the environment: every user of a machine can read command lines.
    process = subprocess.Popen(command, env={**os.environ, "JUPYTER_TOKEN": token})  # noqa: S603 - ours
    try:
        if not wait_for(port, process):
            page.title("JupyterLab did not start")
            process.terminate()
            return process.wait() or 1
        page.title(f"\n  http://127.0.0.1:{port}/lab/tree/{path.name}?token={token}\n")
        page.title("Open it in a browser to run the same cells yourself. Ctrl-C ends JupyterLab.")
        return process.wait()
    except KeyboardInterrupt:
        # The terminal sent it to JupyterLab too, which shuts its kernels down.
        process.wait()
        return 0


def free_port() -> int:
    """Return JupyterLab's usual port, or any free one."""
    for port in (LAB_PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("port 0 is always free")


def wait_for(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until something listens on the port; False when the process ends before."""
    deadline = time.monotonic() + LAB_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
