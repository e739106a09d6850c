"""Tab in the lines of our magics, as a front end asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.completer import Completion, provisionalcompleter, rectify_completions
from IPython.terminal.ptutils import IPythonPTCompleter
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from support.cells import environment
from support.loops import listening
from support.ports import free_port
from support.scripted import answer, scripted

from nomad_magic.line.grammar import GRAMMARS
from nomad_magic.nomad import vocabulary
from nomad_magic.notebook import completion
from nomad_magic.notebook.magics import NomadMagics
from nomad_magic.running import loop

if TYPE_CHECKING:
    from pathlib import Path

    from support.cells import Shell
    from support.nomads import Agent
    from support.scripted import Script


class Offered(NamedTuple):
    """What Tab has at a cursor."""

    lines: list[str]
    """The text with each of them in it."""
    texts: list[str]
    about: list[str | None]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether an answer comes is asked here; how soon, `benchmarks/bench_catalogue.py` measures."""
    monkeypatch.setattr(completion, "SECONDS", 30.0)
    loop.get().call_soon_threadsafe(vocabulary.forget)


def raw(shell: Shell, text: str) -> tuple[str, int, list[Completion]]:
    """Press Tab at the ^, or at the end."""
    before, _, after = text.partition("^")
    whole = before + after
    with provisionalcompleter():
        found = list(shell.ipython.Completer.completions(whole, len(before)))
        return whole, len(before), list(rectify_completions(whole, iter(found)))


def tab(shell: Shell, text: str) -> Offered:
    whole, cursor, found = raw(shell, text)
    assert all(one.start <= cursor == one.end for one in found)
    assert {one._origin for one in found} <= {"nomad_magic.completion"}
    return Offered(
        [whole[: one.start] + one.text + whole[one.end :] for one in found],
        [one.text for one in found],
        [one.type for one in found],
    )


JOBS = ["cache", "cache-two", "ends", "nightly"]

# The line, and what Tab has there.
VALUES: list[tuple[str, list[str]]] = [
    ("%nomad_action -job=", JOBS),
    ("%nomad_action -job=cac", ["cache", "cache-two"]),
    ("%nomad_action -job cac", ["cache", "cache-two"]),
    ("%nomad_action --job=cac", ["cache", "cache-two"]),
    ("%nomad_action -group=single -job=", ["cache"]),
    ("%nomad_action -job=^ -group=single -task=only hello", ["cache"]),
    ("%nomad_action -job=cache -group=", ["redis", "single"]),
    ("%nomad_action -group=r", ["redis"]),
    ("%nomad_action -job=cache -task=only -group=", ["single"]),
    ("%nomad_action -job=cache -group=^ flood", ["redis"]),
    ("%nomad_action -job=cache-t -group=", ["g"]),
    ("%nomad_action -job=cache -task=", ["server", "sidecar", "only"]),
    ("%nomad_action -job=cache -group=redis -task=", ["server", "sidecar"]),
    ("%nomad_action -job=cache -group=redis -task=s", ["server", "sidecar"]),
    ("%nomad_action -job=cache -group=redis -task=sidecar h", ["hello"]),
    ("%nomad_action -job=cache -group=redis -task=server fl", ["flood", "flood500"]),
    ("%nomad_action -job=cache -group=redis -task=server -t fl", ["flood", "flood500"]),
    ("%nomad_action -job=cache fl", ["flood", "flood500"]),
    ("%nomad_action -namespace=", ["default", "'*'"]),
    ("%nomad_action -job=cache -namespace=d", ["default"]),
    ("%nomad_action -region=", ["global"]),
    ("%nomad job action -job=nig", ["nightly"]),
    ("%nomad action -job=nig", ["nightly"]),
    ("%nomad_action_all -job=cache -group=redis fl", ["flood", "flood500"]),
    ("%nomad_actions -job=cache fl", ["flood", "flood500"]),
    ("%%nomad_action -job=nig", ["nightly"]),
    ("%%nomad_action_all -job=nig", ["nightly"]),
    ("\n\n%%nomad -job=nig", []),
    ("r = %nomad_action -job=nig", ["nightly"]),
    ("r: Any = %nomad_action -job=nig", ["nightly"]),
    ("a.b['c'] = %nomad_action -job=nig", ["nightly"]),
    ("for x in y:\n    %nomad_action -job=nig", ["nightly"]),
    ("for x in y:\n\tr = %nomad_action -job=nig^ -t\nprint(r)", ["nightly"]),
    ("%nomad_action -job=cache \\\n  -group=si", ["single"]),
    ("%nomad_action -job=^ \\\n  -group=single", ["cache"]),
    ("%%nomad_action -job=cache \\\n  -group=si", ["single"]),
    ("nomad_action -job=nig", ["nightly"]),
    ("%nomad_action -job='nig", ["'nightly'"]),
    ('%nomad_action -job="nig', ['"nightly"']),
    ("%nomad_action '-job=nig", ["'-job=nightly'"]),
    ("%nomad_action -job=$known -group=si", ["single"]),
    ("%nomad_action -job={known} -group=si", ["single"]),
    ("%nomad_action -job={known + ''} -group=si", []),
    ("%nomad_action -job=nope -group=", []),
    ("%nomad_action -job=cache -group=redis -task=server hello x", []),
    ("%nomad_action -nope=", []),
    ("%nomad_action -token=", []),
    ("%nomad_action ]", []),
    ("%nomad_action | ", []),
    ("%nomad_agent st", ["start", "stop", "status"]),
    ("%nomad ", ["job action", "action"]),
    ("%nomad_action $know", ["known"]),
    ("%nomad_action {know", ["known"]),
    ("%nomad_action {known.", []),
]  # fmt: skip


