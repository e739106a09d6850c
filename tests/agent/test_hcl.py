"""HCL, held against what `nomad job run -output` made of the same text."""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support import hcl_cases

from nomad_magic.agent.hcl import document
from nomad_magic.agent.hcl.functions import FUNCTIONS
from nomad_magic.agent.hcl.nodes import HclError
from nomad_magic.agent.hcl.variables import Given
from nomad_magic.agent.jobfile import JobReader, LoadOptions, load_jobs
from nomad_magic.errors import AgentError

DATA = Path(__file__).parent.parent / "data" / "hcl"
ROWS = json.loads((DATA / "expressions.json").read_text())["rows"]
FILES = json.loads((DATA / "files.json").read_text())

# What we do not do is refused, and not done otherwise.
NOT_DONE = (
    "has no function",
    "format does",
    "element found nothing",
    "reverse is not done",
    "regular expression",
    "a division by zero",
    "holds a NUL",
)


def test_expressions_as_recorded() -> None:
    """Each of six hundred values is the recorded one; what is refused there is refused here."""
    differing = []
    for value, real in ROWS:
        read, why = hcl_cases.ours(hcl_cases.file_of(value))
        if read != real and (read is not None or not any(words in why for words in NOT_DONE)):
            differing.append((value, real, read, why))
    assert differing == []


def test_every_function_is_recorded() -> None:
    """None is there that was not held against the real one, with a value that it has."""
    called = " ".join(value for value, real in ROWS if real is not None)
    assert [name for name in FUNCTIONS if f"{name}(" not in called] == []


@pytest.mark.parametrize("path", sorted(DATA.glob("*.nomad.hcl")), ids=lambda path: path.stem)
def test_files_as_recorded(path: Path) -> None:
    """Byte order marks, line ends, markers, indents: the recorded arguments and count."""
    recorded = json.loads(path.with_name(path.name.replace(".nomad.hcl", ".json")).read_text())
    (job,) = load_jobs([path]).jobs
    (group,) = job.groups
    assert recorded["exit"] == 0
    assert list(group.tasks[0].actions[0].args) == recorded["args"]
    assert group.count == (recorded["count"] or 1)


def kept(job: dict[str, Any]) -> dict[str, Any]:
    """What was recorded of a job, with Nomad's defaults filled in."""
    return {
        **job,
        "type": job["type"] or "service",
        "priority": 50 if job["priority"] is None else job["priority"],
        "datacenters": job["datacenters"] or ["*"],
        "meta": job["meta"] or {},
        "groups": [
            [
                name,
                1 if count is None else count,
                [
                    [task, driver, env or {}, [[a, c, args or []] for a, c, args in actions]]
                    for task, driver, env, actions in tasks
                ],
            ]
            for name, count, tasks in job["groups"]
        ],
    }


