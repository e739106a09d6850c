r"""Turns the output of a program on a terminal into the lines that the terminal would show.

Pure: text in, lines with their styles out. The reference for what a row shows is xterm.js 6 with
the widths of `cellwidth.py`; its sources in turn are ECMA-48, the VT220 manual
(https://vt100.net/docs/vt220-rm/) and xterm's "Control Sequences"
(https://invisible-island.net/xterm/ctlseqs/ctlseqs.html). How sequences are told apart stands in
`escapes.py`, what a style is in `style.py`; rows and screens are in `screen.py`, text is written
by `printing.py`, and all the rest that a program can ask for is in `controls.py`.

A repeat count (REP) is bounded by the width, every other count by the size of the screen, and at
most 64 characters join one: here as in the live view (`frontend/src/guard.js`).

Known differences to xterm.js, all of them deliberate (those in what a row shows are held by
`tests/browser/test_rows.py`, each with its reason):

* of the national character sets only the British one and the DEC line drawing are there;
* reverse wraparound (`?45`) and protected cells (DECSCA) are not there;
* with autowrap off (DECAWM), what xterm.js hides behind half a wide character is dropped, and
  marks that come where a wide one found no room may stay with another character;
* an underline or a link that DECRC ended does not come back with the next SGR 0, 4 or 58;
* a lone surrogate is shown as U+FFFD, so that every line can be written as UTF-8;
* a row that loses the row above it (IL, DL, a scroll region) is no longer its continuation.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from nomad_magic.terminal.controls import PLACES, SETS, SHIFTS, Controls
from nomad_magic.terminal.escapes import Parser
from nomad_magic.terminal.folding import joined, single
from nomad_magic.terminal.screen import Frozen
from nomad_magic.terminal.style import DEFAULT, Colour, Line, Span, Style, Styles, parameters

__all__ = ["DEFAULT", "Colour", "Line", "Span", "Style", "Terminal"]

_SLICE = 1 << 16  # characters worked on at a time, so that a huge feed needs no second copy
_FAR = 1 << 16  # larger than any screen: a larger parameter means no more than this one
_LINK = re.compile(r"(?:https?|mailto):[^\s\x7f]{1,2083}", re.IGNORECASE)


class Terminal(Controls):
    """A terminal that only listens.

    Args:
        width: columns, at least 2.
        height: rows, at least 1.
        newline: a line feed also returns to the first column. For output that did not come
            through a pty, whose line discipline would have added the carriage return.

    Attributes:
        last_alternate: the lines of the alternate screen when it was last left; empty if it never
            was. While it is on, `lines` has it at its end instead.
    """

    def __init__(
        self,
        width: int = 80,
        height: int = 24,
        *,
        newline: bool = False,
    ) -> None:
        super().__init__(max(width, 2), max(height, 1), newline=newline)
        self._parser = Parser(self)
        self._styles = Styles()

    def feed(self, text: str, *, marked: bool = False) -> None:
        """Take more output. Sequences may be cut anywhere between two calls; never raises.

        `marked` is what the style of all that it writes says.
        """
        if self._out.pen.marked is not marked:
            pen = replace(self._out.pen, marked=marked)
            self._out.pen = DEFAULT if pen == DEFAULT else pen
        for start in range(0, len(text), _SLICE):
            self._parser.feed(text[start : start + _SLICE])

    def lines(self) -> list[Line]:
        """All lines: a row that went on in the next one only because it was full is one with it.

        Empty lines at the end are left off. If the alternate screen is on, its lines follow.
        """
        return self._fold(joined)

    def rows(self) -> list[Line]:
        """The same row by row, as they stand on the screen and above it."""
        return self._fold(single)

    def _fold(self, fold: Callable[[list[Frozen], bytes], list[Line]]) -> list[Line]:
        lines = fold(*self._normal.frozen())
        return lines if self._on_normal else lines + fold(*self._alternate.frozen())

    # What the parser hands over.

    def text(self, run: str) -> None:
        """Write printable characters, carriage returns and line feeds."""
        self._out.text(run)

    def control(self, character: str) -> None:
        """Do what one control character asks for."""
        screen = self._out.screen
        if character in "\n\x0b\x0c":
            self._out.line_feed()
        elif character == "\r":
            screen.x = 0
        elif character == "\b":
            self._clamp()
            screen.x = max(screen.x - 1, 0)
        elif character == "\t":
            self._tab(1)
        elif character in "\x0e\x0f":
            self._use_set(SHIFTS[character])
        elif character in self.c1:
            self.c1[character](self)
        self._out.last = 0

    def escape(self, sequence: str) -> None:
        """Do what an escape sequence asks for."""
        place, final = sequence[:-1], sequence[-1]
        if place in PLACES and final in SETS:
            self._sets[PLACES[place]] = SETS[final]
            if PLACES[place] == self._shift:
                self._use_set(self._shift)
        elif sequence in {"%@", "%G"}:
            self._sets[0] = None
            self._use_set(0)
        elif sequence in SHIFTS:
            self._use_set(SHIFTS[sequence])
        elif sequence in self.escapes:
            self.escapes[sequence](self)
        self._out.last = 0

    def sgr(self, parameters: str) -> None:
        """Change the style of what follows."""
        self._out.pen = self._styles.sgr(self._out.pen, parameters)
        self._out.last = 0

    def csi(self, name: str, parameters_text: str) -> None:
        """Do what a control sequence asks for."""
        if name in self.sequences:
            values = [min(part[0], _FAR) for part in parameters(parameters_text)]
            self.sequences[name](self, values)
        self._out.last = 0

    def osc(self, command: str) -> None:
        """Begin or end a hyperlink (https://github.com/Alhadis/OSC8-Adoption); drop the rest."""
        self._out.last = 0
        number, _, rest = command.partition(";")
        if number == "8" and ";" in rest:
            link = rest.partition(";")[2]
            self._out.pen = replace(self._out.pen, link=link if _LINK.fullmatch(link) else None)
            if self._out.pen == DEFAULT:
                self._out.pen = DEFAULT
