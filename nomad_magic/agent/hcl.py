"""Job files in HCL: from what python-hcl2 reads to plain values.

The library leaves a string as it stands in the file: with its quotes, its escapes, its heredoc
marks and its `${…}`.  That is right for the task's own variables, which are for Nomad to fill
in later.  An expression that is not a literal comes as `${…}` without quotes; those need a full
HCL evaluator, so they are refused.

The rules are those of HCL's native syntax specification
(https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md).
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent import files
from nomad_magic.errors import AgentError

if TYPE_CHECKING:
    from pathlib import Path

_ESCAPE: Final = re.compile(
    r'\\(?:([nrt"\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([$%])\4\{', re.DOTALL
)
_SIMPLE: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_HEREDOC: Final = re.compile(r"<<(-?)([^\s]+)[ \t]*\r?\n(.*)\Z", re.DOTALL)
_INTERPOLATION: Final = re.compile(r"(?<!\$)\$\{([^}]*)\}")
_DIRECTIVE: Final = re.compile(r"(?<!%)%\{")
# What Nomad itself fills in when it starts the task, or leaves as it is: a name with its path.
_RUNTIME_NAME: Final = re.compile(r"""\s*[\w-]+(?:\.[\w-]+|\[\s*"[^"]*"\s*\])*\s*\Z""")
_EVALUATED: Final = re.compile(r"\s*(?:var|local|path)\b")


def read(path: Path) -> dict[str, Any]:
    """Read an HCL file into dicts, lists, strings, numbers, booleans and None.

    A block is a dict in a list; a labelled one is a dict from the label to its body.

    Raises:
        AgentError: It cannot be read, is not HCL, or holds an expression.
    """
    try:
        import hcl2  # noqa: PLC0415 - builds a grammar for seconds; JSON job files need none
    except ImportError as error:
        raise AgentError(
            "reading an HCL job file needs the python-hcl2 package",
            hint='pip install "nomad-magic[agent]"',
        ) from error
    text = files.read(path)
    try:
        document = hcl2.loads(text if text.endswith("\n") else text + "\n")
    except Exception as error:
        # The parser's own exceptions are lark's; their first line says where.
        where = str(error).strip().partition("\n")[0]
        raise AgentError(f"{path}: not HCL that can be read: {where}") from error
    plain = _plain(document, str(path))
    if not isinstance(plain, dict):
        raise AgentError(f"{path}: not a job file")
    return plain


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {
            (unquote(key, where) if key.startswith('"') else key): _plain(
                item, f"{where}: {key.strip(chr(34))}"
            )
            for key, item in value.items()
            if key not in ("__is_block__", "__comments__", "__inline_comments__")
        }
    if isinstance(value, list):
        return [_plain(item, where) for item in value]
    if isinstance(value, str):
        return unquote(value, where)
    return value


def unquote(raw: str, where: str) -> str:
    """Return the string that a quoted HCL string or heredoc stands for.

    Args:
        raw: As python-hcl2 gives it, with its quotes.
        where: Opens the error's words.

    Raises:
        AgentError: It is an expression, or holds one that Nomad evaluates when it reads the file.
    """
    if len(raw) < 2 or not (raw[0] == raw[-1] == '"'):
        raise AgentError(
            f"{where}: the embedded agent does not evaluate HCL expressions: {raw}",
            hint="write the value itself, or convert the file: nomad job run -output FILE",
        )
    body = raw[1:-1]
    heredoc = _HEREDOC.match(body)
    if heredoc is not None:
        _refuse_evaluated(body, where)
        return _heredoc(heredoc)
    _refuse_evaluated(body, where)
    return _ESCAPE.sub(_unescape, body)


def _heredoc(match: re.Match[str]) -> str:
    indented, marker, rest = match.groups()
    lines = rest.split("\n")
    if lines and lines[-1].strip() == marker:
        lines.pop()
    text = "".join(line + "\n" for line in lines)
    if indented:
        text = textwrap.dedent(text)
    return re.sub(r"([$%])\1\{", r"\1{", text)


def _unescape(match: re.Match[str]) -> str:
    simple, short, long, sign = match.groups()
    if simple is not None:
        return _SIMPLE[simple]
    if sign is not None:
        return f"{sign}{{"
    return chr(int(short or long, 16))


def _refuse_evaluated(body: str, where: str) -> None:
    found = [
        inside
        for inside in _INTERPOLATION.findall(body)
        if _EVALUATED.match(inside) or not _RUNTIME_NAME.match(inside.replace('\\"', '"'))
    ]
    if found or _DIRECTIVE.search(body):
        shown = f"${{{found[0]}}}" if found else "%{…}"
        raise AgentError(
            f"{where}: the embedded agent does not evaluate HCL templates: {shown}",
            hint="write $${…} for a literal ${…}, or convert the file: nomad job run -output FILE",
        )
