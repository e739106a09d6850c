"""How records look as HTML: the styles of their parts, and the parts that all have.  Pure.

Colours follow the front end's own where it has some (the variables of VS Code, then those of
JupyterLab, which VS Code defines too), with values that read on white and on black.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from nomad_magic.record.facts import Tone
from nomad_magic.record.humanize import moment
from nomad_magic.terminal.html import LEGIBLE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from nomad_magic.record.facts import Outcome

NO_MATH: Final = "tex2jax_ignore mathjax_ignore"
"""What MathJax leaves alone, of versions 2 and 3: a command with two `$` is not a formula."""

BACKGROUNDS: Final = {
    Tone.GOOD: LEGIBLE["green"],
    Tone.BAD: LEGIBLE["red"],
    Tone.UNSURE: LEGIBLE["yellow"],
    Tone.NEUTRAL: LEGIBLE["blue"],
}
MUTED: Final = "opacity:.8"
# With its triangle, which the style sheet of nbclassic takes away.
SUMMARY: Final = f"{MUTED};display:list-item"
BORDER: Final = "1px solid var(--vscode-panel-border,var(--jp-border-color2,#bbb))"
CODE_FONT: Final = (
    "font-family:var(--vscode-editor-font-family,var(--jp-code-font-family,monospace))"
)
FRAME: Final = (
    f"border:{BORDER};border-radius:4px;overflow:hidden;"
    "font-family:var(--vscode-font-family,var(--jp-ui-font-family,sans-serif));"
    "font-size:var(--vscode-font-size,var(--jp-ui-font-size1,13px));line-height:1.5"
)
LINE: Final = f"border-top:{BORDER}"
# White on it has a contrast of 4.5 at least, whatever the page's own background.
SIGN: Final = "color:#fff;border-radius:3px;padding:0 5px;font-weight:bold"
# A column in reverse is scrolled to its end at first, as the live terminal was.
WINDOW: Final = f"display:flex;flex-direction:column-reverse;max-height:444px;overflow:auto;{LINE}"
# The front ends' own style would have it scroll by itself, from its beginning.
OUTPUT: Final = (
    "flex:none;overflow:visible;margin:0;padding:6px 10px;white-space:pre-wrap;"
    "overflow-wrap:anywhere;border:0;background:transparent;color:inherit;"
    f"{CODE_FONT};font-size:var(--vscode-editor-font-size,var(--jp-code-font-size,13px));"
    "line-height:18px"
)
STDERR: Final = "border-left:3px solid #c9504b;margin-left:-7px;padding-left:4px"
CELL: Final = "text-align:left;white-space:pre-wrap;overflow-wrap:anywhere;border:0;padding:0"
LABEL: Final = (
    "text-align:left;vertical-align:top;white-space:nowrap;border:0;padding:0 12px 0 0;"
    f"font-weight:normal;{MUTED}"
)
CODE: Final = (
    "background:transparent;color:inherit;padding:0;white-space:pre-wrap;overflow-wrap:anywhere;"
    f"{CODE_FONT};font-size:inherit"
)
BAR: Final = "padding:4px 10px"
# All of it on paper.  Where style sheets are taken out it is shown as on the screen.
PRINT: Final = (
    "<style>@media print{.nomad-magic-output{display:block!important;"
    "max-height:none!important;overflow:visible!important}}</style>"
)
_CODE_FACTS: Final = frozenset({"command", "again", "allocation", "node", "run", "by"})


def bar(outcome: Outcome, action: str, state: str, target: str, started: datetime | None) -> str:
    """Return the first line of a record: sign, action, state, where, when.

    Args:
        outcome: For the sign and its colour.
        action: As it can be shown, as are `state` and `target`.
        state: In words.
        target: Where; may be empty.
        started: When, as far as known.
    """
    sign = f'<span style="{SIGN};background:{BACKGROUNDS[outcome.tone]}">{outcome.sign}</span>'
    words = [f"{sign} <strong>{escape(action)}</strong>", escape(state)]
    if target:
        words.append(f'<span style="{MUTED}">{escape(target)}</span>')
    if started is not None:
        words.append(f'<span style="{MUTED};white-space:nowrap">{moment(started)}</span>')
    return f'<div style="{BAR};overflow-wrap:anywhere">{" · ".join(words)}</div>'


def window(label: str, html: str) -> str:
    """Return a window that shows the end of what is in it, and on paper all.

    Args:
        label: What it is called by a screen reader.
        html: What is in it.
    """
    return (
        f'{PRINT}<div class="nomad-magic-output" style="{WINDOW}" tabindex="0" role="region"'
        f' aria-label="{escape(label)}"><pre dir="ltr" style="{OUTPUT}">{html}</pre></div>'
    )


def details(summary: str, facts: Iterable[tuple[str, str]], *, line: bool) -> str:
    """Return closed details: a table of facts.

    Args:
        summary: What stands on them while they are closed.
        facts: A label and a text, as it can be shown.
        line: There is a line above them.
    """
    rows = "".join(
        f'<tr style="background:transparent"><th scope="row" style="{LABEL}">{label}</th>'
        f'<td style="{CELL}">{_fact(label, text)}</td></tr>'
        for label, text in facts
    )
    return (
        f'<details style="{BAR};{LINE if line else ""}"><summary style="{SUMMARY}">'
        f"{escape(summary)} · details</summary>"
        f'<table style="margin:4px 0 0;border:0;font-size:inherit">{rows}</table></details>'
    )


def _fact(label: str, text: str) -> str:
    html = escape(text)
    return f'<code style="{CODE}">{html}</code>' if label in _CODE_FACTS else html
