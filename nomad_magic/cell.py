"""In which cell of a notebook the running code is; the notebook says how to see that.

The log keeps it, and what runs an action from Python knows no IPython.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Cell(NamedTuple):
    """A cell, as far as its kernel knows it.

    Attributes:
        notebook: The notebook's path, as the Jupyter server or the editor says it; may be empty.
        id: The cell's id (nbformat 4.5); empty where the front end does not say it.
        execution: The number of its execution: what stands in its brackets.
        source: The SHA-256 of its source (`source_text`).
    """

    notebook: str
    id: str
    execution: int
    source: str


def source_text(source: str) -> str:
    """Return a cell's source as it is compared: without the blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


_seers: list[Callable[[], Cell | None]] = []


def see_by(function: Callable[[], Cell | None]) -> None:
    """Ask a function from now on."""
    _seers.append(function)


def unsee(function: Callable[[], Cell | None]) -> None:
    """Ask it no more."""
    if function in _seers:
        _seers.remove(function)


def current() -> Cell | None:
    """Return the cell that runs now, in this thread; None where there is none."""
    return _seers[-1]() if _seers else None
