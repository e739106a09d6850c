"""Kernels whose ports nobody else takes before they bind them; see `ports`."""

from __future__ import annotations

from jupyter_client.connect import LocalPortCache

from support.ports import free_port


class KernelPorts(LocalPortCache):
    """Where every kernel that this process starts gets its ports from.

    jupyter_client asks the one instance there is; it is this one, once it was made.
    """

    def find_available_port(self, ip: str) -> int:
        """Return a port of ours: that of a kernel on this machine."""
        assert ip == "127.0.0.1"
        return free_port()


def keep_kernels_apart() -> None:
    """Have every kernel that this process starts from now on take its ports from here."""
    KernelPorts.instance()
