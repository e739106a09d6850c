"""`confirm` and `dry_run` in cells: what is shown, who is asked, and that nothing runs before."""

from __future__ import annotations

import json
import os
import queue
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import KernelManager
from support.scripted import Script, leave, scripted

import nomad_magic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_client.blocking.client import BlockingKernelClient
    from support.cells import Ran, Shell
    from support.nomads import Agent

SERVER = "-job=cache -group=redis -task=server"
SECONDS = 30
CONFIRM = "%config NomadMagics.confirm = ['namespace=def*']"


def opened(script: Script) -> list[str]:
    return [path for path in script.requests if "/action" in path or "/exec" in path]


# A front end at a real kernel.


class Cell:
    """What a cell has shown so far."""

    def __init__(self, client: BlockingKernelClient, code: str, *, allow_stdin: bool) -> None:
        self.client = client
        self.request = client.execute(code, allow_stdin=allow_stdin)
        self.shown: list[dict[str, Any]] = []
        self.metadata: list[dict[str, Any]] = []
        self.text = ""
        self.error = ""
        self.message = ""
        self.idle = False

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Take messages until something holds."""
        end = time.monotonic() + SECONDS
        while not condition():
            left = end - time.monotonic()
            assert left > 0, f"not within {SECONDS} s: {what}; {self.error} {self.text}"
            self._take(self.client.get_iopub_msg(timeout=left))

    def asked(self) -> str:
        """Return the question that the cell asks."""
        message = self.client.get_stdin_msg(timeout=SECONDS)
        assert message["msg_type"] == "input_request"
        return str(message["content"]["prompt"])

    def finish(self) -> Cell:
        self.until(lambda: self.idle, "the cell ends")
        while True:
            reply = self.client.get_shell_msg(timeout=SECONDS)
            if reply["parent_header"].get("msg_id") == self.request:
                return self

    def _take(self, message: dict[str, Any]) -> None:
        if message["parent_header"].get("msg_id") != self.request:
            return
        content = message["content"]
        match message["msg_type"]:
            case "display_data" | "update_display_data" | "execute_result":
                self.shown.append(content["data"])
                self.metadata.append(content["metadata"])
            case "stream":
                self.text += content["text"]
            case "error":
                self.error, self.message = content["ename"], content["evalue"]
            case "status":
                self.idle = content["execution_state"] == "idle"

    @property
    def plans(self) -> list[dict[str, Any]]:
        """The plans that were shown, as their metadata has them."""
        found = [one.get("nomad_magic", {}) for one in self.metadata]
        return [one for one in found if one.get("kind") == "plan"]


class Notebook:
    """Runs cells in a kernel, as a front end where someone can type, or as a runner."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def begin(self, code: str, *, allow_stdin: bool = True) -> Cell:
        return Cell(self.client, code, allow_stdin=allow_stdin)

    def run(self, code: str, *, allow_stdin: bool = True) -> Cell:
        return self.begin(code, allow_stdin=allow_stdin).finish()


@pytest.fixture(scope="module")
def agent_script() -> Iterator[Script]:
    with scripted() as script:
        script.session = leave
        yield script


@pytest.fixture(scope="module")
def kernel(agent_script: Script) -> Iterator[Notebook]:
    manager = KernelManager()
    environ = {name: value for name, value in os.environ.items() if "NOMAD" not in name}
    manager.start_kernel(env={**environ, "NOMAD_ADDR": agent_script.address})
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    made = Notebook(manager, client)
    assert made.run("%load_ext nomad_magic\n%config NomadMagics.view = 'text'").error == ""
    yield made
    client.stop_channels()
    manager.shutdown_kernel(now=False)


@pytest.fixture
def notebook(kernel: Notebook, agent_script: Script) -> Iterator[Notebook]:
    agent_script.requests.clear()
    assert kernel.run(CONFIRM).error == ""
    yield kernel
    kernel.run("%config NomadMagics.confirm = []\n%config NomadMagics.dry_run = False")
    with pytest.raises(queue.Empty):
        kernel.client.get_stdin_msg(timeout=0)


@pytest.mark.parametrize("magic", ["nomad_action", "nomad_action_all"])
def test_the_actions_name_lets_it_run(notebook: Notebook, agent_script: Script, magic: str) -> None:
    """The plan stands there before the question, and nothing was asked for by then."""
    cell = notebook.begin(f"r = %{magic} {SERVER} hello\nprint(r.confirmed)")
    question = cell.asked()
    assert question.startswith("Type hello to run it in ")
    assert opened(agent_script) == []
    cell.until(lambda: cell.plans, "the plan")
    (plan,) = cell.plans
    count = 1 if magic == "nomad_action" else len(plan["allocations"])
    assert plan["action"] == "hello"
    assert plan["confirm"] == "namespace=def*"
    assert len(plan["allocations"]) == count >= 1
    assert "would run in" in cell.shown[0]["text/plain"]
    notebook.client.input("hello")
    cell.finish()
    assert cell.error == ""
    assert len(opened(agent_script)) == count
    assert "by the action's name, which namespace=def* asks for" in cell.text
    facts = [one.get("nomad_magic", {}) for one in cell.metadata]
    (record,) = [one for one in facts if "run_id" in one]
    assert "namespace=def* asks for" in record["confirmed"]
    if magic == "nomad_action":
        # What was shown is what ran.
        assert record["place"]["allocation"] == plan["allocations"][0][0]