def read(row: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """The same of the job as we read it; None when the file is refused for its HCL."""
    path.write_bytes(row["text"].encode())
    options = LoadOptions(variables=row["variables"], environment=row["environment"])
    found, report = _read(path, options)
    # Of what a job must have the recordings know nothing.
    about_jobs = ("no task groups", "no driver", "no task without", "needs a command", "region")
    about_jobs += ("node is in",)
    if any(not any(words in one for words in about_jobs) for one in report) or not found:
        return None
    (job,) = found
    return {
        "name": job.name,
        "type": job.type,
        "priority": job.priority,
        "datacenters": list(job.datacenters),
        "meta": job.meta,
        "groups": [
            [
                group.name,
                group.count,
                [
                    [
                        task.name,
                        task.driver,
                        task.env,
                        [
                            [action.name, action.command, list(action.args)]
                            for action in task.actions
                        ],
                    ]
                    for task in group.tasks
                ],
            ]
            for group in job.groups
        ],
    }


def _read(path: Path, options: LoadOptions) -> tuple[list[Any], list[str]]:
    reader = JobReader(options)
    jobs = reader.file(path)
    reader.check_variables()
    return jobs, reader.report.refusals


# The later of two is Nomad's; and a negative count is refused by its servers.
STRICTER = ("locals {\n a = 1\n}\nlocals {\n a = 2\n}", "count = -1")


@pytest.mark.parametrize("row", FILES, ids=range(len(FILES)))
def test_structure_and_variables_as_recorded(row: dict[str, Any], tmp_path: Path) -> None:
    """Blocks, labels, lines, comments; variables with their types, from wherever they come."""
    ours = read(row, tmp_path / "job.nomad.hcl")
    stricter = ours is None and any(words in row["text"] for words in STRICTER)
    assert stricter or ours == (kept(row["job"]) if row["job"] else None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('job "a" {\n  type = "x\n}\n', "2,10: a string has no end on its line"),
        ('job "a" {\n  priority = 1 +\n}\n', "2,17: a value was expected"),
        ('job "a" {\n  x = <<E\n', "2,7: a heredoc has no end: E alone on a line"),
        ("job {" * 200, "nested more than 50 deep"),
        ('job "a" {\n x = ' + "[" * 5000, "nested more than 50 deep"),
        ('job "a" {\n x = ' + "-" * 5000 + "1\n}\n", "nested more than 50 deep"),
        ('job "a" {\n x = ' + '"${' * 5000, "nested more than 50 deep"),
        ('job "a" {\n x = a' + ".b" * 5000 + "\n}\n", "too long a reference"),
        ('job "a" {\n x = 1' + "+1" * 5000 + "\n}\n", "too long an expression"),
        ('job "a" {\n x = 1e999999999\n}\n', "a number of this size"),
        ('job "a" {\n x = "\\UFFFFFFFF"\n}\n', "there is no character U+ffffffff"),
    ],
)
def test_where_it_is_wrong(text: str, words: str) -> None:
    """An error has its line and column, as Nomad counts them; no depth and no size is too much."""
    with pytest.raises(HclError) as caught:
        document.read(text, Given())
    assert words in document.place(text, caught.value)


@pytest.mark.parametrize(
    "value",
    [
        '"' + "${a}" * 300_000 + '"',
        "<<E\n" + "%{ if true }\n" * 300 + "%{ endif }\n" * 300 + "E\n",
        "[" + "{}," * 300_000 + "]",
    ],
    ids=range(3),
)
def test_no_size_takes_for_ever(value: str, tmp_path: Path) -> None:
    """Each of these may be a file of a megabyte: read, or refused, in the time of its reading."""
    begun = time.process_time()
    path = tmp_path / "job.nomad.hcl"
    path.write_text(hcl_cases.file_of(value))
    with pytest.raises(AgentError):
        load_jobs([path])
    assert time.process_time() - begun < 30


@pytest.mark.parametrize(
    "value",
    [
        "length([for a in range(9999): [for b in range(9999): a * b]])",
        'join("", [for a in range(9999): join("", [for b in range(9999): "x"])])',
        '"%{ for a in range(9999) }%{ for b in range(9999) }x%{ endfor }%{ endfor }"',
    ],
)
def test_loops_in_loops_end(value: str) -> None:
    """What would be evaluated for hours is refused."""
    read, why = hcl_cases.ours(hcl_cases.file_of(value))
    assert read is None
    assert "more than" in why


# In a line each: a text of 400,000 characters, a list of 10,000 numbers, one of 10,000 such lists.
SMALL = """
big = join("", [for i in range(10000) : "0123456789012345678901234567890123456789"])
row = range(10000)
all = [for i in local.row : local.row]
"""
NESTED = "1"
for name in "abcde":
    NESTED = f"[for {name} in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : {NESTED}]"
