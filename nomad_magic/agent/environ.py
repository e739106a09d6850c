"""The environment of tasks and actions, and the names that Nomad fills in.

The variables are those of https://developer.hashicorp.com/nomad/docs/reference/runtime-environment-settings;
which of the agent's own are kept from tasks follows the client's `env.denylist`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nomad_magic.agent.jobs import Group, Job, Task

DATACENTER: Final = "dc1"

_DENIED: Final = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "CONSUL_HTTP_TOKEN",
        "CONSUL_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "VAULT_TOKEN",
    }
)
_NAME: Final = re.compile(r"\$\{(?:env\[\"([^\"]+)\"\]|([^}\s]+))\}")
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True)
class Node:
    """The one machine of the embedded agent, as its API names it."""

    id: str
    name: str


@dataclass(frozen=True)
class Directories:
    """The directories of one task: of its allocation, and its own below it."""

    allocation: Path
    task: Path

    @property
    def shared(self) -> Path:
        """What the tasks of an allocation share."""
        return self.allocation / "alloc"

    def make(self) -> None:
        """Create them, for this user only."""
        for part in ("data", "logs", "tmp"):
            (self.shared / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in ("local", "secrets", "tmp"):
            (self.task / part).mkdir(parents=True, exist_ok=True, mode=0o700)


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What tasks inherit of the agent's own environment: nothing of Nomad's, no credentials."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _DENIED and not name.startswith("NOMAD_")
    }


def task_environment(  # noqa: PLR0913 - one argument for each thing that the variables describe
    base: Mapping[str, str],
    *,
    alloc_id: str,
    alloc_index: int,
    job: Job,
    group: Group,
    task: Task,
    directories: Directories,
    node: Node,
) -> dict[str, str]:
    """The whole environment of a task."""
    own = {
        "NOMAD_ALLOC_DIR": str(directories.shared),
        "NOMAD_ALLOC_ID": alloc_id,
        "NOMAD_ALLOC_INDEX": str(alloc_index),
        "NOMAD_ALLOC_NAME": f"{job.id}.{group.name}[{alloc_index}]",
        "NOMAD_CPU_LIMIT": str(task.cpu),
        "NOMAD_DC": DATACENTER,
        "NOMAD_GROUP_NAME": group.name,
        "NOMAD_JOB_ID": job.id,
        "NOMAD_JOB_NAME": job.name,
        "NOMAD_MEMORY_LIMIT": str(task.memory),
        "NOMAD_NAMESPACE": job.namespace,
        "NOMAD_REGION": "global",
        "NOMAD_SECRETS_DIR": str(directories.task / "secrets"),
        "NOMAD_SHORT_ALLOC_ID": alloc_id[:8],
        "NOMAD_TASK_DIR": str(directories.task / "local"),
        "NOMAD_TASK_NAME": task.name,
    }
    for name, value in (job.meta | group.meta | task.meta).items():
        clean = _NOT_IN_A_NAME.sub("_", name)
        own[f"NOMAD_META_{clean.upper()}"] = own[f"NOMAD_META_{clean}"] = value
    environment = {**base, **own, "TMPDIR": str(directories.task / "tmp")}
    names = {
        **environment,
        "node.unique.id": node.id,
        "node.unique.name": node.name,
        "node.datacenter": DATACENTER,
        "node.region": "global",
    }
    environment.update({name: interpolate(value, names) for name, value in task.env.items()})
    return environment


def interpolate(text: str, names: Mapping[str, str]) -> str:
    """Fill in `${NAME}` and `${env["NAME"]}`; a name that is not known is left as it is."""
    return _NAME.sub(lambda match: names.get(match[1] or match[2], match[0]), text)
