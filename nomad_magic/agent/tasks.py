"""Tasks as supervised processes, and allocations that hold them.

A task is started, watched and started again as its restart policy says.  An allocation runs its
tasks in the order of their lifecycle hooks
(https://developer.hashicorp.com/nomad/docs/job-specification/lifecycle).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent.environ import Directories, Node, interpolate, task_environment
from nomad_magic.agent.fields import SECOND
from nomad_magic.agent.reaper import GRACE_SECONDS
from nomad_magic.agent.spawn import Leads, Process, Spawner, StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from nomad_magic.agent.jobs import Group, Job, Task

LOG_BYTES: Final = 10_000_000
"""What a task's log may grow to before it is begun anew; Nomad's own default size."""

_LOG_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_LOG_CHECK_SECONDS: Final = 5.0
_EVENTS_KEPT: Final = 10


class TaskRun:
    """One task of one allocation.

    Attributes:
        spec: What the job says of it.
        state: `pending`, `running` or `dead`, as the API has it.
        failed: It ended and will not be started again, and that is a failure.
        environment: What it and its actions see.
        directory: Where it and its actions stand.
        started: Set as soon as it has been started, or will never be.
    """

    def __init__(
        self,
        spec: Task,
        environment: dict[str, str],
        directories: Directories,
        spawner: Spawner,
        changed: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.environment = environment
        self.directory = str(directories.task)
        self.state = "pending"
        self.failed = False
        self.restarts = 0
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.events: deque[dict[str, Any]] = deque(maxlen=_EVENTS_KEPT)
        self.started = asyncio.Event()
        self._logs = directories.shared / "logs"
        self._spawner = spawner
        self._changed = changed
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._event("Received", "Task received by client")

    @property
    def running(self) -> bool:
        """Whether an action can be run in it."""
        return self.state == "running"

    @property
    def trouble(self) -> str:
        """Why it did not start, in the driver's words; empty when nothing is known."""
        said = [event["DisplayMessage"] for event in self.events]
        kinds = [event["Type"] for event in self.events]
        return said[kinds.index("Driver Failure")] if "Driver Failure" in kinds else ""

    async def run(self, *, again_on_success: bool) -> None:
        """Run it until it is dead for good.

        Args:
            again_on_success: A service: leaving with 0 does not keep it away.
        """
        attempts = 0
        window = time.monotonic()
        policy = self.spec.restart
        self._event("Task Setup", "Building Task Directory")
        while not self._stopping.is_set():
            code = await self._run_once()
            if self._stopping.is_set() or (code == 0 and not again_on_success):
                break
            now = time.monotonic()
            if now - window > policy.interval / SECOND:
                attempts, window = 0, now
            if attempts >= policy.attempts:
                if policy.mode == "fail":
                    self.failed = True
                    self._event("Not Restarting", "Exceeded allowed attempts")
                    break
                await self._pause(max(0.0, window + policy.interval / SECOND - now))
                attempts, window = 0, time.monotonic()
            attempts += 1
            self.restarts += 1
            self._event("Restarting", f"Task restarting in {policy.delay / SECOND:g}s")
            self._become("pending")
            await self._pause(policy.delay / SECOND)
        self._die()

    async def stop(self, grace: float) -> None:
        """End it for good: its own signal, at most `grace` seconds, then SIGKILL."""
        self._stopping.set()
        if self._process is not None:
            number = getattr(signal, self.spec.kill_signal, signal.SIGTERM)
            await self._process.stop(min(grace, self.spec.kill_timeout / SECOND), number)

    def skip(self) -> None:
        """It will never be started: what comes before it failed."""
        if self.state != "dead":
            self._die()

    async def _run_once(self) -> int:
        """Start the process and wait for its end; the exit code, 127 when it did not start."""
        words = [
            interpolate(word, self.environment) for word in (self.spec.command, *self.spec.args)
        ]
        opened: list[int] = []
        try:
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            opened += (os.open(log, _LOG_FLAGS, 0o600) for log in self._log_files())
            process = self._spawner.start(
                words,
                env=self.environment,
                cwd=self.directory,
                stdio=(opened[0], opened[1], opened[2]),
                leads=Leads.GROUP,
            )
        except (StartError, OSError) as error:
            self._event("Driver Failure", f"failed to launch command with executor: {error}")
            return 127
        finally:
            for fd in opened:
                os.close(fd)
        self._process = process
        self.started_at = datetime.now(UTC)
        self._event("Started", "Task started by client")
        self._become("running")
        self.started.set()
        code = await self._watch(process)
        # What it left behind in its group has lost its task.
        process.end_group()
        words_of_end = f"Exit Code: {code}"
        if code > 128:
            words_of_end += f", Signal: {code - 128}"
        self._event("Terminated", words_of_end, ExitCode=code, Signal=max(0, code - 128))
        return code

    def _log_files(self) -> list[str]:
        if not self.spec.logs:
            return [os.devnull, os.devnull]
        return [str(self._logs / f"{self.spec.name}.{name}.0") for name in ("stdout", "stderr")]

    async def _watch(self, process: Process) -> int:
        while not process.exited.done():
            await asyncio.wait([process.exited], timeout=_LOG_CHECK_SECONDS)
            for log in self._logs.glob(f"{self.spec.name}.std*.0"):
                with contextlib.suppress(OSError):
                    if log.stat().st_size > LOG_BYTES:
                        os.truncate(log, 0)
        return process.exited.result()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _die(self) -> None:
        self.finished_at = datetime.now(UTC)
        self._become("dead")
        self.started.set()

    def _become(self, state: str) -> None:
        self.state = state
        self._changed()

    def _event(self, kind: str, words: str, **more: Any) -> None:
        self.events.append(
            {"Type": kind, "Time": time.time_ns(), "DisplayMessage": words, "Details": {}, **more}
        )


