"""`python -m nomad_magic agent …` is the embedded agent, `verify …` looks at saved notebooks."""

from __future__ import annotations

import sys


def main(argv: list[str]) -> int:
    """Run the command named by the first word; return the exit code."""
    if argv[:1] == ["agent"]:
        from nomad_magic.agent.cli import main as agent  # noqa: PLC0415 - only when asked for

        return agent(argv[1:])
    if argv[:1] == ["verify"]:
        from nomad_magic.log.cli import main as verify  # noqa: PLC0415 - only when asked for

        return verify(argv[1:])
    sys.stderr.write(
        "usage: python -m nomad_magic agent [JOBFILE ...] (agent --help says more)\n"
        "       python -m nomad_magic verify NOTEBOOK ... --log DIR (verify --help says more)\n"
    )
    return 0 if argv[:1] in (["-h"], ["--help"]) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
