"""Hearing a page while another cell keeps the kernel busy: messages on the control channel.

A run in the background has no cell that could look for its widget's messages (see `pump`), and
ipykernel reads those of the shell channel only between two cells.  The control channel has a
thread of its own in every ipykernel since 6.0, and a page may send on it; so the view of a
background run does (`frontend/src/control.js`).
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.notebook.live.output import Feed

MESSAGE: Final = "nomad_magic_message"
"""The type of such a message; its content names the feed it is for."""

_feeds: weakref.WeakValueDictionary[str, Feed] = weakref.WeakValueDictionary()


def listen(shell: InteractiveShell, name: str, feed: Feed) -> bool:
    """Hand a feed the messages for it, for as long as it lives.

    Args:
        shell: The kernel's shell.
        name: What a page calls the feed.
        feed: Whose `hear` is called, in the control thread.

    Returns:
        Whether this kernel has a control channel as ipykernel's.
    """
    if (handlers := _handlers(shell)) is None:
        return False
    handlers[MESSAGE] = _take
    _feeds[name] = feed
    return True


def forget(shell: InteractiveShell) -> None:
    """Put the kernel back as it was."""
    if (handlers := _handlers(shell)) is not None:
        handlers.pop(MESSAGE, None)


def _handlers(shell: InteractiveShell) -> dict[str, Any] | None:
    """Give what the kernel does with each type of control message; None where it has no such."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    return handlers if isinstance(handlers, dict) else None


def _take(_socket: object, _idents: object, message: dict[str, Any]) -> None:
    content = message["content"]
    if (feed := _feeds.get(content["to"])) is not None:
        feed.hear(content["message"])
