"""Before a run: what would run is shown, and where a pattern asks for that a person is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nomad_magic.running import dry_run

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.notebook.kernel.host import Host
    from nomad_magic.record.plan import Plan
    from nomad_magic.running.fleet import Fleet
    from nomad_magic.running.gate import Gate
    from nomad_magic.running.session import Session

NOBODY: Final = "nobody can be asked here"
NOBODY_HINT: Final = (
    "Run it in a front end where someone can type (JupyterLab, Notebook, VS Code, IPython in a "
    "terminal); or where it is to run unattended, take the pattern out of "
    "%config NomadMagics.confirm in this notebook, or call nomad_magic.run(…, options="
    "nomad_magic.Options(confirm=…), confirm=…) with the action's name."
)


def planned(handle: Session | Fleet, around: Host, shell: InteractiveShell) -> Plan:
    """Show what would run, and run nothing.

    Args:
        handle: Not started, and not to be.
        around: Where the cell runs.
        shell: Its shell.
    """
    made = dry_run.plan(handle)
    _show(made, around, shell)
    return made


def settle(handle: Session | Fleet, around: Host, shell: InteractiveShell) -> None:
    """Have a run confirmed where a pattern asks for that, on the cell's own thread.

    It has found its place by then and waits there: `start` goes on.

    Args:
        handle: Not started.
        around: Where the cell runs.
        shell: Its shell.

    Raises:
        NotConfirmed: It was not; nothing was run.
        KeyboardInterrupt: Someone pressed Ctrl-C or ■; nothing was run.
        NomadMagicError: It leads nowhere.
    """
    gate = handle.gate
    if gate is None:
        return
    handle.locate()
    try:
        gate.wait()
        if not handle.done and gate.plan is not None and gate.plan.asks:
            _show(gate.plan, around, shell)
            if _ask(gate, gate.plan, around):
                return
            # Through the gate, to be told no.
            handle.start().wait()
    except KeyboardInterrupt:
        handle.stop()
        handle.wait()
        raise handle.interrupted() from None
    except BaseException:
        handle.disconnect()
        raise
    if handle.done:
        handle.check()


def _ask(gate: Gate, plan: Plan, around: Host) -> bool:
    """Ask for the action's name; return whether it was given."""
    if not around.attended:
        gate.refuse(NOBODY, NOBODY_HINT)
        return False
    try:
        said = input(f"Type {plan.action} to run it in {plan.where}: ")
    except EOFError:
        gate.refuse("the input ended before anything was typed")
        return False
    except NotImplementedError:
        # A front end that said it could ask.
        gate.refuse(NOBODY, NOBODY_HINT)
        return False
    return gate.answer(said)


def _show(plan: Plan, around: Host, shell: InteractiveShell) -> None:
    if around.kernel:
        shell.display_pub.publish(*plan.bundle())
    else:
        print(plan.text(), flush=True)  # noqa: T201 - in a terminal
