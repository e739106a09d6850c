"""What a forked child lets go: whatever is its parent's, and would be used or waited for in vain.

Nothing of the parent's is closed or asked in the child: the two share what the system keeps of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_functions: list[Callable[[], object]] = []


def in_child(function: Callable[[], object]) -> None:
    """Call a function in each forked child, in the order of these calls."""
    _functions.append(function)


def _after_fork() -> None:
    for function in _functions:
        function()


os.register_at_fork(after_in_child=_after_fork)
