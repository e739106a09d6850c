"""`%nomad_agent`: the embedded agent of this kernel."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nomad_magic.agent import EmbeddedAgent

START: Final = "start [-var NAME=VALUE] [-var-file FILE] [--lenient] [job files]"

VARIABLES: Final = ("NOMAD_ADDR", "NOMAD_TOKEN")


@dataclass
class _Asked:
    """What follows `start`."""

    job_files: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    var_files: list[str] = field(default_factory=list)
    lenient: bool = False

    @classmethod
    def of(cls, words: Sequence[str]) -> _Asked:
        """Read the words; a flag is written with one dash or with two, as for the CLI.

        Raises:
            UsageError: There is no such flag, or it has no value.
        """
        asked = cls()
        left = list(words)
        while left:
            word = left.pop(0)
            if not word.startswith("-"):
                asked.job_files.append(_path(word))
                continue
            name, sign, value = word.lstrip("-").partition("=")
            if name == "lenient" and not sign:
                asked.lenient = True
                continue
            if name not in ("var", "var-file"):
                raise UsageError(
                    f"%nomad_agent start has no flag {word}", hint=f"Write %nomad_agent {START}."
                )
            if not sign and left:
                value = left.pop(0)
            if name == "var-file" and value:
                asked.var_files.append(_path(value))
            elif name == "var" and "=" in value:
                variable, _, text = value.partition("=")
                asked.variables[variable] = text
            else:
                form = "NAME=VALUE" if name == "var" else "FILE"
                raise UsageError(f"-{name} needs {form}", hint=f"Write -{name} {form}.")
        return asked


def _path(word: str) -> str:
    return os.path.expanduser(word)  # noqa: PTH111 - as a shell does it


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
                hint=f"Write %nomad_agent {START}, %nomad_agent stop or %nomad_agent status.",
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

    def _start(self, words: Sequence[str]) -> None:
        from nomad_magic.agent import EmbeddedAgent  # noqa: PLC0415 - an extra, loaded when asked for

        if self._agent is not None and self._agent.running:
            raise UsageError(
                f"The embedded agent runs already, at {self._agent.address}",
                hint="%nomad_agent stop ends it.",
            )
        asked = _Asked.of(words)
        self.close()
        agent = EmbeddedAgent(
            asked.job_files,
            variables=asked.variables,
            var_files=asked.var_files,
            lenient=asked.lenient,
        )
        agent.start()
        self._agent = agent
        self._before = {name: os.environ.get(name) for name in VARIABLES}
        os.environ.update(agent.environment)
        self._say(
            f"The embedded agent runs at {agent.address}; NOMAD_ADDR and NOMAD_TOKEN are set "
            "in this kernel."
        )
        for notice in agent.notices:
            self._say(notice)

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
