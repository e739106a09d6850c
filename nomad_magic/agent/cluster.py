"""What runs: all jobs with their allocations, on the one node."""

from __future__ import annotations

import asyncio
import platform
import time
import uuid
from typing import TYPE_CHECKING

from nomad_magic.agent.environ import Node, inherited
from nomad_magic.agent.jobs import DEFAULT_NAMESPACE
from nomad_magic.agent.tasks import Allocation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nomad_magic.agent.jobs import Job
    from nomad_magic.agent.spawn import Spawner

FIRST_INDEX = 10
"""The index of everything that was there from the start."""


class Cluster:
    """All that the API tells about.

    Attributes:
        node: The one node.
        jobs: In the order of their ids.
        allocations: By id.
        submitted: When the jobs were, in nanoseconds since the epoch.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        *,
        root: Path,
        environment: Mapping[str, str],
        spawner: Spawner,
    ) -> None:
        self.node = Node(str(uuid.uuid4()), platform.node() or "localhost")
        self.jobs = list(jobs)
        self.submitted = time.time_ns()
        base = inherited(environment)
        placed = [
            Allocation(
                alloc_id=str(uuid.uuid4()),
                job=job,
                group=group,
                index=index,
                node=self.node,
                root=root,
                base=base,
                spawner=spawner,
            )
            for job in self.jobs
            for group in job.groups
            for index in range(group.count)
        ]
        self.allocations = {allocation.id: allocation for allocation in placed}
        self._running: list[asyncio.Task[None]] = []

    @property
    def index(self) -> int:
        """Grows with every change, as `X-Nomad-Index` does."""
        changes = (len(task.events) for a in self.allocations.values() for task in a.tasks.values())
        return FIRST_INDEX + sum(changes)

    @property
    def namespaces(self) -> list[str]:
        """Those that some job names, and the default one."""
        return sorted({DEFAULT_NAMESPACE, *(job.namespace for job in self.jobs)})

    def job(self, job_id: str, namespace: str) -> Job | None:
        """The job of that id in that namespace."""
        return next((j for j in self.jobs if j.id == job_id and j.namespace == namespace), None)

    def allocations_of(self, job: Job) -> list[Allocation]:
        """Its allocations."""
        return [a for a in self.allocations.values() if a.job is job]

    async def start(self) -> None:
        """Start everything; returns when each main task has been started or given up."""
        placed = self.allocations.values()
        self._running = [asyncio.create_task(allocation.run()) for allocation in placed]
        await asyncio.gather(*(allocation.started() for allocation in placed))

    async def stop(self, grace: float) -> None:
        """End every task."""
        await asyncio.gather(*(a.stop(grace) for a in self.allocations.values()))
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
