"""The record of a fleet as HTML: what `card` is for that of one run."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.record import picture, style
from nomad_magic.record.facts import Outcome

if TYPE_CHECKING:
    from nomad_magic.record.fleet_record import FleetRecord
    from nomad_magic.record.grouping import Group

KERNEL_GONE: Final = "the kernel is gone: how they ended is not known, some may still run"
_GROUP: Final = f"{style.BAR};{style.LINE};overflow-wrap:anywhere"
_TINTS: Final = {"+": "background:rgba(46,160,67,.2)", "-": "background:rgba(248,81,73,.2)"}


def fleet_bundle(
    record: FleetRecord, *, output: bool = True, shown_as: str = "record"
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return a fleet's record by its MIME types, and its metadata; it is about to be shown.

    Args:
        record: The record.
        output: With what the groups wrote.
        shown_as: What the log takes it for.
    """
    data = {"text/plain": record.text(output=output), "text/html": fleet_card(record)}
    metadata = record.metadata()
    if (journal := record.result.journal) is not None:
        journal(shown_as, data, metadata)
    return data, {"nomad_magic": metadata}


def fleet_card(record: FleetRecord) -> str:
    """Return a fleet's record as HTML."""
    result = record.result
    shown = result.masker.shown
    parts = [
        f'<div class="nomad-magic {style.NO_MATH}" style="{style.FRAME}">',
        style.bar(
            result.outcome,
            shown(result.action),
            shown(record.state),
            shown(record.target),
            result.started,
        ),
    ]
    for group, lines, differs in record.shown_groups():
        heading = shown(record.heading(group))
        parts.append(f'<div style="{_GROUP}">{_sign(group)} {escape(heading)}</div>')
        if lines:
            html = "\n".join(_line(result.masker.text(line), differs=differs) for line in lines)
            what = "Difference of" if differs else "Output of"
            parts.append(style.window(f"{what} {group.names}", html))
    more = [*map(record.heading, record.listed_groups), record.uncounted]
    parts += [
        f'<div style="{_GROUP}">{escape(shown(heading))}</div>' for heading in filter(None, more)
    ]
    facts = ((label, shown(text)) for label, text in record.facts())
    parts += [
        picture.durations(result.runs.values()),
        style.details(record.summary, facts, line=True),
        "</div>",
    ]
    return "".join(parts)


def fleet_draft(record: FleetRecord, output: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the record of a fleet whose kernel is gone, with all that is known of it now.

    Args:
        record: The record, as far as it has got.
        output: What stands in the place of what its page shows.
    """
    result, shown = record.result, record.result.masker.shown
    unknown = Outcome.UNKNOWN
    words = [f"{unknown.sign} {result.action}", KERNEL_GONE, record.target]
    facts = [(label, shown(text)) for label, text in record.facts()]
    text = [" · ".join(filter(None, words)), "", output, "", *(": ".join(fact) for fact in facts)]
    html = [
        f'<div class="nomad-magic {style.NO_MATH}" style="{style.FRAME}">',
        style.bar(unknown, shown(result.action), KERNEL_GONE, shown(record.target), result.started),
        style.window(f"Runs of {shown(result.action)}", output),
        style.details(record.summary, facts, line=True),
        "</div>",
    ]
    metadata = record.metadata() | {"outcome": unknown.value}
    data = {"text/plain": result.masker.text("\n".join(text)), "text/html": "".join(html)}
    if result.journal is not None:
        result.journal("draft", data, metadata)
    return data, {"nomad_magic": metadata}


def fleet_announcement(
    record: FleetRecord, *, line: bool = True, over: bool = False
) -> dict[str, str]:
    """Return what stands above a running fleet, and stays if its kernel or page dies.

    Args:
        record: The record, as far as it has got.
        line: With the line that ran; without it where the cell's source is just that.
        over: It has ended.
    """
    result = record.result
    text = result.command_line if line else result.action
    if over:
        text += f" → {record.state}"
    elif result.runs:
        text = f"{result.command_line} · {record.beginning}" if line else record.beginning
        text += "; how each ended stands below, or is not known"
    else:
        text += " · where it runs and how it ends stand below, or are not known"
    return {"text/plain": result.masker.shown(text)}


def _sign(group: Group) -> str:
    background = style.BACKGROUNDS[group.outcome.tone]
    return f'<span style="{style.SIGN};background:{background}">{group.outcome.sign}</span>'


def _line(line: str, *, differs: bool) -> str:
    """Return a line of an output or of a difference."""
    tint = _TINTS.get(line[:1]) if differs else None
    html = escape(line)
    return f'<span style="{tint}">{html}</span>' if tint else html
