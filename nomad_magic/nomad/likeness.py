r"""Whether a process can be running a command, by the words that it has now.  Pure.

The words of a process come with nothing between them (`reach.sh`: a shell cannot read what parts
them), and those of a command are as the job has them.  A `${…}` in those stands for anything: Nomad
fills it in, or hands it on to a shell that does.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_TEXT: Final = 1 << 14
"""In how much of a command (characters) the words of what it may become are looked for."""

# What Nomad puts something in the place of when it starts the command.
_FILLED_IN: Final = re.compile(r"\$\{[^}]*\}")
_BY_SHELL: Final = re.compile(r"\$\{[^}]*\}|\$\w+|\$[@*#?]")
_BETWEEN: Final = re.compile(r"""[\s"'\\;&|()`{}]+""")
_ANYTHING: Final = "\0"
"""Stands for what a shell fills in: no word has one in it."""


class Likeness(enum.Enum):
    """How like a command the words of a process are."""

    SAME = "same"
    """They are the command's, behind a script's interpreter or a path where there is one."""
    DERIVED = "derived"
    """They follow each other in the command: what `env` starts, or the `exec` of a shell."""
    OTHER = "other"


def likeness(command: Sequence[str] | None, seen: str) -> Likeness:
    """Return how like a command the words of a process are.

    Args:
        command: Its program and arguments, as the job has them; None where it is not known.
        seen: The process's words.
    """
    if command is None or not seen:
        return Likeness.OTHER
    return _likeness(tuple(command), seen)


@lru_cache(maxsize=256)
def _likeness(command: tuple[str, ...], seen: str) -> Likeness:
    program, *args = command
    name = program if "${" in program else program.rpartition("/")[2]
    if _ends_in([name, *args], seen):
        return Likeness.SAME
    # A script is too long a command line for more than a word of it to be another's by chance.
    bare = _BETWEEN.sub("", seen)
    derived = any(
        _fits(_FILLED_IN.split("".join(args[at:])), seen) for at in range(len(args)) if args[at]
    ) or any(_begins(words, bare) for text in args if bare for words in _tails(text[:MOST_TEXT]))
    return Likeness.DERIVED if derived else Likeness.OTHER


def _ends_in(words: Sequence[str], seen: str) -> bool:
    first, *rest = _FILLED_IN.split("".join(words))
    if not rest:
        return seen.endswith(first)
    at = seen.find(first)
    return at >= 0 and _fits([first, *rest], seen[at:])


def _fits(pieces: Sequence[str], seen: str) -> bool:
    """Whether the pieces are all that is in a text, with anything between them."""
    first, *rest = pieces
    if not rest:
        return seen == first
    if not seen.startswith(first):
        return False
    at, last = len(first), len(seen) - len(rest[-1])
    for piece in rest[:-1]:
        if (found := seen.find(piece, at)) < 0:
            return False
        at = found + len(piece)
    return at <= last and seen.endswith(rest[-1])


def _tails(text: str) -> Iterator[list[str]]:
    """Return the words of a script from each of them on."""
    words = [word for word in _BETWEEN.split(_BY_SHELL.sub(_ANYTHING, text)) if word]
    if len(words) > 1:
        yield from (words[at:] for at in range(len(words)))


def _begins(words: Sequence[str], seen: str) -> bool:
    """Whether some whole words from the first are a text, where what is filled in is anything."""
    if words[0].startswith(_ANYTHING) or not seen.startswith(words[0].split(_ANYTHING)[0]):
        return False
    joined = ""
    for word in words:
        joined += word
        pieces = joined.split(_ANYTHING)
        if _fits(pieces, seen):
            return True
        if not seen.startswith(pieces[0]) or sum(map(len, pieces)) > len(seen):
            return False
    return False
