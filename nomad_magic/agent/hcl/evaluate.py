"""Expressions, evaluated as Nomad does when it reads a job file.

Of a reference whose first name means nothing here (`NOMAD_TASK_NAME`, `attr.kernel.name`,
`env["HOME"]`) Nomad makes the text `${…}` again: it is filled in later, on the node, or never.
"""

from __future__ import annotations

import decimal
import operator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent.hcl import functions
from nomad_magic.agent.hcl.nodes import (
    Access,
    Call,
    Conditional,
    Element,
    Expression,
    For,
    ForPart,
    HclError,
    IfPart,
    ListOf,
    Literal,
    Name,
    ObjectOf,
    Operation,
    Part,
    Splat,
    Template,
)
from nomad_magic.agent.hcl.scanner import MAX_EXPONENT, normal, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_STEPS: Final = 300_000
"""How many expressions of a file are evaluated; loops in loops could go on for ever."""

# Exact or not at all: HCL counts with 512 bits, whose last digits are not ours.
_EXACT: Final = decimal.Context(
    prec=150,
    Emax=MAX_EXPONENT,
    Emin=-MAX_EXPONENT,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow, decimal.Underflow],
)
_ARITHMETIC: Final[dict[str, Callable[[Decimal, Decimal], Decimal]]] = {
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "/": _EXACT.divide,
    "%": _EXACT.remainder,
}
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Scope:
    """What names mean.

    Attributes:
        text: The file's, which references are quoted from.
        names: The first names of references, to their values.
        element: What a splat is at.
        budget: How many more steps a file may take; all scopes of a file share it.
        lookup: Finds `var.name` and `local.name`; without it only values are written out, no
            references and no calls.
    """

    text: str
    names: dict[str, Any] = field(default_factory=dict)
    element: Any = None
    lookup: Callable[[str, str, int], Any] | None = None
    budget: list[int] = field(default_factory=lambda: [MAX_STEPS])

    def with_names(self, **names: Any) -> Scope:
        """Return the same with more names."""
        return replace(self, names={**self.names, **names})

    def knows(self, name: str) -> bool:
        """Whether a name means something."""
        return name in self.names or (self.lookup is not None and name in ("var", "local"))


def evaluate(node: Expression, scope: Scope) -> Any:
    """Return the value of an expression: text, int, Decimal, bool, None, list or dict.

    Raises:
        HclError: It has none.
    """
    try:
        _spend(scope, 1)
        if isinstance(node, Literal):
            return node.value
        return _EVALUATORS[type(node)](node, scope)
    except (ValueError, decimal.DecimalException) as error:
        words = str(error) if isinstance(error, ValueError) else "that number cannot be worked out"
        raise HclError(node.at, words) from error


def _spend(scope: Scope, steps: int) -> None:
    scope.budget[0] -= steps
    if scope.budget[0] < 0:
        raise ValueError(f"it takes more than {MAX_STEPS:,} steps to evaluate")


def _template(node: Template, scope: Scope) -> Any:
    if len(node.parts) == 1 and isinstance(node.parts[0], Part):
        return _part(node.parts[0], scope)
    return normal(_text(node, scope))


def _text(node: Template, scope: Scope) -> str:
    said = functions.joined(piece for part in node.parts for piece in _pieces(part, scope))
    _spend(scope, functions.weight(said))
    return said


def _pieces(part: str | Part | IfPart | ForPart, scope: Scope) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, Part):
        yield functions.text(_part(part, scope))
    elif isinstance(part, IfPart):
        chosen = functions.boolean(evaluate(part.condition, scope))
        yield _text(part.then if chosen else part.otherwise, scope)
    else:
        for inner in _each(part.names, evaluate(part.collection, scope), scope):
            yield _text(part.body, inner)


def _part(part: Part, scope: Scope) -> Any:
    return evaluate(part.expression, scope)


def _later(node: Expression, scope: Scope) -> Name | None:
    """Return the first name of a reference that is left for the node to fill in."""
    while isinstance(node, Access) and node.literal:
        node = node.of
    return node if isinstance(node, Name) and not scope.knows(node.name) else None


def _left(start: int, end: int, scope: Scope) -> str:
    """Return a reference as it stands in the file, in `${…}` with the blanks that it has there."""
    if scope.lookup is None:
        raise ValueError("here a value is written out, without references")
    text = scope.text
    before, after = start, end
    while text[before - 1 : before] == " ":
        before -= 1
    while text[after : after + 1] == " ":
        after += 1
    if text[before - 2 : before] == "${":
        start = before
        end = after if text[after : after + 1] == "}" else end
    return f"${{{text[start:end]}}}"


def _name(node: Name, scope: Scope) -> Any:
    if node.name in scope.names:
        return scope.names[node.name]
    if scope.knows(node.name):
        raise ValueError(f"{node.name} is used with a name: {node.name}.…")
    return _left(node.at, node.at + len(node.name), scope)


