"""Job files: HCL, HCL written as JSON, and the JSON of Nomad's API, into checked jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent import files
from nomad_magic.agent.jobs import Job, build_job
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEMO: Final = Path(__file__).with_name("demo.json")
"""The job that runs when no file is given."""

# HCL's names where they are not the API's in another case; a dot tells the level.
_NAMES: Final = {
    "job.datacenters": "Datacenters",
    "job.group": "TaskGroups",
    "group.task": "Tasks",
    "task.action": "Actions",
    "group.restart": "RestartPolicy",
    "task.restart": "RestartPolicy",
    "group.reschedule": "ReschedulePolicy",
    "job.reschedule": "Reschedule",
    "group.constraint": "Constraints",
    "group.affinity": "Affinities",
    "group.spread": "Spreads",
    "task.constraint": "Constraints",
    "task.affinity": "Affinities",
    "job.constraint": "Constraints",
    "job.affinity": "Affinities",
    "job.spread": "Spreads",
    "job.parameterized": "ParameterizedJob",
    "job.id": "ID",
    "group.ephemeral_disk": "EphemeralDisk",
    "task.logs": "LogConfig",
    "task.identity": "Identities",
    "resources.cpu": "CPU",
    "resources.memory": "MemoryMB",
    "resources.memory_max": "MemoryMaxMB",
}
_LABELLED: Final = {"job.group": "group", "group.task": "task", "task.action": "action"}
_SINGLE: Final = {
    "group.restart": "restart",
    "task.restart": "restart",
    "task.lifecycle": "lifecycle",
    "task.resources": "resources",
}
# Maps of the user's own names, which keep their case.
_MAPS: Final = {"job.meta", "group.meta", "task.meta", "task.env", "task.config"}


def load_jobs(paths: Iterable[Path]) -> list[Job]:
    """Load the jobs of all files; the demo job when there is none.

    Raises:
        AgentError: A file cannot be read or run, or two name the same job.
    """
    jobs: dict[tuple[str, str], Job] = {}
    for path in list(paths) or [DEMO]:
        for job in load_file(path):
            if (job.namespace, job.id) in jobs:
                raise AgentError(f"{path}: job {job.id!r} is already loaded")
            jobs[job.namespace, job.id] = job
    return sorted(jobs.values(), key=lambda job: (job.id, job.namespace))


def load_file(path: Path) -> list[Job]:
    """Load the jobs of one file.

    Raises:
        AgentError: It cannot be read, is in no known form, or asks for what the agent cannot do.
    """
    if path.suffix == ".json":
        document = _read_json(path)
        if not isinstance(document, dict):
            raise AgentError(f"{path}: not a job file")
        if "Job" in document:
            return [build_job(document["Job"], str(path))]
        if "ID" in document or "TaskGroups" in document:
            return [build_job(document, str(path))]
    else:
        from nomad_magic.agent import hcl  # noqa: PLC0415 - JSON job files need none of it

        document = hcl.read(path)
    _refuse_other_blocks(document, path)
    return [
        build_job(_from_hcl(body, "job", name, str(path)), str(path))
        for name, body in _labelled(document.get("job"), f"{path}: job")
    ]


def _read_json(path: Path) -> Any:
    text = files.read(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise AgentError(f"{path}: {error}") from error


def _refuse_other_blocks(document: Mapping[str, Any], path: Path) -> None:
    if "job" not in document:
        raise AgentError(f"{path}: no job in it")
    for name in document:
        if name != "job":
            raise AgentError(
                f"{path}: the embedded agent does not evaluate `{name}` blocks",
                hint="convert the file: nomad job run -output FILE",
            )


def _labelled(blocks: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
    """The (label, body) pairs of labelled blocks, from either syntax."""
    pairs: list[tuple[str, dict[str, Any]]] = []
    for block in blocks if isinstance(blocks, list) else [blocks]:
        if not isinstance(block, dict):
            raise AgentError(f"{where}: a label and a body were expected")
        for label, body in block.items():
            # JSON syntax may give the same label several bodies, as a list.
            for one in body if isinstance(body, list) else [body]:
                if not isinstance(one, dict):
                    raise AgentError(f"{where} {label!r}: a body was expected")
                pairs.append((label, one))
    return pairs


def _from_hcl(body: Mapping[str, Any], level: str, name: str, where: str) -> dict[str, Any]:
    """One labelled block with all below it, in the API's form."""
    result: dict[str, Any] = {"Name": name}
    if level == "job":
        result["ID"] = name
    for key, value in body.items():
        place = f"{level}.{key}"
        api = _api_name(place, key)
        if place in _LABELLED:
            kind = _LABELLED[place]
            result[api] = [
                _from_hcl(inner, kind, label, where)
                for label, inner in _labelled(value, f"{where}: {kind}")
            ]
        elif place in _SINGLE:
            inside = _one_block(value, f"{where}: {key}")
            result[api] = {
                _api_name(f"{_SINGLE[place]}.{inner}", inner): item
                for inner, item in inside.items()
            }
        elif place in _MAPS:
            result[api] = _one_block(value, f"{where}: {key}")
        else:
            result[api] = value
    return result


def _one_block(value: Any, where: str) -> dict[str, Any]:
    """The body of a block that may stand once, or an attribute that is a map."""
    if isinstance(value, list):
        if len(value) != 1:
            raise AgentError(f"{where}: there can be only one")
        value = value[0]
    if not isinstance(value, dict):
        raise AgentError(f"{where}: a block was expected")
    return value


def _api_name(place: str, key: str) -> str:
    return _NAMES.get(place) or "".join(part.title() for part in key.split("_"))
