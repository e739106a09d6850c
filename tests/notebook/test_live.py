"""The live view without a browser: what it sends to a page, and what it hears from one.

A kernel runs the cell; this test is the front end at the other end of its messages.  What a
person sees of it is tested in `tests/browser`.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.page import SECONDS

import nomad_magic
from nomad_magic.notebook.live import contract

if TYPE_CHECKING:
    from support.page import Page

SERVER = "-job=cache -group=redis -task=server"


def started(page: Page) -> None:
    page.until(lambda: page.comm, "the widget")
    page.send({"type": "ready"})
    page.until(lambda: page.state.get("phase") == "running", "the session is open")
    page.until(lambda: page.custom, "a snapshot")


def test_a_click_stops_a_silent_action(page: Page) -> None:
    """Stop ends the process of a cell that waits, and is no error."""
    page.run(f"r = %nomad_action {SERVER} quiet\nprint(r.exit_code)")
    started(page)
    assert page.state["rung"] == "interrupt"
    assert page.state["pumped"] is True
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    assert page.error == ""
    record = page.shown[page.order[1]]
    assert "interrupted (exit 130) after" in record["text/plain"]
    assert set(record) == {"text/plain", "text/html"}


def test_each_press_climbs_a_rung_and_the_label_says_which(page: Page) -> None:
    """Stop, Force stop: what ignores the first is ended by the second."""
    page.run(f"%nomad_action {SERVER} -t stubborn")
    started(page)
    page.send({"type": "stop", "rung": "interrupt"})
    page.until(lambda: page.state["rung"] == "quit", "the second rung")
    page.send({"type": "stop", "rung": "quit"})
    page.until(lambda: page.idle or page.state["rung"] == "disconnect", "the last rung")
    if not page.idle and "exit" not in page.state.get("status", ""):
        page.finish()
    assert "(exit 131)" in page.shown[page.order[1]]["text/plain"]


def test_without_a_terminal_a_signal_is_sent(page: Page) -> None:
    """The button says so, then what comes next, and the record what was done."""
    page.run(f"%nomad_action {SERVER} -t=false stubborn")
    started(page)
    assert page.state["rung"] == "signal"
    page.send({"type": "stop", "rung": "signal"})
    page.until(lambda: page.state["rung"] == "kill" and page.state["deed"], "the next rung")
    assert page.state["deed"].startswith("SIGINT sent to process ")
    page.send({"type": "stop", "rung": "kill"})
    page.finish()
    record = page.shown[page.order[1]]["text/plain"]
    assert "interrupted (exit 137)" in record
    assert "SIGINT sent to process " in record
    assert "SIGKILL sent to process " in record


def test_without_reach_the_label_is_disconnect(page: Page) -> None:
    """The button says that it can only disconnect, and the record what that means."""
    page.run(f"%config NomadMagics.reach = False\n%nomad_action {SERVER} -t=false forever")
    started(page)
    assert page.state["rung"] == "disconnect"
    page.send({"type": "stop", "rung": "disconnect"})
    page.finish()
    assert "the process may still run in allocation" in page.shown[page.order[1]]["text/plain"]
    page.run("%config NomadMagics.reach = True")
    page.finish()


def test_all_output_arrives_in_order(page: Page) -> None:
    """A snapshot, then frames without a gap; the record holds the same."""
    page.run(f"%nomad_action {SERVER} utf8")
    page.until(lambda: page.comm, "the widget")
    page.send({"type": "ready"})
    page.finish()
    assert page.output().decode() == "été 🚀\r\n"
    assert page.shown[page.order[1]]["text/plain"].split("\n")[1:4] == ["", "été 🚀", ""]
    assert page.states[page.comm]["phase"] == "ended"


def test_a_late_page_gets_what_came_before(page: Page) -> None:
    """A second page, in mid-run, sees the whole tail and can stop."""
    page.run(f"%nomad_action {SERVER} forever")
    started(page)
    page.until(lambda: b"tick 3" in page.output(), "three ticks")
    page.name = "page-2"
    page.custom.clear()
    page.send({"type": "ready"})
    page.until(
        lambda: any(said.get("client") == "page-2" for said, _ in page.custom), "its snapshot"
    )
    assert page.output().startswith(b"tick 1\r\ntick 2\r\ntick 3")
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()


def test_a_page_without_the_views_code_asks_for_it(page: Page) -> None:
    """A front end that restored the action's model alone gets the code by the same way.

    Before and after the end: the page that asks is not one that shows the output yet.
    """
    page.run(f"%nomad_action {SERVER} forever")
    started(page)
    held = (Path(nomad_magic.__file__).parent / "notebook/static/view.js").read_text()

    def answers() -> list[dict[str, Any]]:
        return [said for said, _ in page.custom if said["type"] == "code"]

    for again in (False, True):
        page.custom.clear()
        page.send({"type": "code"})
        page.until(answers, "the code")
        assert [said["code"] for said in answers()] == [held]
        assert answers()[0]["version"]
        if not again:
            page.send({"type": "stop", "rung": "interrupt"})
            page.finish()


def test_a_gap_is_filled_by_a_snapshot(page: Page) -> None:
    """A page that lost a message asks, and gets everything."""
    page.run(f"%nomad_action {SERVER} forever")
    started(page)
    page.until(lambda: b"tick 2" in page.output(), "two ticks")
    page.custom.clear()
    page.send({"type": "ready"})
    page.until(lambda: page.output().startswith(b"tick 1"), "the snapshot")
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()


def test_a_page_that_does_not_acknowledge_gets_no_more_than_the_window(page: Page) -> None:
    """A slow page is not flooded, and the action ends all the same."""
    page.acknowledge = False
    page.run(f"r = %nomad_action {SERVER} -t=false flood")
    started(page)
    page.finish()
    live = [said for said, _ in page.custom if said["type"] == "output"]
    assert sum(said["skipped"] for said in live) > 40_000_000
    assert page.shown[page.order[1]]["text/plain"].count("left out here") == 1


def test_a_flood_is_shown_in_small_looks(page: Page) -> None:
    """Between two looks at a flood a page gets nothing, also where it flows slowly."""
    rest = "import nomad_magic.running.throttle\nbefore, nomad_magic.running.throttle.REST ="
    page.run(f"{rest} nomad_magic.running.throttle.REST, 20.0\n%nomad_action {SERVER} flood500")
    started(page)

    def shown_and_skipped() -> tuple[int, int]:
        """Return how many bytes came since the first frame that left something out, and did not."""
        live = [one for one in page.custom if one[0]["type"] == "output"]
        first = next((at for at, one in enumerate(live) if one[0]["skipped"]), len(live))
        flood = live[first:]
        return sum(len(data[0]) for _, data in flood), sum(said["skipped"] for said, _ in flood)

    page.until(lambda: shown_and_skipped()[1] > 5_000_000, "some looks at the flood")
    shown, skipped = shown_and_skipped()
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    page.run("nomad_magic.running.throttle.REST = before")
    page.finish()
    assert shown < skipped / 10


def test_typing_reaches_the_action(page: Page) -> None:
    """What is typed in the page's terminal goes to the pty; its size too."""
    page.run(f"%nomad_action {SERVER} cat")
    started(page)
    page.send({"type": "size", "rows": 30, "cols": 100})
    page.send({"type": "input", "data": "ping\r"})
    page.until(lambda: page.output().count(b"ping\r\n") == 2, "the echo")
    page.send({"type": "input", "data": "\x04"})
    page.finish()
    assert page.error == ""


def test_what_stands_above_tells_what_was_started_where(page: Page) -> None:
    """If the kernel dies in mid-run, the notebook shows what was started and where."""
    page.run(f"%nomad_action {SERVER} forever")
    started(page)
    page.until(lambda: "its end stands below" in page.above, "the head")
    above = page.above
    assert above.startswith("forever · started 2")
    assert " in allocation " in above
    assert "\n" not in above
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    assert page.above.startswith("forever → interrupted (exit 130) after ")


def test_the_record_comes_before_the_last_word_above_it(page: Page) -> None:
    """A front end that loses what comes last (VS Code, 2 of 20) has a line that is true."""
    page.run(f"%nomad_action {SERVER} forever")
    started(page)
    page.until(lambda: "its end stands below, or is not known" in page.above, "the head")
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    head, record = page.order
    assert page.displays[-2:] == [record, head]


def test_a_page_knows_what_to_leave_should_the_kernel_be_gone(page: Page) -> None:
    """What ran where, and that its end is not known; nothing is said of what came meanwhile."""
    page.run(f"%nomad_action {SERVER} forever")
    page.until(lambda: page.comm, "the widget")
    not_known = "whether the action was started is not known"
    page.until(lambda: not_known in text_of(page.state["draft"]), "what there is at first")
    started(page)
    page.until(lambda: "may still run" in text_of(page.state["draft"]), "where it runs")
    draft = page.state["draft"]
    assert draft["widget"] == page.comm
    assert draft["metadata"]["nomad_magic"]["outcome"] == "unknown"
    assert draft["metadata"]["nomad_magic"]["stdout"] is None
    for said in draft["record"].values():
        assert said.count(contract.DRAFT_OUTPUT) == 1
        assert "it may still run" in said
        assert "· allocation" in said
        assert "SHA-256" not in said
        assert "ended  " not in said
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()


