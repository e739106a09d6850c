"""Those of HCL's functions whose results are the same everywhere and always.

What they do was held against `nomad job run -output` of Nomad 2.0.6.  The others are refused by
name: those that read files, the clock or random numbers, and those that nobody has missed yet.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent.hcl.scanner import normal, whole

if TYPE_CHECKING:
    from collections.abc import Callable

_DIRECTIVE: Final = re.compile(r"%(-?)(0?)(\d*)([sdvq%])")
_NUMBER: Final = re.compile(
    r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,2})?"
)
_MAX_ITEMS: Final = 10_000


def text(value: Any) -> str:
    """Return a string, number or boolean as text.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, int | str):
        return str(value)
    raise ValueError(f"{kind(value)} cannot be text")


def number(value: Any) -> int | Decimal:
    """Return a number, or the number that a string spells.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return whole(Decimal(value))
    raise ValueError(f"a number is needed, not {kind(value)}")


def boolean(value: Any) -> bool:
    """Return a boolean, or the one that a string spells.

    Raises:
        ValueError: It is something else.
    """
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in words:
        return words[value]
    raise ValueError(f"true or false is needed, not {kind(value)}")


def items(value: Any) -> list[Any]:
    """Return a list.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, list):
        return value
    raise ValueError(f"a list is needed, not {kind(value)}")


