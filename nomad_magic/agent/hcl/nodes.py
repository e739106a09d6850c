"""What an HCL file is made of, before anything in it is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias


class HclError(Exception):
    """What is wrong with a piece of a file.

    Attributes:
        at: Where: how many characters into the text.
        words: What is wrong.
    """

    def __init__(self, at: int, words: str) -> None:
        super().__init__(words)
        self.at = at
        self.words = words


@dataclass(frozen=True)
class Literal:
    """A number, a boolean, null, or text with nothing to fill in."""

    at: int
    value: Any


@dataclass(frozen=True)
class Part:
    """`${…}` in a template; with `~` what is next to it is trimmed."""

    expression: Expression
    trim_before: bool
    trim_after: bool


@dataclass(frozen=True)
class Directive:
    """`%{…}` in a template, before it is joined with its end."""

    at: int
    keyword: str
    names: tuple[str, ...]
    expression: Expression | None
    trim_before: bool
    trim_after: bool


@dataclass(frozen=True)
class IfPart:
    """`%{ if … }…%{ else }…%{ endif }`."""

    condition: Expression
    then: Template
    otherwise: Template


@dataclass(frozen=True)
class ForPart:
    """`%{ for … in … }…%{ endfor }`."""

    names: tuple[str, ...]
    collection: Expression
    body: Template


@dataclass(frozen=True)
class Template:
    """Text with parts to fill in."""

    at: int
    parts: tuple[str | Part | IfPart | ForPart, ...]


@dataclass(frozen=True)
class Name:
    """The first name of a reference."""

    at: int
    name: str


@dataclass(frozen=True)
class Access:
    """`.name`, `.0` or `[…]` of a value.

    Attributes:
        end: Where the reference ends that it closes.
    """

    at: int
    of: Expression
    key: Expression
    end: int
    literal: bool
    """Whether the key is a name or a literal: then all of it may be a reference."""


@dataclass(frozen=True)
class Splat:
    """`.*` or `[*]` of a value, with what follows for each element."""

    at: int
    of: Expression
    each: Expression


@dataclass(frozen=True)
class Element:
    """The value that a `Splat` is at."""

    at: int


@dataclass(frozen=True)
class Call:
    """`name(…)`; `expand` for a last argument that is followed by `...`."""

    at: int
    name: str
    arguments: tuple[Expression, ...]
    expand: bool


@dataclass(frozen=True)
class Operation:
    """An operator with one or two operands."""

    at: int
    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Conditional:
    """`a ? b : c`."""

    at: int
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True)
class ListOf:
    """`[…]`."""

    at: int
    items: tuple[Expression, ...]


@dataclass(frozen=True)
class ObjectOf:
    """`{…}`."""

    at: int
    items: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True)
class For:
    """`[for … in … : … if …]`, or with a `key` the same in braces."""

    at: int
    names: tuple[str, ...]
    collection: Expression
    key: Expression | None
    value: Expression
    condition: Expression | None
    group: bool


Expression: TypeAlias = (
    Literal
    | Template
    | Name
    | Access
    | Splat
    | Element
    | Call
    | Operation
    | Conditional
    | ListOf
    | ObjectOf
    | For
)


@dataclass(frozen=True)
class Attribute:
    """`name = …`."""

    at: int
    name: str
    value: Expression


@dataclass(frozen=True)
class Block:
    """`type "label" { … }`."""

    at: int
    type: str
    labels: tuple[str, ...]
    body: Body


@dataclass(frozen=True)
class Body:
    """Attributes by name, and blocks in their order."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
