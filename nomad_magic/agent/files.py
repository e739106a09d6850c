"""The files that an agent is started with: their text, or why there is none."""

from __future__ import annotations

import difflib
from pathlib import Path

from nomad_magic.errors import AgentError


def read(path: Path) -> str:
    """Return the text of a file.

    Raises:
        AgentError: It cannot be read, or is not text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise AgentError(f"{path}: not UTF-8 text") from error
    except (OSError, ValueError) as error:
        hint = _other_file(path) if isinstance(error, FileNotFoundError) else ""
        raise AgentError(f"{path}: {reason(error)}", hint=hint) from error


def reason(error: Exception) -> str:
    """Return why the system refused something, without its number and the path again."""
    said = error.strerror if isinstance(error, OSError) else ""
    return said or str(error)


def _other_file(path: Path) -> str:
    """Return which file may have been meant, and where a relative path was looked for."""
    try:
        names = [one.name for one in path.parent.iterdir() if one.is_file()]
    except OSError:
        names = []
    close = difflib.get_close_matches(path.name, names, n=1)
    if close:
        return f"Did you mean {path.with_name(close[0])}?"
    return "" if path.is_absolute() else f"It was looked for in {Path.cwd()}."
