"""The record where a site takes out what it does not trust, as GitHub does with notebooks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record.card import card
from nomad_magic.record.facts import Outcome, Place
from nomad_magic.record.record import Record
from nomad_magic.record.result import ActionResult

# What GitHub's own sanitiser lets through, of those that a record could have.
ELEMENTS = set(
    re.findall(
        r"\w+",
        "a b blockquote br code dd del details div dl dt em h1 h2 h3 hr i img ins kbd li ol p pre s"
        " samp small span strong sub summary sup table tbody td tfoot th thead tr tt ul var",
    )
)
ATTRIBUTES = {
    "*": {"abbr", "align", "aria-label", "dir", "role", "scope", "tabindex", "title"},
    "a": {"href"},
    "details": {"open"},
}
COLOURS = b"\x1b[1;31mred\x1b[0m \x1b]8;;https://example.org/\x07link\x1b]8;;\x07"


def sanitised(html: str) -> str:
    return nh3.clean(
        html,
        tags=ELEMENTS,
        clean_content_tags={"script", "style"},
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
    )


def text(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html))


def made(outcome: Outcome, output: bytes) -> str:
    result = ActionResult(
        action="health-check",
        command_line="nomad job action -job=cache health-check",
        place=Place(
            address="http://127.0.0.1:4646",
            region="global",
            namespace="prod",
            job="cache",
            group="redis",
            task="server",
            allocation="fc878e9e-bb55-2969-6e2b-8ed515a62edc",
        ),
        outcome=outcome,
        exit_code=0 if outcome is Outcome.SUCCEEDED else 3,
        duration=4.13,
        started=datetime(2026, 11, 23, 17, 16, 12, tzinfo=UTC),
    )
    result.transcript.write("stdout", output)
    result.transcript.write("stderr", b"oops\n")
    return sanitised(card(Record(result)))


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.RUNNING])
def test_a_record_without_its_styles_reads(outcome: Outcome) -> None:
    """Sign, action, state and target stand in one line, in their order; no rule of a sheet does."""
    html = made(outcome, b"one\n  two\n" + COLOURS + b"\n")
    assert not re.search(r"<(script|style)|\s(style|class)=", html)
    title, rest = text(html.partition("<pre")[0]), text("<pre" + html.partition("<pre")[2])
    sign, _, words = title.partition(" ")
    assert sign == outcome.sign
    action, state, *target, when = words.split(" · ")
    assert action == "health-check"
    assert state
    assert "cache" in target[0]
    assert when == "2026-11-23 17:16:12 UTC"
    assert "one\n  two\nred link\noops" in rest, "the output keeps its lines and its blanks"
    assert "{" not in title + rest


def test_what_is_folded_away_stays_so() -> None:
    """The facts stay a table in a closed `<details>`, below the output in its `<pre>`."""
    html = made(Outcome.FAILED, b"one\n")
    inner = re.search("<pre[^>]*>(.*?)</pre>", html, re.DOTALL)
    assert inner is not None
    assert text(inner[1]).startswith("one\n")
    details = re.search("<details><summary>(.*?)</summary>(.*)</details>", html, re.DOTALL)
    assert details is not None
    assert details.start() > inner.end()
    assert "details" in details[1]
    rows = dict(re.findall("<tr><th[^>]*>(.*?)</th><td>(.*?)</td></tr>", details[2], re.DOTALL))
    assert text(rows["again"]) == "nomad job action -job=cache health-check"


@given(output=st.text(st.characters(exclude_categories=["C"]), max_size=60))
def test_no_output_is_taken_for_markup(output: str) -> None:
    """Whatever was written is text before the sanitiser and after it."""
    html = made(Outcome.FAILED, f"[{output}]\n".encode())
    inner = re.search("<pre[^>]*>(.*?)</pre>", html, re.DOTALL)
    assert inner is not None
    kept = re.sub(r"\s+", "", text(inner[1]))
    assert kept.startswith(re.sub(r"\s+", "", f"[{output}]"))
