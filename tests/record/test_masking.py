"""Secrets never leave: in text, in bytes, and in bytes that come in pieces."""

from __future__ import annotations

import copy
import html
import json
import pickle
import re
import shlex
import urllib.parse
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nomad_magic.go import go_quote, path_escape, query_escape
from nomad_magic.record import spellings
from nomad_magic.record.masking import MASK, SHORTEST, Masker, StreamMasker
from nomad_magic.record.userinfo import basic_auth_secrets
from nomad_magic.terminal import Span, Style, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "6d5f8a2e-0c1b-4e7f-9a3d-b2c4d6e8f001"

# A small alphabet, so that secrets overlap, repeat and begin with one another.
secrets_of_few_letters = st.lists(st.text("abc", min_size=SHORTEST, max_size=7), max_size=4)
few_letters = st.text("abcd", max_size=60)


def in_pieces(stream: StreamMasker, data: bytes, cuts: list[int]) -> bytes:
    ends = [*sorted(min(cut, len(data)) for cut in cuts), len(data)]
    out, start = b"", 0
    for end in ends:
        out += stream.feed(data[start:end])
        start = end
    return out + stream.finish()


def by_hand(text: str, secrets: list[str]) -> str:
    """Mark every character of every occurrence, then mask each run of overlapping ones."""
    found = [
        (at, at + len(secret))
        for secret in set(secrets)
        for at in range(len(text))
        if text.startswith(secret, at)
    ]
    out, position = "", 0
    while position < len(text):
        ends = [end for start, end in found if start == position]
        if not ends:
            out += text[position]
            position += 1
            continue
        end = max(ends)
        while later := [one[1] for one in found if position < one[0] < end and one[1] > end]:
            end = max(later)
        out += MASK
        position = end
    return out


@given(few_letters, secrets_of_few_letters)
def test_text_is_masked_as_by_hand(text: str, secrets: list[str]) -> None:
    """Every character of every secret goes, and nothing else does."""
    masker = Masker(secrets)
    assert masker.text(text) == by_hand(text, secrets)
    assert masker.data(text.encode()) == by_hand(text, secrets).encode()


@given(few_letters, secrets_of_few_letters, st.lists(st.integers(0, 60), max_size=8))
@example("abcabcaab", ["abca", "caab"], [4, 5])
@example("abcdefX", ["abcdefgh", "cdef"], [6])
@example("aaaaaaaaaa", ["aaaa"], [1, 2, 3, 4, 5, 6, 7])
def test_a_stream_is_masked_as_the_whole(text: str, secrets: list[str], cuts: list[int]) -> None:
    """Wherever the bytes are cut, what comes out is what masking the whole gives."""
    masker = Masker(secrets)
    data = text.encode()
    assert in_pieces(masker.stream(), data, cuts) == masker.data(data)


@given(st.binary(max_size=80), st.lists(st.integers(0, 120), max_size=8))
def test_a_token_in_a_stream_is_masked_wherever_it_is_cut(data: bytes, cuts: list[int]) -> None:
    """Any bytes around it, any cut in it, but what would be read as its own beginning."""
    data = data.translate(None, b"6%")
    whole = data + TOKEN.encode() + data
    out = in_pieces(Masker([TOKEN]).stream(), whole, cuts)
    assert out == data + MASK.encode() + data


def test_byte_by_byte_nothing_of_a_secret_leaves_early() -> None:
    """While it may still become the secret, not one byte of it is given."""
    stream = Masker([TOKEN]).stream()
    assert stream.feed(b"token: ") == b"token: "
    assert [stream.feed(bytes((byte,))) for byte in TOKEN.encode()[:-1]] == [b""] * 35
    assert stream.feed(TOKEN[-1:].encode()) == MASK.encode()
    assert stream.finish() == b""


def test_nothing_but_a_possible_beginning_is_held_back() -> None:
    """A prompt without a newline is shown at once."""
    stream = Masker([TOKEN]).stream()
    assert stream.feed(b"Password: ") == b"Password: "
    assert stream.feed(b"x 6d5") == b"x "
    assert stream.feed(b"!") == b"6d5!"


