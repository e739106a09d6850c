"""Many names said in a few: `cache.redis[0-196,199]`, as ClusterShell folds them.  Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NUMBERED: Final = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


def folded(names: Iterable[str], *, most: int | None = None) -> str:
    """Return names with those that differ in their last number alone said at once.

    Args:
        names: Each once, in any order.
        most: How many folded names are listed; the rest is counted.  None lists all.

    >>> folded(["cache.redis[0]", "cache.redis[2]", "cache.redis[1]", "cache.web[7]"])
    'cache.redis[0-2], cache.web[7]'
    >>> folded(["node-09", "node-10", "edge"])
    'edge, node-[09-10]'
    """
    plain: list[str] = []
    numbered: dict[tuple[str, str, int], list[int]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match is None:
            plain.append(name)
            continue
        before, digits, after = match.groups()
        # Numbers with zeros before them are another row: 09 is not 9.
        width = len(digits) if digits.startswith("0") and len(digits) > 1 else 0
        numbered.setdefault((before, after, width), []).append(int(digits))
    _join_widths(numbered)
    rows = [
        ((before, after), _row(before, after, width, sorted(numbers)), len(numbers))
        for (before, after, width), numbers in numbered.items()
    ]
    rows += [((name, ""), name, 1) for name in plain]
    rows.sort()
    shown = rows if most is None else rows[:most]
    words = ", ".join(text for _, text, _ in shown)
    left = sum(count for _, _, count in rows[len(shown) :])
    return f"{words} and {left} more" if left else words


def _join_widths(numbered: dict[tuple[str, str, int], list[int]]) -> None:
    """Join `01` to `99` with `10`, which has no zero before it but the same width."""
    for before, after, width in [key for key in numbered if key[2]]:
        plain = numbered.get((before, after, 0), [])
        same = [number for number in plain if len(str(number)) == width]
        if same:
            numbered[before, after, width] += same
            rest = [number for number in plain if len(str(number)) != width]
            if rest:
                numbered[before, after, 0] = rest
            else:
                del numbered[before, after, 0]


def _row(before: str, after: str, width: int, numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"{before}{numbers[0]:0{width}d}{after}"
    ranges = ",".join(_ranges(numbers, width))
    if before.endswith("[") and after.startswith("]"):
        return f"{before}{ranges}{after}"
    return f"{before}[{ranges}]{after}"


def _ranges(numbers: Sequence[int], width: int) -> Iterable[str]:
    """Go through `0-196`, `199`, of numbers in their order."""
    start = last = numbers[0]
    for number in [*numbers[1:], None]:
        if number is not None and number in (last, last + 1):
            last = number
            continue
        first = f"{start:0{width}d}"
        yield first if start == last else f"{first}-{last:0{width}d}"
        if number is not None:
            start = last = number
