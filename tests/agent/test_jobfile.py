"""Job files: what is read, what is left out when asked for, and what is refused, all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.agent import acl, responses
from nomad_magic.agent.jobfile import DEMO, LoadOptions, load_file, load_jobs
from nomad_magic.errors import AgentError

DATA = Path(__file__).parent.parent / "data"
PUBLIC = DATA / "jobs" / "public"
LENIENT = LoadOptions(lenient=True, variables=["password=s3cret"])


def recorded(name: str) -> Any:
    return json.loads((DATA / "http" / f"{name}.json").read_text())["body"]


def test_hcl_gives_the_recorded_actions() -> None:
    """The runbook's actions are, word for word, those that a real agent made of it."""
    (job,) = load_file(DATA / "jobs" / "runbook.nomad.hcl")
    assert responses.job_actions(job) == recorded("job-actions")


def test_api_json_gives_the_same_job(tmp_path: Path) -> None:
    """What the API says of a job can be loaded again, with and without `Job` around it."""
    (from_hcl,) = load_file(DATA / "jobs" / "runbook.nomad.hcl")
    for name, document in (("bare", recorded("job")), ("wrapped", {"Job": recorded("job")})):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document))
        (job,) = load_file(path)
        assert responses.job_actions(job) == responses.job_actions(from_hcl)
        assert [group.count for group in job.groups] == [3, 1]


def test_hcl_as_json(tmp_path: Path) -> None:
    """HCL's JSON syntax is read too, where a label is a key and text is a template."""
    path = tmp_path / "job.json"
    action = {"hello": {"command": "/bin/echo", "args": ['${upper("hi")}', "${NOMAD_X}", 1, True]}}
    task = {"driver": "raw_exec", "config": {"command": "/bin/true"}, "action": action}
    path.write_text(
        json.dumps({"job": {"a": {"type": "batch", "group": {"g": {"task": {"t": task}}}}}})
    )
    (job,) = load_file(path)
    assert (job.id, job.type) == ("a", "batch")
    assert job.groups[0].tasks[0].actions[0].args == ("HI", "${NOMAD_X}", "1", "true")


def test_lifecycle() -> None:
    """Hooks are read."""
    (job,) = load_file(DATA / "jobs" / "cachetwo.nomad.hcl")
    assert [(task.name, task.hook) for task in job.groups[0].tasks] == [
        ("pre", "prestart"),
        ("main", ""),
    ]


def test_demo() -> None:
    """Without a file there is the demo job."""
    (job,) = load_jobs([]).jobs
    names = {action.name for group in job.groups for task in group.tasks for action in task.actions}
    assert {"hello", "watch", "progress", "fail", "count-lines", "flood", "quiet"} <= names
    assert DEMO.name == "demo.json"


