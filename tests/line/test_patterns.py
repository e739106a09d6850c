"""Patterns of what is to be confirmed: what they hold for, and what is none."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.errors import SettingsError
from nomad_magic.line import patterns

VALUES = {
    "address": {"https://Nomad.prod.example:4646", "Nomad.prod.example:4646", "Nomad.prod.example"},
    "namespace": {"prod-eu"},
    "job": {"cache", "cache/dispatch-1"},
    "action": {"flush-all"},
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("namespace=prod-eu", True),
        ("namespace=prod*", True),
        ("namespace=prod", False),
        ("namespace=Prod*", False),
        ("namespace=p?od-[ef]u", True),
        ("namespace=p?od-[!e]u", False),
        ("job=cache", True),
        ("job=cache/*", True),
        ("job=cache action=flush*", True),
        ("action=flush* job=cache", True),
        ("  job=cache \t action=flush*\n", True),
        ("job=cache action=reload*", False),
        ("job=other action=flush*", False),
        ("address=*prod*", True),
        ("address=nomad.prod.example", True),
        ("address=NOMAD.prod.example:4646", True),
        ("address=https://nomad.prod.example:4646", True),
        ("address=http://*", False),
        ("address=prod", False),
        ("action=*", True),
    ],
)
def test_what_a_pattern_holds_for(text: str, *, holds: bool) -> None:
    """All of its words, each for any of the forms of its field."""
    (pattern,) = patterns.parse([text])
    assert pattern.matches(VALUES) is holds
    assert patterns.first_match([pattern], VALUES) == (pattern if holds else None)


def test_of_several_the_first_that_holds_is_named() -> None:
    """One is enough."""
    some = patterns.parse(["job=other", "namespace=prod*", "action=*"])
    found = patterns.first_match(some, VALUES)
    assert found is not None
    assert found.text == "namespace=prod*"
    assert patterns.parse([]) == ()


def test_brackets_of_an_address_are_its_own() -> None:
    """That of IPv6 has some: they hold as they stand."""
    (pattern,) = patterns.parse(["address=http://[::1]:46*"])
    assert pattern.matches({**VALUES, "address": {"http://[::1]:4646"}})
    assert not pattern.matches({**VALUES, "address": {"http://1:4646"}})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (" \t", "it is empty"),
        ("prod*", "prod* has no ="),
        ("job=cache flush*", "flush* has no ="),
        ("=prod", "there is no field without a name"),
        ("namspace=prod*", "there is no field namspace. Did you mean namespace?"),
        ("Namespace=prod*", "Did you mean namespace?"),
        ("region=eu", "there is no field region"),
        ("namespace=", "namespace is to be nothing; * is anything"),
        ("job=a job=b", "job stands in it twice"),
        ('namespace="prod*"', '" in "prod*"'),
        ("namespace='prod*'", "' in 'prod*'"),
        ("namespace=prod*,job=cache", ", in prod*,job=cache: no namespace has it"),
        ("namespace=prod|stage", "| in prod|stage"),
        ("namespace=prod.eu", ". in prod.eu: no namespace has it"),
        ("job=a,b", ", in a,b"),
        ("job=cache; action=x", "; in cache;"),
        ("action=[ab", "a bracket in [ab has no other"),
        ("action=a]", "a bracket in a] has no other"),
    ],
)
def test_what_is_no_pattern_is_refused(text: str, why: str) -> None:
    """With what is wrong and how one is written: what never matches would ask for nothing."""
    with pytest.raises(SettingsError) as caught:
        patterns.parse(["job=fine", text])
    assert caught.value.message.startswith(f"confirm: {text!r} is no pattern: ")
    assert why in caught.value.message
    assert "namespace=prod*, job=cache action=flush*" in caught.value.hint


@pytest.mark.parametrize("texts", [[1], [None], [b"job=x"], ["job=a", ["job=b"]]])
def test_what_is_no_text_is_no_pattern(texts: list[object]) -> None:
    """Whatever stands in the list."""
    with pytest.raises(SettingsError, match="it is no text"):
        patterns.parse(texts)  # type: ignore[arg-type]  # that is what is tested


def test_a_text_is_no_list_of_patterns() -> None:
    """Else each of its characters would be one."""
    with pytest.raises(SettingsError, match="is a list of patterns") as caught:
        patterns.parse("namespace=prod*")
    assert caught.value.hint == "Write ['namespace=prod*']."


NAMES = st.text(alphabet="ab-*?", min_size=1, max_size=6)


@given(job=NAMES, action=NAMES, name=st.text(alphabet="ab-", min_size=1, max_size=6))
def test_globs_are_those_of_a_shell(job: str, action: str, name: str) -> None:
    """Word by word as `fnmatch` has them."""
    (pattern,) = patterns.parse([f"job={job} action={action}"])
    values = {**VALUES, "job": {name}, "action": {name}}
    assert pattern.matches(values) is (fnmatchcase(name, job) and fnmatchcase(name, action))


@given(st.text(max_size=40))
def test_whatever_is_written_is_a_pattern_or_refused_in_words(text: str) -> None:
    """Nothing else is raised, and what was read is what it holds for."""
    try:
        (pattern,) = patterns.parse([text])
    except SettingsError:
        return
    assert pattern.globs
    assert patterns.parse([pattern.text]) == (pattern,)
