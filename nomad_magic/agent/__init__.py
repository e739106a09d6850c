"""The embedded agent: Nomad's HTTP API over real processes and real ptys.

It lets a notebook run real actions with no cluster: it loads ordinary job files, starts their
tasks as processes of this machine, and answers as Nomad's own agent does.  It listens on
loopback or a unix socket only, and every process that it started ends with it.

This package imports nothing heavy; what the agent itself needs (the extra `agent`) is imported
only in the agent's own process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nomad_magic.agent.launch import EmbeddedAgent

__all__ = ["EmbeddedAgent"]


def __getattr__(name: str) -> Any:
    """Import `EmbeddedAgent` when it is first asked for."""
    if name == "EmbeddedAgent":
        from nomad_magic.agent.launch import EmbeddedAgent  # noqa: PLC0415 - lazy on purpose

        return EmbeddedAgent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
