"""The libraries of a run without what it never uses of them, a fifth of a whole short run.

What they do without where there is none of it is not there while they are loaded:

- httpx looks for its command line (`httpx/__init__.py` of 0.28): it would load click, pygments and
  rich into every process.
- msgspec takes from typing_extensions what typing has since Python 3.11 (`msgspec/_utils.py` of
  0.22).

What they ask for only in a function comes when that is called (`_Later`):

- idna, in httpx: for names of hosts in other scripts.  mimetypes: for files that are sent.
- shutil, in the standard library's tempfile, which httpx asks for by urllib.request.
- textwrap, in msgspec: for JSON schemas.
- platform, in the standard library's uuid, which msgspec asks for: which system this is, all that
  uuid wants to know, is told without it.
- importlib.metadata, in websockets: for its own version where that is not released
  (`websockets/version.py` of 17.4).
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT: Final = {"httpx": "httpx._main", "msgspec": "typing_extensions"}
_LATER: Final[dict[str, dict[str, Any]]] = {
    "idna": {},
    "importlib.metadata": {},
    "mimetypes": {},
    "platform": {"system": lambda: os.uname().sysname},
    "shutil": {},
    "textwrap": {},
}
_LIBRARIES: Final = (
    "msgspec",
    "httpx",
    # The package alone: it loads the rest of itself when that is asked for.
    "websockets.version",
)


class _Later(ModuleType):
    """Stands for a module, which is loaded when something of it is first asked for.

    Args:
        name: The module's.
        known: What of it is there without it.
    """

    def __init__(self, name: str, known: dict[str, Any]) -> None:
        super().__init__(name)
        vars(self).update(known)

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            sys.modules.pop(self.__name__, None)
        return getattr(importlib.import_module(self.__name__), name)


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
        if name in modules and modules[name] is stand_in:
            del modules[name]


with ExitStack() as _stack:
    for _name, _known in _LATER.items():
        _stack.enter_context(_instead(_name, _Later(_name, _known)))
    for _library in _LIBRARIES:
        with _instead(_ABSENT[_library], None) if _library in _ABSENT else ExitStack():
            importlib.import_module(_library)

import httpx  # noqa: E402 - not before it was loaded so
from websockets.exceptions import InvalidHandshake  # noqa: E402

__all__ = ["InvalidHandshake", "httpx"]
