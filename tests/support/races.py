"""One action many times, in a process of its own: how each run ended, and what was said beside it.

Also by hand, with `NOMAD_ADDR` set and `tests` in the `PYTHONPATH`, to see how often a run is lost;
`--cli` has the real CLI do the same:

    python -m support.races [--cli] [--no-direct] COUNT BYTES -job=ends -group=g -task=main line
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HUNG = "hung"
TESTS = Path(__file__).parent.parent
SECONDS = 240.0
"""How long all runs of one call may take together."""
RUN_SECONDS = 10.0
"""How long one may take.  With much input unread some 1 of 100 sessions of a real agent stay open
for good, with no exit frame, for its own CLI too."""


@dataclass(frozen=True)
class Ended:
    """How one run ended.

    Attributes:
        exit_code: The action's; None where it is not known.
        output: Its stdout; with a tty, all of it.
        words: The error's class and words; empty without one, or for an action that has failed.
            `HUNG` when it was still running after `RUN_SECONDS`.
    """

    exit_code: int | None
    output: str
    words: str = ""


def by_the_client(line: Sequence[str], body: bytes | None, *, direct: bool) -> Ended:
    """Run it once, by `nomad_magic.run`."""
    import nomad_magic  # noqa: PLC0415 - the CLI's runs need none of it
    from nomad_magic import errors  # noqa: PLC0415 - the same

    options = nomad_magic.Options(direct=direct)
    running = nomad_magic.start(list(line), stdin=body, options=options)
    try:
        result = running.wait(RUN_SECONDS)
    except TimeoutError:
        running.disconnect()
        return Ended(None, "", HUNG)
    error = running.error
    words = ""
    if error is not None and not isinstance(error, errors.ActionFailed):
        words = f"{type(error).__name__}: {error.message}"
    return Ended(result.exit_code, result.stdout, words)


def by_the_cli(line: Sequence[str], body: bytes | None) -> Ended:
    """Run it once, by the `nomad` of the `PATH`; an exit code of 1 is taken for its own."""
    try:
        ran = subprocess.run(
            ["nomad", "job", "action", *line],
            check=False,
            input=body or b"",
            capture_output=True,
            timeout=RUN_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Ended(None, "", HUNG)
    own = ran.returncode == 1
    words = ran.stderr.decode().strip() if own else ""
    return Ended(None if own else ran.returncode, ran.stdout.decode(), words)


def race(
    count: int,
    size: int,
    line: Sequence[str],
    environ: Mapping[str, str],
    *,
    direct: bool = True,
) -> tuple[list[Ended], str]:
    """Run a line many times, one after the other, in an interpreter of its own.

    Args:
        count: How often.
        size: How many bytes of input each has, in short lines; 0 for none.
        line: The words after `nomad job action`.
        environ: The `NOMAD_*` variables.
        direct: Ask the node first.

    Returns:
        How each ended, and all that came on stderr.
    """
    options = ["--json", *([] if direct else ["--no-direct"])]
    ran = subprocess.run(
        [sys.executable, "-m", "support.races", *options, str(count), str(size), *line],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        env={**os.environ, **environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
    )
    ended = [Ended(**json.loads(one)) for one in ran.stdout.splitlines()]
    return ended, ran.stderr.decode()


def main(argv: list[str]) -> None:
    options = set()
    while argv[0].startswith("--"):
        options.add(argv.pop(0))
    count, size, line = int(argv[0]), int(argv[1]), argv[2:]
    body = b"y\n" * (size // 2) if size else None
    seen = Counter[Ended]()
    for _ in range(count):
        if "--cli" in options:
            ended = by_the_cli(line, body)
        else:
            ended = by_the_client(line, body, direct="--no-direct" not in options)
        seen[ended] += 1
        if "--json" in options:
            sys.stdout.write(json.dumps(asdict(ended)) + "\n")
    if "--json" not in options:
        for ended, times in seen.most_common():
            sys.stdout.write(f"{times:5} {ended}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
