"""The page of a live view without a browser: it runs cells, and talks to the widget they show."""

from __future__ import annotations

import json
import queue
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nomad_magic.notebook.live import contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager

SECONDS = 30


@dataclass
class Page:
    """A front end: it runs cells and talks to the widget that they show."""

    manager: KernelManager
    client: BlockingKernelClient
    name: str = "page-1"
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    displays: list[str] = field(default_factory=list)
    """Whose display was made or updated, one after the other."""
    custom: list[tuple[dict[str, Any], list[bytes]]] = field(default_factory=list)
    others: list[tuple[str, dict[str, Any], list[bytes]]] = field(default_factory=list)
    """What other widgets than the cell's were told, as those of a fleet's opened rows."""
    comm: str = ""
    request: str = ""
    idle: bool = False
    error: str = ""
    text: str = ""
    acknowledge: bool = True
    by_control: bool = False
    """It acknowledges on the control channel, as the page of a background run does."""
    statuses: list[tuple[str, bool]] = field(default_factory=list)
    shown_new: list[dict[str, Any]] = field(default_factory=list)
    """What was displayed without an id."""

    def run(self, code: str) -> None:
        """Send a cell; its messages are taken by `until`."""
        self._take_reply()
        self.comm, self.request, self.idle, self.error, self.text = "", "", False, "", ""
        self.custom.clear()
        self.others.clear()
        self.shown.clear()
        self.order.clear()
        self.displays.clear()
        self.statuses.clear()
        self.shown_new.clear()
        self.request = self.client.execute(code, allow_stdin=True)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Take messages until something holds."""
        end = time.monotonic() + SECONDS
        while not condition():
            left = end - time.monotonic()
            assert left > 0, f"not within {SECONDS} s: {what}; {self.error} {self.text}"
            try:
                message = self.client.get_iopub_msg(timeout=left)
            except queue.Empty:
                continue
            self._take(message)

    def finish(self) -> None:
        """Take messages until the cell is done."""
        self.until(lambda: self.idle, "the cell ends")

    def _take_reply(self) -> None:
        """Wait for the reply to the last cell too.

        ipykernel 7.3.0 may not see a request that comes between a cell's idle and its reply
        (measured: 1 of 80, without anything of ours).
        """
        while self.request:
            reply = self.client.get_shell_msg(timeout=SECONDS)
            if reply["parent_header"].get("msg_id") == self.request:
                self.request = ""

    def send(self, content: dict[str, Any], *, to: str = "") -> None:
        """Send the widget, or another one, a custom message, as anywidget's `model.send` does."""
        message = self.client.session.msg(
            "comm_msg",
            {
                "comm_id": to or self.comm,
                "data": {"method": "custom", "content": {**content, "client": self.name}},
            },
        )
        self.client.shell_channel.send(message)

    def send_by_control(self, content: dict[str, Any]) -> None:
        """Send the same on the control channel, as the page of a background run does."""
        message = self.client.session.msg(
            contract.CONTROL_MESSAGE,
            {"said": [{"to": self.state["control"], "message": {**content, "client": self.name}}]},
        )
        self.client.control_channel.send(message)

    def heard(self) -> list[int]:
        """Return the numbers of what the kernel says to have heard on the control channel."""
        told = [said for said, _ in self.custom if said["type"] == "heard"]
        assert all(said["client"] == self.name for said in told)
        return [number for said in told for number in said["numbers"]]

    @property
    def above(self) -> str:
        """What stands above the widget."""
        return str(self.shown[self.order[0]]["text/plain"])

    @property
    def state(self) -> dict[str, Any]:
        return self.states[self.comm]

    def output(self) -> bytes:
        """Return what a terminal would have been given: a snapshot, then what followed it."""
        data, expected = b"", None
        for content, buffers in self.custom:
            if content["type"] == "snapshot":
                data, expected = buffers[0], content["seq"] + 1
            elif content["type"] == "output" and expected is not None:
                assert content["seq"] == expected
                data += buffers[0]
                expected += 1
        return data

    def rows(self) -> list[list[Any]]:
        """Return a fleet's rows as this page knows them: all of them once, then what changed."""
        known: dict[int, list[Any]] = {}
        for said, buffers in self.custom:
            if said["type"] != "rows" or said["client"] not in ("", self.name):
                continue
            for row in json.loads(buffers[0]):
                before = known.get(row[0], []) if not said["client"] else []
                known[row[0]] = row + before[len(row) :]
        return [known[row] for row in sorted(known)]

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        mine = message["parent_header"].get("msg_id") == self.request
        if kind == "comm_open":
            state = content["data"]["state"]
            self.states[content["comm_id"]] = state
            if "rung" in state and not (self.comm and self.state.get("fleet")):
                self.comm = content["comm_id"]
        elif kind == "comm_msg":
            self._hear(content, message["buffers"])
        elif kind in ("display_data", "update_display_data"):
            self._take_display(content)
        elif kind == "stream":
            self.text += content["text"]
        elif kind == "error" and mine:
            self.error = content["ename"]
        elif kind == "status":
            self.statuses.append((content["execution_state"], mine))
        if kind == "status" and mine:
            self.idle = content["execution_state"] == "idle"

    def _take_display(self, content: dict[str, Any]) -> None:
        display = content["transient"].get("display_id", "")
        if not display:
            self.shown_new.append(content["data"])
            return
        self.displays.append(display)
        if display not in self.shown:
            self.order.append(display)
        self.shown[display] = content["data"]

    def _hear(self, content: dict[str, Any], buffers: list[Any]) -> None:
        data = content["data"]
        if data["method"] == "update":
            self.states[content["comm_id"]].update(data["state"])
        elif data["method"] == "custom" and content["comm_id"] != self.comm:
            self.others.append((content["comm_id"], data["content"], list(map(bytes, buffers))))
        elif data["method"] == "custom":
            said = data["content"]
            self.custom.append((said, [bytes(buffer) for buffer in buffers]))
            if said["type"] in ("output", "rows") and self.acknowledge:
                say = self.send_by_control if self.by_control else self.send
                say({"type": "ack", "seq": said["seq"]})
