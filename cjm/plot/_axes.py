"""Round numbers and round times for the axes of pictures."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from cjm.plot._words import MONTHS

__all__ = ["count_ticks", "period_name", "tick_label", "time_ticks"]

_DAY = timedelta(days=1)
_MONDAY = datetime(1970, 1, 5)
_FIXED = (*(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 180, 360, 720)), *(n * _DAY for n in (1, 2, 7, 14)))
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)


def count_ticks(top: float, most: int) -> list[int]:
    """Return at most ``most`` round whole numbers above zero up to ``top``, evenly apart; at least one.

    Examples
    --------
    >>> count_ticks(950, 3), count_ticks(3, 3), count_ticks(0, 3)
    ([500], [1, 2, 3], [1])
    """
    step, size = 1, 1
    while top / step > most:
        step = next((factor * size for factor in (2, 5, 10) if factor * size > step), 10 * size)
        size *= 10 if step == 10 * size else 1
    return list(range(step, int(top) + 1, step)) or [1]


def tick_label(value: float, top: float) -> str:
    """Return a count of an axis; all counts of one axis are in one unit: ones, thousands or millions.

    Examples
    --------
    >>> tick_label(500, 900), tick_label(7500, 9000), tick_label(0, 9000)
    ('500', '7.5k', '0')
    """
    size, unit = next(((size, unit) for size, unit in ((1e6, "M"), (1e3, "k")) if top >= 5 * size), (1, ""))
    return f"{value / size:,.10g}{unit}" if value else "0"


def time_ticks(low: datetime, high: datetime, most: int, *, clock: bool = True) -> list[tuple[datetime, str]]:
    """Return at most ``most`` round times from ``low`` to ``high`` and their labels, all of one form.

    Without ``clock`` they are at least a day apart.

    Examples
    --------
    >>> [label for _, label in time_ticks(datetime(2025, 1, 6), datetime(2025, 6, 2), 6)]
    ['Feb 2025', 'Mar 2025', 'Apr 2025', 'May 2025', 'Jun 2025']
    """
    for step in _FIXED:
        if (clock or step >= _DAY) and high - low <= step * (most - 1):
            first = -(-(low - _MONDAY) // step)
            times = [_MONDAY + step * index for index in range(first, (high - _MONDAY) // step + 1)]
            return [(when, _day(when, clock=step < _DAY)) for when in times]
    start, end = low.year * 12 + low.month - 1, high.year * 12 + high.month - 1
    every = next((step for step in _MONTHS if end - start <= step * (most - 1)), _MONTHS[-1])
    begun = low > datetime(low.year, low.month, 1)
    firsts = [datetime(m // 12, m % 12 + 1, 1) for m in range(-(-(start + begun) // every) * every, end + 1, every)]
    return [(when, str(when.year) if every >= 12 else f"{MONTHS[when.month - 1][:3]} {when.year}") for when in firsts]


def _day(when: datetime, *, clock: bool) -> str:
    return f"{when.day} {MONTHS[when.month - 1][:3]}" + (f" {when:%H:%M}" if clock else "")


def period_name(starts: list[datetime]) -> str:
    """Name the distance of the periods that begin at these times; a single period is a period.

    Examples
    --------
    >>> period_name([datetime(2025, 1, 6), datetime(2025, 1, 13)]), period_name([datetime(2025, 1, 6)])
    ('week', 'period')
    >>> period_name([datetime(2025, month, 1) for month in (1, 2)])
    'month'
    """
    hour = timedelta(hours=1)
    least = min((later - earlier for earlier, later in pairwise(sorted(set(starts)))), default=1000 * _DAY)
    calendar = all(start.day == 1 for start in starts)  # 28 days are no month
    for name, low, high in (
        ("hour", hour, hour),
        ("day", _DAY - hour, _DAY + hour),
        ("week", 7 * _DAY - hour, 7 * _DAY + hour),
        ("month", 28 * _DAY, 31 * _DAY),
        ("quarter", 90 * _DAY, 92 * _DAY),
        ("year", 365 * _DAY, 366 * _DAY),
    ):
        if low <= least <= high and (calendar or high < 28 * _DAY):
            return name
    return "period"
