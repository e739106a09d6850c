"""The record as HTML, and the bundle that stands in the saved notebook.

It needs no JavaScript and no style sheet, and all that the action wrote is escaped: it runs
nothing.  Colours follow the front end's own where it has some (the variables of VS Code, then those
of JupyterLab, which VS Code defines too), with values that read on white and on black.
"""

from __future__ import annotations

from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.record.facts import Outcome, RunFacts, Tone
from nomad_magic.record.humanize import moment
from nomad_magic.record.record import Record
from nomad_magic.terminal import DEFAULT, Span
from nomad_magic.terminal.html import LEGIBLE, line_html

if TYPE_CHECKING:
    from nomad_magic.terminal import Line

HTML_CHARACTERS: Final = 100_000
"""How long the output may be as HTML; past that less of it is shown."""

NO_MATH: Final = "tex2jax_ignore mathjax_ignore"
"""What MathJax leaves alone, of versions 2 and 3: a command with two `$` is not a formula."""

_BACKGROUNDS: Final = {
    Tone.GOOD: LEGIBLE["green"],
    Tone.BAD: LEGIBLE["red"],
    Tone.UNSURE: LEGIBLE["yellow"],
    Tone.NEUTRAL: LEGIBLE["blue"],
}
_MUTED: Final = "opacity:.8"
_BORDER: Final = "1px solid var(--vscode-panel-border,var(--jp-border-color2,#bbb))"
_CODE_FONT: Final = (
    "font-family:var(--vscode-editor-font-family,var(--jp-code-font-family,monospace))"
)
_FRAME: Final = (
    f"border:{_BORDER};border-radius:4px;overflow:hidden;"
    "font-family:var(--vscode-font-family,var(--jp-ui-font-family,sans-serif));"
    "font-size:var(--vscode-font-size,var(--jp-ui-font-size1,13px));line-height:1.5"
)
_LINE: Final = f"border-top:{_BORDER}"
# White on it has a contrast of 4.5 at least, whatever the page's own background.
_SIGN: Final = "color:#fff;border-radius:3px;padding:0 5px;font-weight:bold"
# A column in reverse is scrolled to its end at first, as the live terminal was.
_WINDOW: Final = (
    f"display:flex;flex-direction:column-reverse;max-height:444px;overflow:auto;{_LINE}"
)
# The front ends' own style would have it scroll by itself, from its beginning.
_OUTPUT: Final = (
    "flex:none;overflow:visible;margin:0;padding:6px 10px;white-space:pre-wrap;"
    "overflow-wrap:anywhere;border:0;background:transparent;color:inherit;"
    f"{_CODE_FONT};font-size:var(--vscode-editor-font-size,var(--jp-code-font-size,13px));"
    "line-height:18px"
)
_STDERR: Final = "border-left:3px solid #c9504b;margin-left:-7px;padding-left:4px"
_CELL: Final = "text-align:left;white-space:pre-wrap;overflow-wrap:anywhere;border:0;padding:0"
_LABEL: Final = (
    "text-align:left;vertical-align:top;white-space:nowrap;border:0;padding:0 12px 0 0;"
    f"font-weight:normal;{_MUTED}"
)
_CODE: Final = (
    "background:transparent;color:inherit;padding:0;white-space:pre-wrap;overflow-wrap:anywhere;"
    f"{_CODE_FONT};font-size:inherit"
)
_BAR: Final = "padding:4px 10px"
_CODE_FACTS: Final = frozenset({"command", "again", "allocation", "node", "run", "by"})
# All of it on paper.  Where style sheets are taken out it is shown as on the screen.
_PRINT: Final = (
    "<style>@media print{.nomad-magic-output{display:block!important;"
    "max-height:none!important;overflow:visible!important}}</style>"
)


def bundle(record: Record, *, output: bool = True) -> tuple[dict[str, str], dict[str, Any]]:
    """Return a record by its MIME types, and its metadata.

    Args:
        record: The record.
        output: With the output; without it where that already stands above.
    """
    data = {"text/plain": record.text(output=output), "text/html": card(record, output=output)}
    return data, {"nomad_magic": record.metadata()}


def card(record: Record, *, output: bool = True) -> str:
    """Return a record as HTML.

    Args:
        record: The record.
        output: As for `bundle`.
    """
    run = record.run
    sign, background = run.outcome.sign, _BACKGROUNDS[run.outcome.tone]
    name = f"<strong>{_escaped(record, run.action)}</strong>"
    words = [
        f'<span style="{_SIGN};background:{background}">{sign}</span> {name}',
        _escaped(record, run.state),
    ]
    if run.target:
        words.append(f'<span style="{_MUTED}">{_escaped(record, run.target)}</span>')
    if run.started is not None:
        words.append(f'<span style="{_MUTED};white-space:nowrap">{moment(run.started)}</span>')
    parts = [
        f'<div class="nomad-magic {NO_MATH}" style="{_FRAME}">',
        f'<div style="{_BAR};overflow-wrap:anywhere">{" · ".join(words)}</div>',
    ]
    if output and (shown := _html(record.lines_that_fit(_length, HTML_CHARACTERS))):
        label = _escaped(record, f"Output of {run.action}")
        parts.append(
            f'{_PRINT}<div class="nomad-magic-output" style="{_WINDOW}" tabindex="0" role="region"'
            f' aria-label="{label}"><pre dir="ltr" style="{_OUTPUT}">{shown}</pre></div>'
        )
    parts += [_details(record, line=output), "</div>"]
    return "".join(parts)


def draft(result: RunFacts, output: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the record of a run whose kernel is gone, with all that is known of it now.

    Args:
        result: The run; it is left as it is.
        output: What stands in the place of the output.
    """
    facts = {one.name: getattr(result, one.name) for one in fields(RunFacts)}
    unknown = RunFacts(**{**facts, "outcome": Outcome.UNKNOWN})
    return bundle(Record(unknown, [(Span(output, DEFAULT),)]))


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


def _details(record: Record, *, line: bool) -> str:
    rows = "".join(
        f'<tr style="background:transparent"><th scope="row" style="{_LABEL}">{label}</th>'
        f'<td style="{_CELL}">{_fact(record, label, text)}</td></tr>'
        for label, text in record.facts()
    )
    return (
        f'<details style="{_BAR};{_LINE if line else ""}"><summary style="{_MUTED}">'
        f"{escape(record.summary)} · details</summary>"
        f'<table style="margin:4px 0 0;border:0;font-size:inherit">{rows}</table></details>'
    )


def _fact(record: Record, label: str, text: str) -> str:
    html = _escaped(record, text)
    return f'<code style="{_CODE}">{html}</code>' if label in _CODE_FACTS else html


def _escaped(record: Record, text: str) -> str:
    return escape(record.masked(text))


def _html(lines: list[Line]) -> str:
    return "\n".join(map(_line, lines))


def _length(lines: list[Line]) -> int:
    return len(_html(lines))


def _line(line: Line) -> str:
    html = line_html(line)
    if any(span.style.marked for span in line):
        return f'<span title="stderr" style="{_STDERR}">{html}</span>'
    return html
