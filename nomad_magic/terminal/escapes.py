"""Takes a terminal's input apart into text, control characters and control sequences.

Pure and incremental: a sequence may be cut anywhere between two `feed`s. The grammar is that
of ECMA-48 §5 and of Paul Williams's parser for DEC terminals (https://vt100.net/emu/dec_ansi_parser),
with the choices of xterm.js 6: C1 controls are known as the characters U+0080 to U+009F, CAN and
SUB end any sequence, and SOS, PM and APC strings end at the first character above U+009F.

A well-formed control sequence is matched in one go; everything else walks through the states
character by character, which also picks up a sequence where the last `feed` cut it.
"""

import re
from collections.abc import Callable
from typing import Protocol

from nomad_magic.terminal.style import MOST_PARAMETER_TEXT

_MOST_OSC = 4096  # characters kept; the longest that is used at all is a link's target
_MOST_COLLECT = 4  # no known sequence has more than two intermediates

_GROUND = re.compile(
    r"([^\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?:([0-9:;]*)m|([<-?]?)([0-9:;]*)([ -/]*)([@-~]))"
)
_TEXT, _SGR = 1, 2
_DIGITS = re.compile(r"[0-9:;]+")
_IGNORED = re.compile(r"[ -?\x7f\xa0-\U0010ffff]+")
_OSC_BODY = re.compile(r"[^\x00-\x1f\x80-\x9f]+")
_SOS_BODY = re.compile(r"[\x00-\x17\x19\x1c-\x7f]+")
_DCS_BODY = re.compile(r"[^\x18\x1a\x1b\x80-\x9f]+")

# How far into a control sequence or a DCS string's head; the order matters.
_ENTRY, _PARAMETERS, _INTERMEDIATE, _IGNORE, _BODY = range(5)

_State = Callable[[str, int], int]


class Sink(Protocol):
    """What takes the pieces. All but `text` also end a run of characters that can be joined."""

    def text(self, run: str) -> None:
        """Printable characters, carriage returns and line feeds; never empty."""

    def control(self, character: str) -> None:
        """One C0 or C1 control that is not part of a sequence."""

    def escape(self, sequence: str) -> None:
        """`ESC sequence`: intermediates and the final character."""

    def csi(self, name: str, parameters: str) -> None:
        """`CSI`: `name` is private mark, intermediates and final, as in `?h` or `!p`."""

    def sgr(self, parameters: str) -> None:
        """`CSI parameters m`, by far the most frequent sequence."""

    def osc(self, command: str) -> None:
        """A whole operating system command; empty for one that was cut short or too long."""


