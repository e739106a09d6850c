"""The rows of a terminal: one screen, its cursor, its scroll region and what scrolled off it.

Pure. It knows nothing of escape sequences; `terminal.py` says what to do. A row that was only
ever written from left to right stays as a few pieces of text; it is opened into cells when
something changes its middle. A row that scrolls off is frozen: to a `str` when it is all in the
default style (nearly all output is), otherwise to a `Line`.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from nomad_magic.terminal.cellwidth import cells as cells_of
from nomad_magic.terminal.style import DEFAULT, Line, Span, Style

EMPTY = "\0"
"""A cell that nothing was written to. The second half of a wide character is the cell `""`."""
SKIPPED = "\1"
"""The last cell of a row, left over because a wide character had to go to the next row."""
TAB = 8

Frozen = str | Line
"""A row that changes no more. It may end in one `SKIPPED`."""


class Row:
    """One row. `wrapped`: it continues the row above, only because that was full."""

    __slots__ = ("_cells", "_clusters", "_pens", "_runs", "_size", "wrapped")

    def __init__(
        self,
        text: str = "",
        pen: Style = DEFAULT,
        *,
        wrapped: bool = False,
        clusters: bool = False,
    ) -> None:
        self._runs: list[tuple[str, Style]] = [(text, pen)] if text else []
        self._size = len(text)
        self._clusters = clusters  # there may be more or fewer cells than characters
        self._cells: list[str] | None = None
        self._pens: list[Style] = []
        self.wrapped = wrapped

    @property
    def blank(self) -> bool:
        """Whether nothing was written to it."""
        return self._cells is None and not self._runs

    def cell(self, x: int) -> str:
        """The text of the cell `x`, a number from 0."""
        cells = self._open()
        return cells[x] if x < len(cells) else EMPTY

    def pen(self, x: int) -> Style:
        """The style of the cell `x`."""
        self._open()
        return self._pens[x] if x < len(self._pens) else DEFAULT

    def join(self, x: int, marks: str, most: int) -> None:
        """Add zero-width `marks` to the character that ends at cell `x`, to `most` in all."""
        cells = self._open()
        if x < len(cells):
            x -= cells[x] == "" and x > 0
            cells[x] = (cells[x].strip(EMPTY + SKIPPED) + marks)[: most + 1]

    def write(self, x: int, text: str, pen: Style) -> None:
        """Write characters of one cell each, from cell `x` on."""
        end = x + len(text)
        if self._clusters:
            self._open()
        if x == 0 and end >= self._length():
            self._runs, self._size, self._cells = [(text, pen)], end, None
        elif self._cells is None and x >= self._size:
            if x > self._size:
                self._runs.append((EMPTY * (x - self._size), DEFAULT))
            self._runs.append((text, pen))
            self._size = end
        else:
            self.put(x, text, pen)

    def put(self, x: int, cells: Sequence[str], pen: Style) -> None:
        """Write `cells`, in which a wide character is followed by `""`, from cell `x` on."""
        own = self._open()
        end = x + len(cells)
        self.part(x, pen)
        self.part(end, pen)
        self._reach(x)
        own[x:end] = cells
        self._pens[x:end] = [pen] * len(cells)

    def erase(self, start: int, end: int, pen: Style) -> None:
        """Empty the cells from `start` to before `end`, which then show `pen`'s background."""
        if pen is DEFAULT:
            end = min(end, self._length())
        if start >= end:
            return
        if start == 0 and end >= self._length():
            self._cells = None
            self._runs = [] if pen is DEFAULT else [(EMPTY * end, pen)]
            self._size = 0 if pen is DEFAULT else end
        else:
            self.put(start, EMPTY * (end - start), pen)

    def insert(self, x: int, count: int, width: int, pen: Style) -> None:
        """Push the cells from `x` on to the right by `count`; what passes `width` is lost."""
        count = min(count, width - x)
        if count <= 0 or (pen is DEFAULT and x >= self._length()):
            return
        cells = self._open()
        if 0 < x < len(cells) and cells[x] == "":
            # Of a wide character in two the second half keeps its style.
            cells[x - 1 : x + 1] = [EMPTY, EMPTY]
            self._pens[x - 1] = pen
        self._reach(x)
        cells[x:x] = [EMPTY] * count
        self._pens[x:x] = [pen] * count
        self.part(width, pen)
        del cells[width:], self._pens[width:]

    def delete(self, x: int, count: int, width: int, pen: Style) -> None:
        """Pull the cells after `x + count` to the left over those from `x` on."""
        count = min(count, width - x)
        if count <= 0 or (pen is DEFAULT and x >= self._length()):
            return
        cells = self._open()
        self.part(x, pen)
        self.part(x + count, pen)
        if pen is not DEFAULT:
            self._reach(width)
        del cells[x : x + count], self._pens[x : x + count]
        if pen is not DEFAULT:
            cells.extend([EMPTY] * count)
            self._pens.extend([pen] * count)

    def part(self, x: int, pen: Style) -> None:
        """Make sure that no wide character stands on both sides of the edge before cell `x`."""
        cells = self._open()
        if 0 < x < len(cells) and cells[x] == "":
            cells[x - 1 : x + 1] = [EMPTY, EMPTY]
            self._pens[x - 1 : x + 1] = [pen, pen]

    def freeze(self) -> Frozen:
        """The row as it is now."""
        if self._cells is None:
            pieces = self._runs
        elif self._pens and self._pens.count(self._pens[0]) == len(self._pens):
            pieces = [("".join(self._cells), self._pens[0])]
        else:
            pieces = []
            at = 0
            for pen, same in groupby(self._pens):
                end = at + len(list(same))
                pieces.append(("".join(self._cells[at:end]), pen))
                at = end
        if not pieces:
            return ""
        if len(pieces) == 1 and pieces[0][1] is DEFAULT:
            return _shown(pieces[0][0], last=True)
        last = len(pieces) - 1
        return spans(
            [(_shown(text, last=at == last), pen) for at, (text, pen) in enumerate(pieces)]
        )

    def _length(self) -> int:
        if self._clusters:
            self._open()
        return self._size if self._cells is None else len(self._cells)

    def _open(self) -> list[str]:
        if self._cells is None:
            self._cells, self._pens = [], []
            for text, pen in self._runs:
                cells = cells_of(text) if self._clusters else text
                self._cells.extend(cells)
                self._pens.extend([pen] * len(cells))
            self._runs, self._clusters = [], False
        return self._cells

    def _reach(self, x: int) -> None:
        cells = self._open()
        if (short := x - len(cells)) > 0:
            cells.extend([EMPTY] * short)
            self._pens.extend([DEFAULT] * short)


