"""The JSON of the HTTP API: jobs, allocations and the node, with the fields of the real answers.

The field names and their empty values are those of https://developer.hashicorp.com/nomad/api-docs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent import response_defaults
from nomad_magic.agent.environ import DATACENTER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from nomad_magic.agent.environ import Node
    from nomad_magic.agent.jobs import Group, Job, Restart, Task
    from nomad_magic.agent.tasks import Allocation, TaskRun

Json = dict[str, Any]

_DESCRIPTIONS: Final = {
    "pending": "No tasks have started",
    "running": "Tasks are running",
    "complete": "All tasks have completed",
    "failed": "Failed tasks",
}


def job_status(allocations: Iterable[Allocation]) -> str:
    """A job's `Status`: `dead` when none of its allocations will run any more."""
    states = [allocation.status for allocation in allocations]
    if "running" in states:
        return "running"
    return "pending" if "pending" in states else "dead"


def job(spec: Job, *, status: str, submitted: int, index: int) -> Json:
    """A whole job; `submitted` in nanoseconds since the epoch."""
    return {
        **response_defaults.JOB,
        "CreateIndex": index,
        "Datacenters": list(spec.datacenters),
        "ID": spec.id,
        "JobModifyIndex": index,
        "Meta": spec.meta or None,
        "ModifyIndex": index,
        "Name": spec.name,
        "Namespace": spec.namespace,
        "Priority": spec.priority,
        "Stable": spec.type in ("service", "system"),
        "Status": status,
        "SubmitTime": submitted,
        "TaskGroups": [_group(group) for group in spec.groups],
        "Type": spec.type,
    }


def job_stub(spec: Job, allocations: list[Allocation], *, submitted: int, index: int) -> Json:
    """A job as the list has it, with the summary of its allocations."""
    summary = {
        group.name: dict.fromkeys(
            ("Complete", "Failed", "Lost", "Queued", "Running", "Starting", "Unknown"), 0
        )
        for group in spec.groups
    }
    for allocation in allocations:
        state = {"pending": "Starting"}.get(allocation.status, allocation.status.title())
        summary[allocation.group.name][state] += 1
    return {
        "CreateIndex": index,
        "Datacenters": list(spec.datacenters),
        "ID": spec.id,
        "JobModifyIndex": index,
        "JobSummary": {
            "Children": {"Dead": 0, "Pending": 0, "Running": 0},
            "CreateIndex": index,
            "JobID": spec.id,
            "ModifyIndex": index,
            "Namespace": spec.namespace,
            "Summary": summary,
        },
        "ModifyIndex": index,
        "Multiregion": None,
        "Name": spec.name,
        "Namespace": spec.namespace,
        "NodePool": "default",
        "ParameterizedJob": False,
        "ParentID": "",
        "Periodic": False,
        "Priority": spec.priority,
        "Status": job_status(allocations),
        "StatusDescription": "",
        "Stop": False,
        "SubmitTime": submitted,
        "Type": spec.type,
    }


def job_actions(spec: Job) -> list[Json]:
    """All actions of a job, in its order."""
    return [
        {**action, "TaskGroupName": group.name, "TaskName": task.name}
        for group in spec.groups
        for task in group.tasks
        for action in _actions(task)
    ]


def allocation_stub(allocation: Allocation, node: Node, *, index: int) -> Json:
    """An allocation as the lists have it."""
    return {
        **_allocation(allocation, node, index=index),
        "DesiredDescription": "",
        "DesiredTransition": dict.fromkeys(
            (
                "ForceReschedule",
                "Migrate",
                "MigrateDisablePlacement",
                "NoShutdownDelay",
                "Reschedule",
            )
        ),
        "FollowupEvalID": "",
        "JobType": allocation.job.type,
        "JobVersion": 0,
        "NextAllocation": "",
        "PreemptedAllocations": None,
        "PreemptedByAllocation": "",
        "RescheduleTracker": None,
    }


def allocation(allocation: Allocation, node: Node, *, submitted: int, index: int) -> Json:
    """A whole allocation, with its job as it was when it was placed."""
    return {
        **_allocation(allocation, node, index=index),
        "AllocModifyIndex": index,
        "Job": job(allocation.job, status="pending", submitted=submitted, index=index),
        "NetworkStatus": None,
        "Resources": {
            "CPU": sum(task.cpu for task in allocation.group.tasks),
            "DiskMB": 300,
            "MemoryMB": sum(task.memory for task in allocation.group.tasks),
            "Networks": None,
        },
        "TaskResources": {task.name: _resources(task) for task in allocation.group.tasks},
    }


