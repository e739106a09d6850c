"""Prints how many lines a second a loop over a run's lines gets, and what it takes of memory.

    python tests/benchmarks/bench_lines.py [megabytes]

The kinds are read from a transcript that is there already, so that it is the reader's own pace;
the last one has no end of line at all.
"""

from __future__ import annotations

import sys
import time
import tracemalloc

from nomad_magic.record.line_reader import LineReader
from nomad_magic.record.masking import Masker
from nomad_magic.record.result import ActionResult

TOKEN = "6d5f8a2e-0c1b-4e7f-9a3d-b2c4d6e8f001"
FRAME = 2048

KINDS = {
    "a log": b"2024-05-01T12:00:00Z INFO cache: 12 ms for all keys of nodes 6d5e and 6d5a\n",
    "of a pty": b"2024-05-01T12:00:00Z INFO cache: 12 ms for all keys of nodes 6d5e and 6d5a\r\n",
    "in UTF-8": "2024-05-01T12:00:00Z INFO cache: grün → 12 ms für alle Schlüssel\n".encode(),
    "in colours": b"\x1b[32mINFO\x1b[0m cache: \x1b[1m12 ms\x1b[0m for all keys of nodes 6d5e\r\n",
    "wide": "缓存十二毫秒所有键\n".encode(),
    "a progress bar": b"\r[##########          ] 50% 12.3 MB/s",
    "no end of line": b"x" * 99,
}


def run(line: bytes, size: int, *, tty: bool) -> ActionResult:
    result = ActionResult(action="a", command_line="", tty=tty, masker=Masker([TOKEN]))
    data = line * (size // len(line))
    for at in range(0, len(data), FRAME):
        result.transcript.write("stdout", data[at : at + FRAME])
    return result


def read(result: ActionResult) -> int:
    reader, count = LineReader(result), 0
    while (lines := reader.take()) is not None:
        count += len(lines)
    return count + len(reader.finish())


def main(size: int) -> None:
    print(f"{'':16} {'lines':>9} {'lines/s':>11} {'MB/s':>7} {'peak MB':>8}")  # noqa: T201 - its purpose
    for name, line in KINDS.items():
        result = run(line, size, tty=b"\r\n" in line)
        began = time.process_time()
        count = read(result)
        took = time.process_time() - began
        tracemalloc.start()
        read(result)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        pace = f"{count / took:11,.0f} {result.transcript.size / took / 1e6:7.1f}"
        print(f"{name:16} {count:9,} {pace} {peak / 1e6:8.1f}")  # noqa: T201 - its purpose


if __name__ == "__main__":
    main(int(float(sys.argv[1] if len(sys.argv) > 1 else 5) * 1e6))
