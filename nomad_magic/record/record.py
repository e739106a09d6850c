"""The record of a run: what stands in the saved notebook, in text and in HTML.

It needs no JavaScript and no style sheet, and all that the action wrote is escaped: it runs
nothing.  Colours follow the front end's own where it has some (`--jp-…` variables of
JupyterLab), with values that read on white and on black.
"""

from __future__ import annotations

import shlex
from html import escape
from typing import TYPE_CHECKING, Final

from nomad_magic.record.facts import Outcome, Tone
from nomad_magic.record.humanize import instant, left_out, size
from nomad_magic.record.reader import mask_pieces
from nomad_magic.record.transcript import STREAMS, text_decoder
from nomad_magic.terminal import DEFAULT, Span, Terminal
from nomad_magic.terminal.html import LEGIBLE, line_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nomad_magic.record.facts import RunFacts
    from nomad_magic.record.transcript import StreamName
    from nomad_magic.terminal import Line

WHOLE_BYTES: Final = 1 << 16
"""How long an output may be, in bytes, and still be shown whole in a record."""

END_BYTES: Final = 1 << 14
"""How much of each end of a longer one is shown: a page that has just stopped a flood is to
show its record at once."""

HTML_CHARACTERS: Final = 100_000
"""How long the output may be as HTML; past that less of it is shown."""

CUT_BYTES: Final = 1 << 12
"""How far before a cut a secret is looked for: the other stream may stand in its middle."""

_COLOURS: Final = {
    Tone.GOOD: LEGIBLE["green"],
    Tone.BAD: LEGIBLE["red"],
    Tone.UNSURE: LEGIBLE["yellow"],
    Tone.NEUTRAL: LEGIBLE["blue"],
}
_FRAME: Final = (
    "border:1px solid var(--jp-border-color2,#bbb);border-radius:4px;overflow:hidden;"
    "font-family:var(--jp-ui-font-family,sans-serif);font-size:var(--jp-ui-font-size1,13px);"
    "line-height:1.5"
)
# A column in reverse is scrolled to its end at first, as the live terminal was.
_WINDOW: Final = (
    "display:flex;flex-direction:column-reverse;max-height:444px;overflow:auto;"
    "border-top:1px solid var(--jp-border-color2,#bbb)"
)
_OUTPUT: Final = (
    "margin:0;padding:6px 10px;white-space:pre-wrap;overflow-wrap:anywhere;border:0;"
    "background:transparent;color:inherit;"
    "font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,13px);"
    "line-height:18px"
)
_CELL: Final = "text-align:left;white-space:pre-wrap;overflow-wrap:anywhere"
_BAR: Final = "padding:4px 10px"
_MUTED: Final = "opacity:.75"


