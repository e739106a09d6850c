"""Makes `reference.md` and `python.md` from the code: from its tables, traits and docstrings.

`make docs` runs it.  What is new in the code, a flag, a setting, a magic, a public name, is in the
pages by that alone; `tests/test_docs.py` says when they are not what the code says.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import enum
import functools
import importlib
import inspect
import io
import itertools
import pkgutil
import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from docstrings import Doc, code, lowered, prose, read, table

import nomad_magic
from nomad_magic import __main__ as commands
from nomad_magic import errors, record
from nomad_magic.line import flag_table
from nomad_magic.notebook.magics import NomadMagics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE: Final = Path(__file__).parent

MADE: Final = "<!-- Made from the code by docs/generate.py; `make docs` makes it anew. -->\n"

INSIDE: Final = frozenset(
    {
        *("bundle", "find", "gate", "give_up", "go", "hold", "hopeless", "interrupted", "journal"),
        *("labels", "leave_to_parent", "listen", "locate", "located", "logged", "long", "looker"),
        *("masker", "member", "pace", "rerunner", "run_here", "shown", "shown_lines", "sign"),
        *("start", "take", "take_time", "tone", "transcript", "unfinished", "wait_done"),
        "wind_down",
    }
)
"""What views and the background loop use of the public classes: it may change."""

OPERATORS: Final = {
    "__await__": "await {}",
    "__enter__": "with {}:",
    "__iter__": "for … in {}:",
    "__aiter__": "async for … in {}:",
    "__getitem__": "{}[…]",
}
"""How the methods are written that have no name of their own, in this order."""


# reference.md


def reference() -> str:
    """Return the page of magics, flags, variables, settings, commands and errors."""
    return "\n\n".join([MADE + "# Reference", _REFERENCE_HEAD, *_reference()]) + "\n"


def _reference() -> Iterator[str]:
    yield "## Magics"
    yield from _magics()
    yield "## Flags"
    yield _FLAGS_HEAD
    groups = (
        ("action", "The action", flag_table.FLAGS),
        ("fleet", "Many at once: `%nomad_action_all` alone", flag_table.FLEET_FLAGS),
        ("connection", "The connection", flag_table.FLAGS),
    )
    for group, title, flags in groups:
        yield f"### {title}"
        yield table(
            ("Flag", "Variable", "Default", "What it does"),
            (
                (
                    code(f"-{flag.name}=<{flag.value}>" if flag.value else f"-{flag.name}"),
                    code(flag.environment) if flag.environment else "",
                    prose(flag.default),
                    prose(flag.summary),
                )
                for flag in flags
                if flag.group == group
            ),
        )
    yield "### What `-help` prints"
    for name, function in vars(flag_table).items():
        if name.endswith("help_text") and callable(function):
            text = function()
            usage = text.partition("\n")[0].removeprefix("Usage: ")
            summary = usage.replace("<", "&lt;")
            yield f"<details><summary><code>{summary}</code></summary>"
            yield f"```text\n{text}\n```\n\n</details>"
    yield "## Variables without a flag"
    yield table(
        ("Variable", "What it does"),
        ((code(name), said) for name, said in flag_table.VARIABLES),
    )
    yield "## Settings"
    yield _SETTINGS_HEAD
    yield table(("Setting", "Default", "What it does"), _settings())
    yield "## Commands"
    yield from _commands()
    yield "## Errors"
    yield _ERRORS_HEAD
    yield table(("Error", "What it means", "`.exit_code`", "What to do"), _errors())


def _magics() -> Iterator[str]:
    kinds: dict[str, list[str]] = {}
    for kind, sign in (("line", "%"), ("cell", "%%")):
        for name in NomadMagics.magics[kind]:
            kinds.setdefault(name, []).append(f"`{sign}{name}`")
    for name in sorted(kinds):
        yield f"### {', '.join(kinds[name])}"
        yield from read(getattr(NomadMagics, NomadMagics.magics["line"][name])).text


def _settings() -> Iterator[tuple[str, str, str]]:
    for name, trait in NomadMagics.class_traits(config=True).items():
        if trait.this_class is not None and trait.this_class.__module__.startswith("nomad_magic"):
            yield code(name), code(repr(trait.default())), prose(trait.help)


def _commands() -> Iterator[str]:
    for name, parser in parsers().items():
        yield f"### `python -m nomad_magic {name}`"
        yield prose(parser.description or "")
        yield table(
            ("Option", "What it does"),
            (
                (_option(one), prose((one.help or "").replace("%(default)s", str(one.default))))
                for one in parser._actions  # noqa: SLF001 - there is no other way to them
                if one.help != argparse.SUPPRESS and one.dest != "help"
            ),
        )
        if parser.epilog:
            yield prose(parser.epilog)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command of `python -m nomad_magic`: what its `--help` prints."""
    with contextlib.redirect_stderr(io.StringIO()) as usage:
        commands.main(["--help"])
    seen: list[argparse.ArgumentParser] = []
    names = re.findall(r"^.*-m nomad_magic (\w+)", usage.getvalue(), re.MULTILINE)
    with mock.patch.object(argparse.ArgumentParser, "print_help", lambda one, *_: seen.append(one)):
        for name in names:
            with contextlib.suppress(SystemExit):
                commands.main([name, "--help"])
    return dict(zip(names, seen, strict=True))


