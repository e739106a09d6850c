"""How durations, sizes and times are said, everywhere in the same way.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

_UNITS: Final = ("kB", "MB", "GB", "TB")


def seconds(duration: float) -> str:
    """Return a duration given in seconds, in words: `0.12 s`, `4.1 s`, `2 min 5 s`, `1 h 2 min`."""
    if duration < 1:
        return f"{duration:.2f} s"
    if duration < 59.95:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Return a number of bytes in words: exactly, and in a unit too when it is large."""
    if count < 10_000:
        return f"{count} byte{'' if count == 1 else 's'}"
    power = min(len(str(count)) // 3 - (len(str(count)) % 3 == 0), len(_UNITS))
    return f"{count:,} bytes ({count / 1000**power:.1f} {_UNITS[power - 1]})"


def instant(time: datetime) -> str:
    """Return a time in words, to the millisecond and with its zone."""
    return time.isoformat(sep=" ", timespec="milliseconds")


def left_out(count: int) -> str:
    """The notice that stands for the middle of a long output, `count` in bytes."""
    return f"[… {size(count)} left out here; the result's .stdout and .save(path) have all of it …]"
