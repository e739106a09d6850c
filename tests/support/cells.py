"""Running cells in a shell as a user would, and seeing what they wrote."""

from __future__ import annotations

import atexit
import io
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Ran:
    """What one cell did."""

    stdout: bytes
    stderr: bytes
    value: Any
    error: BaseException | None

    @property
    def notices(self) -> list[str]:
        """What we say besides the CLI's words."""
        result = getattr(self.error, "result", None) or self.value
        return getattr(result, "notices", [])

    @property
    def cli_stderr(self) -> bytes:
        """What the CLI would have written to stderr: without our notices."""
        text = self.stderr
        for notice in self.notices:
            line = f"{notice}\n".encode()
            assert line in text, f"{notice!r} is not on stderr"
            text = text.replace(line, b"", 1)
        return text

    @property
    def exit_code(self) -> int:
        return 0 if self.error is None else self.error.exit_code  # type: ignore[attr-defined]


class Shell:
    """An IPython shell with the extension loaded, whose stdout and stderr are caught."""

    def __init__(self) -> None:
        config = Config()
        # Nothing of these cells belongs in the user's own history.
        config.HistoryManager.enabled = False
        self.ipython = InteractiveShell(config=config)
        assert self.run("%load_ext nomad_magic").error is None

    def close(self) -> None:
        self.run("%unload_ext nomad_magic")
        # Else each shell collects garbage at the end of the process, and of each that is forked.
        atexit.unregister(self.ipython.atexit_operations)

    def run(self, cell: str) -> Ran:
        with _caught() as (out, err):
            # IPython shows an error on stdout; what the cell itself wrote is what counts.
            self.ipython.showtraceback = lambda *_, **__: None  # type: ignore[method-assign]
            result = self.ipython.run_cell(cell)
        error = result.error_before_exec or result.error_in_exec
        return Ran(out.getvalue(), err.getvalue(), result.result, error)

    def magic(self, line: str, body: str | None = None, *, name: str = "nomad_action") -> Ran:
        """Call a magic directly: the body arrives to the byte."""
        with _caught() as (out, err):
            try:
                if body is None:
                    value = self.ipython.run_line_magic(name, line)
                else:
                    value = self.ipython.run_cell_magic(name, line, body)
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - what it raised is the result
                return Ran(out.getvalue(), err.getvalue(), None, error)
        return Ran(out.getvalue(), err.getvalue(), value, None)


@contextmanager
def _caught() -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    out, err = io.BytesIO(), io.BytesIO()
    before = sys.stdout, sys.stderr
    # Text over bytes, as a terminal's: binary output must come through unchanged.
    sys.stdout = io.TextIOWrapper(out, "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, "utf-8", write_through=True)
    try:
        yield out, err
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            stream.detach()  # type: ignore[attr-defined]
        sys.stdout, sys.stderr = before


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Have just these NOMAD_* variables in the environment."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("NOMAD_")]:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
