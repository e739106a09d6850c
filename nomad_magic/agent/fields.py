"""Reading one object of a job: each field is taken once, and all that is wrong is collected."""

from __future__ import annotations

import difflib
import re
import reprlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from nomad_magic.agent.hcl import functions
from nomad_magic.agent.hcl.document import UNREAD
from nomad_magic.agent.job_fields import FIELDS, Use, kind_of

SECOND: Final = 1_000_000_000
"""Nomad's API counts in nanoseconds."""

_LARGEST: Final = 2**63 - 1
_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_DURATION: Final = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(ns|us|µs|ms|s|m|h)")
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")


_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 120
_REPR.maxlevel = 2


@dataclass
class Report:
    """What is wrong with a file, and what is left out of it.

    Attributes:
        lenient: Leave out what has no effect here, instead of refusing it.
        refusals: Each with where it is.
        left_out: Where, to what.
        could_be: What is refused only for want of `lenient`, and the words of it.
    """

    lenient: bool = False
    refusals: list[str] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    could_be: set[str] = field(default_factory=set)
    could_be_refusals: list[str] = field(default_factory=list)

    def refuse(self, where: str, words: str) -> None:
        """Take down why a file is not run."""
        self.refusals.append(f"{where}: {words}" if where else words)

    def leave_out(self, where: str, what: str, words: str) -> None:
        """Take down what has no effect here; without `lenient` it is refused with the words."""
        if self.lenient:
            there = self.left_out.setdefault(where, [])
            if what not in there:
                there.append(what)
        else:
            self.could_be.add(what)
            self.refuse(where, words)
            self.could_be_refusals.append(self.refusals[-1])

    @property
    def notes(self) -> list[str]:
        """What is left out, a line for each place."""
        return [f"{where}: left out: {', '.join(names)}" for where, names in self.left_out.items()]


class Fields:
    """One object of the API's form.

    Attributes:
        where: Opens the words of all that is wrong with it.
    """

    def __init__(self, source: Any, level: str, where: str, report: Report) -> None:
        if source is UNREAD:
            source = {}
        if not isinstance(source, dict):
            report.refuse(where, f"expected {kind_of(level)}, found {shown(source)}")
            source = {}
        self.where = where
        self.report = report
        self._level = level
        self._left = dict(source)
        self._unread = {name for name, value in source.items() if value is UNREAD}

    def has(self, name: str) -> bool:
        """Whether it says something of a field, be it that it could not be read."""
        return name in self._unread or self._left.get(name) not in (None, "", [], {})

    def take(self, name: str, default: Any = None) -> Any:
        """Return a field's value."""
        value = self._left.pop(name, None)
        return default if value is None or value is UNREAD else value

    def text(self, name: str, default: str = "") -> str:
        """Return a field that is text; a number or a boolean becomes one, as in HCL."""
        return scalar(self.take(name, default), f"{self.where}: {self._name(name)}", self.report)

    def number(self, name: str, default: int, *, least: int = 0) -> int:
        """Return a field that is a whole number."""
        value = self.take(name, default)
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(f"{self._name(name)} must be a whole number, not {shown(value)}")
            return default
        if not least <= value <= _LARGEST:
            self.refuse(f"{self._name(name)} cannot be {value}: at least {least} is needed")
            return default
        return value

    def boolean(self, name: str) -> bool:
        """Return a field that is true or false."""
        value = self.take(name, False)  # noqa: FBT003 - a field's default is its value
        try:
            return functions.boolean(value)
        except ValueError as error:
            self.refuse(f"{self._name(name)}: {error}")
            return False

    def duration(self, name: str, default: int) -> int:
        """Return nanoseconds, from a number of them or words such as `1m30s`."""
        value = self.take(name, default)
        if isinstance(value, str):
            parts = _DURATION.findall(value)
            if "".join(number + unit for number, unit in parts) != value or not parts:
                self.refuse(f"{self._name(name)} is not a duration: {shown(value)}")
                return default
            value = int(sum(Decimal(number) * _UNITS[unit] for number, unit in parts))
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
            self.refuse(f"{self._name(name)} is not a duration: {shown(value)}")
            return default
        return value

    def strings(self, name: str) -> dict[str, str]:
        """Return a field that is a map of text to text."""
        value = self.take(name, {})
        if not isinstance(value, dict):
            self.refuse(f"{self._name(name)} must be a map, not {shown(value)}")
            return {}
        where = f"{self.where}: {self._name(name)}"
        return {
            scalar(key, where, self.report): scalar(item, f"{where}: {shown(key)}", self.report)
            for key, item in value.items()
        }

    def words(self, name: str) -> tuple[str, ...]:
        """Return a field that is a list of text."""
        where = f"{self.where}: {self._name(name)}"
        return tuple(scalar(item, where, self.report) for item in self.objects(name))

    def objects(self, name: str) -> list[Any]:
        """Return a field that is a list."""
        value = self.take(name, [])
        if not isinstance(value, list):
            self.refuse(f"{self._name(name)} must be a list, not {shown(value)}")
            return []
        return value

    def inner(self, name: str, level: str) -> Fields:
        """Return a field that is an object."""
        return Fields(self.take(name, {}), level, f"{self.where}: {self._name(name)}", self.report)

    def refuse(self, words: str) -> None:
        """Take down what is wrong here."""
        self.report.refuse(self.where, words)

    def finish(self) -> None:
        """Judge what has not been taken, and says something."""
        for name, value in self._left.items():
            if value in (None, "", [], {}, 0, False) or value is UNREAD:
                continue
            row = FIELDS[self._level].get(name)
            if row is None:
                known = {one.hcl or one.api for one in FIELDS[self._level].values()}
                close = difflib.get_close_matches(str(name)[:100].lower(), known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                self.refuse(f"{shown(name)} is not a field of {kind_of(self._level)}{hint}")
            elif row.use is Use.WORDS:
                words = f"the embedded agent does not do {self._name(name)}"
                self.report.leave_out(self.where, self._name(name), words)
            elif row.use is not Use.HARMLESS:
                self.refuse(f"the embedded agent does not do {self._name(name)}")

    def _name(self, api: str) -> str:
        row = FIELDS[self._level].get(api)
        return row.hcl or api if row is not None else api


def scalar(value: Any, where: str, report: Report) -> str:
    """Return text, a number or a boolean as HCL turns it into text."""
    if value is UNREAD:
        return ""
    try:
        said = functions.text(value)
        said.encode()
    except UnicodeEncodeError:
        report.refuse(where, "half of a surrogate pair is not text")
        return ""
    except (ValueError, ArithmeticError):
        report.refuse(where, f"expected text, found {shown(value)}")
        return ""
    if "\0" in said:
        report.refuse(where, "holds a NUL")
        return ""
    return said


def shown(value: Any) -> str:
    """Return a value for a sentence: short, and with its control characters escaped."""
    return _REPR.repr(value).encode("utf-8", "backslashreplace").decode()
