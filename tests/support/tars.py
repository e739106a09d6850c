"""Unpacks tar files, on every Python there is."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def unpack(path: Path, folder: Path) -> None:
    """Unpack a tar file into a folder."""
    # Filters came with Python 3.11.4, and 3.12 wants one.
    options: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(path) as archive:
        archive.extractall(folder, **options)
