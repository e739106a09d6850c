"""Writes printable text to a screen: wrapping, wide characters, marks, and whole lines at once.

Pure. What makes plain output fast is here: once the cursor stands on the last row, lines that
need no more than scrolling go from the input into the history without ever becoming cells.
"""

from itertools import groupby

from nomad_magic.terminal.cellwidth import (
    JOINER,
    LINKER,
    MARK,
    MARK_RUN,
    MOST_JOINED,
    NO_CHARACTERS,
    STATES,
    WIDE_ASTRAL_RUN,
    WIDE_RUN,
    WIDTHS,
    Join,
    fits,
    table,
)
from nomad_magic.terminal.screen import EMPTY, SKIPPED, Screen
from nomad_magic.terminal.style import DEFAULT, Style, erased

_OPEN = {JOINER, LINKER}
_WIDE_RUNS = {WIDE_RUN, WIDE_ASTRAL_RUN}
_RUNS = (MARK_RUN, 1, WIDE_RUN)  # by the width of a single character


class Printer:
    """The pen over a screen, with the modes that matter to it.

    Attributes:
        screen: where it writes; its cursor may stand one past the last column, which means that
            the next character wraps (as xterm.js does it), or two, behind a mark of no width.
        pen: the style of what is written.
        characters: the character set in use as a `str.translate` table; `None` is ASCII.
        autowrap, insert, newline: DECAWM, IRM and LNM; with `newline` a line feed also returns.
        last: cells that the cluster just before took, 0 if there is none to join or repeat.
    """

    def __init__(self, screen: Screen, *, newline: bool) -> None:
        self.screen = screen
        self.pen: Style = DEFAULT
        self.characters: dict[int, int] | None = None
        self.autowrap = True
        self.insert = False
        self.last = 0
        self.newline = newline
        # Where `last` is not 0: the text whose last character is that cluster, or "" where others
        # have joined it, and then the state that it is in by that and how many they are.
        self._tail = ""
        self._state = 0
        self._joined = 0

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
        if not together.isascii() and table().unusual.search(together):
            self._scroll_in_clusters(lines)
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
        self._tail = rows[-1]
        self.last = 1 if rows[-1] else 0

    def _scroll_in_clusters(self, lines: list[str]) -> None:
        """The same where not every character is one cell: lines that fit become no cells either."""
        screen = self.screen
        if lines[0]:
            self._print(lines[0])
        for fitting, some in groupby(lines[1:-1], lambda line: fits(line, screen.width)):
            if fitting:
                texts = list(some)
                screen.scroll_in(texts, self.pen, bytes(len(texts)), clusters=True)
            else:
                for line in some:
                    self._next(line)
        self._next(lines[-1])

    def _next(self, line: str) -> None:
        self.screen.x = 0
        self.line_feed()
        if line:
            self._print(line)

    def _print(self, run: str) -> None:
        screen = self.screen
        if not self.autowrap and not self.last and screen.x < screen.width:
            screen.row.part(screen.x, self.pen)
        if run.isascii():
            end = screen.x + len(run)
            if end <= screen.width and not self.insert:
                screen.row.write(screen.x, run, self.pen)
                screen.x, self.last, self._tail = end, 1, run
            else:
                self._narrow(run)
            return
        for found in table().runs.finditer(run):
            self._alike(found[0], found.lastindex)

    def _alike(self, text: str, kind: int | None) -> None:
        """Write what `table().runs` found: characters of one kind."""
        if kind == MARK_RUN:
            self._marks(text)
            return
        if (kind is None or (not self._tail and self._state in _OPEN)) and self._joins(text[0]):
            # It joins what is before it; behind a joiner that may be the first of any run.
            text = text[1:]
            if not text:
                return
        if kind is None:
            kind = _RUNS[WIDTHS[table().kinds[ord(text)]]]
        if kind == MARK_RUN:
            self._marks(text)
        elif kind in _WIDE_RUNS:
            self._wide(text)
        else:
            self._narrow("\ufffd" * len(text) if kind == NO_CHARACTERS else text)

    def _joins(self, character: str) -> bool:
        """Whether `character` is part of the cluster before it now."""
        if not (self.last and self.screen.x):
            return False
        join = self._rule(table().kinds[ord(character)])
        if join:
            self._join(character, join)
        return join is not None

    def _rule(self, kind: int) -> Join | None:
        """What becomes of the cluster before if a character of `kind` comes."""
        kinds, joins = table().kinds, table().joins
        state = kinds[ord(self._tail[-1])] if self._tail else self._state
        return joins[state * STATES + kind]

    def _narrow(self, text: str) -> None:
        """Write characters of one cell each."""
        screen, pen = self.screen, self.pen
        width, end, at = screen.width, len(text), 0
        self.last, self._tail = 1, text
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
        self.last, self._tail = 2, text
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

    def _join(self, text: str, join: Join) -> None:
        """Add `text` to the cluster before it, as long as there is room for it."""
        joined = 0 if self._tail else self._joined
        text = text[: MOST_JOINED - joined]
        if not text:
            return
        self._tail, self._state, self._joined = "", join.state, joined + len(text)
        screen, row = self.screen, self.screen.row
        if join.width > self.last:
            self.last = 2
            if screen.x >= screen.width:
                if not self.autowrap:
                    # As with a wide character that does not fit.
                    screen.x = screen.width - 1
                    return
                self._carry()
                row = screen.row
            row.join(screen.x - 1, text, MOST_JOINED)
            row.put(screen.x, [""], self.pen)
            screen.x += 1
            return
        if self.last == 1 and row.cell(screen.x - 1) == "":
            return  # the character that they belong to is hidden
        at = screen.x - 1
        if self.last == 2 and "" not in (row.cell(at), row.cell(at + 1)):
            # There was no room for a wide one, but what they join now is as wide as that.
            if WIDTHS[table().kinds[ord(row.cell(at)[0])]] == 0:
                # xterm.js takes a mark in a cell of its own for the second half of a wide one.
                if at == 0:
                    return
                at -= 1
            row.put(at + 1, [""], self.pen)
        row.join(at, text, MOST_JOINED)

    def _carry(self) -> None:
        """Take the character in the last cell along to the next row, where it has room to grow."""
        screen = self.screen
        x = screen.width - 1
        text, pen = screen.row.cell(x), screen.row.pen(x)
        screen.row.put(x, SKIPPED, self.pen)
        self._wrap()
        screen.row.put(0, [text], pen)
        screen.x = 1

    def _marks(self, text: str) -> None:
        """Write characters of no width: to the one before, or in cells of their own."""
        screen = self.screen
        if self.last and screen.x:
            if join := self._rule(MARK):
                self._join(text, join)
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
