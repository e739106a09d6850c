"""The live view of many runs without a browser: the test is the page, as in `test_live`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nomad_magic.notebook.live.contract import RowField

if TYPE_CHECKING:
    from support.page import Page

SERVER = "-job=cache -group=redis -task=server"


def field(page: Page, name: RowField) -> list[Any]:
    return [row[name] for row in page.rows()]


def started(page: Page, state: str = "running") -> None:
    page.until(lambda: page.comm, "the widget")
    page.send({"type": "ready"})
    page.until(lambda: field(page, RowField.STATE) == [state] * 3, f"three rows {state}")


def opened(page: Page, row: int) -> str:
    """Open a row; return the widget that shows its output."""

    def models() -> list[str]:
        said = [said for said, _ in page.custom if said["type"] == "row" and said["row"] == row]
        return [one["model"] for one in said]

    before = len(models())
    page.send({"type": "row_open", "row": row})
    page.until(lambda: len(models()) > before, "the row's widget")
    return models()[-1]


def output(page: Page, model: str) -> bytes:
    told = [(said, data) for comm, said, data in page.others if comm == model]
    return b"".join(data[0] for said, data in told if said["type"] in ("snapshot", "output"))


def test_rows_come_once_and_then_as_they_change(page: Page) -> None:
    """All of them to a page that asks, with names; afterwards those that have changed, without."""
    page.run(f"r = %nomad_action_all {SERVER} quiet\nprint(r.state)")
    started(page)
    assert field(page, RowField.NAME) == [f"cache.redis[{index}]" for index in range(3)]
    assert all(len(one) == 8 for one in field(page, RowField.ALLOCATION))
    assert field(page, RowField.RUNG) == ["interrupt"] * 3
    assert page.state["phase"] == "running"
    assert page.state["target"] == "job cache / group redis / task server"
    assert page.above.startswith("quiet in 3 allocations: cache.redis[0-2]")
    page.send({"type": "stop", "rung": page.state["rung"]})
    page.finish()
    assert page.error == ""
    assert field(page, RowField.ENDING) == ["interrupted (exit 130)"] * 3
    assert page.state["phase"] == "ended"
    record = page.shown[page.order[1]]
    assert set(record) == {"text/plain", "text/html"}
    assert "3 of 3 interrupted (exit 130)" in record["text/plain"]
    assert page.text == "3 of 3 interrupted (exit 130)\n"


def test_one_row_is_stopped_and_the_others_go_on(page: Page) -> None:
    """A row's Stop is that of one run; a press that was meant for another rung does nothing."""
    page.run(f"r = %nomad_action_all {SERVER} quiet")
    started(page)
    page.send({"type": "row_stop", "row": 1, "rung": "interrupt"})
    page.until(lambda: "stopped" in field(page, RowField.STATE), "one is stopped")
    assert field(page, RowField.STATE) == ["running", "stopped", "running"]
    # Over, beyond the last, and for a rung that nobody sees: nothing comes of it.
    for row, rung in ((1, "interrupt"), (3, "interrupt"), (-1, "interrupt")):
        page.send({"type": "row_stop", "row": row, "rung": rung})
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    assert field(page, RowField.STATE) == ["stopped"] * 3


def test_a_row_that_waits_is_given_up(page: Page) -> None:
    """It is not begun, and says so; the others run on."""
    page.run(f"%nomad_action_all {SERVER} -parallel=1 quiet")
    page.until(lambda: page.comm, "the widget")
    page.send({"type": "ready"})
    page.until(lambda: "running" in field(page, RowField.STATE), "the first row")
    assert field(page, RowField.STATE)[1:] == ["waiting"] * 2
    assert field(page, RowField.RUNG)[1:] == ["give_up"] * 2
    page.send({"type": "row_stop", "row": 2, "rung": "give_up"})
    page.until(lambda: field(page, RowField.STATE)[2] == "stopped", "it is given up")
    assert field(page, RowField.ENDING)[2] == "not started: stopped before the action was started"
    # Its turn comes to the second alone.
    page.send({"type": "row_stop", "row": 0, "rung": "interrupt"})
    page.until(lambda: field(page, RowField.STATE)[1] == "running", "the second row")
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    assert field(page, RowField.STATE) == ["stopped"] * 3


def test_what_fails_a_cell_has_failed_in_its_rows(page: Page) -> None:
    """And what someone has stopped has not: the one with an error, the other without."""
    page.run(f"%nomad_action_all {SERVER} -parallel=1 -fail-fast fail")
    page.until(lambda: page.comm, "the widget")
    page.send({"type": "ready"})
    page.finish()
    assert page.error.startswith("FleetFailed")
    assert field(page, RowField.STATE) == ["failed", "not started", "not started"]


