"""The rules of the house, read off the source: who imports whom, and what the documents say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import house

from nomad_magic.line.flag_table import FLAGS, help_text
from nomad_magic.notebook.live import contract
from nomad_magic.notebook.magics import NomadMagics

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nomad_magic"
FRONT_END = PACKAGE / "notebook" / "frontend"
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FRONTS = ("lab42", "lab46", "collaboration")
"""The groups of dependencies that have a front end, and the names of their locks."""

LOCKS = (
    "requirements.lock",
    "notebooks/demo.lock",
    "tests/floors.lock",
    "tests/release/tools.lock",
    *(f"tests/front_ends/{front}.lock" for front in FRONTS),
)

HOUSE = house.read(ROOT)


def test_the_house_is_in_order() -> None:
    """Imports point one way and in no circle, also those for types; pure modules are pure."""
    assert len(HOUSE.sources) > 80
    assert HOUSE.problems() == []


SOUND = {
    "nomad_magic": '"""It."""\nfrom nomad_magic.notebook import magics',
    "nomad_magic.go": '"""Go."""',
    "nomad_magic.terminal": '"""Terminal."""\nfrom nomad_magic import go',
    "nomad_magic.record": '"""Record."""',
    "nomad_magic.record.facts": '"""Facts."""\nimport enum',
    "nomad_magic.record.record": '"""Record."""\nfrom nomad_magic import terminal\n'
    "from nomad_magic.record import facts\nimport os",
    "nomad_magic.nomad": '"""Nomad."""',
    "nomad_magic.nomad.frames": '"""Frames."""\nimport msgspec',
    "nomad_magic.nomad.client": '"""Client."""\nimport httpx, time\n'
    "from nomad_magic.nomad.frames import x",
    "nomad_magic.running": '"""Running."""\nfrom nomad_magic.nomad.client import Client',
    "nomad_magic.notebook": '"""Notebook."""',
    "nomad_magic.notebook.magics": '"""Magics."""\nfrom nomad_magic.record import record\n'
    "from nomad_magic import running\nimport IPython",
    "nomad_magic.__main__": '"""Main."""\nfrom nomad_magic.agent import cli',
    "nomad_magic.agent": '"""Agent."""',
    "nomad_magic.agent.cli": '"""CLI."""\nfrom nomad_magic.nomad import frames\nimport aiohttp',
}
TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
BROKEN = [
    ("record.record", "from nomad_magic.running import x", "must not import nomad_magic.running"),
    ("record.record", TYPES + "import nomad_magic.notebook.magics", "must not import"),
    ("nomad.frames", TYPES + "from nomad_magic.nomad.client import C", "is a circle"),
    ("nomad.frames", "def f():\n    from nomad_magic.nomad import client", "is a circle"),
    ("terminal", "from nomad_magic import record", "must not import nomad_magic.record"),
    ("agent.cli", "from nomad_magic.nomad.client import C", "must not import"),
    ("running", "from nomad_magic.agent import cli", "must not import"),
    ("notebook.magics", "from . import x", "has a relative import"),
    ("notebook.magics", "import httpx", "must not import httpx"),
    ("nomad.frames", "import httpx", "must not know httpx"),
    ("record.facts", "import time", "is pure and must not import time"),
    ("record.facts", "from datetime import datetime\ndatetime.now()", "must not call datetime.now"),
    ("record.facts", "open('x')", "must not call open"),
    ("terminal", "from nomad_magic.nomad import client", "is pure and must not import"),
    ("record.record", "x = 1\n" * 400, "is longer than 400 lines"),
    ("record.alone", '"""Alone."""', "has no reader"),
    ("record.silent", "x = 1", "does not say what it is"),
]


def test_a_sound_house_is_not_refused() -> None:
    """Else the rest of this would prove nothing."""
    assert house.House(SOUND).problems() == []


@pytest.mark.parametrize(("name", "more", "problem"), BROKEN, ids=lambda value: value[:40])
def test_a_broken_house_is_refused(name: str, more: str, problem: str) -> None:
    """Each rule says what is wrong, and where."""
    name = f"nomad_magic.{name}"
    before = SOUND.get(name)
    broken: Mapping[str, str] = {**SOUND, name: f"{before}\n{more}" if before else more}
    said = house.House(broken).problems()
    assert any(name in one and problem in one for one in said), said


def test_importing_the_package_is_light() -> None:
    """`import nomad_magic` loads neither IPython nor anything that opens sockets."""
    code = "import sys, nomad_magic; dir(nomad_magic); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in ran.stdout.split()}
    assert not loaded & {*house.FOREIGN, "asyncio", "socket", "ssl"}
    assert {name for name in ran.stdout.split() if name.startswith("nomad_magic")} == {
        "nomad_magic"
    }


def test_the_contract_loads_nothing_that_a_build_does_not_have() -> None:
    """It is read where a wheel is made: with the standard library alone."""
    code = (
        "import sys\nbefore = set(sys.modules)\nimport nomad_magic.notebook.live.contract\n"
        "print(*{n.split('.')[0] for n in set(sys.modules) - before})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) <= {*sys.stdlib_module_names, "nomad_magic"}


def _scripts() -> dict[str, str]:
    paths = [FRONT_END / "loader.js", *sorted((FRONT_END / "src").glob("*.js"))]
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in paths
        if path.name != "contract.js" and not path.name.endswith(".test.js")
    }


def test_the_page_speaks_only_words_of_the_contract() -> None:
    """Every message, phase and rung that the page names is there; none is spelled by hand."""
    words = {
        "PAGE": {one.name for one in contract.PageMessage},
        "KERNEL": {one.name for one in contract.KernelMessage},
        "PHASE": {one.name for one in contract.Phase},
    }
    used: dict[str, set[str]] = {name: set() for name in words}
    for name, text in _scripts().items():
        for kind, word in re.findall(r"\b(PAGE|KERNEL|PHASE)\.(\w+)", text):
            assert word in words[kind], f"{name}: {kind}.{word}"
            used[kind].add(word)
        for literal in re.findall(r"""["'`]([a-z_ ]+)["'`]""", text):
            spelled = {*contract.PAGE_FIELDS, *contract.KERNEL_FIELDS, *contract.RUNGS}
            # Words of the browser's, of the way that a press takes, and a trait of the assets.
            spelled -= {"input", "stop", "size", "output", "none", "record", "interrupt", "code"}
            spelled -= {"row"}  # a role
            assert literal not in spelled, f"{name} spells {literal!r} by hand"
        by_hand = re.search(r"send\(\s*\{(?! type: PAGE\.)", text)
        assert not by_hand, f"{name} makes a message by hand"
    # What a page never says, or never listens for, is no word of theirs.
    assert used["PAGE"] == words["PAGE"]
    assert used["KERNEL"] == words["KERNEL"]


def test_the_kernel_hears_and_says_every_word_of_the_contract() -> None:
    """A word that the page alone has would be silently passed over."""
    live = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (PACKAGE / "notebook" / "live").glob("*.py")
        if path.name != "contract.py"
    )
    heard = set(re.findall(r"case PageMessage\.(\w+)", live))
    assert heard == {one.name for one in contract.PageMessage}
    said = set(re.findall(r"_say\(\s*KernelMessage\.(\w+)", live))
    assert said == {one.name for one in contract.KernelMessage}


