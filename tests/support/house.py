"""The rules of the house, as a function of its source: who may import whom, and how.

They are tried on broken houses too (`tests/test_house.py`), so that each rule is known to refuse.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PACKAGE = "nomad_magic"

MOST_LINES = 400
"""A module fits on a few screens; when it no longer does, it has two jobs."""

STOREYS = (
    ("notebook",),
    ("running",),
    ("nomad",),
    ("line",),
    ("log",),
    ("errors",),
    ("record",),
    ("terminal",),
    ("go", "fork", "cell", "value"),
)
"""From the top: a room imports from its own and from those below it, for types as well."""

AGENT_MAY = {f"{PACKAGE}.errors", f"{PACKAGE}.go", f"{PACKAGE}.nomad.frames"}
"""What the embedded agent shares with the client: no more, so that it stays an independent peer."""

EXCEPTIONS = {
    # The extension's two hooks, and the names that are looked up when they are asked for.
    PACKAGE: {"notebook", "running", "nomad", "log", "errors", "record"},
    f"{PACKAGE}.__main__": {"agent", "log"},
    # It starts the agent, as a process of its own.
    f"{PACKAGE}.notebook.agent_command": {"agent"},
}

ENTRIES = {
    PACKAGE,
    f"{PACKAGE}.__main__",
    f"{PACKAGE}.notebook.frontend.build",
}
"""What is read from outside; every other module has a reader in the house."""

PURE = {
    *("errors", "go", "record.facts", "record.folding", "record.humanize", "record.markdown"),
    *("record.pace", "record.picture"),
    *("value", "record.masking", "record.style"),
    *("record.sighting", "record.spellings", "record.userinfo", "record.visible"),
    *(
        "nomad.address",
        "nomad.alternatives",
        "nomad.choosing",
        "nomad.escape",
        "nomad.ladder",
        "nomad.likeness",
        "nomad.processes",
        "nomad.stdin",
        "nomad.frames",
        "nomad.link",
        "nomad.locate",
    ),
    *(
        "nomad.models",
        "nomad.options",
        "nomad.protocol",
        "nomad.proxies",
        "nomad.redirects",
        "nomad.stranger",
        "nomad.target",
    ),
}
PURE_ROOMS = {"line", "terminal"}
OUTSIDE_WORLD = {
    *("asyncio", "io", "os", "pathlib", "random", "secrets", "select", "shutil", "signal"),
    *("socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "uuid"),
}
"""Standard modules that a pure module has no use for: clock, environment, files, chance."""

FOREIGN = {
    "IPython": {"notebook", PACKAGE},  # of the package itself, for the types of its hooks
    "ipykernel": {"notebook"},
    "ipywidgets": {"notebook"},
    "anywidget": {"notebook"},
    "traitlets": {"notebook"},
    "zmq": {"notebook"},
    "hatchling": {"notebook"},  # frontend/build.py, which runs when a wheel is made
    "msgspec": {"nomad", "running", "agent"},
    "aiohappyeyeballs": {"nomad"},
    "h11": {"nomad"},
    "httpx": {"nomad"},
    "websockets": {"nomad"},
    "aiohttp": {"agent"},
    "pandas": {"record"},  # for who asks for a frame
}
"""The rooms that may import a foreign package."""

SOCKET_LIBRARIES = {"h11", "httpx", "websockets"}
SOCKET_HOMES = {
    f"{PACKAGE}.nomad.{name}"
    for name in ("bodies", "client", "explain", "libraries", "transport", "websocket")
}
"""Those that make connections and read from them, and the one that says what they raise."""


@dataclass(frozen=True)
class Import:
    """One import, wherever in the module it stands.

    Attributes:
        name: The module, or the package where it is not of the house.
        types_only: Only type checkers see it.
    """

    name: str
    types_only: bool


class House:
    """The modules of a package.

    Args:
        sources: Their source by their dotted names.
    """

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources
        self.trees = {name: ast.parse(source) for name, source in sources.items()}
        self.imports = {name: set(self._imports(name)) for name in sources}

    def problems(self) -> list[str]:
        """Return what is wrong with it, in words; nothing for a house in order."""
        return [
            *(problem for name in self.sources for problem in self._of_module(name)),
            *self._circles(),
        ]

    def _of_module(self, name: str) -> Iterator[str]:
        if not ast.get_docstring(self.trees[name]):
            yield f"{name} does not say what it is"
        if len(self.sources[name].splitlines()) > MOST_LINES:
            yield f"{name} is longer than {MOST_LINES} lines"
        read = any(one.name == name for other in self.imports.values() for one in other)
        if not (read or name in ENTRIES or self._is_package(name)):
            yield f"{name} has no reader"
        for one in sorted(self.imports[name], key=lambda one: one.name):
            if one.name == ".":
                yield f"{name} has a relative import"
            elif one.name.split(".")[0] == PACKAGE:
                yield from self._inward(name, one)
            else:
                yield from self._outward(name, one)
        if is_pure(name):
            yield from self._impurities(name)

    def _inward(self, name: str, one: Import) -> Iterator[str]:
        room = room_of(name)
        if room == "agent":
            wrong = room_of(one.name) != "agent" and one.name not in AGENT_MAY
        else:
            there = room_of(one.name)
            above = there == "agent" or storey(there) < storey(room)
            wrong = above and there not in EXCEPTIONS.get(name, ())
        if wrong:
            yield f"{name} must not import {one.name}"
        if is_pure(name) and not one.types_only and not is_pure(one.name):
            yield f"{name} is pure and must not import {one.name}"

    def _outward(self, name: str, one: Import) -> Iterator[str]:
        top = one.name.split(".")[0]
        if top in sys.stdlib_module_names:
            return
        if room_of(name) not in FOREIGN.get(top, ()):
            yield f"{name} must not import {top}"
        if top in SOCKET_LIBRARIES and not one.types_only and name not in SOCKET_HOMES:
            yield f"{name} must not know {top}"

    def _impurities(self, name: str) -> Iterator[str]:
        for one in self.imports[name]:
            if not one.types_only and one.name.split(".")[0] in OUTSIDE_WORLD:
                yield f"{name} is pure and must not import {one.name}"
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                clock = re.search(r"\b(?:datetime|date)\.(?:now|utcnow|today)$", called)
                if clock or called in {"open", "print", "input"}:
                    yield f"{name} is pure and must not call {called}"

    def _circles(self) -> Iterator[str]:
        """Go through the circles of imports, those that only type checkers see included."""
        done: set[str] = set()
        path: list[str] = []

        def visit(name: str) -> Iterator[str]:
            if name in path:
                yield " → ".join([*path[path.index(name) :], name]) + " is a circle"
            elif name not in done:
                path.append(name)
                for one in sorted(one.name for one in self.imports[name]):
                    # The package's own names are looked up when they are asked for.
                    if one in self.sources and name != PACKAGE:
                        yield from visit(one)
                done.add(path.pop())

        for name in self.sources:
            yield from visit(name)

    def _imports(self, name: str) -> Iterator[Import]:
        pending: list[tuple[ast.AST, bool]] = [(self.trees[name], False)]
        while pending:
            node, types_only = pending.pop()
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                pending += [(child, True) for child in node.body]
                pending += [(child, types_only) for child in node.orelse]
                continue
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, types_only) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                if node.level or not node.module:
                    yield Import(".", types_only)
                    continue
                for alias in node.names:
                    # `from package import module` is an import of that module.
                    whole = f"{node.module}.{alias.name}"
                    yield Import(whole if whole in self.sources else node.module, types_only)
            pending += [(child, types_only) for child in ast.iter_child_nodes(node)]

    def _is_package(self, name: str) -> bool:
        return any(other.startswith(f"{name}.") for other in self.sources)


def room_of(name: str) -> str:
    """Return the room that a module is in, or its own name where it stands beside them."""
    words = name.split(".")
    return words[1] if len(words) > 1 else PACKAGE


def storey(room: str) -> int:
    """Return how far below the top a room is."""
    return next((at for at, rooms in enumerate(STOREYS) if room in rooms), len(STOREYS))


def is_pure(name: str) -> bool:
    """Whether a module is to read nothing of the world."""
    return room_of(name) in PURE_ROOMS or name.removeprefix(f"{PACKAGE}.") in PURE


def read(root: Path) -> House:
    """Read the package below a folder."""
    sources = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sources[name] = path.read_text(encoding="utf-8")
    return House(sources)