class Parser:
    """The states between two characters. It holds no more than a few KB, whatever comes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._state: _State = self._ground
        self._stage = _ENTRY
        self._collected = ""
        self._parameters = ""
        self._osc_text = ""
        self._osc_whole = True

    @property
    def idle(self) -> bool:
        """Whether it stands before no rest of a sequence."""
        return self._state == self._ground

    def feed(self, text: str) -> None:
        """Hand each piece of `text` to the sink, in order."""
        at, end = 0, len(text)
        while at < end:
            at = self._state(text, at)

    def _ground(self, text: str, at: int) -> int:
        sink, match = self._sink, _GROUND.match
        while found := match(text, at):
            kind = found.lastindex
            if kind == _TEXT:
                sink.text(found[1])
            elif kind == _SGR:
                sink.sgr(found[2][:MOST_PARAMETER_TEXT])
            else:
                mark, parameters, intermediates, final = found.group(3, 4, 5, 6)
                sink.csi(mark + intermediates + final, parameters[:MOST_PARAMETER_TEXT])
            at = found.end()
        if at < len(text):
            character = text[at]
            if not self._anywhere(character) and character != "\x7f":
                sink.control(character)
            at += 1
        return at

    def _anywhere(self, character: str) -> bool:
        """Whether `character` means the same in every state, in which case it is done."""
        if character == "\x1b":
            self._start(self._escape)
        elif character in "\x18\x1a":
            self._state = self._ground
            self._sink.control(character)
        elif not "\x80" <= character <= "\x9f":
            return False
        elif character == "\x9b":
            self._start(self._csi)
        elif character == "\x9d":
            self._start(self._osc)
        elif character == "\x90":
            self._start(self._dcs)
        elif character in "\x98\x9e\x9f":
            self._start(self._sos)
        else:
            self._state = self._ground
            if character != "\x9c":
                self._sink.control(character)
        return True

    def _start(self, state: _State) -> None:
        self._state = state
        self._stage = _ENTRY
        self._collected = self._parameters = self._osc_text = ""
        self._osc_whole = True

    def _collect(self, character: str) -> None:
        if len(self._collected) < _MOST_COLLECT:
            self._collected += character

    def _escape(self, text: str, at: int) -> int:
        character = text[at]
        if self._anywhere(character) or character == "\x7f":
            pass
        elif character < " ":
            self._sink.control(character)
        elif character < "0":
            self._collect(character)
        elif character >= "\xa0":
            self._state = self._ground
        elif not self._collected and character in "[]PX^_":
            strings = {"[": self._csi, "]": self._osc, "P": self._dcs}
            self._start(strings.get(character, self._sos))
        else:
            self._state = self._ground
            self._sink.escape(self._collected + character)
        return at + 1

    def _csi(self, text: str, at: int) -> int:
        character = text[at]
        if self._anywhere(character) or character == "\x7f":
            pass
        elif character < " ":
            self._sink.control(character)
        elif self._stage == _IGNORE and (found := _IGNORED.match(text, at)):
            return found.end()
        elif character >= "\xa0":
            self._state = self._ground
        elif character >= "@":
            self._state = self._ground
            if self._stage != _IGNORE:
                self._dispatch(character)
        else:
            return self._head(text, at)
        return at + 1

    def _dispatch(self, final: str) -> None:
        if final == "m" and not self._collected:
            self._sink.sgr(self._parameters)
        else:
            self._sink.csi(self._collected + final, self._parameters)

    def _head(self, text: str, at: int) -> int:
        """One step in the part that control sequences and DCS strings have in common."""
        character = text[at]
        if character < "0":
            self._collect(character)
            self._stage = _INTERMEDIATE
        elif self._stage == _INTERMEDIATE or (self._stage == _PARAMETERS and character > ";"):
            self._stage = _IGNORE
        elif character > ";":
            self._collect(character)
            self._stage = _PARAMETERS
        elif found := _DIGITS.match(text, at):
            self._stage = _PARAMETERS
            left = MOST_PARAMETER_TEXT - len(self._parameters)
            self._parameters += text[at : min(found.end(), at + left)]
            return found.end()
        return at + 1

    def _osc(self, text: str, at: int) -> int:
        if found := _OSC_BODY.match(text, at):
            if found.end() - at + len(self._osc_text) <= _MOST_OSC:
                self._osc_text += found[0]
            else:
                self._osc_whole = False
            return found.end()
        character = text[at]
        if character in "\x07\x18\x1a\x1b\x9c":
            whole = self._osc_whole and character not in "\x18\x1a"
            command = self._osc_text if whole else ""
            self._start(self._escape if character == "\x1b" else self._ground)
            self._sink.osc(command)
        else:
            self._anywhere(character)
        return at + 1

    def _sos(self, text: str, at: int) -> int:
        if found := _SOS_BODY.match(text, at):
            return found.end()
        if not self._anywhere(text[at]):
            self._state = self._ground
        return at + 1

    def _dcs(self, text: str, at: int) -> int:
        character = text[at]
        if self._stage == _BODY:
            if found := _DCS_BODY.match(text, at):
                return found.end()
            if character in "\x18\x1a":
                self._state = self._ground
            else:
                self._anywhere(character)
            self._sink.osc("")
        elif self._anywhere(character) or character < " " or character == "\x7f":
            pass
        elif self._stage == _IGNORE and (found := _DCS_BODY.match(text, at)):
            return found.end()
        elif character >= "\xa0":
            self._state = self._ground
        elif character >= "@":
            self._stage = _BODY
        else:
            return self._head(text, at)
        return at + 1
