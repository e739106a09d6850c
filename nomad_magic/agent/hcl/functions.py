"""Those of HCL's functions whose results are the same everywhere and always.

What they do was held against `nomad job run -output` of Nomad 2.0.6.  The others are refused by
name: those that read files, the clock or random numbers, and those that nobody has missed yet.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent.hcl.scanner import decimal_of, normal, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_TEXT: Final = 4_000_000
"""How many characters an evaluated text may have."""

_DIRECTIVE: Final = re.compile(r"%(-?)(0?)(\d*)([sdvq%])")
_NUMBER: Final = re.compile(
    r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,2})?"
)
_RANGE_ITEMS: Final = 10_000
_MAX_ITEMS: Final = 100_000


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


def joined(pieces: Iterable[str]) -> str:
    """Return pieces as one text.

    Raises:
        ValueError: It would be too long; then it is not made.
    """
    found: list[str] = []
    size = 0
    for piece in pieces:
        found.append(piece)
        size += len(piece)
        if size > MAX_TEXT:
            raise ValueError(f"it makes a text of more than {MAX_TEXT // 1_000_000} MB")
    return "".join(found)


def _collected(values: Iterable[Any]) -> list[Any]:
    """Return values as a list, which is not made when it would be too long."""
    found = list(itertools.islice(values, _MAX_ITEMS + 1))
    if len(found) > _MAX_ITEMS:
        raise ValueError(f"it makes a list of more than {_MAX_ITEMS:,} elements")
    return found


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
    result = joined(_pieces(words, one))
    if left:
        raise ValueError("format has too many values")
    return result


def _pieces(words: str, filled: Callable[[re.Match[str]], str]) -> Iterable[str]:
    """The directives of a format filled in, and what stands between them."""
    at = 0
    for match in _DIRECTIVE.finditer(words):
        yield words[at : match.start()]
        yield filled(match)
        at = match.end()
    yield words[at:]


def _replace(where: Any, old: Any, new: Any) -> str:
    words, wanted, instead = text(where), text(old), text(new)
    if len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"):
        raise ValueError("replace with a regular expression is not done here")
    if len(words) + words.count(wanted) * len(instead) > MAX_TEXT:
        raise ValueError("replace makes too long a text")
    return words.replace(wanted, instead)


def _join(by: Any, *lists: Any) -> str:
    if not lists:
        raise ValueError("join needs a list")
    between, each = text(by), (text(one) for some in lists for one in items(some))
    return joined(piece for one in each for piece in (between, one))[len(between) :]


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
    if len(found) > _RANGE_ITEMS:
        raise ValueError(f"range makes more than {_RANGE_ITEMS} numbers")
    return list(found)


def _reverse(value: Any) -> str:
    words = text(value)
    if not words.isascii():
        raise ValueError("reverse is not done here for text like this")
    return words[::-1]


def _merge(*maps: Any) -> dict[str, Any]:
    return {key: value for one in maps if one is not None for key, value in mapping(one).items()}


def _distinct(values: Any) -> list[Any]:
    found: dict[Any, Any] = {}
    for value in items(values):
        found.setdefault(_key(value), value)
    return list(found.values())


def _key(value: Any) -> Any:
    """What two values have in common when they are the same."""
    if isinstance(value, dict):
        return dict, frozenset((name, _key(one)) for name, one in value.items())
    if isinstance(value, list):
        return list, tuple(map(_key, value))
    return isinstance(value, bool), value


def _flat(values: Any) -> Iterable[Any]:
    for value in items(values):
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _split(by: Any, where: Any) -> list[str]:
    return text(where).split(text(by)) if text(by) else list(text(where))


_JSON: Final = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, sort_keys=True, default=float
)


def _to_json(value: Any) -> str:
    # Bit by bit: a value of a few lines may hold another one many thousand times.
    said = joined(_JSON.iterencode(value))
    for char in "<>&\u2028\u2029":  # as Go escapes them
        said = said.replace(char, f"\\u{ord(char):04x}")
    return said


def _from_json(words: Any) -> Any:
    try:
        return json.loads(text(words), parse_float=decimal_of)
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
    "concat": lambda *lists: _collected(one for some in lists for one in items(some)),
    "contains": lambda where, value: value in items(where),
    "distinct": _distinct,
    "element": _element,
    "flatten": lambda values: _collected(_flat(values)),
    "floor": lambda value: int(Decimal(number(value)).to_integral_value(ROUND_FLOOR)),
    "format": _format,
    "join": _join,
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


def weight(value: Any) -> int:
    """Return what a value costs: a step for each element, or for a hundred characters."""
    if isinstance(value, list | dict):
        return len(value)
    return len(value) // 100 if isinstance(value, str) else 0
