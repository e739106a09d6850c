"""Names that differ in their last number are said at once, and none is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record.folding import folded


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["cache.redis[0]"], "cache.redis[0]"),
        ([f"cache.redis[{n}]" for n in (*range(197), 199)], "cache.redis[0-196,199]"),
        (["cache.redis[2]", "cache.web[1]", "cache.redis[1]"], "cache.redis[1-2], cache.web[1]"),
        (["node-09", "node-10", "node-11"], "node-[09-11]"),
        (["node-9", "node-10", "node-09"], "node-9, node-[09-10]"),
        (["n1.a", "n2.a", "n2.b"], "n[1-2].a, n2.b"),
        (["edge", "core"], "core, edge"),
        (["sys.g[0] on node-1", "sys.g[0] on node-2"], "sys.g[0] on node-[1-2]"),
        (["a[1] 8b5c6a3e"], "a[1] 8b5c6a3e"),
    ],
)
def test_folded(names: list[str], said: str) -> None:
    """By their last number; numbers with zeros before them are rows of their own."""
    assert folded(names) == said


def test_a_long_row_is_counted() -> None:
    """What is not listed is counted: names, not rows."""
    assert folded([f"{letter}{n}" for letter in "abc" for n in range(3)], most=1) == (
        "a[0-2] and 6 more"
    )


@given(
    st.sets(
        st.builds(
            lambda around, number: f"{around[0]}{number}{around[1]}",
            st.sampled_from([("cache.redis[", "]"), ("node-", ""), ("", ".x"), ("a1b", "")]),
            st.one_of(st.integers(0, 30).map(str), st.sampled_from(["00", "01", "010", "007"])),
        ),
        max_size=40,
    )
)
def test_every_name_can_be_read_again(names: set[str]) -> None:
    """What is folded stands for those names, and for no other."""
    assert set(unfolded(folded(names))) == names


def unfolded(said: str) -> list[str]:
    """Return the names again, as ClusterShell's users read them."""
    found: list[str] = []
    for row in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", said):
        word = row.removeprefix(" ")
        match = re.search(r"\[([\d,-]+)\]", word)
        if match is None or not re.search("[,-]", match[1]):
            found.append(word)
            continue
        before, after = word[: match.start()], word[match.end() :]
        # Brackets of the name itself stay.
        opening, closing = ("[", "]") if before.endswith("cache.redis") else ("", "")
        for part in match[1].split(","):
            first, _, last = part.partition("-")
            width = len(first) if first.startswith("0") else 0
            found += [
                f"{before}{opening}{number:0{width}d}{closing}{after}"
                for number in range(int(first), int(last or first) + 1)
            ]
    return found
