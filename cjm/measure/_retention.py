"""Cohorts: who comes back, and when."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._common import event_values, interval, share

__all__ = ["retention"]

_RESULT = ["cohort", "period", "persons", "of", "rate", "low", "high"]
_MONDAY = 4 * DAY_US  # 1970-01-05, so that weeks begin on Mondays


def retention(journeys: Journeys, *, every: Duration = "1w", by: str | None = None) -> pl.DataFrame:
    """Follow cohorts of persons from the period of their first event.

    Time is cut into periods of equal length, counted from Monday 1970-01-05 00:00 UTC: ``"1w"`` begins on Mondays,
    ``"1d"`` at midnight UTC. A person belongs to the cohort of the period that holds their first event, and is
    retained in period k if they have an event in the k-th period after it. Each period counts by itself: a person
    may be absent in one and back in the next.

    Parameters
    ----------
    journeys : Journeys
    every : duration
        Length of a period, elapsed time.
    by : str, optional
        A column of ``journeys.frame``. A person belongs to the group of their first event.

    Returns
    -------
    polars.DataFrame
        One row a cohort and period: ``by`` if given, ``cohort`` (start of its first period), ``period`` (0 is the
        first), ``persons`` with an event in it, ``of`` (size of the cohort), ``rate``, and its Wilson interval
        ``low``, ``high``. Only periods that are over when the data end (``journeys.end``) are there, so a cohort
        that is still filling up is not; periods in which nobody came back are there, with 0.

    Raises
    ------
    ArgumentError
        For a duration of zero or without unit, or an unknown ``by``.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": [f"2026-01-0{day}T10:00Z" for day in (1, 2, 1, 4)],
    ...                       "what": ["home", "cart", "home", "home"], "who": ["a", "a", "b", "c"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.retention(journeys, every="1d").select("period", "persons", "of", "rate").rows()
    [(0, 2, 2, 1.0), (1, 1, 2, 0.5), (2, 0, 2, 0.0)]
    """
    length = to_us(every, "every")
    if length == 0:
        raise ArgumentError.at("must be longer than zero", where="every=", hint='Write "1w"')
    arrays = journeys.arrays
    keys = [by] if by else []
    index = (arrays.time - _MONDAY) // length
    first = arrays.offsets[:-1]
    people = pl.DataFrame({"__cohort": index[first]})
    if by:
        people = people.with_columns(event_values(journeys, by, _RESULT).gather(pl.Series(first)).alias(by))

    person = arrays.person_row
    new = np.ones(len(index), dtype=bool)
    new[1:] = (index[1:] != index[:-1]) | (person[1:] != person[:-1])
    active = people[person[new]].with_columns(period=pl.Series(index[new]) - pl.col("__cohort"))
    counted = active.group_by(*keys, "__cohort", "period").agg(persons=pl.len().cast(pl.Int64))

    over = (journeys.end + 1 - _MONDAY) // length - pl.col("__cohort")  # the last microsecond is part of the data
    rows = (
        people.group_by(*keys, "__cohort")
        .agg(of=pl.len().cast(pl.Int64))
        .filter(over > 0)
        .with_columns(period=pl.int_ranges(over))
        .explode("period")
        .join(counted, on=[*keys, "__cohort", "period"], how="left", nulls_equal=True)
        .with_columns(
            pl.col("persons").fill_null(0),
            cohort=(pl.col("__cohort") * length + _MONDAY).cast(pl.Datetime("us")).cast(TIME),
        )
    )
    return (
        rows.with_columns(interval(rows, "persons", "of"))
        .with_columns(rate=share(rows["persons"], rows["of"]))
        .sort(*keys, "cohort", "period", nulls_last=True)
        .select(*keys, *_RESULT)
    )
