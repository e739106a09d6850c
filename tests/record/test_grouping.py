"""Runs that ended alike are one group, whatever chance made of them."""

from __future__ import annotations

from nomad_magic.record.facts import Outcome
from nomad_magic.record.grouping import grouped
from nomad_magic.record.result import ActionResult


def test_which_stream_came_first_is_chance() -> None:
    """The same bytes of each are the same output; other bytes are another."""
    runs = {}
    for key, pieces in {
        "a": [("stdout", b"out\n"), ("stderr", b"err\n")],
        "b": [("stderr", b"err\n"), ("stdout", b"out\n")],
        "c": [("stdout", b"err\n"), ("stderr", b"out\n")],
    }.items():
        run = ActionResult(action="x", command_line="x", outcome=Outcome.SUCCEEDED, exit_code=0)
        for stream, data in pieces:
            run.transcript.write(stream, data)  # type: ignore[arg-type]  # the names of both
        runs[key] = run
    groups = grouped(runs, {key: key for key in runs})
    assert [group.allocations for group in groups] == [("a", "b"), ("c",)]
