"""What Nomad's API answers: the fields that are needed, as msgspec types.  Pure.

Fields that are not known are ignored (measured on Nomad 2.0.6; also in its API documentation).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

DEFAULT_NAMESPACE: Final = "default"
"""The one that is meant where none is named."""

ALL_NAMESPACES: Final = "*"
"""What stands for all of them in a question."""


class _Answer(msgspec.Struct, rename="pascal", frozen=True):
    """The fields we need of an API object; Nomad names them in Pascal case."""


class GroupSummary(_Answer, frozen=True):
    """How many allocations of a group are in a state; the others are not needed."""

    running: int = 0


class JobSummary(_Answer, frozen=True):
    """The parts of a job's summary that tell its namespace and what runs of its groups."""

    namespace: str = ""
    summary: dict[str, GroupSummary] | None = None


class JobStub(_Answer, frozen=True):
    """One job of `GET /v1/jobs`."""

    id: str = msgspec.field(name="ID")
    name: str = ""
    namespace: str = ""
    type: str = ""
    priority: int = 0
    status: str = ""
    stop: bool = False
    periodic: bool = False
    parameterized: bool = msgspec.field(name="ParameterizedJob", default=False)
    submit_time: int = 0
    job_modify_index: int = 0
    summary: JobSummary | None = msgspec.field(name="JobSummary", default=None)

    @property
    def running(self) -> dict[str, int]:
        """How many allocations of each of its groups run."""
        groups = (self.summary.summary if self.summary else None) or {}
        return {name: group.running for name, group in groups.items()}

    @property
    def own_namespace(self) -> str:
        """Its namespace, by its summary where it has one."""
        return (self.summary.namespace if self.summary else "") or self.namespace


class AllocationStub(_Answer, frozen=True):
    """One allocation of `GET /v1/allocations` or `GET /v1/job/<id>/allocations`."""

    id: str = msgspec.field(name="ID")
    name: str = ""
    namespace: str = ""
    node_id: str = msgspec.field(name="NodeID", default="")
    node_name: str = ""
    task_group: str = ""
    job_version: int = 0
    desired_status: str = ""
    client_status: str = ""
    create_index: int = 0
    create_time: int = 0
    modify_time: int = 0


class Action(_Answer, frozen=True):
    """An action as the job defines it; both may be absent or null."""

    name: str
    command: str = ""
    args: list[str] | None = None


class ListedAction(_Answer, frozen=True):
    """One action of `GET /v1/job/<id>/actions`: of the job's newest version."""

    name: str
    command: str = ""
    args: list[str] | None = None
    task_name: str = ""
    task_group_name: str = ""


class Task(_Answer, frozen=True):
    """A task of a group, with its actions, its driver, and what that is told: any JSON."""

    name: str
    driver: str = ""
    config: dict[str, Any] | None = None
    actions: list[Action] | None = None


class TaskGroup(_Answer, frozen=True):
    """A group of a job, with its tasks."""

    name: str
    tasks: list[Task] | None = None


class Job(_Answer, frozen=True):
    """The job as it was when an allocation was placed."""

    id: str = msgspec.field(name="ID")
    namespace: str = ""
    version: int = 0
    job_modify_index: int = 0
    """It changes with the version, and tells in a list of jobs what the version would."""
    region: str | None = None
    task_groups: list[TaskGroup] | None = None


class JobVersions(_Answer, frozen=True):
    """`GET /v1/job/<id>/versions`."""

    versions: list[Job] | None = None


class Allocation(_Answer, frozen=True):
    """`GET /v1/allocation/<id>`."""

    id: str = msgspec.field(name="ID")
    name: str = ""
    namespace: str = ""
    node_id: str = msgspec.field(name="NodeID", default="")
    node_name: str = ""
    job_id: str = msgspec.field(name="JobID", default="")
    task_group: str = ""
    client_status: str = ""
    job: Job | None = None


class NodeAttributes(msgspec.Struct, frozen=True):
    """What a node says of itself, by names with dots in them."""

    version: str = msgspec.field(name="nomad.version", default="")


class Namespace(_Answer, frozen=True):
    """One namespace of `GET /v1/namespaces`: those in which the token may do anything at all."""

    name: str


class Node(_Answer, frozen=True):
    """`GET /v1/node/<id>`."""

    id: str = msgspec.field(name="ID")
    name: str = ""
    http_addr: str = msgspec.field(name="HTTPAddr", default="")
    tls_enabled: bool = msgspec.field(name="TLSEnabled", default=False)
    status: str = ""
    attributes: NodeAttributes | None = None


class Limits(_Answer, frozen=True):
    """What an agent bounds."""

    http_max_connections: int | None = msgspec.field(name="HTTPMaxConnsPerClient", default=None)
    """Connections of one client at a time; 0 for any number."""


class AgentConfig(_Answer, frozen=True):
    """The part of an agent's configuration that tells its bounds."""

    limits: Limits | None = None


class AgentSelf(msgspec.Struct, frozen=True):
    """`GET /v1/agent/self`."""

    config: AgentConfig | None = None