@pytest.mark.parametrize("magic", ["nomad_action", "nomad_action_all"])
@pytest.mark.parametrize("answer", ["", " ", "y", "yes", "helo", "HELLO", "hello hello"])
def test_another_answer_runs_nothing(
    notebook: Notebook, agent_script: Script, magic: str, answer: str
) -> None:
    """And says so; what was typed is in no message."""
    cell = notebook.begin(f"%{magic} {SERVER} hello\nprint('never')")
    cell.asked()
    notebook.client.input(answer)
    cell.finish()
    assert cell.error == "NotConfirmed"
    assert "what was typed is not its name. Nothing was run." in cell.message
    assert "never" not in cell.text
    assert opened(agent_script) == []
    assert notebook.run("%config NomadMagics.raise_on_error = False").error == ""
    cell = notebook.begin(f"%{magic} {SERVER} hello")
    cell.asked()
    notebook.client.input(answer)
    assert cell.finish().error == "NotConfirmed"
    notebook.run("%config NomadMagics.raise_on_error = True")
    assert opened(agent_script) == []


@pytest.mark.parametrize("magic", ["nomad_action", "nomad_action_all"])
def test_an_interrupt_of_the_question_runs_nothing(
    notebook: Notebook, agent_script: Script, magic: str
) -> None:
    """■ is the end of the cell, and of nothing else; the next one is asked about again."""
    cell = notebook.begin(f"%{magic} {SERVER} hello\nprint('never')")
    cell.asked()
    notebook.manager.interrupt_kernel()
    cell.finish()
    assert cell.error == "KeyboardInterrupt"
    assert "stopped before" in cell.message
    assert opened(agent_script) == []
    cell = notebook.begin(f"%{magic} {SERVER} hello")
    cell.asked()
    notebook.client.input("hello")
    assert cell.finish().error == ""


@pytest.mark.parametrize("magic", ["nomad_action", "nomad_action_all", "nomad job action"])
def test_where_nobody_can_be_asked_nothing_runs(
    notebook: Notebook, agent_script: Script, magic: str
) -> None:
    """A runner gets the plan, and an error that says what to do."""
    cell = notebook.run(f"%{magic} {SERVER} hello", allow_stdin=False)
    assert cell.error == "NotConfirmed"
    assert "nobody can be asked here. Nothing was run." in cell.message
    assert "%config NomadMagics.confirm" in cell.message
    assert len(cell.plans) == 1
    assert opened(agent_script) == []


def test_a_background_run_is_asked_about_in_its_cell(
    notebook: Notebook, agent_script: Script
) -> None:
    """Before that ends; then it goes on by itself."""
    cell = notebook.begin(f"s = %nomad_action {SERVER} hello &\nprint('after')")
    cell.asked()
    assert opened(agent_script) == []
    notebook.client.input("hello")
    cell.finish()
    assert (cell.error, cell.text) == ("", "after\n")
    assert notebook.run("assert s.wait(20).ok and s.result.confirmed").error == ""
    refused = notebook.begin(f"s = %nomad_action_all {SERVER} hello &\nprint('after')")
    refused.asked()
    notebook.client.input("no")
    assert refused.finish().error == "NotConfirmed"
    assert refused.text == ""


def test_what_no_pattern_holds_for_is_not_asked_about(
    notebook: Notebook, agent_script: Script
) -> None:
    """Nor is anything shown of it before."""
    notebook.run("%config NomadMagics.confirm = ['namespace=prod*', 'job=other']")
    cell = notebook.run(f"%nomad_action {SERVER} hello")
    assert (cell.error, cell.plans) == ("", [])
    assert len(opened(agent_script)) == 1


def test_the_live_view_opens_once_it_is_confirmed(notebook: Notebook) -> None:
    """The widget comes after the answer, and shows that run."""
    notebook.run("%config NomadMagics.view = 'widget'")
    cell = notebook.begin(f"r = %nomad_action {SERVER} hello\nprint(r.state)")
    cell.asked()
    cell.until(lambda: cell.plans, "the plan")
    assert len(cell.shown) == 1
    notebook.client.input("hello")
    cell.finish()
    notebook.run("%config NomadMagics.view = 'text'")
    assert cell.error == ""
    assert any("application/vnd.jupyter.widget-view+json" in one for one in cell.shown)
    assert "exit 0" in cell.text


