"""Jupyter magics for HashiCorp Nomad's actions.

In a notebook: `%load_ext nomad_magic`, then `%nomad_action -job=… -group=… -task=… <action>`.
From Python, with no IPython loaded:

>>> import nomad_magic
>>> result = nomad_magic.run("-job=cache -group=redis -task=server health-check")

`run` waits, `arun` is awaited, `start` gives a `Session` that goes on by itself; `run_all`,
`arun_all` and `start_all` run it in every allocation; `runs` lists what was run.
"""

from __future__ import annotations

import gc
import importlib
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.errors import (
        ActionFailed,
        ConnectionLost,
        Disconnected,
        ExecError,
        FleetFailed,
        Interrupted,
        LocateError,
        NomadMagicError,
        NotConfirmed,
        RequestError,
        SessionRefused,
        SettingsError,
        UsageError,
    )
    from nomad_magic.log.entries import RunEntry
    from nomad_magic.nomad.options import Options
    from nomad_magic.record.facts import Outcome
    from nomad_magic.record.fleet_result import FleetResult
    from nomad_magic.record.line_reader import OutputLine
    from nomad_magic.record.plan import Plan
    from nomad_magic.record.result import ActionResult
    from nomad_magic.record.sighting import Sighting
    from nomad_magic.running.api import arun, look, run, start
    from nomad_magic.running.dry_run import dry_run, dry_run_all
    from nomad_magic.running.fleet import Fleet
    from nomad_magic.running.fleet_api import arun_all, run_all, start_all
    from nomad_magic.running.runs import runs
    from nomad_magic.running.session import Session

__version__ = "0.1.0"

_ERRORS: Final = (
    "ActionFailed",
    "ConnectionLost",
    "Disconnected",
    "ExecError",
    "FleetFailed",
    "Interrupted",
    "LocateError",
    "NomadMagicError",
    "NotConfirmed",
    "RequestError",
    "SessionRefused",
    "SettingsError",
    "UsageError",
)

# Where each public name lives: importing the package must load neither IPython nor a socket
# library, which the tests hold it to.
_HOMES: Final = {
    **dict.fromkeys(_ERRORS, "nomad_magic.errors"),
    "ActionResult": "nomad_magic.record.result",
    "Outcome": "nomad_magic.record.facts",
    "Options": "nomad_magic.nomad.options",
    "RunEntry": "nomad_magic.log.entries",
    "Session": "nomad_magic.running.session",
    "OutputLine": "nomad_magic.record.line_reader",
    "Plan": "nomad_magic.record.plan",
    "Sighting": "nomad_magic.record.sighting",
    "Fleet": "nomad_magic.running.fleet",
    "FleetResult": "nomad_magic.record.fleet_result",
    "arun": "nomad_magic.running.api",
    "arun_all": "nomad_magic.running.fleet_api",
    "dry_run": "nomad_magic.running.dry_run",
    "dry_run_all": "nomad_magic.running.dry_run",
    "look": "nomad_magic.running.api",
    "run": "nomad_magic.running.api",
    "run_all": "nomad_magic.running.fleet_api",
    "runs": "nomad_magic.running.runs",
    "start": "nomad_magic.running.api",
    "start_all": "nomad_magic.running.fleet_api",
}

__all__ = [
    "ActionFailed",
    "ActionResult",
    "ConnectionLost",
    "Disconnected",
    "ExecError",
    "Fleet",
    "FleetFailed",
    "FleetResult",
    "Interrupted",
    "LocateError",
    "NomadMagicError",
    "NotConfirmed",
    "Options",
    "Outcome",
    "OutputLine",
    "Plan",
    "RequestError",
    "RunEntry",
    "Session",
    "SessionRefused",
    "SettingsError",
    "Sighting",
    "UsageError",
    "arun",
    "arun_all",
    "dry_run",
    "dry_run_all",
    "look",
    "run",
    "run_all",
    "runs",
    "start",
    "start_all",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    if home not in sys.modules:
        _load(home)
    return getattr(importlib.import_module(home), name)


def _load(home: str) -> None:
    """Load a module and look for no garbage meanwhile, nor afterwards among what was loaded.

    It stays, and to look at all of it takes a tenth of a short run.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        if home.startswith(f"{__name__}.running."):
            # Before anything else of ours asks for one of them.
            importlib.import_module(f"{__name__}.nomad.libraries")
        importlib.import_module(home)
        if collecting and not gc.get_freeze_count():
            # Both at once make all that there is as old as what has stayed for long.  The next
            # collection would else go through it; what someone has frozen stays as it is.
            gc.freeze()
            gc.unfreeze()
    finally:
        if collecting:
            gc.enable()


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """IPython's hook for `%load_ext nomad_magic`."""
    from nomad_magic.notebook import extension  # noqa: PLC0415 - only a shell needs IPython

    extension.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """IPython's hook for `%unload_ext nomad_magic`."""
    from nomad_magic.notebook import extension  # noqa: PLC0415 - only a shell needs IPython

    extension.unload(shell)
