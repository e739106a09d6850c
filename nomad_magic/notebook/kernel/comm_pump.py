"""Hearing a click while a cell runs: the kernel's comm messages, taken out of turn.

A cell that waits keeps the kernel's main shell busy, and a widget's messages queue behind it
(ipykernel 6.x and 7.4).  While the pump is installed, the waiting cell looks at that queue
itself: comm messages are handled at once, and the two questions that a front end asks when it
connects; everything else goes to ipykernel as before, in its order.

Private API of ipykernel and pyzmq, all of it in this module.  Where it is not as expected the
pump does not install itself, and the cell is stopped by the front end's interrupt.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

    from IPython.core.interactiveshell import InteractiveShell

REARM_SECONDS: Final = (0.05, 0.2, 1.0)
"""When to look, after a run's end, for messages that ipykernel before 7.4 has not seen."""

COMM: Final = frozenset({"comm_open", "comm_msg", "comm_close"})
QUESTIONS: Final = frozenset({"kernel_info_request", "comm_info_request"})
"""What a page asks when it is reloaded; without an answer its widgets stay empty."""

_log = logging.getLogger(__name__)


class CommPump:
    """Handles comm messages in the thread of the cell that entered it.

    Args:
        shell: The kernel's shell.

    Attributes:
        installed: It works here; else `poll` does nothing.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.installed = False
        self._kernel: Any = getattr(shell, "kernel", None)
        self._stream: Any = None
        self._original: Any = None
        self._cell: Any = None
        """The request that the running cell came with."""

    def __enter__(self) -> Self:
        # Another thread's cell (a subshell) has a queue of its own, and must leave this one be.
        if self._kernel is None or threading.current_thread() is not threading.main_thread():
            return self
        try:
            self._stream = _shell_stream(self._kernel)
            original = self._stream._recv_callback  # noqa: SLF001 - see the module's docstring
            if original is None or self._stream._recv_copy:  # noqa: SLF001 - the same
                return self
        except AttributeError:
            _log.debug("no comm pump: this ipykernel is built in another way", exc_info=True)
            return self
        self._original = original
        self._cell = self._kernel.get_parent("shell")
        self._stream._recv_callback = self._receive  # noqa: SLF001 - the same
        self.installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.installed:
            self._stream._recv_callback = self._original  # noqa: SLF001 - the same
            self.installed = False
        if self._kernel is not None:
            _rearm(self._kernel)

    def poll(self) -> None:
        """Handle what came since the last time; takes no time when there is nothing."""
        if self.installed:
            import zmq  # noqa: PLC0415 - it is there, for a kernel runs

            self._stream.flush(zmq.POLLIN)

    def _receive(self, frames: list[Any]) -> Any:
        """Handle a comm message; hand anything else on, with the original's own result.

        On ipykernel 7 that result is a coroutine which the stream schedules: dropping it would
        lose an execute request.
        """
        session = self._kernel.session
        try:
            idents, parts = session.feed_identities(frames, copy=False)
            kind = session.unpack(parts[1].bytes)["msg_type"]
        except Exception:  # noqa: BLE001 - whatever it is, ipykernel knows what to do with it
            return self._original(frames)
        if kind not in COMM and kind not in QUESTIONS:
            return self._original(frames)
        message = session.deserialize(parts, content=True, copy=False)
        self._publish("busy", message)
        try:
            if kind in COMM:
                if kind != "comm_open" and not self._known(message):
                    # Meant for a widget that is gone; ipykernel would warn in the cell's output.
                    return None
                getattr(self._kernel.comm_manager, kind)(None, idents, message)
            else:
                self._answer(kind, idents, message)
        except Exception:  # noqa: BLE001 - as ipykernel does, see below
            # As ipykernel does: a failing handler ends neither the kernel nor the cell.
            _log.exception("a %s message failed", kind)
        finally:
            self._publish("idle", message)
            # The cell still runs.  Front ends show the last word on it, and a server that ends
            # idle kernels would end this one, and the action with it.
            self._publish("busy", self._cell)
        return None

    def _publish(self, status: str, parent: Any) -> None:
        self._kernel._publish_status(status, "shell", parent=parent)  # noqa: SLF001 - the same

    def _known(self, message: Any) -> bool:
        return message["content"].get("comm_id") in self._kernel.comm_manager.comms

    def _answer(self, kind: str, idents: Any, message: Any) -> None:
        answer = self._kernel.shell_handlers[kind](_reply_socket(self._kernel), idents, message)
        if hasattr(answer, "send"):
            # A coroutine that waits for nothing: its first step is its last.
            try:
                answer.send(None)
            except StopIteration:
                pass
            else:
                answer.close()


def _shell_stream(kernel: Any) -> Any:
    """Return the stream on which the main shell's messages come."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        # ipykernel 6, or 7 without subshells.
        return kernel.shell_stream
    return thread.manager.get_shell_channel_to_subshell_pair(None).to_stream


def _rearm(kernel: Any) -> None:
    """Make ipykernel 7.0 to 7.3 look at its shell socket once more, a few times.

    They send replies past the stream that reads that socket.  A message that comes just then, as
    a page's last acknowledgement does when a run ends, is not noticed, and then no later one is
    either: the kernel hears nothing any more.  Measured on 7.3.0: 1 of 250 runs that were
    stopped.  ipykernel 7.4 sends through the stream.
    """
    try:
        thread, stream = kernel.shell_channel_thread, kernel.shell_stream
        if not hasattr(thread.manager, "_shell_socket"):
            return
        loop = thread.io_loop
    except (AttributeError, AssertionError):
        return
    import zmq  # noqa: PLC0415 - as above

    def look() -> None:
        if not stream.closed():
            stream.flush(zmq.POLLIN)

    for seconds in REARM_SECONDS:
        loop.add_callback(loop.call_later, seconds, look)


def _reply_socket(kernel: Any) -> Any:
    """Return the socket that takes the main shell's replies."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        return kernel.shell_stream
    return thread.manager.get_subshell_to_shell_channel_socket(None)
