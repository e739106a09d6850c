"""The list of actions as text and as HTML."""

from __future__ import annotations

import dataclasses
import pickle
import re
from html.parser import HTMLParser

import nh3
import pytest

from nomad_magic.record.listing import MOST_SHOWN, ActionListing, JobAction

FLUSH = JobAction(
    job="cache",
    namespace="default",
    group="redis",
    task="server",
    name="flush",
    command=("/bin/sh", "-c", "redis-cli flushall"),
    running=3,
    line="%nomad_action -job=cache -group=redis -task=server flush",
)


def listing(*actions: JobAction, notices: tuple[str, ...] = ()) -> ActionListing:
    return ActionListing(actions=actions, where="all jobs", notices=notices)


def test_the_text_says_where_what_and_how() -> None:
    """Job, group, task, command, running allocations, and the line."""
    assert listing(FLUSH, notices=("1 job is not in the list: no",)).text() == (
        "all jobs · 1 action\n\n"
        "job cache · namespace default\n"
        "  flush · group redis, task server · 3 running\n"
        "      %nomad_action -job=cache -group=redis -task=server flush\n"
        "      runs /bin/sh -c redis-cli flushall\n\n"
        "1 job is not in the list: no"
    )


def test_of_one_job_its_name_stands_once() -> None:
    """In the heading, and above no rows."""
    value = ActionListing(actions=(FLUSH,), where="job cache", one_job=True)
    assert value.text().startswith("job cache · 1 action\n  flush · group redis")
    assert "colgroup" not in value.html()
    assert "colgroup" in listing(FLUSH).html()


def test_the_html_says_the_same_without_styles_or_scripts() -> None:
    """A sanitiser that takes all of those away leaves every fact."""
    html = nh3.clean(listing(FLUSH).html(), attributes={})
    text = re.sub(r"<[^>]*>", " ", html)
    for fact in ("cache", "default", "redis / server", "flush", "3 running", "redis-cli flushall"):
        assert fact in text
    assert FLUSH.line in text
    assert "<table>" in html
    assert not re.search("<script|onclick|javascript", listing(FLUSH).html())


def test_the_value_is_the_list() -> None:
    """A sequence of frozen records, which travels."""
    value = listing(FLUSH, dataclasses.replace(FLUSH, name="check"))
    assert [one.name for one in value] == ["flush", "check"]
    assert value[0] is FLUSH
    assert value[1:] == (value[1],)
    with pytest.raises(dataclasses.FrozenInstanceError):
        value[0].name = "other"  # type: ignore[misc]
    assert list(pickle.loads(pickle.dumps(value))) == list(value)
    assert repr(value) == "<ActionListing of all jobs · 2 actions>"


class Tags(HTMLParser):
    """Sees whether what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\u202e&"


def test_names_of_others_do_nothing() -> None:
    """Neither in a page nor in a terminal."""
    odd = JobAction(
        job=HOSTILE,
        namespace=HOSTILE,
        group=HOSTILE,
        task=HOSTILE,
        name=HOSTILE,
        command=(HOSTILE, "a\nb"),
        running=None,
        line=HOSTILE,
    )
    value = listing(odd)
    for shown in (value.text(), value.html()):
        assert not re.search("[\x1b\u202e]", shown)
    assert "<img" not in value.html()
    tags = Tags()
    tags.feed(value.html())
    assert not tags.open


def test_many_are_shown_in_bounds() -> None:
    """What is not shown is counted, and is in the value."""
    value = listing(*[FLUSH] * (MOST_SHOWN + 7))
    assert len(value) == MOST_SHOWN + 7
    assert value.text().endswith("\n7 more are in the value.")
    assert len(value.html()) < 400 * MOST_SHOWN
    assert "max-height" in value.html()


def test_a_long_command_is_cut() -> None:
    """A script of many lines stands in one."""
    script = JobAction(**{**{f.name: getattr(FLUSH, f.name) for f in dataclasses.fields(FLUSH)},
                          "command": ("sh", "-c", "set -e\n" + "x" * 500)})  # fmt: skip
    assert script.shown_command.startswith("sh -c ⏎ set -e ⏎ xxx")
    assert len(script.shown_command) == 120
    assert script.shown_command.endswith("…")
