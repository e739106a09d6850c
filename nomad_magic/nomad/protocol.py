r"""One exec session as a state machine: no sockets, no clock, no threads.

It takes what the user does and what the agent sends, with the time where that matters, and
returns the frames to send and the events that happened.  It lives from the start of a run: what
is typed and pressed before the session is open is kept for it.  Every change of state is made here.

::

    RESOLVING ──given up, or it failed─────────▶ NOT_STARTED
        │ ▲
        ▼ │ nobody was asked after all
     OPENING ───a definite refusal by HTTP─────▶ REFUSED
        │ └─────no answer, or disconnected─────▶ DISCONNECTED
        ▼
     RUNNING ───exit frame─────────────────────▶ EXITED
        │ ├─────Nomad's own close, at once─────▶ REFUSED
        │ ├─────the connection ended otherwise─▶ LOST
        │ └─────last rung of the ladder────────▶ DISCONNECTED

What a person climbs to stop an action is its `Ladder`.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from nomad_magic.nomad.escape import EscapeReader
from nomad_magic.nomad.frames import (
    CLOSE_ABNORMAL,
    CLOSE_NORMAL,
    HEARTBEAT_SECONDS,
    FrameError,
    InputFrame,
    Size,
    Stream,
    close_words,
    decode_output,
    encode,
    is_refusal,
)
from nomad_magic.nomad.ladder import KEY_SECONDS, KEYS, SIGNAL_NAMES, Ladder
from nomad_magic.nomad.stdin import Stdin
from nomad_magic.record.facts import Rung, StopReason

if TYPE_CHECKING:
    from nomad_magic.record.transcript import StreamName

CTRL_C: Final = KEYS[Rung.INTERRUPT]


class State(enum.Enum):
    """Where a session stands."""

    RESOLVING = "resolving"
    """Nobody was asked to run anything yet."""
    OPENING = "opening"
    """The upgrade has gone out: the action may have been started."""
    RUNNING = "running"
    NOT_STARTED = "not started"
    EXITED = "exited"
    REFUSED = "refused"
    LOST = "lost"
    DISCONNECTED = "disconnected"


ENDED: Final = frozenset(State) - {State.RESOLVING, State.OPENING, State.RUNNING}
"""The states that nothing changes any more."""


class Output(msgspec.Struct, frozen=True):
    """Some bytes of the action's output, as they came."""

    stream: StreamName
    data: bytes


class Exited(msgspec.Struct, frozen=True):
    """The exit frame: the action ended with this code (128 + n for signal n)."""

    code: int


class Refused(msgspec.Struct, frozen=True):
    """The agent closed the session with a reason."""

    code: int
    reason: str


class Lost(msgspec.Struct, frozen=True):
    """The connection ended without an exit frame; `reason` says how, as far as is known."""

    reason: str


Event = Output | Exited | Refused | Lost


