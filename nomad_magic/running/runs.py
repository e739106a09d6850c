"""`nomad_magic.runs`: what was run from this kernel, and what a log has."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nomad_magic.errors import SettingsError
from nomad_magic.log.entries import RunEntry, read_log
from nomad_magic.log.run_log import absolute
from nomad_magic.log.table import Runs
from nomad_magic.running import history, loop
from nomad_magic.running.handle import Handle

if TYPE_CHECKING:
    import os

    from nomad_magic.record.result import ActionResult

HERE = "this kernel"


def runs(log_dir: str | os.PathLike[str] | None = None) -> Runs:
    """Return this kernel's runs, and those of a log, newest first.

    Args:
        log_dir: The log's folder; None for this kernel's runs alone.

    Returns:
        A list of frozen `RunEntry`, which a notebook shows as a table.  Output is read from the
        log, or from a result that somebody still holds.

    Raises:
        SettingsError: There is no such folder, or it cannot be read.
    """
    found = {entry.run_id: entry for entry in _of_log(log_dir)}
    for entry in _of_kernel():
        logged = found.get(entry.run_id)
        folder = None if logged is None else logged.folder
        found[entry.run_id] = replace(entry, folder=folder)
    entries = sorted(
        found.values(),
        key=lambda one: one.began.timestamp() if one.began is not None else 0.0,
        reverse=True,
    )
    return Runs(entries)


def _of_log(log_dir: str | os.PathLike[str] | None) -> list[RunEntry]:
    if not log_dir:
        return []
    folder = absolute(log_dir)
    try:
        return read_log(folder)
    except OSError as error:
        raise SettingsError(f"The log {folder} cannot be read: {error.strerror}") from None


def _of_kernel() -> list[RunEntry]:
    """Return those that have ended, then those that run."""
    running = [history.see(one) for one in loop.running() if isinstance(one, Handle)]
    return list(map(_entry, [*history.past(), *running]))


def _entry(seen: history.Seen) -> RunEntry:
    return RunEntry(
        run_id=seen.run_id,
        action=seen.action,
        target=seen.target,
        outcome=seen.outcome,
        state=seen.state,
        exit_code=seen.exit_code,
        began=seen.started or seen.ended,
        ended=seen.ended,
        fleet=seen.fleet,
        is_fleet=seen.is_fleet,
        kernel=HERE,
        find=partial(_result, seen),
    )


def _result(seen: history.Seen) -> ActionResult | None:
    handle = seen.handle()
    return None if handle is None else handle.result
