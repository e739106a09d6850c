"""`python -m nomad_magic verify`: holds saved notebooks against a log."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nomad_magic.log import notebook
from nomad_magic.log.evidence import Log
from nomad_magic.log.run_log import absolute
from nomad_magic.log.verify import verify
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nomad_magic.log.verify import Verdict

ALL_WELL: Final = 0
FOUND: Final = 1
USAGE: Final = 2


def main(argv: Sequence[str]) -> int:
    """Verify; return the exit code: 0 where all is well, 1 where it is not, 2 for a wrong call."""
    parser = argparse.ArgumentParser(
        prog="python -m nomad_magic verify",
        description="Hold each record in saved notebooks against a log (the setting log_dir): "
        "what was changed, is missing, or was never run is named with its cell.",
        epilog="It leaves with 0 where every record is as the log has it, with 1 where one is "
        "not, with 2 where it cannot be told: a file that is no notebook, a folder that is no log.",
    )
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", help="a saved notebook")
    parser.add_argument("--log", required=True, metavar="DIR", help="the log's folder")
    try:
        given = parser.parse_args(argv)
    except SystemExit as leaving:
        return ALL_WELL if leaving.code in {0, None} else USAGE
    try:
        log = Log(absolute(given.log))
    except OSError as error:
        return _refused(f"the log {given.log} cannot be read: {error.strerror}")
    if not log.ledgers and not log.folders:
        return _refused(f"{given.log} is no log: there is no run in it")
    cells = {}
    for name in dict.fromkeys(given.notebooks):
        try:
            cells[name] = notebook.read(Path(name))
        except notebook.NotANotebookError as error:
            return _refused(f"{name} cannot be read as a notebook: {error}")
    verdicts = verify(cells, log)
    for verdict in verdicts:
        sys.stdout.write(_report(verdict))
    return FOUND if any(verdict.findings for verdict in verdicts) else ALL_WELL


def _refused(words: str) -> int:
    sys.stderr.write(f"{visible_name(words)}\n")
    return USAGE


def _report(verdict: Verdict) -> str:
    """Return a notebook's line, and below it what was found."""
    records = f"{verdict.records} record{'' if verdict.records == 1 else 's'}"
    found = len(verdict.findings)
    if found:
        state = f"{records}; {found} thing{'' if found == 1 else 's'} not as the log has it"
    elif verdict.records:
        state = f"{records}, all as the log has them"
    else:
        state = "no record in it, and no run of it in the log"
    lines = [f"{verdict.notebook}: {state}"]
    lines += [f"  {words}" for words in verdict.findings]
    lines += [f"  note: {words}" for words in verdict.notes]
    return "".join(f"{visible_name(line)}\n" for line in lines)
