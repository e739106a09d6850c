"""Prints how fast output is masked on its way to a view, in MB/s, and what that is of a run.

    python tests/benchmarks/bench_masking.py [megabytes]

The first column is a reader's own pace (`Reader.take`); the others are a whole run of a flood on
the embedded agent, its `.save` and its `.text`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

import nomad_magic
from nomad_magic.agent import EmbeddedAgent
from nomad_magic.record.masking import Masker
from nomad_magic.record.reader import Reader
from nomad_magic.record.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "6d5f8a2e-0c1b-4e7f-9a3d-b2c4d6e8f001"

JOB = """
job "flood" {
  group "g" {
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args = ["100000"]
      }
      action "print" {
        command = "/bin/cat"
        args = ["%s"]
      }
    }
  }
}
"""


def kinds() -> Iterator[tuple[str, str]]:
    names = enumerate(["01;34", "01;32", "00", "01;31", "40;33;01"])
    yield "one letter", "x" * 99 + "\n"
    yield "a log", "2024-05-01T12:00:00Z INFO cache: 12 ms for all keys of nodes 6d5e and 6d5a\n"
    yield "a log in UTF-8", "2024-05-01T12:00:00Z INFO cache: grün → 12 ms für alle Schlüssel\n"
    yield "coloured ls", "  ".join(f"\x1b[{code}mname{at}\x1b[0m" for at, code in names) + "\n"
    yield "progress", "".join(f"\r[{'#' * (at % 50):50}] {at}% 12.3 MB/s" for at in range(100))
    yield "redraws", "".join(f"\x1b[{y};1H{y:5d} \x1b[1mroot\x1b[m {y * 977:8d}" for y in range(25))
    yield "controls", f"\x1b#{TOKEN[0]}\x1b#3\x1b#6"
    yield "URLs", "GET /v1/a%20b%2Fc?path=%2Fsrv%2Fdata%2F6d5e&q=%C3%A9 200\n"


def main() -> None:
    size = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 20_000_000
    print(f"{'MB/s':16} {'mask':>8} {'run':>8} {'save':>8} {'text':>8}")  # noqa: T201 - its purpose
    for name, line in kinds():
        data = (line * (size // len(line.encode()) + 1)).encode()[:size]
        with tempfile.TemporaryDirectory() as folder:
            path, job = Path(folder, "data"), Path(folder, "flood.nomad.hcl")
            path.write_bytes(data)
            job.write_text(JOB % path)
            with EmbeddedAgent([job], token=TOKEN) as agent:
                took = [mask(data), *run(agent, Path(folder))]
        speeds = " ".join(f"{size / one / 1e6:8.1f}" for one in took)
        print(f"{name:16} {speeds}")  # noqa: T201 - its purpose


def mask(data: bytes) -> float:
    kept = Transcript(memory=1 << 30)
    kept.write("stdout", data)
    reader = Reader(kept, Masker([TOKEN]))
    begun = time.perf_counter()
    while reader.take(1 << 18):
        pass
    return time.perf_counter() - begun


def run(agent: EmbeddedAgent, folder: Path) -> Iterator[float]:
    begun = time.perf_counter()
    result = nomad_magic.run("-job=flood -group=g -task=t print", env=agent.environment)
    yield time.perf_counter() - begun
    begun = time.perf_counter()
    result.save(folder / "saved")
    yield time.perf_counter() - begun
    begun = time.perf_counter()
    assert result.text
    yield time.perf_counter() - begun


if __name__ == "__main__":
    main()
