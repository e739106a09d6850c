"""Job files: HCL, HCL written as JSON, and the JSON of Nomad's API, into checked jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent import files
from nomad_magic.agent.build import build_job
from nomad_magic.agent.fields import Report, shown
from nomad_magic.agent.hcl import document
from nomad_magic.agent.hcl.nodes import HclError
from nomad_magic.agent.hcl.variables import Given, read_values
from nomad_magic.agent.job_fields import HCL_NAMES
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nomad_magic.agent.jobs import Job

DEMO: Final = Path(__file__).with_name("demo.json")
"""The job that runs when no file is given."""

MAX_TASKS: Final = 5_000
"""How many tasks an agent starts: each is a process of this machine."""

_SHOWN: Final = 50
_LABELLED: Final = {"job.group": "group", "group.task": "task", "task.action": "action"}
_SINGLE: Final = {
    "group.restart": "restart",
    "task.restart": "restart",
    "task.lifecycle": "lifecycle",
    "task.resources": "resources",
    "task.logs": "logs",
}
# Maps of the user's own names, which keep their case.
_MAPS: Final = {"job.meta", "group.meta", "task.meta", "task.env", "task.config"}
_LISTS: Final = {"job.constraint", "group.constraint", "task.constraint"}


@dataclass(frozen=True)
class LoadOptions:
    """How job files are read.

    Attributes:
        lenient: Leave out what can be left out, instead of refusing it.
        variables: `-var`, each `NAME=VALUE`; a later one wins.
        var_files: `-var-file`; a later one wins.
        environment: Where `NOMAD_VAR_NAME` is looked for.
    """

    lenient: bool = False
    variables: Sequence[str] = ()
    var_files: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


DEFAULTS: Final = LoadOptions()


@dataclass(frozen=True)
class Loaded:
    """What job files hold.

    Attributes:
        jobs: In the order of their ids.
        notes: What was left out of them, a line for each place.
    """

    jobs: list[Job]
    notes: list[str]


class JobReader:
    """Reads job files; all that is wrong in any of them comes out at once."""

    def __init__(self, options: LoadOptions) -> None:
        self.report = Report(lenient=options.lenient)
        self.declared: set[str] = set()
        self._unread = False
        self.given = Given(
            arguments=dict(self._argument(one) for one in options.variables),
            files=self._values(options.var_files),
            environment=options.environment,
        )

    def file(self, path: Path) -> list[Job]:
        """Return the jobs of a file, as far as they can be made out."""
        where = str(path)
        try:
            content = self._content(path)
        except AgentError as error:
            self.report.refuse("", str(error))
            self._unread = True
            return []
        if "Job" in content:
            return [build_job(content["Job"], where, self.report)]
        if path.suffix == ".json" and ("ID" in content or "TaskGroups" in content):
            return [build_job(content, where, self.report)]
        for name in content:
            if name != "job":
                self.report.refuse(where, f"the embedded agent does not read {shown(name)}")
        found = self._labelled(content.get("job"), f"{where}: job")
        if "job" not in content:
            self.report.refuse(where, "no job in it")
        elif len(found) > 1 and path.suffix != ".json":
            self.report.refuse(where, "more than one job in it")
        return [
            build_job(self._from_hcl(body, "job", name, where), where, self.report)
            for name, body in found
        ]

    def check_variables(self) -> None:
        """Refuse values of variables that no file has."""
        if self._unread:
            # Whether it has them is not known.
            return
        for name in sorted(self.given.names - self.declared):
            self.report.refuse("", f"no job file declares a variable {shown(name)}")

    def _content(self, path: Path) -> dict[str, Any]:
        if path.suffix == ".json":
            content = files.read_json(path)
            if isinstance(content, dict) and "job" in content:
                content, problems = document.fill_in(content)
                for words in problems:
                    self.report.refuse(str(path), words)
        else:
            text = files.read(path)
            try:
                found = document.read(text, self.given)
            except HclError as error:
                raise AgentError(f"{path}:{document.place(text, error)}") from error
            except RecursionError as error:
                raise AgentError(f"{path}: nested too deep") from error
            self.declared |= found.declared
            for words in found.problems:
                self.report.refuse("", f"{path}:{words}")
            content = found.content
        if not isinstance(content, dict):
            raise AgentError(f"{path}: not a job file")
        return content

    def _argument(self, words: str) -> tuple[str, str]:
        name, sign, value = words.partition("=")
        if not sign or not name:
            self.report.refuse("", f"-var {words.partition('=')[0]}: expected -var NAME=VALUE")
        return name, value

    def _values(self, paths: Sequence[Path]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for path in paths:
            try:
                values |= _variables_of(path)
            except AgentError as error:
                self.report.refuse("", str(error))
        return values

    def _labelled(self, blocks: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
        """The (label, body) pairs of labelled blocks, from either syntax."""
        pairs: list[tuple[str, dict[str, Any]]] = []
        for block in blocks if isinstance(blocks, list) else [blocks]:
            if not isinstance(block, dict):
                if block is not None:
                    self.report.refuse(where, "a label and a body were expected")
                continue
            for label, body in block.items():
                # JSON syntax may give the same label several bodies, as a list.
                for one in body if isinstance(body, list) else [body]:
                    if isinstance(one, dict):
                        pairs.append((label, one))
                    else:
                        self.report.refuse(f"{where} {shown(label)}", "a body was expected")
        return pairs

    def _from_hcl(
        self, body: Mapping[str, Any], level: str, name: str, where: str
    ) -> dict[str, Any]:
        """One labelled block with all below it, in the API's form."""
        result: dict[str, Any] = {"Name": name}
        if level == "job":
            result["ID"] = name
        here = f"{where}: {level} {shown(name)}"
        for key, value in body.items():
            place = f"{level}.{key}"
            api = HCL_NAMES[level].get(key, key)
            if place in _LABELLED:
                kind = _LABELLED[place]
                result.setdefault(api, []).extend(
                    self._from_hcl(inner, kind, label, here)
                    for label, inner in self._labelled(value, f"{here}: {kind}")
                )
            elif place == "job.task":  # a group around each, of the same name
                result.setdefault("TaskGroups", []).extend(
                    {"Name": label, "Tasks": [self._from_hcl(inner, "task", label, here)]}
                    for label, inner in self._labelled(value, f"{here}: task")
                )
            elif place in _SINGLE:
                names = HCL_NAMES[_SINGLE[place]]
                inside = self._one_block(value, f"{here}: {key}")
                result[api] = {names.get(inner, inner): item for inner, item in inside.items()}
            elif place in _MAPS:
                result[api] = self._one_block(value, f"{here}: {key}")
            elif place in _LISTS:
                result[api] = value if isinstance(value, list) else [value]
            else:
                result[api] = value
        return result

    def _one_block(self, value: Any, where: str) -> dict[str, Any]:
        """The body of a block that may stand once, or an attribute that is a map."""
        if value is None or value is document.UNREAD:
            return {}
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            return value
        self.report.refuse(where, "one block was expected")
        return {}


