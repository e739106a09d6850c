"""`ActionResult`: a run as a value to compute with."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from nomad_magic.record.facts import RunFacts
from nomad_magic.record.masking import Masker
from nomad_magic.record.reader import mask_pieces
from nomad_magic.record.transcript import MEMORY_BYTES, STREAMS, Transcript

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nomad_magic.record.record import Record
    from nomad_magic.record.sighting import Sighting
    from nomad_magic.record.transcript import StreamName


@dataclass(slots=True, kw_only=True, repr=False)
class ActionResult(RunFacts):
    """One run of an action: where, what came of it, and everything it wrote.

    It is there from the start of the run, and filled in while that goes on.  What is known
    are its first attributes (`RunFacts`); the others are made of them.
    """

    transcript: Transcript = field(default_factory=Transcript, repr=False)
    looker: Callable[[], Sighting | None] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    """Looks for the process; not where the result has travelled."""
    _lines: tuple[int, list[str]] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    """The lines of so many bytes of output."""

    @property
    def ok(self) -> bool:
        """The action ran to its end and left with 0."""
        return self.exit_code == 0

    @property
    def stdout_bytes(self) -> bytes:
        """All of stdout, as it came."""
        return self.transcript.whole("stdout")

    @property
    def stderr_bytes(self) -> bytes:
        """All of stderr, as it came; with a pty everything is stdout."""
        return self.transcript.whole("stderr")

    @property
    def stdout(self) -> str:
        r"""Stdout as text; what is not UTF-8 becomes U+FFFD, and a pty's `\r\n` is `\n`."""
        return self._decode(self.stdout_bytes)

    @property
    def stderr(self) -> str:
        """Stderr as text, in the same way."""
        return self._decode(self.stderr_bytes)

    @property
    def text(self) -> str:
        """What the terminal showed: both streams, no control codes, secrets masked."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The lines of `text`."""
        size = self.transcript.size
        if self._lines is not None and self._lines[0] == size:
            return list(self._lines[1])
        lines = self._record().whole()
        if size <= MEMORY_BYTES:
            self._lines = (size, lines)
        return list(lines)

    def shown_lines(self) -> list[str]:
        """The lines that a record shows: of a long output its head and tail, stderr marked."""
        from nomad_magic.record.record import plain_line  # noqa: PLC0415 - as for the record

        return [self.masker.text(plain_line(line)) for line in self._record().lines()]

    @property
    def long(self) -> bool:
        """A record shows no more than the ends of its output."""
        from nomad_magic.record.record import WHOLE_BYTES  # noqa: PLC0415 - as for the record

        return self.transcript.size > WHOLE_BYTES

    def json(self) -> Any:
        """Read the output as JSON: `text`, or without a tty stdout alone.

        Raises:
            json.JSONDecodeError: It is neither.
        """
        try:
            return json.loads(self.text)
        except json.JSONDecodeError:
            if self.tty or not self.transcript.count("stderr"):
                raise
            return json.loads(self.masker.text(self.stdout))

    def look(self) -> Sighting | None:
        """Look for the action's process once more, by a second session in its task.

        Returns:
            What was seen, which is in `seen` from then on; None where there is no way to look: for
            a result that was pickled or copied `nomad_magic.look` finds one.
        """
        return None if self.looker is None else self.looker()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the whole output to a file, as it came but with secrets masked; return the path.

        Both streams are in it, in the order in which they came.
        """
        from pathlib import Path  # noqa: PLC0415 - a run is shorter without it

        target = Path(path)
        with target.open("wb") as file:
            for _, data in self._masked():
                file.write(data)
        return target

    def __repr__(self) -> str:
        place = self.place
        where = " / ".join(filter(None, (place.job, place.group, place.task)))
        counts = ", ".join(f"{self.transcript.count(name)} bytes of {name}" for name in STREAMS)
        text = (
            f"<ActionResult {self.action} of {where or 'an unknown task'}: {self.state}; {counts}>"
        )
        return self.masker.shown(text)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from nomad_magic.record.card import bundle  # noqa: PLC0415 - as for the record

        return bundle(self._record(), shown_as="value")[0]

    def markdown(self) -> str:
        """Return the record as Markdown, for an incident's document."""
        return self._record().markdown()

    def record(self, *, output: bool = True) -> str:
        """Return the record as text.

        Args:
            output: With the output as the terminal showed it, its head and tail when it is
                long; without it where it already stands above.
        """
        return self._record().text(output=output)

    def __copy__(self) -> ActionResult:
        return replace(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> ActionResult:
        return replace(self, transcript=deepcopy(self.transcript, memo), notices=list(self.notices))

    def __getstate__(self) -> dict[str, Any]:
        """Travel without secrets: a pickle is a file, or goes to another process.

        What arrives has its output masked, and no masker that would have to know the secrets.  Of a
        long output a head and a tail arrive; counts and hashes are of all that came.
        """
        state = {one.name: getattr(self, one.name) for one in fields(self)} | {
            "_lines": None,
            "looker": None,
            "journal": None,
        }
        if self.masker:
            state["transcript"] = self.transcript.with_pieces(self._masked())
            state["masker"] = Masker()
            for name in ("action", "command_line", "reason"):
                state[name] = self.masker.shown(state[name])
            state["place"] = self.place.shown(self.masker)
            state["notices"] = [self.masker.shown(text) for text in self.notices]
            if self.command is not None:
                state["command"] = tuple(map(self.masker.shown, self.command))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def _record(self) -> Record:
        from nomad_magic.record.record import Record  # noqa: PLC0415 - who only runs shows nothing

        return Record(self)

    def _masked(self) -> Iterator[tuple[StreamName, bytes]]:
        """Go through the output with secrets masked, in the order in which it came."""
        return mask_pieces(self.masker, self.transcript.read_all())

    def _decode(self, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        return text.replace("\r\n", "\n") if self.tty else text
