"""What can go wrong, as a tree.

::

    NomadMagicError               everything of ours; `.exit_code`, `.result`
    ├── UsageError                the line cannot be run as written
    │   ├── LineError             its words: a quote left open, a name not found, a pipe
    │   └── FlagError             its flags, in the words of Go's flag package
    ├── SettingsError             an address or a certificate that cannot be used
    ├── NotConfirmed              it was to be confirmed, and was not: nothing was run
    ├── LocateError               no such job, group, allocation or task, or several
    ├── RequestError              an HTTP request that brought no usable answer
    │   ├── Unreachable           nothing answered
    │   └── UnexpectedAnswer      something answered, but not with what was asked for
    ├── ExecError                 the exec session did not run to its end
    │   ├── SessionRefused        the agent said no, and why
    │   ├── ConnectionLost        the connection ended without an exit frame
    │   └── Disconnected          we closed it; the process may still run
    ├── ActionFailed              the action ran to its end, with a non-zero exit code
    ├── FleetFailed               it failed in some of many allocations; `.result` has them all
    └── AgentError                the embedded agent: a job file it cannot run, a port in use

    Interrupted                   a KeyboardInterrupt that knows how the session ended

`str(error)` begins with the words of Nomad's CLI where it has some; a hint of ours may
follow on lines of its own.  Nothing in it is secret, whichever attribute is looked at, and no
frame of ours holds any: `running/leaving.py` sees to that before one leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from nomad_magic.record.fleet_result import FleetResult
    from nomad_magic.record.result import ActionResult

NAMED_AGAIN: Final = "\nError parsing flags: "
"""What the CLI writes between the words of Go's flag package and the same words again."""


class NomadMagicError(Exception):
    """The root of the tree; all but `Interrupted` are one. By itself it is a fault of ours.

    What to do: read the hint below the message.

    Attributes:
        message: What failed, in the CLI's words where it has some.
        hint: What to do about it, in ours; empty where there is nothing to add.
        exit_code: What `nomad job action` would have left with.
        result: What is known of the run so far; None when nothing was started.
        output: What the CLI would have written to stdout before it failed (its usage text).
    """

    exit_code: int = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        result: ActionResult | None = None,
        output: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.result = result
        self.output = output

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel with every attribute, out of a process pool as well."""
        return _made_again, (type(self), self.args, vars(self))

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: the stack is ours, not the user's, so only the message is shown."""
        return [f"{type(self).__name__}: {self}"]


def clean(error: NomadMagicError | Interrupted, shown: Callable[[str], str]) -> None:
    """Put every text that an error carries through a function; its result masks its own.

    Args:
        error: Which.
        shown: Returns a text as it may be shown.
    """
    for name, value in vars(error).items():
        if name != "result":
            setattr(error, name, _cleaned(value, shown))
    error.args = _cleaned(error.args, shown)
    if isinstance(error, NomadMagicError):
        # It may have been said better since it was made.
        error.args = (error.message, *error.args[1:])


def _cleaned(value: Any, shown: Callable[[str], str]) -> Any:
    match value:
        case str():
            return shown(value)
        case bytes():
            return shown(value.decode("utf-8", "replace"))
        case tuple() | list():
            return type(value)([_cleaned(one, shown) for one in value])
        case dict():
            return {name: _cleaned(one, shown) for name, one in value.items()}
        case _:
            return value


def _made_again(
    kind: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]
) -> BaseException:
    """Make an error as it was: by its attributes, not by what its class wants to be told."""
    made = kind.__new__(kind, *args)
    made.args = args
    vars(made).update(attributes)
    return made


class UsageError(NomadMagicError):
    """The line cannot be run as written; nothing was asked of any agent.

    What to do: write the line as the hint says.
    """


class LineError(UsageError):
    """The line does not split into words: a quote left open, a name not found, a pipe.

    What to do: close the quote, define the name, or put single quotes around what is to stay as it
    is. Pipes and redirections are Python's part: take `.text` or `.stdout` of the result.
    """


class FlagError(UsageError):
    """A flag that does not exist, or a value that it cannot have, in the words of Go's package.

    What to do: look the flag up with `-help`. A boolean takes its value with `=`, as `-t=false`.
    """

    def _render_traceback_(self) -> list[str]:
        """In a cell the sentence stands once; the CLI writes it twice, and `message` has both."""
        before, again, said = self.message.rpartition(NAMED_AGAIN)
        if not again or not before.endswith(said):
            return super()._render_traceback_()
        shown = f"{before.removesuffix(said)}{again.lstrip()}{said}"
        hint = f"\n{self.hint}" if self.hint else ""
        return [f"{type(self).__name__}: {shown}{hint}"]


