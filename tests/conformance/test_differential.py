"""Random lines, run by the real CLI and by `%nomad_action`: the same requests, the same end.

For more lines than the suite has: `NOMAD_MAGIC_LINES=500 pytest tests/conformance -k differential`.

What is meant to differ, and so is not made here or taken out:

- The help, whose words are our own, and the colour of errors.
- The node is asked for together with the allocation, not after it.
- A job that a word led to before: its allocations are asked for together with the job.
- What is asked for a hint alone: with -alloc and an action that is not there the job's versions;
  the jobs, allocations, namespaces and regions there are, where a word led to none.
- That jobs are asked for by the page, which the CLI does since 1.11.
- A prefix of a job's id in the last request: the CLI sends the prefix, which fails.
- An action with an empty name: the CLI asks for an exec session without a command instead.
- `-t` where stdin is no terminal: the CLI refuses, here a cell's body is typed.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from support import nomads
from support.cells import Shell, environment
from support.recorder import Asked, Recorder, recorder

from nomad_magic.line import flags

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = int(os.environ.get("NOMAD_MAGIC_LINES", "25"))
FIRST = int(os.environ.get("NOMAD_MAGIC_FIRST_LINE", "0"))
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
AGE = re.compile(r"(\d+[a-z]+)+ ago")

ACTIONS = ("hello", "hello", "hello", "fail", "utf8", "killed", "missing-binary", "nosuch", "cat")
WORDS = ("nosuch", "ünïcode", "two words", "a/b", "50%", "'", '"', "\\", "*", "", "~", "a&b", "x=y")
PLACES = (
    *[("cache", "redis", "server")] * 6,
    *[("cache", "single", "only")] * 3,
    ("cache", "redis", "sidecar"),
    ("cache-two", "g", "main"),
    ("cache-two", "g", "pre"),
    ("nightly", "work", "once"),
)
PREFIXES = ("n", "cache-")
"""Each leads to one job."""
JOBS = ("ca", *PREFIXES, *WORDS)
SWITCHES = {
    "i": ("", "=true", "=1", "=T", "=false", "=0", "=F", "=no", "="),
    "t": ("=false", "=0", "=F", "=no", "=", "=yes"),
}
ODD = ("-h", "--help", "-x", "---t", "-it", "-=", "-no-color", "-insecure", "-tls-skip-verify=0")
VARIABLES = ("NOMAD_REGION", "NOMAD_NAMESPACE", "NOMAD_TOKEN", "NOMAD_HTTP_AUTH")


@dataclass(frozen=True)
class Line:
    """A line as a shell reads it, and the variables beside it."""

    text: str
    environ: dict[str, str]
    start: str = "nomad job action"
    stdin: str | None = None

    def __str__(self) -> str:
        environ = [f"{name}={value!r}" for name, value in self.environ.items()]
        return " ".join([*environ, self.start, self.text, f"<<< {self.stdin!r}"])


@dataclass
class Grammar:
    """Makes lines: mostly good ones, each with little that is odd."""

    seed: int
    address: str
    ids: dict[str, list[str]]
    """Of each group, its allocations'."""
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def line(self) -> Line:
        words = [*self.place(), *self.flags()]
        self.dice.shuffle(words)
        words += ["--"] if self.chance(0.05) else []
        actions = ACTIONS if self.chance(0.95) else WORDS
        words += [self.quoted(self.of(*filter(None, actions)))]
        words += [self.quoted(self.of(*WORDS, "-t", "-help"))] if self.chance(0.05) else []
        start = self.of("nomad job action", "nomad job action", "nomad action")
        stdin = self.of("one\ntwo\n", "é") if self.chance(0.2) else None
        return Line(" ".join(words), self.environ(), start, stdin)

    def place(self) -> Iterator[str]:
        job, group, task = self.of(*PLACES)
        job = self.of(*JOBS) if self.chance(0.2) else job
        yield self.flag("job", job)
        if job in PREFIXES:
            # As far as both look it up.
            group = "nosuch"
        if self.chance(0.35):
            yield self.flag("alloc", self.allocation())
        for name, value in (("group", group), ("task", task)):
            if self.chance(0.9):
                yield self.flag(name, value if self.chance(0.9) else self.of(*WORDS))

    def flags(self) -> Iterator[str]:
        for name, switches in SWITCHES.items():
            if self.chance(0.15):
                yield f"-{name}{self.of(*switches)}"
        for name, values in self.settings().items():
            if self.chance(0.12):
                yield self.flag(name, self.of(*values))
        if self.chance(0.1):
            yield self.flag("address", self.of(*self.addresses()))
        if self.chance(0.04):
            yield self.of(*ODD)

    def environ(self) -> dict[str, str]:
        odd = self.chance(0.05)
        environ = {"NOMAD_ADDR": self.of(*self.addresses()) if odd else f"http://{self.address}"}
        for name in VARIABLES:
            if self.chance(0.1):
                values = self.settings().get(name.removeprefix("NOMAD_").lower(), ("me:you",))
                environ[name] = self.of(*values)
        return environ

    def settings(self) -> dict[str, tuple[str, ...]]:
        return {
            "region": ("global", "global", "", "nowhere", "ünïcode"),
            "namespace": ("default", "default", "", "*", "nosuch", "two words"),
            "token": ("", "c0ffee00-1111-2222-3333-444444444444", "short"),
            "ca-cert": ("", "/nosuch"),
            "client-cert": ("", "/nosuch"),
            "tls-server-name": ("", "nomad.test"),
            "e": ("none", "", "~", "%", "ab", "é"),
        }

    def addresses(self) -> tuple[str, ...]:
        good = self.address
        port = good.partition(":")[2]
        return (
            f"http://{good}", f"HTTP://{good}/", f"http://localhost:{port}", f"http://{good}/path?q",
            f"http://me:you@{good}", f"https://{good}", good, f"http://{good}:1", "unix:///nosuch",
            "http://127.0.0.1:1", "http://", "ftp://127.0.0.1:1", "http://[::1", "http://127.0.0.1:x",
        )  # fmt: skip

    def allocation(self) -> str:
        group = self.of("redis", "single", "single", "single")
        one = self.of(*self.ids[group])
        return self.of(
            one, one, one[:8], one[:7], one.upper(), one[:1], "", "zz", "0" * 36, one + "0"
        )

    def flag(self, name: str, value: str) -> str:
        dashes = self.of("-", "-", "-", "--")
        return f"{dashes}{name}{self.of('=', '=', ' ')}{self.quoted(value)}"

    def quoted(self, word: str) -> str:
        """Quote a word as people do; some words need no quotes, and get some."""
        plain = bool(re.fullmatch(r"[\w/.:=,-]+", word, re.ASCII))
        ways = ["'" + word.replace("'", "'\\''") + "'"]
        ways.append('"' + re.sub(r'(["\\$`])', r"\\\1", word) + '"')
        ways.append("".join(c if re.fullmatch(r"[\w-]", c) else f"\\{c}" for c in word) or "''")
        return self.of(*[word] * 9, *ways) if plain else self.of(*ways)

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def of(self, *values: Any) -> Any:
        return self.dice.choice(values)


