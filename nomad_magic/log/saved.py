"""How front ends save a stream's text: each works out in its own way what overwrites what."""

from __future__ import annotations

import re
from typing import Final

from nomad_magic.log.ledger import sha256

_OVERWRITTEN: Final = re.compile(r".*\r(?=[^\n])")
_ERASED: Final = re.compile(r"[^\n]\x08")


def variants(text: str) -> list[list[int | str]]:
    """Return the length and the hash of a text, in each way in which it may be saved."""
    ways = {text, _as_nbclient(text), _as_lab(text)} if re.search("[\r\x08]", text) else {text}
    return [[len(one), sha256(one)] for one in sorted(ways, key=len)]


def _as_nbclient(text: str) -> str:
    """Work it out as nbclient does where it joins streams (`coalesce_streams`)."""
    return _OVERWRITTEN.sub("", _erased(text))


def _as_lab(text: str) -> str:
    """Work it out as JupyterLab's output area does."""
    lines = re.sub(r"\r+\n", "\n", _erased(text)).split("\n")
    return "\n".join(map(_overlaid, lines))


def _erased(text: str) -> str:
    before = ""
    while before != text:
        before, text = text, _ERASED.sub("", text)
    return text


def _overlaid(line: str) -> str:
    """Write what stands behind each carriage return over what stood before it."""
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown
