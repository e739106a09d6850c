"""The live view in a real browser: what a person sees, and what a click does."""

from __future__ import annotations

import os
import signal
import statistics
from typing import TYPE_CHECKING

import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import expect
from support.nomads import until
from support.processes import running as running_processes
from support.saved import check_saved, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from playwright.sync_api import Browser, Locator
    from support.jupyter import Notebook

SERVER = "-job=cache -group=redis -task=server"
MS = 60_000

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


def running(notebook: Notebook, index: int) -> None:
    """Wait until a cell's widget shows a running action."""
    expect(notebook.cell(index).get_by_role("button", name="Stop", exact=True)).to_be_visible(
        timeout=MS
    )
    expect(notebook.cell(index).get_by_role("status")).to_contain_text("running", timeout=MS)


def start(notebook: Notebook, index: int = 1) -> None:
    """Load the extension, and start the action of one cell."""
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(index)
    running(notebook, index)


def test_stop_stops_a_silent_action(
    opened: Callable[..., Notebook], one_cell_place: tuple[str, str | None]
) -> None:
    """A click ends the process and the cell, in every front end and on every kernel."""
    notebook = opened([f"r = %nomad_action {SERVER} quiet", "print(r.exit_code)"], *one_cell_place)
    start(notebook)
    took = notebook.click_and_time(1)
    notebook.run(2)
    notebook.wait_done(2)
    saved = notebook.save()
    assert "interrupted (exit 130) after" in shown(saved, 1)
    assert shown(saved, 2).strip() == "130"
    check_saved(saved)
    assert took < 5000, "the figure that counts is printed by the benchmark"


def test_stop_stops_a_flood(
    opened: Callable[..., Notebook], one_cell_place: tuple[str, str | None]
) -> None:
    """The same while the action writes at full speed."""
    cells = [f"r = %nomad_action {SERVER} flood500", "print(r.exit_code)"]
    notebook = opened(cells, *one_cell_place)
    start(notebook)
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("xxxx", timeout=MS)
    notebook.click_and_time(1)
    notebook.run(2)
    notebook.wait_done(2)
    saved = notebook.save()
    assert shown(saved, 2).strip() in {"130", "0"}
    check_saved(saved)


def test_run_all_keeps_its_order(opened: Callable[..., Notebook]) -> None:
    """Three cells with Stop in the first: the others run after it, in order."""
    notebook = opened(
        [
            f"order = []\n%nomad_action {SERVER} quiet\norder.append(1)",
            "order.append(2)",
            "order.append(3)\nprint(order)",
        ]
    )
    notebook.run_all()
    running(notebook, 1)
    notebook.click_and_time(1)
    notebook.wait_done(3)
    assert shown(notebook.save(), 3).strip() == "[1, 2, 3]"


def test_run_all_stops_at_a_failure(opened: Callable[..., Notebook]) -> None:
    """With a failing first the others do not run.

    It fails by a key, which comes to the kernel after the other cells: what has not come when a
    cell fails, a kernel runs.
    """
    notebook = opened([f"%nomad_action {SERVER} cat", "print('never')"])
    notebook.run_all()
    running(notebook, 1)
    notebook.cell(1).locator(".xterm-helper-textarea").press("Control+c")
    notebook.wait_done(1)
    expect(notebook.cell(1)).to_contain_text("ActionFailed", timeout=MS)
    expect(notebook.cell(2).locator(".jp-InputPrompt")).to_have_text("[ ]:", timeout=MS)
    saved = notebook.save()
    assert saved.cells[2].outputs == []
    assert "cat · exit 130 in" in shown(saved, 1)
    check_saved(saved)


