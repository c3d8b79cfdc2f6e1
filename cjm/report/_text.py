"""Values as people read them: numbers, shares, times, names and the words of a pattern."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

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

NBSP = "\u00a0"
NONE = "–"
PER_CENT = f"{NBSP}%"
INTERVAL = f"95{PER_CENT} interval "
_VISIBLE = {"\n": "↵", "\r": "↵", "\t": " "}
_JOINERS = "\u200c\u200d"
_ARROW = re.compile(r'("(?:[^"\\]|\\.)*")|\s*->\s*(not\s+)?|\s*=>\s*')


def clean(text: Any) -> str:
    r"""Return text from the data without characters that act on the page instead of showing.

    Line ends become ``↵``; other control, direction and invisible characters become ``�`` (letters of any script stay).

    Examples
    --------
    >>> clean("a\nb\u202ec")
    'a↵b�c'
    """
    return "".join(
        _VISIBLE.get(char) or (char if _shows(char) else "\ufffd") for char in str(text).replace("\r\n", "\n")
    )


def _shows(char: str) -> bool:
    category = unicodedata.category(char)
    return char in _JOINERS or category[0] not in "CZ" or category in ("Zs", "Cn", "Co")


def short(text: Any, limit: int) -> str:
    """Return cleaned text of at most ``limit`` characters; what is cut is shown as an ellipsis.

    Examples
    --------
    >>> short("web:view_offer", 8)
    'web:vie…'
    """
    shown = clean(text)
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def fit(text: str, room: float) -> str:
    """Return cleaned text cut to about ``room`` pixels of the pictures' font.

    The drawing library could cut by measure, but it may cut a letter outside the basic plane in two.

    Examples
    --------
    >>> fit("web:view_offer", 60), fit("illicit", 60)
    ('web:vie…', 'illicit')
    """
    widths = [_width(char) for char in text]
    if sum(widths) <= room:
        return text
    used, kept = 12.0, 0
    while used + widths[kept] <= room:
        used, kept = used + widths[kept], kept + 1
    return text[:kept].rstrip() + "…"


def _width(char: str) -> float:
    """Return about how wide a letter is, in pixels, at 12.5 pixels."""
    if unicodedata.east_asian_width(char) in "WF":
        return 13.0
    if char in "iljtfrI.,:;'|!()[] -":
        return 4.2
    return 10.6 if char in "mwMW@%→…" else 8.8 if char.isupper() else 6.9


def number(value: float | None) -> str:
    """Return a count or a measure: ``1,234``, ``12.3``, ``0.045``.

    Examples
    --------
    >>> number(1234567), number(12.345), number(0.04521), number(None)
    ('1,234,567', '12.3', '0.0452', '–')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def percent(share: float | None) -> str:
    r"""Return a share as a percentage.

    Examples
    --------
    >>> percent(0.1234), percent(0.00012), percent(1)
    ('12.3\xa0%', '0.01\xa0%', '100\xa0%')
    """
    if share is None or math.isnan(share):
        return NONE
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f}{NBSP}%"
    if abs(value) < 0.01:
        return f"{'' if value > 0 else '-'}<0.01{NBSP}%"
    # Nearly all is not all: 99.96 % must not be printed as 100 %.
    digits = 1 if 1 <= abs(value) < 99.95 or abs(value) > 100 else 2
    return f"{min(value, 99.99) if value < 100 else value:.{digits}f}{NBSP}%"


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


def duration(value: timedelta | float | None) -> str:
    """Return a duration in its two largest units; a number means days.

    Examples
    --------
    >>> from datetime import timedelta
    >>> duration(timedelta(days=2, hours=4, minutes=31)), duration(timedelta(seconds=95)), duration(0.5)
    ('2 days 4 h', '1 min 35 s', '12 h')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NONE
    span = value if isinstance(value, timedelta) else timedelta(days=value)
    seconds = round(abs(span.total_seconds()))
    if seconds == 0:
        return "0 s" if not span else "under 1 s"
    parts = []
    for name, length in (("day", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        parts.append((count, f"{count:,} {name}{'s' if name == 'day' and count != 1 else ''}"))
    first = next(index for index, (count, _) in enumerate(parts) if count)
    text = " ".join(text for count, text in parts[first : first + 2] if count)
    return f"-{text}" if span < timedelta(0) else text


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


def day(value: date | datetime | None, *, hour: bool = False) -> str:
    """Return a day, as ``3 March 2025``, with hours and minutes if asked."""
    if value is None:
        return NONE
    text = f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
    return f"{text} {value:%H:%M}" if hour and isinstance(value, datetime) else text


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


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


def plural(count: int, word: str, many: str | None = None) -> str:
    """Return ``1 person``, ``2 persons``."""
    return f"{number(count)} {word if count == 1 else many or word + 's'}"


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
    if 0 < count < hide_below or not of:
        return f"{persons(count, hide_below)} of {number(of)} {who}"
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
