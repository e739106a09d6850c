"""Text as it is written in Markdown, so that nothing in it is taken for a mark.  Pure."""

from __future__ import annotations

import re


def escaped(text: str) -> str:
    """Return a text of one line in which no character is a mark."""
    return re.sub(r"([\\`*_\[\]<>#|$])", r"\\\1", text)


def fenced(text: str, language: str = "text") -> list[str]:
    """Return a text as the lines of a block of code.

    Args:
        text: Lines.
        language: What it is coloured as.
    """
    fence = _fence(text, 3)
    return [f"{fence}{language}", *text.split("\n"), fence]


def code(text: str) -> str:
    """Return a text of one line as code in a sentence."""
    fence = _fence(text, 1)
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def _fence(text: str, least: int) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)
