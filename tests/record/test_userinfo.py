"""Passwords leave addresses, and are known, also where an address is mistyped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record.userinfo import address_secrets, has_password, without_password

BEGINNINGS = ["http://", "https://", "http:/", "http//", "https:", "http;//", "HTTP:\\\\", "htp://"]
BEGINNINGS += [
    "http://http://",
    "",
    "unix://",
    "-address=http://",
    "export NOMAD_ADDR=http:/",
    "'http://",
    "tcp.//",
]


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("host", ["h", "h:4646", "h:4646/v1/jobs?x=y", "[::1]:80", "h.example/#f"])
@pytest.mark.parametrize("password", ["s3cret", "p@ss", "p%40ss", "$pw", "a:b", "ü", "x y"])
def test_a_password_is_found_wherever_an_address_begins(
    beginning: str, host: str, password: str
) -> None:
    """With the scheme as it should be, half typed, or left out."""
    text = f"{beginning}ops:{password}@{host}"
    assert without_password(text) == beginning + host
    assert next(address_secrets(text)) == password
    assert has_password(text)


@pytest.mark.parametrize("password", ["a/b", "a?b", "a#b", "a/b@c"])
@pytest.mark.parametrize("beginning", ["http://", "http:/", ""])
def test_a_password_that_ends_the_host_for_a_parser_is_one_all_the_same(
    beginning: str, password: str
) -> None:
    """It should have been percent-encoded."""
    text = f"{beginning}ops:{password}@h:4646"
    assert password not in without_password(text)
    assert next(address_secrets(text)) == password


@pytest.mark.parametrize(
    "text",
    [
        *("", "h", "http://h:4646", "http://h/p@x", "http://h:80/?to=a@b", "unix:///run/a@b.sock"),
        *("unix:/run/a@b.sock", "http://[::1]:80/x@y"),
    ],
)
def test_an_address_without_a_password_stays(text: str) -> None:
    """An `@` behind the host is of the path."""
    assert without_password(text) == text
    assert list(address_secrets(text)) == []


@given(
    st.text(st.characters(exclude_characters="@"), max_size=30)
    | st.text("hos/:0.?#\\[]= ", max_size=12),
    st.text("abcdefgh", min_size=8),
    st.text("hij.:0/", max_size=10),
)
def test_no_password_is_left_behind(beginning: str, password: str, host: str) -> None:
    """Whatever stands before it: what is between a colon and the last `@` goes."""
    text = f"{beginning}://ops:{password}@{host}"
    assert password in " ".join(address_secrets(text))
    assert password not in without_password(text).removeprefix(beginning)
