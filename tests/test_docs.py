"""The pages: what they say is so, and what is made from the code is what the code says."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from support import house, pages
from support.pages import DOCS, ROOT

import nomad_magic
from nomad_magic import errors
from nomad_magic.agent import EmbeddedAgent
from nomad_magic.agent.acl import load_policy
from nomad_magic.line import flag_table
from nomad_magic.nomad.options import Options
from nomad_magic.notebook.magics import NomadMagics

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages.pages()
REFERENCE, PYTHON = PAGES["docs/reference.md"], PAGES["docs/python.md"]
OPERATORS, COMPATIBILITY = PAGES["docs/operators.md"], PAGES["docs/compatibility.md"]


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one as high."""
    signs = heading.partition(" ")[0]
    below = text.partition(f"\n{heading}\n")[2]
    return re.split(rf"^#{{1,{len(signs)}}} ", below, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of all tables of a text, without their heads."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    cells = [[one.strip() for one in re.split(r"(?<!\\)\|", line)] for line in lines]
    ruled = {at for at, row in enumerate(cells) if set("".join(row)) == {"-"}}
    return [row for at, row in enumerate(cells) if not {at, at + 1} & ruled]


@pytest.mark.parametrize("name", pages.generator().PAGES)
def test_what_is_made_from_the_code_is_what_the_code_says(name: str) -> None:
    """`make docs` was run after the last change of a flag, a setting, a docstring."""
    made = pages.generator().PAGES[name]()
    assert (DOCS / name).read_text(encoding="utf-8") == made, "run `make docs`"


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_says_is_there(path: str) -> None:
    """Links lead somewhere, code compiles; commands, flags, settings, magics and files exist."""
    assert list(pages.problems(path, PAGES[path])) == []


BROKEN = [
    ("[x](docs/nowhere.md)", "no such file"),
    ("[x](#nowhere)", "no such heading"),
    ('<img width="1" src="docs/nowhere.gif">', "no such file"),
    ('<source media="x" srcset="docs/nowhere.gif">', "no such file"),
    ("[x](docs/operators.md#nowhere)", "no such heading"),
    ("```python\nif:\n```", "does not compile"),
    ("```python\nr = %nomad_action -jobs=x y\n```", "no flag -jobs"),
    ("```console\n$ make everything\n```", "no target everything"),
    ("```console\n$ python -m nomad_magic server\n```", "no command server"),
    ("```console\n$ python -m nomad_magic agent --jobs x\n```", "no option --jobs"),
    ("`python -m nomad_magic agent --jobs`", "no option --jobs"),
    ("`%nomad_act`", "no magic nomad_act"),
    ("`%config NomadMagics.patience`", "no setting patience"),
    ("`patience = False`", "no setting patience"),
    ("`%nomad_action -jobs=x y`", "no flag -jobs"),
    ("`-jobs`", "no such flag"),
    ("`make everything`", "no such target"),
    ("`tests/nowhere.py`", "no such file"),
]


@pytest.mark.parametrize(("text", "problem"), BROKEN)
def test_a_page_that_says_what_is_not_so_is_refused(text: str, problem: str) -> None:
    """Each kind of statement is looked at."""
    (found,) = pages.problems("README.md", f"# A page\n\n{text}\n")
    assert problem in found


def test_the_reference_has_every_flag() -> None:
    """With its variable, in the order of the help; each in one table."""
    shown = [row[:2] for row in rows(section(REFERENCE, "## Flags"))]
    expected = [
        [
            f"`-{flag.name}=<{flag.value}>`" if flag.value else f"`-{flag.name}`",
            f"`{flag.environment}`" if flag.environment else "",
        ]
        for flag in (*flag_table.FLAGS, *flag_table.FLEET_FLAGS)
    ]
    assert sorted(shown) == sorted(expected)


def test_the_reference_has_every_variable_that_is_read() -> None:
    """Those that the code names, no more and no less; the embedded agent's tasks have their own."""
    read = {
        node.value
        for name, tree in house.read(ROOT).trees.items()
        if not name.startswith("nomad_magic.agent")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"NOMAD_(?!MAGIC_)[A-Z_]+|(HTTPS?|NO)_PROXY", node.value)
    }
    assert len(read) > len([flag for flag in flag_table.FLAGS if flag.environment])
    of_flags = [row[1] for row in rows(section(REFERENCE, "## Flags")) if row[1]]
    alone = [row[0] for row in rows(section(REFERENCE, "## Variables without a flag"))]
    assert sorted(of_flags + alone) == sorted(f"`{name}`" for name in read)


