"""Jobs as the embedded agent knows them: checked, with nothing in them that it cannot do.

The source is a job in the form of Nomad's API (https://developer.hashicorp.com/nomad/api-docs/json-jobs).
What the agent cannot do is refused by name: a job that runs here does what it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from nomad_magic.errors import AgentError

DRIVERS: Final = ("raw_exec", "exec")
TYPES: Final = ("service", "batch")
HOOKS: Final = ("prestart", "poststart", "poststop")
REGION: Final = "global"
DEFAULT_NAMESPACE: Final = "default"

SECOND: Final = 1_000_000_000
"""Nomad's API counts in nanoseconds."""

ACTION_NAME: Final = re.compile(r"[^\x00\s]{1,128}")

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")

# Fields that change nothing here: placement on other machines, rollouts, resource limits.
_JOB_IGNORED: Final = frozenset(
    [
        "AllAtOnce",
        "Affinities",
        "Constraints",
        "ConsulNamespace",
        "ConsulToken",
        "CreateIndex",
        "DispatchIdempotencyToken",
        "Dispatched",
        "JobModifyIndex",
        "ModifyIndex",
        "NodePool",
        "NomadTokenID",
        "ParentID",
        "Payload",
        "Reschedule",
        "Spreads",
        "Stable",
        "Status",
        "StatusDescription",
        "Stop",
        "SubmitTime",
        "UI",
        "Update",
        "VaultNamespace",
        "VaultToken",
        "Version",
        "VersionTag",
        "Migrate",
    ]
)
_GROUP_IGNORED: Final = frozenset(
    [
        "Affinities",
        "Constraints",
        "Consul",
        "Disconnect",
        "EphemeralDisk",
        "MaxClientDisconnect",
        "Migrate",
        "PreventRescheduleOnLost",
        "ReschedulePolicy",
        "Scaling",
        "Spreads",
        "StopAfterClientDisconnect",
        "Update",
    ]
)
_TASK_IGNORED: Final = frozenset(
    ["Affinities", "Constraints", "Identity", "Identities", "LogConfig", "Kind", "ScalingPolicies"]
)


@dataclass(frozen=True)
class Action:
    """A command that a job offers."""

    name: str
    command: str
    args: tuple[str, ...]


@dataclass(frozen=True)
class Restart:
    """What happens when a task ends; durations in nanoseconds."""

    attempts: int
    delay: int
    interval: int
    mode: str = "fail"


@dataclass(frozen=True)
class Task:
    """One process of a group."""

    name: str
    driver: str
    command: str
    args: tuple[str, ...]
    restart: Restart
    env: dict[str, str] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    hook: str = ""
    sidecar: bool = False
    cpu: int = 100
    memory: int = 300
    kill_timeout: int = 5 * SECOND
    kill_signal: str = ""

    def action(self, name: str) -> Action | None:
        """The action of that name."""
        return next((action for action in self.actions if action.name == name), None)


@dataclass(frozen=True)
class Group:
    """Tasks that are placed together, `count` times."""

    name: str
    count: int
    tasks: tuple[Task, ...]
    restart: Restart
    meta: dict[str, str] = field(default_factory=dict)

    def task(self, name: str) -> Task | None:
        """The task of that name."""
        return next((task for task in self.tasks if task.name == name), None)


@dataclass(frozen=True)
class Job:
    """A job, as its file says."""

    id: str
    name: str
    namespace: str
    type: str
    groups: tuple[Group, ...]
    priority: int = 50
    datacenters: tuple[str, ...] = ("*",)
    meta: dict[str, str] = field(default_factory=dict)


