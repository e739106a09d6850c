"""What `docs/operators.md` says of rights, requests and logs, on the agents that there are."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest
from support import nomads, pages
from support.nomads import until
from support.recorder import recorder

import nomad_magic
from nomad_magic.errors import SessionRefused, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.recorder import Asked

PAGE = (pages.DOCS / "operators.md").read_text(encoding="utf-8")
(POLICY,) = pages.blocks(PAGE, "hcl")
(LINES, LOG) = pages.blocks(PAGE, "text")
LINE = "-job=cache -group=redis -task=server"

WITHOUT = {
    **{
        right: re.sub(rf'"{right}"(, )?', "", POLICY).replace(", ]", "]")
        for right in nomads.CAPABILITIES
    },
    **{
        f'{kind} {{ policy = "read" }}': re.sub(
            rf"^{kind} \{{.*?^\}}\n", "", POLICY, flags=re.MULTILINE | re.DOTALL
        )
        for kind in ("node", "agent")
    },
}
"""The policy without one of its rights each, by the words of the page's table."""


@pytest.fixture(scope="module", params=nomads.AGENTS)
def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[nomads.Agent, Path]]:
    """An agent with a token for the policy, and one for each right that it may lack."""
    folder = tmp_path_factory.mktemp("operators")
    policies = {"all": POLICY} | {f"no-{at}": text for at, text in enumerate(WITHOUT.values())}
    with nomads.either(request.param, folder, nomads.Setup(policies=policies)) as agent:
        yield agent, folder


def without(agent: nomads.Agent, right: str) -> str:
    """Return the token of the policy that lacks a right."""
    return agent.tokens[f"no-{list(WITHOUT).index(right)}"]


def run(agent: nomads.Agent, token: str, line: str = f"{LINE} hello") -> nomad_magic.ActionResult:
    return nomad_magic.run(line, env={"NOMAD_ADDR": agent.address, "NOMAD_TOKEN": token})


def session_at(agent: nomads.Agent, token: str) -> str:
    """Run an action; return whether its session went to the node or to the address."""
    upstream = agent.address.removeprefix("http://")
    with recorder(upstream) as address, recorder(upstream) as node:
        env = {"NOMAD_ADDR": f"http://{address.own}", "NOMAD_TOKEN": token}
        # What is said of the node leads to the other one.
        address.own = node.own
        nomad_magic.run(f"{LINE} hello", env=env)
        (at,) = [
            name
            for name, one in (("address", address), ("node", node))
            if any(asked.upgrade for asked in one.asked)
        ]
        return at


def test_the_table_has_every_right_of_the_policy() -> None:
    """And no other: what each is for is what is tested below."""
    table = PAGE.partition("## Rights")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE) == list(WITHOUT)
    assert POLICY not in WITHOUT.values()


@pytest.mark.parametrize(
    "right", ["list-jobs", 'node { policy = "read" }', 'agent { policy = "read" }']
)
def test_a_right_that_a_run_can_do_without(started: tuple[nomads.Agent, Path], right: str) -> None:
    """The action runs in one allocation and in all."""
    agent, _ = started
    token = without(agent, right)
    assert run(agent, token).ok
    env = {"NOMAD_ADDR": agent.address, "NOMAD_TOKEN": token}
    assert nomad_magic.run_all("-job=cache -task=server -parallel=100 hello", env=env).ok


@pytest.mark.parametrize(
    ("right", "error", "words"),
    [
        ("read-job", UnexpectedAnswer, "403 (Permission denied)"),
        ("alloc-exec", SessionRefused, "Permission denied"),
        ("alloc-node-exec", SessionRefused, "Permission denied"),
    ],
)
def test_a_right_that_a_run_needs(
    started: tuple[nomads.Agent, Path],
    right: str,
    error: type[nomad_magic.NomadMagicError],
    words: str,
) -> None:
    """Nothing runs, and the hint names the right."""
    agent, _ = started
    with pytest.raises(error, match=re.escape(words)) as caught:
        run(agent, without(agent, right))
    assert right in caught.value.hint


