"""Pieces of HCL made at random: heredocs, and expressions of all kinds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nomad_magic.agent.fields import Report, scalar
from nomad_magic.agent.hcl import document
from nomad_magic.agent.hcl.nodes import HclError
from nomad_magic.agent.hcl.variables import Given

if TYPE_CHECKING:
    from random import Random

DATA = Path(__file__).parent.parent / "data" / "hcl"

_LINES = (
    "a", "", "", "x {0}", "{0}x", " {0}", "${{foo}}", "$${{x}}", "%%{{x}}", '${{"v"}} w', "$x",
    "\\n", '"q"', "é", '${{~ "t" ~}}', "${{~ foo}}", "  b", "<<EOF", "%{{ if true }}y%{{ endif }}",
    "%{{ if true }}", "$", "%", "$$", '${{"\n"}}', "e\u0301",
)  # fmt: skip
_BLANKS = ("", " ", "  ", "    ", "\t", "\t\t", " \t", "\t ", "\u00a0", "\f")
_ATOMS = (
    "1", "2.5", "-3", '"a"', '""', "true", "false", "foo", "foo.bar", "[1,2]", '["a","b"]',
    "{a=1}", "{}", "[]", '"${foo}"', '"x${1}y"', "(2)", "null", "var.s", "var.n", "var.l",
    "local.z", '"5"', 'env["A"]', '[for x in var.l : "${x}!"]', "{for k, v in {a=1} : v => k}",
    "var.o.k", "var.l[0]", "var.l[*]", '"${var.s}"',
)  # fmt: skip
_OPERATORS = ("+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||")
_CALLS = ("upper", "length", "join", "format", "concat", "keys", "max", "split", "coalesce", "trim")


def heredoc(random: Random) -> str:
    """Return a heredoc that may, or may not, be one that HCL takes."""
    marker = random.choice(["EOF", "_EOF", "É", "E-O-F", "x1"])
    end = random.choice(["\n", "\n", "\r\n"])
    lines = [
        random.choice(_BLANKS)
        + random.choice(_LINES).format(marker)
        + random.choice(["", " ", "\t"])
        for _ in range(random.randint(0, 5))
    ]
    close = random.choice(["", " ", "\t", "   "]) + marker + random.choice(["", "", " ", "\u00a0"])
    opening = f"<<{random.choice(['', '-', '-'])}{marker}{random.choice(['', '', '', ' '])}"
    last = random.choice([end, end, end, ""]) + random.choice(["", "", ","])
    return end.join([opening, *lines, close]) + last


def expression(random: Random, depth: int = 2) -> str:
    """Return an expression that may, or may not, have a value."""

    def inner() -> str:
        return expression(random, depth - 1)

    forms = [
        lambda: f"{inner()} {random.choice(_OPERATORS)} {inner()}",
        lambda: f"{inner()} ? {inner()} : {inner()}",
        lambda: (
            f"{random.choice(_CALLS)}({', '.join(inner() for _ in range(random.randint(0, 3)))})"
        ),
        lambda: f"({inner()})",
        lambda: f'"<${{{inner()}}}>"',
        lambda: f"{inner()}[{inner()}]",
        lambda: f"{random.choice('!-')}{inner()}",
    ]
    if depth == 0 or random.random() < 0.3:
        return random.choice(_ATOMS)
    return random.choice(forms)()


def file_of(value: str) -> str:
    """Return a job file whose one action has a value among its arguments."""
    before: str = json.loads((DATA / "expressions.json").read_text())["before"]
    return (
        f'{before}job "odd" {{\n group "g" {{\n  task "t" {{\n   driver = "raw_exec"\n'
        f'   action "a" {{\n    command = "c"\n    args = [{value}\n]\n }}\n }}\n }}\n}}\n'
    )


def ours(text: str) -> tuple[list[str] | None, str]:
    """Return the arguments of that action as we read them, or None and why there are none."""
    try:
        found = document.read(text, Given())
    except HclError as error:
        return None, error.words
    if found.problems:
        return None, found.problems[0]
    group = found.content["job"][0]["odd"]["group"][0]["g"]
    report = Report()
    args = [scalar(one, "", report) for one in group["task"][0]["t"]["action"][0]["a"]["args"]]
    return (None, report.refusals[0]) if report.refusals else (args, "")


def theirs(program: str, folder: Path, text: str) -> list[str] | None:
    """Return the same as `nomad job run -output` reads it, which asks no agent."""
    path = folder / "job.nomad.hcl"
    path.write_bytes(text.encode())
    ran = subprocess.run(
        [program, "job", "run", "-output", str(path)],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"NOMAD_ADDR": "http://127.0.0.1:1"},
    )
    if ran.returncode:
        return None
    job: dict[str, Any] = json.loads(ran.stdout)["Job"]
    args: list[str] = job["TaskGroups"][0]["Tasks"][0]["Actions"][0]["Args"]
    return args
