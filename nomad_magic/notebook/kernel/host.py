"""What a cell runs in: a kernel or a terminal, and whether a person sits at it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nomad_magic.cell import Cell, source_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

_CONTINUED = re.compile(r"\\\r?\n")

KERNEL_SIZE = (24, 80)
"""Height and width of the pty in a kernel, in cells, as long as no view says better."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where a cell runs.

    Attributes:
        kernel: In a Jupyter kernel; else in plain IPython or a script.
        attended: Someone can type, and can follow one interrupt with another.
        size: The terminal's height and width in cells.
    """

    kernel: bool
    attended: bool
    size: tuple[int, int]


def look(shell: InteractiveShell) -> Host:
    """See what the running cell is in.

    Front ends say with each request whether they can take input (`allow_stdin` in the Jupyter
    messaging protocol); notebook runners such as nbclient and papermill cannot.
    """
    if getattr(shell, "kernel", None) is not None:
        parent: dict[str, Any] = shell.get_parent() or {}  # type: ignore[attr-defined]
        attended = bool(parent.get("content", {}).get("allow_stdin", False))
        return Host(kernel=True, attended=attended, size=KERNEL_SIZE)
    columns, lines = shutil.get_terminal_size((KERNEL_SIZE[1], KERNEL_SIZE[0]))
    return Host(kernel=False, attended=_is_terminal(sys.stdin), size=(lines, columns))


def stands_in_cell(shell: InteractiveShell, line: str) -> bool:
    """Return whether a magic's line can be read in the source of the running cell.

    A magic that is called in a function has its line in another cell, or in a file.
    """
    parent: dict[str, Any] = shell.get_parent() or {}  # type: ignore[attr-defined]
    source = str(parent.get("content", {}).get("code", ""))
    return _joined(line) in _joined(source)


def cell(shell: InteractiveShell) -> Cell | None:
    """Return the cell that runs in this thread; None where a shell is no kernel's.

    JupyterLab and Notebook say the cell's id, the Jupyter server the notebook's path
    (`JPY_SESSION_NAME`), VS Code its own way; runners say neither.
    """
    if getattr(shell, "kernel", None) is None:
        return None
    import hashlib  # noqa: PLC0415 - only a log asks

    parent: dict[str, Any] = shell.get_parent() or {}  # type: ignore[attr-defined]
    source = parent.get("content", {}).get("code")
    if source is None:
        return None
    notebook = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    return Cell(
        notebook=str(notebook),
        id=str(parent.get("metadata", {}).get("cellId") or ""),
        # The shell's own count is this cell's or the next one's, as IPython's version has it.
        execution=int(shell.displayhook.prompt_count),
        source=hashlib.sha256(source_text(source).encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _joined(text: str) -> str:
    """Return a text with its continued lines joined: IPython joins those of a line magic."""
    return " ".join(_CONTINUED.sub(" ", text).split())


def callers_names() -> Mapping[str, object]:
    """Return the names that are local where a magic was called, in a cell or in a function.

    IPython would hand them over (`needs_local_scope`), and keep them in a frame of its own, where
    `%xmode Verbose` shows them all.
    """
    frame = sys._getframe(1)  # noqa: SLF001 - as IPython does it
    while frame.f_back is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] not in {"IPython", "ipykernel", "nomad_magic"}:
            break
        frame = frame.f_back
    return frame.f_locals


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        # There is no stdin, or it is closed.
        return False
