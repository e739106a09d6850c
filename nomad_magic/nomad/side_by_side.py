"""Asking many questions of one kind, so many at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from nomad_magic.errors import UnexpectedAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

K = TypeVar("K")
T = TypeVar("T")

TOO_MANY: Final = 429
"""What an agent answers where a client has as many connections as it may (measured on Nomad
2.0.6); it may also close one that has just been made."""


async def each(ask: Callable[[K], Awaitable[T]], about: Iterable[K], *, at_once: int) -> dict[K, T]:
    """Ask about each; one question that fails ends all of them.

    Runs have connections to the same agent too.  Where it has no room for one more, those that
    there are ask the rest: only the last of them fails for that.

    Args:
        ask: Asks a question.
        about: What about.
        at_once: How many connections are used.

    Returns:
        The answers, in the order of the questions.
    """
    keys = list(dict.fromkeys(about))
    left = deque(keys)
    answers: dict[K, T] = {}
    failed: set[K] = set()
    askers = min(at_once, len(keys))

    async def work() -> None:
        nonlocal askers
        while left:
            key = left.popleft()
            try:
                answers[key] = await ask(key)
            except (Unreachable, UnexpectedAnswer) as error:
                full = isinstance(error, Unreachable) or error.status == TOO_MANY
                if not full or (askers == 1 and key in failed):
                    raise
                left.append(key)
                failed.add(key)
                if askers > 1:
                    break
        askers -= 1

    tasks = [asyncio.create_task(work()) for _ in range(askers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {key: answers[key] for key in keys}
