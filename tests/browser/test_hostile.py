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
AT_ONCE = 30_000
A_CELL = 7

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

BEGIN = """\
import json, os
os.environ.update({environ})
runs = {{}}
"""
START = """\
for name in {names}:
    runs[name] = %nomad_action -job=hostile -group=g -task=t $name &
"""
READ = """\
results = {name: run.wait(20) for name, run in runs.items()}
last = "the last line"
print(json.dumps({name: [one.exit_code, last in one.text] for name, one in results.items()}))
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
    """Some of the kinds at once, each in its view: a click stops each, and the record is whole."""
    names = [hostile.action(name) for name in hostile.KINDS]
    parts = [names[at : at + A_CELL] for at in range(0, len(names), A_CELL)]
    begin = BEGIN.format(environ=agent.environ)
    notebook = opened([begin, *(START.format(names=part) for part in parts), READ])
    notebook.run(0)
    notebook.wait_done(0)
    notebook.run(1)
    notebook.wait_done(1)
    for index, part in enumerate(parts, 2):
        notebook.run(index)
        notebook.wait_done(index)
        views = notebook.cell(index).locator(".nomad-action[data-phase=running]")
        expect(views).to_have_count(len(part), timeout=MS)
        stops = notebook.cell(index).get_by_role("button", name="Stop", exact=True)
        for left in reversed(range(len(part))):
            stops.first.click()
            expect(stops).to_have_count(left, timeout=MS)
    notebook.run(2 + len(parts))
    notebook.wait_done(2 + len(parts))
    saved = notebook.save()
    said = json.loads(saved.cells[2 + len(parts)].outputs[0].text)
    assert said == {name: [130, True] for name in names}
    for index, part in enumerate(parts, 2):
        records = [one.get("data", {}).get("text/plain", "") for one in saved.cells[index].outputs]
        for name in part:
            assert any(name in text and hostile.LAST in text for text in records), name
