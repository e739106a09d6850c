"""The record of a run: what is said of it, as text, Markdown and JSON; `card` has the HTML."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.record.facts import Outcome
from nomad_magic.record.humanize import instant, left_out, moment, short_size, size, stretch
from nomad_magic.record.markdown import code, escaped, fenced
from nomad_magic.record.reader import mask_pieces
from nomad_magic.record.transcript import STREAMS, text_decoder
from nomad_magic.terminal import DEFAULT, Span, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nomad_magic.record.facts import RunFacts
    from nomad_magic.record.transcript import StreamName
    from nomad_magic.terminal import Line

WHOLE_BYTES: Final = 1 << 16
"""How long an output may be, in bytes, and still be shown whole in a record."""

END_BYTES: Final = 1 << 14
"""How much of each end of a longer one is shown: a page that has just stopped a flood is to
show its record at once."""

CUT_BYTES: Final = 1 << 12
"""How far before a cut a secret is looked for: the other stream may stand in its middle."""


_MOVES: Final = re.compile(rb"\x1b\[(?:[\d;]*[ABCDHJfdG]|\?1049h)")
"""What moves the cursor or erases the screen; erasing a line's rest is not drawing."""


class Record:
    """The record of one run, as far as it has got.

    Args:
        result: The run.
        lines: What is shown as the output, instead of the run's own.
    """

    def __init__(self, result: RunFacts, lines: list[Line] | None = None) -> None:
        self._result = result
        self._masker = result.masker
        self._lines = lines

    @property
    def title(self) -> str:
        """The record in a line: sign, action, state, target, when."""
        result = self._result
        when = moment(result.started) if result.started is not None else ""
        state = f"{result.outcome.sign} {result.action} · {result.state}"
        return self._masker.name(" · ".join(filter(None, (state, result.target, when))))

    def text(self, *, output: bool = True) -> str:
        """Return the record as text.

        Args:
            output: With the output as the terminal showed it, its head and tail when it is
                long; without it where it already stands above.
        """
        rows = [(label, text) for label, text in self.facts() if label != "command"]
        # The command comes last, for it may be a script.
        rows += [(label, text) for label, text in self.facts() if label == "command"]
        width = max(len(label) for label, _ in rows)
        parts = [self.title]
        if output and (shown := self.lines()):
            parts += ["", *map(plain_line, shown), ""]
        for label, text in rows:
            first, _, more = self.masked(text).partition("\n")
            parts.append(f"  {label.ljust(width)}  {first}{' …' if more else ''}")
        return self._masker.text("\n".join(parts))

    def markdown(self) -> str:
        """Return the record as Markdown, for an incident's document."""
        parts = [f"**{escaped(self.title)}**", ""]
        if shown := self.lines():
            text = self._masker.text("\n".join(map(plain_line, shown)))
            parts += [*fenced(text), ""]
        for label, fact in self.facts():
            text = self.masked(fact)
            if "\n" in text:
                parts += [f"- {label}:", "", *(f"  {line}" for line in fenced(text)), ""]
            else:
                parts.append(f"- {label}: {code(text)}")
        return "\n".join(parts).rstrip() + "\n"

    def metadata(self) -> dict[str, Any]:
        """Return the same facts as JSON, for tools."""
        result, transcript, mask = self._result, self._result.transcript, self.masked
        place = {one.name: getattr(result.place, one.name) for one in fields(result.place)}
        size_and_hash = result.stdin
        return {
            "version": 1,
            "run_id": result.run_id,
            **({"fleet": result.fleet} if result.fleet else {}),
            **({"log": result.logged._asdict()} if result.logged is not None else {}),
            "action": mask(result.action),
            "command_line": mask(result.command_line),
            "outcome": result.outcome.value,
            "exit_code": result.exit_code,
            "reason": mask(result.reason),
            "place": {
                name: mask(value) if isinstance(value, str) else value
                for name, value in place.items()
            },
            "command": None if result.command is None else [mask(one) for one in result.command],
            "started": None if result.started is None else result.started.isoformat(),
            "ended": None if result.ended is None else result.ended.isoformat(),
            "seconds": round(result.duration, 3) if self._all_came else None,
            "tty": result.tty,
            "stops": [
                {"time": deed.time.isoformat(), "rung": deed.rung.name.lower()}
                | ({} if deed.sighting is None else deed.sighting.metadata())
                for deed in result.deeds
            ],
            "seen": None if result.seen is None else result.seen.metadata(),
            "stdin": None
            if size_and_hash is None
            else {"bytes": size_and_hash[0], "sha256": size_and_hash[1]},
            **{
                name: {"bytes": transcript.count(name), "sha256": transcript.sha256(name)}
                if self._all_came
                else None
                for name in STREAMS
            },
            "lost_bytes": transcript.lost,
            "notices": [mask(notice) for notice in result.notices],
            "confirmed": mask(result.confirmed) or None,
        }

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
            yield "command", written(result.command)
        yield from self._when_and_how_much()
        for notice in result.notices:
            yield "notice", notice
        if result.confirmed:
            yield "confirmed", result.confirmed
        yield from self._stops()
        again = result.command_line
        yield "again", again if result.stdin is None else f"{again} < STDIN"
        if result.run_id:
            yield "run", result.run_id

    def _stops(self) -> Iterator[tuple[str, str]]:
        """What was done to stop it, what was seen of its process, and by what."""
        result = self._result
        for deed in result.deeds:
            yield "stopped", f"{deed.time:%H:%M:%S} {deed.words}"
        if (seen := result.seen) is not None:
            yield "seen", f"{seen.time:%H:%M:%S} {seen.words()}"
        looks = [result.seen, *(deed.sighting for deed in result.deeds)]
        if by := next((look.by for look in looks if look is not None), ""):
            yield "by", by

    def _when_and_how_much(self) -> Iterator[tuple[str, str]]:
        result, transcript = self._result, self._result.transcript
        if result.started is not None:
            yield "started", instant(result.started)
        if result.ended is not None:
            yield "ended", instant(result.ended)
        if result.stdin is not None:
            count, digest = result.stdin
            yield "stdin", f"{size(count)}, SHA-256 {digest}"
        for name in STREAMS if self._all_came else ():
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
        lines = self._shown(self._result.transcript.read_all(), marked=False)
        return ["".join(span.text for span in line) for line in lines]

    def _shown(
        self,
        pieces: Iterable[tuple[StreamName, bytes]],
        *,
        to_end: bool = True,
        marked: bool = True,
    ) -> list[Line]:
        terminal = Terminal(self._result.width, newline=not self._result.tty)
        decoders = {stream: text_decoder() for stream in STREAMS}
        for stream, data in pieces:
            terminal.feed(decoders[stream].decode(data), marked=marked and stream == "stderr")
        if to_end:
            for stream, decoder in decoders.items():
                rest = decoder.decode(b"", final=True)
                terminal.feed(rest, marked=marked and stream == "stderr")
        # A full-screen program takes its screen away when it ends; a reader wants to see it.
        lines = terminal.lines() or terminal.last_alternate
        return self._masker.lines(lines)

    def lines_that_fit(self, size: Callable[[list[Line]], int], most: int) -> list[Line]:
        """Return as many of its lines as fit; of a long output less of its ends.

        Args:
            size: How much some lines take.
            most: How much they may take.
        """
        lines, end = self.lines(), END_BYTES
        while size(lines) > most and end >= 1024:
            lines, end = self._ends(end), end // 2
        return lines

    @property
    def drawn(self) -> bool:
        """Whether the action has moved about on its terminal's screen."""
        transcript = self._result.transcript
        start = transcript.read(0, WHOLE_BYTES)
        return self._result.tty and any(_MOVES.search(data) for _, data in start)

    @property
    def summary(self) -> str:
        """When, and how much came: what stands on the closed details."""
        result, transcript = self._result, self._result.transcript
        if not self._all_came:
            return "what is known"
        parts = []
        if result.started is not None and result.ended is not None:
            parts.append(stretch(result.started, result.ended))
        parts.append(short_size(sum(map(transcript.count, STREAMS))))
        return " · ".join(parts)

    @property
    def _all_came(self) -> bool:
        """Whether whoever writes this has seen all of the run's output."""
        return self._result.outcome is not Outcome.UNKNOWN

    @property
    def run(self) -> RunFacts:
        """The run that it is of."""
        return self._result

    def masked(self, text: str) -> str:
        """Return a text with the run's secrets masked and control characters visible."""
        return self._masker.shown(text)


def plain_line(line: Line) -> str:
    """Return a line without its styles; one of stderr says so."""
    text = "".join(span.text for span in line)
    return f"[stderr] {text}" if any(span.style.marked for span in line) else text


def written(command: tuple[str, ...]) -> str:
    """Return a command as it is read best: the script of a shell is not quoted."""
    if len(command) == 3 and command[1].startswith("-") and "c" in command[1]:
        return (
            f"{shlex.join(command[:2])}\n{command[2]}"
            if "\n" in command[2]
            else (f"{shlex.join(command[:2])} {command[2]}")
        )
    return shlex.join(command)
