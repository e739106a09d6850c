"""Control characters of others' text show, and do nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record.visible import visible, visible_name

WRITTEN = [
    ("\x1b]0;owned\x07", "\\x1b]0;owned\\a"),
    ("\x1b[2J", "\\x1b[2J"),
    ("a\rb", "a\\rb"),
    ("a\x00b\x7f", "a\\x00b\\x7f"),
    ("\x9b31m", "\\u009b31m"),
    ("user\u202enimda", "user\\u202enimda"),
    ("\u2066x\u2069", "\\u2066x\\u2069"),
    ("pay\u200bpal", "pay\\u200bpal"),
    ("a\u200db", "a\\u200db"),
    ("\ufeffx\xad", "\\ufeffx\\u00ad"),
    ("x\U000e0041", "x\\U000e0041"),
    ("\u2028", "\\u2028"),
    ("\u3164", "\\u3164"),
    ("\udcff", "\\xff"),
]


@pytest.mark.parametrize(("text", "shown"), WRITTEN)
def test_what_does_something_is_written_out(text: str, shown: str) -> None:
    """In Go's way of writing it, in a text and in a name."""
    assert visible(text) == shown
    assert visible_name(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "Grüße, 日本語",
        "C:\\new",
        "👩\u200d💻",
        "\u0645\u06cc\u200c\u062e",
        "“…”",
        "a\xa0b",
    ],
)
def test_what_only_shows_stays(text: str) -> None:
    """Letters of any script, also with the joiners that belong to them."""
    assert visible(text) == visible_name(text) == text


def test_a_text_has_lines_and_a_name_has_none() -> None:
    """A name with an end of a line in it could make up a line of ours."""
    assert visible("a\tb\r\nc\n") == "a\tb\nc\n"
    assert visible_name("job\n✔ exit 0\tx\r\n") == "job\\n✔ exit 0\\tx\\r\\n"


@given(st.text())
def test_nothing_that_acts_is_left(text: str) -> None:
    """No control, no format character but a joiner, nothing that parts lines; and it can be saved.

    What is written out stays as it is the next time.
    """
    for shown, ends in ((visible(text), "\n\t"), (visible_name(text), "")):
        shown.encode()
        acting = [
            one
            for one in shown
            if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
            and one not in f"{ends}\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f"
            and not 0x0890 <= ord(one) <= 0x08E2
            and not 0x110BD <= ord(one) <= 0x110CD
            and not 0x13430 <= ord(one) <= 0x1343F
        ]
        assert acting == []
    assert visible(visible(text)) == visible(text)
