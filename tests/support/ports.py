"""Ports that nobody else takes between the moment they are chosen and the moment they are bound.

A port that the system gives ("any free one") may be given to another program as soon as it is let
go.  Jupyter's kernels (five each) and a Nomad agent are told their ports and bind them later, and
a test of a refused connection needs one where nothing listens.  So these lie below those that the
system gives, and each process of a run has its own.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST: Final = 10_000
END: Final = 20_000
"""From here on Nomad gives ports to tasks (`min_dynamic_port`), and Linux to programs."""

WORKERS: Final = 16


def _own() -> Iterator[int]:
    """Return the ports of this process, for ever, from one that another run hardly begins with."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    each = (END - FIRST) // WORKERS
    first = FIRST + worker % WORKERS * each
    ports = range(first, first + each)
    return itertools.islice(itertools.cycle(ports), random.randrange(each), None)


_ports = _own()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free, and stays so."""
    return next(port for port in _ports if _is_free(port))


def free_ports(count: int) -> list[int]:
    """Return so many of them."""
    return [free_port() for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As a server does: a connection that is still fading away is nobody's port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def given_by_the_system() -> range:
    """Return the ports that Linux gives where a program names none."""
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    first, last = map(int, text.split())
    return range(first, last + 1)
