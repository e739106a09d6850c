"""Secrets are handed in by every door, and looked for in every place that is shared or saved.

A door is a way for a token or a password to come to us; a deed is what an agent does that may bring
it out again.  Each door meets each deed, by the magics and from Python, and what is shown, raised,
logged, pickled and saved then is searched for the secret, plain or in any encoding, or half of it.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import pickle
import shlex
import socket
import tempfile
import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat
import psutil
import pytest
from jupyter_client.manager import KernelManager
from nbconvert import HTMLExporter, MarkdownExporter, PythonExporter, RSTExporter
from support.canaries import MODES, WAYS, Canary, of_error, of_fleet, of_result, written
from support.cells import environment
from support.loops import listening
from support.processes import title
from support.proxy import Proxy
from support.scripted import Script, answer, scripted

import nomad_magic
from nomad_magic.agent import EmbeddedAgent
from nomad_magic.nomad import vocabulary
from nomad_magic.record.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from jupyter_client.blocking.client import BlockingKernelClient
    from support.cells import Shell
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Response

    from nomad_magic.record.result import ActionResult

LINE = ("-group=redis", "-task=server")


@dataclass
class Given:
    """What one door hands in.

    Attributes:
        environ: Variables.
        words: Of the line, before its own.
        after: Behind the action's name.
        action: The action's name.
        key: What a file of a private key holds.
    """

    environ: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    action: str = "hello"
    key: str = ""


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def token(text: str, address: str, **more: str) -> Given:
    return Given({"NOMAD_ADDR": address, "NOMAD_TOKEN": text, **more})


def user(text: str, address: str, beginning: str = "http://") -> str:
    return f"{beginning}ops:{quoted(text)}@{address.removeprefix('http://')}"


DOORS: dict[str, Callable[[str, str, str], Given]] = {
    # The secret, the agent's address, the proxy's.
    "NOMAD_TOKEN": lambda text, agent, _: token(text, agent),
    "-token": lambda text, agent, _: Given({"NOMAD_ADDR": agent}, (f"-token={text}",)),
    "-token, in two words": lambda text, agent, _: Given({"NOMAD_ADDR": agent}, ("-token", text)),
    "-token behind the action": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent}, after=("-token", text, f"--token={text}")
    ),
    "both, and the flag counts": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent, "NOMAD_TOKEN": text}, ("-token=another-token",)
    ),
    "the action's name": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent, "NOMAD_TOKEN": text}, action=text
    ),
    "a job's name": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent, "NOMAD_TOKEN": text}, (f"-job={text}",)
    ),
    "a flag that is none": lambda text, agent, _: Given({"NOMAD_ADDR": agent}, (f"-tokn={text}",)),
    "-token with a colon": lambda text, agent, _: Given({"NOMAD_ADDR": agent}, (f"-token:{text}",)),
    "a boolean": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent, "NOMAD_TOKEN": text}, (f"-t={text}",)
    ),
    "NOMAD_HTTP_AUTH": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent, "NOMAD_HTTP_AUTH": f"ops:{text}"}
    ),
    "the address": lambda text, agent, _: Given({"NOMAD_ADDR": user(text, agent)}),
    "-address": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent}, (f"-address={user(text, agent)}",)
    ),
    **{
        f"an address of {beginning or 'nothing'}": lambda text, agent, _, beginning=beginning: (
            Given(words=(f"-address={user(text, agent, beginning)}",))
        )
        for beginning in ("http:/", "http//", "", "https:", "htp://", "http;//")
    },
    "an address with a blank": lambda text, agent, _: Given(
        {"NOMAD_ADDR": f" {user(text, agent)}"}
    ),
    "the address, not encoded": lambda text, _agent, _: Given(
        {"NOMAD_ADDR": f"http://ops:{text}@h"}
    ),
    "HTTP_PROXY": lambda text, agent, proxy: Given(
        {
            "NOMAD_ADDR": f"http://agent.example:{agent.rpartition(':')[2]}",
            "HTTP_PROXY": user(text, proxy),
        }
    ),
    "https_proxy": lambda text, _agent, proxy: Given(
        {"NOMAD_ADDR": "https://agent.example:4646", "https_proxy": user(text, proxy)}
    ),
    "a mistyped proxy": lambda text, agent, proxy: Given(
        {
            "NOMAD_ADDR": f"http://agent.example:{agent.rpartition(':')[2]}",
            "HTTP_PROXY": user(text, proxy, "http:/"),
        }
    ),
    "a key's file": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent},
        ("-client-cert=KEY", "-client-key=KEY"),
        key=f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n",
    ),
    "a key's file of text": lambda text, agent, _: Given(
        {"NOMAD_ADDR": agent}, ("-ca-cert=KEY",), key=text
    ),
    "VAULT_TOKEN": lambda text, agent, _: Given({"NOMAD_ADDR": agent, "VAULT_TOKEN": text}),
    "CONSUL_HTTP_TOKEN": lambda text, _agent, _: Given(
        {"NOMAD_ADDR": "http://127.0.0.1:1", "CONSUL_HTTP_TOKEN": text}
    ),
}

UNKNOWN = {"a flag that is none", "a key's file", "a key's file of text"}
UNKNOWN |= {"VAULT_TOKEN", "CONSUL_HTTP_TOKEN"}
"""What nobody can mask who was not told that it is a secret: the agent does not repeat it."""

UNREAD = [
    *("a job's name", "https_proxy", "a mistyped proxy"),
    *("a flag that is none", "-token with a colon", "a boolean", "an address with a blank"),
    *(door for door in DOORS if door.startswith("an address of")),
    *("the address, not encoded", "a key's file", "a key's file of text", "CONSUL_HTTP_TOKEN"),
]
"""From these no agent is asked to run anything."""

DEEDS = ("prints", "fails", "page", "long page", "JSON", "elsewhere", "closes", "cut")


@dataclass
class Repeater:
    """An agent that repeats a secret in its answers, or has an action that prints it."""

    script: Script = field(repr=False)
    secret: str = field(default="", repr=False)
    deed: str = "prints"

    def begin(self, secret: str, deed: str) -> None:
        """Repeat that secret from now on, in that way."""
        self.secret, self.deed = secret, deed
        self.script.requests.clear()
        self.script.headers.clear()
        made = self._refusal()
        self.script.answers = {} if made is None else {"/v1/jobs": made}
        self.script.cut = "/v1/jobs" if deed == "cut" else ""

    def _refusal(self) -> Response | None:
        repeated = written(self.secret).decode()
        match self.deed:
            case "page":
                page = f"<html><title>{self.secret}</title><p>{repeated}</p></html>"
                made = answer(page, 502, kind="text/html")
                made.headers["Server"] = f"mirror {quoted(self.secret)}"
                return made
            case "long page":
                # A cut at a kilobyte, or at the end of a shown line, goes through one of them.
                return answer(f"{'.' * 90}{self.secret} " * 40, 403, kind="text/plain")
            case "JSON":
                return answer(
                    json.dumps({"X-Nomad-Token": self.secret, "url": quoted(self.secret)})
                )
            case "elsewhere":
                made = answer("", 302, kind="text/plain")
                there = quoted(self.secret)
                made.headers["Location"] = f"http://ops:{there}@h.example/{there}"
                return made
        return None

    async def session(self, connection: ServerConnection) -> None:
        """Be the action."""
        if self.deed == "closes":
            await connection.close(1008, f"\x1b[2J{self.secret}")
            return
        for stream in ("stdout", "stderr"):
            await connection.send(json.dumps({stream: {"data": _base64(written(self.secret))}}))
        code = 3 if self.deed == "fails" else 0
        await connection.send(json.dumps({"exited": True, "result": {"exit_code": code}}))
        await connection.wait_closed()


def _base64(data: bytes) -> str:
    import base64  # noqa: PLC0415 - of this alone

    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def repeater() -> Iterator[Repeater]:
    with scripted() as script:
        made = Repeater(script)
        script.session = made.session
        yield made


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    with listening(made.serve) as made.url:
        yield made


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Have every logger of the process write, as `logging.basicConfig(level=DEBUG)` does."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    # The agent of these tests is in the same process.
    handler.addFilter(lambda record: not record.name.startswith("websockets.server"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def canary(door: str) -> Canary:
    """A token or a password, with what is written in more than one way where that can be."""
    words = door.lower()
    plain = any(word in words for word in ("token", "name", "both", "boolean")) or door in UNKNOWN
    after = "" if plain or "not encoded" in door else " @/%é"
    return Canary(before="c4-", after=after, user="" if plain else "ops")


class Case:
    """One door and one deed."""

    def __init__(
        self, door: str, deed: str, repeater: Repeater, proxy: Proxy, folder: Path
    ) -> None:
        self.door, self.deed, self.repeater = door, deed, repeater
        self.canary = canary(door)
        repeater.begin("" if door in UNKNOWN else self.canary.text, deed)
        self.folder = folder
        self.given = DOORS[door](self.canary.text, repeater.script.address, proxy.url)
        key = folder / "key.pem"
        key.write_text(self.given.key)
        words = [word.replace("KEY", str(key)) for word in self.given.words]
        job = [] if any(word.startswith("-job") for word in words) else ["-job=cache"]
        self._argv = [*job, *LINE, *words, self.given.action, *self.given.after]

    # Called, and not looked at: a traceback shows what is looked at in the user's own line.

    def argv(self) -> list[str]:
        return self._argv

    def environ(self) -> dict[str, str]:
        return {"NO_PROXY": "", **self.given.environ}

    def check(self, error: BaseException | None, value: ActionResult | None) -> None:
        """Make sure that the case was one: the agent was asked, and repeated what it got."""
        if self.door in UNREAD:
            assert value is None
            assert error is not None
            return
        assert self.repeater.script.requests
        if self.deed in {"prints", "fails"}:
            result = value if value is not None else getattr(error, "result", None)
            assert result is not None
            assert self.door in UNKNOWN or self.canary.leaks(result.stdout_bytes)
        else:
            assert error is not None

    def leaks(self, places: Mapping[str, str | bytes]) -> dict[str, list[str]]:
        found = {place: self.canary.leaks(shown) for place, shown in places.items()}
        return {place: words for place, words in found.items() if words}


def searched(
    case: Case, error: BaseException | None, value: Any, places: dict[str, str | bytes]
) -> dict[str, list[str]]:
    """Return where the secret is, in all that an error and a result show."""
    result = value if value is not None else getattr(error, "result", None)
    if error is not None:
        places |= of_error(error)
    if result is not None:
        places |= {f"result's {name}": one for name, one in of_result(result, case.folder).items()}
    return case.leaks(places | files_of_log(case))


REACHES = [door for door in DOORS if door not in UNREAD]
KINDS = ["NOMAD_TOKEN", "NOMAD_HTTP_AUTH", "the address", "HTTP_PROXY"]
"""One of each kind that an agent can be reached by; the others meet some deeds alone."""

CASES = [(door, deed) for door in KINDS for deed in DEEDS]
CASES += [(door, deed) for door in REACHES if door not in KINDS for deed in ("fails", "page")]
CASES += [(door, "prints") for door in UNREAD]


def held(text: str) -> Callable[[], str]:
    return lambda: text


@pytest.mark.parametrize(("door", "deed"), CASES)
def test_no_secret_leaves_by_the_magic(  # noqa: PLR0917 - two of them are the case
    door: str, deed: str, repeater: Repeater, proxy: Proxy, shell: Shell, tmp_path: Path
) -> None:
    """Not in the cell's output, an error, a traceback, a log, a pickle, or a file."""
    case = Case(door, deed, repeater, proxy, tmp_path)
    names = shell.ipython.user_ns
    # Not as values: those are the user's own, and in the frame of the user's own cell.
    names["words"] = [held(word) for word in case.argv()]
    line = " ".join(f"{{words[{at}]()}}" for at in range(len(case.argv())))
    cell = (
        "value = caught = None\n"
        "try:\n"
        f"    value = get_ipython().run_line_magic('nomad_action', {line!r})\n"
        "except BaseException as error:\n"
        "    caught = error"
    )
    with environment(case.environ()), logged() as log:
        ran = shell.run(cell)
    assert ran.error is None
    error, value = names.pop("caught"), names.pop("value")
    places = {"stdout": ran.stdout, "stderr": ran.stderr, "log": log.getvalue()}
    assert searched(case, error, value, places) == {}
    case.check(error, value)


