"""The name that a word was probably meant to be, among those that there are.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SHOWN: Final = 10
"""How many names a hint lists."""

SHORTEST: Final = 3
"""How short a name may be (characters) for a longer word to be meant as it."""

LONGEST: Final = 100
"""Of a longer word (characters) no name is the nearest: comparing takes the product of both."""


def nearest(word: str, names: Iterable[str]) -> str:
    """Return the name that is most like a word; empty when none is.

    Case and `_` for `-` do not count.  A word that only one name begins with is that name, as is
    one that begins with a name.
    """
    # Only a mistake needs it.
    from difflib import get_close_matches  # noqa: PLC0415 - see above

    wanted = _folded(word)
    if not wanted or len(wanted) > LONGEST:
        return ""
    by_form: dict[str, str] = {}
    for name in names:
        by_form.setdefault(_folded(name), name)
    if wanted in by_form:
        return by_form[wanted]
    longer = [form for form in by_form if form.startswith(wanted)]
    shorter = [form for form in by_form if len(form) >= SHORTEST and wanted.startswith(form)]
    if len(longer) == 1:
        return by_form[longer[0]]
    if shorter:
        return by_form[max(shorter, key=len)]
    close = get_close_matches(wanted, by_form, n=1)
    return by_form[close[0]] if close else ""


def listed(names: Collection[str]) -> str:
    """Return the names in order, with commas; of many the first, and how many more there are."""
    ordered = sorted(map(visible_name, set(names)))
    more = len(ordered) - SHOWN
    return ", ".join(ordered[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _folded(word: str) -> str:
    return word.lower().replace("_", "-")
