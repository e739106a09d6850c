"""`variable` and `locals`: what they are set to, and what a file's expressions make of them.

As in Nomad a value comes from `-var`, else from `-var-file`, else from `NOMAD_VAR_name`, else
from the default.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent.hcl import functions
from nomad_magic.agent.hcl.evaluate import Scope, evaluate, pairs
from nomad_magic.agent.hcl.nodes import (
    Attribute,
    Block,
    Call,
    Expression,
    HclError,
    ListOf,
    Literal,
    Name,
    ObjectOf,
)
from nomad_magic.agent.hcl.parser import parse_expression, parse_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ARGUMENTS: Final = {"type", "default", "description"}


@dataclass(frozen=True)
class Given:
    """Values from outside a file.

    Attributes:
        arguments: `-var`: name to what was written, the later ones before the earlier.
        files: `-var-file`: name to value.
        environment: Where `NOMAD_VAR_name` is looked for.
    """

    arguments: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """What must be declared somewhere."""
        return {*self.arguments, *self.files}


def read_values(text: str) -> dict[str, Any]:
    """Return what a file of variables sets.

    Raises:
        HclError: It is not one.
    """
    body = parse_file(text)
    for block in body.blocks:
        raise HclError(block.at, f"a file of variables has no blocks, such as {block.type}")
    scope = Scope(text)
    return {name: evaluate(attribute.value, scope) for name, attribute in body.attributes.items()}


class Variables:
    """The variables and locals of one file.

    Attributes:
        problems: What is wrong with them.
        declared: The names of the variables.
    """

    def __init__(self, text: str, blocks: Sequence[Block], given: Given) -> None:
        self.problems: list[HclError] = []
        self.scope = Scope(text, lookup=self._lookup)
        self._written_out = replace(self.scope, lookup=None)
        self._given = given
        self._values: dict[str, Any] = {}
        self._unset: set[str] = set()
        self._locals: dict[str, Attribute] = {}
        self._local_values: dict[str, Any] = {}
        self._failed: set[str] = set()
        self._under_way: list[str] = []
        self.declared: set[str] = set()
        for block in blocks:
            try:
                if block.type == "variable":
                    self._declare(block)
                else:
                    self._take_locals(block)
            except HclError as error:
                self.problems.append(error)

    def _declare(self, block: Block) -> None:
        if len(block.labels) != 1:
            raise HclError(block.at, "a variable needs one name")
        name = block.labels[0]
        if name in self.declared:
            raise HclError(block.at, f"variable {name} is declared twice")
        self.declared.add(name)
        for attribute in block.body.attributes.values():
            if attribute.name not in _ARGUMENTS:
                raise HclError(attribute.at, f"a variable has no argument {attribute.name}")
        kind = block.body.attributes.get("type")
        default = block.body.attributes.get("default")
        try:
            self._values[name] = self._value(name, kind, default)
        except KeyError:
            self._unset.add(name)
            raise HclError(block.at, f"variable {name} is not set: -var {name}=…") from None
        except ValueError as error:
            self._unset.add(name)
            raise HclError(block.at, f"variable {name}: {error}") from error
        for inner in block.body.blocks:
            self._validate(name, inner)

    def _value(self, name: str, kind: Attribute | None, default: Attribute | None) -> Any:
        fallback: Any = None
        if default is not None:
            fallback = evaluate(default.value, self._written_out)
        wanted = kind.value if kind is not None else _kind_of(fallback, given=default is not None)
        if name in self._given.arguments:
            value = self._outside(self._given.arguments[name], wanted)
        elif name in self._given.files:
            value = self._given.files[name]
        elif f"NOMAD_VAR_{name}" in self._given.environment:
            value = self._outside(self._given.environment[f"NOMAD_VAR_{name}"], wanted)
        elif default is not None:
            value = fallback
        else:
            raise KeyError(name)
        return value if wanted is None else convert(value, wanted)

    def _outside(self, words: str, kind: Expression | None) -> Any:
        """Return the value of what was written on a command line or in the environment."""
        if isinstance(kind, Name) and kind.name in ("string", "number"):
            return words
        try:
            return evaluate(parse_expression(words), replace(self._written_out, text=words))
        except HclError as error:
            raise ValueError(f"{words!r}: {error.words}") from error

    def _validate(self, name: str, block: Block) -> None:
        condition = block.body.attributes.get("condition")
        message = block.body.attributes.get("error_message")
        if block.type != "validation" or condition is None or message is None:
            raise HclError(block.at, f"variable {name}: only validation is known here")
        try:
            held = functions.boolean(evaluate(condition.value, self.scope))
        except ValueError as error:
            raise HclError(condition.at, f"variable {name}: {error}") from error
        if not held:
            raise HclError(block.at, f"variable {name}: {evaluate(message.value, self.scope)}")

    def _take_locals(self, block: Block) -> None:
        for name, attribute in block.body.attributes.items():
            if name in self._locals:
                raise HclError(attribute.at, f"local {name} is set a second time")
            self._locals[name] = attribute
        for inner in block.body.blocks:
            raise HclError(inner.at, "locals has no blocks")

    def evaluate_locals(self) -> None:
        """Evaluate those that nothing has asked for: what is wrong in them counts too."""
        for name, attribute in self._locals.items():
            if name not in self._local_values and name not in self._failed:
                try:
                    self._lookup("local", name, attribute.at)
                except HclError as error:
                    self.problems.append(error)

    def _lookup(self, root: str, name: str, at: int) -> Any:
        if root == "var":
            if name in self._unset:
                raise HclError(at, "")
            if name not in self._values:
                raise HclError(at, f"there is no variable {name}")
            return self._values[name]
        if name in self._local_values:
            return self._local_values[name]
        if name not in self._locals:
            raise HclError(at, f"there is no local {name}")
        if name in self._under_way:
            raise HclError(at, f"local {name} needs itself")
        self._under_way.append(name)
        try:
            value = evaluate(self._locals[name].value, self.scope)
        except HclError:
            self._failed.add(name)
            raise
        finally:
            self._under_way.pop()
        self._local_values[name] = value
        return value


def _kind_of(default: Any, *, given: bool) -> Expression | None:
    """Return the type of a variable that names none; None for a list, a map or null."""
    if isinstance(default, bool):
        return Name(0, "bool")
    if isinstance(default, int | Decimal):
        return Name(0, "number")
    return Name(0, "string") if isinstance(default, str) or not given else None


def convert(value: Any, kind: Expression) -> Any:
    """Return a value as a variable's type has it.

    Raises:
        ValueError: It cannot be that.
        HclError: There is no such type.
    """
    if isinstance(kind, Name) and kind.name in _PRIMITIVES:
        return None if value is None else _PRIMITIVES[kind.name](value)
    if not isinstance(kind, Call) or len(kind.arguments) != 1:
        raise HclError(kind.at, "not a type: string, number, bool, list(…), set(…), map(…), …")
    inner = kind.arguments[0]
    if value is None:
        return None
    if kind.name == "list":
        return [convert(one, inner) for one in functions.items(value)]
    if kind.name == "set":
        found = [convert(one, inner) for one in functions.items(value)]
        return sorted(functions.call("distinct", [found]), key=functions.text)
    if kind.name == "map":
        return {key: convert(one, inner) for key, one in pairs(functions.mapping(value))}
    if kind.name == "object" and isinstance(inner, ObjectOf):
        return _object(functions.mapping(value), inner)
    if kind.name == "tuple" and isinstance(inner, ListOf):
        if len(functions.items(value)) != len(inner.items):
            raise ValueError(f"{len(inner.items)} elements are needed")
        return [convert(one, each) for one, each in zip(value, inner.items, strict=True)]
    raise HclError(kind.at, f"{kind.name} is not a type")


def _object(value: dict[str, Any], kind: ObjectOf) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, inner in kind.items:
        name = str(key.value) if isinstance(key, Literal) else ""
        if name not in value:
            raise ValueError(f"{name} is missing")
        result[name] = convert(value[name], inner)
    return result


_PRIMITIVES: Final[dict[str, Callable[[Any], Any]]] = {
    "string": functions.text,
    "number": functions.number,
    "bool": functions.boolean,
}