def text_of(draft: dict[str, Any]) -> str:
    return str(draft.get("record", {}).get("text/plain"))


LINE = f"{SERVER} hello"


@pytest.mark.parametrize(
    "cell",
    [
        f"%nomad_action {LINE}",
        f"%nomad  job action   {LINE}",
        f"r = %nomad_action {LINE}",
        f"for _ in range(1):\n    %nomad_action {LINE}",
        f"%nomad_action {SERVER} \\\n    hello",
        f"%%nomad_action {SERVER} \\\n    hello\nthe body",
        f"s = %nomad_action {LINE} &\ns.wait(20)",
    ],
)
def test_a_line_that_ran_as_it_stands_in_the_cell_is_not_repeated(page: Page, cell: str) -> None:
    """What ran is to be read in the cell: above stands the action's name, and how it ended."""
    page.run(cell)
    page.until(lambda: page.order and " → " in page.above, "the end")
    page.finish()
    assert re.fullmatch(r"hello → exit 0 in [\d.]+ s", page.above)


@pytest.mark.parametrize(
    "cell",
    [
        "action = 'hello'\n%nomad_action " + SERVER + " $action",
        "for action in ['hello']:\n    %nomad_action " + SERVER + " {action}",
        "group = 'redis'\n%nomad_action -job=cache -group=${group} -task=server hello",
        "%nomad_action -job={'cache'} -group=redis -task=server hello",
        "line = '" + SERVER + " ' + 'hello'\nget_ipython().run_line_magic('nomad_action', line)",
    ],
)
def test_a_line_that_ran_otherwise_than_it_stands_in_the_cell_is_shown(
    page: Page, cell: str
) -> None:
    """Expanded, or not in the cell at all: what ran can be read all the same."""
    page.run(cell)
    page.until(lambda: page.order and " → " in page.above, "the end")
    page.finish()
    assert page.above.startswith(f"$ nomad job action {SERVER} hello → exit 0 in ")


def test_the_kernel_is_busy_for_as_long_as_its_cell_runs(page: Page) -> None:
    """Whatever a page says in the meantime: a server that ends idle kernels would end the action.

    What counts is the last word on it: behind each idle stands busy again, at once.
    """
    page.run(f"%nomad_action {SERVER} quiet")
    started(page)
    page.statuses.clear()
    for count in range(20):
        page.send({"type": "size", "rows": 24, "cols": 80 + count})
    page.send({"type": "ready"})
    page.until(lambda: any(one["type"] == "snapshot" for one, _ in page.custom), "the answer")
    page.until(lambda: page.statuses.count(("busy", True)) >= 21, "all were heard")
    for before, after in itertools.pairwise(page.statuses):
        if before[0] == "idle":
            assert after == ("busy", True)
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    assert page.statuses[-1] == ("idle", True)


