"""Characters: names, numbers, blanks, comments, and what stands in quotes and heredocs."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Final

from nomad_magic.agent.hcl.nodes import HclError

MAX_DEPTH: Final = 50
"""How deep a file may nest, in blocks and in expressions."""

MAX_PIECES: Final = 200_000
"""How many blocks and expressions a file may have."""

_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
MAX_EXPONENT: Final = 400
"""How many zeros a number may have: written out, it is that long."""

_SIMPLE: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_BLANKS: Final = " \t"
_HEX_DIGITS: Final = {"u": 4, "U": 8}


class Scanner:
    """Walks through a text.

    Attributes:
        text: All of it.
        at: How many characters have been taken.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._depth = 0
        self._pieces = 0

    def fail(self, words: str, at: int | None = None) -> HclError:
        """Return the error to raise, at a place or here."""
        return HclError(self.at if at is None else at, words)

    def peek(self, length: int = 1) -> str:
        """Return the next characters."""
        return self.text[self.at : self.at + length]

    def take(self, word: str) -> bool:
        """Take these characters if they come next."""
        if self.text.startswith(word, self.at):
            self.at += len(word)
            return True
        return False

    def expect(self, word: str, words: str) -> None:
        """Take these characters, or fail with the words."""
        if not self.take(word):
            raise self.fail(words)

    def down(self) -> None:
        """Go a level deeper, into a block or an expression."""
        self._depth += 1
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            raise self.fail(f"more than {MAX_PIECES:,} blocks and expressions")
        if self._depth > MAX_DEPTH:
            raise self.fail(f"nested more than {MAX_DEPTH} deep")

    def up(self) -> None:
        """Come back from it."""
        self._depth -= 1

    def skip(self, *, lines: bool) -> None:
        """Skip blanks and comments; the ends of lines too, where they mean nothing."""
        while True:
            char = self.peek()
            if char and char in _BLANKS:
                self.at += 1
            elif lines and self._newline():
                pass
            elif char == "#" or self.peek(2) == "//":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.peek(2) == "/*":
                end = self.text.find("*/", self.at + 2)
                if end < 0:
                    raise self.fail("a comment has no end")
                self.at = end + 2
            else:
                return

    def end_of_line(self) -> bool:
        """Take the end of a line, or see that of the file."""
        self.skip(lines=False)
        return self._newline() or self.at >= len(self.text)

    def name(self) -> str:
        """Take a name; empty where there is none."""
        start = self.at
        if self.peek() != "" and (self.peek() + "a").isidentifier():
            self.at += 1
            while (char := self.peek()) and (char == "-" or ("a" + char).isidentifier()):
                self.at += 1
        return self.text[start : self.at]

    def keyword(self, word: str) -> bool:
        """Take this word if it comes next, and is not the beginning of another."""
        start = self.at
        if self.name() == word:
            return True
        self.at = start
        return False

    def number(self) -> int | Decimal:
        """Take a number."""
        match = _NUMBER.match(self.text, self.at)
        assert match is not None  # noqa: S101 - for the type checker; a digit was seen
        try:
            value = whole(decimal_of(match[0]))
        except ValueError as error:
            raise self.fail(str(error)) from error
        self.at = match.end()
        return value

    def escape(self) -> str:
        """Take an escape sequence of a quoted string."""
        start = self.at
        selector = self.text[self.at + 1 : self.at + 2]
        if selector in _SIMPLE and selector:
            self.at += 2
            return _SIMPLE[selector]
        length = _HEX_DIGITS.get(selector)
        if length is None:
            raise self.fail(f"\\{selector} is not an escape sequence")
        digits = self.text[self.at + 2 : self.at + 2 + length]
        if not re.fullmatch(f"[0-9a-fA-F]{{{length}}}", digits):
            raise self.fail(f"\\{selector} needs {length} hexadecimal digits")
        self.at += 2 + length
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise self.fail(f"there is no character U+{code:x}", start)
        return chr(code)

    def quoted_label(self) -> str:
        """Take a block's label in quotes, in which nothing is filled in."""
        self.at += 1
        parts: list[str] = []
        while True:
            char = self.peek()
            if char in ("", "\n"):
                raise self.fail("a string has no end")
            if char == '"':
                self.at += 1
                return normal("".join(parts))
            if self.peek(2) in ("${", "%{"):
                raise self.fail("a template in a label")
            if char == "\\":
                parts.append(self.escape())
            elif self.peek(3) in ("$${", "%%{"):
                parts.append(self.peek(3)[1:])
                self.at += 3
            else:
                parts.append(char)
                self.at += 1

    def _newline(self) -> bool:
        return self.take("\n") or self.take("\r\n")


def decimal_of(text: str) -> Decimal:
    """Return the number that a text spells.

    Raises:
        ValueError: It is so large, so small or so exact that nobody means it.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:  # its exponent is larger than any
        number = Decimal("Infinity")
    most = MAX_EXPONENT
    if len(text) > 2 * most or not number.is_finite() or not -most <= number.adjusted() <= most:
        raise ValueError("a number of this size")
    return number


def whole(number: Decimal) -> int | Decimal:
    """Return a number as an int when it is whole."""
    return int(number) if number == number.to_integral_value() else number


def normal(text: str) -> str:
    """Return text in the form that HCL keeps all text in."""
    return unicodedata.normalize("NFC", text)
