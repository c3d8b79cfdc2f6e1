"""Times of events and of silences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.journeys import Journeys

__all__ = ["signs_of_life", "silences", "touchpoint_times"]


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

    ``returned`` says whether the person came back by ``end``. A silence that is not over counts once it was observed to
    last longer than ``gap``.
    """
    arrays = journeys.arrays
    row = arrays.person_row
    known = arrays.time <= end
    time, row = arrays.time[known], row[known]
    follows = np.zeros(len(time), dtype=bool)
    follows[:-1] = row[1:] == row[:-1]
    until = np.full(len(time), end + 1, dtype=np.int64)
    until[:-1][follows[:-1]] = time[1:][follows[:-1]]
    silent = until - time > gap
    return pl.DataFrame({"person": arrays.person[row[silent]], "time": time[silent], "returned": follows[silent]})


def touchpoint_times(journeys: Journeys, touchpoints: Sequence[str]) -> pl.DataFrame:
    """Return ``person``, ``time`` of the first of ``touchpoints`` for each person who has one."""
    arrays = journeys.arrays
    hit = np.flatnonzero(np.isin(arrays.code, journeys.codes(touchpoints)))
    person, place = np.unique(arrays.person[arrays.person_row[hit]], return_index=True)
    return pl.DataFrame({"person": person, "time": pl.Series(arrays.time[hit][place], dtype=pl.Int64).cast(TIME)})