def test_a_front_end_without_widgets_gets_text(page: Page) -> None:
    """No page says a word: the output comes as text, with the reason; then the record, anew."""
    page.run(
        "from nomad_magic.notebook.live.pages import front_end\n"
        f"front_end.answered = False\n%nomad_action {SERVER} forever"
    )
    page.until(lambda: "tick 1" in page.text, "the output as text")
    assert page.text.count("so the output is shown as text") == 1
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    *_, record = page.shown_new
    assert record["text/plain"].startswith("■ forever · interrupted (exit 130)")
    assert "tick 1" not in record["text/plain"]
    assert page.shown[page.order[1]] == {"text/plain": "", "text/html": ""}


def test_a_run_that_is_over_before_any_page_has_answered_is_shown_anew(page: Page) -> None:
    """A front end that ignores updates shows it too, and none shows it twice."""
    page.run(
        "from nomad_magic.notebook.live.pages import front_end\n"
        f"front_end.answered = False\n%nomad_action {SERVER} hello"
    )
    page.finish()
    *_, record = page.shown_new
    assert "\n\nhello\n" in record["text/plain"]
    assert page.shown[page.order[1]] == {"text/plain": "", "text/html": ""}
    assert page.text == ""


def test_a_run_that_never_began_leaves_its_error_alone(page: Page) -> None:
    """Once: no card, and nothing of it above."""
    page.run(f"%nomad_action {SERVER.replace('cache', 'nope')} hello")
    page.until(lambda: page.error, "the error")
    page.finish()
    assert page.above == "hello → not started"
    assert page.shown[page.order[1]] == {"text/plain": "", "text/html": ""}
    assert "nope" not in page.text


@pytest.mark.parametrize("known", [(31, 117), None])
def test_the_pty_has_the_pages_size_from_its_first_frame(
    page: Page, known: tuple[int, int] | None
) -> None:
    """That which the kernel knows, or that which the page says before anything is asked."""
    page.run(
        "from nomad_magic.notebook.live.pages import front_end\n"
        f"front_end.size, front_end.asked, front_end.answered = {known}, False, True\n"
        "%nomad_action -job=ends -group=g -task=main first-size"
    )
    if known is None:
        page.until(lambda: page.comm, "the widget")
        page.send({"type": "size", "rows": 31, "cols": 117})
    page.finish()
    assert "31 117" in page.shown[page.order[1]]["text/plain"]


def test_cells_queued_behind_keep_their_order(page: Page) -> None:
    """Run All: what waits behind a stopped action runs after it, in order."""
    first = page.client.execute(f"%nomad_action {SERVER} quiet\nprint('one')", allow_stdin=True)
    page.request = first
    for number in ("two", "three"):
        page.client.execute(f"print('{number}')", allow_stdin=True)
    started(page)
    page.send({"type": "stop", "rung": "interrupt"})
    said = ""
    while not said.endswith("three\n"):
        message = page.client.get_iopub_msg(timeout=SECONDS)
        if message["msg_type"] == "stream":
            said += message["content"]["text"]
    assert said == "one\ntwo\nthree\n"


def test_a_failing_action_stops_what_is_queued_behind(page: Page) -> None:
    """Run All: after a failure the others do not run."""
    page.client.execute(f"%nomad_action {SERVER} fail", allow_stdin=True)
    last = page.client.execute("print('never')", allow_stdin=True)
    reply: dict[str, Any] = {}
    while reply.get("parent_header", {}).get("msg_id") != last:
        reply = page.client.get_shell_msg(timeout=SECONDS)
    assert reply["content"]["status"] == "aborted"
    page.run("print('after')")
    page.finish()


def test_the_interrupt_button_is_a_rung_too(page: Page) -> None:
    """■ while the widget shows: the action is interrupted, and the cell fails."""
    page.run(f"%nomad_action {SERVER} forever")
    started(page)
    page.manager.interrupt_kernel()
    page.finish()
    assert page.error == "KeyboardInterrupt"
    assert "interrupted (exit 130)" in page.shown[page.order[1]]["text/plain"]


