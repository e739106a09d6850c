"""Output that means no good to who shows it: more than twenty kinds, and an action that writes one.

It loads nothing but the standard library, for it is itself the program that the action runs:

    python tests/support/hostile.py name bytes

writes a first line, so much of the kind's output at once, and then on and on a little of it, until
an interrupt; and then a last line, in a terminal that is in no odd mode any more.
"""

from __future__ import annotations

import base64
import itertools
import random
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MORE = 4_000
PAUSE_SECONDS = 0.05

FIRST = "the first line"
LAST = "the last line"

MOST = 2**31 - 1
SANE = b"\x18\x1b\\\x1b[?1049l\x1b[?7h\x1b[!p\x1b(B\x0f"
"""Ends whatever was begun."""


def repeated(text: str) -> Callable[[], Iterator[bytes]]:
    """Return a kind that says the same again and again."""
    data = text.encode() * (4096 // len(text.encode()) + 1)
    return lambda: itertools.repeat(data)


def once(begin: str, text: str) -> Callable[[], Iterator[bytes]]:
    """Return a kind that begins something and does not end it."""
    data = text.encode() * (4096 // len(text.encode()) + 1)
    return lambda: itertools.chain([begin.encode()], itertools.repeat(data))


def counted(text: str) -> Callable[[], Iterator[bytes]]:
    """Return a kind each piece of which has another number in it."""
    return lambda: (text.format(n=n).encode() for n in itertools.count())


def invalid() -> Iterator[bytes]:
    """Bytes that are no UTF-8: lone, cut and overlong ones."""
    chance = random.Random(1)
    while True:
        yield bytes(chance.choices(range(0x80, 0x100), k=4096))


COUNTS = [*"@ABCDEFGHIJKLMPSTXZ`abde", " @", " A", "'}", "'~", " q", "g", "t", "r", "s", "u"]
STYLES = ";".join(f"38;2;{n};{n};{n};48;5;{n};4:3;58:2::{n}:{n}:{n}" for n in range(64))
IMAGE = base64.b64encode(bytes(range(256)) * 12).decode()

HARMLESS = "lines"
"""What the others are held against."""

KINDS: dict[str, Callable[[], Iterator[bytes]]] = {
    HARMLESS: counted("2026-01-01T12:00:00Z INFO request {n} of the cache was answered\n"),
    "counts": repeated("".join(f"x\x1b[{MOST}{final}" for final in COUNTS)),
    "endless title": once("\x1b]0;", "title "),
    "endless device string": once("\x1bP1$q", "string "),
    "endless comment": once("\x1b_G", "a=T,f=24;"),
    "styles": repeated(f"\x1b[{STYLES}mx"),
    "erasing": repeated("\x1b[2J\x1b[3J\x1b[KX\x1b[1J\x1b[1K\x1b[0J\x1b[H\x1b[J"),
    "repetition": repeated(f"x\x1b[{MOST}b\u6f22\x1b[999999b"),
    "scroll regions": repeated(f"\x1b[5;10r\x1b[10H\n\n\n\x1b[r\x1b[{MOST}S\x1b[{MOST}T\x1bM"),
    "lines in and out": repeated(f"\x1b[H\x1b[{MOST}L\x1b[9M\x1b[{MOST}M\x1b[9L\x1b[{MOST}P"),
    "two screens": repeated("\x1b[?1049hx\x1b[?1049ly\x1b[?47h\x1b[?1047lz\x1b[?3h\x1b[?3l"),
    "titles": repeated("\x1b]0;one\x07\x1b]2;two\x07\x1b[22t\x1b[23t\x1b[8;99;99t\x1bk3\x1b\\"),
    "marks without width": repeated("e" + "\u0301" * 500 + "\u200b" * 500 + "\ufe0f\u200d" * 99),
    "one line": repeated("x"),
    "two directions": repeated("\u202e\u05e7\u05e6\u05ea\u2066abc\u0639\u0631\u0628\u202d12\u2069"),
    "emoji": repeated(
        "\U0001f469\U0001f3fd\u200d\U0001f680\U0001f1e8\U0001f1ed\u2764\ufe0f\u200d\U0001f525"
    ),
    "links": counted("\x1b]8;id={n};https://example.com/{n}\x07{n}\x1b]8;;\x07 https://e.com/{n} "),
    "alignment": repeated("\x1b#8\x1b#3\x1b#6"),
    "images": repeated(
        f"\x1bPq#0;2;0;0;0~~@@vv@@~~$-{IMAGE}\x1b\\\x1b]1337;File=inline=1:{IMAGE}\x07"
    ),
    "tab stops": repeated(f"\x1bH \x1bH\t\t\r\x1b[{MOST}I\x1b[{MOST}Z\x1b[3g\x1b[{MOST}W"),
    "questions": repeated("\x1b[6n\x1b[c\x1b[>c\x1b[5n\x1b]10;?\x07\x1bP$qm\x1b\\\x1b[?2026$p\x05"),
    "nothing": repeated("\x00\x7f" * 500),
    "no text": invalid,
    "screens in screens": repeated("\x1b7\x1b[?1048h\x1b[?1049h\x1b[?1049hx\x1b[?1047h\x1b8\x1b[u"),
    "colours": counted(
        "\x1b]4;1;#{n:06x};2;#123456\x07\x1b]10;#{n:06x}\x07\x1b]104\x07\x1b]11;red\x07"
    ),
    "resets": repeated("\x1bcx\x1b[!p\x1bc"),
    "modes": repeated(
        "\x1b[?25l\x1b[?25h\x1b[?1003h\x1b[?2004h\x1b[3 q\x1b[?2026hx\x1b[?12h\x1b[?5h"
    ),
    "bells and sets": repeated("\x07\x0e\x1b(0\x0fq\x1b)A\x1b*K\x07\x1bn\x1bo\x1b(B"),
}


def taken(name: str, size: int) -> bytes:
    """Return so much of a kind's output, and whatever is begun in it."""
    made = bytearray()
    for piece in KINDS[name]():
        made += piece
        if len(made) >= size:
            return bytes(made)
    raise AssertionError(name)


def action(name: str) -> str:
    """Return what the action is called that writes one kind."""
    return name.replace(" ", "-")


def job(at_once: int) -> dict[str, Any]:
    """Return a job that has an action for each kind.

    Args:
        at_once: How many bytes of it come at once.
    """
    actions = [
        {"Name": action(name), "Command": sys.executable, "Args": [__file__, name, str(at_once)]}
        for name in KINDS
    ]
    task = {
        "Name": "t",
        "Driver": "raw_exec",
        "Config": {"command": "/bin/sleep", "args": ["100000"]},
        "Resources": {"CPU": 20, "MemoryMB": 32},
        "Actions": actions,
    }
    return {
        "ID": "hostile",
        "Type": "service",
        "TaskGroups": [{"Name": "g", "Tasks": [task]}],
    }


def main() -> None:
    name, at_once = sys.argv[1], int(sys.argv[2])
    out = sys.stdout.buffer
    out.write(f"{FIRST}\n".encode())
    out.flush()
    pieces = KINDS[name]()

    def write(size: int) -> None:
        while size > 0:
            piece = next(pieces)
            size -= out.write(piece)
        out.flush()

    try:
        write(at_once)
        while True:
            time.sleep(PAUSE_SECONDS)
            write(MORE)
    except KeyboardInterrupt:
        out.write(SANE + f"\r\n{LAST}\n".encode())
        out.flush()
        sys.exit(130)


if __name__ == "__main__":
    main()
