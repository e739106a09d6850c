"""httpx without its command line, which would load click, pygments and rich into every process.

It looks for them as it is imported, and does without where there are none (`httpx/__init__.py` of
0.28): a quarter of its start, and a tenth of a whole short run of ours.
"""

from __future__ import annotations

import sys
from typing import Any, cast

_COMMAND_LINE = "httpx._main"


def _load() -> None:
    """Import httpx as if its command line could not be; nothing else of the process changes."""
    modules = cast("dict[str, Any]", sys.modules)
    if "httpx" in modules or _COMMAND_LINE in modules:
        return
    modules[_COMMAND_LINE] = None
    try:
        import httpx  # noqa: F401, PLC0415 - to have it loaded so
    finally:
        modules.pop(_COMMAND_LINE, None)


_load()

import httpx  # noqa: E402 - not before it was loaded so

__all__ = ["httpx"]