def node(this: Node, *, address: str, tls: bool, index: int) -> Json:
    """The one node; `address` is host:port, empty for a unix socket."""
    return {
        **node_stub(this, address=address, index=index),
        "Attributes": {
            "driver.raw_exec": "1",
            "driver.exec": "1",
            "unique.hostname": this.name,
        },
        "HTTPAddr": address,
        "Meta": {},
        "TLSEnabled": tls,
    }


def node_stub(this: Node, *, address: str, index: int) -> Json:
    """The node as the list has it."""
    return {
        "Address": address.rpartition(":")[0],
        "CreateIndex": index,
        "Datacenter": DATACENTER,
        "Drain": False,
        "Drivers": {
            name: {"Detected": True, "HealthDescription": "Healthy", "Healthy": True}
            for name in ("raw_exec", "exec")
        },
        "ID": this.id,
        "ModifyIndex": index,
        "Name": this.name,
        "NodeClass": "",
        "NodePool": "default",
        "SchedulingEligibility": "eligible",
        "Status": "ready",
        "StatusDescription": "",
    }


def namespace(name: str, *, index: int) -> Json:
    """A namespace."""
    return {
        **dict.fromkeys(
            [
                "Capabilities",
                "ConsulConfiguration",
                "Meta",
                "NodePoolConfiguration",
                "OptionalExtraClaims",
                "RequiredExtraClaims",
                "VaultConfiguration",
            ]
        ),
        "CreateIndex": index,
        "Description": "Default shared namespace" if name == "default" else "",
        "Hash": "",
        "ModifyIndex": index,
        "Name": name,
        "Quota": "",
    }


def _allocation(allocation: Allocation, node: Node, *, index: int) -> Json:
    status = allocation.status
    return {
        "ClientDescription": _DESCRIPTIONS[status],
        "ClientStatus": status,
        "CreateIndex": index,
        "CreateTime": allocation.created,
        "DeploymentStatus": None,
        "DesiredStatus": "run",
        "EvalID": allocation.id,
        "ID": allocation.id,
        "JobID": allocation.job.id,
        "ModifyIndex": index,
        "ModifyTime": allocation.modified,
        "Name": allocation.name,
        "Namespace": allocation.job.namespace,
        "NodeID": node.id,
        "NodeName": node.name,
        "TaskGroup": allocation.group.name,
        "TaskStates": {name: _task_state(task) for name, task in allocation.tasks.items()},
    }


def _task_state(task: TaskRun) -> Json:
    return {
        "Events": [{**response_defaults.EVENT, **event} for event in task.events],
        "Failed": task.failed,
        "FinishedAt": _time(task.finished_at),
        "LastRestart": None,
        "Paused": "",
        "Restarts": task.restarts,
        "StartedAt": _time(task.started_at),
        "State": task.state,
    }


def _group(group: Group) -> Json:
    return {
        **response_defaults.GROUP,
        "Count": group.count,
        "Meta": group.meta or None,
        "Name": group.name,
        "RestartPolicy": _restart(group.restart),
        "Tasks": [_task(task) for task in group.tasks],
    }


def _task(task: Task) -> Json:
    return {
        **response_defaults.TASK,
        "Actions": _actions(task) or None,
        "Config": {"command": task.command, "args": list(task.args)},
        "Driver": task.driver,
        "Env": task.env or None,
        "KillSignal": task.kill_signal,
        "LogConfig": {"Disabled": not task.logs, "MaxFileSizeMB": 10, "MaxFiles": 1},
        "KillTimeout": task.kill_timeout,
        "Lifecycle": {"Hook": task.hook, "Sidecar": task.sidecar} if task.hook else None,
        "Meta": task.meta or None,
        "Name": task.name,
        "Resources": _resources(task),
        "RestartPolicy": _restart(task.restart),
    }


def _actions(task: Task) -> list[Json]:
    return [
        {"Args": list(action.args), "Command": action.command, "Name": action.name}
        for action in task.actions
    ]


def _resources(task: Task) -> Json:
    return {
        "CPU": task.cpu,
        "Cores": 0,
        "Devices": None,
        "DiskMB": 0,
        "IOPS": 0,
        "MemoryMB": task.memory,
        "MemoryMaxMB": 0,
        "NUMA": None,
        "Networks": None,
        "SecretsMB": 0,
    }


def _restart(restart: Restart) -> Json:
    return {
        "Attempts": restart.attempts,
        "Delay": restart.delay,
        "Interval": restart.interval,
        "Mode": restart.mode,
        "RenderTemplates": False,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None
