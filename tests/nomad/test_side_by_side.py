"""Many questions at the same time."""

from __future__ import annotations

import asyncio

import pytest

from nomad_magic.errors import UnexpectedAnswer, Unreachable
from nomad_magic.nomad.side_by_side import TOO_MANY, each


class Agent:
    """Answers so many questions at a time, and the others as it was told."""

    def __init__(self, room: int, refusal: Exception) -> None:
        self.room = room
        self.refusal = refusal
        self.inside = 0
        self.most = 0

    async def ask(self, key: int) -> int:
        if self.inside >= self.room:
            raise self.refusal
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            return key * key
        finally:
            self.inside -= 1


FULL = [UnexpectedAnswer("too many", status=TOO_MANY), Unreachable("reset")]


@pytest.mark.parametrize("refusal", FULL, ids=["429", "reset"])
@pytest.mark.parametrize("room", [1, 3, 16, 99])
def test_where_there_is_room_for_fewer_those_ask_the_rest(room: int, refusal: Exception) -> None:
    """Every answer comes, in the order of the questions, and none from more than were told."""
    agent = Agent(room, refusal)
    answers = asyncio.run(each(agent.ask, range(200), at_once=16))
    assert list(answers.items()) == [(key, key * key) for key in range(200)]
    assert agent.most == min(room, 16)


@pytest.mark.parametrize("refusal", [*FULL, UnexpectedAnswer("no", status=500)], ids=str)
def test_where_there_is_none_the_error_says_so(refusal: Exception) -> None:
    """The last of them fails, and none goes on asking."""
    agent = Agent(0, refusal)
    with pytest.raises(type(refusal)) as caught:
        asyncio.run(each(agent.ask, range(200), at_once=16))
    assert caught.value is refusal


def test_nothing_is_asked_of_nobody() -> None:
    """No question, no answer."""
    assert asyncio.run(each(Agent(1, FULL[0]).ask, [], at_once=4)) == {}


def test_one_failure_ends_the_others() -> None:
    """They would wait for an answer that nobody takes."""
    ended: list[int] = []

    async def ask(key: int) -> None:
        if key == 2:
            raise UnexpectedAnswer("no", status=500)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(key)

    with pytest.raises(UnexpectedAnswer):
        asyncio.run(each(ask, range(3), at_once=3))
    assert ended == [0, 1]