def run(case: Case) -> ActionResult:
    return nomad_magic.run(case.argv(), env=case.environ(), options=logging_to(case))


def run_line(case: Case) -> ActionResult:
    return nomad_magic.run(shlex.join(case.argv()), "the body", env=case.environ())


def arun(case: Case) -> ActionResult:
    return asyncio.run(nomad_magic.arun(case.argv(), env=case.environ()), debug=True)


def start(case: Case) -> ActionResult:
    session = nomad_magic.start(case.argv(), env=case.environ(), options=logging_to(case))
    return session.wait(20, check=True)


def logging_to(case: Case) -> nomad_magic.Options:
    """Have a log of it (`log_dir`), where `searched` looks too."""
    return nomad_magic.Options(log_dir=case.folder / "log")


def files_of_log(case: Case) -> dict[str, str | bytes]:
    """Return every file of the case's log, with its name."""
    paths = [path for path in (case.folder / "log").rglob("*") if path.is_file()]
    return {f"log's {path}": str(path).encode() + path.read_bytes() for path in paths}


CALLS = [(door, "fails", call) for door in KINDS for call in (run, run_line, arun, start)]
CALLS += [(door, "long page", run) for door in REACHES]
CALLS += [(door, "prints", call) for door in UNREAD for call in (run_line, arun)]


