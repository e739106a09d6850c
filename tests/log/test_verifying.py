"""A notebook that was run, its log, and what becomes of either: whatever was changed is found."""

from __future__ import annotations

import copy
import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from support.cells import environment

from nomad_magic.__main__ import main
from nomad_magic.log import notebook
from nomad_magic.log.evidence import Log
from nomad_magic.log.ledger import canonical, sha256
from nomad_magic.log.saved import variants
from nomad_magic.log.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.nomads import Agent

SERVER = "-job=cache -group=redis -task=server"
LINES = ("hello", "fail", "cat", "hello")

CELLS = [
    # Two in a cell, with words of the cell's own before and between.
    f"print('first')\n%nomad_action {SERVER} hello\nprint('then')\n%nomad_action {SERVER} fail",
    f"r = %nomad_action {SERVER} hello",
    "r",
    f"%%nomad_action {SERVER} cat\nfrom the cell",
    f"%nomad_action_all {SERVER} hello",
    *(f"%nomad_action {SERVER} {LINES[at % 4]}" for at in range(12)),
    "%config NomadMagics.view = 'widget'",
    *(f"%nomad_action {SERVER} {LINES[at % 4]}" for at in range(3)),
    f"import nomad_magic\nnomad_magic.run('{SERVER} hello').ok",
    "%nomad_runs",
    # What is no record of a run.
    "%nomad_actions -job=cache",
    f"nomad_magic.dry_run('{SERVER} hello')",
    f"%config NomadMagics.dry_run = True\n%nomad_action_all {SERVER} hello",
]
"""Twenty records in all."""


