"""What is known of a run, and its record: every fact, nothing secret."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from datetime import datetime, timedelta, timezone
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.record.card import announcement, bundle
from nomad_magic.record.facts import Outcome, Place
from nomad_magic.record.humanize import instant, left_out, seconds, size
from nomad_magic.record.masking import MASK, Masker
from nomad_magic.record.record import END_BYTES, WHOLE_BYTES, Record
from nomad_magic.record.result import ActionResult
from nomad_magic.terminal.html import CONTRAST, _luminance

if TYPE_CHECKING:
    from nomad_magic.record.transcript import StreamName

DATA = Path(__file__).parents[1] / "data"
TOKEN = "6d5f8a2e-0c1b-4e7f-9a3d-b2c4d6e8f001"
ALLOCATION = "fc878e9e-bb55-2969-6e2b-8ed515a62edc"
MAY_STILL_RUN = "the process may still run in allocation fc878e9e on node vm"
START = datetime(2026, 11, 23, 17, 16, 12, 345678, timezone(timedelta(hours=1)))

PLACE = Place(
    address="http://127.0.0.1:4646",
    region="global",
    namespace="prod",
    job="cache",
    job_version=7,
    group="redis",
    task="server",
    allocation=ALLOCATION,
    allocation_name="cache.redis[0]",
    node="a08f411e-262b-aaba-f428-919981f81a1a",
    node_name="vm",
)


def record_output(made: ActionResult) -> list[str]:
    return ["".join(span.text for span in line) for line in Record(made).lines()]


def result(*output: tuple[StreamName, bytes], **named: Any) -> ActionResult:
    made = ActionResult(
        **{
            "action": "health-check",
            "command_line": "nomad job action -job=cache -group=redis -task=server health-check",
            "place": PLACE,
            **named,
        }
    )
    for stream, data in output:
        made.transcript.write(stream, data)
    return made


# The line of state


@pytest.mark.parametrize(
    ("named", "line"),
    [
        ({"outcome": Outcome.RUNNING}, "running"),
        ({"outcome": Outcome.SUCCEEDED, "exit_code": 0, "duration": 0.123}, "exit 0 in 0.12 s"),
        ({"outcome": Outcome.FAILED, "exit_code": 3, "duration": 4.13}, "exit 3 in 4.1 s"),
        (
            {"outcome": Outcome.INTERRUPTED, "exit_code": 130, "duration": 125.2},
            "interrupted (exit 130) after 2 min 5 s",
        ),
        (
            {"outcome": Outcome.DISCONNECTED, "duration": 12.0},
            f"disconnected after 12.0 s: {MAY_STILL_RUN}",
        ),
        (
            {
                "outcome": Outcome.LOST,
                "duration": 61.0,
                "reason": "failed to exec into task: unexpected EOF\nmore",
            },
            f"connection lost after 1 min 1 s: unexpected EOF; {MAY_STILL_RUN}",
        ),
        (
            {"outcome": Outcome.REFUSED, "reason": "failed to exec into task: Permission denied"},
            "refused: Permission denied",
        ),
        (
            {"outcome": Outcome.NOT_STARTED, "reason": 'No job(s) with prefix or ID "x" found'},
            'not started: No job(s) with prefix or ID "x" found',
        ),
    ],
    ids=lambda value: value["outcome"].name if isinstance(value, dict) else "",
)
def test_the_line_of_state_says_what_is_known(named: dict[str, Any], line: str) -> None:
    """One line for each outcome; without an exit code nothing is said to have stopped."""
    made = result(**named)
    assert made.state == line
    assert made.record().startswith(f"{made.outcome.sign} health-check · {line}")
    if named.get("exit_code") is None:
        assert "exit" not in line.replace("exit 0", "")
        assert "stopped" not in line


def test_every_outcome_has_a_line() -> None:
    """Also one that nobody thought of a reason for."""
    assert all(result(outcome=outcome).state for outcome in Outcome)


@pytest.mark.parametrize(("code", "ok"), [(0, True), (3, False), (None, False)])
def test_ok_is_an_exit_code_of_zero(code: int | None, ok: bool) -> None:
    """No exit code is not ok."""
    assert result(exit_code=code).ok is ok


# The output


def test_stdout_and_stderr_are_the_bytes_and_their_text() -> None:
    """As they came; what is not UTF-8 becomes U+FFFD in the text."""
    made = result(("stdout", b"h\xc3"), ("stderr", b"oops\n"), ("stdout", b"\xa9\r\n\xff"))
    assert made.stdout_bytes == b"h\xc3\xa9\r\n\xff"
    assert made.stdout == "hé\r\n�"
    assert (made.stderr_bytes, made.stderr) == (b"oops\n", "oops\n")


def test_a_ptys_line_ends_are_read_as_newlines() -> None:
    """The pty makes them, not the action; a lone carriage return stays."""
    made = result(("stdout", b"one\r\ntwo\rthree\r\n"), tty=True)
    assert made.stdout == "one\ntwo\rthree\n"
    assert made.stdout_bytes == b"one\r\ntwo\rthree\r\n"


def test_text_is_what_the_terminal_showed() -> None:
    """No colours, a progress line as it stood last, both streams in their order."""
    made = result(
        ("stdout", b"\x1b[31mred\x1b[0m\n"),
        ("stderr", b"warning\n"),
        ("stdout", b"1/2\r2/2\nend"),
    )
    assert made.lines == ["red", "warning", "2/2", "end"]
    assert made.text == "red\nwarning\n2/2\nend"


def test_a_line_wider_than_the_terminal_is_one_line() -> None:
    """What was full went on; it did not end there."""
    assert result(("stdout", b"x" * 200 + b"\r\n"), tty=True, width=80).lines == ["x" * 200]


def test_json_reads_the_output() -> None:
    """With a pty's line ends, and through its width."""
    value = {"a": ["x" * 100, 1.5, None]}
    data = json.dumps(value, indent=1).encode()
    assert result(("stdout", data)).json() == value
    assert result(("stdout", data.replace(b"\n", b"\r\n")), tty=True).json() == value


