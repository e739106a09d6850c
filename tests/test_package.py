"""The wheel: what is in it, and that it works where the source is not."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Types, the demo job and the licence ship; tests and notebooks do not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"nomad_magic/py.typed", "nomad_magic/agent/demo.json"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"nomad_magic"}
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "nomad_magic").rglob("*")
        # The front end ships as what was built from it.
        if path.is_file() and path.suffix != ".pyc" and "frontend" not in path.parts
    }
    assert {name for name in names if name.startswith("nomad_magic/")} == source


def test_the_installed_wheel_says_hello(wheel: Path, tmp_path: Path) -> None:
    """Without the source it imports, loads as an extension and runs the demo job's `hello`."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, *install, str(wheel)], check=True)
    site = next(home.glob("lib/python*/site-packages"))
    # The dependencies are borrowed from this environment; its own .pth files, and so the
    # editable project, do not count there.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)), encoding="utf-8")
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    command = [str(python), "-c", HELLO]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "Hello from demo.web[" in ran.stdout
