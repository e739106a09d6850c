"""The record as HTML, and the bundle that stands in the saved notebook.

It needs no JavaScript and no style sheet, and all that the action wrote is escaped: it runs
nothing.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.record import picture, style
from nomad_magic.record.facts import Outcome, RunFacts
from nomad_magic.record.humanize import moment
from nomad_magic.record.record import Record
from nomad_magic.terminal import DEFAULT, Span
from nomad_magic.terminal.html import line_html

if TYPE_CHECKING:
    from nomad_magic.terminal import Line

HTML_CHARACTERS: Final = 100_000
"""How long the output may be as HTML; past that less of it is shown."""


def bundle(
    record: Record, *, output: bool = True, shown_as: str = "record"
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return a record by its MIME types, and its metadata; it is about to be shown.

    Args:
        record: The record.
        output: With the output; without it where that already stands above.
        shown_as: What the log takes it for.
    """
    data = {"text/plain": record.text(output=output), "text/html": card(record, output=output)}
    metadata = record.metadata()
    if (journal := record.run.journal) is not None:
        journal(shown_as, data, metadata)
    return data, {"nomad_magic": metadata}


def card(record: Record, *, output: bool = True) -> str:
    """Return a record as HTML.

    Args:
        record: The record.
        output: As for `bundle`.
    """
    run, masked = record.run, record.masked
    parts = [
        f'<div class="nomad-magic {style.NO_MATH}" style="{style.FRAME}">',
        style.bar(
            run.outcome, masked(run.action), masked(run.state), masked(run.target), run.started
        ),
    ]
    if output and (shown := _html(record.lines_that_fit(_length, HTML_CHARACTERS))):
        parts.append(style.window(masked(f"Output of {run.action}"), shown))
    facts = ((label, masked(text)) for label, text in record.facts())
    parts += [picture.pace(run), style.details(record.summary, facts, line=output), "</div>"]
    return "".join(parts)


def draft(result: RunFacts, output: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the record of a run whose kernel is gone, with all that is known of it now.

    Args:
        result: The run; it is left as it is.
        output: What stands in the place of the output.
    """
    facts = {one.name: getattr(result, one.name) for one in fields(RunFacts)}
    unknown = RunFacts(**{**facts, "outcome": Outcome.UNKNOWN})
    return bundle(Record(unknown, [(Span(output, DEFAULT),)]), shown_as="draft")


def announcement(result: RunFacts, *, line: bool = True) -> dict[str, str]:
    """Return what stands above a running action, and stays if its kernel or page dies.

    One line, and true whatever becomes of it; after the end a collapsed cell shows it.

    Args:
        result: The run.
        line: With the line that ran; without it where the cell's source is just that, and the
            action's name is enough.
    """
    text = f"$ {result.command_line}" if line else result.action
    if result.outcome is not Outcome.RUNNING:
        # Of one that never began the error says why, once.
        text += f" → {result.state if result.started is not None else result.outcome}"
    elif result.started is not None:
        where = f" in {result.place.short}" if result.place.allocation else ""
        text += f" · started {moment(result.started)}{where}; its end stands below, or is not known"
    else:
        text += " · its start and its end stand below, or are not known"
    # Text alone: collapsed, a front end shows the source of HTML.
    return {"text/plain": result.masker.shown(text)}


def _html(lines: list[Line]) -> str:
    return "\n".join(map(_line, lines))


def _length(lines: list[Line]) -> int:
    return len(_html(lines))


def _line(line: Line) -> str:
    html = line_html(line)
    if any(span.style.marked for span in line):
        return f'<span title="stderr" style="{style.STDERR}">{html}</span>'
    return html
