r"""The output of a program line by line, each as a terminal shows it once its end has come.

Pure.  A line ends with a line feed; what a carriage return, a backspace or a cursor that moves in
it has overwritten is not in it.  What comes later changes no line that was given: a program that
moves back up to an earlier line, as a table of progress bars does, gives its lines once more.

A terminal that had all of it before it shows the same lines, as long as nothing moves up.
"""

import re
from typing import Final

from nomad_magic.terminal import Terminal
from nomad_magic.terminal.cellwidth import table
from nomad_magic.terminal.folding import joined
from nomad_magic.terminal.style import DEFAULT, MOST_PARAMETER_TEXT, Line

LONGEST: Final = 1 << 20
"""How long a line may be, in characters; a longer one comes in pieces of about that."""

_NOT_PLAIN: Final = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")
"""What does more than to stand in a line or to end one."""

_SGR: Final = re.compile(r"\x1b\[([0-9:;]*)m")
"""What changes the style of what follows, and nothing else."""

_MOST_PIECES: Final = 1 << 12
"""In how many pieces a line waits for its end."""


class Lines(Terminal):
    """A terminal that gives its lines away as they end.

    Args:
        width: columns.
        newline: a line feed also returns to the first column, as for `Terminal`.
        longest: how long a line may be, in characters.
    """

    def __init__(self, width: int = 80, *, newline: bool = False, longest: int = LONGEST) -> None:
        super().__init__(width, newline=newline)
        self._longest = longest
        # The text of the line that has not ended; mostly it need never be written to the screen.
        self._waiting: list[str] = []
        self._waits = 0
        self._fed = False
        self._gave = False
        self._open = False
        """The last line that was given goes on."""

    def take(self, text: str) -> list[tuple[str, bool]]:
        """Take more output; return the lines that have ended.

        Returns:
            Each line, and whether it goes on in the next one: it was longer than it may be.
        """
        whole, feed, rest = text.rpartition("\n")
        done: list[tuple[str, bool]] = []
        if feed:
            self._waiting.append(whole)
            done = self._ended(self._waited())
        if rest:
            self._waiting.append(rest)
            self._waits += len(rest)
        if self._waits > self._longest:
            self.feed(self._waited())
            if len(self._normal.history) * self._normal.width > self._longest:
                done += self._given(more=True)
        elif len(self._waiting) > _MOST_PIECES:
            self._waiting = ["".join(self._waiting)]
        self._gave = self._gave or bool(done)
        return done

    def finish(self) -> list[tuple[str, bool]]:
        """Return what has come of a line that has not ended, once no more will come."""
        self.feed(self._waited())
        done = self._given(at_least=int(self._open))
        if not (done or self._gave):
            # As the record: a full-screen program takes its screen away when it ends.
            done = [(_text(line), False) for line in self.last_alternate]
        return done

    def text(self, run: str) -> None:
        """Write printable characters, carriage returns and line feeds."""
        super().text(run)
        self._fed = self._fed or "\n" in run

    def control(self, character: str) -> None:
        """Do what one control character asks for."""
        super().control(character)
        self._fed = self._fed or character == "\n"

    def _waited(self) -> str:
        text = "".join(self._waiting)
        self._waiting, self._waits = [], 0
        return text

    def _ended(self, text: str) -> list[tuple[str, bool]]:
        """Return the lines of a text that was cut before its last line feed."""
        lines = text.split("\n")
        if self._idle and self._is_plain(text):
            # Nothing of it changes anything, and a terminal shows it as it is.
            return [(line.rstrip(" \r"), False) for line in lines]
        done: list[tuple[str, bool]] = []
        for line in lines:
            if self._idle and (shown := self._shown_at_once(line)) is not None:
                done.append((shown, False))
                continue
            self._fed = False
            self.feed(f"{line}\n")
            # In the middle of a title, say, a line feed ends nothing.
            if self._fed:
                done += self._given(at_least=self._above())
        return done

    def _shown_at_once(self, line: str) -> str | None:
        """Return a line of text and colours as it is shown; None where that takes a terminal."""
        text = _SGR.sub("", line)
        if not self._is_plain(text):
            return None
        shown = text.rstrip("\r")
        if len(text) != len(line):
            # A coloured blank at the end is one, and a background may fill what is below.
            if shown.endswith(" ") or len(shown) > self._out.screen.width:
                return None
            for parameters in _SGR.findall(line):
                self.sgr(parameters[:MOST_PARAMETER_TEXT])
        return shown.rstrip(" ")

    def _is_plain(self, text: str) -> bool:
        r"""Whether every line of a text, the last one's `\n` left out, is shown as it stands."""
        text += "\n"
        if not self._out.newline and text.count("\n") != text.count("\r\n"):
            return False
        if _NOT_PLAIN.search(text):
            return False
        return text.isascii() or not table().unusual.search(text)

    @property
    def _idle(self) -> bool:
        """Whether a plain line would be shown as it is, and leave everything as it was."""
        out, screen = self._out, self._out.screen
        return (
            self._parser.idle
            and not (screen.x or screen.y or screen.history)
            and screen is self._normal
            and screen.whole
            and screen.row.blank
            and out.pen is DEFAULT
            and out.characters is None
            and out.autowrap
            and not out.insert
        )

    def _above(self) -> int:
        """Return how many lines stand above the cursor, empty ones too."""
        screen = self._out.screen
        rows = bytes(row.wrapped for row in screen.rows[: screen.y])
        return (bytes(screen.wraps) + rows)[1:].count(0) + 1

    def _given(self, *, at_least: int = 0, more: bool = False) -> list[tuple[str, bool]]:
        """Take all lines off the screen.

        Args:
            at_least: How many there are, empty ones at their end included.
            more: The last one has not ended.
        """
        screen = self._out.screen
        if screen is self._normal:
            used = screen.height
            while used and screen.rows[used - 1].blank:
                used -= 1
            rows = [*screen.history, *(row.freeze() for row in screen.rows[:used])]
            wraps = bytes(screen.wraps) + bytes(row.wrapped for row in screen.rows[:used])
            lines = list(map(_text, joined(rows, wraps)))
        else:
            used = screen.height
            lines = list(map(_text, self.lines()))
            self._normal.clear(0, used, DEFAULT)
            self._normal.forget()
        lines += [""] * (at_least - len(lines))
        screen.forget()
        screen.clear(0, used, DEFAULT)
        screen.y = 0
        if more:
            screen.x = 0
        self._open = more
        return [(line, more and at == len(lines) - 1) for at, line in enumerate(lines)]


def _text(line: Line) -> str:
    return "".join(span.text for span in line)
