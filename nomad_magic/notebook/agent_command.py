"""`%nomad_agent`: the embedded agent of this kernel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nomad_magic.agent import EmbeddedAgent

VARIABLES: Final = ("NOMAD_ADDR", "NOMAD_TOKEN")


class AgentCommand:
    """The agent that this kernel started, if any, and the environment before it."""

    def __init__(self) -> None:
        self._agent: EmbeddedAgent | None = None
        self._before: dict[str, str | None] = {}

    def run(self, argv: Sequence[str]) -> None:
        """Do what the line says.

        Raises:
            UsageError: The line says something else.
            AgentError: The agent cannot start, or cannot run a job file.
        """
        verb, rest = (argv[0], argv[1:]) if argv else ("status", ())
        if verb == "start":
            self._start(rest)
        elif verb == "stop" and not rest:
            self._stop()
        elif verb == "status" and not rest:
            self._status()
        else:
            raise UsageError(
                f"%nomad_agent does not know {' '.join(argv)!r}",
                hint="Write %nomad_agent start [job files], %nomad_agent stop or %nomad_agent "
                "status.",
            )

    def close(self) -> None:
        """End the agent, if there is one, and say nothing."""
        agent, self._agent = self._agent, None
        if agent is None:
            return
        for name, value in self._before.items():
            if os.environ.get(name) != agent.environment.get(name):
                # Someone chose another agent since; that choice stands.
                continue
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        agent.stop()

    def _start(self, job_files: Sequence[str]) -> None:
        from nomad_magic.agent import EmbeddedAgent  # noqa: PLC0415 - an extra, loaded when asked for

        if self._agent is not None and self._agent.running:
            raise UsageError(
                f"The embedded agent runs already, at {self._agent.address}",
                hint="%nomad_agent stop ends it.",
            )
        self.close()
        agent = EmbeddedAgent([os.path.expanduser(path) for path in job_files])  # noqa: PTH111 - as a shell does it
        agent.start()
        self._agent = agent
        self._before = {name: os.environ.get(name) for name in VARIABLES}
        os.environ.update(agent.environment)
        self._say(
            f"The embedded agent runs at {agent.address}; NOMAD_ADDR and NOMAD_TOKEN are set "
            "in this kernel."
        )

    def _stop(self) -> None:
        running = self._agent is not None and self._agent.running
        self.close()
        self._say(
            "The embedded agent and its tasks have ended."
            if running
            else "No embedded agent runs here."
        )

    def _status(self) -> None:
        agent = self._agent
        if agent is None:
            self._say("No embedded agent runs here; %nomad_agent start starts one.")
        elif agent.running:
            self._say(f"The embedded agent runs at {agent.address} (process {agent.pid}).")
        else:
            self._say("The embedded agent has ended by itself; %nomad_agent start starts another.")

    def _say(self, text: str) -> None:
        print(text)  # noqa: T201 - a magic's answer
