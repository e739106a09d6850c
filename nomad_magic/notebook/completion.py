"""Tab in the lines of our magics: IPython's own interface for it, in every front end.

It answers in time or with nothing, says nothing, and leaves no trace.  What is offered stands
alone: what other completers make of such a line is Python, or the names of files.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

from IPython.core.completer import SimpleCompletion

from nomad_magic.line import offers, unfinished
from nomad_magic.line.grammar import GRAMMARS
from nomad_magic.line.offers import Offer
from nomad_magic.line.unfinished import Place
from nomad_magic.running import loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.line.unfinished import Unfinished
    from nomad_magic.nomad.options import Options

SECONDS: Final = 0.24
"""How long an answer is waited for: with what IPython does besides it is there within 300 ms."""

BESIDE: Final = 50
"""How many characters are shown beside a completion in a notebook."""

# Of a flag's help what comes first.
_CLAUSE: Final = re.compile(r"(?<=[a-z])(?:[:;,] | \().*", re.DOTALL)
_MAY_END: Final = re.compile(r"[^\w\s](?=.)")

_WANTED: Final = {"file": "job file", "folder": "folder"}
_JOB_FILES: Final = (".hcl", ".nomad", ".json")

MOST: Final = 500
"""How many completions IPython passes on."""

_CONTINUED: Final = re.compile(r"(?<!\\)(?:\\\\)*\\\r?\Z")
# A magic at the start of a line, or behind what its value is assigned to.
_LINE: Final = re.compile(
    r"[ \t]*(?P<target>[^\s%#=!?][^%#=!?\n]*=[ \t]*)?"
    r"(?P<sign>%{0,2})(?P<name>nomad\w*)(?=[ \t\\]|\Z)"
)


class _Nothing(list[SimpleCompletion]):
    """No completion, and yet the answer: IPython would ask others where a list is empty."""

    def __len__(self) -> int:
        return 1


class Completion:
    """Answers Tab in one shell.

    Args:
        shell: Which.
        options: Returns the settings.
    """

    def __init__(self, shell: InteractiveShell, options: Callable[[], Options]) -> None:
        self._shell = shell
        self._options = options

    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return what may stand at the cursor; of a line that is not ours nothing."""
        end = time.monotonic() + SECONDS
        try:
            return self._complete(context, end)
        except (Exception, KeyboardInterrupt):  # noqa: BLE001 - IPython would print it where one types
            return _answer([], "", ours=False)

    def _complete(self, context: CompletionContext, end: float) -> SimpleMatcherResult:
        if (
            found := _find(context.full_text, context.cursor_line, context.cursor_position)
        ) is None:
            return _answer([], "", ours=False)
        if not found.before:
            # It is the name that is being typed, and the rest of the line comes soon.
            self._ask(None)
            return _answer([], "", ours=False)
        if not self._is_magic(found):
            return _answer([], "", ours=False)
        grammar = GRAMMARS.get(found.name)
        if grammar is None:
            return _answer([], "", ours=False)
        line = unfinished.read(found.before, found.after, grammar, self._value)
        fragment = found.before[line.start :]
        if line.place is Place.PYTHON:
            there = self._names(line)
        else:
            there = [] if line.place is Place.NOTHING else self._offers(line, end)
        kind = line.option.name if line.option else "value"
        kernel = getattr(self._shell, "kernel", None) is not None
        completions = [
            SimpleCompletion(
                line.written(one.text),
                type=_beside(one, kind) if kernel else one.about or kind,
            )
            for one in there[:MOST]
        ]
        return _answer(completions, fragment, ours=True)

    def _offers(self, line: Unfinished, end: float) -> list[Offer]:

        own = offers.of_line(line)
        if offers.names_a_file(line):
            return [*_files(line), *own]
        if not offers.asks(line):
            # What is asked next finds all that it needs.
            self._ask(None)
            return own
        there = self._of_cluster(line, end)
        # What the line lacks comes before what would be wrong without it.
        first = line.place is not Place.WORD or not offers.missing(line)
        return [*there, *own] if first else [*own, *there]

    def _names(self, line: Unfinished) -> list[Offer]:
        """Return the variables that begin as what was typed."""
        own = [Offer(name, "variable") for name in self._shell.user_ns if name.isidentifier()]
        around = [Offer(name, "environment") for name in os.environ if name.isidentifier()]
        if not line.typed:
            # IPython's own begin so.
            own = [one for one in own if not one.text.startswith("_")]
        return sorted(one for one in {*own, *around} if one.text.startswith(line.typed))

    def _of_cluster(self, line: Unfinished, end: float) -> list[Offer]:
        asked = self._ask(line)
        try:
            return asked.result(max(0.0, end - time.monotonic()))
        except TimeoutError:
            # It goes on, and its answer is there for the next Tab.
            return []

    def _ask(self, line: Unfinished | None) -> Future[list[Offer]]:
        """Ask a cluster what it has for a line; with none only make ready for that."""
        environ, options = dict(os.environ), self._options()

        async def ask() -> list[Offer]:
            # Not on the thread that waits: to load it all may take longer than an answer may.
            from nomad_magic.nomad import vocabulary  # noqa: PLC0415 - see above

            return [] if line is None else await vocabulary.of_cluster(line, environ, options)

        return loop.submit(ask())

    def _is_magic(self, found: _Found) -> bool:
        """Whether a line is read as a magic's."""
        if found.sign:
            kind = "line" if found.sign == "%" else "cell"
            return found.name in self._shell.magics_manager.magics[kind]
        return (
            bool(self._shell.automagic)
            and not found.assigned
            and found.name in self._shell.magics_manager.magics["line"]
            and found.name not in self._shell.user_ns
            # `nomad = 3`, `nomad.x`, `nomad (x)` are Python.
            and found.before.lstrip()[:1] not in tuple("=.([,:+*/<>!&|^")
        )

    def _value(self, name: str) -> str:
        """Return a variable as the line would have it; nothing of anyone's own is run for that."""
        for names in (self._shell.user_ns, os.environ):
            if name in names:
                value = names[name]
                if type(value) in (str, int, float) or isinstance(value, PurePath):
                    return str(value)
                break
        raise KeyError(name)