def test_the_fields_of_a_pages_message_are_those_of_the_contract() -> None:
    """Those that the page sends, message by message, and those that the kernel looks for."""
    text = "\n".join(_scripts().values())
    sent = re.findall(r"\.send\(PAGE\.(\w+)(?:, \{([^}]*)\})?\)", text)
    assert len(sent) == text.count(".send(PAGE.")
    for name, fields in sent:
        named = {field.partition(":")[0].strip() for field in fields.split(",")} - {""}
        assert named == set(contract.PAGE_FIELDS[contract.PageMessage[name]]), name
    live = PACKAGE / "notebook" / "live"
    pages = "\n".join((live / name).read_text("utf-8") for name in ("pages.py", "rows.py"))
    looked_for = set(re.findall(r'content(?:\[|\.get\()"(\w+)"', pages))
    assert looked_for == {
        "type",
        "client",
        "number",
        *(field for fields in contract.PAGE_FIELDS.values() for field in fields),
    }


def test_the_page_reads_the_traits_of_the_widget() -> None:
    """The contract's list is what the widget has, and what the page asks for."""
    from nomad_magic.notebook.live import widget  # noqa: PLC0415 - it loads ipywidgets

    for shown, traits in (
        (widget.ActionWidget, contract.TRAITS),
        (widget.FleetWidget, contract.FLEET_TRAITS),
    ):
        own = {
            name
            for name, trait in shown.class_traits(sync=True).items()
            if issubclass(trait.this_class, widget.LiveWidget)
        }
        assert own - {"assets"} == set(traits)
    text = "\n".join(_scripts().values())
    read = set(re.findall(r"traits\.(\w+)", text))
    read |= set(re.findall(r'model\.get\("(\w+)"\)', text)) - {"assets", "code", "version"}
    for names in re.findall(r"const \{([^}]*)\} = (?:this|page|this\.page)\.traits", text):
        read |= set(re.findall(r"(\w+)(?::\s*\w+)?(?:,|$)", names.strip()))
    assert read <= set(contract.TRAITS)
    assert read >= set(contract.TRAITS) - {"status", "outcome"}


