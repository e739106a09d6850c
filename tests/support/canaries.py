"""Secrets that can be found again, ways of writing one, and all that an error or a run shows."""

from __future__ import annotations

import base64
import copy
import dataclasses
import html
import io
import json
import pickle
import re
import secrets
import shlex
import traceback
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.ultratb import AutoFormattedTB

from nomad_magic.record.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from nomad_magic.record.fleet_result import FleetResult
    from nomad_magic.record.result import ActionResult


@dataclass(frozen=True)
class Canary:
    """A secret of the shape of a token or a password, of which no half may be seen.

    Attributes:
        core: What is random in it, and stays as it is in most encodings.
        text: The secret.
        user: Whose password it is; empty for a token.
    """

    core: str = field(default_factory=lambda: secrets.token_hex(12))
    before: str = ""
    after: str = ""
    user: str = ""

    @property
    def text(self) -> str:
        return f"{self.before}{self.core}{self.after}"

    def leaks(self, shown: str | bytes) -> list[str]:
        """Return in what it shows: it, or half of it, plain or encoded."""
        data = shown if isinstance(shown, bytes) else shown.encode("utf-8", "surrogatepass")
        return [word.decode() for word in self._words if any(word in one for one in _seen(data))]

    @property
    def _words(self) -> list[bytes]:
        half = len(self.core) // 2
        words = [self.core[:half].encode(), self.core[half:].encode()]
        if self.user:
            coded = base64.b64encode(f"{self.user}:{self.text}".encode()).rstrip(b"=")
            words.append(coded[len(coded) // 3 :])
        return words


_SEQUENCES = re.compile(
    rb"\x1b\[[ -?]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z\\^-~]"
)


def _seen(data: bytes) -> Iterator[bytes]:
    """Return some bytes as readers see them: as they are, without styles, decoded."""
    plain = _SEQUENCES.sub(b"", data)
    # What a notebook's JSON and a repr make of an escape character.
    plain = re.sub(rb"(?:\\u001b|\\x1b)\[[0-9;]*m", b"", plain)
    yield data
    yield plain
    yield urllib.parse.unquote_to_bytes(plain)
    yield urllib.parse.unquote_to_bytes(urllib.parse.unquote_to_bytes(plain))
    yield re.sub(rb"<[^>]*>", b"", plain)


WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "colour": lambda text: f"{text[:9]}\x1b[31m{text[9:]}\x1b[0m",
    "rainbow": lambda text: "".join(f"\x1b[3{at % 8}m{one}" for at, one in enumerate(text)),
    "link": lambda text: f"\x1b]8;;https://d.example/?k={text}\x07here\x1b]8;;\x07",
    "quoted link": lambda text: f"\x1b]8;;https://d.example/{_quote(text)}\x1b\\x\x1b]8;;\x1b\\",
    "written link": lambda text: f"https://d.example/?k={_quote(text)}&x=y",
    "title": lambda text: f"\x1b]0;{text}\x07",
    "address": lambda text: f"http://ops:{_quote(text)}@d.example/",
    "form": urllib.parse.quote_plus,
    "small": lambda text: re.sub("%..", lambda found: found[0].lower(), _quote(text)),
    "all encoded": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "twice encoded": lambda text: _quote(_quote(text)),
    "JSON": json.dumps,
    "repr": repr,
    "HTML": html.escape,
    "shell": shlex.quote,
    "header": lambda text: f"X-Nomad-Token: {text}\r",
    "basic": lambda text: f"Basic {base64.b64encode(f'ops:{text}'.encode()).decode()}",
    "no width": lambda text: "\u200b".join((text[:9], text[9:])),
    "long line": lambda text: f"{'x' * 70}{text}{'y' * 70}",
}
"""In which ways an action may write a secret."""


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def written(text: str) -> bytes:
    """Return a secret in all of them, a line each."""
    return "".join(f"{name}: {way(text)}\n" for name, way in WAYS.items()).encode()


def of_result(result: ActionResult, folder: Path) -> dict[str, str | bytes]:
    """Return everything that a result is shown or saved as."""
    bundle, metadata = _bundle(result)
    saved = result.save(folder / f"{result.run_id}.out").read_bytes()
    arrived = pickle.loads(pickle.dumps(result))
    return {
        "repr": repr(result),
        "record": result.record(),
        "record without output": result.record(output=False),
        "markdown": result.markdown(),
        "text": result.text,
        "lines": json.dumps(result.lines),
        "saved": saved,
        "text/plain": bundle["text/plain"],
        "text/html": bundle["text/html"],
        "metadata": json.dumps(metadata),
        "pickle": pickle.dumps(result),
        "copied": copy.deepcopy(result).record(),
        "arrived": arrived.record() + arrived.markdown() + arrived.stdout + arrived.stderr,
        "place": repr(result.place) + repr(result.command),
        "words": f"{result.action} {result.command_line} {result.reason} {result.state}",
        "target": result.target,
        "notices": "\n".join(result.notices),
    }


def of_fleet(result: FleetResult, folder: Path) -> dict[str, str | bytes]:
    """Return everything that the result of many runs is shown or saved as, and those of each."""
    from nomad_magic.record.fleet_card import fleet_bundle  # noqa: PLC0415 - as the views do it
    from nomad_magic.record.fleet_record import FleetRecord  # noqa: PLC0415 - the same

    bundle, metadata = fleet_bundle(FleetRecord(result))
    found: dict[str, str | bytes] = {
        "repr": repr(result),
        "record": result.record(),
        "markdown": result.markdown(),
        "text/plain": bundle["text/plain"],
        "text/html": bundle["text/html"],
        "metadata": json.dumps(metadata),
        "pickle": pickle.dumps(result),
        "groups": "\n".join(
            "\n".join([group.ending, group.names, *group.lines, *group.diff])
            for group in result.groups
        ),
        "words": f"{result.action} {result.command_line} {result.state} {result.place!r}",
        "notices": "\n".join(result.notices),
        "left out": repr(result.left_out),
    }
    for key, run in result.items():
        found |= {f"{key[:8]}'s {name}": one for name, one in of_result(run, folder).items()}
    return found


def _bundle(result: ActionResult) -> tuple[dict[str, str], dict[str, Any]]:
    from nomad_magic.record import card  # noqa: PLC0415 - as the views do it

    return card.bundle(Record(result))


MODES = ("Plain", "Context", "Verbose", "Minimal")
"""IPython's `%xmode`."""


def of_error(error: BaseException) -> dict[str, str | bytes]:
    """Return everything that an error is shown, saved or sent to a collector as."""
    try:
        raise RuntimeError("the user's own") from error  # noqa: TRY301 - as a user would
    except RuntimeError as caught:
        outer = caught
    found: dict[str, str | bytes] = {
        "str": str(error),
        "repr": repr(error),
        "args": repr(error.args),
        "attributes": repr(vars(error)),
        "pickle": pickle.dumps(error),
        "causes": "\n".join(f"{one!r} {vars(one)!r}" for one in chain(error)),
    }
    for name, one in (("", error), ("chained ", outer)):
        trace = one.__traceback__
        for mode in MODES:
            shown = AutoFormattedTB(mode=mode, tb_offset=0)
            found[f"{name}%xmode {mode}"] = "\n".join(
                shown.structured_traceback(type(one), one, trace)
            )
        found[f"{name}pytest -l"] = str(
            pytest.ExceptionInfo.from_exception(one).getrepr(showlocals=True, style="long")
        )
        found[f"{name}collector"] = "".join(
            traceback.TracebackException.from_exception(one, capture_locals=True).format()
        )
        found[f"{name}frames"] = "\n".join(_frames(one))
    return found


def chain(error: BaseException) -> Iterator[BaseException]:
    """Return an exception and all that it came from."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]


def _frames(error: BaseException) -> Iterator[str]:
    """Return the values in frames that are not a test's, as `rich` looks into them."""
    for one in chain(error):
        trace: TracebackType | None = one.__traceback__
        while trace is not None:
            frame = trace.tb_frame
            where = str(frame.f_globals.get("__name__", ""))
            if not where.startswith(("tests", "support", "test_", "secrets", "_pytest", "pluggy")):
                for name, value in frame.f_locals.items():
                    yield f"{where}.{frame.f_code.co_name} {name} = {_deep(value, 3)}"
            trace = trace.tb_next


def _deep(value: Any, depth: int) -> str:
    """Return a value's repr, and those of what is in it: containers and dataclasses are opened."""
    if depth and dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, one.name, None) for one in dataclasses.fields(value) if one.repr]
        return f"{value!r} {[_deep(part, depth - 1) for part in parts]}"
    if depth and isinstance(value, dict):
        return str({_deep(k, depth - 1): _deep(v, depth - 1) for k, v in list(value.items())})
    if depth and isinstance(value, list | tuple | set | frozenset):
        return str([_deep(one, depth - 1) for one in value])
    if isinstance(value, io.StringIO):
        return value.getvalue()
    return repr(value)
