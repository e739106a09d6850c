"""`ActionListing`: which actions there are, each with the line that runs it, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, Final, overload

from nomad_magic.record import style
from nomad_magic.record.record import written
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COMMAND_CHARACTERS: Final = 120
"""How much of a command is shown; the value has all of it."""

MOST_SHOWN: Final = 2000
"""How many actions are shown; the value has all of them."""


_ROWS_IN_SIGHT: Final = 12
_BOX: Final = f"overflow:auto;{style.LINE}"
_WINDOW: Final = f"max-height:444px;{_BOX}"
# There may be thousands of cells: what can be is said once, and the rest by elements.
# JupyterLab's own style would have all columns of one width.
_TABLE: Final = (
    "margin:0;border:0;width:100%;table-layout:auto;font-size:inherit;overflow-wrap:anywhere"
)
_LEFT: Final = 'style="text-align:left"'
_NAME: Final = 'style="text-align:left;white-space:nowrap"'
_HEAD: Final = (
    '<thead><tr><th scope="col" style="text-align:left;width:1%">Action</th>'
    f'<th scope="col" {_LEFT}>The line that runs it, and what it runs</th></tr></thead>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAction:
    """An action of a job.

    Attributes:
        job: The job's id, and `namespace` where it is.
        group: The task group.
        task: The task.
        name: The action's own name.
        command: What it stands for in the newest version of the job, word by word.
        running: How many allocations of its group run; None where that is not known.
        line: The line that runs it.
    """

    job: str
    namespace: str
    group: str
    task: str
    name: str
    command: tuple[str, ...]
    running: int | None
    line: str

    @property
    def shown_command(self) -> str:
        """The command, in a line that is not too long to be read."""
        return one_line(self.command, COMMAND_CHARACTERS)

    @property
    def shown_running(self) -> str:
        """How many allocations run, in words."""
        return "not known how many run" if self.running is None else f"{self.running} running"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ActionListing(Sequence[JobAction]):
    """The actions that there are, in the order of their jobs, groups and tasks.

    Attributes:
        actions: All of them.
        where: Of what, in words: a job, or all jobs.
        one_job: `where` names the job that all are of.
        notices: What is not in it, and why.
    """

    actions: tuple[JobAction, ...]
    where: str
    one_job: bool = False
    notices: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> JobAction: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[JobAction, ...]: ...

    def __getitem__(self, index: int | slice) -> JobAction | tuple[JobAction, ...]:
        return self.actions[index]

    def __len__(self) -> int:
        return len(self.actions)

    def __repr__(self) -> str:
        return f"<ActionListing of {self.heading}>"

    @property
    def heading(self) -> str:
        """How many there are, and of what."""
        return f"{self.where} · {len(self)} action{'' if len(self) == 1 else 's'}"

    @property
    def by_job(self) -> dict[tuple[str, str], list[JobAction]]:
        """Those that are shown, by the namespace and the id of their job."""
        found: dict[tuple[str, str], list[JobAction]] = {}
        for one in self.actions[:MOST_SHOWN]:
            found.setdefault((one.namespace, one.job), []).append(one)
        return found

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notices, and how many actions are not shown."""
        more = len(self) - MOST_SHOWN
        return (*self.notices, *([f"{more} more are in the value."] if more > 0 else []))

    def noting(self, notices: Iterable[str]) -> ActionListing:
        """Return it with more notices, before those that it has."""
        return replace(self, notices=(*notices, *self.notices))

    def text(self) -> str:
        """Return it as text."""
        return "\n".join(self._text())

    def _text(self) -> Iterator[str]:
        yield self.heading
        for actions in self.by_job.values():
            if not self.one_job:
                yield ""
                yield _job_heading(actions)
            for one in actions:
                place = visible_name(f"group {one.group}, task {one.task}")
                yield f"  {visible_name(one.name)} · {place} · {one.shown_running}"
                yield f"      {visible_name(one.line)}"
                yield f"      runs {one.shown_command}"
        if self.remarks:
            yield ""
        yield from self.remarks

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}

    def html(self) -> str:
        """Return it as HTML: a table that needs neither a script nor a style sheet."""
        rows = "".join(
            ("" if self.one_job else _group(_job_heading(actions))) + "".join(map(_row, actions))
            for actions in self.by_job.values()
        )
        long = len(self) > _ROWS_IN_SIGHT
        table = (
            f'{style.PRINT if long else ""}<div class="nomad-magic-output" role="region"'
            f' aria-label="Actions" tabindex="0" style="{_WINDOW if long else _BOX}">'
            f'<table style="{_TABLE}">{_HEAD}{rows}</table></div>'
        )
        remarks = "".join(
            f'<div style="{style.BAR};{style.LINE};{style.MUTED}">{escape(one)}</div>'
            for one in self.remarks
        )
        return (
            f'<div class="nomad-magic-list {style.NO_MATH}" style="{style.FRAME}">'
            f'<div style="{style.BAR}"><strong>{escape(self.heading)}</strong></div>'
            f"{table if rows else ''}{remarks}</div>"
        )


def one_line(command: tuple[str, ...], most: int) -> str:
    """Return a command as it is read best, in a line of so many characters at most."""
    text = visible_name(" ⏎ ".join(written(command).splitlines()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _job_heading(actions: Sequence[JobAction]) -> str:
    """Return what stands above the actions of a job."""
    return visible_name(f"job {actions[0].job} · namespace {actions[0].namespace}")


def _group(heading: str) -> str:
    """Return the row above the actions of a job."""
    return f'<tr><th scope="colgroup" colspan="2" {_LEFT}>{escape(heading)}</th></tr>'


def _row(one: JobAction) -> str:
    name, line = escape(visible_name(one.name)), escape(visible_name(one.line))
    place = escape(visible_name(f"{one.group} / {one.task}"))
    return (
        f"<tr><td {_NAME}><b>{name}</b><br><small>{place}<br>{one.shown_running}</small></td>"
        f"<td {_LEFT}><code>{line}</code><br>"
        f"<small><code>{escape(one.shown_command)}</code></small></td></tr>"
    )
