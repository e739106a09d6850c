"""A job file in HCL as plain values, with all that is wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from nomad_magic.agent.hcl import functions
from nomad_magic.agent.hcl.evaluate import Scope, evaluate, pairs
from nomad_magic.agent.hcl.functions import MAX_TEXT
from nomad_magic.agent.hcl.nodes import Attribute, Block, Body, HclError
from nomad_magic.agent.hcl.parser import parse_file, parse_template
from nomad_magic.agent.hcl.variables import Given, Variables

_MAX_BLOCKS: Final = 20_000
"""How many blocks there may be when those that are dynamic have been made."""


# How many labels blocks have whose labels are names; of others any number is taken.
_LABELS: Final = {
    **dict.fromkeys(("job", "group", "task", "action"), 1),
    **dict.fromkeys(("config", "constraint", "env", "lifecycle", "logs", "meta"), 0),
    **dict.fromkeys(("resources", "restart"), 0),
}


class _Unread:
    """The one value of what could not be read; why not is said once, where it was tried."""

    def __repr__(self) -> str:
        return "UNREAD"


UNREAD: Final = _Unread()


@dataclass
class Document:
    """What a file holds.

    Attributes:
        content: A block is a dict in a list; a labelled one is a dict from the label to its body.
        declared: The names of its variables.
        problems: What is wrong with single values, each with its line; they are `UNREAD`.
    """

    content: dict[str, Any] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def read(text: str, given: Given) -> Document:
    """Read a job file.

    Args:
        text: Its whole text.
        given: The values of its variables.

    Raises:
        HclError: It is not HCL.
    """
    body = parse_file(text)
    own = [block for block in body.blocks if block.type in ("variable", "locals")]
    variables = Variables(text, own, given)
    reader = _Reader(text)
    rest = Body(body.attributes, tuple(block for block in body.blocks if block not in own))
    content = reader.body(rest, variables.scope)
    variables.evaluate_locals()
    # Without words is what was said already, of the variable that it needs.
    problems = [one for one in (*variables.problems, *reader.problems) if one.words]
    return Document(content, variables.declared, [place(text, one) for one in problems])


def fill_in(value: Any) -> tuple[Any, list[str]]:
    """Return a value of HCL's JSON form with its templates evaluated, and what is wrong in it."""
    problems: list[str] = []
    scope = Scope("", lookup=_no_variables)
    size = _Size()

    def filled(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {key: filled(one) for key, one in inner.items()}
        if isinstance(inner, list):
            return [filled(one) for one in inner]
        if not isinstance(inner, str):
            return inner
        try:
            return size.of(evaluate(parse_template(inner), replace(scope, text=inner)), 0)
        except HclError as error:
            problems.append(f"{inner[:40]!r}: {error.words}")
            return UNREAD

    return filled(value), problems


def _no_variables(root: str, name: str, at: int) -> Any:
    raise HclError(at, f"{root}.{name} is not set: variables are for files in HCL")


def place(text: str, error: HclError) -> str:
    """Return the words of an error with its line and column, as Nomad counts them."""
    line = text.count("\n", 0, error.at) + 1
    column = error.at - (text.rfind("\n", 0, error.at) + 1) + 1
    return f"{line},{column}: {error.words}"


class _Size:
    """How much all values of a file come to when they are written out.

    A few lines may name one value in many places, which is one value until somebody writes it.
    """

    def __init__(self) -> None:
        self._left = MAX_TEXT

    def of(self, value: Any, at: int) -> Any:
        """Return the value, counted.

        Raises:
            HclError: With those before it is too much.
        """
        left = [value]
        while left:
            one = left.pop()
            self._left -= len(one) if isinstance(one, str) else 1
            if self._left < 0:
                raise HclError(at, f"its values come to more than {MAX_TEXT // 1_000_000} MB")
            if isinstance(one, dict):
                left += (*one, *one.values())
            elif isinstance(one, list):
                left += one
        return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.problems: list[HclError] = []
        self._text = text
        self._blocks = 0
        self._size = _Size()

    def body(self, body: Body, scope: Scope) -> dict[str, Any]:
        result = {name: self._value(one, scope) for name, one in body.attributes.items()}
        for block in body.blocks:
            self._blocks += 1
            if self._blocks > _MAX_BLOCKS:
                raise HclError(block.at, f"more than {_MAX_BLOCKS} blocks")
            if block.type == "dynamic":
                try:
                    self._dynamic(block, scope, result)
                except HclError as error:
                    self.problems.append(error)
                except ValueError as error:
                    self.problems.append(HclError(block.at, str(error)))
            else:
                self._add(result, block, block.type, block.labels, self.body(block.body, scope))
        return result

    def _add(
        self,
        result: dict[str, Any],
        block: Block,
        kind: str,
        labels: tuple[str, ...],
        content: dict[str, Any],
    ) -> None:
        if _LABELS.get(kind, len(labels)) != len(labels):
            number = _LABELS[kind]
            self.problems.append(HclError(block.at, f"{kind} needs {number or 'no'} label"))
            return
        for label in reversed(labels):
            content = {label: content}
        there = result.setdefault(kind, [])
        if isinstance(there, list) and kind not in block.body.attributes:
            there.append(content)
        else:
            self.problems.append(HclError(block.at, f"{kind} is an argument and a block"))

    def _dynamic(self, block: Block, scope: Scope, result: dict[str, Any]) -> None:
        attributes = block.body.attributes
        contents = [inner for inner in block.body.blocks if inner.type == "content"]
        if len(block.labels) != 1 or len(contents) != 1 or "for_each" not in attributes:
            raise HclError(block.at, "dynamic needs a label, for_each and one content")
        kind = block.labels[0]
        iterator = kind
        if "iterator" in attributes:
            named = attributes["iterator"].value
            iterator = getattr(named, "name", kind)
        for key, value in pairs(evaluate(attributes["for_each"].value, scope)):
            inner = scope.with_names(**{iterator: {"key": key, "value": value}})
            labels: tuple[str, ...] = ()
            if "labels" in attributes:
                found = evaluate(attributes["labels"].value, inner)
                labels = tuple(functions.text(label) for label in functions.items(found))
            self._add(result, block, kind, labels, self.body(contents[0].body, inner))

    def _value(self, attribute: Attribute, scope: Scope) -> Any:
        try:
            return self._size.of(evaluate(attribute.value, scope), attribute.at)
        except HclError as error:
            self.problems.append(error)
        except RecursionError:
            self.problems.append(HclError(attribute.at, "nested too deep"))
        return UNREAD