@pytest.mark.parametrize(("door", "deed", "call"), CALLS)
def test_no_secret_leaves_by_python(  # noqa: PLR0917 - three of them are the case
    door: str,
    deed: str,
    call: Callable[[Case], ActionResult],
    repeater: Repeater,
    proxy: Proxy,
    tmp_path: Path,
) -> None:
    """The same of what is given as parameters, an environment among them."""
    case = Case(door, deed, repeater, proxy, tmp_path)
    error: BaseException | None = None
    value = None
    with logged() as log:
        try:
            value = call(case)
        except nomad_magic.NomadMagicError as caught:
            error = caught
    assert searched(case, error, value, {"log": log.getvalue()}) == {}
    case.check(error, value)


@pytest.mark.parametrize("door", KINDS)
@pytest.mark.parametrize("deed", ["prints", "fails", "page", "closes"])
def test_no_secret_leaves_by_many(
    door: str, deed: str, repeater: Repeater, proxy: Proxy, tmp_path: Path
) -> None:
    """The same of many runs: their record, their groups, their error, and each of them."""
    case = Case(door, deed, repeater, proxy, tmp_path)
    error: BaseException | None = None
    value = None
    argv = [*case.argv()[:-1], "hello"]
    with logged() as log:
        try:
            value = nomad_magic.run_all(argv, env=case.environ(), options=logging_to(case))
        except nomad_magic.NomadMagicError as caught:
            error = caught
    places: dict[str, str | bytes] = {"log": log.getvalue()}
    result = value if value is not None else getattr(error, "result", None)
    if error is not None:
        places |= of_error(error)
    if result is not None:
        places |= of_fleet(result, tmp_path)
    places |= files_of_log(case)
    assert case.leaks(places) == {}
    # It was one: all of them ran, and repeated what they got, or the agent did.
    assert (error is None) is (deed == "prints")
    if deed in {"prints", "fails"}:
        assert len(result) == 3
        assert all(case.canary.leaks(run.stdout_bytes) for run in result.values())
        assert len(list((tmp_path / "log").glob("*/stdout"))) == 3


