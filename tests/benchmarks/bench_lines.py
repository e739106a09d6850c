"""Prints how the time of splitting a hostile line grows: 2 for twice the length is linear.

python tests/benchmarks/bench_lines.py [length, 20000 unless told]
"""

import contextlib
import sys
import time

from nomad_magic.errors import LineError
from nomad_magic.line import shellwords

KINDS = {
    "hashes behind an &": lambda count: "a &" + " #" * count + "\nx",
    "hashes in a line": lambda count: "a\n" + "# " * count + "\nx",
    "dollars": lambda count: "$" * count,
    "quotes": lambda count: "a" + '""' * count,
    "backslashes": lambda count: "\\\\" * count,
    "braces": lambda count: "{" * count,
}


def seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        with contextlib.suppress(LineError):
            shellwords.split(text, variables={}.__getitem__, evaluate=str)
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    length = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    sys.stdout.write(f"{'kind':22}{'ms':>8}{'twice as long':>16}\n")
    for name, make in KINDS.items():
        once, twice = seconds(make(length)), seconds(make(2 * length))
        sys.stdout.write(f"{name:22}{once * 1e3:8.1f}{twice / max(once, 1e-6):16.1f}\n")


if __name__ == "__main__":
    main()
