"""The rules of the house, read off the source: who imports whom, and what the documents say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nomad_magic import __all__ as public_names
from nomad_magic.line.flag_table import FLAGS, help_text
from nomad_magic.notebook.magics import NomadMagics

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nomad_magic"
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")

MOST_LINES = 450
"""A module fits on a few screens; when it no longer does, it has two jobs."""

TOP_WITH_FILES = {"__init__", "__main__", "transcript", "record", "result"}
PURE_IN_NOMAD = {
    *("escape", "frames", "gowords", "link", "locate", "pace", "protocol", "proxies", "settings"),
}
OUTSIDE_WORLD = {
    *("asyncio", "io", "os", "pathlib", "random", "secrets", "select", "shutil", "signal"),
    *("socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "uuid"),
}
"""Standard modules that a pure module has no use for: clock, environment, files, chance."""

FOREIGN = {
    "IPython": {"notebook"},
    "ipykernel": {"notebook"},
    "ipywidgets": {"notebook"},
    "anywidget": {"notebook"},
    "traitlets": {"notebook"},
    "zmq": {"notebook"},
    "hatchling": {"notebook"},  # frontend/build.py, which runs when a wheel is made
    "msgspec": {"nomad", "agent"},
    "aiohappyeyeballs": {"nomad"},
    "h11": {"nomad"},
    "httpx": {"nomad"},
    "websockets": {"nomad"},
    "aiohttp": {"agent"},
    "hcl2": {"agent"},
}
"""The parts of the house that may import a foreign package."""


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()
TREES = {
    name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in MODULES.items()
}


def part(name: str) -> str:
    """Which part of the house a module is in: a folder, or `top`."""
    words = name.split(".")
    return words[1] if len(words) > 1 and words[1] in {"nomad", "notebook", "agent"} else "top"


def is_pure(name: str) -> bool:
    last = name.rpartition(".")[2]
    if part(name) == "nomad":
        return last in PURE_IN_NOMAD
    return part(name) == "top" and name != "nomad_magic" and last not in TOP_WITH_FILES


PURE = sorted(name for name in MODULES if is_pure(name))


def imports(name: str) -> set[str]:
    """What a module imports when it runs, wherever in it; not what only type checkers see."""
    found: set[str] = set()
    pending: list[ast.AST] = [TREES[name]]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name} has a relative import"
            # `from package import module` is an import of that module.
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in MODULES else node.module for one in whole}
        pending += ast.iter_child_nodes(node)
    return found


def ours(name: str) -> set[str]:
    return {one for one in imports(name) if one.split(".")[0] == "nomad_magic"}


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_reads_nothing_of_the_world(name: str) -> None:
    """No clock, environment, file, socket or chance: they are handed in; nor what has them."""
    assert not {one.split(".")[0] for one in imports(name)} & OUTSIDE_WORLD
    assert all(is_pure(one) for one in ours(name)), ours(name)
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"open", "print", "input"}, called
            assert not re.search(r"\b(?:datetime|date)\.(?:now|utcnow|today)$", called), called


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name: str) -> None:
    """Notebook → nomad → top; the agent shares only frames and errors with the client."""
    allowed = {
        "top": {"top"},
        "nomad": {"nomad", "top"},
        "notebook": {"notebook", "nomad", "top"},
        "agent": {"agent"},
    }[part(name)]
    exceptions = (
        {"nomad_magic.errors", "nomad_magic.nomad.frames"} if part(name) == "agent" else set()
    )
    if part(name) == "top":
        exceptions = {one for one in MODULES if is_pure(one)}
    if name == "nomad_magic":
        # The extension's two hooks.
        exceptions |= {"nomad_magic.notebook.magics"}
    if name == "nomad_magic.__main__":
        exceptions |= {"nomad_magic.agent.cli"}
    if name == "nomad_magic.notebook.agent_command":
        # It starts the agent, as a process of its own.
        exceptions |= {"nomad_magic.agent"}
    wrong = {one for one in ours(name) if part(one) not in allowed and one not in exceptions}
    assert not wrong, f"{name} must not import {wrong}"


@pytest.mark.parametrize("name", MODULES)
def test_each_foreign_package_has_its_home(name: str) -> None:
    """IPython is the notebook's, the client's sockets are nomad's, the agent has its own."""
    for one in imports(name):
        top = one.split(".")[0]
        known = top in sys.stdlib_module_names or top == "nomad_magic"
        assert known or part(name) in FOREIGN.get(top, ()), f"{name} must not import {one}"


def test_only_the_client_knows_the_socket_libraries() -> None:
    """Those that make connections and read from them, and the one that says what they raise."""
    homes = {
        name
        for name in MODULES
        if {one.split(".")[0] for one in imports(name)} & {"h11", "httpx", "websockets"}
    }
    names = ("bodies", "client", "networds", "transport", "websocket")
    assert homes == {f"nomad_magic.nomad.{name}" for name in names}