def _shown(text: str, *, last: bool) -> str:
    if SKIPPED in text:
        kept = last and text.endswith(SKIPPED)
        text = text.replace(SKIPPED, " ")
        text = text[:-1] + SKIPPED if kept else text
    return text.replace(EMPTY, " ")


def spans(pieces: list[tuple[str, Style]]) -> Line:
    """`pieces` as a line: neighbours of one style joined, empty ones left out."""
    line = []
    at = 0
    while at < len(pieces):
        pen, texts = pieces[at][1], []
        while at < len(pieces) and (pieces[at][1] is pen or pieces[at][1] == pen):
            texts.append(pieces[at][0])
            at += 1
        if text := "".join(texts):
            line.append(Span(text, pen))
    return tuple(line)


class Saved(NamedTuple):
    """What DECSC keeps; `line` counts from the start of the history, as xterm.js does."""

    x: int
    line: int
    pen: Style
    characters: dict[int, int] | None


class Screen:
    """A screen of `height` rows and the history above it.

    `history` and `wraps` are the rows that scrolled off and whether each continues the one
    before. A screen that has no history at all, as the alternate one, is not `remembering`.
    """

    def __init__(self, width: int, height: int, *, remembering: bool = True) -> None:
        self.width, self.height = width, height
        self._remembering = remembering
        self.rows = [Row() for _ in range(height)]
        self.x = self.y = 0
        self.top, self.bottom = 0, height - 1
        self.tabs = set(range(0, width, TAB))
        self.history: list[Frozen] = []
        self.wraps = bytearray()
        self.base = 0  # rows that scrolled off since the screen or its history was cleared
        self.saved = Saved(0, 0, DEFAULT, None)

    @property
    def row(self) -> Row:
        """The row that the cursor is in."""
        return self.rows[self.y]

    @property
    def whole(self) -> bool:
        """Whether everything scrolls."""
        return self.top == 0 and self.bottom == self.height - 1

    def scroll(self, pen: Style, *, wrapped: bool = False) -> None:
        """Move the scroll region up by a row; its first row is history if it is the screen's."""
        gone = self.rows.pop(self.top)
        if self.top == 0:
            self._remember([gone.freeze()], bytes([gone.wrapped]))
        self.rows.insert(self.bottom, self._blank(pen))
        self.rows[self.bottom].wrapped = wrapped
        self._unwrap(self.top or self.height, self.bottom + 1)

    def scroll_in(
        self, texts: list[str], pen: Style, wraps: bytes, *, clusters: bool = False
    ) -> None:
        """Scroll once for each of `texts`, which become the new last rows in turn.

        `wraps` says for each whether it continues the one before. Only for a screen that is
        `whole`, and a `pen` without a background. With `clusters` each text is one that `fits`.
        """
        fresh = texts[-self.height :]
        start = len(texts) - len(fresh)
        old, self.rows = self.rows[: len(fresh)], self.rows[len(fresh) :]
        self._remember([row.freeze() for row in old], bytes(row.wrapped for row in old))
        if start and pen is DEFAULT:
            self._remember(texts[:start], wraps[:start])
        elif start:
            self._remember([spans([(text, pen)]) for text in texts[:start]], wraps[:start])
        self.rows += [
            Row(text, pen, wrapped=bool(wrap), clusters=clusters)
            for text, wrap in zip(fresh, wraps[start:], strict=True)
        ]

    def forget(self) -> None:
        """Clear the history."""
        self.history, self.wraps, self.base = [], bytearray(), 0

    def restart(self) -> None:
        """Reset the screen; the scroll region and what was saved are the caller's."""
        self.forget()
        self.clear(0, self.height, DEFAULT)
        self.x = self.y = 0
        self.tabs = set(range(0, self.width, TAB))

    def clear(self, start: int, end: int, pen: Style) -> None:
        """Empty the rows from `start` to before `end`."""
        for y in range(start, end):
            if pen is DEFAULT and self.rows[y].blank:
                self.rows[y].wrapped = False
            else:
                self.rows[y] = self._blank(pen)

    def fill(self, start: int, character: str, pen: Style) -> None:
        """Fill all rows from `start` on with one character."""
        for y in range(start, self.height):
            self.rows[y] = Row(character * self.width, pen)

    def rotate(self, top: int, count: int, pen: Style) -> None:
        """Take `count` rows out at `top` and add as many at the region's bottom.

        A negative `count` goes the other way. Nothing goes to the history.
        """
        size = self.bottom + 1 - top
        if abs(count) >= size:
            self.clear(top, self.bottom + 1, pen)
            self._unwrap(self.bottom + 1)
            return
        blank = [self._blank(pen) for _ in range(abs(count))]
        part = self.rows[top : self.bottom + 1]
        part = part[len(blank) :] + blank if count > 0 else blank + part[: size - len(blank)]
        self.rows[top : self.bottom + 1] = part
        self._unwrap(top, self.bottom + 1)
        if count < 0:
            self._unwrap(top + len(blank))

    def next_tab(self) -> int:
        """The column of the next tab stop, at most the last one."""
        return min(
            (stop for stop in self.tabs if self.x < stop < self.width), default=self.width - 1
        )

    def previous_tab(self) -> int:
        """The column of the tab stop before the cursor, at least the first one."""
        return max((stop for stop in self.tabs if stop < self.x), default=0)

    def frozen(self) -> tuple[list[Frozen], bytes]:
        """History and screen: the rows, and for each 1 if it continues the one before, else 0."""
        wraps = bytes(self.wraps) + bytes(row.wrapped for row in self.rows)
        return self.history + [row.freeze() for row in self.rows], wraps

    def _blank(self, pen: Style) -> Row:
        return Row() if pen is DEFAULT else Row(EMPTY * self.width, pen)

    def _unwrap(self, *places: int) -> None:
        """The rows at `places` have new neighbours above: they continue nothing any more."""
        for y in places:
            if y < self.height:
                self.rows[y].wrapped = False

    def _remember(self, rows: Sequence[Frozen], wraps: bytes) -> None:
        if not self._remembering:
            return
        self.base += len(rows)
        self.history += rows
        self.wraps += wraps