def test_the_interrupt_button_interrupts_the_action(opened: Callable[..., Notebook]) -> None:
    """■ stops the action in order, and the cell fails."""
    notebook = opened([f"%nomad_action {SERVER} forever", "print('never')"])
    notebook.run_all()
    running(notebook, 1)
    notebook.command("notebook:interrupt-kernel")
    notebook.wait_done(1)
    saved = notebook.save()
    assert "interrupted (exit 130)" in shown(saved, 1)
    assert saved.cells[2].outputs == []


def type_and_see(notebook: Notebook, index: int, text: str) -> None:
    """Type a line into a cell's terminal, and wait until it is shown."""
    notebook.cell(index).locator(".xterm-helper-textarea").press_sequentially(f"{text}\n")
    expect(notebook.cell(index).locator(".xterm")).to_contain_text(text, timeout=MS)


def reload_type_and_stop(notebook: Notebook) -> None:
    """Load the page again: what was typed before is there, and typing and Stop work."""
    notebook.save()
    notebook.reload()
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("before", timeout=MS)
    type_and_see(notebook, 1, "after")
    notebook.cell(1).get_by_role("button", name="Stop", exact=True).click()
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 130)", timeout=MS)


def test_a_page_reloaded_in_mid_run_shows_the_tail_and_can_stop(
    opened: Callable[..., Notebook], place: tuple[str, str | None]
) -> None:
    """The widget is there again after a reload, and Stop works; the file then has the record."""
    notebook = opened([f"r = %nomad_action {SERVER} cat", "print(r.exit_code)"], *place)
    start(notebook)
    type_and_see(notebook, 1, "before")
    reload_type_and_stop(notebook)
    expect(notebook.cell(1).locator(".nomad-action")).to_have_count(0, timeout=MS)
    saved = notebook.save()
    check_saved(saved)
    assert "cat · interrupted (exit 130) after" in shown(saved, 1)
    assert "not known" not in shown(saved, 1)


def test_a_page_that_lost_the_views_code_gets_it_from_the_kernel(
    opened: Callable[..., Notebook],
) -> None:
    """VS Code's reloaded window restores the action's model, and not the one with the code."""
    lose = "from nomad_magic.notebook.live import widget\nwidget.assets().close()"
    notebook = opened([f"run = %nomad_action {SERVER} cat &", lose, "run.result.exit_code"])
    start(notebook)
    type_and_see(notebook, 1, "before")
    notebook.run(2)
    notebook.wait_done(2)
    reload_type_and_stop(notebook)
    notebook.run(3)
    notebook.wait_done(3)
    assert shown(notebook.save(), 3).strip() == "130"


def test_a_page_closed_in_mid_run_tells_the_end_when_it_is_opened_again(
    opened: Callable[..., Notebook],
) -> None:
    """What was started where is in the file; the page that is opened later gets the record."""
    notebook = opened([f"run = %nomad_action {SERVER} quiet &", "run.stop(); run.wait(20)"])
    start(notebook)
    check_unknown(shown(notebook.save(), 1), "quiet")
    notebook.reopen()
    running(notebook, 1)
    notebook.run(2)
    notebook.wait_done(2)
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 130)", timeout=MS)
    expect(notebook.cell(1).locator(".nomad-action")).to_have_count(0, timeout=MS)
    saved = notebook.save()
    check_saved(saved)
    assert "not known" not in shown(saved, 1)


def check_unknown(text: str, action: str) -> None:
    """The text says what was started where, and that its end is not known."""
    assert text.startswith(f"{action} · started 2")
    assert " in allocation " in text
    assert "its end stands below, or is not known" in text


