"""The examples of the README and of the pages: run now, they show what stands below them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from support import pages
from support.settled import settled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAGES = pages.pages()
README = PAGES["README.md"]
RUNNER = pages.ROOT / "notebooks" / "run.py"
OWN = "## An action of your own"
LEFT_OUT = "…"
AGENT = "%load_ext nomad_magic\n%nomad_agent start"

EXAMPLES = [
    ("README.md", "## Five examples", ""),
    ("README.md", OWN, "%load_ext nomad_magic"),
    ("docs/guide.md", "## What there is", AGENT),
    ("docs/guide.md", "## Lines as they come", AGENT),
    ("docs/confirm.md", "## A dry run", AGENT),
    ("docs/confirm.md", "## What is to be confirmed", AGENT),
    ("docs/log.md", "# The log", AGENT),
]
"""A page, a heading on it, and what its first cell takes for granted."""


def section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one."""
    text = f"\n{PAGES[page]}".partition(f"\n{heading}\n")[2]
    return re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]


def below(text: str) -> list[tuple[str, str | None]]:
    """Return each cell of a text, with the output that stands below it."""
    found = re.findall(r"^```(python|text)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    cells: list[tuple[str, str | None]] = []
    for kind, body in found:
        if kind == "python":
            cells.append((body.rstrip("\n"), None))
        else:
            cells[-1] = (cells[-1][0], body)
    return cells


def shown(cell: Any) -> str:
    """Return all that a cell shows as text; stdout before stderr, for they are two pipes."""
    streams = {"stdout": "", "stderr": ""}
    others = []
    for output in cell.outputs:
        if output.output_type == "stream":
            streams[output.name] += output.text
        elif output.output_type == "error":
            others.append(f"{output.ename}: {output.evalue}")
        else:
            others.append(output.data["text/plain"])
    return "\n".join([*(text.rstrip("\n") for text in streams.values() if text), *others])


def agree(said: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether the lines are those that are said; a `…` stands for any number of them.

    How wide a column is goes by the names in it, such as that of the machine.
    """
    said, lines = ([re.sub(" +", " ", line) for line in each] for each in (said, lines))
    pattern = "".join(r"(?:.*\n)*" if line == LEFT_OUT else re.escape(f"{line}\n") for line in said)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def written(path: Path, cells: Sequence[tuple[str, str | None]]) -> Path:
    """Write a notebook of some cells; those that are said to fail may."""
    made = nbformat.v4.new_notebook()
    for source, said in cells:
        fails = re.search(r"^\w+: .* exit code \d+", said or "", re.MULTILINE)
        made.cells.append(
            nbformat.v4.new_code_cell(
                source, metadata={"tags": ["raises-exception"]} if fails else {}
            )
        )
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.metadata = {"kernelspec": kernel}
    nbformat.write(made, path)
    return path


@pytest.mark.parametrize(("page", "heading", "before"), EXAMPLES)
def test_an_example_is_real(page: str, heading: str, before: str, tmp_path: Path) -> None:
    """The cells below a heading run, one after the other, and show what is said."""
    cells = below(section(page, heading))
    assert cells
    if before:
        cells.insert(0, (before, None))
    for text in pages.blocks(section(page, heading), "hcl"):
        (saved,) = re.findall(r"Save this as `(.+?)`", section(page, heading))
        (tmp_path / saved).write_text(text, encoding="utf-8")
    path = written(tmp_path / "example.ipynb", cells)
    ran = subprocess.run(
        [sys.executable, str(RUNNER), "--save", str(path)],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=110, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    now = nbformat.read(path, as_version=4).cells
    for (_, said), cell in zip(cells, now, strict=True):
        if said is not None:
            lines = settled(shown(cell))
            assert agree(settled(said), lines), (settled(said), lines)


@pytest.mark.parametrize(
    ("said", "lines", "whether"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["a", LEFT_OUT], ["a", "b"], True),
        (["a", LEFT_OUT, "c"], ["a", "b", "b", "c"], True),
        (["a", LEFT_OUT, "c"], ["a", "b"], False),
        ([LEFT_OUT, "b"], ["a", "b"], True),
        (["b", "a"], ["a", "b"], False),
    ],
)
def test_what_is_left_out_is_all_that_may_differ(
    said: list[str], lines: list[str], *, whether: bool
) -> None:
    """The rule by which the examples are held."""
    assert agree(said, lines) is whether


def test_papermill_runs_the_runbook_of_the_guide(tmp_path: Path) -> None:
    """With the command and the parameters that stand there, on the README's job."""
    text = section("docs/guide.md", "## Runbooks")
    parameters, line = pages.blocks(text, "python")
    (console,) = pages.blocks(text, "console")
    (job,) = pages.blocks(section("README.md", OWN), "hcl")
    (tmp_path / "first.nomad.hcl").write_text(job, encoding="utf-8")
    start = "%load_ext nomad_magic\n%nomad_agent start first.nomad.hcl"
    path = written(tmp_path / "runbook.ipynb", [(one, None) for one in (start, parameters, line)])
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata.tags = ["parameters"]
    nbformat.write(notebook, path)
    program, *words = shlex.split(console.removeprefix("$ "))
    assert program == "papermill"
    ran = subprocess.run(
        [sys.executable, "-m", program, *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    last = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1]
    assert "PONG from cache.redis[0]" in shown(last)


def test_the_example_from_python_is_real() -> None:
    """As it stands in the guide, in a Python of its own."""
    (session,) = pages.blocks(section("docs/guide.md", "## From Python"), "pycon")
    source = f"""
from nomad_magic.agent import EmbeddedAgent
import doctest, os
with EmbeddedAgent() as agent:
    os.environ.update(agent.environment)
    test = doctest.DocTestParser().get_doctest({session!r}, {{}}, "guide", None, None)
    failed, tried = doctest.DocTestRunner().run(test)
print(failed, tried)
"""
    ran = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=110, check=True
    )
    assert ran.stdout == "0 3\n", ran.stdout
