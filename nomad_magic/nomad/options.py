"""What a notebook can set and a command line cannot.  Pure, and loaded with the extension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nomad_magic.value import Value

if TYPE_CHECKING:
    import os


class Options(Value):
    """What a notebook can set and a command line cannot; times are in seconds.

    Attributes:
        connect_timeout: To connect, the name's lookup included; then for the TLS handshake; then
            for the answer to a websocket upgrade.
        answer_timeout: For each answer to a request.
        timeout: For the action itself; None lets it run as long as it likes.
        grace: How long an action may clean up after a timeout has interrupted it.
        reach: Look for the action's process by a second session in its task, to stop it where it
            has no terminal, and to know after a lost connection what became of it.
        direct: Try the allocation's own node before the configured address, as the CLI does.
        link_timeout: How long an exec session's connection may show no sign of life before the run
            counts as lost.  A silent action is none: the agent is asked.
        max_answer_bytes: How large an answer to a request may be, unpacked, in bytes.
        max_frame_bytes: How large a message of an exec session may be, in bytes.
        confirm: Patterns such as `namespace=prod*`: what they hold for runs only once the action's
            name was given for it.
        log_dir: The folder of a log, in which each run has a folder; None, or nothing, for no log.
    """

    connect_timeout: float = 10.0
    answer_timeout: float = 30.0
    timeout: float | None = None
    grace: float = 10.0
    reach: bool = True
    direct: bool = True
    link_timeout: float = 60.0
    max_answer_bytes: int = 64_000_000
    max_frame_bytes: int = 64_000_000
    confirm: tuple[str, ...] = ()
    log_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        """Take a list for the tuple that is meant: options are known again by their values."""
        if isinstance(self.confirm, list):
            object.__setattr__(self, "confirm", tuple(self.confirm))