@pytest.mark.parametrize(("line", "texts"), VALUES, ids=[line for line, _ in VALUES])
def test_what_there_is(shell: Shell, named_agent: Agent, line: str, texts: list[str]) -> None:  # noqa: ARG001 - it is named
    """In every form of a line, narrowed by what it says, and nothing of other completers."""
    shell.ipython.user_ns["known"] = "cache"
    assert sorted(tab(shell, line).texts) == sorted(texts)


def test_what_is_offered_says_what_it_is(shell: Shell, named_agent: Agent) -> None:  # noqa: ARG001 - it is named
    """Flags their help, values their state, where the front end has a place for it."""
    flags = tab(shell, "%nomad_action -")
    assert dict(zip(flags.texts, flags.about, strict=True))["-job="] == (
        "The job that defines the action: its id, or the beginning of it"
    )
    assert tab(shell, "%nomad_action -job=cache -group=").about == ["3 running", "1 running"]
    assert tab(shell, "%nomad_action -job=cache -group=redis -task=sidecar h").about == [
        "/bin/echo 'from sidecar'"
    ]


def test_an_allocation_is_offered_by_the_beginning_of_its_id(
    shell: Shell, named_agent: Agent
) -> None:
    """Those that run, with their names, narrowed by group; a longer beginning gets the whole id."""
    redis = named_agent.allocations("cache", "redis")
    found = tab(shell, "%nomad_action -job=cache -group=redis -alloc=")
    assert sorted(found.texts) == sorted(one[:8] for one in redis)
    assert all(about and about.startswith("cache.redis[") for about in found.about)
    (whole,) = tab(shell, f"%nomad_action -job=cache -alloc={redis[0][:9]}").texts
    assert whole == redis[0]
    assert redis[0][:8] in tab(shell, f"%nomad_action -alloc={redis[0][:3]}").texts
    (single,) = named_agent.allocations("cache", "single")
    line = f"%nomad_action -job=cache -alloc={single} -task="
    assert tab(shell, line).texts == ["only"]