@dataclass
class Evidence:
    """A notebook and its log.

    Attributes:
        cells: The notebook's cells.
        log: The log's folder.
        folder: Where the notebook is saved.
    """

    notebook: dict[str, Any]
    log: Path
    folder: Path

    def check(self, *more: str) -> int:
        path = self.folder / "runbook.ipynb"
        path.write_text(json.dumps(self.notebook))
        return main(["verify", str(path), *more, "--log", str(self.log)])

    def cell(self, at: int) -> dict[str, Any]:
        """Return a cell of CELLS."""
        found: dict[str, Any] = self.notebook["cells"][at + 2]
        return found

    def record(self, at: int, which: int = 0) -> dict[str, Any]:
        """Return a record in a cell of CELLS."""
        outputs = [one for one in self.cell(at)["outputs"] if _is_record(one)]
        found: dict[str, Any] = outputs[which]
        return found

    def facts(self, at: int, which: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.record(at, which)["metadata"]["nomad_magic"]
        return found

    def folder_of(self, at: int) -> Path:
        (found,) = self.log.glob(f"*-{self.facts(at)['run_id']}")
        return found

    @property
    def ledger(self) -> Path:
        (found,) = self.log.glob("kernel-*")
        return found


def _is_record(output: dict[str, Any]) -> bool:
    facts = output.get("metadata", {}).get("nomad_magic", {})
    return bool(facts) and facts.get("kind") != "plan"


@pytest.fixture(scope="module")
def original(embedded_agent: Agent, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A notebook of twenty runs, as a runner has saved it."""
    folder = tmp_path_factory.mktemp("evidence")
    made = nbformat.v4.new_notebook()
    setup = (
        "%load_ext nomad_magic\n"
        f"%config NomadMagics.log_dir = {str(folder / 'log')!r}\n"
        "%config NomadMagics.raise_on_error = False"
    )
    made.cells = [
        nbformat.v4.new_markdown_cell("# A runbook"),
        *map(nbformat.v4.new_code_cell, (setup, *CELLS)),
    ]
    made.metadata.kernelspec = {"name": "python3", "display_name": "x", "language": "python"}
    with environment(embedded_agent.environ):
        NotebookClient(made, timeout=60).execute()
    return Evidence(json.loads(nbformat.writes(made)), folder / "log", folder)


@pytest.fixture
def evidence(original: Evidence, tmp_path: Path) -> Evidence:
    """A copy to forge."""
    shutil.copytree(original.log, tmp_path / "log")
    return Evidence(copy.deepcopy(original.notebook), tmp_path / "log", tmp_path)


def test_an_honest_notebook_is_as_the_log_has_it(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for it, and 0: twenty records, by the text view and the live one, and a fleet's."""
    assert evidence.check() == 0
    out = capsys.readouterr().out
    assert out == f"{evidence.folder}/runbook.ipynb: 20 records, all as the log has them\n"


def test_one_that_was_saved_by_a_page_is_too(evidence: Evidence) -> None:
    """Lines split or joined, 2 for 2.0, other keys at the output, a cell moved: nothing of that."""

    def as_javascript(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: as_javascript(one) for name, one in reversed(value.items())}
        if isinstance(value, list):
            return [as_javascript(one) for one in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    for cell in evidence.notebook["cells"]:
        for output in cell.get("outputs", []):
            output["data"] = {
                kind: "".join(text) if isinstance(text, list) else text
                for kind, text in output.get("data", {}).items()
            }
            if _is_record(output):
                output["metadata"]["isolated"] = True
                facts = output["metadata"]["nomad_magic"]
                output["metadata"]["nomad_magic"] = as_javascript(facts)
    evidence.notebook["cells"].insert(3, evidence.notebook["cells"].pop(9))
    assert evidence.check() == 0


# The forgeries: what is done to the notebook or to the log, and the words that name it.


def _edit(name: str, old: str, new: str) -> Callable[[Evidence], None]:
    def forge(evidence: Evidence) -> None:
        data = evidence.record(6)["data"]
        text = "".join(data[name])
        assert old in text
        data[name] = text.replace(old, new)

    return forge


def _set(path: str, value: Any, at: int = 6) -> Callable[[Evidence], None]:
    def forge(evidence: Evidence) -> None:
        *parents, last = path.split(".")
        there = evidence.facts(at)
        for name in parents:
            there = there[name]
        assert there[last] is not value
        there[last] = value

    return forge


def take_out_record(evidence: Evidence) -> None:
    evidence.cell(6)["outputs"].remove(evidence.record(6))


def take_out_outputs(evidence: Evidence) -> None:
    evidence.cell(6)["outputs"] = []


def take_out_cell(evidence: Evidence) -> None:
    evidence.notebook["cells"].remove(evidence.cell(6))


def take_out_all_records(evidence: Evidence) -> None:
    for cell in evidence.notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = []


def take_out_metadata(evidence: Evidence) -> None:
    del evidence.record(6)["metadata"]["nomad_magic"]


def take_out_html(evidence: Evidence) -> None:
    del evidence.record(6)["data"]["text/html"]


def add_markdown(evidence: Evidence) -> None:
    evidence.record(6)["data"]["text/markdown"] = "**✔ fail · exit 0**"


def make_up(evidence: Evidence) -> None:
    made = copy.deepcopy(evidence.record(5))
    made["metadata"]["nomad_magic"]["run_id"] = "0123456789abcdef"
    evidence.cell(7)["outputs"].append(made)


def make_up_whole(evidence: Evidence) -> None:
    """A record of a run that never was, the same in each of its forms."""
    run_id = evidence.facts(5)["run_id"]
    text = json.dumps(evidence.record(5)).replace(run_id, "0123456789abcdef")
    evidence.cell(7)["outputs"].append(json.loads(text))


def run_without_log(evidence: Evidence) -> None:
    """As a kernel leaves it that has no log yet."""
    make_up(evidence)
    made = evidence.cell(7)["outputs"][-1]["metadata"]["nomad_magic"]
    del made["log"]


def make_up_without_metadata(evidence: Evidence) -> None:
    html = f'<div class="nomad-magic tex2jax_ignore">{evidence.facts(5)["run_id"]}</div>'
    evidence.cell(7)["outputs"].append(
        {"output_type": "display_data", "data": {"text/html": html}, "metadata": {}}
    )


def copy_success_over_failure(evidence: Evidence) -> None:
    evidence.cell(6)["outputs"] = copy.deepcopy(evidence.cell(5)["outputs"])


def double(evidence: Evidence) -> None:
    evidence.cell(6)["outputs"] += copy.deepcopy(evidence.cell(6)["outputs"])


def swap(evidence: Evidence) -> None:
    one, other = evidence.cell(5), evidence.cell(6)
    one["outputs"], other["outputs"] = other["outputs"], one["outputs"]


def change_source(evidence: Evidence) -> None:
    evidence.cell(6)["source"] = f"%nomad_action {SERVER} hello"


def change_count(evidence: Evidence) -> None:
    evidence.cell(6)["execution_count"] = 99


def change_text_above(evidence: Evidence) -> None:
    stream = next(one for one in evidence.cell(6)["outputs"] if one.get("name") == "stdout")
    stream["text"] = "".join(stream["text"]).replace("partial", "all of it")


def add_text_above(evidence: Evidence) -> None:
    outputs = evidence.cell(6)["outputs"]
    at = outputs.index(evidence.record(6))
    outputs.insert(at, {"output_type": "stream", "name": "stdout", "text": "all is well\n"})


def take_out_text_above(evidence: Evidence) -> None:
    evidence.cell(6)["outputs"] = [evidence.record(6)]


def change_line_above(evidence: Evidence) -> None:
    """The one that a collapsed cell shows of a live view: `fail → exit 3`."""
    (head,) = [
        one
        for one in evidence.cell(19)["outputs"]
        if set(one.get("data", {})) == {"text/plain"} and not _is_record(one)
    ]
    text = "".join(head["data"]["text/plain"])
    assert "exit 3" in text
    head["data"]["text/plain"] = text.replace("exit 3", "exit 0")


def change_value(evidence: Evidence) -> None:
    """The result that another cell shows, which has no metadata."""
    (value,) = evidence.cell(2)["outputs"]
    html = "".join(value["data"]["text/html"])
    value["data"]["text/html"] = html.replace("hello", "hullo")


def change_fleet(evidence: Evidence) -> None:
    facts = evidence.facts(4)
    facts["counts"] = {"exit 0": 4}


def rewrite_record(evidence: Evidence) -> None:
    """One that says the same in every form, and in the log's record too."""
    path = evidence.folder_of(6) / "record.json"
    logged = json.loads(path.read_text())
    for facts in (logged["record"], evidence.facts(6)):
        facts["exit_code"], facts["outcome"] = 0, "succeeded"
    path.write_text(json.dumps(logged, indent=1) + "\n")
    for name, text in evidence.record(6)["data"].items():
        evidence.record(6)["data"][name] = "".join(text).replace("exit 3", "exit 0")


def change_logged_output(evidence: Evidence) -> None:
    path = evidence.folder_of(6) / "stdout"
    path.write_bytes(path.read_bytes().replace(b"p", b"P"))


def take_out_logged_output(evidence: Evidence) -> None:
    (evidence.folder_of(6) / "stderr").unlink()


def take_out_folder(evidence: Evidence) -> None:
    shutil.rmtree(evidence.folder_of(6))


def take_out_run(evidence: Evidence) -> None:
    """From both: its folder, its lines in the ledger, and its record."""
    run_id = evidence.facts(6)["run_id"]
    take_out_folder_and_record(evidence)
    lines = evidence.ledger.read_text().splitlines(keepends=True)
    evidence.ledger.write_text("".join(line for line in lines if run_id not in line))


def take_out_folder_and_record(evidence: Evidence) -> None:
    take_out_folder(evidence)
    take_out_outputs(evidence)


def take_out_run_and_mend_the_chain(evidence: Evidence) -> None:
    """The same, with every later line of the ledger made anew."""
    take_out_run(evidence)
    before, lines = "", []
    for text in evidence.ledger.read_text().splitlines():
        data = canonical({**json.loads(text), "before": before})
        before = sha256(data)
        lines.append(data + b"\n")
    evidence.ledger.write_bytes(b"".join(lines))


def take_out_ledger(evidence: Evidence) -> None:
    evidence.ledger.unlink()


def cut_ledger(evidence: Evidence) -> None:
    data = evidence.ledger.read_bytes()
    evidence.ledger.write_bytes(data[: data.index(evidence.facts(6)["run_id"].encode())])


def spoil_ledger(evidence: Evidence) -> None:
    """What is no hash stands where one did: that must end in words, and not in a fault of ours."""
    data = evidence.ledger.read_bytes()
    for name, value in (("forms", []), ("forms", {"text/html": 1}), ("streams", {"stdout": 1})):
        line = {"what": "shown", "run": evidence.facts(6)["run_id"], "as": "record", name: value}
        data += json.dumps(line).encode() + b"\n"
    evidence.ledger.write_bytes(data)


def add_folder(evidence: Evidence) -> None:
    there = evidence.folder_of(6)
    run_id = "0123456789abcdef"
    made = there.with_name(f"{there.name.partition('-')[0]}-{run_id}")
    shutil.copytree(there, made)


FORGERIES: list[tuple[str, Callable[[Evidence], None], str]] = [
    ("text", _edit("text/plain", "exit 3", "exit 0"), r"fail: its text/plain was changed"),
    ("HTML", _edit("text/html", "exit 3", "exit 0"), r"fail: its text/html was changed"),
    ("HTML gone", take_out_html, r"fail: its text/html is gone"),
    ("Markdown", add_markdown, r"fail: its text/markdown was added"),
    ("exit code", _set("exit_code", 0), r"exit_code was changed: the notebook says 0, the log 3"),
    ("outcome", _set("outcome", "succeeded"), r"outcome was changed: .*succeeded.*failed"),
    ("end not known", _set("outcome", "unknown"), r"says that its end is not known"),
    ("target", _set("place.allocation", "0" * 36), r"place\.allocation was changed"),
    ("job", _set("place.job", "other"), r"place\.job was changed: .*other.*cache"),
    ("time", _set("started", "2020-01-01T00:00:00+00:00"), r"started was changed"),
    ("hash", _set("stdout.sha256", "0" * 64), r"stdout\.sha256 was changed"),
    ("true for 1", _set("tty", 0), r"tty was changed: the notebook says 0, the log false"),
    (
        "new fact",
        lambda one: one.facts(6).update(by="me"),
        r"by was added",
    ),
    ("fact gone", lambda one: one.facts(6).pop("reason"), r"reason is gone from its metadata"),
    ("chain", _set("log.chain", "0" * 64), r"do not belong together"),
    ("metadata gone", take_out_metadata, r"has lost its metadata"),
    ("record gone", take_out_record, r"record of run \w+ of fail \(exit 3 in .*\) is missing"),
    ("outputs gone", take_out_outputs, r"record of run \w+ of fail \(exit 3 in .*\) is missing"),
    (
        "cell gone",
        take_out_cell,
        r"In \[\d+\] is gone, with the record of run \w+ of fail \(exit 3",
    ),
    ("all gone", take_out_all_records, r"of fail \(exit 3 in .*\) is missing"),
    ("made up", make_up, r"run 0123456789abcdef, which the log does not have"),
    ("made up whole", make_up_whole, r"run 0123456789abcdef, which the log does not have"),
    ("no log", run_without_log, r"does not have: by its own words it was run without a log"),
    ("made up HTML", make_up_without_metadata, r"has not shown run \w+ of hello in this cell"),
    ("copied", copy_success_over_failure, r"of hello is of In \[\d+\]: it was copied here"),
    ("double", double, r"stands in more than one place"),
    ("swapped", swap, r"of fail is of In \[\d+\]: it was copied here"),
    ("source", change_source, r"the cell's source is not what ran"),
    ("count", change_count, r"is of In \[\d+\]: it was copied here"),
    ("above", change_text_above, r"the stdout of run \w+ of fail above its record was changed"),
    ("more above", add_text_above, r"the stdout of run \w+ of fail above its record was changed"),
    ("none above", take_out_text_above, r"the std\w+ of run \w+ of fail above its record was cha"),
    ("line above", change_line_above, r"the line above the record of run \w+ of fail was changed"),
    ("value", change_value, r"of hello: its text/html was changed"),
    ("fleet", change_fleet, r"counts\.exit 0 was changed: the notebook says 4, the log 3"),
    ("both", rewrite_record, r"of fail: its record\.json in the log was changed"),
    ("log's output", change_logged_output, r"of fail: its stdout in the log was changed"),
    ("log's output gone", take_out_logged_output, r"of fail: its stderr in the log is gone"),
    ("log's folder gone", take_out_folder, r"of fail: its folder is gone from the log"),
    ("folder, record", take_out_folder_and_record, r"of fail: its folder is gone from the log"),
    ("run gone", take_out_run, r"kernel-\w+\.jsonl was changed: line \d+ does not follow"),
    ("chain mended", take_out_run_and_mend_the_chain, r"do not belong together"),
    ("ledger gone", take_out_ledger, r"the ledger of kernel \w+ is not in the log"),
    ("ledger cut", cut_ledger, r"which the log does not have"),
    ("ledger spoilt", spoil_ledger, r"a line about run \w+ cannot be understood"),
    ("folder added", add_folder, r"the folder \S+-0123456789abcdef is in no ledger"),
]


@pytest.mark.parametrize(
    ("forge", "words"), [one[1:] for one in FORGERIES], ids=[one[0] for one in FORGERIES]
)
def test_a_forgery_is_named(
    forge: Callable[[Evidence], None],
    words: str,
    evidence: Evidence,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With 1, in plain words, and with its cell where it has one."""
    forge(evidence)
    assert evidence.check() == 1
    out = capsys.readouterr().out
    assert re.search(words, out), out
    assert "not as the log has it\n" in out
    assert re.search(
        r"^  (cell \d+ \(In \[\d+\]\):|the log:|In \[\d+\] is gone)", out, re.MULTILINE
    ), out


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each text and number in some JSON, and to each name of a key."""
    if isinstance(value, dict):
        return [
            place
            for name, one in value.items()
            for place in [(*path, name, "name"), *places(one, (*path, name))]
        ]
    if isinstance(value, list):
        return [place for at, one in enumerate(value) for place in places(one, (*path, at))]
    return [path]


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_byte_that_was_changed_in_a_record_is_found(original: Evidence, data: Any) -> None:
    """Anywhere in it: in its text, its HTML, its facts, or a name of JSON."""
    cells = data.draw(
        st.sampled_from([one for one in range(len(CELLS)) if _records(original, one)])
    )
    which = data.draw(st.integers(0, _records(original, cells) - 1))
    made = copy.deepcopy(original.notebook)
    forged = Evidence(made, original.log, original.folder)
    record = forged.record(cells, which)
    text = json.dumps(record, ensure_ascii=False)
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.characters(codec="utf-8"))
    changed = text[:at] + new + text[at + 1 :]
    try:
        other = json.loads(changed)
    except ValueError:
        other = None
    assume(other != record and isinstance(other, dict))
    record.clear()
    record.update(other)
    path = original.folder / "forged.ipynb"
    path.write_text(json.dumps(made))
    (verdict,) = verify({"forged": notebook.read(path)}, _read(original.log))
    assert verdict.findings, changed


def _records(evidence: Evidence, at: int) -> int:
    return sum(map(_is_record, evidence.cell(at).get("outputs", [])))


_logs: dict[Path, Log] = {}


def _read(folder: Path) -> Log:
    """Read a log once: it stays as it is."""
    return _logs.setdefault(folder, Log(folder))


def test_a_cell_that_was_run_again_is_no_forgery(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its earlier record is gone by that, which is said and is no fault."""
    first, later = evidence.facts(5), evidence.facts(9)
    lines = evidence.ledger.read_text().splitlines()
    before, made = "", []
    # As JupyterLab says it: both runs are of one cell.
    for text in lines:
        line = json.loads(text)
        if line["what"] == "began" and line["run"] in {first["run_id"], later["run_id"]}:
            line["record"]["cell"]["id"] = "the-cell"
        data = canonical({**line, "before": before})
        before = sha256(data)
        made.append(data + b"\n")
    evidence.ledger.write_bytes(b"".join(made))
    evidence.cell(9)["id"] = "the-cell"
    evidence.notebook["cells"].remove(evidence.cell(5))
    evidence.check()
    out = capsys.readouterr().out
    assert f"note: cell 11 (In [11]): run {first['run_id']} of hello (exit 0 in" in out
    assert ") was before: the cell was run again\n" in out
    assert "is missing" not in out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "usage: python -m nomad_magic verify"),
        (["x.ipynb"], "--log"),
        (["x.ipynb", "--log", "{folder}/none"], "none cannot be read: No such file"),
        (["x.ipynb", "--log", "{folder}"], "is no log: there is no run in it"),
        (["x.ipynb", "--log", "{log}"], "x.ipynb cannot be read as a notebook: No such file"),
        (["{folder}/bad.ipynb", "--log", "{log}"], "as a notebook: it is not JSON"),
        (["{folder}/list.ipynb", "--log", "{log}"], "as a notebook: it has no cells"),
    ],
)
def test_a_call_that_can_tell_nothing_leaves_with_2(
    argv: list[str],
    words: str,
    original: Evidence,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And says why, on stderr alone."""
    (tmp_path / "bad.ipynb").write_text("{")
    (tmp_path / "list.ipynb").write_text("[]")
    words_of = {"folder": tmp_path, "log": original.log}
    assert main(["verify", *(word.format(**words_of) for word in argv)]) == 2
    ran = capsys.readouterr()
    assert words in ran.err
    assert ran.out == ""


def test_a_notebook_with_no_record_is_well(
    original: Evidence, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another one, of which the log has no run."""
    path = tmp_path / "other.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), path)
    assert main(["verify", str(path), "--log", str(original.log)]) == 0
    assert capsys.readouterr().out == f"{path}: no record in it, and no run of it in the log\n"


@pytest.mark.parametrize(
    ("text", "saved"),
    [
        ("10%\r100%\ndone\n", "100%\ndone\n"),  # nbclient, where it joins streams
        ("100%\r10%\ndone\n", "10%%\ndone\n"),  # JupyterLab
        ("ab\x08c\n", "ac\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
    ],
)
def test_a_text_is_known_in_each_way_in_which_it_is_saved(text: str, saved: str) -> None:
    """What a line overwrites is worked out by whoever saves it."""
    assert [len(saved), sha256(saved)] in variants(text)
    assert [len(saved), sha256(saved + "x")] not in variants(text)
