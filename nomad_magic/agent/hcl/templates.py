"""Templates: text in quotes and in heredocs, with what is to be filled in."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

from nomad_magic.agent.hcl.nodes import (
    Directive,
    Expression,
    ForPart,
    HclError,
    IfPart,
    Literal,
    Part,
    Template,
)
from nomad_magic.agent.hcl.scanner import Scanner, normal

if TYPE_CHECKING:
    from collections.abc import Callable

Token = str | Part | Directive

_PLAIN_QUOTED: Final = re.compile(r'[^"\\\n$%]+')
_PLAIN_HEREDOC: Final = re.compile(r"[^\n$%]+")


class Templates:
    """Reads templates; what stands in their braces is read by whoever made it."""

    def __init__(self, scanner: Scanner, expression: Callable[[], Expression]) -> None:
        self._scanner = scanner
        self._expression = expression

    def quoted(self) -> Expression:
        """Take a string in quotes."""
        scanner = self._scanner
        start = scanner.at
        scanner.at += 1
        tokens: list[Token] = []
        while not scanner.take('"'):
            if scanner.peek() in ("", "\n"):
                raise scanner.fail("a string has no end on its line", start)
            if scanner.peek() == "\\":
                tokens.append(scanner.escape())
            else:
                tokens.append(self._piece(_PLAIN_QUOTED))
        return _template(start, _joined(tokens))

    def whole_text(self) -> Expression:
        """Take all of the text as one template, as HCL's JSON has them."""
        scanner = self._scanner
        tokens: list[Token] = []
        while scanner.at < len(scanner.text):
            tokens.append("\n" if scanner.take("\n") else self._piece(_PLAIN_HEREDOC))
        return _template(0, _joined(tokens))

    def heredoc(self) -> Expression:
        """Take `<<MARKER` or `<<-MARKER` and its lines, up to the end of the line before last."""
        scanner = self._scanner
        start = scanner.at
        scanner.at += 2
        indented = scanner.take("-")
        marker = scanner.name()
        if not marker or not (scanner.take("\n") or scanner.take("\r\n")):
            raise scanner.fail("a heredoc's marker is a name that ends its line", start)
        lines: list[list[Token]] = [[]]
        while True:
            # A line whose beginning was filled in is never the end.
            end = scanner.text.find("\n", scanner.at)
            if not lines[-1]:
                if end < 0:
                    raise scanner.fail(f"a heredoc has no end: {marker} alone on a line", start)
                if scanner.text[scanner.at : end].strip() == marker:
                    scanner.at = end - (scanner.text[end - 1] == "\r")
                    break
            elif end < 0:
                raise scanner.fail(f"a heredoc has no end: {marker} alone on a line", start)
            while not scanner.take("\n"):
                if scanner.at >= len(scanner.text):
                    raise scanner.fail(f"a heredoc has no end: {marker} alone on a line", start)
                lines[-1].append(self._piece(_PLAIN_HEREDOC))
            lines[-1].append("\n")
            lines.append([])
        tokens = [token for line in lines for token in _joined(line)]
        return _template(start, tokens, indented=indented)

    def _piece(self, plain: re.Pattern[str]) -> Token:
        """Take some plain text, a doubled sign, or one `${…}` or `%{…}`."""
        scanner = self._scanner
        match = plain.match(scanner.text, scanner.at)
        if match is not None:
            scanner.at = match.end()
            return match[0]
        if scanner.peek(3) in ("$${", "%%{"):
            scanner.at += 3
            return scanner.text[scanner.at - 2 : scanner.at]
        if scanner.peek(2) == "${":
            return self._part()
        if scanner.peek(2) == "%{":
            return self._directive()
        scanner.at += 1
        return scanner.text[scanner.at - 1]

    def _part(self) -> Part:
        scanner = self._scanner
        scanner.at += 2
        before = scanner.take("~")
        scanner.down()
        scanner.skip(lines=True)
        expression = self._expression()
        scanner.skip(lines=True)
        scanner.up()
        return Part(expression, before, self._close())

    def _directive(self) -> Directive:
        scanner = self._scanner
        start = scanner.at
        scanner.at += 2
        before = scanner.take("~")
        scanner.skip(lines=True)
        keyword = scanner.name()
        names: list[str] = []
        expression: Expression | None = None
        scanner.down()
        if keyword == "for":
            names = for_names(scanner)
        elif keyword not in ("if", "else", "endif", "endfor"):
            raise scanner.fail(f"%{{ {keyword} }} is not a directive", start)
        if keyword in ("if", "for"):
            scanner.skip(lines=True)
            expression = self._expression()
        scanner.skip(lines=True)
        scanner.up()
        return Directive(start, keyword, tuple(names), expression, before, self._close())

    def _close(self) -> bool:
        trim = self._scanner.take("~")
        self._scanner.expect(
            "}", "a closing brace was expected; a literal ${ is written $${, and %{ is written %%{"
        )
        return trim


