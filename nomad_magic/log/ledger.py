"""The ledger of a kernel: a line for whatever its log takes, each with the hash of the one before.

Each kernel writes one of its own, so that none waits for another and none leaves a lock behind: it
holds a lock on the file (flock), which ends with the process, however that ends.  A line is JSON.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

BEGINNING: Final = "kernel-"
ENDING: Final = ".jsonl"

PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


def canonical(value: Any) -> bytes:
    """Return JSON that is the same for the same value, whoever has read and written it since.

    A page writes 2.0 as 2.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def sha256(data: bytes | str) -> str:
    """Return the hexadecimal SHA-256 of some bytes, or of a text."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()


def write_all(file: int, data: bytes) -> None:
    """Write every byte."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def open_new(path: Path) -> int:
    """Make a file for nobody else, and return it; there must be none."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, PRIVATE)


class Ledger:
    """The one that this process writes in a folder; used by one thread.

    Args:
        folder: The log's.
        facts: What its first line says of the kernel.

    Attributes:
        kernel: What names it.
        runs: How many have begun.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.kernel = secrets.token_hex(8)
        self.path = folder / f"{BEGINNING}{self.kernel}{ENDING}"
        self.runs = 0
        self.file = open_new(self.path)
        # A file system may have no locks: then it is not known who lives.
        with contextlib.suppress(OSError):
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._size = 0
        self._before = ""
        try:
            self.append({"what": "kernel", "version": 1, "kernel": self.kernel, **facts})
        except OSError:
            self.close()
            with contextlib.suppress(OSError):
                self.path.unlink()
            raise

    @property
    def there(self) -> bool:
        """Nobody has removed it."""
        try:
            return self.path.stat().st_ino == os.fstat(self.file).st_ino
        except OSError:
            return False

    def append(self, line: dict[str, Any]) -> str:
        """Write a line and return its hash; the bytes are the system's then, not yet the disk's.

        Raises:
            OSError: It is not written, nor a part of it.
        """
        data = canonical({**line, "before": self._before})
        try:
            write_all(self.file, data + b"\n")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.file, self._size)
            raise
        self._size += len(data) + 1
        self._before = sha256(data)
        return self._before

    def close(self) -> None:
        """Let the file go, and the lock with it unless a parent holds it too."""
        with contextlib.suppress(OSError):
            os.close(self.file)


@dataclass(frozen=True, slots=True)
class Lines:
    """What a ledger says.

    Attributes:
        path: Its file.
        facts: Its first line; empty where it has none.
        lines: The others, those that can be read.
        hashes: The hash of each of them.
        changed: Where it is not as it was written, in words; empty for one that is.
    """

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def kernel(self) -> str:
        """What names it: its file does."""
        return self.path.name.removeprefix(BEGINNING).removesuffix(ENDING)

    def of(self, run: str, what: str) -> list[dict[str, Any]]:
        """Return the lines of a kind about a run."""
        return [one for one in self.lines if one.get("run") == run and one.get("what") == what]


def read(path: Path) -> Lines:
    """Read a ledger, as far as it can be read.

    Raises:
        OSError: Its file cannot be read.
    """
    found = Lines(path)
    *whole, _torn = path.read_bytes().split(b"\n")
    before = ""
    for number, data in enumerate(whole, 1):
        try:
            line = json.loads(data)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            found.changed.append(f"line {number} cannot be read")
        elif line.get("before") != before:
            found.changed.append(f"line {number} does not follow the line before it")
        elif number == 1 and line.get("kernel") != found.kernel:
            found.changed.append("it is another kernel's")
        before = sha256(data)
        if not isinstance(line, dict):
            continue
        if number == 1:
            found.facts.update(line)
        else:
            found.lines.append(line)
            found.hashes.append(before)
    return found


def lives(path: Path) -> bool | None:
    """Whether the kernel that writes a ledger is there; None where that is not known."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        # With the file goes the lock.
        os.close(file)
