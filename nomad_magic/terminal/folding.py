"""Frozen rows of a screen as the lines that a reader sees: joined where they wrapped, trimmed.

Pure.
"""

from nomad_magic.terminal.screen import SKIPPED, Frozen, spans
from nomad_magic.terminal.style import DEFAULT, Line, Span, Style


def single(rows: list[Frozen], _wraps: bytes) -> list[Line]:
    """Each of the `frozen` rows as a line of its own."""
    return _without_empty_end(list(map(_trimmed, rows)))


def joined(rows: list[Frozen], wraps: bytes) -> list[Line]:
    """The `frozen` rows as lines, each row that continues another one put behind it."""
    lines: list[Line] = []
    at, end = 0, len(rows)
    while at < end:
        # A row of its own is much more frequent than one that goes on: look ahead for the next.
        found = wraps.find(1, at + 1)
        start = end if found < 0 else found - 1
        lines += map(_trimmed, rows[at:start])
        if found < 0:
            break
        at = wraps.find(0, found)
        at = end if at < 0 else at
        lines.append(_trimmed(_glued(rows[start:at])))
    return _without_empty_end(lines)


def _glued(rows: list[Frozen]) -> Line:
    pieces: list[tuple[str, Style]] = []
    for row in rows:
        if pieces:
            pieces[-1] = (pieces[-1][0].rstrip(SKIPPED), pieces[-1][1])
        if isinstance(row, str):
            pieces.append((row, DEFAULT))
        else:
            pieces += [(span.text, span.style) for span in row]
    return spans(pieces)


def _trimmed(row: Frozen) -> Line:
    if isinstance(row, str):
        text = row.rstrip(" " + SKIPPED)
        return (Span(text, DEFAULT),) if text else ()
    while row and row[-1].style == DEFAULT:
        text = row[-1].text.rstrip(" " + SKIPPED)
        if text:
            return row if text == row[-1].text else (*row[:-1], Span(text, DEFAULT))
        row = row[:-1]
    if row and SKIPPED in row[-1].text:
        row = (*row[:-1], Span(row[-1].text.replace(SKIPPED, " "), row[-1].style))
    return row


def _without_empty_end(lines: list[Line]) -> list[Line]:
    end = len(lines)
    while end and not lines[end - 1]:
        end -= 1
    return lines[:end]