@pytest.mark.parametrize(
    ("front_end", "how"), [("lab", "killed"), ("lab", "restarted"), ("notebook", "restarted")]
)
def test_a_kernel_that_is_gone_leaves_what_is_known(
    opened: Callable[..., Notebook],
    screenshot: Callable[[Notebook, str], None],
    front_end: str,
    how: str,
) -> None:
    """At once, and in the page that is loaded or opened next: what ran where, and its output."""
    cells = ["import os; print(os.getpid())", f"%nomad_action {SERVER} forever"]
    notebook = opened(cells, front_end)
    notebook.run(1)
    notebook.wait_done(1)
    start(notebook, 2)
    expect(notebook.cell(2).locator(".xterm")).to_contain_text("tick 3", timeout=MS)
    saved = notebook.save()
    check_unknown(shown(saved, 2), "forever")
    if how == "killed":
        os.kill(int(shown(saved, 1)), signal.SIGKILL)
    else:
        notebook.restart()
    check_gone(notebook.cell(2))
    expect(notebook.stop_button()).to_have_count(0)
    saved = notebook.save()
    check_saved(saved)
    head, record = saved.cells[2].outputs
    check_unknown(head["data"]["text/plain"], "forever")
    assert record["data"]["text/plain"].startswith("⚠ forever · the kernel is gone: ")
    assert record["metadata"]["nomad_magic"]["outcome"] == "unknown"
    notebook.reload()
    check_gone(notebook.cell(2))
    screenshot(notebook, f"kernel-{how}-{front_end}")
    notebook.reopen()
    check_gone(notebook.cell(2))
    # Whether its kernel comes back by itself, and when, is no matter of other tests.
    notebook.close()


def check_gone(cell: Locator) -> None:
    """The cell shows what is known, and what came, and no error."""
    expect(cell.locator(".nomad-magic")).to_contain_text(
        "the kernel is gone: how the action ended is not known, it may still run",
        timeout=MS,
    )
    expect(cell.locator(".nomad-magic pre")).to_contain_text("tick 1\ntick 2\ntick 3")
    expect(cell).not_to_contain_text("Error displaying widget")


def test_nothing_jumps_when_the_record_takes_the_widgets_place(
    opened: Callable[..., Notebook],
) -> None:
    """The cell never collapses, nothing scrolls, the width stays."""
    notebook = opened([f"r = %nomad_action {SERVER} cat", "'below'"])
    start(notebook)
    type_and_see(notebook, 1, "line")
    notebook.page.evaluate(
        """() => {
            const [, cell, below] = document.querySelectorAll('.jp-Notebook .jp-CodeCell');
            const outer = document.querySelector('.jp-WindowedPanel-outer');
            window.seen = [];
            const tick = () => {
                window.seen.push({
                    height: cell.getBoundingClientRect().height,
                    below: below.getBoundingClientRect().top,
                    scroll: outer.scrollTop,
                    width: cell.querySelector('.nomad-action, .jp-RenderedHTMLCommon strong')
                        ?.closest('.nomad-action, .jp-RenderedHTMLCommon > div')
                        ?.getBoundingClientRect().width ?? 0,
                });
                requestAnimationFrame(tick);
            };
            tick();
        }"""
    )
    notebook.click_and_time(1)
    expect(notebook.cell(1).locator(".nomad-action")).to_have_count(0, timeout=MS)
    seen = notebook.page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() =>"
        " requestAnimationFrame(() => done(window.seen))))"
    )
    first, last = seen[0], seen[-1]
    lowest = min(one["height"] for one in seen)
    # The lines above go from three to one, 34 px, and that may be a frame before the record comes.
    assert lowest >= min(first["height"], last["height"]) - 35
    assert {one["scroll"] for one in seen} == {first["scroll"]}
    assert abs(last["width"] - first["width"]) <= 1