@dataclass(frozen=True)
class Seen:
    """What a run did, as far as it is the same each time."""

    requests: list[Asked]
    node: list[Asked]
    """The question for the node, which the CLI asks after the allocation; here at the same time."""
    exit_code: int
    stdout: str
    stderr: str


class Both:
    """Runs a line both ways, and compares."""

    def __init__(self, agent: nomads.Agent, between: Recorder, shell: Shell) -> None:
        self.between = between
        self.shell = shell
        self.usages = {f"{flags.help_text()}\n", self._usage(), self._usage("job")}
        self.ids = {group: agent.allocations("cache", group) for group in ("redis", "single")}

    def cli(self, line: Line) -> Seen:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec {line.start} {line.text}"],
            env={**inherited, **line.environ},
            input=(line.stdin or "").encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return self._seen(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _usage(self, *command: str) -> str:
        command = ("nomad", *command, "action", "-help")
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    def differences(self, line: Line) -> dict[str, tuple[Any, Any]]:
        """Run a line both ways; give what the CLI did and what we did, where that differs."""
        cli, magic = self.cli(line), self.magic(line)
        if not cli.node and len(magic.node) == 1:
            # The CLI went no further than the allocation.
            magic = replace(magic, node=[])
        if nomads.version_of("nomad") < (1, 11):
            magic = replace(magic, requests=[_unpaged(one) for one in magic.requests])
        names = [one.name for one in fields(Seen)]
        pairs = {name: (getattr(cli, name), getattr(magic, name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def magic(self, line: Line) -> Seen:
        with environment(line.environ):
            words = line.start.removeprefix("nomad ")
            ran = self.shell.magic(f"{words} {line.text}", line.stdin, name="nomad")
        stdout, stderr = ran.stdout.decode(), ran.cli_stderr.decode()
        error: Any = ran.error
        if error is not None and (error.result is None or error.result.exit_code is None):
            # What the CLI prints, an error says; without our hint.
            stdout += f"{error.output}\n" if error.output else ""
            stderr += f"{error.message}\n"
        return self._seen(ran.exit_code, stdout, stderr)

    def _seen(self, exit_code: int, stdout: str, stderr: str) -> Seen:
        asked = [self._same(one) for one in self.between.take()]
        # Neither of these pairs depends on each other.
        if [one.path.rpartition("/")[2] for one in asked[:2]] == ["allocations", "jobs"]:
            asked[:2] = asked[1::-1]
        node = [one for one in asked if one.path.startswith("/v1/node/")]
        asked = [one for one in asked if one not in node]
        unlisted = not any(one.path == "/v1/jobs" for one in asked)
        versions = bool(asked) and asked[-1].path.endswith("/versions")
        if versions and unlisted and "not found in task" in stderr:
            asked.pop()
        if self._plain(stderr).startswith("No "):
            # No job or no allocation: by then one question was asked.
            del asked[1:]
        asked = [one for one in asked if one.path != "/v1/regions"]
        for usage in self.usages:
            # Ours has words of its own.
            stdout = stdout.replace(usage, "<usage>\n")
        return Seen(asked, node, exit_code, stdout, self._plain(stderr))

    def _plain(self, text: str) -> str:
        """Ages grow while the second of the two runs."""
        return re.sub(r" +", " ", AGE.sub("<age>", COLOUR.sub("", text)))

    def _same(self, asked: Asked) -> Asked:
        """Which allocation of a group is taken is chance."""
        path, query = asked.path, asked.query
        for group, ids in self.ids.items():
            for one in ids:
                path = path.replace(one, f"<{group}>")
                query = tuple(
                    (n, f"<{group}>" if v == one and n == "allocID" else v) for n, v in query
                )
        return replace(asked, path=path, query=query)


def _unpaged(asked: Asked) -> Asked:
    """Return a question for jobs without the size of a page; any other as it is."""
    if asked.path != "/v1/jobs":
        return asked
    return replace(asked, query=tuple(one for one in asked.query if one[0] != "per_page"))


@pytest.fixture(scope="module")
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    agent: nomads.Agent = request.getfixturevalue("real_agent")
    shell = Shell()
    with recorder(agent.address.removeprefix("http://")) as between:
        yield Both(agent, between, shell)
    shell.close()


@pytest.mark.skipif("nomad" not in nomads.AGENTS, reason="there is no nomad on the PATH")
@pytest.mark.parametrize("seed", range(FIRST, FIRST + LINES))
def test_a_line_does_the_same(seed: int, both: Both) -> None:
    """Requests with their query and their token, in order; output, error and exit code."""
    line = Grammar(seed, both.between.own, both.ids).line()
    # Now and then the real agent drops a session's connection before its last frame (1 of 1,000).
    assert not (both.differences(line) and both.differences(line)), str(line)