def test_json_leaves_messages_on_stderr_aside() -> None:
    """Without a tty the two streams are apart."""
    made = result(("stderr", b"reading\n"), ("stdout", b"[1]\n"), ("stderr", b"done\n"))
    assert made.json() == [1]


@pytest.mark.parametrize(
    "made",
    [
        result(),
        result(("stdout", b"no")),
        result(("stdout", b"no"), ("stderr", b"neither")),
        result(("stdout", b"oops\r\n[1]\r\n"), tty=True),
    ],
)
def test_what_is_no_json_is_said(made: ActionResult) -> None:
    """With Python's own error."""
    with pytest.raises(json.JSONDecodeError):
        made.json()


def test_save_writes_everything_as_it_came(tmp_path: Path) -> None:
    """Both streams in their order, control codes too; the path is given back."""
    made = result(("stdout", b"\x1b[1mone\n"), ("stderr", b"two\xff"), ("stdout", b"three"))
    path = made.save(str(tmp_path / "out.txt"))
    assert path == tmp_path / "out.txt"
    assert path.read_bytes() == b"\x1b[1mone\ntwo\xffthree"


# The record


def test_the_record_has_every_fact() -> None:
    """Where, what, when, how it ended, how much came, and the line that repeats it."""
    made = result(
        ("stdout", b"healthy\n"),
        ("stderr", b"slow\n"),
        outcome=Outcome.FAILED,
        exit_code=3,
        duration=4.1,
        command=("/bin/sh", "-c", "check it"),
        started=START,
        ended=START + timedelta(seconds=4.1),
        notices=["Words after the action are ignored"],
    )
    digests = [hashlib.sha256(data).hexdigest() for data in (b"healthy\n", b"slow\n")]
    target = "job cache / group redis / task server · allocation fc878e9e on node vm"
    assert made.record().split("\n") == [
        f"✖ health-check · exit 3 in 4.1 s · {target} · 2026-11-23 17:16:12 +0100",
        "",
        "healthy",
        "[stderr] slow",
        "",
        "  target      job cache (version 7) / group redis / task server",
        f"  allocation  {ALLOCATION} cache.redis[0]",
        "  node        a08f411e-262b-aaba-f428-919981f81a1a vm",
        "  agent       http://127.0.0.1:4646, region global, namespace prod",
        "  started     2026-11-23 17:16:12.345+01:00",
        "  ended       2026-11-23 17:16:16.445+01:00",
        f"  stdout      8 bytes, SHA-256 {digests[0]}",
        f"  stderr      5 bytes, SHA-256 {digests[1]}",
        "  notice      Words after the action are ignored",
        "  again       nomad job action -job=cache -group=redis -task=server health-check",
        "  command     /bin/sh -c check it",
    ]
    assert made._repr_mimebundle_()["text/plain"] == made.record()
    assert "healthy" not in made.record(output=False)
    first, _, rest = made.record(output=False).partition("\n")
    assert made.record().startswith(f"{first}\n")
    assert made.record().endswith(f"\n\n{rest}")


