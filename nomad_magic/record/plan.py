"""`Plan`: what an action would do, and where, as a value; nothing of it has run."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from html import escape
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nomad_magic.record import style
from nomad_magic.record.facts import Place, Rung, Tone
from nomad_magic.record.folding import folded
from nomad_magic.record.grouping import labels
from nomad_magic.record.humanize import seconds, size
from nomad_magic.record.record import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nomad_magic.record.fleet_facts import LeftOut

SIGN: Final = "○"

NAMES: Final = 60
"""How many folded names stand in a row."""

LISTED: Final = 1000
"""How many allocations are listed one by one."""

_RUNGS: Final = {
    Rung.INTERRUPT: "Ctrl-C is typed",
    Rung.SIGNAL: "SIGINT is sent to its process and to those that it started",
    Rung.QUIT: "Ctrl-\\ is typed",
    Rung.KILL: "SIGKILL is sent to its process and to those that it started",
    Rung.DISCONNECT: "the connection is closed, and the process may go on",
}


class PlannedRun(NamedTuple):
    """Where the action would run once.

    Attributes:
        place: Job and its version, group, task, allocation and node.
        command: Command and arguments that the action stands for there.
    """

    place: Place
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an action would do; no secret is in it.

    Attributes:
        action: The action's name.
        command_line: The line that would run it.
        place: Where, as far as all have it in common: agent, region, namespace, job.
        runs: Each allocation that it would run in.
        chosen_from: How many running allocations the one was taken from, at random, where the line
            names none; 0 otherwise.
        left_out: Where it would not run, and why.
        notices: What the user should know before it runs.
        tty: It would have a terminal.
        takes_input: `-i`: stdin would be passed to it.
        stdin: How many bytes of stdin it would be given; None for none.
        stop: What each press of Stop would do, in this order.
        reach: A second session may look for its process, and signal it.
        timeout: Seconds after which it would be interrupted; None for never.
        parallel: How many would run at a time; 0 for a run in one allocation.
        fail_fast: No more would be begun after the first failure.
        asks: The pattern of `confirm` that asks for the action's name; empty where none does.
    """

    action: str
    command_line: str
    place: Place
    runs: tuple[PlannedRun, ...]
    chosen_from: int = 0
    left_out: tuple[LeftOut, ...] = ()
    notices: tuple[str, ...] = ()
    tty: bool = False
    takes_input: bool = True
    stdin: int | None = None
    stop: tuple[Rung, ...] = field(default=(), repr=False)
    reach: bool = True
    timeout: float | None = None
    parallel: int = 0
    fail_fast: bool = False
    asks: str = ""

    def __len__(self) -> int:
        return len(self.runs)

    def __str__(self) -> str:
        return self.text()

    @property
    def where(self) -> str:
        """In how many allocations, in words; the name of a single one."""
        if len(self.runs) == 1:
            place = self.runs[0].place
            return f"{place.allocation_name} ({place.short})".lstrip()
        return f"{len(self.runs)} allocations"

    @property
    def title(self) -> str:
        """The plan in a line."""
        at_a_time = min(self.parallel, len(self.runs))
        many = f", {at_a_time} at a time" if len(self.runs) > 1 else ""
        return f"{SIGN} {self.action} · would run in {self.where}{many} · nothing has run"

    def facts(self) -> Iterator[tuple[str, str]]:
        """Return what is known, as (label, text)."""
        place = self.place
        version = f" (version {place.job_version})" if place.job_version is not None else ""
        names = [f"job {place.job}{version}"]
        names += [f"group {place.group}"] if place.group else []
        names += [f"task {place.task}"] if place.task else []
        yield "target", " / ".join(names)
        yield from self._allocations()
        agent = [place.address]
        agent += [f"region {place.region}"] if place.region else []
        agent += [f"namespace {place.namespace}"] if place.namespace else []
        yield "agent", ", ".join(agent)
        for text in self._commands():
            yield "command", text
        yield "terminal", "yes (-t)" if self.tty else "no"
        yield "stdin", self._input()
        yield "stop", self._stop()
        if self.timeout is not None:
            yield "timeout", f"interrupted after {seconds(self.timeout)}"
        if self.fail_fast:
            yield "fail-fast", "no more are begun after the first failure"
        for reason, left in self._left_out().items():
            yield "left out", f"{reason}: {left}"
        for notice in self.notices:
            yield "notice", notice
        if self.asks:
            yield "confirm", f"{self.asks} asks for its name before it runs"
        yield "line", self.command_line

    def text(self) -> str:
        """Return the plan as text."""
        rows = list(self.facts())
        width = max(len(label) for label, _ in rows)
        parts = [self.title]
        for label, text in rows:
            indented = text.replace("\n", f"\n{' ' * (width + 4)}")
            parts.append(f"  {label.ljust(width)}  {indented}")
        return "\n".join(parts)

    def html(self) -> str:
        """Return the plan as HTML."""
        sign = (
            f'<span style="{style.SIGN};background:{style.BACKGROUNDS[Tone.NEUTRAL]}">{SIGN}</span>'
        )
        rest = self.title.removeprefix(f"{SIGN} {self.action}")
        rows = "".join(
            f'<tr style="background:transparent"><th scope="row" style="{style.LABEL}">{label}</th>'
            f'<td style="{style.CELL}">{escape(text)}</td></tr>'
            for label, text in self.facts()
        )
        table = '<table style="margin:4px 0 0;border:0;font-size:inherit">'
        parts = [
            f'<div class="nomad-magic-plan {style.NO_MATH}" style="{style.FRAME}">',
            f'<div style="{style.BAR};overflow-wrap:anywhere">',
            f"{sign} <strong>{escape(self.action)}</strong>{escape(rest)}</div>",
            f'<div style="{style.BAR};{style.LINE}">{table}{rows}</table></div>',
        ]
        if len(self.runs) > 1:
            parts.append(style.details(f"{len(self.runs)} allocations", self._each(), line=True))
        return "".join([*parts, "</div>"])

    def metadata(self) -> dict[str, Any]:
        """Return the same facts as JSON, for tools."""
        place = {one.name: getattr(self.place, one.name) for one in fields(self.place)}
        return {
            "version": 1,
            "kind": "plan",
            "action": self.action,
            "command_line": self.command_line,
            "place": place,
            "allocations": [
                [
                    run.place.allocation,
                    run.place.allocation_name,
                    run.place.node_name,
                    list(run.command),
                ]
                for run in self.runs[:LISTED]
            ],
            "more_allocations": max(0, len(self.runs) - LISTED),
            "chosen_from": self.chosen_from,
            "left_out": [[one.allocation, one.name, one.reason] for one in self.left_out[:LISTED]],
            "notices": list(self.notices),
            "tty": self.tty,
            "stdin_bytes": self.stdin,
            "stop": [rung.name.lower() for rung in self.stop],
            "confirm": self.asks or None,
        }

    def bundle(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the plan by its MIME types, and its metadata."""
        data = {"text/plain": self.text(), "text/html": self.html()}
        return data, {"nomad_magic": self.metadata()}

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        return self.bundle()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("…" if cycle else self.text())

    def _allocations(self) -> Iterator[tuple[str, str]]:
        if len(self.runs) == 1:
            place = self.runs[0].place
            chosen = ""
            if self.chosen_from > 1:
                chosen = (
                    f"; one of {self.chosen_from} running ones, taken at random by each run: "
                    f"-alloc={place.allocation} names it"
                )
            yield "allocation", f"{place.allocation} {place.allocation_name}".rstrip() + chosen
            yield "node", f"{place.node} {place.node_name}".rstrip()
            return
        called = labels({run.place.allocation: run.place for run in self.runs})
        yield "allocations", f"{len(self.runs)}: {folded(called.values(), most=NAMES)}"
        nodes = sorted({run.place.node_name or run.place.node for run in self.runs})
        yield "nodes", f"{len(nodes)}: {folded(nodes, most=NAMES)}"

    def _commands(self) -> Iterator[str]:
        counts: dict[tuple[str, str, int | None, tuple[str, ...]], int] = {}
        for run in self.runs:
            key = (run.place.group, run.place.task, run.place.job_version, run.command)
            counts[key] = counts.get(key, 0) + 1
        if len({key[-1] for key in counts}) == 1:
            yield written(self.runs[0].command)
            return
        for (group, task, version, command), count in counts.items():
            said = f"in group {group}, task {task}, version {version} of the job"
            yield f"{count} × {written(command)}\n{said}"  # noqa: RUF001 - as it is read

    def _input(self) -> str:
        if not self.takes_input:
            return "none"
        return "what is typed, where someone can" if self.stdin is None else size(self.stdin)

    def _stop(self) -> str:
        words = "; then ".join(_RUNGS[rung] for rung in self.stop)
        if not self.reach:
            return f"{words} (no second session may signal it: reach is off)"
        return f"{words} (signals by a second session, which needs a /bin/sh in the task)"

    def _left_out(self) -> dict[str, str]:
        found: dict[str, list[str]] = {}
        for one in self.left_out:
            found.setdefault(one.reason, []).append(one.name)
        return {reason: folded(names, most=NAMES) for reason, names in found.items()}

    def _each(self) -> Iterator[tuple[str, str]]:
        for run in self.runs[:LISTED]:
            place = run.place
            yield (
                escape(place.allocation_name or place.allocation),
                f"{place.allocation} on node {place.node_name or place.node}",
            )
        if len(self.runs) > LISTED:
            yield "…", f"and {len(self.runs) - LISTED} more"