def _option(one: argparse.Action) -> str:
    value = "" if one.nargs == 0 else str(one.metavar or one.dest.upper())
    return ", ".join(code(f"{flag} {value}".strip()) for flag in one.option_strings) or code(value)


def _errors() -> Iterator[tuple[str, str, str, str]]:
    drawn = re.findall(r"^[ │├└─]*([A-Z]\w+) {2,}", errors.__doc__ or "", re.MULTILINE)
    for name in drawn:
        kind = vars(errors)[name]
        doc = read(kind)
        attributes = doc.sections.get("Attributes", {})
        base = kind.__base__.__name__
        more = [f"`.{n}`: {text}" for n, text in attributes.items() if n != "exit_code"]
        if kind.__base__ not in (errors.NomadMagicError, Exception, KeyboardInterrupt):
            more.insert(0, f"Is {'an' if base[0] in 'AEIO' else 'a'} `{base}`.")
        own = attributes.get("exit_code") if kind is not errors.NomadMagicError else None
        yield code(name), " ".join([doc.first, *more]), own or str(kind.exit_code), _advice(kind)


def _advice(kind: type) -> str:
    """Return what to do about an error: as its own docstring says, else as the next above it."""
    return next(filter(None, (read(one).advice for one in kind.__mro__ if one.__doc__)), "")


# python.md


def python() -> str:
    """Return the page of the Python API."""
    return "\n\n".join([MADE + "# Python API", _PYTHON_HEAD, *_python()]) + "\n"


def _python() -> Iterator[str]:
    public = {name: getattr(nomad_magic, name) for name in nomad_magic.__all__}
    functions = {name: one for name, one in public.items() if not isinstance(one, type)}
    failures = {name: one for name, one in public.items() if _is_error(one)}
    classes = {n: one for n, one in public.items() if n not in functions and n not in failures}
    yield "## Functions"
    for name, function in functions.items():
        yield f"### `{name}`"
        yield _signature(function, f"nomad_magic.{name}")
        doc = read(function)
        yield from doc.text
        yield from _sections(doc)
    yield "## Classes"
    seen = set(classes)
    for name, kind in classes.items():
        yield f"### `{name}`"
        yield from _class(kind)
    yield "## What their attributes hold"
    yield _MORE_HEAD
    waiting = list(classes.values())
    while waiting:
        for kind in _named_by(waiting.pop(0)):
            if kind.__name__ not in seen:
                seen.add(kind.__name__)
                waiting.append(kind)
                yield f"### `{kind.__name__}`"
                yield from _class(kind)
    yield "## Errors"
    listed = ", ".join(f"`{name}`" for name in failures)
    yield f"{listed}: each is explained in the [reference](reference.md#errors)."


def _is_error(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseException)