def test_what_came_on_stderr_says_so() -> None:
    """In text, in HTML and in Markdown; what a pty mixes is not told apart."""
    pieces: list[tuple[StreamName, bytes]] = [
        ("stdout", b"a\n\x1b[31mb\n"),
        ("stderr", b"c\n\x1b[md\n"),
    ]
    made = result(*pieces, ("stdout", b"e\n"))
    assert made.record().split("\n")[2:7] == ["a", "b", "[stderr] c", "[stderr] d", "e"]
    assert output_html(made).count('title="stderr"') == 2
    assert "[stderr] c\n" in made.markdown()
    assert made.lines == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("/bin/sh", "-c", "echo $HOME 'x' $PATH"), "/bin/sh -c echo $HOME 'x' $PATH"),
        (("/bin/bash", "-ec", "a\nb"), "/bin/bash -ec …"),
        (("/usr/bin/redis-cli", "--key", "a b"), "/usr/bin/redis-cli --key 'a b'"),
    ],
)
def test_the_command_stands_last_as_it_was_written(command: tuple[str, ...], shown: str) -> None:
    """A script is a script; in the text it takes a line and no more, in the HTML it is whole."""
    made = result(command=command, outcome=Outcome.SUCCEEDED, exit_code=0)
    assert made.record().split("\n")[-1] == f"  command     {shown}"
    assert escape(command[-1]) in made._repr_mimebundle_()["text/html"]


def test_mathjax_leaves_the_record_alone() -> None:
    """Two `$` in a command, in the line that repeats it or in a target are no formula."""
    html = result(command=("sh", "-c", "a $b $c"))._repr_mimebundle_()["text/html"]
    assert html.startswith('<div class="nomad-magic tex2jax_ignore mathjax_ignore"')
    # Text is left alone anyway.
    for outcome in Outcome:
        for line in (True, False):
            above = announcement(result(outcome=outcome), line=line)
            assert list(above) == ["text/plain"]
            assert "\n" not in above["text/plain"]


