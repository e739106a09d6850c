"""Holding the records of a saved notebook against a log.

Nothing is rendered anew: the log has the hash of each form in which a record was shown, and of its
facts, since before it was shown.  So it matters neither which version has shown it nor in which
front end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nomad_magic.log.comparing import (
    Found,
    is_completed,
    of_chain,
    of_forms,
    of_line_above,
    of_text_above,
)
from nomad_magic.log.ledger import canonical
from nomad_magic.log.notebook import WIDGET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nomad_magic.log.evidence import Log, LoggedRun
    from nomad_magic.log.notebook import SavedCell, SavedOutput

_UNKNOWN: Final = "unknown"
"""The outcome of a record whose kernel is gone."""


@dataclass(slots=True)
class Verdict:
    """What came of a notebook.

    Attributes:
        notebook: Its name.
        records: How many records there are.
        findings: What is not as the log has it: a sentence each.
        notes: What else should be known.
    """

    notebook: str
    records: int = 0
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(notebooks: Mapping[str, list[SavedCell]], log: Log) -> list[Verdict]:
    """Hold notebooks against a log.

    Args:
        notebooks: Their cells by their names.
        log: The log.
    """
    found = {name: list(_records(name, cells, log)) for name, cells in notebooks.items()}
    everywhere = [one for records in found.values() for one in records]
    return [
        _Verifier(name, cells, found[name], everywhere, log).verdict()
        for name, cells in notebooks.items()
    ]


def _records(name: str, cells: list[SavedCell], log: Log) -> Iterator[Found]:
    forms = {
        form: run.run_id
        for run in log.runs.values()
        for line in run.shown_as("record", "value")
        for form in (line.get("forms") or {}).values()
    }
    for cell in cells:
        for at, output in enumerate(cell.outputs):
            hashes = output.forms.values()
            if output.looks_like_a_record or any(form in forms for form in hashes):
                yield Found(name, cell, at, _run_of(output, forms, log))


def _run_of(output: SavedOutput, forms: Mapping[str, str], log: Log) -> str:
    """Return the id of the run that an output is about."""
    if output.facts is not None and (said := output.facts.get("run_id")):
        return str(said)
    known = next((forms[form] for form in output.forms.values() if form in forms), "")
    if known:
        return known
    words = re.findall(r"\b[0-9a-f]{16}\b", "\n".join(output.data.values()))
    return next((word for word in words if word in log.runs), words[-1] if words else "")


class _Verifier:
    """Holds one notebook against a log."""

    def __init__(
        self,
        name: str,
        cells: list[SavedCell],
        found: list[Found],
        everywhere: list[Found],
        log: Log,
    ) -> None:
        self._cells, self._found, self._everywhere, self._log = cells, found, everywhere, log
        records = sum(one.facts is not None for one in found)
        self._verdict = Verdict(name, records=records)

    def verdict(self) -> Verdict:
        """Return what came of it."""
        for one in self._found:
            for words in self._of_record(one):
                self._say(one.cell, words)
        for one in self._twice():
            self._say(one.cell, f"the record of run {one.run_id} stands in more than one place")
        kernels = self._kernels()
        for kernel in kernels:
            for words in self._log.problems(kernel):
                self._verdict.findings.append(f"the log: {words}")
            for run in self._log.of_kernel(kernel):
                for words in run.problems():
                    self._say(self._cell_of(run), f"{run.words}: {words}")
        self._missing(kernels)
        return self._verdict

    def _say(self, cell: SavedCell | None, words: str) -> None:
        self._verdict.findings.append(words if cell is None else f"{cell}: {words}")

    def _note(self, cell: SavedCell | None, words: str) -> None:
        self._verdict.notes.append(words if cell is None else f"{cell}: {words}")

    def _kernels(self) -> list[str]:
        """Return the kernels whose runs stand in the notebook, in the order of their records."""
        kernels: dict[str, None] = {}
        for one in self._found:
            run = self._log.runs.get(one.run_id)
            if run is not None:
                kernels[run.kernel] = None
            said = (one.facts or {}).get("log")
            if isinstance(said, dict) and isinstance(said.get("kernel"), str):
                kernels[said["kernel"]] = None
        return list(kernels)

    def _cell_of(self, run: LoggedRun) -> SavedCell | None:
        """Return the cell in which a run's record stands, else the one that it was called in."""
        there = next((one.cell for one in self._found if one.run_id == run.run_id), None)
        return there or self._place_of(run)

    def _place_of(self, run: LoggedRun) -> SavedCell | None:
        """Return the cell that a run was called in, as far as it can be told."""
        said = run.cell.get("id")
        if said:
            return next((cell for cell in self._cells if cell.id == said), None)
        count, source = run.cell.get("count"), run.cell.get("source")
        same = [cell for cell in self._cells if count is not None and cell.count == count]
        return next((cell for cell in same if cell.source == source), next(iter(same), None))

    # One record

    def _of_record(self, one: Found) -> Iterator[str]:
        run = self._log.runs.get(one.run_id)
        if run is None:
            yield _of_unknown(one)
            return
        if one.facts is not None and one.facts.get("outcome") == _UNKNOWN:
            yield from self._of_draft(one, run)
            return
        yield from of_forms(one, run)
        if one.facts is not None:
            yield from self._of_place(one, run)
            yield from of_chain(one.facts, run)
            yield from of_text_above(one, run)
            yield from of_line_above(one, run)

    def _of_place(self, one: Found, run: LoggedRun) -> Iterator[str]:
        """Hold the cell in which a record stands against the one that the log knows."""
        cell = one.cell
        if not run.cell:
            return
        # A page that was loaded in mid-run has no number for the cell.
        same_id = bool(cell.id) and cell.id == run.cell.get("id")
        if cell.count != run.cell.get("count") and not (cell.count is None and same_id):
            there = run.cell.get("count")
            yield f"the record of {run.words} is of In [{there}]: it was copied here"
        elif cell.source != run.cell.get("source"):
            yield f"the cell's source is not what ran as {run.words}"

    def _of_draft(self, one: Found, run: LoggedRun) -> Iterator[str]:
        """Hold what a page has completed, as the kernel was gone, against what the log knows."""
        if run.shown_as("record"):
            yield f"the record of {run.words} says that its end is not known, but its end was shown"
            return
        drafts = run.shown_as("draft")
        facts = canonical(one.facts)
        same = [line for line in drafts if canonical(line.get("metadata")) == facts]
        if not any(is_completed(one.output.data, line.get("data") or {}) for line in same):
            yield f"the record of {run.words} is not what was to stay if its kernel died"
            return
        record = run.record() or {}
        known = f"; the log has it: {record.get('words')}" if record.get("state") == "ended" else ""
        self._note(
            one.cell,
            f"{run.words}: started, end not known{known}. Its output is as the page had it, and "
            "is not checked",
        )

    # What should be there

    def _twice(self) -> list[Found]:
        """Return the records in this notebook that stand somewhere else too."""
        where: dict[str, list[Found]] = {}
        for one in self._everywhere:
            if one.facts is not None and one.run_id in self._log.runs:
                where.setdefault(one.run_id, []).append(one)
        mine = self._verdict.notebook
        return [
            next(one for one in places if one.notebook == mine)
            for places in where.values()
            if len(places) > 1 and any(one.notebook == mine for one in places)
        ]

    def _missing(self, kernels: Iterable[str]) -> None:
        """Find the runs of this notebook that have no record in it."""
        there = {one.run_id for one in self._everywhere if one.facts is not None}
        kernels = set(kernels)
        names = {
            run.cell.get("notebook")
            for one in self._found
            if (run := self._log.runs.get(one.run_id)) is not None
        }
        for run in self._log.runs.values():
            if run.run_id in there or run.is_one_of_many or not run.cell:
                continue
            place = self._place_of(run)
            if run.kernel in kernels:
                if place is None and run.cell.get("notebook") not in names:
                    # The kernel had another notebook too.
                    continue
            elif not self._is_of(run, place):
                continue
            self._of_missing(run, place)

    def _is_of(self, run: LoggedRun, place: SavedCell | None) -> bool:
        """Whether a run of a kernel that has no record here surely was in this notebook."""
        if place is None:
            return False
        if not run.ended:
            # What a kernel that was killed has run: nobody could give the cell its number.
            name = str(run.cell.get("notebook") or "")
            same_name = name.rpartition("/")[2] == self._verdict.notebook.rpartition("/")[2]
            return place.id == run.cell.get("id") and same_name
        return (
            place.count == run.cell.get("count")
            and place.source == run.cell.get("source")
            and not any(one.cell is place for one in self._found)
            and bool(run.shown_as("record"))
        )

    def _of_missing(self, run: LoggedRun, place: SavedCell | None) -> None:
        record = run.record() or {}
        ended = record.get("state") == "ended"
        words = record.get("words") if ended else "started, end not known"
        if not run.shown_as("record"):
            if not ended:
                self._note(place, f"{run.words}: {words}; it has no record in the notebook")
            return
        if place is not None and self._ran_again(run, place):
            self._note(place, f"{run.words} ({words}) was before: the cell was run again")
            return
        if place is None and (count := run.cell.get("count")):
            self._say(None, f"In [{count}] is gone, with the record of {run.words} ({words})")
            return
        lost = place is not None and any(WIDGET in one.data for one in place.outputs)
        self._say(
            place,
            f"the record of {run.words} ({words}) is missing"
            + (": the page kept its live view instead" if lost else ""),
        )

    def _ran_again(self, run: LoggedRun, place: SavedCell) -> bool:
        """Whether a later run of the same cell has its record there."""
        for one in self._found:
            later = self._log.runs.get(one.run_id)
            if one.cell is not place or later is None or one.facts is None:
                continue
            same_cell = later.cell.get("id") == run.cell.get("id")
            anew = later.kernel != run.kernel or later.cell.get("count") != run.cell.get("count")
            if same_cell and anew and later.start.get("began", "") > run.start.get("began", ""):
                return True
        return False


def _of_unknown(one: Found) -> str:
    """Return what is said of a record whose run is not in the log."""
    if not one.run_id:
        return "it has what looks like a record and says of no run that it is its"
    words = f"its record is of run {one.run_id}, which the log does not have"
    if one.facts is not None and "log" not in one.facts:
        words += ": by its own words it was run without a log"
    return words
