"""Secrets never leave: in text, in bytes, and in bytes that come in pieces."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nomad_magic.record.masking import MASK, SHORTEST, Masker, StreamMasker, basic_auth_secrets

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
    """Any bytes around it, any cut in it."""
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
    assert masker.reach == len(TOKEN)
    assert TOKEN not in repr(masker.stream())


def test_basic_auth_has_two_secrets() -> None:
    """The password, and the base64 that a dump of the headers would show."""
    assert basic_auth_secrets("ann", "s3cret") == (
        "s3cret",
        base64.b64encode(b"ann:s3cret").decode(),
    )
