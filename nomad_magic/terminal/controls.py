"""What each control function does to a terminal: cursor, erasing, scrolling, modes.

Pure. The tables at the end name them all by control character, escape sequence and control
sequence; `terminal.py` looks them up. The sources are those that `terminal.py` names.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from nomad_magic.terminal.folding import joined
from nomad_magic.terminal.printing import Printer
from nomad_magic.terminal.screen import Saved, Screen
from nomad_magic.terminal.style import DEFAULT, Line, Style, erased

CharacterSet = dict[int, int] | None
_LINE_DRAWING = str.maketrans("`abcdefghijklmnopqrstuvwxyz{|}~", "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")
SETS: dict[str, CharacterSet] = {
    **dict.fromkeys("B45CRQKYE6ZH7="),
    "0": _LINE_DRAWING,
    "A": str.maketrans("#", "£"),
}
PLACES = {"(": 0, ")": 1, "-": 1, "*": 2, ".": 2, "+": 3}
SHIFTS = {"\x0f": 0, "\x0e": 1, "~": 1, "n": 2, "}": 2, "o": 3, "|": 3}


class Controls:
    """The state of a terminal, and one method for each thing a program can ask of it.

    `values` are the parameters of a control sequence, never none at all; 0 stands for one that
    was left out.
    """

    _origin: bool
    _shift: int
    _sets: list[CharacterSet]

    def __init__(self, width: int, height: int, *, newline: bool) -> None:
        self.last_alternate: list[Line] = []
        self._normal = Screen(width, height)
        self._alternate = Screen(width, height, remembering=False)
        self._out = Printer(self._normal, newline=newline)
        self._soft_reset()

    def _clamp(self, past: int = 0) -> None:
        screen = self._out.screen
        screen.x = min(max(screen.x, 0), screen.width - 1 + past)
        low, high = (screen.top, screen.bottom) if self._origin else (0, screen.height - 1)
        screen.y = min(max(screen.y, low), high)

    def _move_to(self, x: int, y: int) -> None:
        screen = self._out.screen
        # With DECOM set, xterm.js adds the region's top to relative movements too.
        screen.x, screen.y = x, y + (screen.top if self._origin else 0)
        self._clamp()

    def _move(self, x: int, y: int) -> None:
        self._clamp()
        self._move_to(self._out.screen.x + x, self._out.screen.y + y)

    def _up(self, values: list[int]) -> None:
        screen, count = self._out.screen, values[0] or 1
        room = screen.y - screen.top
        self._move(0, -min(room, count) if room >= 0 else -count)

    def _down(self, values: list[int]) -> None:
        screen, count = self._out.screen, values[0] or 1
        room = screen.bottom - screen.y
        self._move(0, min(room, count) if room >= 0 else count)

    def _next_line(self, values: list[int]) -> None:
        self._down(values)
        self._out.screen.x = 0

    def _previous_line(self, values: list[int]) -> None:
        self._up(values)
        self._out.screen.x = 0

    def _position(self, values: list[int]) -> None:
        column = values[1] if len(values) > 1 else 1
        self._move_to((column or 1) - 1, (values[0] or 1) - 1)

    def _tab(self, count: int) -> None:
        screen = self._out.screen
        if screen.x < screen.width:
            for _ in range(min(abs(count), screen.width)):
                screen.x = screen.next_tab() if count > 0 else screen.previous_tab()

    def _clear_tabs(self, values: list[int]) -> None:
        screen = self._out.screen
        if values[0] == 0:
            screen.tabs.discard(screen.x)
        elif values[0] == 3:
            screen.tabs.clear()

    def _set_tab(self) -> None:
        self._out.screen.tabs.add(self._out.screen.x)

    def _index(self) -> None:
        screen = self._out.screen
        self._clamp()
        if screen.y == screen.bottom:
            screen.scroll(self._blank)
        else:
            screen.y += 1
        self._clamp()

    def _new_line(self) -> None:
        self._out.screen.x = 0
        self._index()

    def _reverse_index(self) -> None:
        screen = self._out.screen
        self._clamp()
        if screen.y == screen.top:
            screen.rotate(screen.top, -1, self._blank)
        else:
            screen.y -= 1
            self._clamp()

    def _save(self, _values: list[int] | None = None) -> None:
        out, screen = self._out, self._out.screen
        screen.saved = Saved(screen.x, screen.base + screen.y, out.pen, out.characters)

    def _restore(self, _values: list[int] | None = None) -> None:
        out, screen = self._out, self._out.screen
        saved = screen.saved
        screen.x, screen.y = saved.x, max(saved.line - screen.base, 0)
        # A link is not part of what DECSC keeps, but xterm.js shows one only if there was one.
        out.pen = replace(saved.pen, link=out.pen.link if saved.pen.link else None)
        if out.pen == DEFAULT:
            out.pen = DEFAULT
        out.characters = saved.characters
        self._clamp()

    # Erasing, inserting, deleting, scrolling.

    @property
    def _blank(self) -> Style:
        return erased(self._out.pen)

    def _erase_display(self, values: list[int]) -> None:
        screen, pen = self._out.screen, self._blank
        self._clamp(past=1)
        if values[0] == 0:
            self._erase_line([0])
            screen.clear(screen.y + 1, screen.height, pen)
        elif values[0] == 1:
            self._erase_line([1])
            screen.row.wrapped = False
            if screen.x + 1 >= screen.width and screen.y + 1 < screen.height:
                screen.rows[screen.y + 1].wrapped = False
            screen.clear(0, screen.y, pen)
        elif values[0] == 2:
            screen.clear(0, screen.height, pen)
        elif values[0] == 3:
            screen.forget()

    def _erase_line(self, values: list[int]) -> None:
        screen, pen = self._out.screen, self._blank
        self._clamp(past=1)
        row, width = screen.row, screen.width
        if values[0] == 0:
            row.erase(screen.x, width, pen)
            row.wrapped = row.wrapped and screen.x > 0
        elif values[0] == 1:
            row.erase(0, min(screen.x + 1, width), pen)
        elif values[0] == 2:
            row.erase(0, width, pen)
            row.wrapped = False

    def _erase_characters(self, values: list[int]) -> None:
        screen = self._out.screen
        self._clamp()
        screen.row.erase(screen.x, min(screen.x + (values[0] or 1), screen.width), self._blank)

    def _insert_characters(self, values: list[int]) -> None:
        screen = self._out.screen
        self._clamp()
        screen.row.insert(screen.x, values[0] or 1, screen.width, self._blank)

    def _delete_characters(self, values: list[int]) -> None:
        screen = self._out.screen
        self._clamp()
        screen.row.delete(screen.x, values[0] or 1, screen.width, self._blank)

    def _shift_lines(self, count: int) -> None:
        screen = self._out.screen
        self._clamp()
        if screen.top <= screen.y <= screen.bottom:
            screen.rotate(screen.y, count, self._blank)
            screen.x = 0

    def _columns(self, x: int, count: int) -> None:
        """Insert `count` columns at `x` in the whole region; a negative `count` deletes."""
        screen = self._out.screen
        if not screen.top <= screen.y <= screen.bottom:
            return
        x %= screen.width
        for row in screen.rows[screen.top : screen.bottom + 1]:
            change = row.insert if count > 0 else row.delete
            change(x, abs(count), screen.width, self._blank)
            row.wrapped = False

    def _region(self, values: list[int]) -> None:
        screen = self._out.screen
        top = values[0] or 1
        bottom = values[1] if len(values) > 1 else 0
        if not 0 < bottom <= screen.height:
            bottom = screen.height
        if bottom > top:
            screen.top, screen.bottom = top - 1, bottom - 1
            self._move_to(0, 0)

    def _alignment(self) -> None:
        screen = self._out.screen
        self._move_to(0, 0)
        screen.fill(screen.y, "E", replace(self._out.pen, link=None))
        self._move_to(0, 0)

    # Modes.

    def _mode(self, values: list[int], *, on: bool) -> None:
        if 4 in values:
            self._out.insert = on
        if 20 in values:
            self._out.newline = on

    def _private_mode(self, values: list[int], *, on: bool) -> None:
        for mode in values:
            if mode == 6:
                self._origin = on
                self._move_to(0, 0)
            elif mode == 7:
                self._out.autowrap = on
            elif mode == 1048:
                (self._save if on else self._restore)()
            elif mode in {47, 1047, 1049}:
                if on and mode == 1049:
                    self._save()
                self._switch(alternate=on)
                if not on and mode == 1049:
                    self._restore()

    def _switch(self, *, alternate: bool) -> None:
        if alternate != self._on_normal:
            return
        old = self._out.screen
        if alternate:
            new = self._alternate
            new.clear(0, new.height, self._blank)
        else:
            new = self._normal
            self.last_alternate = joined(*old.frozen())
            self._alternate = Screen(old.width, old.height, remembering=False)
            self._alternate.saved = old.saved
        new.x, new.y = old.x, old.y
        self._out.screen = new

    @property
    def _on_normal(self) -> bool:
        return self._out.screen is self._normal

    def _use_set(self, shift: int) -> None:
        self._shift = shift
        self._out.characters = self._sets[shift]

    def _full_reset(self) -> None:
        if not self._on_normal:
            self._switch(alternate=False)
        self._normal.restart()
        self._alternate.saved = Saved(0, 0, DEFAULT, None)
        self._soft_reset()

    def _soft_reset(self, _values: list[int] | None = None) -> None:
        out, screen = self._out, self._out.screen
        out.pen, out.autowrap, out.insert = DEFAULT, True, False
        self._origin = False
        self._sets = [None] * 4
        self._use_set(0)
        screen.top, screen.bottom = 0, screen.height - 1
        screen.saved = Saved(0, screen.base, DEFAULT, None)

    # What is asked for by name: a C1 control, an escape sequence, a control sequence.

    c1: ClassVar[dict[str, Callable[["Controls"], None]]] = {
        "\x84": _index,
        "\x85": _new_line,
        "\x88": _set_tab,
    }
    escapes: ClassVar[dict[str, Callable[["Controls"], None]]] = {
        "7": _save,
        "8": _restore,
        "D": _index,
        "E": _new_line,
        "H": _set_tab,
        "M": _reverse_index,
        "c": _full_reset,
        "#8": _alignment,
    }
    sequences: ClassVar[dict[str, Callable[["Controls", list[int]], None]]] = {
        "@": _insert_characters,
        "A": _up,
        "B": _down,
        "C": lambda self, values: self._move(values[0] or 1, 0),
        "D": lambda self, values: self._move(-(values[0] or 1), 0),
        "E": _next_line,
        "F": _previous_line,
        "G": lambda self, values: self._move_to((values[0] or 1) - 1, self._out.screen.y),
        "H": _position,
        "I": lambda self, values: self._tab(values[0] or 1),
        "J": _erase_display,
        "?J": _erase_display,
        "K": _erase_line,
        "?K": _erase_line,
        "L": lambda self, values: self._shift_lines(-(values[0] or 1)),
        "M": lambda self, values: self._shift_lines(values[0] or 1),
        "P": _delete_characters,
        "S": lambda self, values: self._out.screen.rotate(
            self._out.screen.top, values[0] or 1, self._blank
        ),
        "T": lambda self, values: self._out.screen.rotate(
            self._out.screen.top, -(values[0] or 1), DEFAULT
        ),
        "X": _erase_characters,
        "Z": lambda self, values: self._tab(-(values[0] or 1)),
        "a": lambda self, values: self._move(values[0] or 1, 0),
        "b": lambda self, values: self._out.repeat(min(values[0] or 1, self._out.screen.width)),
        "d": lambda self, values: self._move_to(self._out.screen.x, (values[0] or 1) - 1),
        "e": lambda self, values: self._move(0, values[0] or 1),
        "f": _position,
        "g": _clear_tabs,
        "h": lambda self, values: self._mode(values, on=True),
        "l": lambda self, values: self._mode(values, on=False),
        "?h": lambda self, values: self._private_mode(values, on=True),
        "?l": lambda self, values: self._private_mode(values, on=False),
        "r": _region,
        "s": _save,
        "u": _restore,
        "`": lambda self, values: self._move_to((values[0] or 1) - 1, self._out.screen.y),
        "!p": _soft_reset,
        " @": lambda self, values: self._columns(0, -(values[0] or 1)),
        " A": lambda self, values: self._columns(0, values[0] or 1),
        "'}": lambda self, values: self._columns(self._out.screen.x, values[0] or 1),
        "'~": lambda self, values: self._columns(self._out.screen.x, -(values[0] or 1)),
    }
