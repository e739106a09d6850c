"""`%nomad_runs`: what was run, from this kernel and as a log has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_magic, no_var_expand

from nomad_magic.errors import UsageError
from nomad_magic.running import leaving
from nomad_magic.running.leaving import sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.log.table import Runs


class RunsMagic:
    """A part of `NomadMagics`."""

    log_dir: str | None
    _split: Callable[[str, str | None], Any]

    @no_var_expand
    @line_magic
    @sealed
    def nomad_runs(self, line: str) -> Runs:
        """Show this kernel's runs, and those of a log, newest first.

        Usage: %nomad_runs [log_dir]

        Examples::

            %nomad_runs ~/nomad-runs
            %nomad_runs "$HOME/nomad-runs"
            r = %nomad_runs ./runs

        Without a folder it is that of `%config NomadMagics.log_dir`; where there is none, the runs
        of this kernel alone.  The value is a list, newest first, each with .state, .exit_code,
        .target, .run_id, .stdout and .stderr.

        Help: the project's page docs/log.md says what is in it, and how a notebook is held
        against it.
        """
        from nomad_magic.running.runs import runs  # noqa: PLC0415 - as for an action

        words = self._split(line, None).argv
        with leaving.settling(words, os.environ):
            if len(words) > 1:
                raise UsageError(
                    "%nomad_runs takes one folder at most",
                    hint="Quote a name with blanks in it: %nomad_runs 'my runs'",
                )
            return runs(words[0] if words else self.log_dir)
