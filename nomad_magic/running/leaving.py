"""What an error takes along when it leaves us: words, and nothing that is secret.

An exception carries more than its text: every frame between where it was raised and where it was
caught, with all that its names stood for (the environment, the line with the token, a request's
headers), and what it came from, with the same.  `%xmode Verbose`, `rich`, Sentry and `pytest -l`
show all of that.  So an error of ours leaves without the frames below the function that the user
called and with a `Cause` in the place of what it came from; and of any other exception, one of a
signal handler say, the frames that are ours are emptied.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from nomad_magic.errors import Interrupted, NomadMagicError, clean
from nomad_magic.nomad.target import known_secrets
from nomad_magic.record.masking import Masker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")

MOST_CAUSES: Final = 8
"""How many causes of causes are kept."""

MOST_WORDS: Final = 4096
"""How much of the words of each is kept, in characters."""

_OURS: Final = frozenset(
    {
        *("nomad_magic", "aiohappyeyeballs", "anywidget", "asyncio", "comm", "concurrent"),
        *("contextlib", "functools", "h11", "httpx", "ipywidgets", "msgspec", "queue"),
        *("selectors", "socket", "ssl", "subprocess", "tempfile", "threading", "urllib"),
        *("websockets",),
    }
)
"""The packages whose frames, below a function of ours, may hold what is secret."""


class Cause(Exception):
    """What a failure came from: the type of an exception, and its words.

    It stands where that exception stood.  The exception itself would hold on to a request with its
    headers, and its traceback to every frame on the way.

    Attributes:
        kind: The type's name, with its module.
        words: As they may be shown.
    """

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(kind, words)
        self.kind = kind
        self.words = words

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}" if self.words else self.kind


def settle(error: BaseException, shown: Callable[[str], str]) -> None:
    """Take from an error what it must not take along.

    Args:
        error: One that is about to leave.
        shown: Returns a text as it may be shown.
    """
    if isinstance(error, NomadMagicError | Interrupted):
        clean(error, shown)
        empty(error.__traceback__)
        # Of a fault of ours it must be known where it is.
        cause = _cause(_before(error), shown, traced=type(error) is NomadMagicError)
        error.__traceback__ = error.__context__ = None
        error.__cause__ = cause
        return
    empty(error.__traceback__)
    for other in (error.__cause__, error.__context__):
        if isinstance(other, NomadMagicError | Interrupted):
            settle(other, shown)
        elif other is not None:
            empty(other.__traceback__)


@contextlib.contextmanager
def settling(words: Sequence[str], environ: Mapping[str, str]) -> Iterator[None]:
    """Settle an error of a line of which there is no run yet.

    Args:
        words: The line's, as far as it was split.
        environ: The environment.
    """
    try:
        yield
    except (NomadMagicError, Interrupted) as error:
        settle(error, Masker(known_secrets(words, environ)).shown)
        raise


def empty(frames: TracebackType | None) -> TracebackType | None:
    """Let go of what the names in our frames stood for; which line failed stays known.

    Returns:
        The frames below those that still run, which cannot be emptied.
    """
    below = frames
    while frames is not None:
        name = str(frames.tb_frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] in _OURS:
            try:
                frames.tb_frame.clear()
            except RuntimeError:
                below = frames.tb_next
        frames = frames.tb_next
    return below


def sealed(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function that users call let out nothing but the words of its errors.

    Args:
        function: It may be a coroutine function.
    """
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wait(*args: P.args, **kwargs: P.kwargs) -> Any:
            __tracebackhide__ = True
            try:
                return await function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised on
                failure = error
            del args, kwargs
            _settle_last(failure)
            try:
                raise failure
            finally:
                del failure

        return cast("Callable[P, T]", wait)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised on
            failure = error
        del args, kwargs
        _settle_last(failure)
        # Out here it does not become the context of itself.
        try:
            raise failure
        finally:
            del failure

    return call


def _settle_last(error: BaseException) -> None:
    """Settle an error at the door; what knew its line has masked its words already."""
    settle(error, Masker(known_secrets((), os.environ)).shown)


def _before(error: BaseException) -> BaseException | None:
    """Return what an exception came from."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _cause(
    error: BaseException | None,
    shown: Callable[[str], str],
    *,
    traced: bool,
    left: int = MOST_CAUSES,
) -> Cause | None:
    """Return what stands in the place of an exception and of those that it came from."""
    if error is None or not left:
        return None
    if isinstance(error, Cause):
        made = Cause(error.kind, shown(error.words))
    else:
        kind = type(error)
        name = kind.__qualname__
        if kind.__module__ != "builtins":
            name = f"{kind.__module__}.{name}"
        made = Cause(name, shown(str(error)[:MOST_WORDS]))
    frames = empty(error.__traceback__)
    if traced:
        made.__traceback__ = frames
    made.__cause__ = _cause(_before(error), shown, traced=traced, left=left - 1)
    return made
