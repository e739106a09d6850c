"""How long `hello` takes over a link with a round-trip time of 50 ms: median of 10.

Run it by hand: `python tests/benchmarks/bench_link.py`, with nothing else on the machine.  With a
`nomad` on the PATH it runs against a real agent, and prints the CLI's time and the ratio to it.
Round trips say more than the time on a machine that is busy: each is a wait of 50 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import nomads
from support.loops import listening
from support.recorder import recorder

import nomad_magic

if TYPE_CHECKING:
    from collections.abc import Callable

ONE_WAY: Final = 0.025
RUNS: Final = 10
LINE: Final = "-job=cache -group=redis -task=server hello"


class Link:
    """A TCP relay that takes its time, as a long way does."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # What the system has accepted at once would have taken a round trip.
        opened = time.monotonic() + 2 * ONE_WAY
        there_reader, there_writer = await asyncio.open_connection(*self.upstream.split(":"))
        try:
            await asyncio.gather(
                _pump(reader, there_writer, opened), _pump(there_reader, writer, opened)
            )
        finally:
            there_writer.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: float) -> None:
    """Carry bytes one way, each as long under way as any other."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def take() -> None:
        data = b"-"
        while data:
            with contextlib.suppress(OSError):
                data = await reader.read(1 << 16)
            await under_way.put((max(time.monotonic(), opened) + ONE_WAY, data))

    taking = asyncio.create_task(take())
    with contextlib.suppress(OSError):
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - time.monotonic())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    taking.cancel()


def measure(run: Callable[[], None]) -> float:
    """Return the median of `RUNS` runs, in milliseconds, after one that is not counted."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[1:])


def report(who: str, milliseconds: float, more: str = "") -> None:
    trips = milliseconds / (2000 * ONE_WAY)
    print(f"{who:12} {milliseconds:5.0f} ms = {trips:4.1f} round trips{more}")  # noqa: T201 - its output is what it is for


def main() -> None:
    with contextlib.ExitStack() as stack:
        if "nomad" in nomads.AGENTS:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            agent = stack.enter_context(nomads.real(folder))
        else:
            agent = stack.enter_context(nomads.embedded())
        between = stack.enter_context(recorder(agent.address.removeprefix("http://")))
        link = Link(between.own)
        # The node is as far away as the agent.
        between.own = stack.enter_context(listening(link.serve))
        environ = {**agent.environ, "NOMAD_ADDR": f"http://{between.own}"}

        def ours() -> None:
            nomad_magic.run(LINE, env=environ)

        def cli() -> None:
            command = ["nomad", "job", "action", *LINE.split()]
            subprocess.run(
                command,
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
            )

        mine = measure(ours)
        report("nomad_magic", mine, f", {link.connections} connections in {RUNS + 1} runs")
        if "nomad" in nomads.AGENTS:
            its = measure(cli)
            report("nomad", its, f"; ratio {mine / its:.2f}")


if __name__ == "__main__":
    main()
