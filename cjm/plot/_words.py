"""Values as people read them in pictures and on pages: names, numbers, shares, times."""

from __future__ import annotations

import math
import unicodedata
from datetime import date, datetime, timedelta
from typing import Any

__all__ = [
    "MONTHS",
    "NBSP",
    "NONE",
    "PER_CENT",
    "brief",
    "clean",
    "day",
    "duration",
    "fit",
    "known_as",
    "number",
    "percent",
    "plural",
    "short",
    "text_width",
]

NBSP = "\u00a0"
NONE = "–"
PER_CENT = f"{NBSP}%"
_VISIBLE = {"\n": "↵", "\r": "↵", "\t": " "}
_JOINERS = "\u200c\u200d"
_NO_CHARACTERS = "\ufffe\uffff"  # no text of XML may hold them


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
    return char in _JOINERS or (
        category[0] not in "CZ" or (category in ("Zs", "Cn", "Co") and char not in _NO_CHARACTERS)
    )


def short(text: Any, limit: int) -> str:
    """Return cleaned text of at most ``limit`` characters; what is cut is shown as an ellipsis.

    Examples
    --------
    >>> short("web:view_offer", 8)
    'web:vie…'
    """
    shown = clean(text)
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def known_as(name: Any) -> str:
    r"""Return a name from the data as it stands in a picture: cleaned, of bounded length, and never invisible.

    Examples
    --------
    >>> known_as("web:home"), known_as(""), known_as(" \u200d")
    ('web:home', '(blank)', '(blank)')
    """
    shown = short(str(name)[:200], 120)
    return shown if shown.strip(f" {NBSP}{_JOINERS}") else "(blank)"


def fit(text: str, room: float, size: float = 12.5) -> str:
    """Return cleaned text cut to about ``room`` pixels of the pictures' font, in letters of ``size``.

    The drawing library could cut by measure, but it may cut a letter outside the basic plane in two.

    Examples
    --------
    >>> fit("web:view_offer", 60), fit("illicit", 60)
    ('web:vie…', 'illicit')
    """
    room *= 12.5 / size
    widths = [_width(char) for char in text]
    if sum(widths) <= room:
        return text
    used, kept = 12.0, 0
    while used + widths[kept] <= room:
        used, kept = used + widths[kept], kept + 1
    return text[:kept].rstrip() + "…"


def text_width(text: str, size: float = 12.5) -> float:
    """Return about how wide a text is, in pixels, in letters of ``size``."""
    return sum(_width(char) for char in text) * size / 12.5


def _width(char: str) -> float:
    """Return about how wide a letter is, in pixels, at 12.5 pixels."""
    if unicodedata.east_asian_width(char) in "WF" or char in "W@":
        return 13.0
    if char in "iljtfrI.,:;'|!()[] \u00a0-":
        return 4.2
    return 10.6 if char in "mwM%→…↵\ufffd" else 8.8 if char.isupper() else 6.9


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
    value = round(100 * share, 9)  # 1 less the last bit of a float is 1
    if value in (0, 100):
        return f"{value:.0f}{NBSP}%"
    if abs(value) < 0.01:
        return f"{'' if value > 0 else '-'}<0.01{NBSP}%"
    # Nearly all is not all: 99.96 % must not be printed as 100 %.
    digits = 1 if 1 <= abs(value) < 99.95 or abs(value) > 100 else 2
    return f"{min(value, 99.99) if value < 100 else value:.{digits}f}{NBSP}%"


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


def brief(value: timedelta | None) -> str:
    """Return a duration in its largest unit, for where there is little room.

    Examples
    --------
    >>> brief(timedelta(minutes=2, seconds=11)), brief(timedelta(days=41, hours=3)), brief(timedelta(0))
    ('2.2 min', '41 days', '0 s')
    """
    if value is None:
        return NONE
    seconds = value.total_seconds()
    for name, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= length:
            amount = f"{seconds / length:.1f}" if abs(seconds) < 9.95 * length else f"{seconds / length:,.0f}"
            amount = amount.removesuffix(".0")
            return f"{amount} {'day' if name == 'days' and amount == '1' else name}"
    return f"{seconds:.3g} s"


def day(value: date | datetime | None, *, hour: bool = False) -> str:
    """Return a day, as ``3 March 2025``, with hours and minutes if asked."""
    if value is None:
        return NONE
    text = f"{value.day} {MONTHS[value.month - 1]} {value.year}"
    return f"{text} {value:%H:%M}" if hour and isinstance(value, datetime) else text


MONTHS = (
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


def plural(count: int, word: str, many: str | None = None) -> str:
    """Return ``1 person``, ``2 persons``."""
    return f"{number(count)} {word if count == 1 else many or word + 's'}"
