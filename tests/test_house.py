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

from nomad_magic import __all__ as public_names
from nomad_magic import errors
from nomad_magic.line.flag_table import FLAGS, help_text
from nomad_magic.notebook.live import contract
from nomad_magic.notebook.magics import NomadMagics

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nomad_magic"
FRONT_END = PACKAGE / "notebook" / "frontend"
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LOCKS = ("requirements.lock", "tests/floors.lock", "tests/release/tools.lock")

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
    sent = re.findall(r"#send\(PAGE\.(\w+)(?:, \{([^}]*)\})?\)", text)
    assert len(sent) == text.count("#send(PAGE.")
    for name, fields in sent:
        named = {field.partition(":")[0].strip() for field in fields.split(",")} - {""}
        assert named == set(contract.PAGE_FIELDS[contract.PageMessage[name]]), name
    pages = (PACKAGE / "notebook" / "live" / "pages.py").read_text(encoding="utf-8")
    looked_for = set(re.findall(r'content(?:\[|\.get\()"(\w+)"', pages))
    assert looked_for == {
        "type",
        "client",
        "number",
        *(field for fields in contract.PAGE_FIELDS.values() for field in fields),
    }


def test_the_page_reads_the_traits_of_the_widget() -> None:
    """The contract's list is what the widget has, and what the page asks for."""
    from nomad_magic.notebook.live.widget import ActionWidget  # noqa: PLC0415 - it loads ipywidgets

    own = {
        name
        for name, trait in ActionWidget.class_traits(sync=True).items()
        if trait.this_class is ActionWidget
    }
    assert own - {"assets"} == set(contract.TRAITS)
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
        for name, tree in HOUSE.trees.items()
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


def test_the_readme_has_every_error() -> None:
    """Each class that a cell can show, in the order of the tree that is drawn over them."""
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    drawn = re.findall(r"^[ │├└─]*([A-Z]\w+) {2,}", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(classes)
    table = rows(README, "Error")
    assert [row[0] for row in table] == [f"`{name}`" for name in drawn]
    for name, when, code in table:
        kind = classes[name.strip("`")]
        # What a class is one of is said where it is not the root.
        base = kind.__base__.__name__
        if base not in {"NomadMagicError", "ExecError", "Exception"}:
            assert f"`{base}`" in when
        if not issubclass(kind, errors.ActionFailed | errors.Interrupted):
            assert code == str(errors.NomadMagicError.exit_code)


@pytest.mark.parametrize("name", public_names)
def test_the_readme_has_every_public_name(name: str) -> None:
    """What can be imported is described."""
    assert re.search(rf"`(?:nomad_magic\.)?{name}\b", README)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_contributing_has_every_module(path: Path) -> None:
    """The map of the house is the house."""
    if path.name != "__init__.py" or path.parent == PACKAGE:
        assert re.search(rf"\s{path.name}\s", CONTRIBUTING)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_pin_all_that_the_project_names(lock: str) -> None:
    """Those that each lock is for, with a hash for each, and no place to get it from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    kept = {
        "requirements.lock": groups.keys() - {"release"},
        "tests/floors.lock": {"test", "build"},
        "tests/release/tools.lock": {"release"},
    }[lock]
    wanted = [one for group in kept for one in groups[group]]
    if "release" not in kept:
        wanted += project["project"]["dependencies"] + project["build-system"]["requires"]
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


def test_the_readme_has_what_reach_runs() -> None:
    """Word for word, for those who write the policies."""
    script = (ROOT / "nomad_magic" / "nomad" / "reach.sh").read_text()
    assert f"```sh\n{script}```" in (ROOT / "README.md").read_text()