def test_a_background_run_goes_on_while_other_cells_run(page: Page) -> None:
    """&: the cell ends at once, the widget goes on, and Stop works."""
    page.run(f"s = %nomad_action {SERVER} forever &")
    page.until(lambda: page.comm and page.idle, "the cell ends")
    comm, order, shown = page.comm, list(page.order), page.shown
    page.send({"type": "ready"})
    page.until(lambda: b"tick 2" in page.output(), "two ticks")
    assert page.state["background"] is True
    page.send({"type": "stop", "rung": "interrupt"})
    page.until(lambda: page.states[comm].get("phase") == "ended", "the end")
    page.until(lambda: "exit 130" in shown[order[1]].get("text/plain", ""), "the record")
    page.run("assert s.wait(5).exit_code == 130")
    page.finish()
    assert page.error == ""


def test_who_waits_for_a_line_hears_the_page(page: Page) -> None:
    """A loop over the lines of a background run, in a later cell: the view goes on, Stop stops it.

    The loop ends with the run, and has had each line: what is drawn live from them is whole.
    """
    page.run(f"s = %nomad_action {SERVER} forever &")
    page.until(lambda: page.comm and page.idle, "the cell ends")
    comm = page.comm
    page.send({"type": "ready"})
    page.run("for line in s: print(line.stream, line.text, flush=True)\nprint(s.done)")
    page.comm = comm
    page.until(lambda: "stdout tick 3" in page.text, "lines in the cell")
    page.until(lambda: b"tick 3" in page.output(), "lines in the view")
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    assert page.error == ""
    *lines, done = page.text.splitlines()
    assert done == "True"
    page.until(lambda: page.states[comm].get("phase") == "ended", "the end")
    page.run(f"assert ['stdout ' + one for one in s.result.lines] == {lines}")
    page.finish()
    assert page.error == ""


def test_a_message_that_comes_by_two_ways_is_done_once(page: Page) -> None:
    """What a page repeats because no answer came in time, in whatever order both come after all.

    What comes on the control channel is answered, for the page to know that it can be heard there.
    """
    page.run(f"s = %nomad_action {SERVER} -t stubborn &")
    page.until(lambda: page.comm and page.idle, "the cell ends")
    page.send({"type": "ready"})
    page.until(lambda: page.custom and page.state.get("phase") == "running", "it runs")
    ways = {"control": page.send_by_control, "comm": page.send}
    orders = list(itertools.product(ways, repeat=2))
    for number, order in enumerate(orders, start=1):
        for way in order:
            ways[way]({"type": "input", "data": chr(96 + number), "number": number})
    by_control = [
        number for number, order in enumerate(orders, start=1) for way in order if way == "control"
    ]

    def both_ways(snapshots: int) -> None:
        """Wait until both ways are empty."""
        page.until(lambda: sorted(page.heard()) == by_control, "an answer to each")
        page.send({"type": "ready"})
        page.until(
            lambda: [one["type"] for one, _ in page.custom].count("snapshot") == snapshots,
            "what was sent before is done",
        )

    # Whoever types after a press begins the ladder anew.
    both_ways(2)
    # The token may begin with one of these letters, which is then shown with what follows it.
    page.send({"type": "input", "data": "\r"})
    # What a key has the terminal forget is what it has not yet shown.
    page.until(lambda: b"\n" in page.output(), "what was typed")
    for way in ("comm", "control"):
        # Without a rung it is a press of whatever the button says.
        ways[way]({"type": "stop", "number": 9})
    by_control.append(9)
    both_ways(3)
    page.until(lambda: page.state["climbed"] == "interrupt", "one rung")
    page.until(lambda: b"^C" in page.output(), "the key")
    echoed = page.output().decode()
    assert [echoed.count(chr(96 + number)) for number in range(1, 5)] == [1, 1, 1, 1], echoed
    assert echoed.count("^C") == 1
    assert page.state["rung"] == "quit"
    page.run("s.stop(grace=0).exit_code")
    page.finish()
