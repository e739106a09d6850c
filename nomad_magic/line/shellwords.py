r"""The line of a magic, split into words as a POSIX shell would, with Python in it.

What is a shell's (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html,
2.2 Quoting):

- Blanks part words; pieces that touch are one word; `''` is an empty word.
- Single quotes keep everything.  Double quotes keep everything but `$`, `{` and a backtick;
  in them a backslash takes away the meaning of `$`, a backtick, `"`, `\`, and also of `{` and
  `}`; before any other character it stays.
- Outside quotes a backslash takes the next character as it is.
- A backslash at the end of a line continues it, in double quotes too.
- `#` at the start of a word begins a comment, to the end of the line.
- `~` at the start of a word and before a `/` is `$HOME`.  Any other `~` stays.
- `&` at the end of the line asks for the background.

What is ours:

- `$NAME` and `${NAME}` are a Python variable, else an environment variable; `{expr}` is
  Python, up to the first `}` with which it is an expression.  Both outside quotes and in double
  quotes.  The value becomes text with `str`, stays one word with whatever blanks it has, stays
  a word when it is empty, and is never expanded again.  A shell would split it and drop it.
- `{{` is `{` and `}}` is `}`, as in an f-string; a lone `}` stays.
- `*`, `?` and `[` are plain characters: there are no files to match.
- What a shell would do and this does not is an error that says what to write instead: pipes,
  redirections, several commands, `$(…)`, `${NAME:-…}`, `$1`.  None is left as a plain
  character, for it would be taken for an argument that the CLI ignores.

An error names variables, expressions and columns (counted from 1), and no value: a value may
be a secret.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from nomad_magic.errors import LineError

if TYPE_CHECKING:
    from collections.abc import Callable

    Look = Callable[[str], object]


class Line(NamedTuple):
    """A line split into words.

    Attributes:
        words: The words, with everything expanded.
        background: Whether the line ends in `&`.
    """

    words: tuple[str, ...]
    background: bool = False


def split(
    text: str, *, variables: Callable[[str], object], evaluate: Callable[[str], object]
) -> Line:
    """Split a line into words.

    Args:
        text: The line; with its continuation lines, when it has some.
        variables: Gives the value of a name; KeyError when there is none.
        evaluate: Gives the value of a Python expression; may raise anything.

    Raises:
        LineError: The line does not split, or something in it does not expand.  Where the
            expansion failed in Python, that exception is the cause.
    """
    return _Splitter(text, variables, evaluate).run()


def join_continuation(line: str, body: str) -> tuple[str, str]:
    r"""Move the lines that continue a cell's first line from its body to it.

    Args:
        line: The cell's first line, without its line end.
        body: The rest of the cell.

    Returns:
        The whole line, its backslashes and line ends kept for `split`, and the rest of the
        body.  A line that does not split for another reason is left as it is: `split` says why.

    Raises:
        LineError: The last line of the cell ends in a `\` that continues it.
    """
    while True:
        splitter = _Splitter(line, lambda _: "", lambda _: "")
        with suppress(LineError):
            splitter.run()
        if not splitter.waits:
            return line, body
        if not body:
            raise LineError("the line ends in a \\ and the cell has no further line")
        following, _, body = body.partition("\n")
        line = f"{line}\n{following.removesuffix(chr(13))}"


_BLANKS = " \t"
_LINE_END = re.compile(r"\r?\n")
_ESCAPED_IN_DOUBLE_QUOTES = '$`"\\{}'
_OPERATOR = re.compile(r"&&|&>>?|\|\||\|&|<<<|<<-?|<&|<>|<|>>|>&|>\||>|[|;()&]")
# Possessive, so that a long row of # takes no longer than its length.
_REST_IS_EMPTY = re.compile(r"(?:[ \t]|\r?\n|(?<=[ \t\n&])#[^\n]*+)*+\Z")
_DIGITS_BEFORE = re.compile(r"(?<![^ \t])[0-9]+\Z")
_BRACED_NAME = re.compile(r"\$\{([^{}]*)\}")
_BAD_DOLLAR = re.compile(r"\$(?:[0-9]+|[(?@*#!$-])")

_QUOTE_IT = "To keep it as it is, put it in single quotes or a \\ before it."
_SEVERAL = "One line runs one action. Give each a cell: an action that fails stops Run All."
_REDIRECT = "No shell runs this line. Keep the result, r = %nomad_action …, then r.save(path)."