def test_without_the_pump_stop_interrupts_or_says_what_to_press(
    opened: Callable[..., Notebook],
) -> None:
    """Without private API the front end interrupts; where it cannot, it says so."""
    without = (
        "from nomad_magic.notebook.kernel import comm_pump\nthere = comm_pump._shell_stream\n"
        "comm_pump._shell_stream = lambda kernel: kernel.no_such_attribute"
    )
    action = f"%nomad_action {SERVER} quiet"
    notebook = opened([without, action, action, "comm_pump._shell_stream = there"])
    notebook.run(1)
    notebook.wait_done(1)
    start(notebook, 2)
    notebook.click_and_time(2)
    expect(notebook.cell(2)).to_contain_text("interrupted (exit 130)", timeout=MS)
    notebook.run(3)
    running(notebook, 3)
    kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    notebook.page.evaluate(f"() => {{ {kernel}.interrupt = undefined }}")
    notebook.stop_button().click()
    expect(notebook.cell(3)).to_contain_text("Press ■ (interrupt) to stop it.", timeout=MS)
    notebook.page.evaluate(f"() => {{ delete {kernel}.interrupt }}")
    notebook.command("notebook:interrupt-kernel")
    notebook.wait_done(3)
    notebook.run(4)
    notebook.wait_done(4)
    assert "interrupted (exit 130)" in shown(notebook.save(), 3)


def sleepers() -> AbstractSet[int]:
    """Return the processes of the action `quiet`."""
    return running_processes("/bin/sleep", "12345").keys()


def test_a_kernel_that_is_shut_down_leaves_no_process(opened: Callable[..., Notebook]) -> None:
    """Runs that are going climb the ladder."""
    notebook = opened([f"for _ in range(2):\n    %nomad_action {SERVER} quiet &"])
    # A kernel that another test killed may have left some: nobody closed their session.
    before = sleepers()
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    notebook.wait_done(1)
    expect(notebook.stop_button()).to_have_count(2, timeout=MS)
    until(lambda: len(sleepers() - before) == 2, seconds=30, what="both actions run")
    notebook.close()
    until(lambda: not sleepers() - before, seconds=30, what="both actions are gone")


def test_keyboard_and_screen_reader(opened: Callable[..., Notebook]) -> None:
    """Stop, Copy, terminal in the order of Tab; all have names; Enter and Space press Stop."""
    notebook = opened([f"%nomad_action {SERVER} cat", f"%nomad_action {SERVER} stubborn"])
    page = notebook.page
    start(notebook)
    nodes = notebook.accessible()
    assert ("group", "Nomad action cat") in nodes
    assert ("button", "Stop") in nodes
    assert ("button", "Copy") in nodes
    assert ("textbox", "Output of cat") in nodes
    assert "status" in {role for role, _ in nodes}
    assert notebook.cell(1).get_by_role("status").get_attribute("aria-live") == "polite"
    focused = "() => document.activeElement.ariaLabel || document.activeElement.innerText"
    notebook.cell(1).get_by_role("button", name="Stop", exact=True).focus()
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Copy"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Output of cat"
    # Typed to the action, which shows it: Escape does not leave while keys go there.
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "Output of cat"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == "Stop"
    page.keyboard.press("Enter")
    notebook.wait_done(1)
    notebook.run(2)
    running(notebook, 2)
    notebook.stop_button().focus()
    page.keyboard.press("Space")
    force = notebook.stop_button("Force stop")
    expect(force).to_be_visible(timeout=MS)
    force.focus()
    page.keyboard.press("Enter")
    notebook.wait_done(2)
    assert "interrupted (exit 131)" in shown(notebook.save(), 2)


def test_a_second_view_of_the_output_shows_the_tail_and_can_stop(
    opened: Callable[..., Notebook],
) -> None:
    """JupyterLab's `Create New View for Cell Output`."""
    notebook = opened([f"r = %nomad_action {SERVER} cat"])
    start(notebook)
    type_and_see(notebook, 1, "early")
    notebook.command("notebook:create-output-view")
    second = notebook.page.locator(".jp-LinkedOutputView")
    expect(second.locator(".xterm")).to_contain_text("early", timeout=MS)
    second.get_by_role("button", name="Stop", exact=True).click()
    notebook.wait_done(1)
    expect(second).to_contain_text("interrupted (exit 130)", timeout=MS)
    assert "interrupted (exit 130)" in shown(notebook.save(), 1)
    notebook.page.evaluate(
        "() => [...window.jupyterapp.shell.widgets('main')]"
        ".filter(one => one.node.querySelector('.jp-LinkedOutputView')).map(one => one.close())"
    )
    expect(second).to_have_count(0)