def test_the_record_travels_as_json() -> None:
    """The facts that stand in the text, under one key, for tools; nothing secret in them."""
    made = result(
        ("stdout", b"x"),
        outcome=Outcome.FAILED,
        exit_code=3,
        started=START,
        command=("echo", "s3cret-token"),
        masker=Masker(["s3cret-token"]),
        stdin=(2, "ab"),
        run_id="17",
    )
    ((key, found),) = bundle(Record(made))[1].items()
    assert key == "nomad_magic"
    assert json.loads(json.dumps(found)) == found
    assert "s3cret" not in str(found)
    assert (found["outcome"], found["exit_code"], found["run_id"]) == ("failed", 3, "17")
    assert found["place"]["allocation"] == ALLOCATION
    assert found["stdout"] == {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    assert found["stdin"] == {"bytes": 2, "sha256": "ab"}
    assert found["started"] == START.isoformat()


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_markdown_holds_any_output(text: str) -> None:
    """Whatever backticks are in it, the fence around the output is longer."""
    made = result(("stdout", text.encode()), command=("echo", text))
    shown = "\n".join(made.lines)
    markdown = made.markdown()
    fence = re.search(r"^(`{3,})text$", markdown, re.MULTILINE)
    assert fence or not shown
    if fence:
        assert f"\n{shown}\n{fence[1]}\n" in markdown
        assert fence[1] not in shown


def test_a_body_leaves_its_size_and_hash() -> None:
    """And the line that repeats the run wants it again."""
    facts = dict(Record(result(stdin=(12, "ff"))).facts())
    assert facts["stdin"] == "12 bytes, SHA-256 ff"
    assert facts["again"].endswith("health-check < STDIN")


def test_plain_urls_are_links() -> None:
    """Those of the web alone, without the punctuation behind them; their colour stays."""
    html = shown_html(
        "see http://a.b/c?d=1&e=2. and (https://x.y), javascript://z \x1b[31mhttps://r\x1b[m"
    )
    assert re.findall(r'<a href="([^"]*)"', html) == [
        "http://a.b/c?d=1&amp;e=2",
        "https://x.y",
        "https://r",
    ]
    assert "</a>. and (" in html


def test_a_run_that_never_began_has_a_record_too() -> None:
    """With what is known, and no empty rows."""
    made = result(outcome=Outcome.NOT_STARTED, reason="nothing answered", place=Place(address="a"))
    assert made.record().split("\n") == [
        "✖ health-check · not started: nothing answered",
        "  agent   a",
        "  stdout  nothing",
        "  stderr  nothing",
        "  again   nomad job action -job=cache -group=redis -task=server health-check",
    ]


def test_what_the_disk_did_not_take_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record never passes a part off as the whole."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    made = result()
    made.transcript._memory = 4
    made.transcript.write("stdout", b"1234")
    made.transcript.write("stdout", b"5678")
    assert "  lost        4 bytes: the disk took no more" in made.record().split("\n")


def test_a_long_output_is_shown_by_its_ends() -> None:
    """With a notice that says how much is missing and where it is."""
    line = b"%06d\n"
    count = 2 * WHOLE_BYTES // 7
    made = result(("stdout", b"".join(line % number for number in range(count))))
    shown = record_output(made)
    notice = shown.index(left_out(7 * count - 2 * END_BYTES))
    assert shown[:3] == ["000000", "000001", "000002"]
    assert shown[-1] == f"{count - 1:06}"
    assert sum(map(len, shown[:notice])) + notice <= END_BYTES + 1
    assert sum(map(len, shown[notice + 1 :])) + len(shown) - notice <= END_BYTES + 2
    assert "left out here" in made.record()
    assert len(made.lines) == count


def test_an_output_that_just_fits_is_shown_whole() -> None:
    """No notice where nothing is missing."""
    data = b"x" * 63 + b"\n"
    made = result(("stdout", data * (WHOLE_BYTES // 64)))
    assert record_output(made) == ["x" * 63] * (WHOLE_BYTES // 64)


# Nothing secret


def test_no_token_is_in_anything_that_is_shown_or_saved(tmp_path: Path) -> None:
    """Although the action printed it in pieces, and the address and the reason hold it."""
    made = result(
        ("stdout", f"NOMAD_TOKEN={TOKEN[:7]}".encode()),
        ("stderr", b"between\n"),
        ("stdout", f"{TOKEN[7:]}\n".encode()),
        ("stderr", f"\x1b[1m{TOKEN}\x1b[0m\n".encode()),
        outcome=Outcome.LOST,
        reason=f"no answer to {TOKEN}",
        place=Place(job="j", address=f"http://{TOKEN}/", allocation=TOKEN),
        command=("echo", TOKEN),
        command_line=f"nomad job action -token={TOKEN} a",
        notices=[f"ignored: {TOKEN}"],
        masker=Masker([TOKEN]),
    )
    saved = made.save(tmp_path / "out").read_bytes().decode()
    shown = [made.record(), repr(made), str(made), saved, str(made._repr_mimebundle_())]
    assert all(MASK in text for text in shown)
    assert all(TOKEN not in text for text in shown)
    assert TOKEN in made.stdout, "the bytes themselves are the user's"
    assert TOKEN.encode() in made.stderr_bytes


def test_text_lines_and_json_are_masked() -> None:
    """What is shown is masked, whether it goes through the terminal or not."""
    data = json.dumps({"token": TOKEN}).encode()
    for stderr in (b"", b"message\n"):
        made = result(("stderr", stderr), ("stdout", data), masker=Masker([TOKEN]))
        assert made.json() == {"token": MASK}
        assert TOKEN not in made.text
        assert TOKEN not in "".join(made.lines)


@pytest.mark.parametrize("shift", range(0, len(TOKEN) + 1, 4))
@pytest.mark.parametrize("between", [b"", b"WAIT\n"])
def test_a_secret_that_a_cut_runs_through_is_not_shown_in_part(shift: int, between: bytes) -> None:
    """At the end of the head and at the beginning of the tail, with the other stream between."""
    begin, end = TOKEN.encode()[:18], TOKEN.encode()[18:]
    made = result(
        ("stdout", b"." * (END_BYTES - shift) + begin),
        ("stderr", between),
        ("stdout", end + b"," * WHOLE_BYTES + begin),
        ("stderr", between),
        ("stdout", end + b"=" * (END_BYTES - len(TOKEN) - len(between) + shift)),
        masker=Masker([TOKEN]),
    )
    notice = left_out(made.transcript.size - 2 * END_BYTES)
    head, _, tail = "".join(record_output(made)).partition(notice)
    assert head.startswith("...")
    assert tail.endswith("===")
    for part in (head, tail):
        assert set(part.replace(MASK, "")) <= set(".=,WAIT")


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=20))))
def test_any_output_has_a_record(pieces: list[tuple[StreamName, bytes]]) -> None:
    """Whatever bytes an action writes, nothing is raised and all of it can be printed."""
    made = result(*pieces, masker=Masker([TOKEN]))
    made.record().encode()
    made.text.encode()
    assert "\x1b" not in made.text


def test_the_repr_is_short_and_one_line() -> None:
    """For a list of results in a notebook."""
    made = result(
        ("stdout", b"x\ny\n" * 10_000),
        outcome=Outcome.LOST,
        reason="failed to exec into task: one\ntwo",
        notices=["a\nb"],
        command=("sh", "-c", "a\nb"),
    )
    assert repr(made) == (
        "<ActionResult health-check of cache / redis / server: connection lost after 0.00 s: one; "
        "the process may still run in allocation fc878e9e on node vm; "
        "40000 bytes of stdout, 0 bytes of stderr>"
    )
    assert "an unknown task" in repr(result(place=Place()))


# The output of odd runs, as the record's HTML has it


def output_html(made: ActionResult) -> str:
    """What stands between the record's `<pre>` and its end; nothing without output."""
    return made._repr_mimebundle_()["text/html"].partition("<pre ")[2].partition("</pre>")[0]


def shown_html(text: str | bytes, **named: Any) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return output_html(result(("stdout", data), **named)).partition(">")[2]


def test_a_run_without_output_has_no_empty_window() -> None:
    """Nothing printed, nothing shown; also where all of it was blank or invisible."""
    for made in (result(), result(("stdout", b"\r\n\x1b[2J\x1b]0;title\x07"))):
        assert output_html(made) == ""
        assert "<pre" not in made._repr_mimebundle_()["text/html"]


def test_stderr_alone_is_the_output() -> None:
    """A message on stderr stands where output stands."""
    assert output_html(result(("stderr", b"cache is cold\n"))).endswith(">cache is cold</span>")


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("progress bar", "[########################################] 100%"),
        ("curl -#", "#" * 53 + " 100.0%"),
        ("wget", "2026-11-24 02:05:34 (255 KB/s) - \u2018cache.bin\u2019 saved [400000/400000]"),
        ("apt-get install", "Setting up redis-tools (1.0) ..."),
        ("watch -n 0.5", "^[01;34mconfigs^[0m"),
        ("watch -c interrupted", "日本語.txt"),
        (
            "top -n2",
            "    1 root      20   0   44880  15136   6412 S   0.0   0.1   0:28.40 process_a+",
        ),
    ],
)
def test_what_a_program_drew_stays_as_it_was_last(name: str, last: str) -> None:
    """A bar at its end, and the last screen of a program that took the whole of it."""
    cases = json.loads((DATA / "terminal" / "cases.json").read_text(encoding="utf-8"))
    (case,) = (case for case in cases if case["name"] == name)
    made = result(("stdout", case["input"].encode()), tty=True, width=case["width"])
    assert record_output(made)[-1] == last


