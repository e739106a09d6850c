"""The escape character: what is sent, and when the session closes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.nomad.escape import EscapeReader


@pytest.mark.parametrize(
    ("escape", "typed", "sent", "closed"),
    [
        ("~", b"~.", b"", True),
        ("~", b"~~", b"~", False),
        ("~", b"~~.", b"~.", False),
        ("~", b"~x", b"~x", False),
        ("~", b"~\r~.", b"~\r", True),
        ("~", b"a~.", b"a~.", False),
        ("~", b"a\n~.b", b"a\n", True),
        # The escape character is asked for before the dot (measured on Nomad 2.0.6).
        (".", b"..", b".", False),
        (".", b".x", b".x", False),
        (".", b"...", b"..", False),
        (".", b".\r..", b".\r.", False),
    ],
)
def test_as_the_cli(escape: str, typed: bytes, sent: bytes, closed: bool) -> None:
    """Twice is once, with a dot it closes, and with anything else both are sent."""
    assert EscapeReader(escape).feed(typed) == (sent, closed)


def model(escape: bytes, typed: bytes) -> tuple[bytes, bool]:
    """The same by a regular expression, a line at a time."""
    own = re.escape(escape)
    sent = b""
    for line in re.findall(rb"[^\r\n]*[\r\n]|[^\r\n]+", typed):
        if line.startswith(escape * 2):
            sent += line[1:]
        elif re.match(own + rb"\.", line):
            return sent, True
        else:
            sent += line
    return sent, False


@given(
    st.sampled_from(["~", ".", "x"]), st.lists(st.sampled_from([b"~", b".", b"x", b"\r", b"\n"]))
)
def test_however_it_is_typed(escape: str, keys: list[bytes]) -> None:
    """At once or key by key: the same, and what is left over is given back at the end."""
    typed = b"".join(keys)
    sent, closed = model(escape.encode(), typed)
    whole, single = EscapeReader(escape), EscapeReader(escape)
    data, ended = whole.feed(typed)
    assert (data + (b"" if ended else whole.finish()), ended) == (sent, closed)
    pieces = b""
    for key in keys:
        piece, ended = single.feed(key)
        pieces += piece
        if ended:
            break
    assert (pieces + (b"" if ended else single.finish()), ended or False) == (sent, closed)
