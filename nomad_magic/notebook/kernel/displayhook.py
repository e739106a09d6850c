"""Keeping a result that was just shown from being shown again as `Out[n]`.

`%nomad_action …` gives its result, and IPython displays the value of a cell's last line.  The
output already stands there; a terminal must show nothing else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class QuietDisplay:
    """Stands before a shell's display hook; `Out[n]` and `_` are set all the same.

    Args:
        shell: Whose display hook it is.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._original: Any = None
        self._shown: object = None

    def already_shown(self, result: object) -> None:
        """Show this object no further in the cell that runs now."""
        self._shown = result

    def install(self) -> None:
        """Put it in the hook's place."""
        trap = self._shell.display_trap
        self._original = trap.hook
        trap.hook = self
        if sys.displayhook is self._original:
            # The cell that loads us may go on to run an action.
            sys.displayhook = self
        self._shell.events.register("post_run_cell", self._forget)

    def uninstall(self) -> None:
        """Put the hook back."""
        self._shell.events.unregister("post_run_cell", self._forget)
        self._shell.display_trap.hook = self._original
        if sys.displayhook is self:
            sys.displayhook = self._original
        self._shown = None

    def __call__(self, value: object = None) -> None:
        """Display a value, as `sys.displayhook`."""
        hook = self._original
        if value is None or value is not self._shown:
            hook(value)
            return
        self._shown = None
        hook.update_user_ns(value)
        hook.fill_exec_result(value)

    def _forget(self, *_: object) -> None:
        self._shown = None
