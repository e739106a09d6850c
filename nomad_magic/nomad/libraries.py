"""The libraries of a run without what it never uses of them, a tenth of a whole short run.

- httpx looks for its command line as it is imported, and does without where there is none
  (`httpx/__init__.py` of 0.28): it would load click, pygments and rich into every process.
- msgspec takes from typing_extensions what typing has since Python 3.11, and does without
  (`msgspec/_utils.py` of 0.22).
- websockets asks for its own version only where it is not released (`websockets/version.py` of
  17.4), but imports for it, with zipfile and more, what reads the metadata of packages.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMAND_LINE: Final = "httpx._main"
_METADATA: Final = "importlib.metadata"
_EXTENSIONS: Final = "typing_extensions"


@contextmanager
def _instead(name: str, stand_in: ModuleType | None) -> Iterator[None]:
    """Let a module that is not loaded yet be another one, or not be; nothing else changes."""
    modules = cast("dict[str, Any]", sys.modules)
    if name in modules:
        yield
        return
    modules[name] = stand_in
    try:
        yield
    finally:
        modules.pop(name, None)


if "msgspec" not in sys.modules:
    with _instead(_EXTENSIONS, None):
        importlib.import_module("msgspec")
if "httpx" not in sys.modules:
    with _instead(_COMMAND_LINE, None):
        importlib.import_module("httpx")
if "websockets" not in sys.modules:
    # The package alone: it loads the rest of itself when that is asked for.
    with _instead(_METADATA, ModuleType(_METADATA)):
        importlib.import_module("websockets.version")

import httpx  # noqa: E402 - not before it was loaded so
from websockets.exceptions import InvalidHandshake  # noqa: E402

__all__ = ["InvalidHandshake", "httpx"]
