"""What a run does not use of its libraries is not loaded, and is there for whoever asks for it."""

from __future__ import annotations

import subprocess
import sys


def test_what_is_left_out_is_there_for_others() -> None:
    """Neither httpx's command line nor the metadata of packages; the latter loads afterwards."""
    code = """
import sys
import nomad_magic.nomad.client, nomad_magic.nomad.websocket
left_out = {"click", "rich", "pygments", "httpx._main", "importlib.metadata"}
print(*sorted(left_out & set(sys.modules)))
import importlib.metadata, websockets
print(importlib.metadata.version("websockets") == websockets.__version__)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8"
    )
    assert done.stdout == "\nTrue\n"
