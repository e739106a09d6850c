"""One record in a notebook beside what a log has shown of its run: what differs, in words."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.log.ledger import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nomad_magic.log.evidence import LoggedRun
    from nomad_magic.log.notebook import SavedCell, SavedOutput

_OUTPUT: Final = re.compile("\ue000[a-z]+\ue000")
"""What stands for the output in a draft, which a page completes."""


@dataclass(frozen=True, slots=True)
class Found:
    """An output that is, or looks like, a record.

    Attributes:
        notebook: The notebook's name.
        cell: Its cell.
        at: Which of the cell's outputs it is.
        run_id: Whose it is, as far as it says so; else empty.
    """

    notebook: str
    cell: SavedCell
    at: int
    run_id: str

    @property
    def output(self) -> SavedOutput:
        """The output."""
        return self.cell.outputs[self.at]

    @property
    def facts(self) -> dict[str, Any] | None:
        """What its metadata says."""
        return self.output.facts


def of_forms(one: Found, run: LoggedRun) -> Iterator[str]:
    """Hold what a record shows, and its facts, against what the log has shown."""
    output = one.output
    kinds = {"display_data"} if one.facts is not None else {"display_data", "execute_result"}
    if output.kind not in kinds:
        yield f"the record of {run.words}: its output_type was changed to {output.kind!r}"
    if one.facts is not None:
        lines = run.shown_as("record")
    else:
        values = run.shown_as("value")
        lines = [line for line in values if line.get("count") == one.cell.count]
        if not lines and one.cell.count == run.cell.get("count"):
            yield f"the record of {run.words} has lost its metadata"
            return
        if not lines:
            yield f"the log has not shown {run.words} in this cell: it was copied here"
            return
    if not lines:
        yield (
            f"the record of {run.words} cannot be confirmed: the log does not know that it was "
            "shown" + ("" if run.ended else ", nor how the run ended")
        )
        return
    facts = None if one.facts is None else sha256(canonical(one.facts))

    def differences(line: dict[str, Any]) -> list[str]:
        shown: dict[str, str] = line.get("forms") or {}
        names = [*output.data, *(name for name in shown if name not in output.data)]
        found = [
            f"its {name} {_what_became(name, output.data, shown)}"
            for name in names
            if output.forms.get(name) != shown.get(name)
        ]
        return found + (["metadata"] if facts not in {None, line.get("metadata")} else [])

    best = min(map(differences, lines), key=len)
    for words in best:
        if words != "metadata":
            yield f"the record of {run.words}: {words}"
            continue
        changes = list(_changes(one.facts or {}, (run.record() or {}).get("record") or {}))
        for change in changes or ["its metadata was changed"]:
            yield f"the record of {run.words}: {change}"


def _what_became(name: str, here: Mapping[str, str], there: Mapping[str, str]) -> str:
    if name not in there:
        return "was added"
    return "was changed" if name in here else "is gone"


def _changes(here: Any, there: Any, name: str = "") -> Iterator[str]:
    """Go through what two records' facts differ in."""
    if isinstance(here, dict) and isinstance(there, dict):
        for key in dict.fromkeys([*there, *here]):
            path = f"{name}.{key}" if name else str(key)
            if key not in here:
                yield f"{path} is gone from its metadata"
            elif key not in there:
                yield f"{path} was added to its metadata"
            else:
                yield from _changes(here[key], there[key], path)
    elif canonical(here) != canonical(there):
        yield f"{name} was changed: the notebook says {_short(here)}, the log {_short(there)}"


def _short(value: Any) -> str:
    text = canonical(value).decode()
    return text if len(text) <= 80 else f"{text[:79]}…"


def of_chain(facts: Mapping[str, Any], run: LoggedRun) -> Iterator[str]:
    """Hold what a record knows of the ledger against the ledger."""
    said = facts.get("log")
    there = {"kernel": run.kernel, "number": run.began.get("number"), "chain": run.chain}
    if isinstance(said, dict) and canonical(said) != canonical(there):
        yield (
            f"the record of {run.words} and the log's ledger do not belong together: one of them "
            "was changed"
        )


def of_text_above(one: Found, run: LoggedRun) -> Iterator[str]:
    """Hold the output that stands above a record against what was written there."""
    for line in run.shown_as("text"):
        for stream, ways in (line.get("streams") or {}).items():
            above = one.cell.above(one.at, stream)
            if not any(sha256(above[-length:]) == digest for length, digest in ways):
                yield f"the {stream} of {run.words} above its record was changed"


def of_line_above(one: Found, run: LoggedRun) -> Iterator[str]:
    """Hold the line that stands above a live view against those that were shown there."""
    forms = [line.get("forms") for line in run.shown_as("line")]
    if forms and not any(output.forms in forms for output in one.cell.outputs):
        yield f"the line above the record of {run.words} was changed, or is gone"


def is_completed(data: Mapping[str, str], draft: Mapping[str, str]) -> bool:
    """Whether a page has made this of a draft, the same output in each of its forms."""
    if set(data) != set(draft):
        return False
    outputs = set()
    for name, text in data.items():
        before, _, after = _partition(draft[name])
        if not (text.startswith(before) and text.endswith(after)):
            return False
        middle = text[len(before) : len(text) - len(after)]
        outputs.add(html.unescape(middle) if name == "text/html" else middle)
    return len(outputs) == 1


def _partition(draft: str) -> tuple[str, str, str]:
    found = _OUTPUT.search(draft)
    if found is None:
        return draft, "", ""
    return draft[: found.start()], found.group(), draft[found.end() :]