def _access(node: Access, scope: Scope) -> Any:
    root = _later(node, scope)
    if root is not None:
        return _left(root.at, node.end, scope)
    key = evaluate(node.key, scope)
    of = node.of
    if (
        isinstance(of, Name)
        and scope.lookup is not None
        and of.name not in scope.names
        and scope.knows(of.name)
    ):
        return scope.lookup(of.name, functions.text(key), node.at)
    return get(evaluate(of, scope), key)


def get(value: Any, key: Any) -> Any:
    """Return an element of a list or a map.

    Raises:
        ValueError: It has none there.
    """
    if isinstance(value, dict):
        if functions.text(key) in value:
            return value[functions.text(key)]
        raise ValueError(f"there is no {functions.text(key)!r}")
    if isinstance(value, list):
        at = functions.number(key)
        if isinstance(at, int) and 0 <= at < len(value):
            return value[at]
        raise ValueError(f"there is no element {at}")
    raise ValueError(f"{functions.kind(value)} has no {functions.text(key)!r}")


def _splat(node: Splat, scope: Scope) -> list[Any]:
    value = evaluate(node.of, scope)
    if value is None:
        return []
    each = value if isinstance(value, list) else [value]
    return [evaluate(node.each, replace(scope, element=one)) for one in each]


def _call(node: Call, scope: Scope) -> Any:
    arguments = [evaluate(argument, scope) for argument in node.arguments]
    if node.expand and arguments:
        arguments[-1:] = functions.items(arguments[-1])
    if scope.lookup is None:
        raise ValueError("here a value is written out, without function calls")
    _spend(scope, sum(map(functions.weight, arguments)) // 10)
    result = functions.call(node.name, arguments)
    _spend(scope, functions.weight(result))
    return result


def _operation(node: Operation, scope: Scope) -> Any:
    values = [evaluate(operand, scope) for operand in node.operands]
    sign = node.operator
    if len(values) == 1:
        return not functions.boolean(values[0]) if sign == "!" else -functions.number(values[0])
    left, right = values
    if sign in ("==", "!="):
        return _same(left, right) is (sign == "==")
    if sign in ("&&", "||"):
        chosen = (functions.boolean(left), functions.boolean(right))
        return all(chosen) if sign == "&&" else any(chosen)
    first, second = Decimal(functions.number(left)), Decimal(functions.number(right))
    if sign in _COMPARISONS:
        return _COMPARISONS[sign](first, second)
    if sign in "/%" and not second:
        raise ValueError("a division by zero")
    return whole(_ARITHMETIC[sign](first, second))


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _conditional(node: Conditional, scope: Scope) -> Any:
    chosen = functions.boolean(evaluate(node.condition, scope))
    value = evaluate(node.then if chosen else node.otherwise, scope)
    other = _shape_of(node.otherwise if chosen else node.then, scope)
    if value is not None and other not in (None, _shape(value)):
        raise ValueError("both results of a conditional must be of one kind")
    return value


def _shape(value: Any) -> type | None:
    if value is None:
        return None
    return type(value) if isinstance(value, list | dict) else str


def _shape_of(node: Expression, scope: Scope) -> type | None:
    """Return what the result that was not chosen would be: a list, a dict, or none of both."""
    try:
        return _shape(evaluate(node, scope))
    except HclError:
        pass
    if isinstance(node, Conditional):
        return _shape_of(node.then, scope)
    if isinstance(node, For):
        return list if node.key is None else dict
    return str if isinstance(node, Operation | Template) else None


def _object(node: ObjectOf, scope: Scope) -> dict[str, Any]:
    return {
        functions.text(evaluate(key, scope)): evaluate(value, scope) for key, value in node.items
    }


def _for(node: For, scope: Scope) -> Any:
    made: list[Any] = []
    keyed: dict[str, Any] = {}
    for inner in _each(node.names, evaluate(node.collection, scope), scope):
        if node.condition is not None and not functions.boolean(evaluate(node.condition, inner)):
            continue
        value = evaluate(node.value, inner)
        if node.key is None:
            made.append(value)
            continue
        key = functions.text(evaluate(node.key, inner))
        if node.group:
            keyed.setdefault(key, []).append(value)
        elif key in keyed:
            raise ValueError(f"`for` makes the key {key!r} twice")
        else:
            keyed[key] = value
    return made if node.key is None else keyed


def _each(names: tuple[str, ...], collection: Any, scope: Scope) -> Iterator[Scope]:
    for key, value in pairs(collection):
        _spend(scope, 1)
        found = {names[-1]: value} if len(names) == 1 else {names[0]: key, names[1]: value}
        yield scope.with_names(**found)


def pairs(collection: Any) -> list[tuple[Any, Any]]:
    """Return the keys and values of a list or a map, a map's in the order of its keys.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(collection, dict):
        return [(key, collection[key]) for key in sorted(collection)]
    return list(enumerate(functions.items(collection)))


_EVALUATORS: Final[dict[type, Callable[[Any, Scope], Any]]] = {
    Template: _template,
    Name: _name,
    Access: _access,
    Splat: _splat,
    Element: lambda _, scope: scope.element,
    Call: _call,
    Operation: _operation,
    Conditional: _conditional,
    ListOf: lambda node, scope: [evaluate(item, scope) for item in node.items],
    ObjectOf: _object,
    For: _for,
}
