"""What a magic was called with: its line, split and expanded, and the cell's body."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nomad_magic.line import shellwords
from nomad_magic.notebook.kernel import host

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@dataclass(frozen=True, slots=True)
class Typed:
    """What a magic was called with.

    Attributes:
        argv: The words of its line, expanded.
        body: The cell's body, where it has one.
        background: The line asks for the background.
        literal: The line is as it stands in the cell: nothing in it was expanded.
    """

    argv: list[str]
    body: bytes | None
    background: bool
    literal: bool


def read(shell: InteractiveShell, line: str, cell: str | None) -> Typed:
    """Read a magic's line, with the values of the cell's own names in it, and the cell's body.

    Args:
        shell: The cell's.
        line: The words after the magic's name.
        cell: The lines below it, where it is a cell magic's.

    Raises:
        LineError: It does not split into words.
    """
    local = host.callers_names()
    body = cell
    if cell is not None:
        line, body = shellwords.join_continuation(line, cell)
    expanded = False

    def variables(name: str) -> object:
        nonlocal expanded
        expanded = True
        for names in (local, shell.user_ns, os.environ):
            if name in names:
                return names[name]
        raise KeyError(name)

    def evaluate(expression: str) -> object:
        nonlocal expanded
        expanded = True
        # The user's own code in the user's own kernel, as in any cell.
        tree = ast.parse(expression.strip(), "<nomad_action>", "eval")
        code = compile(tree, "<nomad_action>", "eval")
        return eval(code, shell.user_global_ns, {**shell.user_ns, **local})  # noqa: S307 - see above

    split = shellwords.split(line, variables=variables, evaluate=evaluate)
    data = body.encode("utf-8", "surrogateescape") if body is not None else None
    literal = not expanded and host.look(shell).kernel and host.stands_in_cell(shell, line)
    return Typed(list(split.words), data, split.background, literal)