def _signature(function: Callable[..., Any], name: str) -> str:
    """Return how a function is called, a parameter a line where that is long."""
    signature = inspect.signature(function)
    parts: list[str] = []
    before = None
    for one in signature.parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.KEYWORD_ONLY and before is not one.KEYWORD_ONLY:
            parts.append("*")
        before = one.kind
        default = "" if one.default is one.empty else f" = {one.default!r}"
        parts.append(f"{one.name}: {one.annotation}{default}")
    asked = "await " if inspect.iscoroutinefunction(inspect.unwrap(function)) else ""
    whole = f"{asked}{name}({', '.join(parts)}) -> {signature.return_annotation}"
    if len(whole) > 90:
        listed = "".join(f"    {part},\n" for part in parts)
        whole = f"{asked}{name}(\n{listed}) -> {signature.return_annotation}"
    return f"```text\n{whole}\n```"


def _sections(doc: Doc) -> Iterator[str]:
    for title, items in doc.sections.items():
        if title in ("Returns", "Yields"):
            yield f"{title}: {lowered(items[''])}"
        elif items:
            listed = "\n".join(f"- `{name}`: {text}" for name, text in items.items())
            yield f"{title}:\n\n{listed}"


def _class(kind: type) -> Iterator[str]:
    doc = read(kind)
    yield from doc.text
    if issubclass(kind, enum.Enum):
        below = _said_below(kind)
        members = [
            (code(f"{kind.__name__}.{one.name}"), code(repr(one.value)), below.get(one.name, ""))
            for one in kind
        ]
        yield table(("Member", "Value", "What it is"), members)
    rows = []
    example = kind() if kind is nomad_magic.Options else None
    for name, text in _attributes(kind).items():
        default = f" Default: `{getattr(example, name)!r}`." if example is not None else ""
        annotation = _annotation(kind, name)
        rows.append((code(name), code(annotation) if annotation else "", text + default))
    for name, one in _members(kind):
        if isinstance(one, property):
            annotation = inspect.signature(one.fget).return_annotation if one.fget else ""
            rows.append((code(name), code(str(annotation)), read(one).first))
    if rows:
        yield table(("Attribute", "Type", "What it is"), rows)
    for name, one in _members(kind):
        if inspect.isroutine(one):
            yield _method(kind, name, one)


def _attributes(kind: type) -> dict[str, str]:
    """Return what a class and those above it say of their attributes; of a plain record all."""
    found: dict[str, str] = {}
    for one in _own(kind):
        listed = read(one).sections.get("Attributes", {}) | _said_below(one)
        if not listed and is_dataclass(one):
            listed = dict.fromkeys(vars(one).get("__annotations__", {}), "")
        found |= {
            name: text
            for name, text in listed.items()
            if not (name in INSIDE or name.startswith("_") or text == "The same.")
        }
    return {} if issubclass(kind, enum.Enum) else found


def _said_below(kind: type) -> dict[str, str]:
    """Return what strings below its fields say of them."""
    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef), "it is the source of a class"
    said = {}
    for before, after in itertools.pairwise(body.body):
        match before, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                said[name] = prose(text)
    return said


def _annotation(kind: type, name: str) -> str:
    """Return the type of an attribute, as it is written; empty where it is written nowhere."""
    if name == "result":
        return f"{kind.__name__.replace('Session', 'Action')}Result"
    for one in kind.__mro__:
        if (said := vars(one).get("__annotations__", {}).get(name)) is not None:
            # A named tuple's are no words any more.
            return str(getattr(said, "__forward_arg__", said))
    for one in _own(kind):
        if name in (parameters := inspect.signature(one).parameters):
            return str(parameters[name].annotation)
    return {"error": "NomadMagicError | None"}.get(name, "")


def _members(kind: type) -> list[tuple[str, Any]]:
    """Return properties and methods, each once, in the order in which they are written."""
    found: dict[str, Any] = {}
    for one in _own(kind):
        for name, member in vars(one).items():
            if name not in OPERATORS and (name.startswith("_") or name in INSIDE):
                continue
            # What a block of it means is said at its end.
            said = vars(one)["__exit__"] if name == "__enter__" else member
            if (isinstance(said, property) or inspect.isroutine(said)) and inspect.getdoc(said):
                found[name] = said
    return list(found.items())


