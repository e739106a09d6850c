"""A saved notebook, as far as its records go."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.cell import source_text
from nomad_magic.log.ledger import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK: Final = re.compile(r'class="nomad-magic[\s"]')
"""What the HTML of every record begins with, but for the sign before it."""

PLAN: Final = "plan"
"""What a plan's facts say that it is."""

WIDGET: Final = "application/vnd.jupyter.widget-view+json"


class NotANotebookError(Exception):
    """A file is no notebook that can be read; the words say why."""


@dataclass(frozen=True, slots=True)
class SavedOutput:
    """One output of a cell.

    Attributes:
        kind: Its `output_type`.
        data: What it shows by MIME types, as text; of a stream nothing.
        facts: What stands under `nomad_magic` in its metadata; None where nothing does.
        stream: Which stream it is; empty for what is none.
        text: A stream's text.
    """

    kind: str = ""
    data: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] | None = None
    stream: str = ""
    text: str = ""

    @property
    def looks_like_a_record(self) -> bool:
        """It has the marks of a record, whatever is in it; a plan says that nothing has run."""
        facts = self.facts is not None and self.facts.get("kind") != PLAN
        return facts or MARK.search(self.data.get("text/html", "")) is not None

    @property
    def forms(self) -> dict[str, str]:
        """The hash of each of its MIME types."""
        return {name: sha256(text) for name, text in self.data.items()}


@dataclass(frozen=True, slots=True)
class SavedCell:
    """A cell of code.

    Attributes:
        number: Which of the notebook's cells it is, from 1.
        id: Its id; empty in older notebooks.
        count: What stands in its brackets; None for nothing.
        source: The hash of its source.
        outputs: In their order.
    """

    number: int
    id: str
    count: int | None
    source: str
    outputs: tuple[SavedOutput, ...]

    def __str__(self) -> str:
        return f"cell {self.number}" + ("" if self.count is None else f" (In [{self.count}])")

    def above(self, at: int, stream: str) -> str:
        """Return what stands of a stream above an output."""
        return "".join(one.text for one in self.outputs[:at] if one.stream == stream)


def read(path: Path) -> list[SavedCell]:
    """Return the cells of code of a notebook.

    Raises:
        NotANotebookError: It cannot be read.
    """
    try:
        notebook = json.loads(path.read_bytes())
    except OSError as error:
        raise NotANotebookError(error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise NotANotebookError(f"it is not JSON: {error}") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise NotANotebookError("it has no cells, as a notebook of nbformat 4 has")
    return list(_cells(cells))


def _cells(cells: list[Any]) -> Iterator[SavedCell]:
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or not isinstance(cell.get("outputs"), list):
            continue
        count = cell.get("execution_count")
        yield SavedCell(
            number=number,
            id=str(cell.get("id") or ""),
            count=count if isinstance(count, int) else None,
            source=sha256(source_text(_joined(cell.get("source")))),
            outputs=tuple(_output(one) for one in cell["outputs"] if isinstance(one, dict)),
        )


def _output(output: dict[str, Any]) -> SavedOutput:
    kind = str(output.get("output_type"))
    if kind == "stream":
        return SavedOutput(
            kind=kind, stream=str(output.get("name")), text=_joined(output.get("text"))
        )
    data, metadata = output.get("data"), output.get("metadata")
    facts = metadata.get("nomad_magic") if isinstance(metadata, dict) else None
    if facts is not None and not isinstance(facts, dict):
        facts = {"": facts}
    shown = data if isinstance(data, dict) else {}
    texts = {str(name): _joined(one) for name, one in shown.items()}
    return SavedOutput(kind=kind, data=texts, facts=facts)


def _joined(text: Any) -> str:
    """Return a text that a notebook keeps whole, or as its lines."""
    if isinstance(text, str):
        return text
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        return "".join(text)
    return "" if text is None else json.dumps(text)
