"""Reads docstrings, and says what is in them as Markdown: for `generate.py`."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECTION: Final = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):$")
ADVICE: Final = "What to do: "

CODE: Final = re.compile(
    r"%{1,2}[a-z_]+(?: (?:job action|NomadMagics|-help))*"
    r"|(?<![\w.])r(?:\[\d\])?\.[a-z_]+(?:\(\))?"
    r"|\bNOMAD_[A-Z]+"
    r"|(?<![\w-])--?[a-z][\w-]+(?: NAME=VALUE| FILE)?"
    r"|\b(?:None|True|False)\b"
)
"""What of a sentence is code, where nobody marked it: docstrings are read in a terminal too."""


@dataclass
class Doc:
    """A docstring, read.

    Attributes:
        text: Its paragraphs, as Markdown.
        advice: What to do about it.
        sections: What stands below a heading: each with a name, or one without.
    """

    text: list[str] = field(default_factory=list)
    advice: str = ""
    sections: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """Its first paragraph."""
        return self.text[0] if self.text else ""


def read(thing: Any) -> Doc:
    """Read a docstring: paragraphs, blocks after `::`, and Google's sections."""
    doc = Doc()
    blocks = re.split(r"\n{2,}", inspect.cleandoc(_docstring(thing)))
    literal = False
    for block in filter(None, blocks):
        heading, _, rest = block.partition("\n")
        if literal and block.startswith("    "):
            code = inspect.cleandoc("\n" + block)
            if doc.text and doc.text[-1].endswith("\n```"):
                doc.text[-1] = doc.text[-1].removesuffix("```") + f"\n{code}\n```"
            else:
                doc.text.append(f"```python\n{code}\n```")
            continue
        literal = block.endswith("::")
        if found := SECTION.match(heading):
            doc.sections[found[1]] = dict(_items(inspect.cleandoc("\n" + rest), found[1]))
        elif block.startswith(ADVICE):
            doc.advice = raised(prose(block.removeprefix(ADVICE)))
        elif block.startswith("Usage: "):
            usage, _, rest = block.removeprefix("Usage: ").partition(";")
            doc.text.append(f"```text\n{' '.join(usage.split()).rstrip('.')}\n```")
            if rest:
                doc.text.append(prose(raised(rest.strip())))
        else:
            doc.text.append(prose(block.removesuffix(":") if literal else block))
    return doc


def _docstring(thing: Any) -> str:
    return (thing.__doc__ if isinstance(thing, type) else inspect.getdoc(thing)) or ""


def _items(text: str, section: str) -> Iterator[tuple[str, str]]:
    if section in ("Returns", "Yields"):
        yield "", prose(text)
        return
    for item in re.split(r"\n(?! )", text):
        name, _, said = item.partition(":")
        yield name.strip(), prose(said)


def prose(text: str) -> str:
    """Return words of a docstring as Markdown: no mark stands there by accident."""
    pieces = re.split(r"(``?[^`]+``?)", " ".join(text.split()))
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([<*|])", r"\\\1", CODE.sub(r"`\g<0>`", piece))
        for piece in pieces
    )


def code(text: str) -> str:
    """Return a piece of code within a sentence."""
    return f"``{text}``" if "`" in text else f"`{text}`"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; within a cell no `|` parts it."""
    lines = [list(head)]
    lines += [[re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row] for row in rows]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def lowered(text: str) -> str:
    """Return words as they stand within a sentence."""
    return text[:1].lower() + text[1:]


def raised(text: str) -> str:
    """Return words as they stand at its beginning."""
    return text[:1].upper() + text[1:]