LEFT_OUT = {
    "etl": ["group 'load': left out: volume", "task 'load': left out: volume_mount"],
    "java-service": [
        "group 'api': left out: network, service",
        "task 'jvm': left out: artifact, template, vault",
    ],
    "monitoring": [
        (
            "job 'monitoring': left out: datacenters (eu-west-1), node_pool (monitoring), "
            "constraint (${meta.role} = metrics), constraint (distinct_hosts true)"
        ),
        "group 'prometheus': left out: network",
        "resources: left out: cores, device",
        "task 'prometheus': left out: template, service",
    ],
    "node-maintenance": [],
    "postgres": [
        "group 'db': left out: volume, network",
        "task 'server': left out: user, volume_mount",
    ],
    "redis": ["group 'cache': left out: network, service"],
    "shop": [
        "group 'api': left out: network, service",
        "group 'web': left out: network, service",
        "group 'worker': left out: shutdown_delay",
        "task 'server': left out: leader",
        "task 'server': left out: leader",
    ],
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_job_files_as_people_write_them(name: str) -> None:
    """With --lenient each loads, and says what it is without; else all of that is refused."""
    path = PUBLIC / f"{name}.nomad.hcl"
    loaded = load_jobs([path], LENIENT) if name == "postgres" else load_jobs([path], _no_values())
    notes = [note.removeprefix(f"{path}: ") for note in loaded.notes]
    assert len(notes) == len(LEFT_OUT[name])
    for note in LEFT_OUT[name]:
        assert any(one.endswith(note) for one in notes), (note, notes)
    if not notes:
        return
    with pytest.raises(AgentError) as caught:
        load_jobs([path], LoadOptions(variables=["password=x"] if name == "postgres" else []))
    said = str(caught.value)
    assert said.startswith(f"{path}: the embedded agent refuses this, for ")
    assert "--lenient starts it without " in caught.value.hint
    assert said.count("\n  ") == int(said.partition("for ")[2].partition(" ")[0]) >= len(notes)


def _no_values() -> LoadOptions:
    return LoadOptions(lenient=True)


def test_public_jobs_say_what_they_said() -> None:
    """Variables, locals, functions and dynamic blocks end in the actions of `job run -output`."""
    files = [PUBLIC / f"{name}.nomad.hcl" for name in LEFT_OUT]
    jobs = {job.id: job for job in load_jobs(files, LENIENT).jobs}
    words = {
        (job.id, group.name, action.name): action.args[-1] if action.args else ""
        for job in jobs.values()
        for group in job.groups
        for task in group.tasks
        for action in task.actions
    }
    theirs = json.loads((PUBLIC / "actions.json").read_text())
    assert {"/".join(key): value for key, value in words.items()} == theirs
    assert [(g.name, g.count) for g in jobs["shop"].groups] == [
        ("api", 1),
        ("web", 2),
        ("worker", 1),
    ]
    assert jobs["node-maintenance"].type == "system"
    assert jobs["postgres"].groups[0].tasks[0].env["POSTGRES_PASSWORD"] == "s3cret"


def test_values_of_variables(tmp_path: Path) -> None:
    """`-var` before `-var-file` before NOMAD_VAR_ before the default; the last of each wins."""
    job = tmp_path / "job.nomad.hcl"
    job.write_text(
        "".join(f'variable "{name}" {{\n default = "default"\n}}\n' for name in "abcd")
        + 'job "j" {\n name = "${var.a} ${var.b} ${var.c} ${var.d}"\n group "g" {\n task "t" {\n'
        ' driver = "raw_exec"\n config {\n command = "x"\n}\n}\n}\n}\n'
    )
    first, second = tmp_path / "one.hcl", tmp_path / "two.json"
    first.write_text('a = "file"\nb = "file"\n')
    second.write_text('{"b": "later"}')
    options = LoadOptions(
        variables=["a=early", "a=line"],
        var_files=[first, second],
        environment={f"NOMAD_VAR_{name}": "environment" for name in "abcz"},
    )
    (loaded,) = load_jobs([job], options).jobs
    assert loaded.name == "line later environment default"
    wrong = LoadOptions(variables=["nope=1", "bare"], var_files=[tmp_path / "none.hcl"])
    with pytest.raises(AgentError) as caught:
        load_jobs([job], wrong)
    for words in ("a variable 'nope'", "-var bare: expected -var NAME=VALUE", "No such file"):
        assert words in str(caught.value)


def job_with(**changes: Any) -> dict[str, Any]:
    task = {"Name": "t", "Driver": "raw_exec", "Config": {"command": "/bin/true"}}
    task.update(changes.pop("task", {}))
    group = {"Name": "g", "Tasks": [task], **changes.pop("group", {})}
    return {"Job": {"ID": "j", "TaskGroups": [group], **changes}}


def tasks(count: int) -> list[dict[str, Any]]:
    config = {"command": "x"}
    return [{"Name": f"t{n}", "Driver": "raw_exec", "Config": config} for n in range(count)]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"task": {"Driver": "docker"}}, "has no driver 'docker'"),
    ({"Type": "cron"}, "does not run 'cron' jobs"),
    ({"Type": "system", "group": {"Count": 2}}, "runs once on each node"),
    ({"Periodic": {"Spec": "* * * * *"}}, "does not do periodic"),
    ({"ParameterizedJob": {"Payload": ""}}, "does not do parameterized"),
    ({"Stop": True}, "does not do Stop"),
    ({"Region": "mars"}, "region 'mars'"),
    ({"task": {"Templates": [{"DestPath": "x"}]}}, "does not do template"),
    ({"task": {"Artifacts": [{"GetterSource": "x"}]}}, "does not do artifact"),
    ({"task": {"Vault": {"Role": "x"}}}, "does not do vault"),
    ({"task": {"User": "somebody else"}}, "as the user who started it"),
    ({"group": {"Volumes": {"x": {"Type": "host"}}}}, "does not do volume"),
    ({"group": {"Networks": [{"Mode": "host"}]}}, "does not do network"),
    ({"task": {"Resources": {"Devices": [{"Name": "gpu"}]}}}, "resources: .* does not do device"),
    ({"task": {"Resources": {"CPU": -1}}}, "cpu cannot be -1"),
    ({"task": {"LogConfig": {"Enabled": False}}}, "enabled = false"),
    ({"task": {"KillSignal": "SIGFOO"}}, "no signal 'SIGFOO'"),
    ({"task": {"KillTimeout": -5}}, "kill_timeout is not a duration"),
    ({"task": {"KillTimeout": "5 s"}}, "kill_timeout is not a duration"),
    ({"task": {"Lifecycle": {"Hook": "later"}}}, "unknown lifecycle hook 'later'"),
    ({"task": {"Lifecycle": {"Sidecar": True}}}, "unknown lifecycle hook"),
    ({"task": {"RestartPolicy": {"Mode": "never"}}}, "unknown restart mode 'never'"),
    ({"task": {"Actions": [{"Name": "a b", "Command": "x"}]}}, "is not a name for an action"),
    ({"task": {"Actions": [{"Name": "a"}]}}, "action 'a': needs a command"),
    ({"task": {"Name": "alloc"}}, "beside `alloc`"),
    ({"task": {"Name": "a\\b"}}, "without a slash or a backslash"),
    ({"task": {"Name": ".."}}, "the name of its directory"),
    ({"task": {"Name": "t" * 300}}, "more than 200 bytes"),
    ({"task": {"Name": "a\ud800"}}, "half of a surrogate pair"),
    ({"task": {"Env": {"A": "\ud800"}}}, "half of a surrogate pair"),
    ({"task": {"Env": {"A": "x\0y"}}}, "holds a NUL"),
    ({"task": {"Env": {"A": [1]}}}, "expected text"),
    (
        {"task": {"Config": {"command": "x", "work_dir": "/"}}},
        "'work_dir' is not a field of the config",
    ),
    ({"task": {"Config": {}}}, "needs a command"),
    ({"task": {"Drivr": "x"}}, "did you mean driver"),
    ({"ID": "a b"}, "cannot have a blank"),
    ({"ID": ""}, "needs an ID"),
    ({"Priority": 101}, "at most 100"),
    ({"TaskGroups": []}, "no task groups"),
    ({"TaskGroups": {"a": 1}}, "must be a list"),
    ({"group": {"Tasks": tasks(1) * 2}}, "task 't0' twice"),
    ({"group": {"Count": 1_000_000_000}}, "at most 50,000 allocations"),
    ({"group": {"Count": 50_001}}, "at most 50,000 allocations"),
    ({"group": {"Count": 5_001}}, "at most 5,000 tasks"),
    ({"group": {"Count": 100, "Tasks": tasks(51)}}, "at most 5,000 tasks"),
    ({"group": {"Count": 10**30}}, "count cannot be"),
    ({"group": {"Count": 1.5}}, "must be a whole number"),
    ({"Datacenters": ["eu-1", "eu-2"]}, "one node is in dc1"),
    ({"NodePool": "gpu"}, "in the pool default"),
    ({"Constraints": [{"LTarget": "${attr.kernel.name}", "RTarget": "plan9"}]}, "does not meet it"),
    ({"Constraints": [{"LTarget": "${meta.rack}", "RTarget": "r1"}]}, "does not meet it"),
    ({"Constraints": [{"LTarget": "a", "RTarget": "a", "Operand": "~"}]}, "no such operator"),
    ({"Constraints": [3]}, "expected a constraint"),
    ({"group": {"Count": 2, "Constraints": [{"Operand": "distinct_hosts"}]}}, "does not meet it"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=range(len(REFUSED)))