def test_binary_output_is_text_without_controls() -> None:
    """What is no UTF-8 is seen as U+FFFD; no control character gets into a notebook."""
    html = shown_html(bytes(range(256)))
    assert "\ufffd" in html
    assert not any((c < " " and c != "\n") or "\x7f" <= c <= "\x9f" for c in html)
    assert shown_html(b"caf\xe9\n\xc3") == "caf\ufffd\n\ufffd"


def test_wide_and_combining_characters_stay_as_they_are() -> None:
    """Nothing comes between them but boxes, also where they reach the edge of the terminal."""
    text = "日本語 e\u0301 \U0001f469\u200d\U0001f680 ❤\ufe0f "
    shown = shown_html(text * 20 + "|", tty=True, width=79)
    assert re.sub("</?span[^>]*>", "", shown) == text * 20 + "|"


def test_what_another_font_may_draw_stands_in_a_box_as_wide_as_its_cells() -> None:
    """A sign alone, wide letters some together, and nothing of what is plain."""
    box = '<span style="display:inline-block;white-space:pre;width:{}ch">{}</span>'.format
    assert shown_html("a ✅ 🇨🇭") == f"a {box(2, '✅')} {box(2, '🇨🇭')}"
    assert shown_html("✔ ⚠\ufe0f") == box(1, "✔") + " " + box(2, "⚠\ufe0f")
    assert shown_html("語" * 10) == box(16, "語" * 8) + box(4, "語" * 2)
    assert shown_html("é ü € e\u0301 → ┌─┐ © ﾊ") == "é ü € e\u0301 → ┌─┐ © ﾊ"


