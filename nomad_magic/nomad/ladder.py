r"""The ladder that a person climbs to stop an action.  Pure.

Keys are typed where there is a terminal: Ctrl-C, then Ctrl-\.  Signals are sent by a second session
(`reach`), where that is allowed.  The last rung closes the connection, which ends nothing that is
silent (measured on Nomad 2.0.6).
"""

from __future__ import annotations

from typing import Final

from nomad_magic.record.facts import Rung, StopReason

KEYS: Final = {Rung.INTERRUPT: b"\x03", Rung.QUIT: b"\x1c"}
"""What is typed for a rung: Ctrl-C, and Ctrl-\\."""

KEY_SECONDS: Final = 0.5
"""How long stdin waits after a key of the ladder: the action most likely ends now, and what is on
its way to it then may cost its exit code (`frames.STDIN_CHUNK`).  Of runs that were stopped as they
began one in 200 lost it by the Ctrl-D that followed (measured on Nomad 2.0.6)."""

SIGNAL_NAMES: Final = {Rung.SIGNAL: "INT", Rung.KILL: "KILL"}
"""What a second session sends for a rung."""

_WITH_TTY: Final = (Rung.INTERRUPT, Rung.QUIT, Rung.KILL, Rung.DISCONNECT)
_WITHOUT: Final = (Rung.SIGNAL, Rung.KILL, Rung.DISCONNECT)


class Ladder:
    """How far it was climbed, and by whom.

    Args:
        tty: There is a terminal to type into.
        reach: A second session may send signals.

    Attributes:
        rung: The rung that was climbed last.
        reason: Who was the first to ask for the end; None while nobody has.
        touched: Something was done to the process: a key was typed, or a signal sent.
    """

    def __init__(self, *, tty: bool, reach: bool) -> None:
        self.rung = Rung.NONE
        self.reason: StopReason | None = None
        self.touched = False
        self._rungs: tuple[Rung, ...] = _WITH_TTY if tty else _WITHOUT
        if not reach:
            self.cannot_reach()

    @property
    def next(self) -> Rung:
        """The rung above the last one."""
        return next((rung for rung in self._rungs if rung > self.rung), Rung.DISCONNECT)

    def climb(self, rung: Rung) -> None:
        """Climb to a rung."""
        self.rung = rung
        self.touched = self.touched or rung in KEYS

    def asked_by(self, reason: StopReason) -> None:
        """Someone asks for the end; the first one counts."""
        if self.reason is None:
            self.reason = reason

    def begin_anew(self) -> None:
        """Someone goes on working in the action: it goes on."""
        if self.rung in (Rung.NONE, Rung.DISCONNECT, Rung.GIVE_UP):
            return
        self.rung = Rung.NONE
        self.touched = False
        if self.reason is StopReason.PERSON:
            self.reason = None

    def cannot_reach(self) -> None:
        """No second session can send a signal: those rungs are left out."""
        self._rungs = tuple(rung for rung in self._rungs if rung not in SIGNAL_NAMES)
