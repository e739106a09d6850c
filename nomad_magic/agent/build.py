"""A job of the API's form into a checked one, with all that is refused in it.

The form is that of https://developer.hashicorp.com/nomad/api-docs/json-jobs.  Defaults and limits
are Nomad's own (measured on 2.0.6) but where a name says otherwise.
"""

from __future__ import annotations

import getpass
import re
import signal
from typing import Any, Final

from nomad_magic.agent import placement
from nomad_magic.agent.fields import SECOND, Fields, Report, shown
from nomad_magic.agent.jobs import DEFAULT_NAMESPACE, REGION, Action, Group, Job, Restart, Task

DRIVERS: Final = ("raw_exec", "exec")
TYPES: Final = ("service", "batch", "system", "sysbatch")
HOOKS: Final = ("prestart", "poststart", "poststop")
MAX_COUNT: Final = 50_000
"""How many allocations Nomad takes of one job."""

ACTION_NAME: Final = re.compile(r"[^\x00\s]{1,128}")

_NAME_BYTES: Final = 200
"""How long a task's name may be: it is that of a directory, and begins those of its logs."""
_ID_BYTES: Final = 8_000
"""How long a job's id and a group's name may be: they go into addresses and variables."""


def build_job(source: Any, where: str, report: Report) -> Job:
    """Check a job.

    Args:
        source: The object under `Job`.
        where: The file, which opens the words of all that is refused.
        report: Takes what is refused; then the job is not to be used.
    """
    fields = Fields(source, "job", where, report)
    job_id = fields.text("ID") or fields.text("Name")
    if not job_id:
        fields.refuse("a job needs an ID")
    elif " " in job_id:
        fields.refuse(f"the ID of a job cannot have a blank: {shown(job_id)}")
    fields.where = where = f"{where}: job {shown(job_id)}"
    _check_length(fields, "ID", job_id, _ID_BYTES)
    job_type = fields.text("Type", "service") or "service"
    if job_type not in TYPES:
        fields.refuse(f"the embedded agent does not run {shown(job_type)} jobs")
    region = fields.text("Region") or REGION
    if region != REGION:
        fields.refuse(f"region {shown(region)}, but the embedded agent's is {REGION!r}")
    service = job_type in ("service", "system")
    restart = Restart(2 if service else 3, SECOND, 1800 * SECOND)
    groups = tuple(
        _build_group(group, where, report, job_type, restart)
        for group in fields.objects("TaskGroups")
    )
    if not groups:
        fields.refuse("no task groups")
    _no_twins(fields, "group", [group.name for group in groups])
    total = sum(group.count for group in groups)
    if total > MAX_COUNT:
        fields.refuse(f"a job has at most {MAX_COUNT:,} allocations, and this one {total:,}")
    priority = fields.number("Priority", 50)
    if priority > 100:
        fields.refuse(f"the priority of a job is at most 100, not {priority}")
    datacenters = fields.words("Datacenters") or ("*",)
    placement.check_place(fields, datacenters)
    placement.check(fields, allocations=total)
    job = Job(
        id=job_id,
        name=fields.text("Name") or job_id,
        namespace=fields.text("Namespace") or DEFAULT_NAMESPACE,
        type=job_type,
        groups=groups,
        priority=priority,
        datacenters=datacenters,
        meta=fields.strings("Meta"),
    )
    fields.finish()
    return job


def _build_group(source: Any, where: str, report: Report, job_type: str, restart: Restart) -> Group:
    fields = Fields(source, "group", where, report)
    name = fields.text("Name")
    fields.where = where = f"{where}: group {shown(name)}"
    if not name:
        fields.refuse("a group needs a name")
    _check_length(fields, "name", name, _ID_BYTES)
    restart = _build_restart(fields, restart)
    tasks = tuple(_build_task(task, where, report, restart) for task in fields.objects("Tasks"))
    if not any(not task.hook for task in tasks):
        fields.refuse("no task without a lifecycle hook")
    _no_twins(fields, "task", [task.name for task in tasks])
    count = fields.number("Count", 1)
    if job_type == "system" and count > 1:
        fields.refuse(f"a group of a system job runs once on each node, not {count} times")
    if job_type == "service" and fields.has("MaxRunDuration"):
        fields.take("MaxRunDuration")  # it is for batch jobs
    placement.check(fields, allocations=count)
    group = Group(
        name,
        min(count, 1) if job_type in ("system", "sysbatch") else count,
        tasks,
        restart,
        fields.strings("Meta"),
    )
    fields.finish()
    return group


