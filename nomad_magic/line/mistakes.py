"""What a line that is refused was probably meant to say: hints for an error.  Pure.

The CLI's words name the rule that was broken; a hint says what to write.  It shows flags, and no
value: a value may be a secret.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from nomad_magic.go import parse_bool
from nomad_magic.line.flag_table import BY_NAME
from nomad_magic.line.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from nomad_magic.line.flag_table import Flag

SHAPE: Final = (
    "A whole line: %nomad_action -job=<id> -group=<name> -task=<name> <action> "
    "(%nomad_actions lists those that there are, %nomad_action -help explains the flags)"
)

ESCAPE: Final = "The escape character is ~ unless the line says another; -e=none is none."

REQUIRED: Final = ("job", "group", "task")

# Names that other programs have for the same, where ours is not like them.
_HABITS: Final = {"tty": "t", "interactive": "i", "stdin": "i", "escape": "e", "ns": "namespace"}
_LETTERS: Final = frozenset({"i", "t"})
_SWITCHES: Final = {"yes": True, "on": True, "no": False, "off": False}
_COMMAND: Final = ("nomad", "job", "action")


def unknown_flag(name: str) -> str:
    """Return what a flag that does not exist was meant to be.

    Args:
        name: Without its dash, and without a value.
    """
    if len(name) > 1 and _LETTERS.issuperset(name):
        apart = " ".join(f"-{letter}" for letter in dict.fromkeys(name))
        return f"Flags of one letter are not written as one: write {apart}"
    meant = _HABITS.get(name.lower()) or nearest(name, BY_NAME)
    return f"Did you mean -{meant}?" if meant else "%nomad_action -help lists the flags."


def no_value(flag: Flag) -> str:
    """Return how a flag is written whose value is missing, at the end of a line."""
    return f"Write {_form(flag)}, and the action after the flags."


def no_boolean(name: str) -> str:
    """Return how a flag is written that is on or off."""
    return f"Write -{name} or -{name}=false"


def no_stdin(*, by_default: bool) -> str:
    """Return how a line is written that passes no stdin.

    Args:
        by_default: The line has no -t: the terminal is there because someone can type.
    """
    if by_default:
        return "-t is the default where someone can type: write -i=false -t=false"
    return "A terminal needs stdin: leave out -t, or -i=false"


def misread(values: Mapping[str, str], words: Sequence[str]) -> str:
    """Return what in a line was not read as it was meant; empty where nothing shows it.

    Args:
        values: The flags that were given, by the table's names, as text.
        words: The action and what follows it.
    """
    return next(_of_flags(values), "") or next(_of_words(values, words), "")


def of_action(action: str, switched_on: Collection[str]) -> str:
    """Return what a word that was read as the action was meant to be; empty for a plain name.

    Args:
        action: The word.
        switched_on: The names of the flags without a value that stand before it.
    """
    if _is_dash(action[:1]):
        return f"A flag does not begin with {action[0]} (U+{ord(action[0]):04X}): write -"
    name, equals, _ = action.partition("=")
    if equals and name in BY_NAME:
        return f"A flag begins with a dash: write {_form(BY_NAME[name])}"
    wanted = _SWITCHES.get(action.lower(), parse_bool(action))
    if wanted is None or not switched_on:
        return ""
    names = [f"-{name}" for name in switched_on]
    takes = "takes" if len(names) == 1 else "take"
    example = names[-1] if wanted else f"{names[-1]}=false"
    return f"{' and '.join(names)} {takes} no separate value: write {example}"


def _of_flags(values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        flag = BY_NAME[name]
        if flag.kind == "boolean":
            continue
        if taken := _flag_in(value):
            yield f"-{name} took -{taken.name} as its value: write {_form(flag)}"
        if value.startswith("="):
            yield f"There is a blank before the = of -{name}: write {_form(flag)}"
        if not value and name in REQUIRED:
            yield f"-{name} has an empty value; a blank after its = would end it too."


def _of_words(values: Mapping[str, str], words: Sequence[str]) -> Iterator[str]:
    if not words:
        return
    on = [name for name, value in values.items() if _is_on(name, value)]
    yield from _of_command(words)
    if said := of_action(words[0], on):
        yield said
    late = [flag.name for word in words[1:] if (flag := _flag_in(word))]
    if late:
        stands = "stands" if len(late) == 1 else "stand"
        listed = ", ".join(f"-{name}" for name in dict.fromkeys(late))
        yield f"Flags stand before the action: {listed} {stands} after it."


def _of_command(words: Sequence[str]) -> Iterator[str]:
    """Say that the command itself was written behind the magic's name."""
    for start in range(len(_COMMAND)):
        command = _COMMAND[start:]
        if tuple(words[: len(command)]) == command and len(words) > len(command):
            yield f"Leave out {' '.join(command)!r}: the flags come first."


def _is_on(name: str, value: str) -> bool:
    return BY_NAME[name].kind == "boolean" and value == "true"


def _flag_in(word: str) -> Flag | None:
    """Return the flag that a word looks like; None for any other word."""
    if not word.startswith("-"):
        return None
    return BY_NAME.get(word.removeprefix("-").removeprefix("-").partition("=")[0])


def _is_dash(character: str) -> bool:
    """Whether it is a dash of typography, as word processors and web pages make of `-`."""
    return character not in ("", "-") and (
        unicodedata.category(character) == "Pd" or character == "\N{MINUS SIGN}"
    )


def _form(flag: Flag) -> str:
    return f"-{flag.name}=<{flag.value}>" if flag.value else f"-{flag.name}"
