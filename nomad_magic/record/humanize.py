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


def moment(time: datetime) -> str:
    """Return a time in words, to the second and with its zone: `2026-11-23 17:16:12 CET`."""
    return f"{time:%Y-%m-%d %H:%M:%S} {_zone(time)}".rstrip()


def stretch(start: datetime, end: datetime) -> str:
    """Return from when to when, with the day only where there are two: `07:42:03-07:42:11 UTC`."""
    if start.date() != end.date():
        return f"{moment(start)} to {moment(end)}"
    return f"{start:%H:%M:%S}\N{EN DASH}{end:%H:%M:%S} {_zone(end)}".rstrip()


def short_size(count: int) -> str:
    """Return a number of bytes in a unit: `512 bytes`, `12.3 MB`."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    power, rest = 1, count / 1000
    while rest >= 999.95 and power < len(_UNITS):
        power, rest = power + 1, rest / 1000
    return f"{rest:.1f} {_UNITS[power - 1]}"


def _zone(time: datetime) -> str:
    name = time.tzname() or ""
    return f"{time:%z}" if name.startswith(("UTC+", "UTC-")) else name


def left_out(count: int) -> str:
    """The notice that stands for the middle of a long output, `count` in bytes."""
    return f"[… {size(count)} left out here; the result's .stdout and .save(path) have all of it …]"
