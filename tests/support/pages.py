"""What the pages for people say, held against the code: links, commands, flags, settings, names."""

from __future__ import annotations

import ast
import functools
import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import TransformerManager

from nomad_magic.line import flag_table
from nomad_magic.notebook.magics import NomadMagics

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HAND_WRITTEN = (
    "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "notebooks/README.md"
)  # fmt: skip


def pages() -> dict[str, str]:
    """Return each page by its path from the root."""
    paths = [*(ROOT / name for name in HAND_WRITTEN), *sorted(DOCS.glob("*.md"))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


@functools.cache
def generator() -> Any:
    """Return `docs/generate.py`, loaded as the script that it is."""
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("generate")
    finally:
        sys.path.remove(str(DOCS))


@functools.cache
def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of `python -m nomad_magic`, by their commands."""
    made: dict[str, argparse.ArgumentParser] = generator().parsers()
    return made


@functools.cache
def flag_names() -> frozenset[str]:
    """Return every flag of a magic or a command, without its dashes."""
    found = {"h", "help", "insecure"}
    for table in vars(flag_table).values():
        if isinstance(table, tuple):
            found |= {one.name for one in table if isinstance(one, flag_table.Flag)}
    for parser in commands().values():
        found |= {
            option.lstrip("-")
            for one in parser._actions  # there is no other way to them
            for option in one.option_strings
        }
    return frozenset(found)


def settings() -> set[str]:
    """Return the settings' names."""
    return set(NomadMagics.class_traits(config=True))


def blocks(text: str, *kinds: str) -> list[str]:
    """Return the blocks of code of some kinds."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [body for kind, body in found if kind in kinds]


def prose(text: str) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Return what a page's headings are linked by, as GitHub makes it of them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose(text), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        base = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        name, number = base, 0
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found.add(name)
    return found


def problems(path: str, text: str) -> Iterator[str]:
    """Go through what is not so that a page says.

    Args:
        path: From the root.
        text: Its text.
    """
    yield from _links(path, text)
    for source in blocks(text, "python", "pycon"):
        yield from _python(source)
    for source in blocks(text, "console"):
        yield from _console(source)
    yield from _words(path, text)


def _links(path: str, text: str) -> Iterator[str]:
    bare = re.sub(r"`[^`\n]*`", "", prose(text))
    images = re.findall(r'<(?:img|source)\b[^>]*?\bsrc(?:set)?="([^"]+)"', bare)
    for target in [*re.findall(r"\]\(([^)\s]+)\)", bare), *images]:
        if re.match(r"https?:|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (ROOT / path).parent / name if name else ROOT / path
        if not there.exists():
            yield f"{target}: there is no such file"
        elif anchor:
            own = text if not name else there.read_text(encoding="utf-8")
            if anchor not in anchors(own):
                yield f"{target}: there is no such heading"


def _python(source: str) -> Iterator[str]:
    source = re.sub(r"^(>>> |\.\.\. )", "", source, flags=re.MULTILINE)
    try:
        ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        yield f"{source!r} does not compile: {error}"
    for line in source.splitlines():
        if re.match(r"(\w+ = )?%{1,2}nomad", line.strip()):
            yield from _line(line)


def _line(line: str) -> Iterator[str]:
    for flag in re.findall(r"(?<=\s)--?([a-z][\w-]*)", line):
        if flag not in flag_names():
            yield f"{line.strip()}: there is no flag -{flag}"


def _console(source: str) -> Iterator[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in re.findall(r"^\$ (.+)$", source, re.MULTILINE):
        command = line.partition("#")[0]
        for target in re.findall(r"\bmake ([a-z]+)", command):
            if not re.search(rf"^{target}:", makefile, re.MULTILINE):
                yield f"make has no target {target}"
        yield from _commands(command)


def _commands(command: str) -> Iterator[str]:
    for name, rest in re.findall(r"python -m nomad_magic ([a-z]+)(.*)", command):
        if name not in commands():
            yield f"python -m nomad_magic has no command {name}"
            continue
        known = {o for one in commands()[name]._actions for o in one.option_strings}
        for option in re.findall(r"(?<=\s)(--?[a-z][\w-]*)", rest):
            if option not in known:
                yield f"python -m nomad_magic {name} has no option {option}"


def _words(path: str, text: str) -> Iterator[str]:
    """Go through what stands as code within sentences."""
    for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(text)):
        yield from _commands(span)
        yield from (f"{span}: {problem}" for problem in _names(span))
        # What is for developers names the options of their tools.
        flag = re.match(r"--?([a-z][\w-]*)", span)
        if flag and flag[1] not in flag_names() and path != "CONTRIBUTING.md":
            yield f"{span}: there is no such flag"
        if re.match(r"make [a-z]+$", span) and any(_console(f"$ {span}\n")):
            yield f"{span}: there is no such target"
        path_like = re.match(r"(?:tests|docs|notebooks|binder)/[\w./-]*$", span)
        if path_like and not (ROOT / span).exists():
            yield f"{span}: there is no such file"


def _names(span: str) -> Iterator[str]:
    """Go through the magics, flags and settings that a piece of code names."""
    magics = {name for kind in NomadMagics.magics.values() for name in kind}
    for name in re.findall(r"(?<![\w%])%{1,2}(nomad\w*)", span):
        if name not in magics:
            yield f"there is no magic {name}"
    named = re.findall(r"\bNomadMagics\.(\w+)", span)
    named += re.findall(r"^([a-z_]+) = (?:True|False)$", span)
    for name in named:
        if name not in settings():
            yield f"there is no setting {name}"
    if re.match(r"%{1,2}nomad_action", span):
        yield from _line(span)