ASKED = nomad_magic.Options(confirm=("job=*",))


def plan_of(case: Case) -> nomad_magic.Plan:
    return nomad_magic.dry_run(case.argv(), "the body", env=case.environ(), options=ASKED)


def plan_of_many(case: Case) -> nomad_magic.Plan:
    return nomad_magic.dry_run_all(case.argv(), env=case.environ(), options=ASKED)


def unconfirmed(case: Case) -> ActionResult:
    return nomad_magic.run(case.argv(), env=case.environ(), options=ASKED, confirm="x")


@pytest.mark.parametrize("door", [*KINDS, "-token", "the action's name"])
@pytest.mark.parametrize("deed", ["prints", "page"])
@pytest.mark.parametrize("call", [plan_of, plan_of_many, unconfirmed])
def test_no_secret_is_in_a_plan(  # noqa: PLR0917 - three of them are the case
    door: str,
    deed: str,
    call: Callable[[Case], Any],
    repeater: Repeater,
    proxy: Proxy,
    tmp_path: Path,
) -> None:
    """Nor in the error where there is none, or nobody confirms it."""
    case = Case(door, deed, repeater, proxy, tmp_path)
    places: dict[str, str | bytes] = {}
    error: BaseException | None = None
    with logged() as log:
        try:
            plan = call(case)
        except nomad_magic.NomadMagicError as caught:
            error = caught
            places |= of_error(error)
        else:
            data, metadata = plan.bundle()
            places |= {**data, "metadata": json.dumps(metadata), "pickle": pickle.dumps(plan)}
            places |= {"repr": repr(plan), "str": str(plan)}
    assert case.leaks(places | {"log": log.getvalue()}) == {}
    assert repeater.script.requests
    assert not any("/action" in path or "/exec" in path for path in repeater.script.requests)
    refused = call is unconfirmed or deed == "page" or door == "the action's name"
    assert (error is not None) is refused


