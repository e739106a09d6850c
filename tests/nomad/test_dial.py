"""Connections: names that are slow, hosts with several addresses, connections that are kept."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.scripted import Script, leave

import nomad_magic
from nomad_magic import errors
from nomad_magic.nomad import dial

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = "-job=cache -group=redis -task=server hello"


@pytest.fixture
def script(script: Script) -> Script:
    script.session = leave
    return script


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    found = Names()
    real = dial._resolve

    def resolve(host: str, port: int, flags: int) -> list[Any]:
        if flags & socket.AI_NUMERICHOST or host not in found.hosts:
            return real(host, port, flags)
        found.asked.append(host)
        assert found.released.wait(30)
        return [one for address in found.hosts[host] for one in real(address, port, 0)]

    monkeypatch.setattr(dial, "_resolve", resolve)
    yield found
    found.released.set()


class Names:
    """A name server that answers when it is let."""

    def __init__(self) -> None:
        self.hosts: dict[str, list[str]] = {"slow.invalid": ["127.0.0.1"]}
        self.asked: list[str] = []
        self.released = threading.Event()


def test_a_name_that_is_slow_is_bounded_and_holds_nobody_up(script: Script, names: Names) -> None:
    """However many wait for it: it is asked for once, and runs elsewhere go on meanwhile."""
    port = script.address.rpartition(":")[2]
    options = nomad_magic.Options(connect_timeout=0.3)
    slow = {"NOMAD_ADDR": f"http://slow.invalid:{port}"}
    waiting = [nomad_magic.start(LINE, env=slow, options=options) for _ in range(40)]
    assert nomad_magic.run(LINE, env={"NOMAD_ADDR": script.address}).ok
    for session in waiting:
        session.wait(20)
        assert isinstance(session.error, errors.Unreachable)
        assert (
            "dial tcp: lookup slow.invalid: i/o timeout: not connected within 0.3 s "
            "(connect_timeout)"
        ) in session.error.message
    assert names.asked == ["slow.invalid"]
    names.released.set()
    assert nomad_magic.run(LINE, env=slow).ok


def test_a_number_needs_no_lookup(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address is its own: no thread is begun for it."""
    monkeypatch.setattr(threading, "Thread", None)
    assert asyncio.run(dial._lookup("127.0.0.1", 80))
    assert asyncio.run(dial._lookup("::1", 80))
    assert nomad_magic.run(LINE, env={"NOMAD_ADDR": script.address}).ok


@contextlib.contextmanager
def black_hole(port: int) -> Iterator[str]:
    """An address whose connections are never taken: its queue is full."""
    host = "127.0.0.9"
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        while True:
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.1)
            try:
                filler.connect((host, port))
            except TimeoutError:
                break
        yield host


@pytest.mark.parametrize("dead_first", [True, False])
def test_of_two_addresses_the_living_one_is_taken(
    script: Script, names: Names, *, dead_first: bool
) -> None:
    """RFC 8305, for questions and for the session alike."""
    port = int(script.address.rpartition(":")[2])
    names.released.set()
    with black_hole(port) as dead:
        addresses = [dead, "127.0.0.1"] if dead_first else ["127.0.0.1", dead]
        names.hosts["both.invalid"] = addresses
        options = nomad_magic.Options(connect_timeout=5.0)
        env = {"NOMAD_ADDR": f"http://both.invalid:{port}"}
        assert nomad_magic.run(LINE, env=env, options=options).ok


def test_of_two_dead_addresses_the_bound_is_said(script: Script, names: Names) -> None:
    """With the first of them, as Go's dial."""
    port = int(script.address.rpartition(":")[2])
    names.released.set()
    with black_hole(port) as dead:
        names.hosts["none.invalid"] = [dead]
        with pytest.raises(errors.Unreachable, match=f"dial tcp {dead}:{port}: i/o timeout"):
            nomad_magic.run(
                LINE,
                env={"NOMAD_ADDR": f"http://none.invalid:{port}"},
                options=nomad_magic.Options(connect_timeout=0.3),
            )
