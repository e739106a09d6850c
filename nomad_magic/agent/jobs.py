"""Jobs as the embedded agent knows them: checked, with nothing in them that it cannot do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

REGION: Final = "global"
DEFAULT_NAMESPACE: Final = "default"


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
    """One process of a group; `kill_timeout` in nanoseconds."""

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
    kill_timeout: int = 5_000_000_000
    kill_signal: str = ""
    logs: bool = True

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