@pytest.mark.parametrize("magic", ["nomad_action", "nomad_action_all"])
@pytest.mark.parametrize("end", ["", " &"])
def test_a_dry_run_shows_the_plan_and_runs_nothing(
    notebook: Notebook, agent_script: Script, magic: str, end: str
) -> None:
    """Once, as text and HTML; the value is the plan; nobody is asked, though a pattern holds."""
    notebook.run("%config NomadMagics.dry_run = True")
    cell = notebook.run(f"%{magic} {SERVER} hello{end}", allow_stdin=False)
    assert cell.error == ""
    assert len(cell.plans) == 1
    assert set(cell.shown[0]) == {"text/plain", "text/html"}
    assert "namespace=def* asks for its name" in cell.shown[0]["text/plain"]
    assert len(cell.shown) == 1
    kept = notebook.run(f"p = %{magic} {SERVER} hello{end}\nprint(type(p).__name__, p.asks)")
    assert kept.text == "Plan namespace=def*\n"
    assert len(kept.plans) == 1
    assert opened(agent_script) == []
    failing = notebook.run(f"%{magic} -job=cache -group=nosuch hello", allow_stdin=False)
    assert failing.error == "LocateError" if magic == "nomad_action_all" else failing.error
    assert opened(agent_script) == []


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("['prod*']", "prod* has no ="),
        ("['namspace=prod*']", "Did you mean namespace?"),
        ("['namespace=prod,dev']", "no namespace has it"),
        ("'namespace=prod*'", "is a list of patterns"),
        ("[1]", "it is no text"),
        ("5", "a list of patterns"),
        ("None", "a list of patterns"),
    ],
)
def test_what_is_no_pattern_is_refused_and_nothing_runs_after_it(
    notebook: Notebook, agent_script: Script, value: str, why: str
) -> None:
    """`%config` logs what is wrong and lets the next cells run: so they fail, until it is set well.

    What was set before is still there, but was not meant any more.
    """
    shown = notebook.run(f"%config NomadMagics.confirm = {value}")
    assert why in shown.text
    for magic in ("nomad_action", "nomad_action_all"):
        cell = notebook.run(f"%{magic} {SERVER} hello", allow_stdin=False)
        assert cell.error == "SettingsError"
        assert why in cell.message
        assert "Set NomadMagics.confirm anew" in cell.message
    assert agent_script.requests == []
    notebook.run("%config NomadMagics.confirm = ['job=other']")
    assert notebook.run(f"%nomad_action {SERVER} hello").error == ""


# In a terminal: whatever is at stdin counts as one where it says so.


class Terminal:
    """A stdin that a person sits at."""

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self._lines.pop(0) if self._lines else ""


@pytest.fixture
def in_a_terminal(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, embedded_agent: Agent
) -> Iterator[Callable[..., Ran]]:
    os.environ.update(embedded_agent.environ)
    shell.run(CONFIRM)

    def run(cell: str, *lines: str) -> Ran:
        monkeypatch.setattr(sys, "stdin", Terminal(*lines))
        return shell.run(cell)

    yield run
    shell.run("%config NomadMagics.confirm = []\n%config NomadMagics.dry_run = False")


def test_a_terminal_asks_on_its_own_stdin(in_a_terminal: Callable[..., Ran]) -> None:
    """The plan as text, the question, the output."""
    ran = in_a_terminal(f"%nomad_action -i=false -t=false {SERVER} hello", "hello\n")
    assert ran.error is None
    text = ran.stdout.decode()
    assert text.startswith("○ hello · would run in cache.redis[")
    assert "Type hello to run it in cache.redis[" in text
    assert text.endswith("hello\n")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "the input ended before anything was typed"),
        (["\n"], "what was typed is not its name"),
        (["hell\n", "hello\n"], "what was typed is not its name"),
    ],
)
def test_a_terminal_that_says_anything_else_runs_nothing(
    in_a_terminal: Callable[..., Ran], lines: list[str], why: str
) -> None:
    """Ctrl-D, an empty line, a slip: one question, and no other chance."""
    for magic in ("nomad_action", "nomad_action_all"):
        ran = in_a_terminal(f"%{magic} -t=false {SERVER} hello", *lines)
        assert isinstance(ran.error, nomad_magic.NotConfirmed)
        assert f"{why}. Nothing was run." in str(ran.error)
        assert "hello\n" not in ran.stdout.decode().splitlines(keepends=True)


def test_a_pipe_is_no_terminal(shell: Shell, embedded_agent: Agent) -> None:
    """Nobody sits there."""
    os.environ.update(embedded_agent.environ)
    shell.run(CONFIRM)
    ran = shell.run(f"%%nomad_action {SERVER} cat\nhello")
    shell.run("%config NomadMagics.confirm = []")
    assert isinstance(ran.error, nomad_magic.NotConfirmed)
    assert "nobody can be asked here" in str(ran.error)


def test_a_dry_run_in_a_terminal_is_text(in_a_terminal: Callable[..., Ran]) -> None:
    """And the value is not shown once more."""
    in_a_terminal("%config NomadMagics.dry_run = True")
    ran = in_a_terminal(f"%nomad_action {SERVER} hello")
    assert isinstance(ran.value, nomad_magic.Plan)
    assert ran.stdout.decode() == f"{ran.value}\n"
    assert json.dumps(ran.value.metadata())