class _Fields:
    """One object of the API form: each field is taken once, what is left over is refused."""

    def __init__(self, source: Any, where: str) -> None:
        if not isinstance(source, dict):
            raise AgentError(f"{where}: expected an object, found {source!r}")
        self._left = dict(source)
        self.where = where

    def take(self, name: str, default: Any = None) -> Any:
        value = self._left.pop(name, None)
        return default if value is None else value

    def text(self, name: str, default: str = "") -> str:
        value = self.take(name, default)
        if not isinstance(value, str):
            raise AgentError(f"{self.where}: {name} must be a string, not {value!r}")
        if "\0" in value:
            raise AgentError(f"{self.where}: {name} holds a NUL")
        return value

    def number(self, name: str, default: int) -> int:
        value = self.take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise AgentError(f"{self.where}: {name} must be a whole number, not {value!r}")
        return value

    def duration(self, name: str, default: int) -> int:
        """Nanoseconds, from a number of them or words such as `1m30s`."""
        value = self.take(name, default)
        if isinstance(value, str):
            parts = _DURATION.findall(value)
            if "".join(number + unit for number, unit in parts) != value or not parts:
                raise AgentError(f"{self.where}: {name} is not a duration: {value!r}")
            return int(sum(float(number) * _UNITS[unit] for number, unit in parts))
        if not isinstance(value, int) or isinstance(value, bool):
            raise AgentError(f"{self.where}: {name} is not a duration: {value!r}")
        return value

    def strings(self, name: str) -> dict[str, str]:
        value = self.take(name, {})
        if not isinstance(value, dict):
            raise AgentError(f"{self.where}: {name} must be a map, not {value!r}")
        return {str(key): scalar(item, f"{self.where}: {name}") for key, item in value.items()}

    def words(self, name: str) -> tuple[str, ...]:
        value = self.take(name, [])
        if not isinstance(value, list):
            raise AgentError(f"{self.where}: {name} must be a list, not {value!r}")
        return tuple(scalar(item, f"{self.where}: {name}") for item in value)

    def objects(self, name: str) -> list[Any]:
        value = self.take(name, [])
        if not isinstance(value, list):
            raise AgentError(f"{self.where}: {name} must be a list, not {value!r}")
        return value

    def finish(self, ignored: frozenset[str] = frozenset()) -> None:
        """Refuse what is left over and says something."""
        for name, value in self._left.items():
            if name not in ignored and value not in (None, "", [], {}, 0, False):
                raise AgentError(
                    f"{self.where}: the embedded agent does not do {name}",
                    hint="it starts plain processes; take that part out, or use a real agent",
                )


