"""Hearing a page while another cell keeps the kernel busy: messages on the control channel.

A run in the background has no cell that could look for its widget's messages (see `comm_pump`), and
ipykernel reads those of the shell channel only between two cells.  The control channel has a
thread of its own in every ipykernel since 6.0, and a page may send on it; so the view of a
background run does (`frontend/src/control.js`), and repeats on its comm what is not answered.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol

from nomad_magic.notebook.live.contract import CONTROL_MESSAGE

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Hearer(Protocol):
    """Who takes the messages of a page."""

    def hear_by_control(self, content: dict[str, Any]) -> None:
        """Take one, in the control thread."""


_hearers: weakref.WeakValueDictionary[str, Hearer] = weakref.WeakValueDictionary()


def listen(shell: InteractiveShell, name: str, hearer: Hearer) -> bool:
    """Hand a hearer the messages for it, for as long as it lives.

    Args:
        shell: The kernel's shell.
        name: What a page calls it.
        hearer: Whose `hear_by_control` is called, in the control thread.

    Returns:
        Whether this kernel has a control channel as ipykernel's.
    """
    if (handlers := _handlers(shell)) is None:
        return False
    handlers[CONTROL_MESSAGE] = _take
    _hearers[name] = hearer
    return True


def forget(shell: InteractiveShell) -> None:
    """Put the kernel back as it was."""
    if (handlers := _handlers(shell)) is not None:
        handlers.pop(CONTROL_MESSAGE, None)


def _handlers(shell: InteractiveShell) -> dict[str, Any] | None:
    """Return what the kernel does with each type of control message; None where it has no such."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    return handlers if isinstance(handlers, dict) else None


def _take(_socket: object, _idents: object, message: dict[str, Any]) -> None:
    for one in message["content"]["said"]:
        if (hearer := _hearers.get(one["to"])) is not None:
            hearer.hear_by_control(one["message"])