def mapping(value: Any) -> dict[str, Any]:
    """Return a map.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, dict):
        return value
    raise ValueError(f"a map is needed, not {kind(value)}")


def kind(value: Any) -> str:
    """Return what a value is, with its article."""
    kinds = {bool: "a boolean", str: "text", list: "a list", dict: "a map", type(None): "null"}
    return kinds.get(type(value), "a number")


def _index(value: Any) -> int:
    found = number(value)
    if not isinstance(found, int):
        raise ValueError("a whole number is needed")  # noqa: TRY004 - it is the value that is wrong
    return found


def _format(pattern: Any, *values: Any) -> str:
    left = list(values)

    def one(match: re.Match[str]) -> str:
        minus, zero, width, verb = match.groups()
        if verb == "%":
            return "%"
        if not left:
            raise ValueError("format has too few values")
        value = left.pop(0)
        if verb == "d":
            said = str(_index(value))
            sign, digits = ("-", said[1:]) if said.startswith("-") else ("", said)
            said = sign + (
                digits.zfill(int(width or 0) - len(sign)) if zero and not minus else digits
            )
        elif verb == "q":
            said = json.dumps(text(value), ensure_ascii=False)
        else:
            said = text(value)
        return said.ljust(int(width or 0)) if minus else said.rjust(int(width or 0))

    words = text(pattern)
    if "%" in _DIRECTIVE.sub("", words) or re.search(r"%[-0-9]*\d{4}", words):
        raise ValueError("format does %s, %d, %v, %q and %% here")
    result = _DIRECTIVE.sub(one, words)
    if left:
        raise ValueError("format has too many values")
    return result


def _replace(where: Any, old: Any, new: Any) -> str:
    if len(text(old)) > 1 and text(old).startswith("/") and text(old).endswith("/"):
        raise ValueError("replace with a regular expression is not done here")
    return text(where).replace(text(old), text(new))


def _lookup(where: Any, key: Any, *default: Any) -> Any:
    found = mapping(where)
    if text(key) not in found and not default:
        raise ValueError(f"lookup found no {text(key)!r}")
    return found.get(text(key), *default)


def _coalesce(*values: Any) -> Any:
    for value in values:
        if value is not None:
            return value
    raise ValueError("coalesce found no value")


def _element(where: Any, at: Any) -> Any:
    found = items(where)
    if not found or _index(at) < 0:
        raise ValueError("element found nothing there")
    return found[_index(at) % len(found)]


def _range(*bounds: Any) -> list[Any]:
    if not 1 <= len(bounds) <= 3:
        raise ValueError("range needs one to three numbers")
    start, end = (0, _index(bounds[0])) if len(bounds) == 1 else map(_index, bounds[:2])
    step = _index(bounds[2]) if len(bounds) > 2 else (1 if start <= end else -1)
    if not step:
        raise ValueError("range cannot go in steps of 0")
    found = range(start, end, step)
    if len(found) > _MAX_ITEMS:
        raise ValueError(f"range makes more than {_MAX_ITEMS} numbers")
    return list(found)


def _reverse(value: Any) -> str:
    words = text(value)
    if not words.isascii():
        raise ValueError("reverse is not done here for text like this")
    return words[::-1]


def _merge(*maps: Any) -> dict[str, Any]:
    return {key: value for one in maps if one is not None for key, value in mapping(one).items()}


def _distinct(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in items(values):
        if value not in found:
            found.append(value)
    return found


def _flatten(values: Any) -> list[Any]:
    return [
        inner
        for value in items(values)
        for inner in (_flatten(value) if isinstance(value, list) else [value])
    ]


def _split(by: Any, where: Any) -> list[str]:
    return text(where).split(text(by)) if text(by) else list(text(where))


def _to_json(value: Any) -> str:
    def plain(inner: Any) -> Any:
        if isinstance(inner, Decimal):
            return float(inner)
        if isinstance(inner, dict):
            return {key: plain(inner[key]) for key in sorted(inner)}
        return [plain(one) for one in inner] if isinstance(inner, list) else inner

    said = json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)
    for char in "<>&\u2028\u2029":  # as Go escapes them
        said = said.replace(char, f"\\u{ord(char):04x}")
    return said


def _from_json(words: Any) -> Any:
    try:
        return json.loads(text(words), parse_float=Decimal)
    except RecursionError as error:
        raise ValueError("jsondecode: nested too deep") from error


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": lambda value: abs(number(value)),
    "base64decode": lambda value: base64.b64decode(text(value), validate=True).decode(),
    "base64encode": lambda value: base64.b64encode(text(value).encode()).decode(),
    "ceil": lambda value: int(Decimal(number(value)).to_integral_value(ROUND_CEILING)),
    "chomp": lambda value: text(value).rstrip("\r\n"),
    "coalesce": _coalesce,
    "compact": lambda values: [one for one in items(values) if one not in ("", None)],
    "concat": lambda *lists: [one for some in lists for one in items(some)],
    "contains": lambda where, value: value in items(where),
    "distinct": _distinct,
    "element": _element,
    "flatten": _flatten,
    "floor": lambda value: int(Decimal(number(value)).to_integral_value(ROUND_FLOOR)),
    "format": _format,
    "join": lambda by, first, *more: text(by).join(
        text(one) for some in (first, *more) for one in items(some)
    ),
    "jsondecode": _from_json,
    "jsonencode": _to_json,
    "keys": lambda value: sorted(mapping(value)),
    "length": lambda value: len(items(value)),
    "lookup": _lookup,
    "lower": lambda value: text(value).lower(),
    "max": lambda *values: max(map(number, values)),
    "md5": lambda value: hashlib.md5(text(value).encode(), usedforsecurity=False).hexdigest(),
    "merge": _merge,
    "min": lambda *values: min(map(number, values)),
    "range": _range,
    "replace": _replace,
    "reverse": _reverse,
    "sha1": lambda value: hashlib.sha1(text(value).encode(), usedforsecurity=False).hexdigest(),
    "sha256": lambda value: hashlib.sha256(text(value).encode()).hexdigest(),
    "split": _split,
    "strlen": lambda value: len(text(value)),
    "trim": lambda value, chars: text(value).strip(text(chars)),
    "trimprefix": lambda value, prefix: text(value).removeprefix(text(prefix)),
    "trimspace": lambda value: text(value).strip(),
    "trimsuffix": lambda value, suffix: text(value).removesuffix(text(suffix)),
    "upper": lambda value: text(value).upper(),
    "values": lambda value: [mapping(value)[key] for key in sorted(mapping(value))],
}


def call(name: str, arguments: list[Any]) -> Any:
    """Call one of HCL's functions.

    Raises:
        ValueError: There is none here of that name, or it cannot do that; the words say why.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise ValueError(f"the embedded agent has no function {name}()")
    try:
        result = function(*arguments)
    except TypeError as error:  # too many or too few arguments
        raise ValueError(f"{name}() with these arguments") from error
    except RecursionError as error:
        raise ValueError(f"{name}(): nested too deep") from error
    return normal(result) if isinstance(result, str) else result