def test_an_actions_output_runs_nothing(opened: Callable[..., Notebook]) -> None:
    """HTML and scripts in the output are text, live and in the record."""
    evil = (
        "<script>window.evil = 1</script><img src=x onerror='window.evil = 2'>"
        "\\033]52;c;ZXZpbA==\\007\\033]8;;javascript:window.evil=3\\007link\\033]8;;\\007"
    )
    cells = [f"%%nomad_action {SERVER} cat\n{evil}\n"]
    notebook = opened(cells)
    notebook.run_all()
    notebook.wait_done(1)
    expect(notebook.cell(1)).to_contain_text("<script>window.evil", timeout=MS)
    assert notebook.page.evaluate("window.evil") is None
    html = notebook.save().cells[1].outputs[1]["data"]["text/html"]
    assert "<script" not in html
    assert "<img" not in html
    notebook.reload()
    expect(notebook.cell(1)).to_contain_text("<script>window.evil", timeout=MS)
    assert notebook.page.evaluate("window.evil") is None


def test_a_page_without_javascript_shows_the_record(
    opened: Callable[..., Notebook], chromium: Browser, tmp_path: Path
) -> None:
    """A notebook made into plain HTML reads the same where no script runs."""
    notebook = opened([f"%nomad_action {SERVER} color", f"r = %nomad_action {SERVER} fail"])
    notebook.run_all()
    notebook.wait_done(2)
    saved = notebook.save()
    html, _ = HTMLExporter().from_notebook_node(saved)
    page = tmp_path / "saved.html"
    page.write_text(html)
    context = chromium.new_context(java_script_enabled=False)
    try:
        plain = context.new_page()
        plain.goto(page.as_uri())
        text = " ".join(plain.locator("body").inner_text().split())
        # What is folded away is there too.
        everything = " ".join((plain.locator("body").text_content() or "").split())
    finally:
        context.close()
    for index in (1, 2):
        record = saved.cells[index].outputs[1]["data"]["text/plain"]
        title, output, facts = record.split("\n\n")
        assert " ".join(title.split()) in text
        assert " ".join(output.replace("[stderr] ", "").split()) in text
        for fact in facts.split("\n"):
            assert " ".join(fact.split()[1:]) in everything


def test_a_kernel_is_busy_while_its_cell_runs(
    opened: Callable[..., Notebook], place: tuple[str, str | None]
) -> None:
    """Whatever the page says meanwhile: a server that ends idle kernels would end the action."""
    notebook = opened([f"r = %nomad_action {SERVER} cat"], *place)
    start(notebook)
    # Each key is a message that is heard in the middle of the cell; what it says is shown later.
    notebook.cell(1).locator(".xterm-helper-textarea").press_sequentially("spoken")
    expect(notebook.cell(1).locator(".xterm-rows")).to_contain_text("spoken", timeout=MS)
    # Between a message and what is said after it, it is idle for a moment.
    until(lambda: notebook.kernel_states() == ("busy", "busy"), seconds=10, what="a busy kernel")
    notebook.page.keyboard.press("Control+c")
    notebook.wait_done(1)