def test_the_reference_has_every_setting() -> None:
    """What `%config NomadMagics` lists, with its default; each says what it does."""
    mine = NomadMagics.class_own_traits(config=True)
    shown = {row[0]: row[1:] for row in rows(section(REFERENCE, "## Settings"))}
    assert {f"`{name}`" for name in mine} <= shown.keys()
    assert {name.strip("`") for name in shown} <= set(NomadMagics.class_traits(config=True))
    for name, trait in mine.items():
        assert shown[f"`{name}`"][0] == f"`{trait.default()!r}`"
        assert len(trait.help) > len(name)


def test_the_reference_has_every_magic() -> None:
    """Each line and cell magic has a heading."""
    headings = re.findall(r"^### (.+)$", section(REFERENCE, "## Magics"), re.MULTILINE)
    named = {name for heading in headings for name in re.findall(r"`(%+\w+)`", heading)}
    expected = {f"%{name}" for name in NomadMagics.magics["line"]}
    assert named == expected | {f"%%{name}" for name in NomadMagics.magics["cell"]}


def test_the_reference_has_every_error_and_what_to_do() -> None:
    """Each class that a cell can show, in the order of the tree that is drawn over them."""
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    drawn = re.findall(r"^[ │├└─]*([A-Z]\w+) {2,}", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(classes)
    table = rows(section(REFERENCE, "## Errors"))
    assert [row[0] for row in table] == [f"`{name}`" for name in drawn]
    for name, means, code, advice in table:
        kind = classes[name.strip("`")]
        base = kind.__base__.__name__
        # What a class is one of is said where it is not the root.
        assert base in {"NomadMagicError", "Exception"} or f"`{base}`" in means
        assert len(advice) > 10
        if not issubclass(kind, errors.ActionFailed | errors.Interrupted):
            assert code == str(kind.exit_code)


@pytest.mark.parametrize("name", nomad_magic.__all__)
def test_the_page_of_the_api_has_every_public_name(name: str) -> None:
    """With a section of its own, and each parameter; an error is in the reference too."""
    kind = getattr(nomad_magic, name)
    if isinstance(kind, type) and issubclass(kind, BaseException):
        assert f"`{name}`" in section(PYTHON, "## Errors")
        assert f"\n| `{name}` |" in REFERENCE
        return
    text = section(PYTHON, f"### `{name}`")
    assert text
    if not isinstance(kind, type):
        for parameter in inspect.signature(kind).parameters:
            assert re.search(rf"\b{parameter}:", text), parameter


def test_the_page_of_the_api_has_every_option() -> None:
    """With what holds without it."""
    shown = {row[0].strip("`"): row[2] for row in rows(section(PYTHON, "### `Options`"))}
    assert set(shown) == set(inspect.get_annotations(Options))
    for name, text in shown.items():
        assert text.endswith(f" Default: `{getattr(Options(), name)!r}`.")


def test_the_example_of_the_api_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands, on the embedded agent's demo."""
    (source,) = pages.blocks(PYTHON, "python")
    with EmbeddedAgent() as agent:
        os.environ.update(agent.environment)
        exec(compile(source, "docs/python.md", "exec"), {})
    assert capsys.readouterr().out == "0 ['1000 records in demo.store[0]']\n"


def test_operators_have_what_reach_runs() -> None:
    """Word for word, for those who write the policies."""
    script = (ROOT / "nomad_magic" / "nomad" / "reach.sh").read_text(encoding="utf-8")
    assert f"```sh\n{script}```" in OPERATORS


def test_the_embedded_agent_takes_the_policy(tmp_path: Path) -> None:
    """As it stands; and it has the rights of the one for a cluster."""
    (text,) = pages.blocks(OPERATORS, "json")
    path = tmp_path / "policy.json"
    path.write_text(text, encoding="utf-8")
    (token,) = load_policy(path)
    assert token.may_read_nodes
    assert token.may_read_agents
    (policy,) = pages.blocks(OPERATORS, "hcl")
    (listed,) = re.findall(r"capabilities = (\[.*?\])", policy)
    assert token.namespaces == {"default": frozenset(json.loads(listed))}


PINNED = {
    "JupyterLab": "jupyterlab",
    "Notebook": "notebook",
    "`jupyter console`": "jupyter-console",
    "IPython on a terminal": "ipython",
    "nbclient": "nbclient",
    "papermill": "papermill",
}


def test_compatibility_names_the_versions_that_are_tested() -> None:
    """What is said to be in every run is what the locks pin."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9-]+)==([\w.]+)", lock, re.MULTILINE))
    older = {path.stem.partition("-")[2] for path in (ROOT / "tests" / "browser").glob("*.lock")}
    table = rows(section(COMPATIBILITY, "## Front ends and kernels"))
    tested = [row for row in table if row[-1].startswith("Every run") and row[0] in PINNED]
    assert {row[0] for row in tested} == set(PINNED)
    for name, version, kernel, *_ in tested:
        assert version == pins[PINNED[name]]
        assert kernel in {pins["ipykernel"], "none"} | older
    assert older <= {row[2] for row in tested}