def test_what_was_held_back_comes_at_the_end() -> None:
    """Half a secret at the end of the output is no secret."""
    stream = Masker([TOKEN]).stream()
    stream.feed(b"6d5f")
    assert stream.finish() == b"6d5f"
    assert stream.finish() == b""


def test_what_is_held_back_is_masked_too() -> None:
    """A short secret inside the beginning of a longer one stays masked at the end."""
    stream = Masker(["abcdefgh", "cdef"]).stream()
    assert stream.feed(b"abcdef") + stream.finish() == b"ab" + MASK.encode()


@pytest.mark.parametrize("first", ["token-one", "token-one-and-more"])
def test_a_secret_that_begins_with_another_is_masked_whole(first: str) -> None:
    """Not its beginning alone, also when the pieces are cut right after that."""
    secrets = ["token-one", "token-one-and-more"]
    masker = Masker([first, *secrets])
    assert masker.text("a token-one-and-more b") == f"a {MASK} b"
    stream = masker.stream()
    out = stream.feed(b"a token-one") + stream.feed(b"-and-more b") + stream.finish()
    assert out == f"a {MASK} b".encode()


def test_secrets_that_overlap_are_one_mask() -> None:
    """The end of the second one is not left standing."""
    masker = Masker(["alphabeta", "betagamma"])
    assert masker.text("(alphabetagamma)") == f"({MASK})"
    stream = masker.stream()
    assert stream.feed(b"(alphabeta") + stream.feed(b"gamma)") == f"({MASK})".encode()


def test_a_mask_is_not_masked_again_while_it_is_made() -> None:
    """A secret that is part of the mask's own word does no harm."""
    assert Masker(["masked", TOKEN]).text(f"{TOKEN} masked") == f"{MASK} {MASK}"


def test_short_secrets_and_empty_ones_are_left_out() -> None:
    """Three letters would match by chance everywhere."""
    masker = Masker(["", "abc", " ab "])
    assert not masker
    assert masker.reach == 0
    assert masker.text("abc") == "abc"
    stream = masker.stream()
    assert stream.feed(b"abc") == b"abc"
    assert stream.finish() == b""


def test_blanks_around_a_secret_are_no_part_of_it() -> None:
    """A token read from a file ends in a newline, and is the same token."""
    assert Masker([f"{TOKEN}\n"]).text(f"token={TOKEN};") == f"token={MASK};"


def test_any_text_can_be_a_secret() -> None:
    """Letters of any script, and bytes that are no UTF-8, which come as surrogates."""
    odd = b"p\xffssw\xc3\xb6rd".decode("utf-8", "surrogateescape")
    assert Masker([odd]).data(b"(p\xffssw\xc3\xb6rd)") == f"({MASK})".encode()
    lone = "\ud800pass"
    assert Masker([lone]).text(f"({lone})") == f"({MASK})"
    assert basic_auth_secrets("u", odd)[0] == odd


def test_a_masker_never_shows_what_it_masks() -> None:
    """Its repr tells how many secrets there are, and no more."""
    masker = Masker([TOKEN, "password"])
    assert repr(masker) == "Masker(2 secrets)"
    assert masker
    assert masker.reach == 3 * len(TOKEN)
    assert TOKEN not in repr(masker.stream())


def test_basic_auth_has_two_secrets() -> None:
    """The password, and the base64 that a dump of the headers would show, in either alphabet."""
    assert basic_auth_secrets("ann", "s3cret") == ("s3cret", "YW5uOnMzY3JldA", "YW5uOnMzY3JldA==")
    odd = basic_auth_secrets("ann", "\xbe\xff\xbf~~~")
    assert {code.rstrip("=") for code in odd[1:]} == {"YW5uOsK-w7_Cv35-fg", "YW5uOsK+w7/Cv35+fg"}