# By the operator, else by its first character.
_INSTEAD = {
    "|": (
        "No shell runs this line. Keep the result, r = %nomad_action …, and go on in Python"
        " with r.stdout, r.lines or r.json()."
    ),
    "<": "No shell runs this line. Begin the cell with %%nomad_action: its body is stdin.",
    ">": _REDIRECT,
    "&>": _REDIRECT,
    "&>>": _REDIRECT,
    ";": _SEVERAL,
    "&&": _SEVERAL,
    "||": _SEVERAL,
    "&": "An & asks for the background, and stands at the end of the line.",
    "(": "No shell runs this line, so there is no subshell either.",
    ")": "No shell runs this line, so there is no subshell either.",
}


class _Splitter:
    """One pass over one text."""

    def __init__(self, text: str, variables: Look, evaluate: Look) -> None:
        self.text = text
        self.variables = variables
        self.evaluate = evaluate
        self.at = 0
        self.words: list[str] = []
        # The pieces of the word that is being read; None between words.
        self.word: list[str] | None = None
        self.background = False
        # Whether the text ends in a backslash that another line would follow.
        self.waits = False

    def run(self) -> Line:
        while self.at < len(self.text):
            self.step()
        self.end_word()
        return Line(tuple(self.words), self.background)

    def step(self) -> None:
        """Read what stands at `at`, outside quotes."""
        character = self.text[self.at]
        if character in _BLANKS:
            self.end_word()
            self.at += 1
        elif _LINE_END.match(self.text, self.at):
            self.line_end()
        elif character == "#" and self.word is None:
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        elif character == "\\":
            self.backslash(quoted=False)
        elif character == "'":
            self.single_quotes()
        elif character == '"':
            self.double_quotes()
        elif character == "~" and self.word is None and self.text.startswith("~/", self.at):
            self.add(self.value_of("HOME", "~"), 1)
        elif operator := _OPERATOR.match(self.text, self.at):
            self.operator(operator.group())
        else:
            self.expand()

    def add(self, piece: str, length: int) -> None:
        """Put a piece on the word, and go on `length` characters further."""
        if self.word is None:
            self.word = []
        self.word.append(piece)
        self.at += length

    def end_word(self) -> None:
        if self.word is not None:
            self.words.append("".join(self.word))
            self.word = None

    def line_end(self) -> None:
        if not _REST_IS_EMPTY.match(self.text, self.at):
            raise LineError(
                f"the line ends at {self.place(self.at)}, and something follows it",
                hint="A \\ at the very end of a line continues it on the next.",
            )
        self.end_word()
        self.at = len(self.text)

    def operator(self, operator: str) -> None:
        after = self.at + len(operator)
        if operator == "&" and _REST_IS_EMPTY.match(self.text, after):
            self.end_word()
            self.background = True
            self.at = len(self.text)
            return
        instead = _INSTEAD.get(operator) or _INSTEAD[operator[0]]
        # The digits of 2> belong to the operator when they are a word of their own.
        digits = _DIGITS_BEFORE.search(self.text, 0, self.at) if operator[0] in "<>" else None
        start = digits.start() if digits else self.at
        raise LineError(
            f"{self.text[start:after]} at {self.place(start)} means nothing here",
            hint=f"{instead} {_QUOTE_IT}",
        )

    def backslash(self, *, quoted: bool) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        line_end = _LINE_END.match(self.text, self.at + 1)
        if line_end:
            self.at = line_end.end()
        elif not following:
            raise self.open_end()
        elif quoted and following not in _ESCAPED_IN_DOUBLE_QUOTES:
            self.add("\\", 1)
        else:
            self.add(following, 2)

    def single_quotes(self) -> None:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise self.open_quote("'", self.at)
        self.add(self.text[self.at + 1 : end], end + 1 - self.at)

    def double_quotes(self) -> None:
        start = self.at
        self.add("", 1)
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                return
            if character == "\\":
                self.backslash(quoted=True)
            else:
                self.expand()
        raise self.open_quote('"', start)

    def expand(self) -> None:
        """Read what means the same outside quotes and in double quotes."""
        character = self.text[self.at]
        if self.text.startswith(("{{", "}}"), self.at):
            self.add(character, 2)
        elif character == "{":
            self.expression()
        elif character == "$":
            self.dollar()
        elif character == "`":
            raise LineError(
                f"` at {self.place(self.at)}: no command is run inside a line",
                hint=f"{{expr}} puts in the value of a Python expression. {_QUOTE_IT}",
            )
        else:
            self.add(character, 1)

    def dollar(self) -> None:
        name = self.name_at(self.at + 1)
        if name:
            self.add(self.value_of(name, f"${name}"), 1 + len(name))
            return
        braced = _BRACED_NAME.match(self.text, self.at)
        if braced and braced[1] and self.name_at(braced.start(1)) == braced[1]:
            self.add(self.value_of(braced[1], braced[0]), len(braced[0]))
            return
        bad = _BAD_DOLLAR.match(self.text, self.at)
        if bad or self.text.startswith("${", self.at):
            form = bad[0] if bad else braced[0] if braced else "${"
            raise LineError(
                f"{form} at {self.place(self.at)} means nothing here",
                hint=(
                    "$NAME and ${NAME} put in a variable, {expr} the value of a Python"
                    f" expression. {_QUOTE_IT}"
                ),
            )
        self.add("$", 1)

    def name_at(self, start: int) -> str:
        """The longest name that begins at `start`; empty when none does."""
        end = start
        while end < len(self.text) and self.text[start : end + 1].isidentifier():
            end += 1
        return self.text[start:end]

    def value_of(self, name: str, form: str) -> str:
        try:
            value = self.variables(name)
        except KeyError:
            if form == "~":
                form, whose = "~/", "the name HOME"
            else:
                whose = "this name"
            raise LineError(
                f"{form}: no Python variable and no environment variable has {whose}",
                hint=_QUOTE_IT,
            ) from None
        return self.as_text(value, form)

    def expression(self) -> None:
        source, end = self.find_expression()
        form = f"{{{source}}}"
        try:
            value = self.evaluate(source)
        except LineError:
            raise
        except Exception as error:
            raise LineError(f"{form}: {_what_happened(error, source)}") from error
        self.add(self.as_text(value, form), end - self.at)

    def find_expression(self) -> tuple[str, int]:
        """The Python after the `{` at `at`, and where the line goes on after its `}`."""
        failed: list[tuple[str, str]] = []
        end = self.text.find("}", self.at)
        while end >= 0:
            source = self.text[self.at + 1 : end].strip()
            if not source:
                raise LineError(
                    f"{{}} at {self.place(self.at)} holds no expression",
                    hint="To keep it as it is, put it in single quotes: '{}'.",
                )
            reason = _why_no_expression(source)
            if not reason:
                return source, end + 1
            failed.append((source, reason))
            end = self.text.find("}", end + 1)
        if (len(self.text) - len(self.text.rstrip("\\"))) % 2:
            raise self.open_end()
        if not failed:
            raise LineError(f"{{ at {self.place(self.at)} has no }} after it", hint=_QUOTE_IT)
        # The one whose braces match is most likely the one that was meant.
        matched = (pair for pair in failed if pair[0].count("{") == pair[0].count("}"))
        source, reason = next(matched, failed[0])
        raise LineError(
            f"{{{source}}} at {self.place(self.at)} is not a Python expression: {reason}",
            hint=_QUOTE_IT,
        )

    def as_text(self, value: object, form: str) -> str:
        try:
            return str(value)
        except Exception as error:
            raise LineError(f"{form}: {_what_happened(error, form)}") from error

    def open_end(self) -> LineError:
        self.waits = True
        return LineError(
            f"the \\ at {self.place(len(self.text) - 1)} is the last character",
            hint="It continues the line on the next one; '\\' in single quotes is a plain one.",
        )

    def open_quote(self, quote: str, at: int) -> LineError:
        return LineError(f"the quote {quote} opened at {self.place(at)} is not closed")

    def place(self, at: int) -> str:
        """Where a character stands, as an error says it."""
        line_start = self.text.rfind("\n", 0, at) + 1
        column = f"column {at - line_start + 1}"
        line = self.text.count("\n", 0, at) + 1
        return f"line {line}, {column}" if line > 1 else column


def _why_no_expression(source: str) -> str:
    """Python's reason not to take the source for an expression; empty when it does."""
    try:
        compile(source, "<line>", "eval", dont_inherit=True)
    except SyntaxError as error:
        return error.msg or "invalid syntax"
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        return f"{type(error).__name__}: Python cannot read it"
    return ""


# The messages of these name variables, attributes and types.  Those of others can hold a value:
# int("s3cret") and {}["s3cret"] name it.
_NAMES_NO_VALUE = frozenset(
    {AttributeError, IndexError, NameError, TypeError, UnboundLocalError, ZeroDivisionError}
)


def _what_happened(error: Exception, source: str) -> str:
    """The exception as an error may show it, without any value that the source does not show."""
    kind = type(error).__name__
    if type(error) in _NAMES_NO_VALUE:
        return f"{kind}: {error}"
    if type(error) is KeyError and isinstance(key := error.args[0], str) and repr(key) in source:
        return f"{kind}: {key!r}"
    return f"{kind} (its message is left out: it may hold a secret)"
