"""Runs as a table: as text, and as HTML without script or style sheet."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.record import style
from nomad_magic.record.humanize import moment

if TYPE_CHECKING:
    from nomad_magic.log.entries import RunEntry

ROWS: Final = 50
"""How many runs are shown; the value has all."""

HEADS: Final = ("state", "action", "target", "when", "run", "kernel")
_TABLE: Final = "border:0;font-size:inherit;width:100%;table-layout:auto;margin:0"
_CELL: Final = f"{style.CELL};padding:3px 12px 3px 10px;vertical-align:baseline"
_WHOLE: Final = "white-space:nowrap;overflow-wrap:normal"
_WORDS: Final = frozenset({"action", "run"})
"""What is read as one word."""


class Runs(list["RunEntry"]):
    """Runs, newest first; a notebook shows them as a table."""

    def __repr__(self) -> str:
        """Return the table as text."""
        if not self:
            return "no runs"
        rows = [HEADS, *map(_cells, self._shown())]
        widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *self._more()])

    def _repr_html_(self) -> str:
        """Return the table as HTML."""
        if not self:
            return "<div>no runs</div>"
        heads = "".join(
            f'<th scope="col" style="{_CELL};{style.MUTED}">{head}</th>' for head in HEADS
        )
        rows = "".join(map(_row, self._shown()))
        more = "".join(f'<div style="{style.MUTED}">{escape(line)}</div>' for line in self._more())
        return (
            f'<div class="nomad-magic-runs {style.NO_MATH}" style="{style.FRAME};overflow:auto">'
            f'<table style="{_TABLE}">'
            f'<thead><tr style="background:transparent">{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table>{more}</div>"
        )

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))

    def _listed(self) -> list[RunEntry]:
        """Return those that have a row: a fleet has one, its runs have none beside it."""
        fleets = {entry.run_id for entry in self if entry.is_fleet}
        return [entry for entry in self if entry.fleet not in fleets]

    def _shown(self) -> list[RunEntry]:
        return self._listed()[:ROWS]

    def _more(self) -> list[str]:
        rest = len(self._listed()) - ROWS
        return [f"and {rest} older"] if rest > 0 else []


def _cells(entry: RunEntry) -> tuple[str, ...]:
    when = moment(entry.began) if entry.began is not None else ""
    state = f"{entry.outcome.sign} {entry.state}"
    return (state, entry.action, entry.target, when, entry.run_id, entry.kernel)


def _row(entry: RunEntry) -> str:
    state, *others = _cells(entry)
    background = style.BACKGROUNDS[entry.outcome.tone]
    sign, _, words = state.partition(" ")
    first = f'<span style="{style.SIGN};background:{background}">{sign}</span> {escape(words)}'
    cells = "".join(
        f'<td style="{_CELL}{";" + _WHOLE if head in _WORDS else ""}">{escape(text)}</td>'
        for head, text in zip(HEADS[1:], others, strict=True)
    )
    return f'<tr style="background:transparent"><td style="{_CELL}">{first}</td>{cells}</tr>'