# However it is written

SECRETS = [TOKEN, "p@ss w/rd+1%", "q\"u\\o'te<&>", "pässwörd→", "aaaab"]
"""What has each of the characters that are written in more than one way."""

SHOWS_NOTHING = [
    *("\x1b[31m", "\x1b[0m", "\x1b[1;38:5:7m", "\x1b]8;;https://d/x\x07", "\x1b]8;;\x1b\\"),
    *("\x1b]0;title\x07", "\x1b(B", "\x1b[?25l", "\x1b[K", "\x1b7", "\x1bPq#0\x1b\\", "\x9b3m"),
    *("\x00", "\x07", "\x0f", "\x7f", "\u200b", "\u2060", "\u202e", "\xad", "\ufeff"),
]
"""What may stand between two characters of a secret without its being seen."""


def percent(byte: int, levels: int, *, small: bool) -> str:
    return "%" + "25" * levels + (f"{byte:02x}" if small else f"{byte:02X}")


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str]:
    """A secret, and a way of writing it: each byte plain or encoded, with things in between."""
    secret = draw(st.sampled_from(SECRETS))
    pieces = []
    for character in secret:
        if draw(st.booleans()):
            pieces.append(character)
        else:
            levels, small = draw(st.integers(0, 2)), draw(st.booleans())
            pieces.append("".join(percent(one, levels, small=small) for one in character.encode()))
        pieces += draw(st.lists(st.sampled_from(SHOWS_NOTHING), max_size=1))
    while pieces[-1] in SHOWS_NOTHING:
        pieces.pop()
    return secret, "".join(pieces)


@settings(max_examples=100, deadline=None)
@given(written(), st.lists(st.integers(0, 400), max_size=8), st.sampled_from(["", "(", "%", "a"]))
def test_a_secret_is_found_however_it_is_written(
    case: tuple[str, str], cuts: list[int], before: str
) -> None:
    """Any of its bytes percent-encoded, once or more, with what shows nothing in between."""
    secret, text = case
    masker = Masker([secret])
    data = f"{before}{text}\n".encode()
    whole = masker.data(data)
    assert seen(whole.decode()) == f"{before}{MASK}"
    assert in_pieces(masker.stream(), data, cuts) == whole
    assert masker.text(f"{before}{text}\n") == whole.decode()


def seen(text: str) -> str:
    """Return what a terminal shows of a text, by its own parser, without what has no width."""
    terminal = Terminal(1000, newline=True)
    terminal.feed(text)
    shown = "\n".join("".join(span.text for span in line) for line in terminal.lines())
    return re.sub("[\u200b\u2060\u202e\xad\ufeff]", "", shown)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "write",
    [
        urllib.parse.quote,
        urllib.parse.quote_plus,
        lambda text: urllib.parse.quote(text, safe="").lower(),
        path_escape,
        query_escape,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        go_quote,
        repr,
        html.escape,
        shlex.quote,
        lambda text: f"$ curl -H 'X-Nomad-Token: {text}'",
        lambda text: msgspec.json.encode(text).decode(),
    ],
)
def test_a_secret_is_found_as_others_write_it(secret: str, write: Callable[[str], str]) -> None:
    """In a URL, in JSON, in quotes of Go, Python and a shell, in HTML."""
    text = f"before {write(secret)} after"
    masked = Masker([secret]).text(text)
    assert MASK in masked
    left = masked.replace("before", "").replace("after", "").replace("$ curl -H", "")
    assert re.sub(rf"{re.escape(MASK)}|X-Nomad-Token:|['\" ]", "", left) == ""


def test_what_counts_behind_a_secret_stays() -> None:
    """A colour that begins in its middle, and a link that ends there; but no secret in these."""
    masker = Masker([TOKEN])
    data = f"{TOKEN[:4]}\x1b[31m{TOKEN[4:9]}\x1b]8;;https://d/{TOKEN}\x07{TOKEN[9:]}x".encode()
    shown = b"[masked]\x1b[31m\x1b]8;;https://d/[masked]\x07x"
    assert masker.data(data) == shown
    for cut in range(len(data)):
        assert in_pieces(masker.stream(), data, [cut]) == shown