BOMBS = {
    "join": "x = join(local.big, local.row)",
    "replace with a long text": 'x = replace(local.big, "0", local.big)',
    "replace nothing": 'x = replace(local.big, "", local.big)',
    "format": 'x = format("' + "%s" * 99 + '", [for i in range(99) : local.big]...)',
    "jsonencode of one text": "x = jsonencode([for i in local.row : local.big])",
    "jsonencode of one list": "x = jsonencode(local.all)",
    "flatten": "x = flatten(local.all)",
    "concat": "x = concat(local.all...)",
    "merge": "m = {for i in local.row : i => i}\nx = [for i in local.row : merge(local.m)]",
    "contains": 'x = [for i in local.row : contains(local.row, "no")]',
    "splat in splat": "\n".join(f"x{i} = local.all[*][0]" for i in range(99)),
    "squares": "s0 = 1e300\n" + "\n".join(f"s{i + 1} = local.s{i} * local.s{i}" for i in range(40)),
    "a number in JSON": 'x = "${jsondecode("1e999999999")}"',
    "a larger number in JSON": 'x = "${jsondecode("1e' + "9" * 40 + '")}"',
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
def test_a_few_lines_make_no_more_than_a_file_may_be(body: str) -> None:
    """Each of these would take gigabytes, or hours: it is refused before it is made."""
    tracemalloc.start()
    try:
        problems = document.read(f"locals {{{SMALL}{body}\n}}\n", Given()).problems
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(problems) >= 1
    assert all(
        re.search("more than|too long|of this size|cannot be worked out", one) for one in problems
    )
    assert most < 100_000_000


def test_all_values_of_a_file_share_its_bounds() -> None:
    """Neither many small values nor one value in many places is a way around them."""
    text = "".join(f'variable "v{i}" {{\n  default = {NESTED}\n}}\n' for i in range(40))
    assert "more than 300,000 steps" in document.read(text, Given()).problems[0]
    repeated = (
        f'locals {{{SMALL}}}\njob "j" {{\n meta {{ x = [for i in local.row : local.big] }}\n}}'
    )
    assert "more than 4 MB" in document.read(repeated, Given()).problems[0]
    looped = "%{ for a in range(9999) }x%{ endfor }"
    _, problems = document.fill_in([looped] * 400)
    assert "more than 300,000 steps" in problems[0]


def test_a_file_that_cannot_be_read_may_have_any_variable(tmp_path: Path) -> None:
    """What is wrong with it is said, and not that nothing declares what it may declare."""
    path = tmp_path / "job.nomad.hcl"
    path.write_text('variable "who" {\n}\njob "j" { group "g" {} }\n')
    with pytest.raises(AgentError) as caught:
        load_jobs([path], LoadOptions(variables=["who=me"]))
    assert caught.value.message.startswith(f"{path}:3,11: ")
    assert "who" not in str(caught.value)


def test_numbers_of_a_json_file_of_variables(tmp_path: Path) -> None:
    """They are numbers as those of HCL are: exact."""
    values = tmp_path / "values.json"
    values.write_text('{"size": 0.1, "many": 3}')
    text = (
        'variable "size" {\n type = number\n}\nvariable "many" {\n type = number\n}\n'
        'job "j" {\n meta {\n  size = "${var.size + 0.2}"\n  many = "${var.many}"\n }\n}'
    )
    given = JobReader(LoadOptions(var_files=[values])).given
    (job,) = document.read(text, given).content["job"]
    assert job["j"]["meta"] == [{"size": Decimal("0.3"), "many": 3}]


def test_a_large_heredoc(tmp_path: Path) -> None:
    """Megabytes are read in their time, and more than that not at all."""
    path = tmp_path / "job.nomad.hcl"
    path.write_text(hcl_cases.file_of("<<EOF\n" + "a line of text\n" * 130_000 + "EOF\n"))
    begun = time.process_time()
    read, _ = hcl_cases.ours(path.read_text())
    assert read == ["a line of text\n" * 130_000]
    assert time.process_time() - begun < 10
    path.write_text(hcl_cases.file_of("<<EOF\n" + "x" * 10_000_000 + "\nEOF\n"))
    with pytest.raises(AgentError, match="larger than 4 MB"):
        load_jobs([path])
