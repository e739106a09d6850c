"""Every field that a job file can have, and what becomes of it here.

The names are those of https://developer.hashicorp.com/nomad/docs/job-specification and of
https://developer.hashicorp.com/nomad/api-docs/json-jobs, as Nomad 2.0.6 has them
(`nomad job run -output` of a file with all of them is held against this table by a test).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Use(Enum):
    """What becomes of a field that says something."""

    EFFECT = "it does what it says"
    HARMLESS = "it changes nothing on one machine that nobody else uses"
    WORDS = "it is refused, or with --lenient left out, and that is said"
    REFUSED = "it is refused: without it the job would be another"


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        hcl: Its name in HCL, of a block or of an argument; empty where there is none.
        api: Its name in the API's JSON.
    """

    hcl: str
    api: str
    use: Use


def _rows(use: Use, *names: str) -> list[Field]:
    """Return the rows of one use.

    A name in HCL stands for itself, its API name made of it; or it is `hcl=Api`.
    """
    rows = []
    for name in names:
        hcl, _, api = name.partition("=")
        rows.append(Field(hcl, api or "".join(part.title() for part in hcl.split("_")), use))
    return rows


_TABLE: Final = {
    "job": [
        *_rows(
            Use.EFFECT,
            "id=ID",
            "name",
            "namespace",
            "type",
            "region",
            "priority",
            "datacenters",
            "node_pool",
            "meta",
            "group=TaskGroups",
            "constraint=Constraints",
        ),
        *_rows(
            Use.HARMLESS,
            "affinity=Affinities",
            "spread=Spreads",
            "all_at_once",
            "update",
            "migrate",
            "reschedule",
            "ui=UI",
            "consul_token",
            "consul_namespace",
            "vault_token",
            "vault_namespace",
            "=NomadTokenID",
            "=CreateIndex",
            "=ModifyIndex",
            "=JobModifyIndex",
            "=Stable",
            "=Status",
            "=StatusDescription",
            "=SubmitTime",
            "=Version",
            "=VersionTag",
            "=DispatchIdempotencyToken",
        ),
        *_rows(Use.WORDS, "vault"),
        *_rows(
            Use.REFUSED,
            "periodic",
            "parameterized=ParameterizedJob",
            "multiregion",
            "=Stop",
            "=Dispatched",
            "=ParentID",
            "=Payload",
        ),
    ],
    "group": [
        *_rows(
            Use.EFFECT,
            "name",
            "count",
            "task=Tasks",
            "meta",
            "restart=RestartPolicy",
            "constraint=Constraints",
        ),
        *_rows(
            Use.HARMLESS,
            "affinity=Affinities",
            "spread=Spreads",
            "update",
            "migrate",
            "reschedule=ReschedulePolicy",
            "scaling",
            "ephemeral_disk",
            "disconnect",
            "max_client_disconnect",
            "stop_after_client_disconnect",
            "prevent_reschedule_on_lost",
        ),
        *_rows(
            Use.WORDS,
            "network=Networks",
            "service=Services",
            "volume=Volumes",
            "consul",
            "vault",
            "shutdown_delay",
        ),
        *_rows(Use.REFUSED, "max_run_duration"),
    ],
    "task": [
        *_rows(
            Use.EFFECT,
            "name",
            "driver",
            "config",
            "env",
            "meta",
            "action=Actions",
            "lifecycle",
            "resources",
            "restart=RestartPolicy",
            "kill_timeout",
            "kill_signal",
            "logs=LogConfig",
            "constraint=Constraints",
        ),
        *_rows(
            Use.HARMLESS,
            "affinity=Affinities",
            "scaling=ScalingPolicies",
            "identity=Identities",
            "=Identity",
        ),
        *_rows(
            Use.WORDS,
            "template=Templates",
            "artifact=Artifacts",
            "service=Services",
            "volume_mount=VolumeMounts",
            "vault",
            "consul",
            "user",
            "leader",
            "shutdown_delay",
        ),
        *_rows(
            Use.REFUSED,
            "dispatch_payload",
            "csi_plugin=CSIPluginConfig",
            "kind",
            "schedule",
            "secret=Secrets",
        ),
    ],
    "resources": [
        *_rows(Use.EFFECT, "cpu=CPU", "memory=MemoryMB"),
        *_rows(
            Use.HARMLESS,
            "memory_max=MemoryMaxMB",
            "disk=DiskMB",
            "iops=IOPS",
            "secrets=SecretsMB",
        ),
        *_rows(Use.WORDS, "cores", "numa=NUMA", "device=Devices", "network=Networks"),
    ],
    "restart": [
        *_rows(Use.EFFECT, "attempts", "delay", "interval", "mode"),
        *_rows(Use.HARMLESS, "render_templates"),
    ],
    "lifecycle": _rows(Use.EFFECT, "hook", "sidecar"),
    "logs": [
        *_rows(Use.EFFECT, "disabled"),
        # The agent begins a log anew at its own size, whatever these say.
        *_rows(Use.HARMLESS, "max_files", "max_file_size=MaxFileSizeMB"),
        *_rows(Use.REFUSED, "enabled"),
    ],
    "action": _rows(Use.EFFECT, "name", "command", "args"),
    "config": _rows(Use.EFFECT, "command=command", "args=args"),
}

_KINDS: Final = {
    "job": "a job",
    "group": "a group",
    "task": "a task",
    "resources": "resources",
    "restart": "restart",
    "lifecycle": "lifecycle",
    "logs": "logs",
    "action": "an action",
    "config": "the config of a task",
}

FIELDS: Final = {level: {row.api: row for row in rows} for level, rows in _TABLE.items()}
"""Level, then the API's name, to the field."""

HCL_NAMES: Final = {
    level: {row.hcl: row.api for row in rows if row.hcl} for level, rows in _TABLE.items()
}
"""Level, then the name in HCL, to the API's name."""


def kind_of(level: str) -> str:
    """Return what a level is called in a sentence."""
    return _KINDS[level]
