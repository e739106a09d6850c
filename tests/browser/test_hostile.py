"""Output that means no good: the page answers, Stop works, and the record can be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from support import hostile, nomads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.jupyter import Notebook

MS = 60_000
AT_ONCE = 60_000

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

START = """\
import os
os.environ.update({environ})
runs = {{}}
for name in {names}:
    runs[name] = %nomad_action -job=hostile -group=g -task=t $name &
"""
READ = """\
import json
from nomad_magic.record.card import card
from nomad_magic.record.record import Record
said = {}
for name, run in runs.items():
    result = run.wait(20)
    html = card(Record(result))
    said[name] = [result.exit_code, result.transcript.size > 0, "the last line" in html]
print(json.dumps(said))
"""


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nomads.Agent]:
    folder = tmp_path_factory.mktemp("hostile")
    job = folder / "hostile.json"
    job.write_text(json.dumps(hostile.job(AT_ONCE)))
    setup = nomads.Setup(jobs=[job], ready=lambda made: bool(made.allocations("hostile", "g")))
    with nomads.embedded(folder, setup) as made:
        yield made


def test_hostile_output(opened: Callable[..., Notebook], agent: nomads.Agent) -> None:
    """All kinds at once, each in a view of its own: each is stopped by a click, and whole."""
    names = [hostile.action(name) for name in hostile.KINDS]
    notebook = opened([START.format(names=names, environ=agent.environ), READ])
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    notebook.wait_done(1)
    stops = notebook.cell(1).get_by_role("button", name="Stop", exact=True)
    expect(notebook.cell(1).locator(".nomad-action[data-phase=running]")).to_have_count(
        len(names), timeout=MS
    )
    for left in reversed(range(len(names))):
        stops.first.click()
        expect(stops).to_have_count(left, timeout=MS)
    notebook.run(2)
    notebook.wait_done(2)
    saved = notebook.save()
    said = json.loads(saved.cells[2].outputs[0].text)
    assert said == {name: [130, True, True] for name in names}
    records = [one["data"]["text/plain"] for one in saved.cells[1].outputs if "data" in one]
    for name in names:
        assert any(name in text and hostile.LAST in text for text in records), name
