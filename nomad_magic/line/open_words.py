r"""The words of a line that is still being typed, where each stands, and what is open at its end.

They are read as `shellwords` reads those of a whole line; a test holds the two against each other.
Nothing is an error, and no Python is evaluated.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

Look = Callable[[str], str]
"""Returns the text of a variable; KeyError where it has none that may be shown."""

UNKNOWN: Final = "\0"
"""What stands in a word for the value of an expression: no word that is typed has it."""

_BLANKS: Final = " \t"
_NO_WORDS: Final = "|;<>()&`\r\n"
_ESCAPED_IN_DOUBLE_QUOTES: Final = '$`"\\{}'
_LINE_END: Final = re.compile(r"\\\r?\n")
_NAME: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\{)")


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