class SettingsError(NomadMagicError):
    """An address, a certificate, a proxy or a pattern that cannot be used; nothing was sent.

    What to do: mend the flag, variable or setting that the message names.
    """


class NotConfirmed(NomadMagicError):
    """A pattern of `confirm` asks for the action's name, and it was not given: nothing was run.

    What to do: run it again and type the name; from Python pass it as `confirm=`. Where nobody can
    be asked, change the pattern in a cell that a reviewer sees.
    """


class LocateError(NomadMagicError):
    """No such job, group, task or allocation, or several: the words lead to no single task.

    What to do: take one of those that the message lists or the hint names; where the namespace or
    the region is another, say so with `-namespace` or `-region`.
    """


class RequestError(NomadMagicError):
    """No agent answered, or not with what was asked for.

    What to do: with an outcome of `disconnected` the action may have been started all the same:
    look what became of it with `.result.look()` before it is run again.
    """


class Unreachable(RequestError):
    """Nothing answered: refused, timed out, no such host, a certificate that does not hold.

    What to do: check `NOMAD_ADDR`, the way there (VPN, proxy), and for TLS the certificate that the
    message names.
    """


class UnexpectedAnswer(RequestError):
    """Something answered, but not with what was asked for.

    What to do: at 403 take a token with the right that the hint names. What is no Nomad agent is
    called by its name: check address and port.

    Attributes:
        status: The HTTP status code; 200 where the answer itself makes no sense.
        body: The body as text, cut to its first kilobyte.
    """

    def __init__(self, message: str, *, status: int, body: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.body = body


class ExecError(NomadMagicError):
    """The session did not run to its end: the allocation's node is down, or one of the next three.

    What to do: choose another allocation with `-alloc`, or wait for the node.
    """


class SessionRefused(ExecError):
    """The agent said no: an unknown action, no permission, a task that is not running.

    What to do: nothing has run. Follow the hint: it has the nearest action, the right that is
    missing, or the allocation's state.

    Attributes:
        code: The websocket close code; None when the upgrade itself was refused.
        reason: The agent's words.
    """

    def __init__(
        self, message: str, *, code: int | None = None, reason: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.reason = reason


class ConnectionLost(ExecError):
    """The connection ended without an exit code, and not by our doing; the process may still run.

    What to do: the message says what a look saw of the process; `.result.look()` looks again. Run
    the action once more only if doing it twice is no harm.
    """


class Disconnected(ExecError):
    """We closed the connection before an exit code came; what became of the process is said.

    What to do: where the process still runs, look again with `.result.look()`, or end it on its
    node.
    """


class ActionFailed(NomadMagicError):
    """The action ran to its end and left with a non-zero exit code.

    What to do: read its output; `.result` has all of it.

    Attributes:
        exit_code: The action's own.
    """

    def __init__(self, message: str, *, exit_code: int, result: ActionResult | None = None) -> None:
        super().__init__(message, result=result)
        self.exit_code = exit_code


class FleetFailed(NomadMagicError):
    """An action failed in some of the allocations that it ran in, all of which have ended.

    What to do: `.result.failed` has those, and `.result.rerun_failed()` runs it in them once more.

    Attributes:
        result: The `FleetResult`.
    """

    result: FleetResult  # type: ignore[assignment]  # of many runs, not of one

    def __init__(self, message: str, *, hint: str, result: FleetResult) -> None:
        super().__init__(message, hint=hint)
        self.result = result


class AgentError(NomadMagicError):
    """The embedded agent cannot start, or cannot run what it was given.

    What to do: mend what the message names in the job file; `--lenient` leaves out what has no
    effect on one machine.
    """


class Interrupted(KeyboardInterrupt):
    """A Ctrl-C or ■ that stopped an action, and how that ended: a `KeyboardInterrupt`.

    What to do: nothing, where an exit code came. Else as for `Disconnected`.

    Attributes:
        exit_code: The action's own; 130 before it was started; else 1.
        result: What is known of the run.
    """

    def __init__(
        self, message: str, *, exit_code: int, result: ActionResult | FleetResult | None
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        # By a function: its name is not where pickle looks for a class.
        return _interrupted_again, (self.args, vars(self))

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def _interrupted_again(args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    return _made_again(Interrupted, args, attributes)


# Front ends and notebook runners know an interrupt by the built-in's name.
Interrupted.__name__ = Interrupted.__qualname__ = "KeyboardInterrupt"