@pytest.mark.parametrize(("action", "text"), [("forever", "tick 2"), ("flood500", "xxxx")])
def test_ten_background_runs_at_once(
    opened: Callable[..., Notebook], action: str, text: str
) -> None:
    """The cell ends at once, ten views go on, and one Stop stops one; ten floods are no more."""
    start = f"runs = []\nfor _ in range(10):\n    run = %nomad_action {SERVER} {action} &\n"
    count = "print([run.wait(10).exit_code for run in runs].count(130))"
    notebook = opened([start + "    runs.append(run)", f"[run.stop() for run in runs]\n{count}"])
    notebook.cell(0).click()
    notebook.command("notebook:run-cell-and-select-next")
    notebook.command("notebook:run-cell-and-select-next")
    notebook.wait_done(1)
    expect(notebook.cell(1).get_by_role("button", name="Stop", exact=True)).to_have_count(
        10, timeout=MS
    )
    expect(notebook.cell(1).locator(".xterm").nth(9)).to_contain_text(text, timeout=MS)
    notebook.cell(1).get_by_role("button", name="Stop", exact=True).first.click()
    expect(notebook.cell(1).get_by_role("button", name="Stop", exact=True)).to_have_count(
        9, timeout=MS
    )
    notebook.cell(2).locator(".jp-Editor").click()
    notebook.command("notebook:run-cell-and-select-next")
    notebook.wait_done(2)
    assert shown(notebook.save(), 2).strip() == "10"


MANY = 15
HEAR = """() => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const heard = window.heard = {output: 0, mails: [], held: null};
    kernel.anyMessage.connect((_kernel, {msg, direction}) => {
        if (direction === 'recv' && msg.content?.data?.content?.type === 'output') heard.output++;
    });
    const { prototype } = kernel.constructor;
    const send = prototype.sendControlMessage;
    heard.restore = () => { prototype.sendControlMessage = send; };
    prototype.sendControlMessage = function (message, ...rest) {
        heard.mails.push(message.content.said?.length ?? 0);
        if (heard.held) heard.held.push(() => send.call(this, message, ...rest));
        else return send.call(this, message, ...rest);
    };
}"""


def test_many_runs_leave_the_page_and_stop_alone(opened: Callable[..., Notebook]) -> None:
    """What is on its way to the page does not grow with the runs; each is stopped as one alone.

    A page that falls behind hears of the end of a run after all that was sent before.
    """
    begin = f"runs = []\nfor _ in range({MANY}):\n    run = %nomad_action {SERVER} forever &\n"
    more = "before = [run.result.transcript.size for run in runs]\nimport time\n"
    more += "while any(run.result.transcript.size < size + 100 for run, size in zip(runs, before)):"
    notebook = opened(
        [
            begin + "    runs.append(run)",
            f"{more}\n    time.sleep(0.05)",
            "[run.stop() for run in runs]\nprint([run.wait(20).exit_code for run in runs])",
        ]
    )
    page = notebook.page
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    notebook.wait_done(1)
    terminals = notebook.cell(1).locator(".xterm")
    for index in range(MANY):
        expect(terminals.nth(index)).to_contain_text("tick 3", timeout=MS)
    page.evaluate(HEAR)
    # What the page has shown of many runs it says in one message.
    page.wait_for_function("heard.mails.some(count => count > 1)", timeout=MS)
    page.evaluate("() => { heard.held = []; heard.output = 0 }")
    # Each writes on, ten lines and more.
    notebook.run(2)
    notebook.wait_done(2)
    assert page.evaluate("heard.output") <= 2 * MANY
    page.evaluate("() => { heard.held.splice(0).forEach(send => send()); heard.held = null }")
    before = page.evaluate("heard.output")
    page.wait_for_function("before => heard.output > before", arg=before, timeout=MS)

    stops = notebook.cell(1).get_by_role("button", name="Stop", exact=True)
    stops.nth(MANY // 2).click()
    expect(stops).to_have_count(MANY - 1, timeout=MS)
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 130)", timeout=MS)
    page.evaluate("heard.restore()")
    # All others go on.
    before = page.evaluate("heard.output")
    page.wait_for_function(
        "([before, count]) => heard.output > before + 3 * count", arg=[before, MANY], timeout=MS
    )
    notebook.run(3)
    notebook.wait_done(3)
    expect(notebook.cell(1).locator(".nomad-action")).to_have_count(0, timeout=MS)
    saved = notebook.save()
    assert shown(saved, 3).strip() == str([130] * MANY)
    assert shown(saved, 1).count("interrupted (exit 130) after") >= MANY
    check_saved(saved)


