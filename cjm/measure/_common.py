"""What several measures share: groups, labels, rates and checks of arguments."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.ragged import IntArray, offsets_of_sorted
from cjm.statistics import wilson

__all__ = ["END", "OTHER", "START", "check_count", "event_values", "interval", "path_offsets", "share"]

# A touchpoint holds a ":", so none of these can be one.
START, END, OTHER = "(start)", "(end)", "(other)"

_CODED = ("channel", "event", "touchpoint")
_PLAIN = ("person", "time", "session")


def event_values(journeys: Journeys, name: str, result: Iterable[str]) -> pl.Series:
    """Return the column ``name`` of ``journeys.frame``, one value an event.

    Raises
    ------
    ArgumentError
        If there is no such column, or if it bears the name of a column of the ``result``.
    """
    options = [*_PLAIN, *_CODED, *journeys.attributes.columns]
    if name not in options:
        raise ArgumentError.unknown("column", name, options, where="by=")
    if name in result:
        raise ArgumentError.at(
            f"the result has a column {name!r} of its own", where="by=", hint="Give the attribute another name"
        )
    if name in _CODED:
        return journeys.touchpoints[name].gather(pl.Series(journeys.arrays.code))
    if name in _PLAIN:
        return journeys.frame.select(name).collect().to_series()
    return journeys.attributes[name]


def share(numerator: pl.Series, denominator: pl.Series | int) -> pl.Series:
    """Divide whole numbers; null for 0 / 0 and where one is null.

    NumPy, because Polars divides by a single number through its reciprocal: 3 / 5 becomes 0.6000000000000001.
    """
    bottom = denominator if isinstance(denominator, int) else denominator.to_numpy()
    with np.errstate(invalid="ignore"):
        return pl.Series(numerator.to_numpy() / bottom, dtype=pl.Float64, nan_to_null=True)


def interval(frame: pl.DataFrame, numerator: str, denominator: str, level: float = 0.95) -> list[pl.Series]:
    """Return the Wilson bounds ``low`` and ``high``, null where there is nothing to divide by."""
    bounds = wilson(frame[numerator].to_numpy(), frame[denominator].to_numpy(), level)
    return [pl.Series(name, bound, nan_to_null=True) for name, bound in zip(("low", "high"), bounds, strict=True)]


def path_offsets(journeys: Journeys, by: str) -> IntArray:
    """Return where the path of each person, or of each session, begins; the number of events comes last."""
    if by not in ("person", "session"):
        raise ArgumentError.unknown("value", by, ("person", "session"), where="by=")
    return journeys.arrays.offsets if by == "person" else offsets_of_sorted(journeys.arrays.session)


def check_count(name: str, value: int) -> None:
    """Raise unless ``value`` is a whole number above zero."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArgumentError.at(f"must be a whole number above zero, not {value!r}", where=f"{name}=")