def test_what_a_timeout_ends_has_failed_in_its_rows(page: Page) -> None:
    """Nobody has stopped it, though it was interrupted in the same way."""
    page.run(f"%config NomadMagics.timeout = 1\n%nomad_action_all {SERVER} forever")
    try:
        started(page)
        page.finish()
    finally:
        error, states = page.error, field(page, RowField.STATE)
        # The kernel is that of other tests, too.
        page.run("%config NomadMagics.timeout = None")
        page.finish()
    assert error.startswith("FleetFailed")
    assert states == ["interrupted"] * 3


def test_a_rows_output_is_shown_by_a_widget_of_its_own(page: Page) -> None:
    """While it runs, and while nobody looks it is not sent; another page sees the same widget."""
    page.run(f"%nomad_action_all {SERVER} forever")
    started(page)
    page.until(lambda: all(field(page, RowField.LINE)), "the last lines")
    assert page.others == []
    model = opened(page, 1)
    page.send({"type": "ready"}, to=model)
    page.until(lambda: b"tick 2" in output(page, model), "its output")
    assert page.states[model]["action"] == "forever"
    assert page.states[model]["phase"] == "running"
    page.name = "page-2"
    assert opened(page, 1) == model
    page.send({"type": "row_open", "row": None})
    page.name = "page-1"
    other = opened(page, 2)
    assert other != model
    page.send({"type": "ready"}, to=other)
    page.until(lambda: b"tick" in output(page, other), "the other's output")
    # Its own Stop, as if it were alone.
    page.send({"type": "stop", "rung": "interrupt"}, to=other)
    page.until(lambda: page.states[other]["phase"] == "ended", "its end")
    assert page.states[other]["status"].startswith("interrupted (exit 130)")
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()


def test_the_output_of_a_row_that_has_ended_is_there(page: Page) -> None:
    """It comes before the word that it is over, and a row that waits shows it once it begins."""
    page.run(f"%nomad_action_all {SERVER} -parallel=1 -t forever")
    page.until(lambda: page.comm, "the widget")
    page.send({"type": "ready"})
    page.until(lambda: any(field(page, RowField.LINE)), "the first row writes")
    page.send({"type": "row_open", "row": 1})
    page.send({"type": "row_stop", "row": 0, "rung": "interrupt"})
    page.until(lambda: any(said["type"] == "row" for said, _ in page.custom), "the second begins")
    page.custom[:] = [one for one in page.custom if one[0]["type"] != "row"]
    model = opened(page, 0)
    assert page.states[model]["phase"] != "ended"
    page.send({"type": "ready"}, to=model)
    page.until(lambda: page.states[model]["phase"] == "ended", "the word that it is over")
    assert output(page, model).startswith(b"tick 1\r\n")
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()


def test_a_page_that_comes_late_gets_all_rows(page: Page) -> None:
    """As they are by then, and it can stop them."""
    page.run(f"%nomad_action_all {SERVER} quiet")
    started(page)
    page.send({"type": "row_stop", "row": 0, "rung": "interrupt"})
    page.until(lambda: "stopped" in field(page, RowField.STATE), "one is stopped")
    page.name = "page-2"
    page.custom.clear()
    page.send({"type": "ready"})
    page.until(lambda: len(page.rows()) == 3, "its rows")
    assert field(page, RowField.STATE) == ["stopped", "running", "running"]
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()
    told = [said for said, _ in page.custom if said["type"] == "record"]
    assert [one["widget"] for one in told] == [page.comm]


def test_a_page_that_does_not_acknowledge_gets_no_more_than_the_window(page: Page) -> None:
    """However much happens; what it asks for then is how things are."""
    page.run(f"%nomad_action_all {SERVER} forever")
    page.acknowledge = False
    started(page)
    sent = [said["seq"] for said, _ in page.custom if said["type"] == "rows"]
    assert max(sent) <= 2
    page.acknowledge = True
    page.send({"type": "ready"})
    page.until(lambda: all("tick 3" in line for line in field(page, RowField.LINE)), "three ticks")
    page.send({"type": "stop", "rung": "interrupt"})
    page.finish()


def test_a_background_fleet_is_heard_while_another_cell_runs(page: Page) -> None:
    """Stop of a row, its output, and Stop all, by the control channel."""
    page.run(f"f = %nomad_action_all {SERVER} forever &")
    page.finish()
    page.until(lambda: page.comm, "the widget")
    comm, page.by_control = page.comm, True
    page.send_by_control({"type": "ready", "number": 1})
    page.until(lambda: field(page, RowField.STATE) == ["running"] * 3, "three rows running")
    held = page.custom[:]
    page.run("import time\nwhile not f.done: time.sleep(0.01)")
    page.comm, page.custom[:] = comm, held
    page.send_by_control({"type": "row_open", "row": 2, "number": 2})
    page.until(lambda: any(said["type"] == "row" for said, _ in page.custom), "the row's widget")
    page.send_by_control({"type": "row_stop", "row": 0, "rung": "interrupt", "number": 3})
    page.until(lambda: "stopped" in field(page, RowField.STATE), "one is stopped")
    page.send_by_control({"type": "stop", "rung": "interrupt", "number": 4})
    page.finish()
    assert page.error == ""
