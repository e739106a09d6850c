"""Which runs are to be confirmed: `namespace=prod*`, `job=cache action=flush*`.  Pure.

A pattern is words of the form FIELD=GLOB, all of which must hold; of several patterns one is
enough.  It is held against what a run has come to, not against what was typed.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple

from nomad_magic.errors import SettingsError
from nomad_magic.line.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FIELDS: Final = ("address", "namespace", "job", "action")
"""What a pattern may speak of."""

_HOW: Final = (
    "A pattern is FIELD=GLOB, or several of them with blanks between: namespace=prod*, "
    "job=cache action=flush*.  The fields are address, namespace, job and action; * stands for "
    "any characters, ? for one, and in names [abc] for one of these."
)

_NEVER: Final = {
    "namespace": re.compile(r"[^\w*?\[\]!-]", re.ASCII),
    "address": re.compile(r"[\s\"'`,;|={}]"),
    "job": re.compile(r"[\s\"'`,;|={}]"),
    "action": re.compile(r"[\s\"'`,;|={}]"),
}
"""What in a glob is most likely no part of a name: a pattern that never matches asks for nothing,
and nobody would know."""


class Pattern(NamedTuple):
    """One pattern.

    Attributes:
        text: As it was written.
        globs: Each field that it speaks of, with its glob.
    """

    text: str
    globs: tuple[tuple[str, str], ...]

    def matches(self, values: Mapping[str, Iterable[str]]) -> bool:
        """Whether it holds for a run.

        Args:
            values: What each field is, in every form that it has.
        """
        return all(
            any(_fits(name, value, glob) for value in values[name]) for name, glob in self.globs
        )


def _fits(name: str, value: str, glob: str) -> bool:
    if name == "address":
        # Of an address neither scheme nor host tell cases apart, and brackets stand in it.
        return fnmatchcase(value.lower(), glob.lower().replace("[", "[[]"))
    return fnmatchcase(value, glob)


def first_match(patterns: Iterable[Pattern], values: Mapping[str, Iterable[str]]) -> Pattern | None:
    """Return the first pattern that holds for a run; None where none does."""
    return next((pattern for pattern in patterns if pattern.matches(values)), None)


def parse(texts: Sequence[str]) -> tuple[Pattern, ...]:
    """Read patterns.

    Raises:
        SettingsError: One is none.
    """
    if isinstance(texts, str):
        raise SettingsError(
            f"confirm is a list of patterns, and {texts!r} is one", hint=f"Write [{texts!r}]."
        )
    if not isinstance(texts, list | tuple):
        raise SettingsError(f"confirm is a list of patterns, and {texts!r} is none", hint=_HOW)
    return tuple(map(_parse, texts))


def _parse(text: object) -> Pattern:
    if not isinstance(text, str):
        raise _bad(text, "it is no text")
    globs: dict[str, str] = {}
    for word in text.split():
        name, equals, glob = word.partition("=")
        if not equals:
            raise _bad(text, f"{word} has no =")
        if name not in FIELDS:
            meant = nearest(name, FIELDS)
            maybe = f" Did you mean {meant}?" if meant else ""
            raise _bad(text, f"there is no field {name or 'without a name'}.{maybe}")
        if name in globs:
            raise _bad(text, f"{name} stands in it twice; for either of two write two patterns")
        if not glob:
            raise _bad(text, f"{name} is to be nothing; * is anything")
        if odd := _NEVER[name].search(glob):
            raise _bad(
                text,
                f"{odd[0]} in {glob}: no {name} has it, so that it would match nothing; "
                "? stands for any character",
            )
        if name != "address" and glob.count("[") != glob.count("]"):
            raise _bad(text, f"a bracket in {glob} has no other")
        globs[name] = glob
    if not globs:
        raise _bad(text, "it is empty")
    return Pattern(" ".join(text.split()), tuple(globs.items()))


def _bad(text: object, why: str) -> SettingsError:
    return SettingsError(f"confirm: {text!r} is no pattern: {why}", hint=_HOW)
