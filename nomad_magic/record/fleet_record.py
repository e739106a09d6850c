"""The record of an action in many allocations, as text, Markdown and JSON; `fleet_card` has HTML.

It is whole in its counts and bounded in its size: of many groups the largest are shown, of each
output its head and tail.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.record.folding import folded
from nomad_magic.record.humanize import instant, moment, seconds, stretch
from nomad_magic.record.markdown import code, escaped, fenced
from nomad_magic.record.record import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nomad_magic.record.fleet_facts import FleetFacts
    from nomad_magic.record.grouping import Group

SHOWN_GROUPS: Final = 20
"""How many groups are shown with what they wrote."""

LISTED_GROUPS: Final = 100
"""How many are named at all; the rest is counted."""

OUTPUT_CHARACTERS: Final = 40_000
"""How much of all outputs together is shown, in characters."""

NAMES: Final = 60
"""How many folded names stand in a row."""

LISTED_ALLOCATIONS: Final = 1000
"""Of how many allocations the JSON has a row."""


class FleetRecord:
    """The record of a fleet, as far as it has got.

    Args:
        result: The fleet.
    """

    def __init__(self, result: FleetFacts) -> None:
        self.result = result

    @cached_property
    def groups(self) -> list[Group]:
        """The runs that have ended, those that ended alike together."""
        return self.result.groups

    @property
    def title(self) -> str:
        """The record in a line: sign, action, state, where, when."""
        result = self.result
        state = f"{result.outcome.sign} {result.action} · {self.state}"
        when = moment(result.started) if result.started is not None else ""
        return result.masker.name(" · ".join(filter(None, (state, self.target, when))))

    @property
    def state(self) -> str:
        """How they ended and how long it took."""
        result = self.result
        took = f" in {seconds(result.duration)}" if result.ended is not None else ""
        return f"{result.state}{took}"

    @property
    def target(self) -> str:
        """Where they ran."""
        place = self.result.place
        names = [("job", place.job), ("group", place.group), ("task", place.task)]
        return " / ".join(f"{kind} {name}" for kind, name in names if name)

    @property
    def beginning(self) -> str:
        """Where it runs: `hello in 2 allocations: cache.redis[0-1]`."""
        result = self.result
        count = len(result.runs)
        names = folded(result.labels.values(), most=NAMES)
        return f"{result.action} in {count} allocation{'' if count == 1 else 's'}: {names}"

    @property
    def warnings(self) -> list[str]:
        """What the user should know before it runs: who is left out, what differs."""
        left_out = self.left_out().items()
        return [f"left out: {names} ({why})" for why, names in left_out] + self.result.notices

    @property
    def summary(self) -> str:
        """When, and in how many: what stands on the closed details."""
        result = self.result
        parts = [f"{len(result.runs)} allocation{'' if len(result.runs) == 1 else 's'}"]
        if result.started is not None and result.ended is not None:
            parts.insert(0, stretch(result.started, result.ended))
        if result.left_out:
            parts.append(f"{len(result.left_out)} left out")
        return " · ".join(parts)

    def shown_groups(self) -> Iterator[tuple[Group, list[str], bool]]:
        """Go through the groups that are shown: each with its lines, and whether those are a diff.

        A smaller group shows how it differs from the largest, where that is shorter.
        """
        shown = self.groups[:SHOWN_GROUPS]
        budget = OUTPUT_CHARACTERS // max(1, len(shown))
        for group in shown:
            differs = bool(group.diff) and _size(group.diff) < _size(group.lines)
            yield group, cut(list(group.diff if differs else group.lines), budget), differs

    @property
    def listed_groups(self) -> list[Group]:
        """Those that are named only."""
        return self.groups[SHOWN_GROUPS:LISTED_GROUPS]

    @property
    def uncounted(self) -> str:
        """What is said of the groups that are not even named; empty where all are."""
        rest = self.groups[LISTED_GROUPS:]
        if not rest:
            return ""
        return f"{len(rest)} more groups of {sum(map(len, rest))} allocations"

    def heading(self, group: Group) -> str:
        """Return a group's heading: how many, how they ended, which."""
        names = self._folded(group)
        return f"{len(group)} × {group.ending} · {names}"  # noqa: RUF001 - as it is read

    def _folded(self, group: Group) -> str:
        labels = self.result.labels
        return folded((labels[key] for key in group.allocations), most=NAMES)

    def text(self, *, output: bool = True) -> str:
        """Return the record as text.

        Args:
            output: With what the groups wrote.
        """
        parts = [self.title]
        for group, lines, differs in self.shown_groups():
            parts += ["", self.heading(group) + (" (difference)" if differs and output else "")]
            if output:
                parts += [f"    {line}" for line in lines]
        parts += ["", *map(self.heading, self.listed_groups)] if self.listed_groups else []
        parts += [self.uncounted] if self.uncounted else []
        rows = list(self.facts())
        width = max(len(label) for label, _ in rows)
        parts.append("")
        for label, text in rows:
            first, _, more = text.partition("\n")
            parts.append(f"  {label.ljust(width)}  {first}{' …' if more else ''}")
        return self.result.masker.text("\n".join(parts))

    def markdown(self) -> str:
        """Return the record as Markdown, for an incident's document."""
        parts = [f"**{escaped(self.title)}**", ""]
        for group, lines, differs in self.shown_groups():
            parts += [f"{escaped(self.heading(group))}", ""]
            if lines:
                parts += [*fenced("\n".join(lines), "diff" if differs else "text"), ""]
        for group in self.listed_groups:
            parts += [f"- {escaped(self.heading(group))}"]
        parts += [f"- {self.uncounted}"] if self.uncounted else []
        parts += [""] if self.listed_groups else []
        for label, fact in self.facts():
            text = self.result.masker.shown(fact)
            if "\n" in text:
                parts += [f"- {label}:", "", *(f"  {line}" for line in fenced(text)), ""]
            else:
                parts.append(f"- {label}: {code(text)}")
        return self.result.masker.text("\n".join(parts).rstrip()) + "\n"

    def facts(self) -> Iterator[tuple[str, str]]:
        """Return what is known besides the outputs, as (label, text)."""
        result, place = self.result, self.result.place
        if self.target:
            yield "target", self.target
        agent = [place.address]
        agent += [f"region {place.region}"] if place.region else []
        agent += [f"namespace {place.namespace}"] if place.namespace else []
        yield "agent", ", ".join(agent)
        commands = {run.command for run in result.runs.values() if run.command is not None}
        if len(commands) == 1:
            yield "command", written(commands.pop())
        for reason, names in self.left_out().items():
            yield "left out", f"{reason}: {names}"
        if result.started is not None:
            yield "started", instant(result.started)
        if result.ended is not None:
            yield "ended", instant(result.ended)
        for notice in result.notices:
            yield "notice", notice
        if result.confirmed:
            yield "confirmed", result.confirmed
        yield "again", result.command_line
        if result.run_id:
            yield "run", result.run_id

    def left_out(self) -> dict[str, str]:
        """Return which allocations were left out, folded, by the reason."""
        found: dict[str, list[str]] = {}
        for one in self.result.left_out:
            found.setdefault(one.reason, []).append(one.name)
        return {reason: folded(names, most=NAMES) for reason, names in found.items()}

    def metadata(self) -> dict[str, Any]:
        """Return the same facts as JSON, for tools.

        Of each allocation a row: id, name, node, the index of its group (null while it runs),
        exit code, seconds.
        """
        result, mask = self.result, self.result.masker.shown
        at = {key: index for index, group in enumerate(self.groups) for key in group.allocations}
        rows = [
            [
                key,
                run.place.allocation_name,
                run.place.node_name,
                at.get(key),
                run.exit_code,
                round(run.duration, 3),
            ]
            for key, run in list(result.runs.items())[:LISTED_ALLOCATIONS]
        ]
        place = {one.name: getattr(result.place, one.name) for one in fields(result.place)}
        return {
            "version": 1,
            "kind": "fleet",
            "run_id": result.run_id,
            **({"log": result.logged._asdict()} if result.logged is not None else {}),
            "action": mask(result.action),
            "command_line": mask(result.command_line),
            "outcome": result.outcome.value,
            "counts": result.counts,
            "place": {
                name: mask(value) if isinstance(value, str) else value
                for name, value in place.items()
            },
            "started": None if result.started is None else result.started.isoformat(),
            "ended": None if result.ended is None else result.ended.isoformat(),
            "seconds": round(result.duration, 3),
            "groups": [
                {
                    "ending": mask(group.ending),
                    "outcome": group.outcome.value,
                    "count": len(group),
                    "command_line": mask(group.sample.command_line),
                    "stdout_sha256": group.sample.transcript.sha256("stdout"),
                    "stderr_sha256": group.sample.transcript.sha256("stderr"),
                }
                for group in self.groups[:LISTED_GROUPS]
            ],
            "allocations": [
                [mask(one) if isinstance(one, str) else one for one in row] for row in rows
            ],
            "more_allocations": max(0, len(result.runs) - len(rows)),
            "left_out": [
                [one.allocation, mask(one.name), mask(one.reason)]
                for one in result.left_out[:LISTED_ALLOCATIONS]
            ],
            "notices": [mask(notice) for notice in result.notices],
            "confirmed": mask(result.confirmed) or None,
        }


def _size(lines: tuple[str, ...]) -> int:
    return sum(map(len, lines)) + len(lines)


def cut(lines: list[str], most: int) -> list[str]:
    """Return lines of at most so many characters: of more their head and tail."""
    if sum(map(len, lines)) + len(lines) <= most:
        return lines
    head, tail = _fitting(lines, most // 2), _fitting(lines[::-1], most // 2)[::-1]
    left = len(lines) - len(head) - len(tail)
    notice = f"[… {left} lines left out here; each result's .text has all of it …]"
    return [*head, notice, *tail]


def _fitting(lines: list[str], most: int) -> list[str]:
    taken: list[str] = []
    for line in lines:
        most -= len(line) + 1
        if most < 0:
            break
        taken.append(line)
    return taken
