"""Where a run waits, once it is known where it goes and before anything is started: for a word."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from nomad_magic.errors import NotConfirmed
from nomad_magic.line import patterns
from nomad_magic.record.humanize import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nomad_magic.record.plan import Plan

_NO_WORD: Final = "no name was given for it"
_OTHER_WORD: Final = "what was given is not its name"


class Gate:
    """Lets a run through that no pattern asks about, or for which the action's name was given.

    Args:
        texts: The patterns of `confirm`.
        action: The action's name, which is the word.
        word: What was given for it beforehand; None for nothing.

    Attributes:
        plan: What is to run, once it is known; its `asks` is the pattern that asks, if one does.

    Raises:
        SettingsError: A pattern is none.
    """

    def __init__(self, texts: Sequence[str], action: str, word: str | None) -> None:
        self.plan: Plan | None = None
        self._patterns = patterns.parse(texts)
        self._action = action
        self._word = word
        self._why = _NO_WORD if word is None else _OTHER_WORD
        self._hint = f"Pass confirm={action!r} to run it."
        self._open = asyncio.Event()
        self._open.set()
        self._located = threading.Event()

    # From any thread

    def hold(self) -> None:
        """Before it has begun: let nothing through until `open` is called."""
        self._open.clear()

    def wait(self) -> None:
        """Wait until it is known what is to run, or until it is over."""
        self._located.wait()

    def answer(self, word: str) -> bool:
        """Take the word of a person who was asked; return whether it is the action's name."""
        self._word, self._why, self._hint = word.strip(), "what was typed is not its name", ""
        return self._confirmed

    def refuse(self, why: str, hint: str = "") -> None:
        """Nobody gave a word: say why, and what to do about it."""
        self._word, self._why, self._hint = None, why, hint

    # In the loop's thread

    def open(self) -> None:
        """Go on, whatever was answered."""
        self._open.set()

    def over(self) -> None:
        """It is over: nobody need wait."""
        self._located.set()

    async def pause(self, plan: Plan, values: Mapping[str, Iterable[str]]) -> None:
        """Wait until it may go on; what becomes of it `verdict` says.

        Args:
            plan: What is to run.
            values: What it has come to, for the patterns.
        """
        match = patterns.first_match(self._patterns, values)
        self.plan = plan if match is None else replace(plan, asks=match.text)
        self._located.set()
        await self._open.wait()

    def verdict(self) -> str:
        """Return how it was confirmed, in words; nothing where no pattern asks for that.

        Raises:
            NotConfirmed: One does, and it was not.
        """
        plan = self.plan
        if plan is None or not plan.asks:
            return ""
        place = plan.place
        if not self._confirmed:
            raise NotConfirmed(
                f"{plan.action} in {plan.where} of job {place.job} (namespace {place.namespace}, "
                f"{place.address}) was not confirmed, which {plan.asks} asks for: {self._why}. "
                "Nothing was run.",
                hint=self._hint,
            )
        now = datetime.now().astimezone()
        return f"{moment(now)} by the action's name, which {plan.asks} asks for"

    @property
    def _confirmed(self) -> bool:
        shown = self.plan.action if self.plan is not None else self._action
        return self._word is not None and self._word in {self._action, shown}