def test_importing_the_package_is_light() -> None:
    """`import nomad_magic` loads neither IPython nor anything that opens sockets."""
    code = "import sys, nomad_magic; dir(nomad_magic); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in ran.stdout.split()}
    assert not loaded & {*FOREIGN, "asyncio", "socket", "ssl"}
    assert {name for name in ran.stdout.split() if name.startswith("nomad_magic")} == {
        "nomad_magic"
    }


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_and_stays_small(name: str) -> None:
    """Each has a docstring, and none is longer than a few screens."""
    assert ast.get_docstring(TREES[name])
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.rglob("*.py")), ids=str)
def test_every_test_says_its_claim(path: Path) -> None:
    """A test's docstring is the sentence that it proves."""
    silent = [
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent


def rows(document: str, head: str) -> list[list[str]]:
    """The cells of the table that begins with these words."""
    start = document.index(f"\n| {head}")
    table = document[start + 1 :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def table() -> list[list[str]]:
    """The one table of all that can be set: flag, variable, setting, default, what it does."""
    return rows(README, "Flag")


def test_the_readme_has_every_flag_with_its_variable_and_default() -> None:
    """The table is the flags' own, in the order of the help."""
    expected = []
    for flag in FLAGS:
        shown = f"`-{flag.name}=<{flag.value}>`" if flag.value else f"`-{flag.name}`"
        variable = f"`{flag.environment}`" if flag.environment else ""
        expected.append([shown, variable, "", flag.default, flag.summary])
    assert [row for row in table() if row[0]] == expected


def test_the_readme_has_every_variable_that_is_read() -> None:
    """Those that the code names, no more and no less; the embedded agent's tasks have their own."""
    read = {
        node.value
        for name, tree in TREES.items()
        if not name.startswith("nomad_magic.agent")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"NOMAD_(?!MAGIC_)[A-Z_]+|(HTTPS?|NO)_PROXY", node.value)
    }
    assert len(read) > len([flag for flag in FLAGS if flag.environment])
    assert sorted(row[1] for row in table() if row[1]) == sorted(f"`{name}`" for name in read)


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_the_help_has_every_flag(flag: object) -> None:
    """With its variable, its default and its synonyms."""
    assert flag in FLAGS
    text = " ".join(help_text().split())
    name, environment, default, summary, synonyms = (
        getattr(flag, field) for field in ("name", "environment", "default", "summary", "synonyms")
    )
    assert f"-{name}" in text
    assert summary in text
    assert f"Default: {default}." in text
    assert not environment or f"Environment: {environment}." in text
    assert all(f"-{synonym}" in text for synonym in synonyms)


def test_the_readme_has_every_setting_with_its_default() -> None:
    """What `%config NomadMagics` lists, no more and no less."""
    traits = NomadMagics.class_traits(config=True)
    mine = {name: trait for name, trait in traits.items() if trait.this_class is NomadMagics}
    expected = {f"`{name}`": f"`{trait.default_value!r}`" for name, trait in mine.items()}
    assert {row[2]: row[3] for row in table() if row[2]} == expected
    assert all(trait.help for trait in mine.values())


def test_the_readme_has_every_magic() -> None:
    """Each line and cell magic stands in the table of magics."""
    table = " ".join(cells[0] for cells in rows(README, "Line"))
    for kind, sign in (("line", "%"), ("cell", "%%")):
        for name in NomadMagics.magics[kind]:
            assert re.search(rf"(?<!%){sign}{name}\b", table), f"{sign}{name}"


@pytest.mark.parametrize("name", public_names)
def test_the_readme_has_every_public_name(name: str) -> None:
    """What can be imported is described."""
    assert re.search(rf"`(?:nomad_magic\.)?{name}\b", README)


@pytest.mark.parametrize("name", MODULES)
def test_contributing_has_every_module(name: str) -> None:
    """The map of the house is the house."""
    path = MODULES[name]
    if path.name != "__init__.py" or path.parent == PACKAGE:
        assert re.search(rf"\s{path.name}\s", CONTRIBUTING)


def test_the_lock_pins_all_that_the_project_names() -> None:
    """With a hash for each, and no place to get it from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
        *(one for group in project["dependency-groups"].values() for one in group),
        *project["build-system"]["requires"],
    ]
    names = {re.match(r"[\w.-]+", one)[0].lower() for one in wanted}  # type: ignore[index] # each has a name
    pinned = re.findall(
        r"^([a-z0-9-]+)==\S+(?: ;[^\\]*)? \\\n    --hash=sha256:", LOCK, re.MULTILINE
    )
    assert names <= set(pinned)
    assert len(pinned) == len(re.findall(r"^[a-z]", LOCK, re.MULTILINE))
    assert "://" not in LOCK
    assert "index" not in re.sub(r"#.*", "", LOCK)