def scalar(value: Any, where: str) -> str:
    """A string, number or boolean as HCL turns it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, str):
        return value
    raise AgentError(f"{where}: expected a string, found {value!r}")


def build_job(source: Any, where: str) -> Job:
    """Check a job in the API's form.

    Args:
        source: The object under `Job`.
        where: The file, which opens every error's words.

    Raises:
        AgentError: It is not a job, or asks for what the agent cannot do.
    """
    fields = _Fields(source, where)
    job_id = fields.text("ID") or fields.text("Name")
    if not job_id:
        raise AgentError(f"{where}: a job needs an ID")
    fields.where = where = f"{where}: job {job_id!r}"
    job_type = fields.text("Type", "service")
    if job_type not in TYPES:
        raise AgentError(f"{where}: the embedded agent does not run {job_type} jobs")
    region = fields.text("Region", REGION)
    if region != REGION:
        raise AgentError(f"{where}: region {region!r}, but the embedded agent's is {REGION!r}")
    restart = Restart(2 if job_type == "service" else 3, SECOND, 1800 * SECOND)
    sources = fields.objects("TaskGroups")
    groups = tuple(_build_group(group, where, job_type, restart) for group in sources)
    if not groups:
        raise AgentError(f"{where}: no task groups")
    _no_twins(where, "group", [group.name for group in groups])
    job = Job(
        id=job_id,
        name=fields.text("Name") or job_id,
        namespace=fields.text("Namespace", DEFAULT_NAMESPACE) or DEFAULT_NAMESPACE,
        type=job_type,
        groups=groups,
        priority=fields.number("Priority", 50),
        datacenters=fields.words("Datacenters") or ("*",),
        meta=fields.strings("Meta"),
    )
    fields.finish(_JOB_IGNORED)
    return job


def _build_group(source: Any, where: str, job_type: str, restart: Restart) -> Group:
    fields = _Fields(source, where)
    name = fields.text("Name")
    fields.where = where = f"{where}: group {name!r}"
    if not name:
        raise AgentError(f"{where}: a group needs a name")
    restart = _build_restart(fields.take("RestartPolicy"), where, restart)
    tasks = tuple(_build_task(task, where, restart) for task in fields.objects("Tasks"))
    if not any(not task.hook for task in tasks):
        raise AgentError(f"{where}: no task without a lifecycle hook")
    _no_twins(where, "task", [task.name for task in tasks])
    group = Group(name, fields.number("Count", 1), tasks, restart, fields.strings("Meta"))
    fields.finish(_GROUP_IGNORED | ({"MaxRunDuration"} if job_type == "service" else set()))
    return group


def _build_task(source: Any, where: str, restart: Restart) -> Task:
    fields = _Fields(source, where)
    name = fields.text("Name")
    fields.where = where = f"{where}: task {name!r}"
    if not name or "/" in name or "\\" in name:
        raise AgentError(f"{where}: a task needs a name without a slash or a backslash")
    if name in (".", ".."):
        raise AgentError(f"{where}: a task's name is the name of its directory")
    driver = fields.text("Driver")
    if driver not in DRIVERS:
        raise AgentError(
            f"{where}: the embedded agent has no driver {driver!r}",
            hint=f"it has {' and '.join(DRIVERS)}",
        )
    config = _Fields(fields.take("Config", {}), f"{where}: config")
    command = config.text("command")
    if not command:
        raise AgentError(f"{where}: config needs a command")
    args = config.words("args")
    config.finish()
    lifecycle = _Fields(fields.take("Lifecycle", {}), f"{where}: lifecycle")
    hook = lifecycle.text("Hook")
    if hook and hook not in HOOKS:
        raise AgentError(f"{where}: unknown lifecycle hook {hook!r}")
    resources = _Fields(fields.take("Resources", {}), f"{where}: resources")
    actions = tuple(_build_action(action, where) for action in fields.objects("Actions"))
    _no_twins(where, "action", [action.name for action in actions])
    task = Task(
        name=name,
        driver=driver,
        command=command,
        args=args,
        restart=_build_restart(fields.take("RestartPolicy"), where, restart),
        env=fields.strings("Env"),
        meta=fields.strings("Meta"),
        actions=actions,
        hook=hook,
        sidecar=lifecycle.take("Sidecar") is True,
        cpu=resources.number("CPU", 100),
        memory=resources.number("MemoryMB", 300),
        kill_timeout=fields.duration("KillTimeout", 5 * SECOND),
        kill_signal=fields.text("KillSignal"),
    )
    fields.finish(_TASK_IGNORED)
    return task


def _build_action(source: Any, where: str) -> Action:
    fields = _Fields(source, where)
    name = fields.text("Name")
    if not ACTION_NAME.fullmatch(name):
        raise AgentError(f"{where}: {name!r} is not a name for an action")
    fields.where = f"{where}: action {name!r}"
    command = fields.text("Command")
    if not command:
        raise AgentError(f"{fields.where}: needs a command")
    action = Action(name, command, fields.words("Args"))
    fields.finish()
    return action


def _build_restart(source: Any, where: str, default: Restart) -> Restart:
    fields = _Fields(source or {}, f"{where}: restart")
    restart = Restart(
        fields.number("Attempts", default.attempts),
        fields.duration("Delay", default.delay),
        fields.duration("Interval", default.interval),
        fields.text("Mode", default.mode),
    )
    if restart.mode not in ("fail", "delay"):
        raise AgentError(f"{where}: unknown restart mode {restart.mode!r}")
    fields.finish(frozenset({"RenderTemplates"}))
    return restart


def _no_twins(where: str, kind: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise AgentError(f"{where}: {kind} {name!r} twice")
