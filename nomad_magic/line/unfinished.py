r"""A line that is still being typed: what stands at the cursor, and what the line says already.

It is read as `shellwords` and `flags` read a whole one, but nothing in it is an error: a quote may
be open, a flag may be half of its name.  No Python in it is evaluated; a variable is looked up.
Pure.
"""

from __future__ import annotations

import enum
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nomad_magic.line.open_words import UNKNOWN, Word, split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nomad_magic.line.grammar import Grammar, Option
    from nomad_magic.line.open_words import Look

_SAFE: Final = re.compile(r"[\w@%+=:,./-]*", re.ASCII)
_IN_DOUBLE_QUOTES: Final = re.compile(r'[$`"\\{}]')


class Place(enum.Enum):
    """What is to be typed at the cursor."""

    COMMAND = "a word of the command"
    FLAG = "a flag"
    VALUE = "the value of a flag"
    WORD = "what follows the flags, or a flag"
    PYTHON = "a variable or an expression"
    NOTHING = "nothing that is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """What stands at the cursor, and what the line says already.

    Attributes:
        place: What is to be typed.
        grammar: Of the line.
        option: The flag whose value it is.
        typed: What of it was typed, unquoted; of a flag with its dashes.
        start: Where in the text what was typed of it begins; all from there is replaced.
        quote: The quote that it begins with.
        before: What is to be put before it, where more than it must be replaced.
        commands: The words of the command so far.
        given: The flags' values that are known.
        seen: The flags that the line has, whatever their value.
        word: The action, where it stands after the cursor.
    """

    place: Place
    grammar: Grammar
    option: Option | None = None
    typed: str = ""
    start: int = 0
    quote: str = ""
    before: str = ""
    commands: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    seen: frozenset[str] = frozenset()
    word: str = ""

    def written(self, text: str) -> str:
        """Return a word as it is written here, quoted where it needs to be."""
        if self.place in (Place.COMMAND, Place.PYTHON):
            return text
        whole = self.before + text
        if self.quote == '"':
            return '"' + _IN_DOUBLE_QUOTES.sub(r"\\\g<0>", whole) + '"'
        if self.quote == "'":
            quoted = shlex.quote(whole)
            return quoted if quoted != whole else f"'{whole}'"
        # An equals sign needs no quotes, and all before it stays as it is.
        return whole if _SAFE.fullmatch(whole) else shlex.quote(whole)


def read(text: str, after: str, grammar: Grammar, look: Look) -> Unfinished:
    """Read a line.

    Args:
        text: From behind the magic's name to the cursor.
        after: From the cursor to the end of the line.
        grammar: Of the magic.
        look: Returns the text of a variable; KeyError where it has none that may be shown.
    """
    words = split(text, look)
    if words is None:
        return Unfinished(place=Place.NOTHING, grammar=grammar)
    if not words or words[-1].end < len(text):
        words = [*words, Word("", len(text), len(text))]
    *whole, current = words
    if current.python >= 0:
        return _in_python(text, current.python, grammar)
    return _Reader(grammar, look).read(text, whole, current, after)


def _in_python(text: str, start: int, grammar: Grammar) -> Unfinished:
    """Return what stands at a cursor in the name of a variable, or in an expression."""
    name = re.search(r"(?<![\w.])[^\W\d]\w*\Z|(?<![\w.])\Z", text[start:])
    place = Place.NOTHING if name is None else Place.PYTHON
    typed = name[0] if name else ""
    return Unfinished(place=place, grammar=grammar, start=len(text) - len(typed), typed=typed)


class _Reader:
    """Reads the words of one line, by Go's rules for flags."""

    def __init__(self, grammar: Grammar, look: Look) -> None:
        self.grammar = grammar
        self.look = look
        self.given: dict[str, str] = {}
        self.seen: set[str] = set()
        self.commands: tuple[str, ...] = ()
        # The flag whose value is the next word.
        self.waiting: Option | None = None
        self.flags_ended = False
        self.words: list[str] = []

    def read(self, text: str, whole: Sequence[Word], current: Word, after: str) -> Unfinished:
        rest = list(whole)
        if self.grammar.commands:
            at = 0
            while at < len(rest) and self._goes_on((*self.commands, rest[at].text)):
                self.commands += (rest[at].text,)
                at += 1
            rest = rest[at:]
            if self.commands not in self.grammar.commands:
                place = Place.NOTHING if rest else Place.COMMAND
                return self._at(text, place, current)
        for word in rest:
            self._take(word.text)
        return self._current(text, current, after)

    def _goes_on(self, commands: tuple[str, ...]) -> bool:
        return any(one[: len(commands)] == commands for one in self.grammar.commands)

    def _take(self, word: str) -> None:
        """Take a whole word."""
        if self.waiting is not None:
            self._give(self.waiting, word)
            self.waiting = None
        elif self.flags_ended or len(word) < 2 or not word.startswith("-"):
            self.words.append(word)
            # The agent's flags and files come in any order.
            self.flags_ended = self.flags_ended or self.grammar.takes != "file"
        elif word == "--":
            self.flags_ended = True
        else:
            name, equals, value = word[2 if word.startswith("--") else 1 :].partition("=")
            option = self.grammar.option(name)
            if option is None:
                return
            if option.value and not equals:
                self.waiting = option
            else:
                self._give(option, value if equals else "true")

    def _give(self, option: Option, value: str) -> None:
        self.seen.add(option.name)
        self.given.pop(option.name, None)
        if UNKNOWN not in value:
            self.given[option.name] = value

    def _current(self, text: str, current: Word, after: str) -> Unfinished:
        """Say what stands at the cursor."""
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            self._take_after(after, current)
            return self._at(text, Place.VALUE, current, option=waiting)
        typed = current.text
        if self.words and self.grammar.takes != "file":
            # What follows the action has no effect.
            return self._at(text, Place.NOTHING, current)
        if self.flags_ended or not typed.startswith("-"):
            if not self.flags_ended:
                self._take_after(after, current)
            return self._at(text, Place.WORD, current)
        name, equals, _ = typed.lstrip("-").partition("=")
        self._take_after(after, current)
        if not equals:
            return self._at(text, Place.FLAG, current)
        option = self.grammar.option(name)
        if option is None:
            return self._at(text, Place.NOTHING, current)
        return self._at(text, Place.VALUE, current, option=option)

    def _take_after(self, after: str, current: Word) -> None:
        """Take the words behind the cursor too; what touches it belongs to the word there."""
        if current.quote:
            return
        words = split(after, self.look) or []
        if words and words[0].start == 0:
            words = words[1:]
        if words and words[-1].quote:
            words.pop()
        for word in words:
            self._take(word.text)

    def _at(
        self, text: str, place: Place, current: Word, *, option: Option | None = None
    ) -> Unfinished:
        typed, start, before = current.text, current.start, ""
        if place is Place.VALUE and self._has_flag(typed, option):
            before, equals, typed = typed.partition("=")
            before += equals
            if text.startswith(before, start):
                start, before = start + len(before), ""
        if UNKNOWN in typed or UNKNOWN in before:
            place = Place.NOTHING
        quote = text[start : start + 1]
        return Unfinished(
            place=place,
            grammar=self.grammar,
            option=option,
            typed=typed,
            start=start,
            quote=quote if quote in ("'", '"') else "",
            before=before,
            commands=self.commands,
            given=self.given,
            seen=frozenset(self.seen),
            word=next((word for word in self.words if UNKNOWN not in word), ""),
        )

    @staticmethod
    def _has_flag(typed: str, option: Option | None) -> bool:
        """Whether a word is a flag with its value, and not a value of its own."""
        name = typed.lstrip("-").partition("=")[0]
        return (
            option is not None
            and typed.startswith("-")
            and "=" in typed
            and name in (option.name, *option.synonyms)
        )