def _build_task(source: Any, where: str, report: Report, restart: Restart) -> Task:
    fields = Fields(source, "task", where, report)
    name = fields.text("Name")
    fields.where = where = f"{where}: task {shown(name)}"
    _check_task_name(fields, name)
    driver = fields.text("Driver")
    if driver not in DRIVERS:
        fields.refuse(
            f"the embedded agent has no driver {shown(driver)}, only {' and '.join(DRIVERS)}"
        )
    command, args = _build_config(fields, driver)
    hook, sidecar = _build_lifecycle(fields)
    resources = fields.inner("Resources", "resources")
    cpu = resources.number("CPU", 100)
    memory = resources.number("MemoryMB", 300)
    resources.finish()
    logs = fields.inner("LogConfig", "logs")
    if logs.take("Enabled") is False:
        logs.refuse("enabled = false is written disabled = true")
    disabled = logs.boolean("Disabled")
    logs.finish()
    kill_signal = fields.text("KillSignal")
    if kill_signal and kill_signal not in signal.Signals.__members__:
        fields.refuse(f"kill_signal: there is no signal {shown(kill_signal)} here")
    if fields.has("User") and fields.text("User") not in ("", _user()):
        said = "the embedded agent runs everything as the user who started it"
        report.leave_out(where, "user", f"user: {said}")
    actions = tuple(_build_action(action, where, report) for action in fields.objects("Actions"))
    _no_twins(fields, "action", [action.name for action in actions])
    placement.check(fields)
    task = Task(
        name=name,
        driver=driver,
        command=command,
        args=args,
        restart=_build_restart(fields, restart),
        env=fields.strings("Env"),
        meta=fields.strings("Meta"),
        actions=actions,
        hook=hook,
        sidecar=sidecar,
        cpu=cpu,
        memory=memory,
        kill_timeout=fields.duration("KillTimeout", 5 * SECOND),
        kill_signal=kill_signal,
        logs=not disabled,
    )
    fields.finish()
    return task


def _build_config(fields: Fields, driver: str) -> tuple[str, tuple[str, ...]]:
    if driver not in DRIVERS:  # another driver's config is of another kind
        fields.take("Config")
        return "", ()
    config = fields.inner("Config", "config")
    if not config.has("command"):
        config.refuse("needs a command")
    command, args = config.text("command"), config.words("args")
    config.finish()
    return command, args


def _build_lifecycle(fields: Fields) -> tuple[str, bool]:
    if not fields.has("Lifecycle"):
        fields.take("Lifecycle")
        return "", False
    lifecycle = fields.inner("Lifecycle", "lifecycle")
    hook = lifecycle.text("Hook")
    if hook not in HOOKS and (hook or not lifecycle.has("Hook")):
        lifecycle.refuse(f"unknown lifecycle hook {shown(hook)}: {', '.join(HOOKS)}")
    sidecar = lifecycle.boolean("Sidecar")
    lifecycle.finish()
    return hook, sidecar


def _check_task_name(fields: Fields, name: str) -> None:
    if not name or "/" in name or "\\" in name:
        fields.refuse("a task needs a name without a slash or a backslash")
    if name in (".", "..", "alloc"):
        fields.refuse("a task's name is the name of its directory, beside `alloc`")
    _check_length(fields, "name", name, _NAME_BYTES)


def _check_length(fields: Fields, what: str, text: str, most: int) -> None:
    if len(text.encode()) > most:
        fields.refuse(f"its {what} has more than {most:,} bytes")


def _build_action(source: Any, where: str, report: Report) -> Action:
    fields = Fields(source, "action", where, report)
    name = fields.text("Name")
    if not ACTION_NAME.fullmatch(name):
        fields.refuse(f"{shown(name)} is not a name for an action")
    fields.where = f"{where}: action {shown(name)}"
    if not fields.has("Command"):
        fields.refuse("needs a command")
    action = Action(name, fields.text("Command"), fields.words("Args"))
    fields.finish()
    return action


def _build_restart(parent: Fields, default: Restart) -> Restart:
    fields = parent.inner("RestartPolicy", "restart")
    restart = Restart(
        fields.number("Attempts", default.attempts),
        fields.duration("Delay", default.delay),
        fields.duration("Interval", default.interval),
        fields.text("Mode") or default.mode,
    )
    if restart.mode not in ("fail", "delay"):
        fields.refuse(f"unknown restart mode {shown(restart.mode)}: fail, delay")
    fields.finish()
    return restart


def _no_twins(fields: Fields, kind: str, names: list[str]) -> None:
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        fields.refuse(f"{kind} {shown(name)} twice")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id without a name
        return ""