@pytest.mark.parametrize("door", KINDS)
def test_no_secret_is_in_a_line(
    door: str, repeater: Repeater, proxy: Proxy, tmp_path: Path
) -> None:
    """Of those that are read as they come, though the action prints it in them."""
    case = Case(door, "prints", repeater, proxy, tmp_path)
    session = nomad_magic.start(case.argv(), env=case.environ())
    lines = list(session)
    assert {line.stream for line in lines} == {"stdout", "stderr"}
    assert case.leaks({"lines": repr(lines)}) == {}
    case.check(None, session.result)


@pytest.mark.parametrize("door", KINDS)
@pytest.mark.parametrize("deed", ["prints", "page", "long page", "JSON", "elsewhere", "cut"])
def test_no_secret_leaves_by_the_list_of_actions_or_by_tab(  # noqa: PLR0917 - two of them are the case
    door: str, deed: str, repeater: Repeater, proxy: Proxy, tmp_path: Path, shell: Shell
) -> None:
    """Neither of what there is nor of a refusal; nor is it in what is kept for the next Tab."""
    case = Case(door, deed, repeater, proxy, tmp_path)
    secret = case.canary.text
    command = {"Name": "hello", "TaskName": "server", "TaskGroupName": "redis", "Command": secret}
    script = repeater.script
    jobs = [{"ID": "cache", "Status": "running"}, {"ID": f"cache-{secret}", "Status": secret}]
    if deed == "prints":
        script.answers = {"/v1/jobs": answer(json.dumps(jobs))}
    script.answers["/v1/job/cache/actions"] = answer(json.dumps([command]))
    with environment(case.environ()), logged() as log:
        ran = shell.magic("-job=cache", name="nomad_actions")
        everything = shell.magic("", name="nomad_actions")
        matcher = shell.ipython.Completer.custom_matchers[-1]
        lines = ["%nomad_action -job=", "%nomad_action -job=cache h", "%nomad_action -job=cache -g"]
        offered = [matcher(Cell(line, 0, len(line))) for line in lines]
    shown = [[(one.text, one.type) for one in found["completions"]] for found in offered]
    places: dict[str, str | bytes] = {"log": log.getvalue(), "offers": repr(shown)}
    places["kept"] = repr(vocabulary._kept)
    for name, one in (("job", ran), ("all", everything)):
        if one.error is not None:
            places |= {f"{name}: {place}": text for place, text in of_error(one.error).items()}
        else:
            value = one.value
            places[name] = repr(list(value)) + value.text() + value.html() + repr(value)
    assert case.leaks(places) == {}
    # It was one: the secret came, in what is listed and in what cannot be.
    assert script.requests
    assert (ran.error is None) is (deed == "prints")


class Cell(NamedTuple):
    """What a completer is handed."""

    full_text: str
    cursor_line: int
    cursor_position: int


