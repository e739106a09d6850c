"""The grammar: a file's blocks and attributes, and expressions."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from nomad_magic.agent.hcl.nodes import (
    Access,
    Attribute,
    Block,
    Body,
    Call,
    Conditional,
    Element,
    Expression,
    For,
    HclError,
    ListOf,
    Literal,
    Name,
    ObjectOf,
    Operation,
    Splat,
)
from nomad_magic.agent.hcl.scanner import Scanner
from nomad_magic.agent.hcl.templates import Templates, for_names

_BINARY: Final = (
    ("||",),
    ("&&",),
    ("==", "!="),
    ("<=", ">=", "<", ">"),
    ("+", "-"),
    ("*", "/", "%"),
)
_BYTE_ORDER_MARK: Final = "\ufeff"
_MAX_CHAIN: Final = 150


def parse_file(text: str) -> Body:
    """Parse a whole file.

    Raises:
        HclError: It is not HCL.
    """
    parser = Parser(text)
    parser.scanner.take(_BYTE_ORDER_MARK)
    body = parser.body()
    if parser.scanner.at < len(text):
        raise parser.scanner.fail("a closing brace that closes nothing")
    return body


def parse_expression(text: str) -> Expression:
    """Parse text that is one expression.

    Raises:
        HclError: It is not one.
    """
    parser = Parser(text)
    parser.scanner.skip(lines=True)
    expression = parser.expression(lines=True)
    parser.scanner.skip(lines=True)
    if parser.scanner.at < len(text):
        raise parser.scanner.fail("something after the end of the value")
    return expression


def parse_template(text: str) -> Expression:
    """Parse text that is one template, without quotes around it.

    Raises:
        HclError: It is not one.
    """
    parser = Parser(text)
    return parser.templates.whole_text()


class Parser:
    """Parses one text from its beginning."""

    def __init__(self, text: str) -> None:
        self.scanner = Scanner(text)
        self.templates = Templates(self.scanner, lambda: self.expression(lines=True))

    def body(self) -> Body:
        """Take attributes and blocks up to a closing brace, or the end."""
        scanner = self.scanner
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        while True:
            scanner.skip(lines=True)
            if scanner.at >= len(scanner.text) or scanner.peek() == "}":
                return Body(attributes, tuple(blocks))
            item = self._item()
            if isinstance(item, Block):
                blocks.append(item)
            elif item.name in attributes:
                raise HclError(item.at, f"{item.name} is set a second time")
            else:
                attributes[item.name] = item
            if not scanner.end_of_line():
                kind = "a block" if isinstance(item, Block) else "an argument"
                raise scanner.fail(f"{kind} must end with its line")

    def _item(self) -> Attribute | Block:
        scanner = self.scanner
        start = scanner.at
        name = scanner.name()
        if not name:
            raise scanner.fail(f"an argument or a block was expected, not {scanner.peek()!r}")
        scanner.skip(lines=False)
        if scanner.peek() == "=" and scanner.peek(2) != "==":
            scanner.at += 1
            scanner.skip(lines=False)
            return Attribute(start, name, self.expression(lines=False))
        labels: list[str] = []
        while not scanner.take("{"):
            if scanner.peek() == '"':
                labels.append(scanner.quoted_label())
            elif label := scanner.name():
                labels.append(label)
            else:
                raise scanner.fail(f"after {name} an = or a block's {{ was expected")
            scanner.skip(lines=False)
        scanner.down()
        body = self._block_body()
        scanner.up()
        return Block(start, name, tuple(labels), body)

    def _block_body(self) -> Body:
        scanner = self.scanner
        if scanner.end_of_line():
            body = self.body()
            scanner.expect("}", "a block has no end")
            return body
        if scanner.take("}"):
            return Body()
        item = self._item()
        scanner.skip(lines=False)
        if isinstance(item, Block):
            raise HclError(item.at, "a block on one line can hold one argument, and no block")
        scanner.expect("}", "a block that begins on this line must end on it too")
        return Body({item.name: item})

    def expression(self, *, lines: bool) -> Expression:
        """Take an expression.

        Args:
            lines: Ends of lines mean nothing here, as in brackets.
        """
        scanner = self.scanner
        scanner.down()
        condition = self._binary(0, lines=lines)
        scanner.skip(lines=lines)
        result = condition
        if scanner.peek() == "?":
            scanner.at += 1
            scanner.skip(lines=lines)
            then = self.expression(lines=lines)
            scanner.skip(lines=lines)
            scanner.expect(":", "a conditional needs a `:`")
            scanner.skip(lines=lines)
            result = Conditional(condition.at, condition, then, self.expression(lines=lines))
        scanner.up()
        return result

    def _binary(self, level: int, *, lines: bool) -> Expression:
        if level == len(_BINARY):
            return self._unary(lines=lines)
        scanner = self.scanner
        left = self._binary(level + 1, lines=lines)
        for _ in range(_MAX_CHAIN):
            mark = scanner.at
            scanner.skip(lines=lines)
            operator = next((one for one in _BINARY[level] if scanner.take(one)), "")
            if not operator:
                scanner.at = mark
                return left
            scanner.skip(lines=lines)
            right = self._binary(level + 1, lines=lines)
            left = Operation(left.at, operator, (left, right))
        raise scanner.fail("too long an expression")

    def _unary(self, *, lines: bool) -> Expression:
        scanner = self.scanner
        start = scanner.at
        char = scanner.peek()
        if char not in ("-", "!") or not char:
            return self._postfix(self._primary(), lines=lines)
        scanner.at += 1
        scanner.skip(lines=lines)
        scanner.down()
        operand = self._unary(lines=lines)
        scanner.up()
        return Operation(start, char, (operand,))

    def _postfix(self, value: Expression, *, lines: bool) -> Expression:
        scanner = self.scanner
        for _ in range(_MAX_CHAIN):
            mark = scanner.at
            scanner.skip(lines=lines)
            if scanner.peek(3) == "...":
                return value
            if scanner.take("["):
                value = self._index(value)
            elif scanner.take("."):
                scanner.skip(lines=lines)
                value = self._attribute(value, lines=lines)
            else:
                scanner.at = mark
                return value
        raise scanner.fail("too long a reference")

    def _index(self, value: Expression) -> Expression:
        scanner = self.scanner
        start = scanner.at
        scanner.skip(lines=True)
        if scanner.take("*"):
            scanner.skip(lines=True)
            scanner.expect("]", "[*] was expected")
            return Splat(start, value, self._postfix(Element(start), lines=False))
        key = self.expression(lines=True)
        scanner.skip(lines=True)
        scanner.expect("]", "an index has no ]")
        return Access(start, value, key, scanner.at, isinstance(key, Literal))

    def _attribute(self, value: Expression, *, lines: bool) -> Expression:
        scanner = self.scanner
        start = scanner.at
        if scanner.take("*"):
            each: Expression = Element(start)
            while scanner.peek() == "." and scanner.text[scanner.at + 1 : scanner.at + 2] != ".":
                scanner.at += 1
                each = self._attribute(each, lines=lines)
            return Splat(start, value, each)
        if scanner.peek().isdecimal() and scanner.peek().isascii():
            number = scanner.number()
            if isinstance(number, Decimal):  # a.0.1 looks like a fraction
                raise scanner.fail("write [0][1] for .0.1", start)
            return Access(start, value, Literal(start, number), scanner.at, literal=True)
        name = scanner.name()
        if not name:
            raise scanner.fail("after a dot a name was expected")
        return Access(start, value, Literal(start, name), scanner.at, literal=True)

    def _primary(self) -> Expression:
        scanner = self.scanner
        start, char = scanner.at, scanner.peek()
        if char == '"':
            return self.templates.quoted()
        if scanner.peek(2) == "<<":
            return self.templates.heredoc()
        if char.isdecimal() and char.isascii():
            return Literal(start, scanner.number())
        if char == "(":
            scanner.at += 1
            scanner.skip(lines=True)
            inside = self.expression(lines=True)
            scanner.skip(lines=True)
            scanner.expect(")", "a parenthesis has no end")
            # In parentheses a reference is filled in as any other value.
            return inside
        if char == "[":
            return self._list()
        if char == "{":
            return self._object()
        name = scanner.name()
        if not name:
            raise scanner.fail(
                f"a value was expected, not {char!r}" if char else "a value was expected"
            )
        if name in ("true", "false", "null"):
            return Literal(start, {"true": True, "false": False, "null": None}[name])
        if scanner.peek() == "(":
            return self._call(start, name)
        return Name(start, name)

    def _call(self, start: int, name: str) -> Expression:
        scanner = self.scanner
        scanner.at += 1
        arguments: list[Expression] = []
        expand = False
        while True:
            scanner.skip(lines=True)
            if scanner.take(")"):
                return Call(start, name, tuple(arguments), expand)
            arguments.append(self.expression(lines=True))
            scanner.skip(lines=True)
            expand = scanner.take("...")
            scanner.skip(lines=True)
            if not scanner.take(",") and scanner.peek() != ")":
                raise scanner.fail("between arguments a comma was expected")

    def _list(self) -> Expression:
        scanner = self.scanner
        start = scanner.at
        scanner.at += 1
        scanner.skip(lines=True)
        if scanner.keyword("for"):
            return self._for(start, "]")
        items: list[Expression] = []
        while True:
            scanner.skip(lines=True)
            if scanner.take("]"):
                return ListOf(start, tuple(items))
            items.append(self.expression(lines=True))
            scanner.skip(lines=True)
            if not scanner.take(",") and scanner.peek() != "]":
                raise scanner.fail("between items a comma was expected")

    def _object(self) -> Expression:
        scanner = self.scanner
        start = scanner.at
        scanner.at += 1
        scanner.skip(lines=True)
        if scanner.keyword("for"):
            return self._for(start, "}")
        items: list[tuple[Expression, Expression]] = []
        while True:
            scanner.skip(lines=True)
            if scanner.take("}"):
                return ObjectOf(start, tuple(items))
            at = scanner.at
            key = self.expression(lines=False)
            if isinstance(key, Name) and scanner.text[at] != "(":
                key = Literal(key.at, key.name)
            elif isinstance(key, Access) and scanner.text[at] != "(":
                raise scanner.fail("a key that is a reference stands in parentheses", at)
            scanner.skip(lines=False)
            if not (scanner.take("=") or scanner.take(":")):
                raise scanner.fail("after a key an = was expected")
            scanner.skip(lines=False)
            items.append((key, self.expression(lines=False)))
            scanner.skip(lines=False)
            if scanner.peek() != "}" and not scanner.take(",") and not scanner.end_of_line():
                raise scanner.fail("a newline or a comma was expected")

    def _for(self, start: int, end: str) -> Expression:
        scanner = self.scanner
        names = tuple(for_names(scanner))
        scanner.skip(lines=True)
        collection = self.expression(lines=True)
        scanner.skip(lines=True)
        scanner.expect(":", "`for` needs a `:`")
        scanner.skip(lines=True)
        value = self.expression(lines=True)
        scanner.skip(lines=True)
        key: Expression | None = None
        if end == "}":
            key = value
            scanner.expect("=>", "`for` in braces needs a `=>`")
            scanner.skip(lines=True)
            value = self.expression(lines=True)
            scanner.skip(lines=True)
        group = scanner.take("...")
        scanner.skip(lines=True)
        condition = None
        if scanner.keyword("if"):
            scanner.skip(lines=True)
            condition = self.expression(lines=True)
            scanner.skip(lines=True)
        scanner.expect(end, f"`for` has no {end}")
        return For(start, names, collection, key, value, condition, group)
