"""Prints how fast `nomad_magic.terminal` takes each kind of output, in MB/s of UTF-8.

    python tests/benchmarks/bench_terminal.py [share of the full size, 0 to 1]

The last column says how many times longer it takes than `bytes.decode` alone.
"""

import sys
import time
from collections.abc import Iterator

from nomad_magic.terminal import Terminal

MB = 1_000_000
CHUNK = 1 << 16  # bytes in one feed, as a websocket would bring them


def numbers(size: int, end: str) -> str:
    return end.join(map(str, range(size // 8))) + end


def listing(size: int) -> str:
    line = "  ".join(
        f"\x1b[0m\x1b[{code}mname{at}\x1b[0m"
        for at, code in enumerate(["01;34", "01;32", "00", "01;31", "40;33;01"])
    )
    return (line + "\r\n") * (size // len(line))


def progress(size: int) -> str:
    updates = "".join(f"\r[{'#' * (at % 50):50}] {at % 100:3d}% 12.3 MB/s" for at in range(1000))
    return updates * (size // len(updates))


def redraws(size: int) -> str:
    rows = "".join(
        f"\x1b[{y};1H{y:5d} \x1b[1mroot\x1b[m 20 0 {y * 977:8d} S 0.0 task/{y}\x1b[K"
        for y in range(1, 25)
    )
    return ("\x1b[H\x1b[2J" + rows) * (size // len(rows))


def kinds(share: float) -> Iterator[tuple[str, str, bool]]:
    def size(megabytes: int) -> int:
        return int(megabytes * MB * share)

    log = "2024-05-01T12:00:00Z INFO cache: grün → 12 ms für alle Schlüssel\r\n"
    wide = "日本語のログ行です。これは長い行\r\n"
    table = "✅ node-1 grün 🚀 日本 ⚠\ufe0f warn 🇨🇭 e\u0301\r\n"
    yield "50 MB of lines, LF", numbers(size(50), "\n"), True
    yield "50 MB of lines, CR LF", numbers(size(50), "\r\n"), False
    yield "50 MB in one line", "x" * size(50), False
    yield "20 MB of UTF-8 log", log * (size(20) // len(log.encode())), False
    yield "5 MB of long lines", ("y" * 300 + "\r\n") * (size(5) // 302), False
    yield "5 MB of wide text", wide * (size(5) // len(wide.encode())), False
    yield "5 MB of emoji in tables", table * (size(5) // len(table.encode())), False
    yield "5 MB of coloured ls", listing(size(5)), False
    yield "5 MB of \\r progress", progress(size(5)), False
    yield "5 MB of redraws", redraws(size(5)), False
    yield "5 MB of zero-width marks", "e" + "\u0301" * (size(5) // 2), False
    yield "5 MB of ESC c", "\x1bc" * (size(5) // 2), False
    yield "5 MB of SU", "\x1b[999999999S" * (size(5) // 12), False


def report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    report(f"{'kind':26}{'feed MB/s':>11}{'+ lines MB/s':>14}{'x decode':>10}")
    for name, text, newline in kinds(share):
        data = text.encode()
        start = time.perf_counter()
        data.decode()
        decode = time.perf_counter() - start
        terminal = Terminal(newline=newline)
        start = time.perf_counter()
        for at in range(0, len(text), CHUNK):
            terminal.feed(text[at : at + CHUNK])
        feed = time.perf_counter() - start
        terminal.lines()
        both = time.perf_counter() - start
        size = len(data) / MB
        report(f"{name:26}{size / feed:11.1f}{size / both:14.1f}{feed / decode:10.0f}")


if __name__ == "__main__":
    main()
