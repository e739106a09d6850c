"""`Value` is to its user what a frozen dataclass is."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.value import Value


class Ours(Value):
    """One of each kind of field."""

    name: str
    size: int = 3
    parts: list[int] = field(default_factory=list)
    secret: str = field(default="", repr=False)
    noted: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class Theirs:
    """The same as a dataclass."""

    name: str
    size: int = 3
    parts: list[int] = field(default_factory=list)
    secret: str = field(default="", repr=False)
    noted: str = field(default="", compare=False)


class Hashed(Value):
    """What can be a key."""

    name: str
    size: int = 3


GIVEN = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"])},
    optional={
        "size": st.integers(0, 3),
        "parts": st.lists(st.integers(0, 1), max_size=2),
        "secret": st.sampled_from(["", "s"]),
        "noted": st.sampled_from(["", "n"]),
    },
)


@given(GIVEN, GIVEN)
def test_it_is_as_a_dataclass_is(one: dict[str, Any], other: dict[str, Any]) -> None:
    """In its repr and its equality, and by `replace`, `asdict`, a copy and a pickle."""
    ours, theirs = Ours(**one), Theirs(**one)
    assert repr(ours).removeprefix("Ours") == repr(theirs).removeprefix("Theirs")
    assert (ours == Ours(**other)) is (theirs == Theirs(**other))
    assert asdict(replace(ours, **other)) == asdict(replace(theirs, **other))
    for same in (copy.copy(ours), copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert same == ours
        assert asdict(same) == asdict(theirs)


def test_it_is_equal_to_none_of_another_class() -> None:
    """Not even to one with the same fields; equal ones are one key."""
    assert Ours(name="a") != Theirs(name="a")
    assert Hashed(name="a") != Ours(name="a")
    assert len({Hashed(name="a"), Hashed(name="a", size=3), Hashed(name="b")}) == 2
    with pytest.raises(TypeError):
        hash(Ours(name="a"))


def test_each_has_lists_of_its_own() -> None:
    """What a factory makes is made for each; what is given is taken."""
    assert Ours(name="a").parts is not Ours(name="a").parts
    parts = [1]
    assert Ours(name="a", parts=parts).parts is parts
    assert [one.name for one in fields(Ours)] == [one.name for one in fields(Theirs)]


def test_it_does_not_change() -> None:
    """Neither a field nor anything else can be set or deleted."""
    value: Any = Ours(name="a")
    for name in ("name", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, "b")
        with pytest.raises(FrozenInstanceError):
            delattr(value, name)
    assert value == Ours(name="a")


@pytest.mark.parametrize(
    ("given", "said"), [({}, "name"), ({"name": "", "nmae": ""}, "nmae"), ({"size": 1}, "name")]
)
def test_what_it_cannot_be_made_of_is_named(given: dict[str, Any], said: str) -> None:
    """A field that is lacking, and a name that is no field's."""
    with pytest.raises(TypeError, match=rf"Ours\(\).*\b{said}$"):
        Ours(**given)