class ExecProtocol:
    """The client's half of one exec session.

    Times are in seconds, of any one clock that does not go backwards.

    Args:
        tty: The action runs on a pty.
        escape: The escape character, or empty; looked for only with a tty.
        size: The terminal's height and width in cells, sent first with a tty.
        reach: A second session may send signals to the process.

    Attributes:
        stdin_due: Before that time no stdin is sent.
    """

    def __init__(
        self,
        *,
        tty: bool,
        escape: str = "",
        size: tuple[int, int] = (24, 80),
        reach: bool = False,
    ) -> None:
        self.tty = tty
        self.state = State.RESOLVING
        self.ladder = Ladder(tty=tty, reach=reach)
        self.exit_code: int | None = None
        self._escapes = EscapeReader(escape) if tty and escape else None
        self._escaped = False
        self._signal = Rung.NONE
        self._urgent: deque[InputFrame] = deque()
        self._stdin = Stdin()
        self.stdin_due = 0.0
        self._opened = 0.0
        self._last_sent = 0.0
        self._started = False
        if tty:
            self.resize(*size)

    @property
    def ended(self) -> bool:
        """Whether nothing can happen any more."""
        return self.state in ENDED

    @property
    def takes_input(self) -> bool:
        """Whether stdin is open for more to be typed."""
        return not self._stdin.ended and not self.ended

    @property
    def sent(self) -> int:
        """Bytes of stdin handed out so far."""
        return self._stdin.sent

    # What becomes of asking for the session

    def opening(self) -> bool:
        """Whether the upgrade may go out; if so, the action may have been started from here on."""
        if self.state is State.RESOLVING and self.ladder.rung is Rung.NONE:
            self.state = State.OPENING
        return self.state is State.OPENING

    def not_asked(self) -> None:
        """It did not get that far, or was refused, and something else may be tried."""
        if self.state is State.OPENING:
            self.state = State.RESOLVING

    def opened(self, now: float) -> None:
        """The websocket is open."""
        if self.state in (State.RESOLVING, State.OPENING):
            self.state = State.RUNNING
            self._opened = self._last_sent = now

    def refused(self) -> None:
        """The last that was asked answered with a definite no."""
        if self.state is State.RESOLVING:
            self.state = State.REFUSED

    def failed(self) -> None:
        """The run came to nothing before its end, by no doing of the agent's."""
        if self.state is State.RESOLVING:
            self.state = State.NOT_STARTED
        elif self.state is State.OPENING:
            self.state = State.DISCONNECTED
        elif self.state is State.RUNNING:
            self.state = State.LOST

    # What the user does

    def type(self, data: bytes, *, reply: bool = False) -> None:
        """Take bytes for the action's stdin; the escape character works in them.

        Args:
            data: The bytes.
            reply: The terminal answers the action by itself: nobody typed them.
        """
        if not self.takes_input or self._escaped:
            return
        if not reply and data.strip(CTRL_C):
            # Whoever goes on typing is in an action that goes on.
            self.ladder.begin_anew()
        if self._escapes is not None:
            data, self._escaped = self._escapes.feed(data)
            if self._escaped:
                self.ladder.asked_by(StopReason.ESCAPE)
        self._stdin.add(data)

    def end_stdin(self) -> None:
        """End stdin: no more comes.

        Without a tty the agent is told.  With one that would hang the terminal up, so that
        Ctrl-D is typed instead, which ends whoever reads lines from it.
        """
        if not self.takes_input:
            return
        if self._escapes is not None:
            self._stdin.add(self._escapes.finish())
        self._stdin.ended = True

    def resize(self, height: int, width: int) -> None:
        """Tell the pty its size in cells; without a tty there is nobody to tell."""
        if self.tty and not self.ended:
            # A size that was not sent yet is out of date.
            self._urgent = deque(frame for frame in self._urgent if frame.tty_size is None)
            self._urgent.append(InputFrame(tty_size=Size(height=height, width=width)))

    def forget_stdin(self) -> None:
        """Let go what was typed and will not be sent any more."""
        self._stdin.forget()
        self._urgent.clear()

    @property
    def next_rung(self) -> Rung:
        """What the next `stop` will do; NONE once there is nothing left to do."""
        if self.ended:
            return Rung.NONE
        if self.state is State.RESOLVING:
            return Rung.GIVE_UP
        if self._signal is not Rung.NONE:
            # One waits for the session; whoever does not want to wait any more wants out.
            return Rung.DISCONNECT
        return self.ladder.next

    def stop(self, reason: StopReason = StopReason.PERSON) -> Rung:
        """Climb one rung of the ladder; return the rung that was climbed, or NONE.

        Before the action was asked for, the run is given up.  While the session opens a key or a
        signal waits for it; where there is neither the connection is closed.

        Args:
            reason: Who asks.
        """
        if (rung := self.next_rung) is Rung.NONE:
            return rung
        self.ladder.asked_by(reason)
        if rung in (Rung.GIVE_UP, Rung.DISCONNECT):
            self._disconnect()
            return rung
        self.ladder.climb(rung)
        if rung in SIGNAL_NAMES:
            self._signal = rung
        else:
            # Ahead of any stdin that still waits: the user wants it to stop now.
            self._urgent.append(InputFrame(stdin=Stream(data=KEYS[rung])))
        return rung

    def disconnect(self, reason: StopReason = StopReason.PERSON) -> None:
        """Go straight to the last rung.

        Args:
            reason: Who asks.
        """
        if not self.ended:
            self.ladder.asked_by(reason)
            self._disconnect()

    def next_signal(self) -> Rung:
        """Return the rung for which a second session is to send a signal now, or NONE.

        Each is returned once.
        """
        if self.state is not State.RUNNING:
            return Rung.NONE
        rung, self._signal = self._signal, Rung.NONE
        return rung

    def signalled(self, *, sent: bool, hopeless: bool) -> None:
        """Take what became of a signal.

        Args:
            sent: The process got it.
            hopeless: None ever will: no second session can send one.
        """
        self.ladder.touched = self.ladder.touched or sent
        if hopeless:
            self.ladder.cannot_reach()

    # What is to be sent

    @property
    def heartbeat_due(self) -> float:
        """When the next heartbeat is due, on the clock of `now`."""
        return self._last_sent + HEARTBEAT_SECONDS

    def next_frame(self, now: float, *, quiet: bool = True) -> str | None:
        """Return the next frame to send, or None when there is nothing to send yet.

        Stdin is cut into frames one at a time, so that a Ctrl-C overtakes a large body.  Heartbeats
        wait until it is `quiet`: all that came was read (`Link.quiet_at`).
        """
        frame = self._next(now, quiet=quiet)
        if frame is None:
            return None
        self._last_sent = now
        return encode(frame)

    def _next(self, now: float, *, quiet: bool) -> InputFrame | None:
        if self.state is not State.RUNNING:
            return None
        if self._urgent:
            if (frame := self._urgent.popleft()).stdin is not None:
                self.stdin_due = now + KEY_SECONDS
            return frame
        if now < self.stdin_due:
            return None
        if chunk := self._stdin.take():
            return InputFrame(stdin=Stream(data=chunk))
        if self._escaped:
            # What was typed before the escape character has gone out by now.
            self._disconnect()
            return None
        if end := self._stdin.take_end():
            return InputFrame(stdin=Stream(data=end) if self.tty else Stream(close=True))
        if quiet and now >= self.heartbeat_due:
            return InputFrame()
        return None

    # What the agent sends

    def receive(self, text: str | bytes) -> list[Event]:
        """Take one text frame; return what happened."""
        if self.state is not State.RUNNING:
            return []
        try:
            frame = decode_output(text)
        except FrameError as error:
            return self._lost(f"the agent sent a frame that cannot be read: {error}")
        self._started = self._started or bool(frame.stdout or frame.stderr)
        # In the CLI's order: a frame is one thing only.
        if frame.stdout is not None:
            return [Output("stdout", frame.stdout.data)] if frame.stdout.data else []
        if frame.stderr is not None:
            return [Output("stderr", frame.stderr.data)] if frame.stderr.data else []
        if frame.exited and frame.result is not None:
            self.state = State.EXITED
            self.exit_code = frame.result.exit_code
            return [Exited(self.exit_code)]
        return []

    def receive_close(self, code: int, reason: str, now: float) -> list[Event]:
        """Take the end of the connection.

        Args:
            code: The close frame's code; `CLOSE_ABNORMAL` when there was no close frame.
            reason: The close frame's reason, or what is known of how the connection ended.
            now: The time.
        """
        if self.state is not State.RUNNING:
            return []
        if reason and code == CLOSE_ABNORMAL:
            # As the CLI says it (measured): the reason alone.
            return self._lost(reason)
        if reason and code != CLOSE_NORMAL:
            if not self._started and is_refusal(code, reason, now - self._opened):
                self.state = State.REFUSED
                return [Refused(code, reason)]
            # It did run, and may go on: that is not a refusal.
            return self._lost(reason)
        return self._lost(close_words(code, reason))

    def receive_nothing(self, seconds: float) -> list[Event]:
        """Take the connection for dead: nothing came for so many seconds."""
        if self.state is not State.RUNNING:
            return []
        return self._lost(f"no sign of life from the agent for {seconds:g} s (link_timeout)")

    def _lost(self, reason: str) -> list[Event]:
        self.state = State.LOST
        return [Lost(reason)]

    def _disconnect(self) -> None:
        if self.state is State.RESOLVING:
            self.state, self.ladder.rung = State.NOT_STARTED, Rung.GIVE_UP
        else:
            self.state, self.ladder.rung = State.DISCONNECTED, Rung.DISCONNECT