# In a kernel

KERNEL_DOORS = {
    # What a cell's line is, and the environment of the kernel, of a secret and an agent's address.
    "NOMAD_TOKEN": ("", lambda text, agent: {"NOMAD_TOKEN": text, "NOMAD_ADDR": agent}),
    "-token": ("-token=$HIDDEN ", lambda text, agent: {"HIDDEN": text, "NOMAD_ADDR": agent}),
    "address": ("", lambda text, agent: {"NOMAD_ADDR": user(text, agent)}),
    "-address": ("-address=$HIDDEN ", lambda text, agent: {"HIDDEN": user(text, agent)}),
    "mistyped": (
        "-address=$HIDDEN ",
        lambda text, agent: {"HIDDEN": user(text, agent, "http:/")},
    ),
    "auth": ("", lambda text, agent: {"NOMAD_HTTP_AUTH": f"ops:{text}", "NOMAD_ADDR": agent}),
}
KERNEL_DEEDS = ("prints", "fails", "page", "closes")


@dataclass
class FrontEnd:
    """Runs cells in a kernel, shows the widgets, and keeps every message that comes."""

    client: BlockingKernelClient
    messages: list[bytes] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    widgets: int = 0

    def run(self, code: str) -> Any:
        """Run a cell, and return it as a notebook keeps it."""
        cell = nbformat.v4.new_code_cell(code)
        request = self.client.execute(code, allow_stdin=True)
        idle = False
        while not idle:
            message = self.client.get_iopub_msg(timeout=30)
            self.messages.append(json.dumps(message["content"], default=str).encode())
            self.messages += [bytes(one) for one in message["buffers"]]
            idle = self._take(message, request, cell)
        reply = self.client.get_shell_msg(timeout=30)
        self.messages.append(json.dumps(reply["content"], default=str).encode())
        return cell

    def _take(self, message: dict[str, Any], request: str, cell: Any) -> bool:
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_open" and "rung" in content["data"]["state"]:
            self.widgets += 1
            self._say(content["comm_id"], {"type": "ready"})
        elif kind == "comm_msg" and content["data"].get("content", {}).get("type") == "output":
            seq = content["data"]["content"]["seq"]
            self._say(content["comm_id"], {"type": "ack", "seq": seq})
        elif kind in {"stream", "error", "display_data", "execute_result"}:
            cell.outputs.append(nbformat.v4.output_from_msg(message))
        elif kind == "update_display_data":
            # As a front end: it takes the place of what was shown.
            cell.outputs.append(
                nbformat.v4.new_output(
                    "display_data", content["data"], metadata=content["metadata"]
                )
            )
        mine = message["parent_header"].get("msg_id") == request
        return bool(mine and kind == "status" and content["execution_state"] == "idle")

    def _say(self, comm: str, content: dict[str, Any]) -> None:
        data = {"method": "custom", "content": {**content, "client": "page"}}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self.client.shell_channel.send(message)