def test_the_style_knows_the_tones_and_phases_of_the_contract() -> None:
    """A colour for each tone that there is, and for nothing else."""
    style = (FRONT_END / "src" / "styles.css").read_text(encoding="utf-8")
    tones = set(re.findall(r'data-tone="(\w+)"', style))
    assert tones == {tone for _, tone in contract.OUTCOMES.values()} - {"neutral"}
    phases = set(re.findall(r'data-phase="(\w+)"', style))
    assert phases <= {phase.value for phase in contract.Phase}


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


def test_the_guide_has_every_magic() -> None:
    """Each line and cell magic stands in the table of magics."""
    table = " ".join(cells[0] for cells in rows(GUIDE, "Line"))
    for kind, sign in (("line", "%"), ("cell", "%%")):
        for name in NomadMagics.magics[kind]:
            assert re.search(rf"(?<!%){sign}{name}\b", table), f"{sign}{name}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_contributing_has_every_module(path: Path) -> None:
    """The map of the house is the house."""
    if path.name != "__init__.py" or path.parent == PACKAGE:
        assert re.search(rf"\s{path.name}\s", CONTRIBUTING)


def test_the_demo_has_the_locked_versions() -> None:
    """What `make demo` installs is what the tests run with, and less of it."""
    everything, demo = (
        set(
            re.findall(r"^[a-z0-9-]+==.*$", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
        )
        for lock in LOCKS[:2]
    )
    assert {"jupyterlab", "ipykernel"} <= {line.partition("==")[0] for line in demo}
    assert {re.split(" |;", line)[0] for line in demo} < {
        re.split(" |;", line)[0] for line in everything
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_pin_all_that_the_project_names(lock: str) -> None:
    """Those that each lock is for, with a hash for each, and no place to get it from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    kept = {
        "requirements.lock": groups.keys() - {"release", *FRONTS},
        "notebooks/demo.lock": {"demo", "build"},
        "tests/floors.lock": {"test", "build"},
        "tests/release/tools.lock": {"release"},
        **{f"tests/front_ends/{front}.lock": {front} for front in FRONTS},
    }[lock]
    wanted = [one for group in kept for one in groups[group]]
    if "build" in kept:
        wanted += project["build-system"]["requires"]
    if "release" not in kept:
        wanted += project["project"]["dependencies"]
        wanted += [
            one for extra in project["project"]["optional-dependencies"].values() for one in extra
        ]
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = re.findall(
        r"^([a-z0-9-]+)==(\S+)(?: ;[^\\]*)? \\\n    --hash=sha256:", text, re.MULTILINE
    )
    assert len(pins) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
    assert "://" not in text
    assert "index" not in re.sub(r"#.*", "", text)
    pinned = dict(pins)
    for one in wanted:
        match = re.match(r"([\w.-]+)(?:[>~]=([\d.]+))?", one)
        assert match is not None
        name, floor = match.groups()
        assert name in pinned, name
        if lock == "tests/floors.lock" and floor is not None:
            # `~=24.0` and `>=9` may have no version of just that number.
            assert pinned[name].startswith(floor.removesuffix(".0")), (one, pinned[name])
