"""Values as people read them: numbers, shares, times, names and the words of a pattern."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from cjm.plot._words import NBSP, NONE, PER_CENT, clean, day, duration, fit, number, percent, plural, short

__all__ = [
    "INTERVAL",
    "NBSP",
    "NONE",
    "PER_CENT",
    "bounds",
    "capital",
    "clean",
    "data_start",
    "day",
    "duration",
    "fit",
    "interval",
    "not_before",
    "number",
    "p_compared",
    "p_value",
    "part",
    "path",
    "pattern_words",
    "percent",
    "persons",
    "plural",
    "ratio",
    "ratio_digits",
    "ratio_interval",
    "roughly",
    "short",
    "size",
    "thing",
    "time_of",
    "words",
]

INTERVAL = f"95{PER_CENT} interval "
_ARROW = re.compile(r'("(?:[^"\\]|\\.)*")|\s*->\s*(not\s+)?|\s*=>\s*')


def interval(low: float | None, high: float | None) -> str:
    r"""Return a 95 % interval of a share in words, or nothing if a bound is missing.

    Examples
    --------
    >>> interval(0.25, 0.34)
    '95\xa0% interval 25.0 to 34.0\xa0%'
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"{INTERVAL}{percent(low).removesuffix(PER_CENT)} to {percent(high)}"


def bounds(low: float | None, high: float | None) -> str:
    """Return a 95 % interval of a share for a column that says what it is."""
    return interval(low, high).removeprefix(INTERVAL) or NONE


def ratio(value: float | None, digits: int | None = None) -> str:
    """Return a ratio with as many digits as it deserves.

    Examples
    --------
    >>> ratio(2.912), ratio(1.0432), ratio(0.4567), ratio(23.4)
    ('2.9', '1.04', '0.46', '23')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value) or abs(value) >= 1000:
        return number(value)
    digits = _digits(value) if digits is None else digits
    return f"{value:.{digits}f}" if abs(value) >= 0.5 * 10**-digits or value == 0 else f"{value:.1g}"


def _digits(value: float) -> int:
    return 0 if abs(value) >= 10 else 1 if abs(value) >= 2 else 2


def ratio_interval(low: float | None, high: float | None, digits: int | None = None) -> str:
    """Return ``2.5 to 3.4``; both ends with the same digits, so that neither looks more exact."""
    if low is None or high is None:
        return NONE
    digits = _digits(low) if digits is None else digits
    return f"{ratio(low, digits)} to {ratio(high, digits)}"


def ratio_digits(low: float | None) -> int:
    """Return the digits that an interval starting at ``low`` and its estimate should be printed with."""
    return 2 if low is None or math.isnan(low) else max(1, _digits(low))


def p_value(value: float | None) -> str:
    """Return a p or q value: ``0.034`` or ``<0.001``."""
    if value is None or math.isnan(value):
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def p_compared(value: float) -> str:
    """Return a p value for a sentence.

    Examples
    --------
    >>> p_compared(0.034), p_compared(1e-9)
    ('p = 0.034', 'p < 0.001')
    """
    said = p_value(value)
    return f"p {said.replace('<', '< ')}" if said.startswith("<") else f"p = {said}"


def roughly(value: timedelta) -> str:
    """Return a duration for a sentence: whole days where there are some.

    Examples
    --------
    >>> from datetime import timedelta
    >>> roughly(timedelta(days=41, hours=3)), roughly(timedelta(hours=30))
    ('41 days', '1 day 6 h')
    """
    return duration(round(value / timedelta(days=1))) if value >= timedelta(days=3) else duration(value)


def time_of(value: Any) -> date | datetime | None:
    """Return a time that may be given as text, or nothing where it is none."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, date) else None


def data_start(run: Mapping[str, Any]) -> date | None:
    """Return the day on which the data of a run begin, if the run says so."""
    start = time_of((run.get("period") or {}).get("start"))
    return start.date() if isinstance(start, datetime) else start


def not_before(value: Any, start: date | None) -> Any:
    """Return the beginning of a week, month or group; the day the data begin where that is later.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> not_before(datetime(2024, 12, 30), date(2025, 1, 1)), not_before(datetime(2025, 1, 6), date(2025, 1, 1))
    (datetime.date(2025, 1, 1), datetime.datetime(2025, 1, 6, 0, 0))
    """
    given = value.date() if isinstance(value, datetime) else value
    return start if start is not None and isinstance(given, date) and given < start else value


def size(value: float | None) -> str:
    """Return a number of bytes, as ``12.3 MB``."""
    if value is None:
        return NONE
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{number(round(value, 1))} {unit}"
        value /= 1000
    return f"{number(round(value, 1))} TB"


def capital(text: str) -> str:
    """Return the text with its first letter large."""
    return text[:1].upper() + text[1:]


def words(name: Any) -> str:
    """Return a name in ``snake_case`` as words; a touchpoint stays as it is.

    Examples
    --------
    >>> words("bounce_rate"), words("web:view_offer")
    ('Bounce rate', 'web:view_offer')
    """
    shown = short(name, 60)
    return shown if ":" in shown else capital(shown.replace("_", " "))


def persons(count: int | None, hide_below: int) -> str:
    """Return a group's size, or only that it is small.

    Examples
    --------
    >>> persons(1234, 10), persons(3, 10), persons(0, 10)
    ('1,234', 'fewer than 10', '0')
    """
    return number(count) if not count or count >= hide_below else f"fewer than {hide_below}"


def part(count: int, of: int, who: str, hide_below: int) -> str:
    r"""Return a share with its numerator and denominator.

    Examples
    --------
    >>> part(25, 100, "persons", 10), part(3, 100, "persons", 10)
    ('25.0\xa0% of persons (25 of 100)', 'fewer than 10 of 100 persons')
    """
    if 0 < count < hide_below or of < hide_below:
        return f"{persons(count, hide_below)} of {persons(of, hide_below)} {who}"
    return f"{percent(count / of)} of {who} ({number(count)} of {number(of)})"


def path(steps: Sequence[str], limit: int = 160) -> str:
    """Return touchpoints in order, with arrows."""
    return short(" → ".join(clean(step) for step in steps), limit)


def pattern_words(text: Any, limit: int = 160) -> str:
    """Return the text of a pattern as words.

    Examples
    --------
    >>> pattern_words("web:view_offer -> store:visit within 3d -> not store:renew within 1d")
    'web:view_offer then store:visit within 3d and then not store:renew within 1d'
    """

    def word(found: re.Match[str]) -> str:
        if found[1]:
            return found[1]
        return " and then not " if found[2] else " then next " if "=>" in found[0] else " then "

    return short(_ARROW.sub(word, clean(text)), limit)


def thing(value: Any, limit: int = 160) -> str:
    """Return any value of a cell: names cleaned and shortened, numbers and times as people read them."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, (date, datetime)):
        return day(value, hour=True)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return path([str(step) for step in value], limit)
    return short(value, limit)
