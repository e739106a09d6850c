"""Writes printable text to a screen: wrapping, wide characters, marks, and whole lines at once.

Pure. What makes plain output fast is here: once the cursor stands on the last row, lines that
need no more than scrolling go from the input into the history without ever becoming cells.
"""

from nomad_magic.terminal.cellwidth import RUN, UNUSUAL
from nomad_magic.terminal.screen import EMPTY, SKIPPED, Screen
from nomad_magic.terminal.style import DEFAULT, Style, erased

_MOST_MARKS = 64
_WIDE, _MARKS, _NO_CHARACTERS = 2, 3, 4


class Printer:
    """The pen over a screen, with the modes that matter to it.

    Attributes:
        screen: where it writes; its cursor may stand one past the last column, which means that
            the next character wraps (as xterm.js does it), or two, behind a mark of no width.
        pen: the style of what is written.
        characters: the character set in use as a `str.translate` table; `None` is ASCII.
        autowrap, insert, newline: DECAWM, IRM and LNM; with `newline` a line feed also returns.
        last: cells that the character just before took, 0 if there is none to join or repeat.
    """

    def __init__(self, screen: Screen, *, newline: bool) -> None:
        self.screen = screen
        self.pen: Style = DEFAULT
        self.characters: dict[int, int] | None = None
        self.autowrap = True
        self.insert = False
        self.last = 0
        self.newline = newline

    def text(self, run: str) -> None:
        """Write `run`: printable characters, carriage returns and line feeds."""
        if self.characters is not None:
            run = run.translate(self.characters)
        if "\n" not in run:
            if "\r" in run:
                self._returns(run)
            else:
                self._print(run)
            return
        # A chunk may begin or end within a pair of CR and LF; the rest can still go fast.
        if run[0] == "\n":
            self.line_feed()
            run = run[1:]
        body = run.removesuffix("\r")
        feeds, pairs, returns = body.count("\n"), body.count("\r\n"), body.count("\r")
        if returns == pairs and (self.newline or pairs == feeds):
            self._whole_lines(body.replace("\r\n", "\n").split("\n"))
        else:
            first, *others = body.split("\n")
            self._returns(first)
            for line in others:
                self.line_feed()
                self._returns(line)
        if len(body) < len(run):
            self._returns("\r")

    def line_feed(self) -> None:
        """Go down one row, scrolling at the end of the region."""
        screen = self.screen
        self.last = 0
        if self.newline:
            screen.x = 0
        if screen.y == screen.bottom:
            screen.scroll(erased(self.pen))
        elif screen.y < screen.height - 1:
            screen.y += 1
            screen.row.wrapped = False
        if screen.x >= screen.width:
            screen.x -= 1

    def repeat(self, count: int) -> None:
        """Write the character before once more, `count` times."""
        if self.last:
            text = self.screen.row.cell(self.screen.x - self.last)
            if text not in {"", EMPTY, SKIPPED}:
                self._print(text * count)

    def _returns(self, run: str) -> None:
        if "\r" not in run:
            if run:
                self._print(run)
            return
        first, *others = run.split("\r")
        if first:
            self._print(first)
        for text in others:
            self.screen.x = self.last = 0
            if text:
                self._print(text)

    def _whole_lines(self, lines: list[str]) -> None:
        """Write `lines` with a new line, column 0, between each two."""
        screen = self.screen
        self._returns(lines[0])
        for at in range(1, len(lines)):
            screen.x = 0
            self.line_feed()
            if len(lines) - at > 2 and self._at_the_end():
                self._scroll_in_lines(lines[at:])
                return
            if lines[at]:
                self._print(lines[at])

    def _at_the_end(self) -> bool:
        """Whether all that the next lines do is scroll."""
        screen = self.screen
        return (
            screen.y == screen.height - 1
            and screen.whole
            and not self.insert
            and self.autowrap
            and self.pen.bg is None
            and screen.x == 0
            and screen.row.blank
        )

    def _scroll_in_lines(self, lines: list[str]) -> None:
        """The same as `_whole_lines` for a cursor that is `_at_the_end`."""
        screen = self.screen
        width = screen.width
        together = "".join(lines)
        if not together.isascii() and UNUSUAL.search(together):
            for at, line in enumerate(lines):
                if at:
                    screen.x = 0
                    self.line_feed()
                if line:
                    self._print(line)
            return
        rows, wraps = lines, bytes(len(lines))
        if max(map(len, lines)) > width:
            rows, flags = [], bytearray()
            for line in lines:
                pieces = [line[at : at + width] for at in range(0, len(line), width)] or [""]
                rows += pieces
                flags += b"\0" + b"\1" * (len(pieces) - 1)
            wraps = bytes(flags)
        if rows[0]:
            screen.row.write(0, rows[0], self.pen)
        screen.scroll_in(rows[1:], self.pen, wraps[1:])
        screen.x = len(rows[-1])
        self.last = 1 if rows[-1] else 0

    def _print(self, run: str) -> None:
        screen = self.screen
        if not self.autowrap and not self.last and screen.x < screen.width:
            screen.row.part(screen.x, self.pen)
        if run.isascii():
            end = screen.x + len(run)
            if end <= screen.width and not self.insert:
                screen.row.write(screen.x, run, self.pen)
                screen.x, self.last = end, 1
            else:
                self._narrow(run)
            return
        for found in RUN.finditer(run):
            kind, text = found.lastindex, found[0]
            if kind == _WIDE:
                self._wide(text)
            elif kind == _MARKS:
                self._marks(text)
            else:
                self._narrow("\ufffd" * len(text) if kind == _NO_CHARACTERS else text)

    def _narrow(self, text: str) -> None:
        """Write characters of one cell each."""
        screen, pen = self.screen, self.pen
        width, end, at = screen.width, len(text), 0
        self.last = 1
        while at < end:
            if self._hides():
                screen.x = width
                return
            if screen.x >= width:
                if not self.autowrap:
                    at, screen.x = end - 1, width - 1
                elif end - at > 2 * width and self._can_scroll():
                    rows = [text[start : start + width] for start in range(at, end, width)]
                    screen.scroll_in(rows, pen, b"\1" * len(rows))
                    screen.x = len(rows[-1])
                    return
                else:
                    self._wrap()
            x = screen.x
            piece = text[at : at + width - x]
            if self.insert:
                screen.row.part(x, pen)
                screen.row.insert(x, len(piece), width, pen)
            screen.row.write(x, piece, pen)
            screen.x = x + len(piece)
            at += len(piece)

    def _hides(self) -> bool:
        """Whether what comes now is not seen: xterm.js puts it behind half a wide character."""
        screen = self.screen
        return (
            not self.autowrap
            and not self.insert
            and screen.x >= screen.width - 1
            and screen.row.cell(screen.width - 1) == ""
        )

    def _can_scroll(self) -> bool:
        screen = self.screen
        return screen.y == screen.height - 1 and screen.whole and self.pen.bg is None

    def _wide(self, text: str) -> None:
        """Write characters of two cells each."""
        screen, pen = self.screen, self.pen
        width, at = screen.width, 0
        self.last = 2
        while at < len(text):
            if screen.x + 2 > width:
                if not self.autowrap:
                    # No wide character fits behind this one either.
                    screen.x = width - 1
                    return
                if screen.x < width:
                    screen.row.put(screen.x, SKIPPED, pen)
                self._wrap()
            piece = text[at : at + (width - screen.x) // 2]
            cells = [cell for character in piece for cell in (character, "")]
            if self.insert:
                screen.row.part(screen.x, pen)
                screen.row.insert(screen.x, len(cells), width, pen)
            screen.row.put(screen.x, cells, pen)
            screen.x += len(cells)
            at += len(piece)

    def _marks(self, text: str) -> None:
        """Write characters of no width: to the one before, or in cells of their own."""
        screen = self.screen
        if self.last and screen.x:
            row = screen.row
            if self.last == 1 and row.cell(screen.x - 1) == "":
                return  # the character that they belong to is hidden
            if self.last == _WIDE and "" not in (row.cell(screen.x - 1), row.cell(screen.x)):
                # There was no room for a wide one, but what they join now is as wide as that.
                row.put(screen.x, [""], self.pen)
            row.join(screen.x - 1, text, _MOST_MARKS)
            return
        width, at = screen.width, 0
        while at < len(text):
            # Having no width, a mark finds room even where a row is full, but is not seen there.
            if screen.x > width:
                if self.autowrap:
                    self._wrap()
                else:
                    screen.x = width - 1
            own = text[at : at + width + 1 - screen.x]
            if screen.x < width:
                screen.row.put(screen.x, own[: width - screen.x], self.pen)
            screen.x += len(own)
            at += len(own)

    def _wrap(self) -> None:
        screen = self.screen
        screen.x = 0
        if screen.y == screen.bottom:
            screen.scroll(erased(self.pen), wrapped=True)
        else:
            screen.y = min(screen.y + 1, screen.height - 1)
            screen.row.wrapped = True
