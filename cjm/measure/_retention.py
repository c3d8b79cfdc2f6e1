"""Cohorts: who comes back, and when."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._by import By, group_names, slices
from cjm.measure._common import summed
from cjm.measure._labels import hidden
from cjm.measure._rates import DIFFERENCE, check_level, check_mask, compared, interval, masked, share
from cjm.measure._tally import tallied
from cjm.periods import Periods, periods
from cjm.ragged import IntArray

__all__ = ["retention"]

_KINDS = ("classic", "rolling", "bracket")
_RESULT = ["cohort", "period", "until", "persons", "of", "rate", "low", "high"]


def retention(
    journeys: Journeys,
    *,
    every: str = "1w",
    time_zone: str = "UTC",
    kind: Literal["classic", "rolling", "bracket"] = "classic",
    brackets: Sequence[int] | None = None,
    first: str | None = None,
    returning: Sequence[str] | None = None,
    by: By | None = None,
    versus: object = None,
    level: float = 0.95,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Follow cohorts of persons from the period of their first event.

    A person belongs to the cohort of the calendar period that holds their first event. Three ways of saying that they
    are retained in period k, which is the k-th after it:

    ``classic``
        They have an event in period k. Each period counts by itself: a person may be absent in one and back in the
        next.
    ``rolling``
        They have an event in period k or in any later one. The rates of a cohort only fall. They are censored at the
        end of the data: who will be back only after it counts as lost, so the last periods look worse than they are.
    ``bracket``
        They have an event in at least one of several periods: see ``brackets``.

    Parameters
    ----------
    journeys : Journeys
    every : str
        Length of a period: a number and one of the units ``us ms s m h d w mo q y``. From ``d`` on these are calendar
        units of the zone; weeks begin on Mondays. Shorter ones are elapsed time from the start of each local day.
    time_zone : str
        Zone in which periods begin, such as ``"Europe/Warsaw"``.
    kind : {"classic", "rolling", "bracket"}
    brackets : list of int, optional
        For ``bracket``: ascending edges. ``[1, 3, 7, 30]`` are the brackets of the periods 1 to 2, 3 to 6 and 7 to 29.
    first : str, optional
        A touchpoint: its first occurrence takes the place of the first event. Persons without it are left out, and
        what they did before it does not count.
    returning : list of str, optional
        Only events of these touchpoints count as activity. By default all from the first event on do, itself included.
    by : str, Goal or list of Goal, optional
        A person belongs to the group of their first event (or of the occurrence of ``first``).
    versus : object, optional
        A group of ``by``: compare the rates of the others with its own.
    level : float
        Confidence level of the intervals, between 0 and 1.
    min_persons : int
        Hide the figures of rows about fewer persons, and those that tell of fewer who did not come back.

    Returns
    -------
    polars.DataFrame
        One row a cohort and period (or bracket): ``by`` if given, ``cohort`` Datetime[us, time_zone] (start of its
        period 0), ``period`` (or the first of the bracket), ``until`` (the last of the bracket; only with
        ``kind="bracket"``), ``persons`` who are retained, ``of`` (size of the cohort), ``rate`` and its Wilson interval
        ``low``, ``high``. Only periods and brackets that are over when the data end (``journeys.end``) are there, so a
        cohort that is still filling up is not; periods in which nobody came back are there, with 0. By group, cohort
        and period. With ``versus``: ``difference``, ``difference_low``, ``difference_high``.

    Raises
    ------
    ArgumentError
        For a period that cannot be read, an unknown time zone, touchpoint, ``by`` or ``versus``, or ``brackets`` that
        do not ascend, are missing, or come with another kind.

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
    check_level(level)
    check_mask(min_persons)
    calendar = periods(every, time_zone, journeys.start, journeys.end)
    edges = _edges(kind, brackets, len(calendar.starts))
    keys = group_names(by)
    counted = _counted(journeys, calendar, edges, kind == "rolling", first, returning, by)
    cohorts = _cohorts(counted, keys, calendar, edges, journeys.end)
    rows = (
        cohorts.explode("__bracket")
        .join(counted, on=[*keys, "__cohort", "__bracket"], how="left", nulls_equal=True)
        .with_columns(pl.col("persons").fill_null(0))
        .sort(*keys, "__cohort", "__bracket", nulls_last=True)
    )
    if kind == "rolling":  # all who are active at all, less those whose last period is an earlier one
        gone = pl.col("persons").cum_sum().over(*keys, "__cohort") - pl.col("persons")
        rows = rows.with_columns(persons=pl.col("__active") - gone)
    place = rows["__bracket"].to_numpy()
    rows = rows.with_columns(
        calendar.labels(rows["__cohort"].to_numpy()).alias("cohort"),
        *interval(rows, "persons", "of", level),
        share(rows["persons"], rows["of"]).alias("rate"),
        period=pl.Series(edges[place]),
        until=pl.Series(edges[place + 1] - 1),
    )
    cell = ["cohort", "period"]
    rows = compared(rows, by, versus, cell, "persons", "of", level)
    rows = hidden(rows, by, versus, min_persons, cell, ["persons"], ["persons", "rate", "low", "high"], "of")
    rows = masked(rows, min_persons, ["of"], ["of"])
    added = DIFFERENCE if versus is not None else []
    return rows.select(*keys, *(name for name in _RESULT if name != "until" or kind == "bracket"), *added)


def _edges(kind: str, brackets: Sequence[int] | None, periods: int) -> IntArray:
    """Return where brackets of periods begin, and where the last one ends; of single periods unless they are given."""
    if kind not in _KINDS:
        raise ArgumentError.unknown("value", str(kind), _KINDS, where="kind=")
    if (kind == "bracket") != (brackets is not None):
        raise ArgumentError.at(
            'go with kind="bracket", and it with them', where="brackets=", hint="Write [1, 3, 7, 30]"
        )
    if brackets is None:
        return np.arange(periods + 1, dtype=np.int64)
    whole = all(isinstance(edge, int) and not isinstance(edge, bool) and edge >= 0 for edge in brackets)
    if not whole or len(brackets) < 2 or any(low >= high for low, high in pairwise(brackets)):
        raise ArgumentError.at(
            f"must be two or more ascending whole numbers, not {brackets!r}",
            where="brackets=",
            hint="Write [1, 3, 7, 30] for the periods 1 to 2, 3 to 6 and 7 to 29",
        )
    return np.array(brackets, dtype=np.int64)


def _cohorts(counted: pl.DataFrame, keys: Sequence[str], calendar: Periods, edges: IntArray, end: int) -> pl.DataFrame:
    """Return each cohort with its size ``of``, those ``__active`` at all, and a list ``__bracket`` of what is over."""
    size = pl.col("persons").filter(pl.col("__bracket") < 0).sum()
    active = pl.col("persons").filter(pl.col("__bracket") >= 0).sum()
    cohorts = counted.group_by(*keys, "__cohort").agg(of=size, __active=active)
    # A period is over if the next one has begun at the first microsecond after the data.
    begun = int(np.searchsorted(calendar.starts, end + 1, side="right")) - 1
    over = np.searchsorted(edges[1:], begun - cohorts["__cohort"].to_numpy(), side="right")
    cohorts = cohorts.with_columns(__bracket=pl.int_ranges(pl.Series(over, dtype=pl.Int64), dtype=pl.Int64))
    return cohorts.filter(pl.col("__bracket").list.len() > 0)


def _counted(
    journeys: Journeys,
    calendar: Periods,
    edges: IntArray,
    only_last: bool,
    first: str | None,
    returning: Sequence[str] | None,
    by: By | None,
) -> pl.DataFrame:
    """Return ``by``, ``__cohort``, ``__bracket`` and ``persons``, in no order; bracket -1 is for the cohort itself."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_retention import retention_batch

    if isinstance(returning, str):
        raise ArgumentError.at(f"must be a list of touchpoints, not {returning!r}", where="returning=")
    begins = _flags(journeys, None if first is None else [first])
    counts = _flags(journeys, returning)
    width = len(edges)  # one more than there are brackets
    number = np.searchsorted(edges, np.arange(len(calendar.starts)), side="right") - 1
    bracket = np.where(number < width - 1, number, -1)
    parts = []
    for part in slices(journeys, by, [*_RESULT, *DIFFERENCE]):
        arrays, groups = part.journeys.arrays, part.groups
        fill = partial(
            retention_batch,
            as_array(arrays.offsets, np.int64),
            as_array(arrays.time, np.int64),
            as_array(arrays.code, np.int32),
            as_array(np.zeros(len(arrays.time)) if groups is None else groups.code, np.int32),
            as_array(calendar.starts, np.int64),
            as_array(begins, np.bool_),
            as_array(counts, np.bool_),
            as_array(bracket, np.int32),
            width - 1,
            only_last,
        )
        key, persons, _ = tallied(fill, len(arrays.person), width)
        cell, place = np.divmod(key, width)
        group, cohort = np.divmod(cell, len(calendar.starts))
        found = pl.DataFrame({"__cohort": cohort, "__bracket": place - 1, "persons": persons})
        parts.append(found if groups is None else found.with_columns(groups.named(group)))
    return summed(parts, [*group_names(by), "__cohort", "__bracket"])


def _flags(journeys: Journeys, touchpoints: Sequence[str] | None) -> npt.NDArray[np.bool_]:
    """Say of each code whether it is one of the touchpoints; None stands for all."""
    flags = np.full(journeys.touchpoints.height, touchpoints is None)
    if touchpoints is not None:
        flags[journeys.codes(touchpoints)] = True
    return flags
