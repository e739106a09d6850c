"""Keeping secrets out of whatever is shown, saved or logged.

A secret is a token or a password that this run was given.  It is masked wherever we write
text of ours, and in an action's output too when that is shown: an action that prints its
own environment would otherwise put the token into the saved notebook.

This is the one place for it: for text, for bytes that come in pieces, and for the lines of a
terminal with their styles and links.  What others have said goes through `Masker.shown`, which also
makes control characters visible.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.go import to_bytes
from nomad_magic.record.spellings import (
    NOT_YET,
    Finder,
    encoded,
    has_nothings,
    sequences,
    spellings,
)
from nomad_magic.record.visible import visible, visible_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nomad_magic.terminal import Line

MASK: Final = "[masked]"
"""What stands where a secret stood."""

SHORTEST: Final = 4
"""Shorter secrets (characters) are not looked for in output: they would match by chance."""

PERCENT_ENCODED: Final = 3
"""How many times longer a secret may be as it is written."""


class Masker:
    """Replaces a run's secrets in text and in a stream of bytes.

    They are found in any spelling that `spellings` knows, with control sequences in the middle.
    Where secrets overlap, one mask stands for all of them.

    Args:
        secrets: Tokens and passwords; blanks around them do not belong to them (a token read
            from a file ends in a newline), and empty ones are left out.
    """

    __slots__ = ("_count", "_finders")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        stripped = {secret.strip() for secret in secrets}
        known = {text for text in stripped if len(text) >= SHORTEST}
        self._count = len(known)
        written = {to_bytes(text) for secret in known for text in spellings(secret)}
        self._finders = tuple(map(Finder, sorted(written)))

    def __repr__(self) -> str:
        return f"Masker({self._count} secrets)"

    def __bool__(self) -> bool:
        return bool(self._finders)

    def __copy__(self) -> Masker:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Masker:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel with no secret: a pickle is a file."""
        return Masker, ()

    @property
    def reach(self) -> int:
        """How long the longest secret is, in bytes, without what may be in its middle: or 0."""
        longest = max((len(finder.secret) for finder in self._finders), default=0)
        return PERCENT_ENCODED * longest

    def text(self, text: str) -> str:
        """Return the text with every secret masked."""
        if not self._finders:
            return text
        data, errors = encoded(text)
        masked = self.data(data)
        return text if masked is data else masked.decode("utf-8", errors)

    def shown(self, text: str) -> str:
        """Return a text of others as it can be shown: masked, its control characters visible."""
        return visible(self.text(text))

    def name(self, text: str) -> str:
        """Return a name of others in the same way, in one line."""
        return visible_name(self.text(text))

    def data(self, data: bytes) -> bytes:
        """Return the bytes with every secret masked."""
        spans = _found(data, self._finders)[0]
        return _written(data, spans, self._finders) if spans else data

    def lines(self, lines: list[Line]) -> list[Line]:
        """Return a terminal's lines with every secret masked, in their links too.

        A line in which there was one has no styles any more: it may have been in several.
        """
        if not self._finders:
            return lines
        # Nearly always there is nothing to mask, and to look once is quicker.
        whole = "\n".join(span.text for line in lines for span in line)
        links = {span.style.link for line in lines for span in line if span.style.link is not None}
        if self.text(whole) == whole and all(self.text(link) == link for link in links):
            return lines
        return [self._line(line) for line in lines]

    def _line(self, line: Line) -> Line:
        # Who only runs shows nothing.
        from nomad_magic.terminal import DEFAULT, Span  # noqa: PLC0415

        text = "".join(span.text for span in line)
        masked = self.text(text)
        if masked != text:
            marked = any(span.style.marked for span in line)
            return (Span(masked, replace(DEFAULT, marked=True) if marked else DEFAULT),)
        return tuple(
            span
            if span.style.link is None or self.text(span.style.link) == span.style.link
            else Span(span.text, replace(span.style, link=None))
            for span in line
        )

    def stream(self) -> StreamMasker:
        """Return a masker for one stream, for bytes that come in pieces."""
        return StreamMasker(self._finders)


class StreamMasker:
    """Masks secrets in bytes that come cut anywhere, also inside a secret.

    Bytes that may be the beginning of a secret are held back until it is known; nothing
    else is delayed.  What comes out is what `Masker.data` would make of the whole.
    """

    __slots__ = ("_covered", "_finders", "_held")

    def __init__(self, finders: Sequence[Finder]) -> None:
        self._finders = finders
        self._held = b""
        # How many of the bytes held back are behind a mask that was given out already.
        self._covered = 0

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return those that can be shown by now."""
        if not self._finders:
            return data
        return self._give(self._held + data, to_end=False)

    def finish(self) -> bytes:
        """Return what was held back, once no more will come."""
        return self._give(self._held, to_end=True)

    def _give(self, data: bytes, *, to_end: bool) -> bytes:
        """Mask and return what is before the cut, hold back what is after it."""
        spans, cut = _found(data, self._finders, self._covered)
        if to_end or len(data) - cut > MOST_HELD:
            cut = len(data)
        # A control sequence is not cut where it is to stay whole.
        for start, end in spans:
            if start < cut < end:
                inside = sequences(data, start, end)
                cut = min([cut, *(one for one, other in inside if one < cut < other)])
        shown = _written(data, spans, self._finders, cut=cut, covered=self._covered)
        self._held = data[cut:]
        # Of a span that began before the cut, in this piece or in an earlier one, the mask is out.
        begun = max(cut, 1) if self._covered else cut
        self._covered = max([0, *(end - cut for start, end in spans if start < begun)])
        return shown


MOST_HELD: Final = 1 << 16
"""How many bytes are held back at most; no secret is that long."""

_MASK_BYTES: Final = MASK.encode()


def _written(
    data: bytes,
    spans: Sequence[tuple[int, int]],
    finders: Sequence[Finder],
    *,
    cut: int | None = None,
    covered: int = 0,
) -> bytes:
    """Return some bytes with a mask in the place of each span.

    What changed the colour in the middle of a secret stays, for it counts behind it too.

    Args:
        data: The bytes.
        spans: Where the secrets are, in order.
        finders: For what else is in the middle of one.
        cut: Where to end; None for the end of the data.
        covered: How much of the beginning is behind a mask that was given out already.
    """
    cut = len(data) if cut is None else cut
    shown: list[bytes] = []
    done = 0
    for start, end in spans:
        if start >= cut:
            break
        shown.append(data[done:start])
        # The first span may go on behind a mask that is out already.
        if start >= covered:
            shown.append(_MASK_BYTES)
        done = min(end, cut)
        kept = b"".join(data[one:other] for one, other in sequences(data, start, done))
        if kept:
            again = _found(kept, finders)[0]
            shown.append(_written(kept, again, finders))
    shown.append(data[done:cut])
    return b"".join(shown)


def _found(
    data: bytes, finders: Sequence[Finder], covered: int = 0
) -> tuple[list[tuple[int, int]], int]:
    """Return where the secrets stand, in order, and where the beginning of one may stand.

    Those that overlap are one span.

    Args:
        data: Where to look.
        finders: What to look for.
        covered: How much of the beginning counts as found already.
    """
    found = [(0, covered)] if covered else []
    open_from = len(data)
    nothings = has_nothings(data)
    for finder in finders:
        for start, end in finder.find(data, nothings=nothings):
            if end == NOT_YET:
                open_from = min(open_from, start)
            else:
                found.append((start, end))
    spans: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans, open_from
