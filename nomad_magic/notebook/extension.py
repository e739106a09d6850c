"""What `%load_ext nomad_magic` changes in a shell, and `%unload_ext nomad_magic` puts back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nomad_magic import cell
from nomad_magic.notebook.kernel import control_channel, host
from nomad_magic.notebook.magics import NomadMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class _Loaded:
    """What loading changed in one shell, to be put back exactly."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        registry = shell.magics_manager.magics
        self.before = {
            (kind, name): registry[kind].get(name)
            for kind, names in NomadMagics.magics.items()
            for name in names
        }
        self.magics = NomadMagics(shell)
        shell.register_magics(self.magics)
        # `%config NomadMagics` finds it there.
        self._configurables.append(self.magics)
        self.magics.display.install()
        self.magics.completion.install()
        cell.see_by(self._see)

    def _see(self) -> cell.Cell | None:
        return host.cell(self.shell)

    @property
    def _configurables(self) -> list[Any]:
        return cast("list[Any]", self.shell.configurables)

    def undo(self) -> None:
        """Put it back."""
        cell.unsee(self._see)
        if self.magics.background is not None:
            self.magics.background.close()
        self.magics.completion.uninstall()
        self.magics.display.uninstall()
        self.magics.agent.close()
        control_channel.forget(self.shell)
        self._configurables.remove(self.magics)
        registry = self.shell.magics_manager.magics
        for (kind, name), function in self.before.items():
            if function is not None:
                registry[kind][name] = function
            else:
                registry[kind].pop(name, None)
        manager = self.shell.magics_manager.registry
        manager.pop(type(self.magics).__name__, None)


_loaded: dict[int, _Loaded] = {}


def load(shell: InteractiveShell) -> None:
    """Register the magics in a shell; loading twice changes nothing more."""
    if id(shell) not in _loaded:
        _loaded[id(shell)] = _Loaded(shell)


def unload(shell: InteractiveShell) -> None:
    """Put back what `load` changed, and end the embedded agent."""
    if (loaded := _loaded.pop(id(shell), None)) is not None:
        loaded.undo()
