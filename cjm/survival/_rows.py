"""From subjects and occurrences to the rows of a hazard model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import DAY_US
from cjm.journeys import Journeys
from cjm.ragged import places_in_sorted
from cjm.survival._design import FloatArray, IntArray

__all__ = [
    "NEVER",
    "EventRows",
    "PathRows",
    "at_events",
    "completions",
    "event_rows",
    "first_numbers",
    "origins",
    "path_rows",
]

NEVER = np.iinfo(np.int64).max

_POOL = 5
"""Fewest churned persons in a pool of event numbers; pools are widened until they are there."""


@dataclass(frozen=True)
class PathRows:
    """(start, stop] rows of subjects, cut wherever one of their paths is completed.

    Attributes
    ----------
    subject : ndarray of int64
        Row of the subject.
    start, stop : ndarray of float64
        Days since time zero.
    churned : ndarray of bool
    x : ndarray of float64, shape (rows, paths)
        1 once the path is completed.
    """

    subject: IntArray
    start: FloatArray
    stop: FloatArray
    churned: npt.NDArray[np.bool_]
    x: FloatArray


@dataclass(frozen=True)
class EventRows:
    """Events of subjects at which silence could begin.

    Attributes
    ----------
    subject : ndarray of int64
        Row of the subject.
    time : ndarray of int64
        Microseconds.
    number : ndarray of int64
        Number of the event in the person's journey, from 1; events at one instant are one.
    silent : ndarray of bool
        Whether nothing followed within the gap.
    """

    subject: IntArray
    time: IntArray
    number: IntArray
    silent: npt.NDArray[np.bool_]


def completions(frame: pl.DataFrame, occurrences: pl.DataFrame, names: Sequence[str]) -> IntArray:
    """Return when each subject first completed each path, microseconds, shape (subjects, paths); ``NEVER`` if not.

    Parameters
    ----------
    frame : polars.DataFrame
        Contract SUBJECTS, sorted by person.
    occurrences : polars.DataFrame
        ``pattern``, ``person``, ``end``: when a path was complete and known.
    names : sequence of str
        Patterns, in the order of the columns.
    """
    known = occurrences.select("pattern", "person", time=pl.col("end").to_physical())
    first = np.full((frame.height, len(names)), NEVER, dtype=np.int64)
    place = places_in_sorted(frame["person"].to_numpy(), known["person"].to_numpy())
    column = (
        known["pattern"].replace_strict({name: j for j, name in enumerate(names)}, return_dtype=pl.Int64).to_numpy()
    )
    ours = place >= 0
    np.minimum.at(first, (place[ours], column[ours]), known["time"].to_numpy()[ours])
    return first


def path_rows(frame: pl.DataFrame, first: IntArray) -> PathRows:
    """Cut each subject's time at risk where a path is completed.

    A path acts strictly after its completion, so one completed at the instant of churn or later never acts; one
    completed by entry acts from entry on.
    """
    entry = frame["entry"].to_physical().to_numpy()
    exit_ = frame["exit"].to_physical().to_numpy()
    inside = (first > entry[:, None]) & (first < exit_[:, None])
    subject, path = np.nonzero(inside)
    every = np.concatenate((np.arange(len(entry)), subject))
    starts = np.concatenate((entry, first[subject, path]))
    order = np.lexsort((starts, every))
    every, starts = every[order], starts[order]
    new = np.ones(len(every), dtype=bool)
    new[1:] = (every[1:] != every[:-1]) | (starts[1:] != starts[:-1])
    every, starts = every[new], starts[new]
    final = np.ones(len(every), dtype=bool)
    final[:-1] = every[1:] != every[:-1]
    stops = np.where(final, exit_[every], np.append(starts[1:], 0))
    zero = origins(frame)[every]
    return PathRows(
        subject=every,
        start=(starts - zero) / DAY_US,
        stop=(stops - zero) / DAY_US,
        churned=final & frame["churned"].to_numpy()[every],
        x=(first[every] <= starts[:, None]).astype(np.float64),
    )


def event_rows(journeys: Journeys, frame: pl.DataFrame, gap: int) -> EventRows:
    """Return the events of subjects from entry on that were observed for ``gap`` before the subject's exit."""
    every = numbered_events(journeys, frame)
    entry = frame["entry"].to_physical().to_numpy()[every.subject]
    exit_ = frame["exit"].to_physical().to_numpy()[every.subject]
    kept = (every.time >= entry) & (every.time + gap <= exit_)
    last = frame["churned"].to_numpy()[every.subject] & (every.time + gap == exit_)
    return EventRows(every.subject[kept], every.time[kept], every.number[kept], last[kept])


def numbered_events(journeys: Journeys, frame: pl.DataFrame) -> EventRows:
    """Return all instants at which a subject acted, numbered by person; ``silent`` is not filled in (all false)."""
    arrays = journeys.arrays
    place = places_in_sorted(frame["person"].to_numpy(), arrays.person)
    row = arrays.person_row
    fresh = np.ones(len(row), dtype=bool)
    fresh[1:] = (row[1:] != row[:-1]) | (arrays.time[1:] != arrays.time[:-1])
    counted = np.cumsum(fresh)
    number = counted - counted[arrays.offsets[:-1]][row] + 1
    ours = np.flatnonzero(fresh & (place[row] >= 0))
    return EventRows(place[row[ours]], arrays.time[ours], number[ours], np.zeros(len(ours), dtype=bool))


def at_events(frame: pl.DataFrame, rows: EventRows, occurrences: pl.DataFrame, names: Sequence[str]) -> FloatArray:
    """Return 1 where a path is completed at that very event, shape (rows, paths)."""
    events = pl.DataFrame({"person": frame["person"].to_numpy()[rows.subject], "time": rows.time})
    known = occurrences.select("pattern", "person", time=pl.col("end").to_physical()).unique()
    columns = [
        events.join(
            known.filter(pl.col("pattern") == name).select("person", "time", hit=pl.lit(1.0)),
            on=["person", "time"],
            how="left",
            maintain_order="left",
        )["hit"].fill_null(0.0)
        for name in names
    ]
    return np.column_stack([column.to_numpy() for column in columns])


def origins(frame: pl.DataFrame) -> IntArray:
    """Return time zero of each subject, microseconds."""
    late = np.rint(frame["entry_days"].to_numpy() * DAY_US).astype(np.int64)
    return np.asarray(frame["entry"].to_physical().to_numpy() - late, dtype=np.int64)


def first_numbers(number: IntArray, silent: npt.NDArray[np.bool_]) -> IntArray:
    """Return the first number of each pool: as narrow as leaves ``_POOL`` churned persons in each; the first is 1."""
    churned = np.bincount(number, weights=silent)
    starts = [1]
    held = 0.0
    for at in range(1, len(churned)):
        if held >= _POOL:
            starts.append(at)
            held = 0.0
        held += churned[at]
    if held < _POOL and len(starts) > 1:
        starts.pop()
    return np.array(starts, dtype=np.int64)