@given(st.binary(max_size=80), st.lists(st.integers(0, 120), max_size=8))
def test_any_bytes_in_pieces_come_out_as_they_were(data: bytes, cuts: list[int]) -> None:
    """Where there is no secret nothing is changed, whatever sequence is cut by whatever."""
    assert in_pieces(Masker([TOKEN]).stream(), data, cuts) == data


@pytest.mark.parametrize(
    "held", [b"6", b"6d\x1b[", b"6d\x1b]8;;http://", b"%", b"%3", b"6\xe2\x80"]
)
def test_what_may_go_on_is_held_back(held: bytes) -> None:
    """Also where it was cut inside of a control sequence, a character or an encoded byte."""
    stream = Masker([TOKEN]).stream()
    assert stream.feed(b"so: " + held) == b"so: "
    assert stream.finish() == held


def test_no_more_is_held_back_than_a_bound() -> None:
    """An action that writes nothing but colours behind half a secret is shown all the same."""
    stream = Masker([TOKEN]).stream()
    out = b"".join(stream.feed(b"6d" + b"\x1b[31m" * 1000) for _ in range(40))
    assert len(out) > 40 * 5000 - (1 << 17)


def test_lines_of_a_terminal_are_masked_in_their_links_too() -> None:
    """A secret over several styles is one mask; a link that holds one is none any more."""
    terminal = Terminal(200, newline=True)
    terminal.feed(
        f"a \x1b[31m{TOKEN[:5]}\x1b[0m{TOKEN[5:]} b\n"
        f"\x1b]8;;https://d/?k={TOKEN}\x07one\x1b]8;;\x07 \x1b]8;;https://d/\x07two\x1b]8;;\x07\n"
        "\x1b[1mc\x1b[0m d"
    )
    lines = terminal.lines()
    masked = Masker([TOKEN]).lines(lines)
    assert masked[0] == (Span(f"a {MASK} b", Style()),)
    assert [span.style.link for span in masked[1]] == [None, None, "https://d/"]
    assert masked[2] == lines[2]
    assert Masker(["another"]).lines(lines) is lines


def test_a_masker_leaves_its_secrets_behind() -> None:
    """A pickle is a file; a copy in the same process still knows them."""
    masker = Masker([TOKEN])
    assert not pickle.loads(pickle.dumps(masker))
    assert copy.deepcopy(masker).text(TOKEN) == copy.copy(masker).text(TOKEN) == MASK


@given(st.text(), st.booleans())
def test_html_is_written_as_by_the_library(text: str, quote: bool) -> None:
    """Which is not loaded for it."""
    assert spellings._escape(text, quote=quote) == html.escape(text, quote=quote)


@pytest.mark.parametrize("nothing", [b"\x1b#6", b"\x1b[6m", b"\x00", b"\xc2\xad", b"\x1b]0;6\x07"])
def test_so_much_that_shows_nothing_is_seen_through(nothing: bytes) -> None:
    """As much between any two characters, in pieces too; of more a stream may be all that it is."""
    for count in (1, spellings.MOST_NOTHINGS, spellings.MOST_NOTHINGS + 1):
        data = (nothing * count).join(TOKEN.encode()[at : at + 1] for at in range(len(TOKEN)))
        for cuts in ([], list(range(0, len(data), 7))):
            masked = in_pieces(Masker([TOKEN]).stream(), b"<" + data + b">", cuts)
            assert (MASK.encode() in masked) is (count <= spellings.MOST_NOTHINGS), (count, cuts)
    # Nothing of it is held back once it is known to be no secret.
    stream = Masker([TOKEN]).stream()
    data = nothing * 10_000
    assert len(stream.feed(data)) > len(data) - 40 * len(nothing) - 8192