def _own(kind: type) -> list[type]:
    """Return a class and what it is made of, the root first, as far as it is ours."""
    return [one for one in reversed(kind.__mro__) if one.__module__.startswith("nomad_magic")]


def _method(kind: type, name: str, function: Callable[..., Any]) -> str:
    doc = read(function)
    one = kind.__name__.lower().replace("actionresult", "result").replace("fleetresult", "result")
    if name in OPERATORS:
        called = OPERATORS[name].format(one)
    else:
        whole = _signature(function, f".{name}").removeprefix("```text\n").removesuffix("\n```")
        called = " ".join(whole.split()).replace("( ", "(").replace(", )", ")")
        called = re.sub(r"-> R$", f"-> {_annotation(kind, 'result')}", called)
    parts = [f"- {code(called)}", *doc.text]
    for title, items in doc.sections.items():
        for item, text in items.items():
            if title in {"Args", "Raises"}:
                said = "raises " if title == "Raises" else ""
                parts.append(f"  - {said}`{item}`: {text}")
            else:
                parts.append(f"  - {title.lower()} {lowered(text)}")
    head = " ".join(parts[:1]) + (": " + " ".join(doc.text) if doc.text else "")
    return "\n".join([head, *parts[1 + len(doc.text) :]])


@functools.cache
def _records() -> dict[str, type]:
    """Return the classes of a record by their names."""
    return {
        name: one
        for module in pkgutil.iter_modules(record.__path__, f"{record.__name__}.")
        for name, one in vars(importlib.import_module(module.name)).items()
        if isinstance(one, type) and one.__module__ == module.name and not name.startswith("_")
    }


def _named_by(kind: type) -> Iterator[type]:
    """Go through the classes of a record that the attributes of another one are made of."""
    there = _records()
    said = [_annotation(kind, name) for name in _attributes(kind)]
    for name, one in _members(kind):
        function = one.fget if isinstance(one, property) else one
        if name not in OPERATORS and function is not None:
            said.append(str(inspect.signature(function).return_annotation))
    for name in re.findall(r"[A-Z]\w+", " ".join(said)):
        if name in there and name not in nomad_magic.__all__:
            yield there[name]


_REFERENCE_HEAD = """\
Everything that can be written in a line, set, or come back as an error. How it is used is in the \
[guide](guide.md); the Python API has [a page of its own](python.md)."""

_FLAGS_HEAD = """\
The flags are those of `nomad job action`, read by Go's rules: `-t` and `--t` are the same, a \
boolean's value comes after `=` (`-t=false`), what follows the action's name is no flag any more. \
The variables are the CLI's too; they are read at each run, and a flag wins over its variable.

Where someone can type (JupyterLab, IPython) and there is no cell body, `-t` is the default. With \
a body, and in a runner such as nbclient or papermill, it is not. `-alloc` is for one run alone."""

_SETTINGS_HEAD = """\
They are the notebook's own: `%config NomadMagics.timeout = 60` changes one, `%config NomadMagics` \
lists them. Times are in seconds. From Python those that concern a run are \
[`Options`](python.md#options)."""

_ERRORS_HEAD = """\
Every error begins with the CLI's own words where it has some. A hint may follow: what to write \
instead, the nearest job, group, task, action, namespace or region that there is, the right that \
the token lacks, what speaks at an address that is not an agent's. For a hint the agent may be \
asked for what there is, within three seconds. `.exit_code` is what `nomad job action` would have \
left with."""

_PYTHON_HEAD = """\
No IPython is loaded, so that the same action also runs in a script, a test or a service. What a \
line may have in it, and all errors, are in the [reference](reference.md).

```python
import nomad_magic

result = nomad_magic.run("-job=demo -group=store -task=db records")
print(result.exit_code, result.lines)
```

Public is what stands here; everything else may change. Types are written as type checkers read \
them."""

_MORE_HEAD = """\
They are values, and not made by hand."""


PAGES: Final = {"reference.md": reference, "python.md": python}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
