"""A cluster with ACL, mutual TLS and two namespaces: who is answered what, and by which names."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from support import nomads, secured
from support.cells import environment

from nomad_magic.errors import NomadMagicError
from nomad_magic.record.visible import visible_name

if TYPE_CHECKING:
    from support.cells import Ran, Shell
    from support.certificates import Certificates

    Secured = tuple[nomads.Agent, Certificates]

SHOP = "-job=shop -group=web -task=main where"
ONLY = "-job=only -group=web -task=main where"
ALLOC = "-job=shop -alloc={alloc} -task=main where"

DEFAULT, APART = "default where\n", "apart where\n"
EXEC = "failed to exec into task: Permission denied"
ALLOCATION = "Error querying allocation: Unexpected response code: 403 (Permission denied)"
NO_JOB = 'No job(s) with prefix or ID "{job}" found'
NO_ALLOCATION = 'No allocation(s) with prefix or id "{alloc}" found'
JOB = (
    'Error fetching allocations: error querying job "{job}": '
    "Unexpected response code: 403 (Permission denied)"
)
TWICE = 'Prefix "shop" matched multiple jobs\n\nID    Namespace  Type     Priority  Status   Submit'

# Each token's answers, in a namespace, to: a job of both, a job of `apart` alone, and an
# allocation in `apart`.  Measured with the real CLI on a real agent of version 2.0.6.
ANSWERS = {
    ("both", ""): (DEFAULT, NO_JOB, NO_ALLOCATION),
    ("both", "apart"): (APART, APART, APART),
    ("both", "*"): (TWICE, APART, APART),
    ("both", "nowhere"): (JOB, JOB, ALLOCATION),
    ("default", ""): (DEFAULT, NO_JOB, NO_ALLOCATION),
    ("default", "apart"): (JOB, JOB, ALLOCATION),
    ("default", "*"): (DEFAULT, NO_JOB, NO_ALLOCATION),
    ("reader", ""): (EXEC, NO_JOB, NO_ALLOCATION),
    ("reader", "apart"): (EXEC, EXEC, EXEC),
    ("reader", "*"): (TWICE, EXEC, EXEC),
    ("unlisted", ""): (JOB, NO_JOB, ALLOCATION),
    ("unlisted", "apart"): (APART, APART, APART),
    ("unlisted", "*"): (JOB, NO_JOB, APART),
    ("isolated", ""): (JOB, JOB, ALLOCATION),
    ("isolated", "apart"): (EXEC, EXEC, EXEC),
    ("isolated", "*"): (EXEC, EXEC, EXEC),
    ("nothing", ""): (JOB, JOB, ALLOCATION),
    ("nothing", "apart"): (JOB, JOB, ALLOCATION),
    ("nothing", "*"): (JOB, JOB, ALLOCATION),
    ("unknown", "apart"): (JOB, JOB, ALLOCATION),
    ("unknown", "*"): (JOB, JOB, ALLOCATION),
    ("none", "apart"): (JOB, JOB, ALLOCATION),
    ("management", ""): (DEFAULT, NO_JOB, NO_ALLOCATION),
    ("management", "*"): (TWICE, APART, APART),
    ("management", "nowhere"): (NO_JOB, NO_JOB, NO_ALLOCATION),
}


def run(shell: Shell, agent: nomads.Agent, line: str, **more: str) -> Ran:
    with environment({**agent.environ, **more}):
        ran = shell.magic(line)
    assert ran.error is None or isinstance(ran.error, NomadMagicError)
    assert ran.exit_code == (0 if ran.error is None else 1)
    return ran


def check(ran: Ran, answer: str) -> None:
    """Hold what a cell did against the words of an answer: output, or an error."""
    if answer.endswith("\n"):
        assert ran.error is None
        assert ran.stdout.decode() == answer
    else:
        assert str(ran.error).startswith(answer)


def token(agent: nomads.Agent, name: str) -> str:
    others = {
        "unknown": "00000000-1111-2222-3333-444444444444",
        "none": "",
        "management": agent.environ["NOMAD_TOKEN"],
    }
    return others[name] if name in others else agent.tokens[name]


@pytest.mark.parametrize(
    ("name", "namespace"), ANSWERS, ids=[" ".join(pair).strip() for pair in ANSWERS]
)
def test_a_token_in_a_namespace(
    shell: Shell, secured_agent: Secured, name: str, namespace: str
) -> None:
    """What may be seen and run there is what the CLI is answered, by flag and by variable."""
    agent, _ = secured_agent
    stubs = agent.get("/v1/allocations?namespace=apart")
    alloc = next(stub["ID"] for stub in stubs if stub["JobID"] == "shop")
    answers = ANSWERS[name, namespace]
    for line, job, answer in zip((SHOP, ONLY, ALLOC), ("shop", "only", ""), answers, strict=True):
        filled = line.format(alloc=alloc)
        more = {"NOMAD_TOKEN": token(agent, name)}
        if namespace and job == "only":
            more["NOMAD_NAMESPACE"] = namespace
        elif namespace:
            filled = f"-namespace={namespace} {filled}"
        check(run(shell, agent, filled, **more), answer.format(job=job, alloc=alloc))


def test_the_hint_names_the_namespace_of_the_allocation(
    shell: Shell, secured_agent: Secured
) -> None:
    """Which is not the one that was asked for, under `*`."""
    agent, _ = secured_agent
    more = {"NOMAD_TOKEN": agent.tokens["reader"]}
    error = run(shell, agent, f"-namespace=* {ONLY}", **more).error
    assert isinstance(error, NomadMagicError)
    assert "alloc-exec and alloc-node-exec" in error.hint
    assert "in the namespace apart" in error.hint


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize(
    ("region", "answer"),
    [
        ("global", DEFAULT),
        ("Global", 'Error querying job prefix "shop": Unexpected response code: 500 (No path to'),
        ("no where", 'Error querying job prefix "shop": Unexpected response code: 500 (No path to'),
    ],
)
def test_a_region(
    shell: Shell, secured_agent: Secured, region: str, answer: str, *, flag: bool
) -> None:
    """The agent's own by its name; of another it knows no way to."""
    agent, _ = secured_agent
    if flag:
        ran = run(shell, agent, f"-region='{region}' {SHOP}")
    else:
        ran = run(shell, agent, SHOP, NOMAD_REGION=region)
    check(ran, answer)


