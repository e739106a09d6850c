"""What may stand in the line of each of our magics, for who is still typing it.  Pure.

A magic that is to be completed is a row of `GRAMMARS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from nomad_magic.line.flag_table import FLAGS, FLEET_FLAGS, LISTING_FLAGS

if TYPE_CHECKING:
    from nomad_magic.line.flag_table import Flag


class Option(NamedTuple):
    """A flag of a line.

    Attributes:
        name: Without its dashes.
        value: What its value is called; empty for one that is on or off.
        help: What it does, in a sentence without its end.
        forms: How one that is on or off is written behind its dash, and what that does.
        synonyms: Its other names.
    """

    name: str
    value: str
    help: str
    forms: tuple[tuple[str, str], ...] = ()
    synonyms: tuple[str, ...] = ()


class Grammar(NamedTuple):
    """The line of a magic.

    Attributes:
        options: Its flags, those that it needs first.
        commands: The words that it begins with, as rows of alternatives; empty for none.
        takes: What follows the flags.
        needs: The flags that the line does not do without, unless `-alloc` is there.
    """

    options: tuple[Option, ...]
    commands: tuple[tuple[str, ...], ...] = ()
    takes: Literal["action", "file", "folder"] = "action"
    needs: tuple[str, ...] = ()

    def option(self, name: str) -> Option | None:
        """Return a flag by its name or a synonym."""
        return next((one for one in self.options if name in (one.name, *one.synonyms)), None)


_SWITCHES: Final = {
    # What is on already is only ever turned off.
    "i": (("i=false", "Pass no stdin to the action"),),
    "t": (
        ("t", "Run the action in a terminal"),
        ("t=false", "Run the action without a terminal"),
    ),
}


def _option(flag: Flag) -> Option:
    forms = () if flag.value else _SWITCHES.get(flag.name, ((flag.name, flag.summary),))
    return Option(flag.name, flag.value, flag.summary, forms, flag.synonyms)


_HELP: Final = Option("help", "", "Explains every flag", (("help", "Explains every flag"),), ("h",))


def _options(flags: tuple[Flag, ...]) -> tuple[Option, ...]:
    return (*map(_option, flags), _HELP)


_LENIENT: Final = "Leaves out what has no effect here"
_NEEDED: Final = ("job", "group", "task")
_ACTION: Final = Grammar(_options(FLAGS), needs=_NEEDED)

GRAMMARS: Final[dict[str, Grammar]] = {
    "nomad_action": _ACTION,
    "nomad": _ACTION._replace(commands=(("job", "action"), ("action",))),
    "nomad_action_all": Grammar(
        _options((*(flag for flag in FLAGS if flag.name != "alloc"), *FLEET_FLAGS)),
        needs=("job",),
    ),
    "nomad_actions": Grammar(_options(LISTING_FLAGS)),
    "nomad_agent": Grammar(
        (
            Option("var", "NAME=VALUE", "A variable of the job files"),
            Option("var-file", "file", "A file of such variables"),
            Option("lenient", "", _LENIENT, (("lenient", _LENIENT),)),
        ),
        commands=(("start",), ("stop",), ("status",)),
        takes="file",
    ),
    "nomad_runs": Grammar((), takes="folder"),
}
"""By the magic's name."""