class Allocation:
    """The tasks of a group, once.

    Attributes:
        id: A random UUID.
        index: Which of the group's `count` it is.
        tasks: By name, in the order of the job.
        created: When it was placed, in nanoseconds since the epoch; `modified` likewise.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, each by name
        self,
        *,
        alloc_id: str,
        job: Job,
        group: Group,
        index: int,
        node: Node,
        root: Path,
        base: Mapping[str, str],
        spawner: Spawner,
    ) -> None:
        self.id = alloc_id
        self.job = job
        self.group = group
        self.index = index
        self.created = self.modified = time.time_ns()
        self.tasks: dict[str, TaskRun] = {}
        for task in group.tasks:
            directories = Directories(root / alloc_id, root / alloc_id / task.name)
            directories.make()
            environment = task_environment(
                base,
                alloc_id=alloc_id,
                alloc_index=index,
                job=job,
                group=group,
                task=task,
                directories=directories,
                node=node,
            )
            self.tasks[task.name] = TaskRun(task, environment, directories, spawner, self._touch)

    @property
    def name(self) -> str:
        """As Nomad writes it: `job.group[index]`."""
        return f"{self.job.id}.{self.group.name}[{self.index}]"

    @property
    def status(self) -> str:
        """Its `ClientStatus`."""
        tasks = self.tasks.values()
        if any(task.failed for task in tasks):
            return "failed"
        if all(task.state == "dead" for task in tasks):
            return "complete"
        if any(task.state == "running" for task in tasks) or any(task.restarts for task in tasks):
            return "running"
        return "pending"

    async def run(self) -> None:
        """Run its tasks, in order, until none is left."""
        try:
            await self._run()
        finally:
            for task in self.tasks.values():
                task.started.set()

    async def _run(self) -> None:
        by_hook: dict[str, list[TaskRun]] = {}
        for task in self.tasks.values():
            by_hook.setdefault(task.spec.hook, []).append(task)
        early = by_hook.get("prestart", [])
        late = by_hook.get("poststart", [])
        async with asyncio.TaskGroup() as beside:
            for task in early:
                if task.spec.sidecar:
                    beside.create_task(task.run(again_on_success=True))
                    await task.started.wait()
            before = [task for task in early if not task.spec.sidecar]
            await asyncio.gather(*(task.run(again_on_success=False) for task in before))
            if any(task.failed for task in early):
                for task in (*by_hook[""], *late):
                    task.skip()
            else:
                await self._run_main(by_hook[""], late, beside)
            for task in (*early, *late):
                if task.spec.sidecar:
                    await task.stop(grace=GRACE_SECONDS)
        await asyncio.gather(
            *(task.run(again_on_success=False) for task in by_hook.get("poststop", []))
        )

    async def stop(self, grace: float) -> None:
        """End all its tasks for good."""
        await asyncio.gather(*(task.stop(grace) for task in self.tasks.values()))

    async def started(self) -> None:
        """Return when each main task has been started once, or never will be."""
        for task in self.tasks.values():
            if not task.spec.hook:
                await task.started.wait()

    async def _run_main(
        self, main: list[TaskRun], late: list[TaskRun], beside: asyncio.TaskGroup
    ) -> None:
        async def until_dead(task: TaskRun) -> None:
            await task.run(again_on_success=self.job.type in ("service", "system"))
            if task.failed:  # as in Nomad, one that failed takes the others with it
                others = (other for other in main if other is not task)
                await asyncio.gather(*(other.stop(GRACE_SECONDS) for other in others))

        running = asyncio.gather(*(until_dead(task) for task in main))
        for task in main:
            await task.started.wait()
        for task in late:
            beside.create_task(task.run(again_on_success=task.spec.sidecar))
        await running

    def _touch(self) -> None:
        self.modified = time.time_ns()
