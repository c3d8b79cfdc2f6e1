"""Durations: text such as ``"30m"`` or ``timedelta`` in, whole microseconds inside."""

from __future__ import annotations

import re
from datetime import timedelta

from cjm.errors import ArgumentError

__all__ = ["DAY_US", "Duration", "format_duration", "to_us"]

_FORMS = "a text such as '30m', '7d', '1h30m' or a datetime.timedelta"
Duration = str | timedelta

DAY_US = 86_400_000_000
_UNITS = {
    "w": 7 * DAY_US,
    "d": DAY_US,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_PART = re.compile(r"(\d+)(ms|us|w|d|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def to_us(value: Duration, name: str = "duration") -> int:
    """Return a duration in whole microseconds of elapsed time (``1d`` is 24 h).

    Parameters
    ----------
    value : str or datetime.timedelta
        Text of numbers with units ``w d h m s ms us`` (as in Polars, without calendar units), or a timedelta.
    name : str
        What the duration is for; used in the message.

    Raises
    ------
    ArgumentError
        For a bare number, a calendar unit (``mo``, ``q``, ``y``), unreadable text or a negative duration.

    Examples
    --------
    >>> to_us("1h30m")
    5400000000
    """
    if isinstance(value, timedelta):
        us = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
        if us < 0:
            raise ArgumentError.at(f"{name} is negative: {value}", hint="Give a duration of zero or more")
        return us
    if not isinstance(value, str):
        raise ArgumentError.at(
            f"{name} must be {_FORMS}, not {value!r}", hint=f'A bare number has no unit: write "{value}s" or "{value}d"'
        )
    text = value.strip()
    if not _WHOLE.fullmatch(text):
        raise ArgumentError.at(
            f"{name} cannot be read: {value!r}",
            hint=f"Write {_FORMS}; months and years have no fixed length",
        )
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def format_duration(us: int) -> str:
    """Return the shortest text that :func:`to_us` reads back to ``us``.

    Examples
    --------
    >>> format_duration(5_400_000_000)
    '1h30m'
    >>> format_duration(0)
    '0s'
    """
    if us == 0:
        return "0s"
    parts = []
    rest = us
    for unit, size in _UNITS.items():
        if unit == "w":
            continue  # two weeks and a day read better as fifteen days
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
