"""Binder, rehearsed without Docker: what repo2docker reads in `binder/`, done step by step.

repo2docker says which Python it takes and which commands it runs.  They run in an environment of
that Python, in a copy of what git has; its server is started, and the notebooks run in JupyterLab.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import browsers, jupyter
from support.installed import Environment
from support.nomads import until
from support.notebooks import NOTEBOOKS, answer, check_ran_whole, put_blank
from support.ports import free_port
from support.tars import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "build" / "tools" / "bin"

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

ASK = """
import json
from repo2docker.app import Repo2Docker
for kind in Repo2Docker().buildpacks:
    pack = kind(base_image="none")
    if pack.detect():
        break
print(json.dumps({
    "kind": type(pack).__name__,
    "python": pack.python_version,
    "before": pack.get_preassemble_scripts(),
    "install": pack.get_assemble_scripts(),
    "after": pack.get_post_build_scripts(),
}))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Binder clones: the sdist without what is built."""
    folder = tmp_path_factory.mktemp("binder")
    unpack(next((ROOT / "build" / "dist").glob("*.tar.gz")), folder)
    (unpacked,) = folder.iterdir()
    for built in (unpacked / "nomad_magic/notebook/static").iterdir():
        built.unlink()
    return unpacked


@pytest.fixture(scope="module")
def plan(repository: Path) -> dict[str, Any]:
    """What repo2docker would do with it."""
    ran = subprocess.run(
        [TOOLS / "python", "-c", ASK], cwd=repository, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def test_repo2docker_reads_what_is_meant(plan: dict[str, Any]) -> None:
    """The locked versions, when the repository is there; then postBuild."""
    assert plan["kind"] == "PythonBuildPack"
    assert plan["before"] == []
    assert [command.split()[-1] for _, command in plan["install"]] == ['"binder/requirements.txt"']
    assert plan["after"] == ["binder/postBuild"]


@pytest.fixture(scope="module")
def image(
    plan: dict[str, Any], repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """The environment that it would build."""
    version = plan["python"]
    found = subprocess.run(
        [f"python{version}", "-c", "import sys; print(sys.executable)"],
        env={**os.environ, "PYENV_VERSION": version}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, f"Binder takes Python {version}, which is not on this machine"
    made = Environment(tmp_path_factory.mktemp("image"), found.stdout.strip(), with_pip=True)
    kept = ("NOMAD_", "NPM_", "PYTHON", "PYTEST_")
    environ = {
        **{name: text for name, text in os.environ.items() if not name.upper().startswith(kept)},
        **made.environ(),
        "KERNEL_PYTHON_PREFIX": str(made.prefix),
    }
    steps = [["bash", "-euc", command] for _, command in plan["install"]]
    steps += [[f"./{script}"] for script in plan["after"]]
    for step in steps:
        ran = subprocess.run(
            step, cwd=repository, env=environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, (step, ran.stdout + ran.stderr)
    return made


@pytest.fixture
def served(image: Environment, repository: Path, tmp_path: Path) -> Iterator[jupyter.Server]:
    """Its server, as repo2docker starts it."""
    port = free_port()
    token = secrets.token_hex(16)
    command = ["jupyter", "notebook", "--ip=127.0.0.1", f"--port={port}", "--no-browser"]
    command += ["--allow-root", "--LabApp.expose_app_in_browser=True"]
    # Lab would open what another test had open as well.
    workspaces = {"JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces")}
    environ = {**image.environ(), **workspaces, "JUPYTER_TOKEN": token}
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [image.prefix / "bin" / command[0], *command[1:]],
            cwd=repository, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        ) as process,
    ):  # fmt: skip
        made = jupyter.Server(f"http://127.0.0.1:{port}/", token, repository)
        try:
            until(lambda: jupyter.answers(made), seconds=120, what="Binder's server answers")
            yield made
            made.end_kernels()
        finally:
            process.terminate()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_whole(path: Path, served: jupyter.Server) -> None:
    """At such a path as the README names, in JupyterLab, every cell as it should."""
    if browsers.find_browser() is None:
        pytest.fail(browsers.MISSING)
    with jupyter.browser() as chromium:
        context = chromium.new_context(viewport={"width": 1100, "height": 1400})
        copy = served.folder / "notebooks" / path.name
        notebook = jupyter.Notebook(context, served, copy, "lab")
        notebook.url = f"{served.url}lab/tree/notebooks/{path.name}?token={served.token}"
        codes = put_blank(path, copy)
        notebook.open()
        notebook.run_all()
        answer(notebook, len(codes) - 1)
        check_ran_whole(codes, notebook.save())
        context.close()