class _Found(NamedTuple):
    """A magic's line with the cursor in it.

    Attributes:
        name: The magic's name, and `sign` what stands before it.
        assigned: Its value is assigned to something.
        before: From behind the name to the cursor.
        after: From the cursor to the line's end.
    """

    name: str
    sign: str
    assigned: bool
    before: str
    after: str


def _find(text: str, row: int, column: int) -> _Found | None:
    """Find the line of a magic that the cursor is in; it may be continued."""
    lines = text.split("\n")
    first = last = row
    while first > 0 and _CONTINUED.search(lines[first - 1]):
        first -= 1
    while last + 1 < len(lines) and _CONTINUED.search(lines[last]):
        last += 1
    before = "\n".join([*lines[first:row], lines[row][:column]])
    found = _LINE.match(before)
    if found is None:
        return None
    cell = found["sign"] == "%%"
    if cell and (found["target"] or any(line.strip() for line in lines[:first])):
        return None
    if not cell and any(line.lstrip().startswith("%%nomad") for line in lines[:1]):
        # What stands below is the action's stdin.
        return None
    after = "\n".join([lines[row][column:], *lines[row + 1 : last + 1]])
    return _Found(found["name"], found["sign"], bool(found["target"]), before[found.end() :], after)


def _answer(
    completions: list[SimpleCompletion], fragment: str, *, ours: bool
) -> SimpleMatcherResult:
    """Return what IPython is told.

    Args:
        completions: What is offered.
        fragment: What it replaces, up to the cursor.
        ours: Nothing else is to be offered, even where this is nothing.
    """
    if ours and not completions:
        return {"completions": _Nothing(), "matched_fragment": "", "suppress": True}
    return {
        "completions": completions,
        "matched_fragment": fragment,
        "suppress": ours,
        "ordered": True,
    }


def _beside(offer: Offer, kind: str) -> str:
    """Return what an offer is, as JupyterLab can show it: short, and in one piece.

    The column that it stands in is as wide as its widest word (measured in 4.6.6): any place where
    a line may end would make two of it, one over the other.
    """
    text = offer.about or kind
    if offer.text.startswith("-"):
        text = _CLAUSE.sub("", text)
    text = text if len(text) <= BESIDE else f"{text[: BESIDE - 1]}…"
    return _MAY_END.sub("\\g<0>\N{WORD JOINER}", text.replace(" ", "\N{NO-BREAK SPACE}"))


def _files(line: Unfinished) -> list[Offer]:
    """Return the files and folders that begin as what was typed."""
    folder, name = os.path.split(line.typed)
    wanted = line.option.value if line.option else _WANTED[line.grammar.takes]
    found = []
    try:
        with os.scandir(folder or os.curdir) as entries:
            for entry in entries:
                if not entry.name.startswith(name) or not entry.name.isprintable():
                    continue
                if entry.name.startswith(".") and not name.startswith("."):
                    continue
                path = os.path.join(folder, entry.name)  # noqa: PTH118 - as it was typed
                if entry.is_dir():
                    found.append(Offer(f"{path}/", "folder"))
                elif wanted == "file" or (wanted == "job file" and entry.name.endswith(_JOB_FILES)):
                    found.append(Offer(path, wanted))
    except (OSError, ValueError):
        return []
    return sorted(found)