def test_from_nothing_to_a_line_that_runs(shell: Shell, named_agent: Agent) -> None:  # noqa: ARG001 - it is named
    """Tab after Tab, taking the first of what is there, and never a letter of a value."""
    line = "%nomad_action "
    for _ in range(3):
        line = tab(shell, line).lines[0]
        line = tab(shell, line).lines[0] + " "
    line = tab(shell, line).lines[0]
    assert line == "%nomad_action -job=cache -group=redis -task=server hello"
    assert shell.run(line).error is None


def test_every_magic_of_ours_has_its_grammar() -> None:
    """A magic without one would be completed as Python."""
    assert {*NomadMagics.magics["line"], *NomadMagics.magics["cell"]} <= set(GRAMMARS)


def test_where_a_word_may_begin_flags_are_offered_too(shell: Shell, named_agent: Agent) -> None:  # noqa: ARG001 - it is named
    """Behind the actions; before them as long as the line needs some."""
    whole = tab(shell, "%nomad_action -job=cache -group=redis -task=sidecar ").texts
    assert whole[:2] == ["hello", "-alloc="]
    needy = tab(shell, "%nomad_action -job=cache ").texts
    assert needy[:2] == ["-group=", "-task="]
    assert "flood" in needy
    assert tab(shell, "%nomad_action_all -job=cache ").texts[0] == "hello"


