"""An environment of its own that holds nomad_magic and not its source, and what is tried there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HELLO = """
import pathlib, sys
import nomad_magic
from nomad_magic.agent import EmbeddedAgent

assert pathlib.Path(nomad_magic.__file__).is_relative_to(sys.prefix), nomad_magic.__file__
with EmbeddedAgent() as agent:
    result = nomad_magic.run(
        "-job=demo -group=web -task=server hello", env=agent.environment
    )
print(result.text)

from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
nomad_magic.load_ipython_extension(shell)
assert "nomad_action" in shell.magics_manager.magics["line"]
nomad_magic.unload_ipython_extension(shell)
"""


class Environment:
    """A virtual environment in a folder, with nothing in it.

    Args:
        folder: Is made; commands run there, and have it as their home.
        python: Of this Python; of this very one without it.
        with_pip: Whether it has a pip of its own.
    """

    def __init__(
        self, folder: Path, python: str = sys.executable, *, with_pip: bool = False
    ) -> None:
        self.folder = folder
        self.prefix = folder / "venv"
        self.python = self.prefix / "bin" / "python"
        options = [] if with_pip else ["--without-pip"]
        subprocess.run([python, "-m", "venv", *options, self.prefix], check=True)

    def pip(self, *arguments: str, environ: dict[str, str] | None = None) -> None:
        """Run pip on it."""
        command = [sys.executable, "-m", "pip", "--python", str(self.python)]
        options = ["--quiet", "--disable-pip-version-check"]
        ran = subprocess.run(
            [*command, *arguments, *options],
            env=environ, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr

    @property
    def site(self) -> Path:
        """Where its packages are."""
        return next(self.prefix.glob("lib/python*/site-packages"))

    def environ(self) -> dict[str, str]:
        """Return what its programs see, and no more."""
        return {
            "PATH": f"{self.prefix}/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "IPYTHONDIR": str(self.folder / "ipython"),
        }

    def says_hello(self) -> None:
        """Import it, run an action on the embedded agent, load the extension and unload it."""
        ran = subprocess.run(
            [self.python, "-c", HELLO], cwd=self.folder, env=self.environ(),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert "Hello from demo.web[" in ran.stdout


def without_npm(folder: Path) -> dict[str, str]:
    """Return variables with which npm finds no registry, no cache and no Node of the machine."""
    return {
        "npm_config_registry": "http://127.0.0.1:9",
        "npm_config_cache": str(folder / "no-npm-cache"),
        "npm_config_fetch_retries": "0",
        "PATH": str(folder / "no-programs"),
    }