def test_names_of_every_kind(shell: Shell, secured_agent: Secured) -> None:
    """Whatever Nomad lets a job, group, task and action be called reaches it as it is.

    What is known of the run is there to be shown: control characters are written out.
    """
    agent, _ = secured_agent
    job, action = secured.odd_id(agent.version), secured.odd_action(agent.version)
    words = [
        f"-job={job}",
        f"-group={secured.ODD_GROUP}",
        f"-task={secured.ODD_TASK}",
        action,
    ]
    ran = run(shell, agent, shlex.join(words))
    check(ran, f"default {action}\n")
    place = ran.value.place
    names = (job, secured.ODD_GROUP, secured.ODD_TASK)
    assert (place.job, place.group, place.task) == tuple(map(visible_name, names))
    alloc = place.allocation
    ran = run(shell, agent, shlex.join([words[0], f"-alloc={alloc}", action]))
    check(ran, f"default {action}\n")
    ran = run(shell, agent, shlex.join([*words[:3], "nosuch?"]))
    check(ran, "failed to exec into task: action nosuch? not found in task " + secured.ODD_TASK)


@pytest.mark.skipif("nomad" not in nomads.AGENTS, reason="there is no nomad on the PATH")
@pytest.mark.parametrize("name", [secured.ODD_ACTION, secured.PLAIN_ACTION])
def test_names_that_an_action_may_have(real_agent: nomads.Agent, name: str) -> None:
    """Before 1.9 letters, digits and dashes alone: what the test above runs is what there is."""
    job = secured.job_of("odd", "default", action=name)
    said = real_agent.get("/v1/validate/job", {"Job": job})["Error"]
    taken = secured.odd_action(real_agent.version) in (name, secured.ODD_ACTION)
    assert taken is ("invalid name" not in said)


def test_an_id_that_ends_as_a_path_does(shell: Shell, secured_agent: Secured) -> None:
    """A job may be called `plain/action`: the path of its sessions is another one's."""
    agent, _ = secured_agent
    check(run(shell, agent, "-job=plain/action -group=web -task=main where"), DEFAULT)
    check(run(shell, agent, "-job=plain/ac -group=web -task=main where"), DEFAULT)
