"""What a look costs the task's machine: processor time of its shell among 1,000 other processes.

Run it by hand: `python tests/benchmarks/bench_look.py [processes]`.  It prints milliseconds, for
each of the shells that there are: with no others; among others of the machine; among others that
the same executor has started, before the run and after it.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nomad_magic.nomad import look_shell

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 7
SHELLS = (["dash"], ["busybox", "sh"], ["bash"])
ENVIRON = {**os.environ, "NOMAD_ALLOC_ID": "88d4d09e", "NOMAD_TASK_NAME": "server"}
WINDOW = 140
"""How many ticks a run's process may have taken to begin, and another be in the way."""
BEFORE = """
import subprocess, sys
started = [subprocess.Popen(["sleep", "600"]) for _ in range(int(sys.argv[1]))]
print(len(started), flush=True)
sys.stdin.read()
for one in started:
    one.kill()
    one.wait()
"""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with run() as began:
        measure("no others", began)
    with (
        subprocess.Popen(
            [sys.executable, "-c", BEFORE, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as others,
        run() as began,
    ):
        assert others.stdout is not None
        others.stdout.readline()
        measure(f"{count} others of the machine", began)
        others.communicate()
    with siblings(count):
        apart()
        with run() as began:
            measure(f"{count} siblings, begun before", began)
    with run() as began:
        apart()
        with siblings(count):
            measure(f"{count} siblings, begun after", began)


def apart() -> None:
    """Wait until what begins is of another time."""
    time.sleep(WINDOW / 100 + 0.2)


@contextmanager
def run() -> Iterator[int]:
    """Start what a look looks for; return when it began."""
    process = subprocess.Popen(["sleep", "600"], env=ENVIRON)
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text()
        yield int(stat.rpartition(")")[2].split()[19])
    finally:
        process.kill()
        process.wait()


@contextmanager
def siblings(count: int) -> Iterator[None]:
    started = [subprocess.Popen(["sleep", "600"], env=ENVIRON) for _ in range(count)]
    yield
    for one in started:
        one.kill()
    for one in started:
        one.wait()


def measure(title: str, began: int) -> None:
    for shell in SHELLS:
        if shutil.which(shell[0]) is None:
            continue
        spent = []
        for _ in range(ROUNDS):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            said = look(shell, f"list {began - 4} {began + WINDOW}")
            assert said.count(" task 0") == 1, said
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f"{title}, {shell[0]}: {1000 * statistics.median(spent):.0f} ms")  # noqa: T201 - its purpose


def look(shell: list[str], words: str) -> str:
    with subprocess.Popen(
        [*shell, *look_shell.COMMAND[1:]],
        env=ENVIRON,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(look_shell.script())
        process.stdin.flush()
        # What comes before it has read all of the script, it may take for a part of that.
        process.stdout.readline()
        said, _ = process.communicate(f"{words}\nend\n")
    return said


if __name__ == "__main__":
    main()
