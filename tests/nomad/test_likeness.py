"""Whether a process can be running a command, by the words that it has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.nomad.likeness import Likeness, likeness

SCRIPT = "set -e; cd /srv && exec nice -n 5 worker --name \"$NAME\" '${NOMAD_META_x}' -v"


@pytest.mark.parametrize(
    ("command", "seen", "like"),
    [
        (("/bin/sleep", "5"), "/bin/sleep5", "same"),
        (("sleep", "5"), "/usr/bin/sleep5", "same"),
        (("/local/check.sh", "a b"), "/bin/sh/local/check.sha b", "same"),
        (("${NOMAD_TASK_DIR}/x", "y"), "/a/local/xy", "same"),
        (("/bin/echo", "${a}-${b}", "c"), "/bin/echo1-2c", "same"),
        (("/bin/echo", "${a}-${b}", "c"), "/bin/echo12c", "other"),
        (("/bin/sleep", "5"), "/bin/sleep55", "other"),
        (("/bin/sleep", "5"), "a title of its own", "other"),
        (("/usr/bin/env", "A=1", "sleep", "5"), "sleep5", "derived"),
        (("/bin/sh", "-c", "exec sleep 5"), "sleep5", "derived"),
        (("/bin/sh", "-c", SCRIPT), "worker--namea nameseven-v", "derived"),
        (("/bin/sh", "-c", SCRIPT), "nice-n5worker--nameaseven-v", "derived"),
        (("/bin/sh", "-c", SCRIPT), "worker", "derived"),
        (("/bin/sh", "-c", SCRIPT), "work", "other"),
        (("/bin/sh", "-c", SCRIPT), "another--name", "other"),
        (("/bin/sh", "-c", "sleep"), "", "other"),
        (None, "sleep", "other"),
    ],
)
def test_examples(command: tuple[str, ...] | None, seen: str, like: str) -> None:
    """Of each kind, and what only looks like it."""
    assert likeness(command, seen).value == like


words = st.lists(st.text(st.characters(exclude_characters="${}\0"), min_size=1), min_size=1)


@given(words, st.lists(st.text(), max_size=3))
def test_a_command_is_like_itself_whatever_is_filled_in(args: list[str], filled: list[str]) -> None:
    """With anything in the place of what Nomad fills in, and behind an interpreter."""
    command = ("/bin/x", *args, *["${v}" for _ in filled], "end")
    seen = "".join(["/bin/sh /bin/x", *args, *filled, "end"])
    assert likeness(command, seen) is Likeness.SAME


@given(words, st.text())
def test_anything_is_compared(args: list[str], seen: str) -> None:
    """Nothing fails, whatever the words are."""
    assert likeness(args, seen) in Likeness
