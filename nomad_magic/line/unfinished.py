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
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nomad_magic.line.grammar import Grammar, Option

    Look = Callable[[str], str]

UNKNOWN: Final = "\0"
"""What stands in a word for the value of an expression: no word that is typed has it."""

_BLANKS: Final = " \t"
_NO_WORDS: Final = "|;<>()&`\r\n"
_ESCAPED_IN_DOUBLE_QUOTES: Final = '$`"\\{}'
_LINE_END: Final = re.compile(r"\\\r?\n")
_NAME: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\{)")
_SAFE: Final = re.compile(r"[\w@%+=:,./-]*", re.ASCII)
_IN_DOUBLE_QUOTES: Final = re.compile(r'[$`"\\{}]')


class Word(NamedTuple):
    """A word of a line.

    Attributes:
        text: What it says, with `UNKNOWN` where that is not known.
        start: Where it begins, and `end` where it ends.
        quote: The quote that is open at its end.
        python: Where the variable's name or the expression begins that it ends in; -1 for none.
    """

    text: str
    start: int
    end: int
    quote: str = ""
    python: int = -1


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


def split(text: str, look: Look) -> list[Word] | None:
    """Split a line into words; None where something in it is no plain word.

    Args:
        text: The line.
        look: As for `read`.
    """
    splitter = _Splitter(text, look)
    try:
        while splitter.at < len(text):
            splitter.step()
    except _NoWordError:
        return None
    splitter.end_word(quote=splitter.quote)
    return splitter.words


class _NoWordError(Exception):
    """There is something that a shell would do, or a comment."""


class _Splitter:
    """One pass over one text."""

    def __init__(self, text: str, look: Look) -> None:
        self.text = text
        self.look = look
        self.at = 0
        self.words: list[Word] = []
        self.quote = ""
        self.start: int | None = None
        self.pieces: list[str] = []
        self.python = -1

    def step(self) -> None:
        character = self.text[self.at]
        if self.quote == "'":
            self._single_quoted()
        elif continued := _LINE_END.match(self.text, self.at):
            # Between two words it belongs to neither.
            self.at = continued.end()
        elif character == "\\":
            self._backslash()
        elif character == '"':
            self.quote = "" if self.quote else '"'
            self._add("", 1)
        elif character in "{}":
            self._brace(character)
        elif character == "$":
            self._dollar()
        elif self.quote:
            self._add(character, 1)
        else:
            self._unquoted(character)

    def end_word(self, quote: str = "") -> None:
        if self.start is not None:
            text = "".join(self.pieces)
            self.words.append(Word(text, self.start, self.at, quote, self.python))
        self.start, self.pieces, self.python = None, [], -1

    def _unquoted(self, character: str) -> None:
        if character in _BLANKS:
            self.end_word()
            self.at += 1
        elif character in _NO_WORDS or (character == "#" and self.start is None):
            raise _NoWordError
        elif character == "'":
            self.quote = "'"
            self._add("", 1)
        elif character == "~" and self.start is None and self.text.startswith("~/", self.at):
            self._add(self._value("HOME"), 1)
        else:
            self._add(character, 1)

    def _add(self, piece: str, length: int) -> None:
        if self.start is None:
            self.start = self.at
        self.pieces.append(piece)
        self.at += length

    def _single_quoted(self) -> None:
        end = self.text.find("'", self.at)
        if end < 0:
            self._add(self.text[self.at :], len(self.text) - self.at)
        else:
            self._add(self.text[self.at : end], end + 1 - self.at)
            self.quote = ""

    def _backslash(self) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if self.quote and following not in _ESCAPED_IN_DOUBLE_QUOTES:
            self._add("\\", 1)
        else:
            self._add(following, 1 + len(following))

    def _brace(self, character: str) -> None:
        if self.text.startswith(("{{", "}}"), self.at):
            self._add(character, 2)
        elif character == "}":
            self._add("}", 1)
        else:
            end = self._end_of_expression()
            if end < 0:
                self._inside(1)
                return
            inner = self.text[self.at + 1 : end].strip()
            value = self._value(inner) if inner.isidentifier() else UNKNOWN
            self._add(value, end + 1 - self.at)

    def _end_of_expression(self) -> int:
        depth = 0
        for at in range(self.at, len(self.text)):
            depth += {"{": 1, "}": -1}.get(self.text[at], 0)
            if not depth:
                return at
        return -1

    def _dollar(self) -> None:
        found = _NAME.match(self.text, self.at)
        if found is None and self.at + 1 < len(self.text):
            self._add("$", 1)
        elif found is None:
            self._inside(1, "$")
        elif found[1] is None and found[2] is None:
            self._inside(2)
        elif found[1] is not None and found.end() == len(self.text):
            # Its name may go on.
            self._inside(1, self._value(found[1]))
        else:
            self._add(self._value(found[1] or found[2]), len(found[0]))

    def _inside(self, signs: int, value: str = UNKNOWN) -> None:
        """Take all that is left as what stands behind the signs of Python."""
        self.python = self.at + signs
        self._add(value, len(self.text) - self.at)

    def _value(self, name: str) -> str:
        try:
            return self.look(name)
        except KeyError:
            return UNKNOWN
