"""A cluster with everything on: ACL, mutual TLS, two namespaces, and names of every kind."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from support import nomads
from support.certificates import Certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTING = ["list-jobs", "read-job"]
EVERYTHING = [*LISTING, "alloc-exec", "alloc-node-exec"]
UNLISTED = ["read-job", "alloc-exec", "alloc-node-exec"]
RIGHTS = {
    "both": {"default": EVERYTHING, "apart": EVERYTHING},
    "default": {"default": EVERYTHING},
    "reader": {"default": LISTING, "apart": LISTING},
    "unlisted": {"default": ["list-jobs"], "apart": UNLISTED},
    "isolated": {"apart": [*LISTING, "alloc-exec"]},
    "nothing": {},
}
"""The tokens, and what each may do in which namespace."""

# What Nomad 2.0.6 takes was measured: a blank in all but a job's ID and an action's name, a slash
# and a backslash in all but a task's name.
ODD = "%2F?x#y+z&k=v;'\"<é日Ж💥"
ODD_ID = f"/a//b\\{ODD}/allocations"
ODD_GROUP = f" a/../b\\ c{ODD}\t"
ODD_TASK = f" a b {ODD}"
ODD_ACTION = f"../a\\{ODD}/action"
PLAIN_ACTION = "9-Where--"


def odd_id(version: tuple[int, ...]) -> str:
    """Return the oddest ID that a job can be asked for by: before 1.8 no two slashes in the path.

    The HTTP server of 1.7 made one of them, and led the real CLI to another job too.
    """
    return ODD_ID if version >= (1, 8) else ODD_ID.replace("//", "/").lstrip("/")


def odd_action(version: tuple[int, ...]) -> str:
    """Return the oddest name that an action may have: letters, digits and dashes before 1.9."""
    return ODD_ACTION if version >= (1, 9) else PLAIN_ACTION


@contextmanager
def secured(name: str, folder: Path) -> Iterator[tuple[nomads.Agent, Certificates]]:
    """Run one of `nomads.AGENTS` with all of this.

    Args:
        name: Which.
        folder: For the certificates and all other files of it.
    """
    certificates = Certificates(folder)
    version = nomads.version_of(name)
    odd = {"group": ODD_GROUP, "task": ODD_TASK, "action": odd_action(version)}
    jobs = [
        job_of("shop", "default"),
        job_of("shop", "apart"),
        job_of("only", "apart"),
        job_of(odd_id(version), "default", **odd),
        job_of("plain/action", "default"),
    ]
    paths = []
    for number, job in enumerate(jobs):
        path = folder / f"{number}.json"
        path.write_text(json.dumps({"Job": job}), encoding="utf-8")
        paths.append(path)

    def ready(agent: nomads.Agent) -> bool:
        found = agent.get("/v1/allocations?namespace=*")
        return [stub["ClientStatus"] for stub in found] == ["running"] * len(jobs)

    setup = nomads.Setup(
        jobs=paths,
        ready=ready,
        rights=RIGHTS,
        namespaces=["apart"],
        certificates=certificates,
    )
    with nomads.either(name, folder, setup) as agent:
        yield agent, certificates


def job_of(
    job: str, namespace: str, *, group: str = "web", task: str = "main", action: str = "where"
) -> dict[str, Any]:
    """Return a job whose action says in which namespace it is, as the API has it."""
    return {
        "ID": job,
        "Name": job,
        "Namespace": namespace,
        "Type": "service",
        "Datacenters": ["*"],
        "TaskGroups": [
            {
                "Name": group,
                "Count": 1,
                "Tasks": [
                    {
                        "Name": task,
                        "Driver": "raw_exec",
                        "Config": {"command": "/bin/sleep", "args": ["9999"]},
                        "Resources": {"CPU": 20, "MemoryMB": 32},
                        "Actions": [
                            {"Name": action, "Command": "/bin/echo", "Args": [namespace, action]}
                        ],
                    }
                ],
            }
        ],
    }
