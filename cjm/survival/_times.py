"""Times of events and of silences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.journeys import Journeys

__all__ = ["first_events", "returns", "signs_of_life", "silences", "touchpoint_times"]


def signs_of_life(journeys: Journeys, activity: Sequence[str]) -> Journeys:
    """Return the journeys with only the events that end a silence: those that ``activity`` names, all if it is empty.

    Raises
    ------
    ArgumentError
        For a touchpoint or channel that does not occur.
    """
    if not activity:
        return journeys
    from cjm.matching import touchpoints_of

    names = [name for selector in activity for name in touchpoints_of(journeys, selector)]
    return journeys.filter(pl.col("touchpoint").is_in(names))


def silences(journeys: Journeys, gap: int, end: int) -> pl.DataFrame:
    """Return ``person``, ``time`` (microseconds) of the events up to ``end`` with a silence longer than ``gap`` after.

    ``returned`` says whether the person came back by ``end``, ``again`` when (microseconds). A silence that is not over
    counts once it was observed to last longer than ``gap``.
    """
    parts = []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        row = arrays.person_row
        known = arrays.time <= end
        time, row = arrays.time[known], row[known]
        follows = np.zeros(len(time), dtype=bool)
        follows[:-1] = row[1:] == row[:-1]
        until = np.full(len(time), end + 1, dtype=np.int64)
        until[:-1][follows[:-1]] = time[1:][follows[:-1]]
        silent = until - time > gap
        columns = {"person": arrays.person[row[silent]], "time": time[silent], "returned": follows[silent]}
        parts.append(pl.DataFrame({**columns, "again": until[silent]}))
    return pl.concat(parts).with_columns(pl.when("returned").then("again").alias("again"))


def touchpoint_times(journeys: Journeys, touchpoints: Sequence[str]) -> pl.DataFrame:
    """Return ``person``, ``time`` of the first of ``touchpoints`` for each person who has one."""
    codes = journeys.codes(touchpoints)
    parts = []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        hit = np.flatnonzero(np.isin(arrays.code, codes))
        person, place = np.unique(arrays.person[arrays.person_row[hit]], return_index=True)
        parts.append(pl.DataFrame({"person": person, "time": pl.Series(arrays.time[hit][place], dtype=pl.Int64)}))
    return pl.concat(parts).with_columns(pl.col("time").cast(TIME))


def first_events(journeys: Journeys) -> pl.DataFrame:
    """Return ``person``, ``time`` (microseconds) of the first event of each person."""
    parts = (bucket.arrays for bucket in journeys.buckets())  # not a list, which would hold all events
    return pl.concat(pl.DataFrame({"person": part.person, "time": part.time[part.offsets[:-1]]}) for part in parts)


def returns(journeys: Journeys, touchpoints: Sequence[str], entry: pl.DataFrame) -> pl.DataFrame:
    """Return where persons left after ``entry``, and when they were back.

    Parameters
    ----------
    touchpoints : sequence of str
        What counts as leaving; any other event at a later instant is a return.
    entry : polars.DataFrame
        ``person``, ``__entry`` (microseconds).

    Returns
    -------
    polars.DataFrame
        ``person``, ``time`` (left), ``again`` (back; null if not), microseconds; sorted by both.
    """
    codes = journeys.codes(touchpoints)
    parts = []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        events = pl.DataFrame(
            {"person": arrays.person[arrays.person_row], "time": arrays.time, "left": np.isin(arrays.code, codes)}
        )
        instants = (
            events.join(entry, on="person", how="inner", maintain_order="left")
            .filter(pl.col("time") > pl.col("__entry"))
            .group_by("person", "time", maintain_order=True)
            .agg(pl.col("left").any())
        )
        # of neighbours that are alike only the first turns the person's state
        turns = instants.filter((pl.col("left") != pl.col("left").shift(1).over("person")).fill_null(True))
        turns = turns.with_columns(again=pl.col("time").shift(-1).over("person"))
        parts.append(turns.filter("left").select("person", "time", "again"))
    return pl.concat(parts)