def load_jobs(paths: Iterable[Path], options: LoadOptions = DEFAULTS) -> Loaded:
    """Load the jobs of all files; the demo job when there is none.

    Raises:
        AgentError: A file cannot be read or run, or two name the same job.  It says all that is
            wrong with all of them.
    """
    reader = JobReader(options)
    report = reader.report
    jobs: dict[tuple[str, str], Job] = {}
    for path in list(paths) or [DEMO]:
        for job in reader.file(path):
            if (job.namespace, job.id) in jobs:
                report.refuse(str(path), f"job {shown(job.id)} is already loaded")
            jobs[job.namespace, job.id] = job
    reader.check_variables()
    tasks = sum(group.count * len(group.tasks) for job in jobs.values() for group in job.groups)
    if tasks > MAX_TASKS and not report.refusals:
        report.refuse(
            "", f"the embedded agent starts at most {MAX_TASKS:,} tasks, and these are {tasks:,}"
        )
    if report.refusals:
        raise _refusal(report)
    return Loaded(sorted(jobs.values(), key=lambda job: (job.id, job.namespace)), report.notes)


def load_file(path: Path, options: LoadOptions = DEFAULTS) -> list[Job]:
    """Load the jobs of one file.

    Raises:
        AgentError: It cannot be read, is in no known form, or asks for what the agent cannot do.
    """
    return load_jobs([path], options).jobs


def _variables_of(path: Path) -> dict[str, Any]:
    """Return what a file of variables sets."""
    if path.suffix == ".json":
        found = files.read_json(path)
        if not isinstance(found, dict):
            raise AgentError(f"{path}: not a file of variables")
        return found
    text = files.read(path)
    try:
        return read_values(text)
    except HclError as error:
        raise AgentError(f"{path}:{document.place(text, error)}") from error


def _refusal(report: Report) -> AgentError:
    """Return the error that says all of it."""
    found = list(dict.fromkeys(report.refusals))
    hint = ""
    if report.could_be:
        names = ", ".join(sorted(report.could_be))
        alone = len(report.could_be_refusals) == len(report.refusals)
        hint = (
            f"--lenient starts it without {names}, which then have no effect."
            if alone
            else f"--lenient would leave out {names}, but not the rest."
        )
    if len(found) == 1:
        words, _, more = found[0].partition("\n")
        return AgentError(words, hint="\n".join(filter(None, (more, hint))))
    opening = f"the embedded agent refuses this, for {len(found)} reasons:"
    path = found[0].partition(": ")[0]
    if all(words.startswith(f"{path}: ") for words in found):
        opening = f"{path}: {opening}"
        found = [words.removeprefix(f"{path}: ") for words in found]
    lines = [f"  {words}".replace("\n", "\n  ") for words in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    return AgentError("\n".join((opening, *lines)), hint=hint)