class Record:
    """The record of one run, as far as it has got.

    Args:
        result: The run.
    """

    def __init__(self, result: RunFacts) -> None:
        self._result = result
        self._masker = result.masker
        self._lines: list[Line] | None = None

    def text(self, *, output: bool = True) -> str:
        """Return the record as text.

        Args:
            output: With the output as the terminal showed it, its head and tail when it is
                long; without it where it already stands above.
        """
        rows = list(self.facts())
        width = max(len(label) for label, _ in rows)
        parts = [f"{self._result.action}: {self._result.state}"]
        below = "\n" + " " * (width + 4)
        parts += [f"  {label.ljust(width)}  {text.replace(chr(10), below)}" for label, text in rows]
        if output and (shown := self.lines()):
            parts += ["", *("".join(span.text for span in line) for line in shown)]
        return self._masker.text("\n".join(parts))

    def html(self) -> str:
        """Return the record as HTML."""
        result = self._result
        sign, colour = result.outcome.sign, _COLOURS[result.outcome.tone]
        state = self._escaped(result.state)
        where = self._escaped(result.target)
        parts = [
            f'<div style="{_FRAME}">',
            f'<div style="{_BAR}"><strong style="color:{colour}">{sign} {state}</strong>',
            f" <strong>{self._escaped(result.action)}</strong>",
            f' <span style="{_MUTED}">{where}</span></div>',
        ]
        if output := self._output_html():
            pre = f'<pre dir="ltr" style="{_OUTPUT}">{output}</pre>'
            parts.append(f'<div style="{_WINDOW}" tabindex="0">{pre}</div>')
        parts += [self._facts_html(), "</div>"]
        return "".join(parts)

    def bundle(self) -> dict[str, str]:
        """Return both, by their MIME types."""
        return {"text/plain": self.text(), "text/html": self.html()}

    def facts(self) -> Iterator[tuple[str, str]]:
        """Return what is known besides the output, as (label, text)."""
        result, place = self._result, self._result.place
        if place.job:
            version = "" if place.job_version is None else f" (version {place.job_version})"
            names = [f"job {place.job}{version}"]
            names += [f"group {place.group}"] if place.group else []
            names += [f"task {place.task}"] if place.task else []
            yield "target", " / ".join(names)
        if place.allocation:
            yield "allocation", f"{place.allocation} {place.allocation_name}".rstrip()
        if place.node:
            yield "node", f"{place.node} {place.node_name}".rstrip()
        agent = [place.address]
        agent += [f"region {place.region}"] if place.region else []
        agent += [f"namespace {place.namespace}"] if place.namespace else []
        yield "agent", ", ".join(agent)
        if result.command is not None:
            yield "command", shlex.join(result.command)
        yield from self._when_and_how_much()
        for notice in result.notices:
            yield "notice", notice
        yield "again", result.command_line

    def _when_and_how_much(self) -> Iterator[tuple[str, str]]:
        result, transcript = self._result, self._result.transcript
        if result.started is not None:
            yield "started", instant(result.started)
        if result.ended is not None:
            yield "ended", instant(result.ended)
        for name in STREAMS:
            count = transcript.count(name)
            digest = f"{size(count)}, SHA-256 {transcript.sha256(name)}"
            yield name, digest if count else "nothing"
        if transcript.lost:
            yield "lost", f"{size(transcript.lost)}: the disk took no more"

    def lines(self) -> list[Line]:
        """Return the output's lines as the terminal showed them; of a long one its ends."""
        if self._lines is None:
            transcript = self._result.transcript
            if transcript.size <= WHOLE_BYTES:
                self._lines = self._shown(transcript.read_all())
            else:
                self._lines = self._ends(END_BYTES)
        return self._lines

    def _ends(self, end: int) -> list[Line]:
        """Return so many bytes of each end of the output, and a notice between them."""
        transcript = self._result.transcript
        total = transcript.size
        if total <= 2 * end:
            return self._shown(transcript.read_all())
        # A secret that a cut runs through must not be shown in part either.
        start, reach = total - end, min(CUT_BYTES + self._masker.reach, end)
        before = transcript.read(start - reach, reach)
        head = self._shown(
            mask_pieces(self._masker, transcript.read(0, end), to_end=False), to_end=False
        )
        tail = self._shown(mask_pieces(self._masker, transcript.read(start), before=before))
        notice = (Span(left_out(total - 2 * end), DEFAULT),)
        return [*head, notice, *tail]

    def whole(self) -> list[str]:
        """Return all lines of the output as the terminal showed them, without their styles."""
        lines = self._shown(self._result.transcript.read_all())
        return ["".join(span.text for span in line) for line in lines]

    def _shown(
        self, pieces: Iterable[tuple[StreamName, bytes]], *, to_end: bool = True
    ) -> list[Line]:
        terminal = Terminal(self._result.width, newline=not self._result.tty)
        decoders = {stream: text_decoder() for stream in STREAMS}
        for stream, data in pieces:
            terminal.feed(decoders[stream].decode(data))
        if to_end:
            for decoder in decoders.values():
                terminal.feed(decoder.decode(b"", final=True))
        # A full-screen program takes its screen away when it ends; a reader wants to see it.
        lines = terminal.lines() or terminal.last_alternate
        return [self._mask_line(line) for line in lines]

    def _mask_line(self, line: Line) -> Line:
        """Mask a secret that was written in pieces of several styles."""
        text = "".join(span.text for span in line)
        masked = self._masker.text(text)
        return line if masked == text else (Span(masked, DEFAULT),)

    def _output_html(self) -> str:
        """Return the output as HTML; less of it where the HTML of its styles would be too long."""
        html, end = _html(self.lines()), END_BYTES
        while len(html) > HTML_CHARACTERS and end >= 1024:
            html, end = _html(self._ends(end)), end // 2
        return html

    def _facts_html(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left;vertical-align:top;padding:0 12px 0 0;'
            f'font-weight:normal;{_MUTED}">{label}</th>'
            f'<td style="{_CELL}">{self._escaped(text)}</td></tr>'
            for label, text in self.facts()
        )
        return (
            f'<details style="{_BAR};border-top:1px solid var(--jp-border-color2,#bbb)">'
            f'<summary style="{_MUTED}">target, times, hashes and the line that repeats it'
            f'</summary><table style="margin:0;border:0;font-size:inherit">{rows}</table>'
            "</details>"
        )

    def _escaped(self, text: str) -> str:
        return escape(self._masker.text(text))


def _html(lines: list[Line]) -> str:
    return "\n".join(map(line_html, lines))


def announcement(result: RunFacts) -> dict[str, str]:
    """Return what stands above a running action, and stays if its kernel or page dies."""
    text = result.masker.text(f"$ {result.command_line}")
    facts = "started, but it is not known where or how it ended"
    if result.started is not None:
        where = result.target or "a task that is not known yet"
        facts = f"started {instant(result.started)} in {where}"
        facts += "; if nothing below says how it ended, that is not known"
    if result.outcome is not Outcome.RUNNING:
        return {"text/plain": text, "text/html": _quiet(text)}
    facts = result.masker.text(facts)
    return {
        "text/plain": f"{text}\n{facts}",
        "text/html": f"{_quiet(text)}{_quiet(facts)}",
    }


def _quiet(text: str) -> str:
    return (
        f'<div style="{_MUTED};font-family:var(--jp-code-font-family,monospace);'
        f'font-size:12px;line-height:1.4;overflow-wrap:anywhere">{escape(text)}</div>'
    )