def test_a_background_run_goes_on_and_stops_while_a_plain_cell_is_busy(
    opened: Callable[..., Notebook], place: tuple[str, str | None]
) -> None:
    """As in a shell: its view and its Stop do not wait for the cell in the foreground."""
    busy = "import os, time\nuntil = time.time() + 60\n"
    busy += "while not os.path.exists('go-on') and time.time() < until:\n    time.sleep(0.05)"
    notebook = opened(
        [f"run = %nomad_action {SERVER} forever &", busy, "run.result.exit_code"], *place
    )
    go_on = notebook.server.folder / "go-on"
    go_on.unlink(missing_ok=True)
    start(notebook)
    notebook.run(2)
    # More than a page may be behind before it gets no more.
    expect(notebook.cell(1).locator(".xterm")).to_contain_text("tick 15", timeout=MS)
    notebook.cell(1).get_by_role("button", name="Stop", exact=True).click()
    expect(notebook.cell(1)).to_contain_text("interrupted (exit 130)", timeout=MS)
    expect(notebook.cell(1).locator(".nomad-action")).to_have_count(0, timeout=MS)
    assert notebook.prompt(2) == "[*]:"
    go_on.touch()
    notebook.wait_done(2)
    notebook.run(3)
    notebook.wait_done(3)
    saved = notebook.save()
    assert shown(saved, 3).strip() == "130"
    check_saved(saved)


def test_fifty_megabytes_leave_the_page_alive(
    opened: Callable[..., Notebook], record_property: Callable[[str, object], None]
) -> None:
    """The page answers throughout, and the saved notebook stays small."""
    notebook = opened([f"r = %nomad_action {SERVER} -t=false flood"])
    notebook.page.evaluate(
        """() => {
            window.gaps = []; let last = performance.now();
            const tick = now => {
                window.gaps.push(now - last); last = now; requestAnimationFrame(tick);
            };
            requestAnimationFrame(tick);
        }"""
    )
    notebook.run_all()
    notebook.wait_done(1)
    gaps = notebook.page.evaluate("window.gaps")
    record_property("largest_frame_gap_ms", round(max(gaps)))
    record_property("median_frame_gap_ms", round(statistics.median(gaps)))
    saved = notebook.save()
    check_saved(saved)
    assert notebook.path.stat().st_size < 200_000
    record = saved.cells[1].outputs[-1]["data"]["text/plain"]
    output = record.partition("\n\n")[2].rpartition("\n\n")[0]
    head, _, rest = output.partition("\n[… ")
    tail = rest.partition("…]\n")[2]
    whole = ("x" * 99 + "\n") * 529583 + "x" * 83
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len(head) > 16_000
    assert len(tail) > 16_000


def test_it_looks_as_it_should(
    opened: Callable[..., Notebook],
    theme: Callable[[Notebook, str], None],
    screenshot: Callable[[Notebook, str], None],
) -> None:
    """Pictures of the running view and of the ends, light and dark, kept as artefacts."""
    notebook = opened(
        [
            f"%nomad_action {SERVER} color",
            f"r = %nomad_action {SERVER} forever",
            f"%nomad_action {SERVER} fail",
        ]
    )
    for name in ("Light", "Dark"):
        theme(notebook, name)
        notebook.run_all()
        running(notebook, 2)
        expect(notebook.cell(2).locator(".xterm")).to_contain_text("tick 3", timeout=MS)
        screenshot(notebook, f"running-{name.lower()}")
        notebook.click_and_time(2)
        notebook.wait_done(3)
        expect(notebook.cell(3)).to_contain_text("ActionFailed", timeout=MS)
        screenshot(notebook, f"ends-{name.lower()}")
