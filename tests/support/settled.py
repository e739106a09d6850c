"""What an output says, without what differs from run to run and from machine to machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

UUID = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"

VARYING: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\x1b\[[0-9;]*m", ""),
    (r"(?s)<svg.*?</svg>", "PICTURE"),
    (r"(?<=host   )\S+(?=,)|(?<=ID )\S+$|(?<=on node )\S+|(?<=nodes {8}1: )\S+", "HOST"),
    (rf"{UUID}|\b[0-9a-f]{{8}}\b|\b[0-9a-f]{{64}}\b", "ID"),
    (r"(?<=node {8}ID )\S+|(?<=node: `ID )[^`]+|(?<=>ID )[^\s<]+(?=</code>)", "HOST"),
    (r"[█·]+", "BAR"),
    # A number before a bar is padded to its column: how wide that is, whatever the machine's load.
    (r"\d+\.\d+ +(?=(?:<[^>]*>)*BAR)", lambda found: f"N in {len(found.group()) * '_'}"),
    (r"(?<=[ >`])[0-9a-f]{16}(?=$|[ <`])", "RUN"),
    (r"\d+(?:[.,:]\d+)*", "N"),
    (r"(?<=N) +(?=N|BAR)", " "),  # a longer number takes from the blanks beside it
)
"""What differs from run to run and from machine to machine, and what stands for it."""


def settled(text: str) -> list[str]:
    """The lines of a text without what varies; lines that then are equal count once."""
    for pattern, stands in VARYING:
        text = re.sub(pattern, stands, text, flags=re.MULTILINE)
    lines: list[str] = []
    for line in text.splitlines():
        if lines[-1:] != [line]:
            lines.append(line)
    return lines