def test_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """What the agent cannot do is refused by name, with the file."""
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job_with(**changes)))
    with pytest.raises(AgentError, match=words) as caught:
        load_file(path)
    assert str(path) in str(caught.value) or "at most 5,000" in words


MET: list[dict[str, Any]] = [
    {"LTarget": "${attr.kernel.name}", "RTarget": "(linux|darwin)", "Operand": "regexp"},
    {"LTarget": "${node.datacenter}", "RTarget": "dc1", "Operand": "="},
    {"LTarget": "${attr.driver.raw_exec}", "Operand": "is_set"},
    {"LTarget": "${meta.rack}", "Operand": "is_not_set"},
    {"LTarget": "${meta.rack}", "RTarget": "r1", "Operand": "!="},
    {"LTarget": "dc1,dc2", "RTarget": "dc2", "Operand": "set_contains"},
    {"Operand": "distinct_hosts", "RTarget": "true"},
]


def test_constraints_that_are_met(tmp_path: Path) -> None:
    """They change nothing."""
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job_with(Constraints=MET, Datacenters=["eu", "dc*"])))
    assert load_jobs([path]).notes == []


def test_all_refusals_at_once(tmp_path: Path) -> None:
    """Of every file, at every level, in one error; and which of them --lenient would mend."""
    first, second = tmp_path / "one.nomad.hcl", tmp_path / "two.json"
    first.write_text(
        'job "one" {\n type = "cron"\n priority = var.nope\n group "g" {\n network {\n }\n'
        ' count = lower(\n 1)\n task "alloc" {\n driver = "docker"\n comand = 1\n}\n}\n}\n'
    )
    second.write_text(json.dumps(job_with(task={"KillSignal": "SIGFOO", "Name": "x/y"})))
    with pytest.raises(AgentError) as caught:
        load_jobs([first, second, tmp_path / "none.hcl"])
    lines = str(caught.value).splitlines()
    assert lines[0] == "the embedded agent refuses this, for 9 reasons:"
    for place, words in (
        ("one.nomad.hcl:3,17", "there is no variable nope"),
        ("one.nomad.hcl: job 'one'", "does not run 'cron' jobs"),
        ("group 'g': task 'alloc'", "beside `alloc`"),
        ("group 'g': task 'alloc'", "no driver 'docker'"),
        ("group 'g': task 'alloc'", "'comand' is not a field of a task"),
        ("group 'g'", "does not do network"),
        ("two.json: job 'j': group 'g': task 'x/y'", "without a slash"),
        ("two.json: job 'j': group 'g': task 'x/y'", "no signal 'SIGFOO'"),
        ("none.hcl", "No such file"),
    ):
        assert any(place in line and words in line for line in lines), words
    assert lines[-1] == "--lenient would leave out network, but not the rest."


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        "3",
        '{"job": 3}',
        '{"variable": {}, "job": {}}',
        '{"Job": []}',
        "NaN",
        "[" * 100_000,
        '{"Job": ' * 5_000 + "1" + "}" * 5_000,
        '{"Job": {"ID": ' + "1" * 6_000 + "}}",
    ],
    ids=range(11),
)
def test_no_job_file(tmp_path: Path, text: str) -> None:
    """A file that is none is an AgentError, whatever is in it; so for tokens."""
    path = tmp_path / "job.json"
    path.write_text(text)
    with pytest.raises(AgentError):
        load_file(path)
    with pytest.raises(AgentError):
        acl.load_policy(path)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(
        ["5s", "SIGINT", "raw_exec", "\ud800", "${attr.kernel.name}", "${", "t" * 300]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
LEVELS = ("job", "group", "task", "action", "resources", "restart", "lifecycle", "logs", "config")


@given(st.data())
def test_odd_values_are_refused_or_run(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever stands in whichever field: the job is read, or an AgentError says why not."""
    from nomad_magic.agent.job_fields import FIELDS  # noqa: PLC0415 - only here

    document = job_with(
        task={
            "Actions": [{"Name": "a", "Command": "x"}],
            "Resources": {"CPU": 1},
            "RestartPolicy": {"Attempts": 1},
            "LogConfig": {"MaxFiles": 1},
            "Lifecycle": {"Hook": ""},
        }
    )
    group = document["Job"]["TaskGroups"][0]
    task = group["Tasks"][0]
    objects = {
        "job": document["Job"],
        "group": group,
        "task": task,
        "action": task["Actions"][0],
        "resources": task["Resources"],
        "restart": task["RestartPolicy"],
        "lifecycle": task["Lifecycle"],
        "logs": task["LogConfig"],
        "config": task["Config"],
    }
    level = data.draw(st.sampled_from(LEVELS))
    field = data.draw(st.sampled_from(sorted(FIELDS[level])))
    objects[level][field] = data.draw(ANY)
    path = tmp_path_factory.mktemp("odd") / "job.json"
    path.write_text(json.dumps(document))
    try:
        (job,) = load_jobs([path], LoadOptions(lenient=data.draw(st.booleans()))).jobs
    except AgentError as error:
        str(error).encode()  # it can be written out
    else:
        json.dumps(responses.job(job, status="", submitted=0, index=0), ensure_ascii=False).encode()


def test_every_field_is_in_the_table() -> None:
    """Of a file with all that Nomad knows each field is one of the table, in both syntaxes."""
    names = ("every-field.json", "every-field.nomad.hcl")
    for name in names:
        with pytest.raises(AgentError) as caught:
            load_file(DATA / "jobs" / name)
        said = str(caught.value)
        assert "is not a field" not in said
        for words in ("periodic", "network", "template", "csi_plugin", "secret", "device", "kind"):
            assert f"does not do {words}\n" in f"{said}\n", (name, words)


def test_twice() -> None:
    """The same job cannot be loaded twice."""
    with pytest.raises(AgentError, match="already loaded"):
        load_jobs([DEMO, DEMO])
