"""Rates with their parts and intervals, differences between groups, and small groups hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.measure._by import By, group_names
from cjm.statistics import newcombe, wilson

__all__ = ["DIFFERENCE", "check_level", "check_mask", "compared", "interval", "masked", "share"]

DIFFERENCE = ["difference", "difference_low", "difference_high"]


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


def compared(
    frame: pl.DataFrame,
    by: By | None,
    versus: object,
    keys: Sequence[str],
    numerator: str,
    denominator: str,
    level: float = 0.95,
) -> pl.DataFrame:
    """Add ``difference``, ``difference_low`` and ``difference_high``: each rate less that of the group ``versus``.

    Rows are compared where ``keys`` are equal; null in the group ``versus`` itself and where there is no such row.
    The interval is Newcombe's and takes the groups as independent. Without ``versus`` nothing is added.

    Raises
    ------
    ArgumentError
        For ``versus`` without ``by``, or a group that there is not.
    """
    if versus is None:
        return frame
    if by is None:
        raise ArgumentError.at("says which group to compare with, but there is no by=", where="versus=")
    (name,) = group_names(by)
    groups = frame[name].unique().sort().to_list()
    if versus not in groups:
        raise ArgumentError.unknown("group", str(versus), [str(group) for group in groups], where="versus=")
    reference = frame.filter(pl.col(name) == versus).select(
        *keys, pl.col(numerator).alias("__successes"), pl.col(denominator).alias("__trials")
    )
    both = frame.join(reference, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    hits, trials, other_hits, other_trials = (
        both[part].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for part in (numerator, denominator, "__successes", "__trials")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = hits / trials - other_hits / other_trials
    found = [difference, *newcombe(hits, trials, other_hits, other_trials, level)]
    other = pl.col(name).ne_missing(versus)
    return frame.with_columns(
        pl.Series(column, values, nan_to_null=True) for column, values in zip(DIFFERENCE, found, strict=True)
    ).with_columns(pl.when(other).then(pl.col(DIFFERENCE)))


def masked(
    frame: pl.DataFrame, min_persons: int, counts: Sequence[str], figures: Sequence[str], of: str | None = None
) -> pl.DataFrame:
    """Hide the ``figures`` of rows that speak of fewer than ``min_persons`` persons: they become null.

    A row is hidden where one of its ``counts`` of persons, or with ``of`` what is left of that total, is above 0 and
    below ``min_persons``; a row with nobody says nothing about anybody and stays.
    """
    if min_persons <= 1:
        return frame
    parts = [pl.col(name) for name in counts]
    if of is not None:
        parts += [pl.col(of), *(pl.col(of) - pl.col(name) for name in counts)]
    small = pl.any_horizontal(part.is_between(1, min_persons - 1) for part in parts)
    return frame.with_columns(pl.when(~small.fill_null(False)).then(pl.col(list(figures))))


def check_mask(min_persons: int) -> None:
    """Raise ArgumentError unless ``min_persons`` is a whole number of zero or more."""
    if not isinstance(min_persons, int) or isinstance(min_persons, bool) or min_persons < 0:
        raise ArgumentError.at(f"must be a whole number, zero or more, not {min_persons!r}", where="min_persons=")


def check_level(level: float) -> None:
    """Raise ArgumentError unless ``level`` can be the confidence level of an interval."""
    if not 0 < level < 1:
        raise ArgumentError.at(f"must lie between 0 and 1, not {level!r}", where="level=", hint="Write 0.95")
