"""The escape character, which ends a session from its keyboard (as in the CLI, measured).  Pure."""

from __future__ import annotations

from nomad_magic.go import to_bytes


class EscapeReader:
    """Looks for the escape character in what is typed.

    It counts at the start of the input and after a carriage return or a newline.

    Args:
        escape: One character; its bytes are compared one by one.
    """

    def __init__(self, escape: str) -> None:
        self._escape = to_bytes(escape)
        self._line_start = True
        self._pending = False

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return the bytes to send, and whether the session is to be closed."""
        out = bytearray()
        for value in data:
            byte = bytes((value,))
            if self._pending:
                self._pending = False
                if byte == self._escape:
                    # Asked for before the dot, which may be the escape character itself.
                    out += byte
                    self._line_start = False
                    continue
                if byte == b".":
                    return bytes(out), True
                out += self._escape
            elif self._line_start and byte == self._escape:
                self._pending = True
                continue
            out += byte
            self._line_start = byte in (b"\r", b"\n")
        return bytes(out), False

    def finish(self) -> bytes:
        """Return an escape character that nothing followed."""
        rest = self._escape if self._pending else b""
        self._pending = False
        return rest