def test_without_node_read_a_session_goes_to_the_address(
    started: tuple[nomads.Agent, Path],
) -> None:
    """With it, to the node."""
    agent, _ = started
    assert session_at(agent, agent.tokens["all"]) == "node"
    assert session_at(agent, without(agent, 'node { policy = "read" }')) == "address"


def test_agent_read_is_what_the_limit_is_told_for(started: tuple[nomads.Agent, Path]) -> None:
    """To a token that has it."""
    agent, _ = started

    def status(token: str) -> int:
        request = urllib.request.Request(
            f"{agent.address}/v1/agent/self", headers={"X-Nomad-Token": token}
        )
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as got:
                return int(got.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    assert status(agent.tokens["all"]) == 200
    assert status(without(agent, 'agent { policy = "read" }')) == 403


def plain(asked: Asked) -> tuple[str, dict[str, str]]:
    """Return a request as the page writes it: ids named, no region."""
    query = {name: value for name, value in asked.query if name != "region"}
    path = asked.path
    for kind in ("allocation", "node"):
        path = re.sub(rf"(?<=/v1/{kind}/)[0-9a-f-]{{36}}", f"<{kind}>", path)
    if "allocID" in query:
        query["allocID"] = "<allocation>"
    return path, query


def test_a_run_asks_what_the_page_says(started: tuple[nomads.Agent, Path]) -> None:
    """In that order; the two in the middle side by side; the last is upgraded."""
    agent, _ = started
    said = []
    for line in LINES.splitlines():
        url = urlsplit(line.removeprefix("GET "))
        said.append((url.path, dict(parse_qsl(url.query))))
    with recorder(agent.address.removeprefix("http://")) as between:
        env = {"NOMAD_ADDR": f"http://{between.own}", "NOMAD_TOKEN": agent.tokens["all"]}
        assert nomad_magic.run(f"{LINE} hello", env=env).ok
        asked = between.take()
    assert [one.upgrade for one in asked] == [False, False, False, False, True]
    found = [plain(one) for one in asked]
    found[2:4] = sorted(found[2:4], key=lambda one: one[0])
    assert found == said


@pytest.mark.parametrize("started", [one for one in nomads.AGENTS if one == "nomad"], indirect=True)
def test_the_agent_logs_what_the_page_says(started: tuple[nomads.Agent, Path]) -> None:
    """The action, and the second session that stopped it; no secret, and nothing of the output."""
    agent, folder = started
    token = agent.tokens["all"]
    env = {"NOMAD_ADDR": agent.address, "NOMAD_TOKEN": token}
    shown = nomad_magic.run(f"{LINE} hello", env=env).text
    with nomad_magic.start(f"{LINE} -t=false quiet", env=env) as session:
        until(lambda: session.look() is not None, seconds=20, what="its process")
        session.stop()
        assert session.wait(20).outcome is nomad_magic.Outcome.INTERRUPTED
    log = (folder / "nomad.log").read_text(encoding="utf-8")
    for line in LOG.splitlines():
        pattern = re.sub(r"<\w+>", r"[0-9a-f-]{36}", re.escape(line).replace("oncall", "all"))
        assert re.search(rf"{pattern}$", log, re.MULTILINE), line
    assert token not in log
    assert shown not in log


@pytest.mark.parametrize("started", [one for one in nomads.AGENTS if one == "nomad"], indirect=True)
def test_the_commands_of_the_page_make_a_token_that_may(
    started: tuple[nomads.Agent, Path], tmp_path: Path
) -> None:
    """As they stand, with the policy in a file."""
    agent, _ = started
    (tmp_path / "policy.hcl").write_text(POLICY, encoding="utf-8")
    (block,) = pages.blocks(PAGE, "console")
    said = ""
    for line in re.findall(r"^\$ (.+)$", block, re.MULTILINE):
        ran = subprocess.run(
            shlex.split(line),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **agent.environ},
            capture_output=True,
            text=True,
            check=True,
        )
        said = ran.stdout
    (secret,) = re.findall(r"^Secret ID\s+= (\S+)$", said, re.MULTILINE)
    assert run(agent, secret).ok