@pytest.fixture(scope="module")
def front_end() -> Iterator[FrontEnd]:
    manager = KernelManager()
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    made = FrontEnd(client)
    made.run("%load_ext nomad_magic\nimport logging\nlogging.basicConfig(level=logging.DEBUG)")
    yield made
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("door", KERNEL_DOORS)
def test_no_secret_is_in_a_notebook_or_on_its_way_there(
    door: str, repeater: Repeater, front_end: FrontEnd, tmp_path: Path
) -> None:
    """Not in a message of a kernel, a widget's state, the file, or what is made of that.

    The action is shown live and as text; each deed's errors in another of `%xmode`.
    """
    line, variables = KERNEL_DOORS[door]
    secret = canary("token" if "oken" in door else door)
    environ = json.dumps(variables(secret.text, repeater.script.address))
    # Not in a cell: what someone types into one is there.
    (tmp_path / "environ.json").write_text(environ)
    notebook = nbformat.v4.new_notebook()
    front_end.messages.clear()
    cells = [
        (
            "import json, os\n"
            "for name in [name for name in os.environ if name.startswith(('NOMAD_', 'HIDDEN'))]:\n"
            "    del os.environ[name]\n"
            f"os.environ.update(json.load(open({str(tmp_path / 'environ.json')!r})))"
        )
    ]
    action = f"%nomad_action {line}-job=cache -group=redis -task=server"
    for at, deed in enumerate(KERNEL_DEEDS):
        cells += [
            deed,
            f"%config NomadMagics.view = 'widget'\n{action} -t hello",
            f"{action} -t=false hello",
            f"%config NomadMagics.view = 'text'\n{action} -t=false hello",
            (
                f"%xmode {MODES[at]}\n"
                f"try:\n    {action} hello\nexcept Exception as error:\n"
                "    raise RuntimeError('mine') from error"
            ),
            f"%xmode {MODES[at]}\n{action} hello $HIDDE",
        ]
    cells.append("%nomad_action -job=cache hello")
    for code in cells:
        if code in KERNEL_DEEDS:
            repeater.begin(secret.text, code)
        else:
            notebook.cells.append(front_end.run(code))
    saved = tmp_path / "saved.ipynb"
    nbformat.write(notebook, saved)
    places: dict[str, str | bytes] = {
        "messages": b"\n".join(front_end.messages),
        "notebook": saved.read_bytes(),
        **{
            name: exporter().from_notebook_node(notebook)[0]
            for name, exporter in (
                ("html", HTMLExporter),
                ("markdown", MarkdownExporter),
                ("script", PythonExporter),
                ("rst", RSTExporter),
            )
        },
    }
    found = {place: secret.leaks(text) for place, text in places.items()}
    assert {place: words for place, words in found.items() if words} == {}
    # The cases were such.
    assert front_end.widgets
    if door != "mistyped":
        assert b"[masked]" in b"".join(front_end.messages)


# On this machine


def test_the_embedded_agents_token_stays_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in a process's title, in a file of the temporary folder, or in what the agent says."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    secret = canary("token")
    with EmbeddedAgent(token=secret.text) as agent:
        result = nomad_magic.run("-job=demo -group=store -task=db records", env=agent.environment)
        for data in (b"", b"GET /v1/jobs HTTP/1.1\r\nX-Nomad-Token: another\r\n\r\n"):
            with socket.create_connection(agent_port(agent), timeout=5) as asked:
                asked.sendall(data)
                asked.shutdown(socket.SHUT_WR)
                while asked.recv(1 << 16):
                    pass
        me = psutil.Process()
        titles = [title(process) for process in (me, *me.children(recursive=True))]
        files = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        places = {"titles": repr(titles), "repr": repr(agent), **files}
        places |= {f"result's {name}": one for name, one in of_result(result, tmp_path).items()}
    places["stderr"] = agent.stderr
    assert {place for place, text in places.items() if secret.leaks(text)} == set()


def agent_port(agent: EmbeddedAgent) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(agent.address)
    return str(parts.hostname), int(parts.port or 0)


def test_a_long_output_is_in_no_file_that_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into memory is on the disk as it came, for nobody else to open."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = Transcript(memory=1 << 10)
    kept.write("stdout", b"x" * (1 << 16))
    assert kept.whole("stdout") == b"x" * (1 << 16)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("way", WAYS)
def test_what_is_looked_for_would_be_found(way: str) -> None:
    """In every way of writing it, and half of it: else these tests could not fail."""
    made = Canary(before="c4-", after=" @/%é", user="ops")
    assert made.leaks(WAYS[way](made.text))
    assert made.leaks(f"so far {made.text[: 3 + 12]}")
    assert not made.leaks(WAYS[way](Canary(before="c4-", after=" @/%é").text))


def test_what_is_in_a_frame_would_be_found() -> None:
    """In the locals of a function, and of what it called."""
    made = Canary()

    def fail(environ: dict[str, str]) -> None:
        raise nomad_magic.NomadMagicError(f"not {len(environ)}")

    with pytest.raises(nomad_magic.NomadMagicError) as caught:
        fail({"NOMAD_TOKEN": made.text})
    found = {place for place, text in of_error(caught.value).items() if made.leaks(text)}
    assert found >= {"pytest -l", "chained pytest -l", "chained %xmode Verbose", "collector"}