def test_files_are_offered_where_a_file_belongs(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and folders for certificates, folders for one of them, job files for an agent."""
    for name in ("a.pem", "b c.pem", "x.nomad.hcl", ".hidden", "z.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    everything = ["'b c.pem'", "a.pem", "folder/", "x.nomad.hcl", "z.txt"]
    assert sorted(tab(shell, "%nomad_action -ca-cert=").texts) == everything
    assert tab(shell, "%nomad_action -client-key b").texts == ["'b c.pem'"]
    assert tab(shell, "%nomad_action -ca-path=").texts == ["folder/"]
    assert tab(shell, f"%nomad_action -ca-cert={tmp_path}/a").texts == [f"{tmp_path}/a.pem"]
    assert tab(shell, "%nomad_action -ca-cert=.h").texts == [".hidden"]
    assert tab(shell, "%nomad_agent start -var-file=a").texts == ["a.pem"]
    assert tab(shell, "%nomad_agent start x.hcl ").texts[:3] == ["folder/", "x.nomad.hcl", "-var="]
    assert tab(shell, "%nomad_action -ca-cert=nope/").texts == []


@pytest.mark.parametrize(
    "text", ["nomad = 3", "nomad.", "%time", "import o", "%nomad_act", "%%nomad_action x\nimport o"]
)
def test_other_lines_are_left_to_others(shell: Shell, text: str) -> None:
    """Python, other magics, and what is no line of ours although it is in the same cell."""
    shell.ipython.user_ns["nomad"] = "text"
    try:
        _, _, found = raw(shell, text)
    finally:
        del shell.ipython.user_ns["nomad"]
    assert "nomad_magic.completion" not in {one._origin for one in found}


# Another cluster, or none


def jobs(*names: str) -> Any:
    return answer(json.dumps([{"ID": name, "Status": "running"} for name in names]))


def test_the_cluster_is_the_one_that_the_line_names(
    shell: Shell,
    named_agent: Agent,  # noqa: ARG001 - it is named, and not asked
    script: Script,
) -> None:
    """Before the environment's, also where the flag stands behind the cursor."""
    script.answers["/v1/jobs"] = jobs("elsewhere")
    assert tab(shell, f"%nomad_action -address={script.address} -job=").texts == ["elsewhere"]
    assert tab(shell, f"%nomad_action -job=^ -address={script.address}").texts == ["elsewhere"]
    shell.ipython.user_ns["address"] = script.address
    assert tab(shell, "%nomad_action -address=$address -job=").texts == ["elsewhere"]
    # Which one it is is not known: neither is asked.
    before = len(script.requests)
    assert tab(shell, "%nomad_action -address={address.strip()} -job=").texts == []
    assert len(script.requests) == before


def test_a_question_is_asked_once_for_some_seconds(shell: Shell, script: Script) -> None:
    """However often Tab is pressed, with more of the word each time; of each token anew."""
    script.answers["/v1/jobs"] = jobs("cache", "cart")
    line = f"%nomad_action -address={script.address} -job="
    for typed in ("", "c", "ca", "cac", ""):
        assert tab(shell, line + typed).texts[0] == "cache"
    assert len(script.requests) == 1
    tab(shell, f"%nomad_action -token=other -address={script.address} -job=")
    assert len(script.requests) == 2


def test_of_very_many_jobs_those_are_asked_for_that_begin_so(shell: Shell, script: Script) -> None:
    """A page of them is enough for a list; what was typed leads to the others."""
    script.answers["/v1/jobs"] = jobs(*(f"a{n}" for n in range(vocabulary.MOST_JOBS)))
    line = f"%nomad_action -address={script.address} -job="
    assert len(tab(shell, line).texts) == vocabulary.MOST_JOBS
    script.answers["/v1/jobs"] = jobs("zoo")
    assert tab(shell, line + "z").texts == ["zoo"]
    assert "prefix=z" in script.requests[-1].split("?")[1].split("&")


def test_no_token_is_in_what_is_kept_or_offered(shell: Shell, script: Script) -> None:
    """Neither in a key nor in a text; a job that is called like it is not offered."""
    secret = "s3cret-t0ken"
    script.answers["/v1/jobs"] = jobs("cache", f"job-{secret}")
    with environment({"NOMAD_ADDR": script.address, "NOMAD_TOKEN": secret}):
        assert tab(shell, "%nomad_action -job=").texts == ["cache"]
        line = f"%nomad_action -token={secret} -namespace=x -job="
        assert tab(shell, line).texts == ["cache"]
    assert vocabulary._kept
    assert secret not in repr(vocabulary._kept)
    assert secret.encode() not in repr(vocabulary._kept).encode()


@pytest.mark.parametrize("where", ["nothing listens", "hangs up", "no HTTP", "refuses", "nonsense"])
def test_where_no_cluster_answers_nothing_is_said(
    shell: Shell, where: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """No offer, no word, no log, and nothing of Python's or of the folder's in its place."""

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"-ERR\r\n\r\n")
        writer.close()

    caplog.set_level("DEBUG")
    with listening(hang_up) as closing, listening(talk) as talking, scripted() as script:
        refusal = answer("Permission denied", 403, kind="text/plain")
        script.answers["/v1/"] = refusal if where == "refuses" else answer("[{}, 3]")
        address = {
            "nothing listens": f"http://127.0.0.1:{free_port()}",
            "hangs up": f"http://{closing}",
            "no HTTP": f"http://{talking}",
        }.get(where, script.address)
        with environment({"NOMAD_ADDR": address}):
            for line in ("-job=", "-job=a -group=", "-job=a -alloc=", "-namespace=", "-region="):
                wanted = ["'*'"] if line == "-namespace=" else []
                assert tab(shell, f"%nomad_action {line}").texts == wanted
    assert capfd.readouterr() == ("", "")
    said = [one for one in caplog.records if not one.name.startswith("websockets.server")]
    assert [one.getMessage() for one in said if "selector" not in one.getMessage()] == []


@pytest.mark.parametrize(
    "environ",
    [
        {"NOMAD_ADDR": "http://127.0.0.1:notaport"},
        {"NOMAD_ADDR": "gopher://x"},
        {"NOMAD_ADDR": "https://127.0.0.1:1", "NOMAD_CACERT": "/nonexistent"},
        {"NOMAD_ADDR": "http://127.0.0.1:1", "NOMAD_TOKEN": "a\nb"},
    ],
)
def test_settings_that_cannot_be_used_have_no_offers(
    shell: Shell, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """The run says what is wrong with them; Tab does not."""
    with environment(environ):
        assert tab(shell, "%nomad_action -job=").texts == []
        assert tab(shell, "%nomad_action -jo").texts == ["-job="]
    assert capfd.readouterr() == ("", "")


def test_an_answer_that_is_late_is_there_for_the_next_tab(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is offered meanwhile, nothing is asked twice, and nobody waits."""
    asked, speak = threading.Event(), threading.Event()
    heads: list[bytes] = []
    body = json.dumps([{"ID": "cache", "Status": "running"}]).encode()

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        asked.set()
        await asyncio.to_thread(speak.wait, 30)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    with listening(hesitate) as where:
        line = f"%nomad_action -address=http://{where} -job="
        monkeypatch.setattr(completion, "SECONDS", 0.01)
        assert tab(shell, line).texts == []
        assert asked.wait(30)
        assert tab(shell, line).texts == []
        speak.set()
        monkeypatch.setattr(completion, "SECONDS", 30.0)
        assert tab(shell, line).texts == ["cache"]
    assert len(heads) == 1


PIECES = st.sampled_from(
    [
        *"ab-= '\"\\$~#{}[]().|&%\n\t^é𝄞",
        *(
            "%nomad_action ",
            "%%nomad ",
            "r = ",
            "-job=",
            "-group ",
            "{x}",
            "\\\n",
            "action ",
            "\r\n",
        ),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join), st.data())
def test_no_text_is_too_odd(shell: Shell, text: str, data: st.DataObject) -> None:
    """A completer that raised would print it where one types; the range ends at the cursor."""
    cursor = data.draw(st.integers(0, len(text)))
    row = text.count("\n", 0, cursor)
    column = cursor - (text.rfind("\n", 0, cursor) + 1)
    found = completion._find(text, row, column)
    if found is None:
        return
    assert text[:cursor].endswith(found.before)
    assert text[cursor:].startswith(found.after)
    ours = shell.ipython.Completer.custom_matchers[-1]
    context = Context(text, row, column)
    with environment({"NOMAD_ADDR": "http://127.0.0.1:1"}):
        result = ours(context)
    assert text[:cursor].endswith(result["matched_fragment"])
    for one in result["completions"]:
        assert one.text


class Context(NamedTuple):
    """What a matcher is handed, as far as ours looks at it."""

    full_text: str
    cursor_line: int
    cursor_position: int


def test_ipythons_terminal_shows_it_with_its_help(shell: Shell, named_agent: Agent) -> None:  # noqa: ARG001 - it is named
    """By its own adapter: what is inserted, from where on, and what stands beside it."""
    adapter = IPythonPTCompleter(ipy_completer=shell.ipython.Completer)

    def press(line: str) -> list[tuple[str, int, str]]:
        found = adapter.get_completions(Document(line), CompleteEvent(completion_requested=True))
        return [(one.text, one.start_position, one.display_meta_text) for one in found]

    assert press("r = %nomad_action -gr") == [
        ("-group=", -3, "The task group; one of its running allocations is taken")
    ]
    assert press("%nomad_action -job=nig") == [("nightly", -3, "dead")]
    assert press("%nomad_action -job=cache -group=redis -task=sidecar h") == [
        ("hello", -1, "/bin/echo 'from sidecar'")
    ]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_the_older_interface_has_the_same(shell: Shell, named_agent: Agent) -> None:  # noqa: ARG001 - it is named
    """That of readline, which front ends without the newer one use."""
    line = "%nomad_action -job=nig"
    assert shell.ipython.Completer.complete(line_buffer=line, cursor_pos=len(line))[1] == [
        "nightly"
    ]


def test_tab_on_several_threads_at_once(shell: Shell, named_agent: Agent) -> None:  # noqa: ARG001 - it is named
    """A kernel with subshells may be asked so."""
    line = "%nomad_action -job="
    found: list[list[str]] = []

    def press() -> None:
        result = shell.ipython.Completer.custom_matchers[-1](Context(line, 0, len(line)))
        found.append(sorted(one.text for one in result["completions"]))

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [JOBS] * 4
