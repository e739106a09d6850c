"""The files that an agent is started with: their text, or why there is none."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any, Final

from nomad_magic.agent.hcl.scanner import decimal_of
from nomad_magic.errors import AgentError

MAX_BYTES: Final = 4_000_000
"""How large a file may be; Nomad's own servers take job files of 1 MB by default."""


def read(path: Path) -> str:
    """Return the text of a file.

    Raises:
        AgentError: It cannot be read, is not text in UTF-8, or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise AgentError(f"{path}: larger than {MAX_BYTES // 1_000_000} MB")
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AgentError(f"{path}: not UTF-8 text") from error
    except (OSError, ValueError) as error:
        hint = _other_file(path) if isinstance(error, FileNotFoundError) else ""
        raise AgentError(f"{path}: {reason(error)}", hint=hint) from error


def read_json(path: Path) -> Any:
    """Return what a file holds as JSON.

    Raises:
        AgentError: It cannot be read, or is not JSON.
    """
    try:
        return json.loads(
            read(path).removeprefix("\ufeff"), parse_constant=_no_number, parse_float=decimal_of
        )
    except RecursionError as error:
        raise AgentError(f"{path}: nested too deep") from error
    except ValueError as error:
        raise AgentError(f"{path}: {error}") from error


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


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
