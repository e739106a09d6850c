"""What can be offered at the cursor from the line alone: commands, flags, on and off.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from nomad_magic.line.unfinished import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nomad_magic.line.grammar import Option
    from nomad_magic.line.unfinished import Unfinished


class Offer(NamedTuple):
    """Something to put at the cursor.

    Attributes:
        text: As it is meant, not quoted.
        about: What it is, in a few words; may be empty.
    """

    text: str
    about: str = ""


_ASKED: Final = frozenset({"job", "group", "task", "alloc", "namespace", "region"})

_COMMANDS: Final = {
    ("job", "action"): "Runs an action of a job",
    ("action",): "The same, shorter",
    ("start",): "Starts an embedded agent",
    ("stop",): "Ends it",
    ("status",): "Says whether one runs",
}


def of_line(line: Unfinished) -> list[Offer]:
    """Return what the line alone tells, what is most likely first."""
    match line.place:
        case Place.COMMAND:
            found = [
                Offer(" ".join(one[len(line.commands) :]), _COMMANDS.get(one, ""))
                for one in line.grammar.commands
                if one[: len(line.commands)] == line.commands
            ]
        case Place.FLAG:
            found = list(_flags(line))
        case Place.WORD if not line.typed and _goes_on(line):
            found = list(_flags(line))
        case Place.VALUE if line.option is not None and not line.option.value:
            found = [Offer("true"), Offer("false")]
        case Place.VALUE if line.option is not None and line.option.name == "e":
            found = [Offer("none", "No escape character")]
        case _:
            found = []
    return [offer for offer in found if offer.text.startswith(line.typed)]


def asks(line: Unfinished) -> bool:
    """Whether a cluster can tell what is to be typed."""
    if line.place is Place.VALUE:
        return line.option is not None and line.option.name in _ASKED
    return line.place is Place.WORD and line.grammar.takes == "action"


def names_a_file(line: Unfinished) -> bool:
    """Whether it is the name of a file or a folder that is to be typed."""
    if line.place is Place.VALUE:
        return line.option is not None and line.option.value in ("file", "folder")
    return line.place is Place.WORD and line.grammar.takes != "action" and _goes_on(line)


def missing(line: Unfinished) -> bool:
    """Whether the line lacks a flag that it does not do without."""
    return any(True for _ in _missing(line))


def _missing(line: Unfinished) -> Iterator[str]:
    for name in line.grammar.needs:
        if name not in line.seen and (name == "job" or "alloc" not in line.seen):
            yield name


def _goes_on(line: Unfinished) -> bool:
    """Whether anything follows the words of the command."""
    return line.grammar.takes != "file" or line.commands == ("start",)


def _flags(line: Unfinished) -> Iterator[Offer]:
    """Return the flags that the line does not have yet, those first that it needs."""
    if not _goes_on(line):
        return
    needed = set(_missing(line))
    dashes = "--" if line.typed.startswith("--") else "-"
    for option in sorted(line.grammar.options, key=lambda one: one.name not in needed):
        if option.name in line.seen and not line.typed.strip("-"):
            continue
        names = (option.name, *(option.synonyms if line.typed.strip("-") else ()))
        for name in names:
            for form, about in _forms(option, name):
                yield Offer(dashes + form, about)


def _forms(option: Option, name: str) -> tuple[tuple[str, str], ...]:
    if option.value:
        return ((f"{name}=", option.help),)
    return option.forms if name == option.name else ((name, option.help),)