def test_right_to_left_words_leave_the_rest_in_its_place() -> None:
    """They are kept apart, and what turns other text around is left out."""
    assert shown_html("a: שלום עולם = 42 <ms>") == "a: <bdi>שלום עולם</bdi> = 42 &lt;ms&gt;"
    assert shown_html("\u202eevil\u202c \u2067iso") == "evil iso"


def test_only_links_to_the_web_are_links() -> None:
    """With a colour that reads on white and on black; the target cannot leave its attribute."""
    html = shown_html('\x1b]8;;https://a.b/?q="onclick=x\x07here\x1b]8;;javascript:x\x07 there')
    assert html.startswith('<a href="https://a.b/?q=&quot;onclick=x" target="_blank"')
    assert "color:" in html
    assert html.endswith(">here</a> there")


def test_the_clipboard_is_left_alone() -> None:
    """OSC 52 is neither done nor shown."""
    assert shown_html("a\x1b]52;c;c2VjcmV0\x07b") == "ab"


def test_markup_is_text() -> None:
    """HTML that an action prints is shown, not read."""
    html = shown_html("</pre><script>x()</script><img src=x onerror='x()'>&amp;")
    assert html == (
        "&lt;/pre&gt;&lt;script&gt;x()&lt;/script&gt;&lt;img src=x onerror=&#x27;x()&#x27;&gt;"
        "&amp;amp;"
    )


def test_text_on_a_background_like_itself_can_be_read() -> None:
    """As in the live view, whatever the action's colours are."""
    for fg, bg in [(31, 41), (33, 43), (97, 107), (37, 42), (34, 44)]:
        style = shown_html(f"\x1b[{fg};{bg}mx").partition('"')[2].partition('"')[0]
        colours = dict(part.split(":") for part in style.split(";"))
        luminances = sorted(
            _luminance(tuple(bytes.fromhex(colours[name][1:]))) for name in ("color", "background")
        )
        assert (luminances[1] + 0.05) / (luminances[0] + 0.05) >= CONTRAST


# Words


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (0, "0.00 s"),
        (0.124, "0.12 s"),
        (1, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599, "59 min 59 s"),
        (3599.7, "1 h 0 min"),
        (3720, "1 h 2 min"),
        (100_000, "27 h 46 min"),
    ],
)
def test_a_duration_is_said_in_two_units_at_most(duration: float, words: str) -> None:
    """And never as sixty of one."""
    assert seconds(duration) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (9999, "9999 bytes"),
        (10_000, "10,000 bytes (10.0 kB)"),
        (52_428_800, "52,428,800 bytes (52.4 MB)"),
        (5 * 10**15, "5,000,000,000,000,000 bytes (5000.0 TB)"),
    ],
)
def test_a_size_is_exact(count: int, words: str) -> None:
    """And readable when it is large."""
    assert size(count) == words


def test_an_instant_has_milliseconds_and_its_zone() -> None:
    """An incident spans zones."""
    assert instant(START) == "2026-11-23 17:16:12.345+01:00"
