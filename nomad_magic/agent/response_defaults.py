"""The fields of the API's objects that are always the same here: what the agent does not do.

A client written for a real agent finds them where it looks for them.  Names and empty values are
those of https://developer.hashicorp.com/nomad/api-docs.
"""

from __future__ import annotations

from typing import Any, Final

from nomad_magic.agent.jobs import REGION

Json = dict[str, Any]

JOB: Final[Json] = {
    **dict.fromkeys(
        [
            "Affinities",
            "Constraints",
            "Multiregion",
            "ParameterizedJob",
            "Payload",
            "Periodic",
            "Spreads",
            "UI",
            "VersionTag",
        ]
    ),
    **dict.fromkeys(
        [
            "ConsulNamespace",
            "DispatchIdempotencyToken",
            "NomadTokenID",
            "ParentID",
            "StatusDescription",
            "VaultNamespace",
        ],
        "",
    ),
    "AllAtOnce": False,
    "Dispatched": False,
    "NodePool": "default",
    "Region": REGION,
    "Stop": False,
    "Version": 0,
    "Update": {
        "AutoPromote": False,
        "AutoRevert": False,
        "Canary": 0,
        "HealthCheck": "",
        "HealthyDeadline": 0,
        "MaxParallel": 0,
        "MinHealthyTime": 0,
        "ProgressDeadline": 0,
        "Stagger": 0,
    },
}
GROUP: Final[Json] = {
    **dict.fromkeys(
        [
            "Affinities",
            "Constraints",
            "Consul",
            "Disconnect",
            "MaxClientDisconnect",
            "MaxRunDuration",
            "Migrate",
            "Networks",
            "ReschedulePolicy",
            "Scaling",
            "Services",
            "ShutdownDelay",
            "Spreads",
            "StopAfterClientDisconnect",
            "Update",
            "Volumes",
        ]
    ),
    "EphemeralDisk": {"Migrate": False, "SizeMB": 300, "Sticky": False},
    "PreventRescheduleOnLost": False,
}
TASK: Final[Json] = {
    **dict.fromkeys(
        [
            "Affinities",
            "Artifacts",
            "CSIPluginConfig",
            "Constraints",
            "Consul",
            "DispatchPayload",
            "Identities",
            "Identity",
            "ScalingPolicies",
            "Schedule",
            "Secrets",
            "Services",
            "Templates",
            "Vault",
            "VolumeMounts",
        ]
    ),
    "Kind": "",
    "Leader": False,
    "ShutdownDelay": 0,
    "User": "",
}
EVENT: Final[Json] = {
    **dict.fromkeys(
        [
            "DownloadError",
            "DriverError",
            "DriverMessage",
            "FailedSibling",
            "GenericSource",
            "KillError",
            "KillReason",
            "Message",
            "RestartReason",
            "SetupError",
            "TaskSignal",
            "TaskSignalReason",
            "ValidationError",
            "VaultError",
        ],
        "",
    ),
    **dict.fromkeys(["DiskLimit", "ExitCode", "KillTimeout", "Signal", "StartDelay"], 0),
    "FailsTask": False,
}