def for_names(scanner: Scanner) -> list[str]:
    """Take the one or two names after `for`, and `in`."""
    names: list[str] = []
    while True:
        scanner.skip(lines=True)
        names.append(scanner.name())
        scanner.skip(lines=True)
        if not names[-1] or len(names) > 2:
            raise scanner.fail("`for` needs one name or two")
        if not scanner.take(","):
            break
    if not scanner.keyword("in"):
        raise scanner.fail("`for` needs `in`")
    return names


def _without_indent(tokens: list[Token]) -> list[Token]:
    """Take away what all lines begin with in blanks; an empty line does not count."""
    widths: dict[int, int] = {}
    common: int | None = None
    at_start = True
    for number, token in enumerate(tokens):
        if at_start:
            width: int | None = 0
            if isinstance(token, str):
                rest = token.lstrip()
                width = len(token) - len(rest)
                if not rest and token.endswith("\n"):
                    width = None
                else:
                    widths[number] = width
            if width is not None:
                common = width if common is None else min(common, width)
        at_start = isinstance(token, str) and token.endswith("\n")
    return [
        token[common:] if isinstance(token, str) and number in widths else token
        for number, token in enumerate(tokens)
    ]


def _template(start: int, tokens: list[Token], *, indented: bool = False) -> Expression:
    """Return the template that lines make, or the text where there is nothing to fill in."""
    tokens = _trimmed(tokens)
    if indented:
        tokens = _without_indent(tokens)
    if all(isinstance(token, str) for token in tokens):
        return Literal(start, normal("".join(map(str, tokens))))
    return Template(start, _parts(deque(_joined(tokens)), ()).parts)


def _trimmed(tokens: list[Token]) -> list[Token]:
    """Do what `~` asks for: trim the text before and after, on its own line."""
    result: list[Token] = []
    trim = False
    for token in tokens:
        if isinstance(token, str):
            result.append(token.lstrip() if trim else token)
            trim = False
            continue
        if token.trim_before and result and isinstance(result[-1], str):
            result[-1] = _trimmed_end(result[-1])
        result.append(token)
        trim = token.trim_after
    return result


def _trimmed_end(text: str) -> str:
    """Trim the end of some text; what follows a $ or % at once belongs to it, as measured."""
    kept = at = 0
    while at < len(text):
        pair = text[at] in "$%" and text[at + 1 : at + 2] not in ("", "\n")
        at += 2 if pair else 1
        kept = at if pair else kept
    return text[: max(kept, len(text.rstrip()))]


def _joined(tokens: list[Token]) -> list[Token]:
    result: list[Token] = []
    run: list[str] = []
    for token in tokens:
        if isinstance(token, str):
            run.append(token)
            continue
        if run:
            result.append("".join(run))
            run = []
        result.append(token)
    return [*result, "".join(run)] if run else result


def _parts(tokens: deque[Token], ends: tuple[str, ...]) -> Template:
    """Take the parts up to a directive that ends them, which is left."""
    parts: list[str | Part | IfPart | ForPart] = []
    while tokens:
        token = tokens[0]
        if isinstance(token, Directive) and token.keyword in ends:
            break
        tokens.popleft()
        if not isinstance(token, Directive):
            parts.append(token)
        elif token.keyword == "if" and token.expression is not None:
            then = _parts(tokens, ("else", "endif"))
            otherwise = Template(0, ())
            if _take(tokens, "else"):
                otherwise = _parts(tokens, ("endif",))
            if not _take(tokens, "endif"):
                raise HclError(token.at, "%{ if } has no %{ endif }")
            parts.append(IfPart(token.expression, then, otherwise))
        elif token.keyword == "for" and token.expression is not None:
            body = _parts(tokens, ("endfor",))
            if not _take(tokens, "endfor"):
                raise HclError(token.at, "%{ for } has no %{ endfor }")
            parts.append(ForPart(token.names, token.expression, body))
        else:
            raise HclError(token.at, "a template directive where none is expected")
    return Template(0, tuple(parts))


def _take(tokens: deque[Token], keyword: str) -> bool:
    """Take a directive if it comes next."""
    if tokens and isinstance(tokens[0], Directive) and tokens[0].keyword == keyword:
        tokens.popleft()
        return True
    return False
