"""From subjects and occurrences to the rows of a hazard model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import DAY_US
from cjm.journeys import Journeys
from cjm.ragged import places_in_sorted
from cjm.survival._design import Completion, FloatArray, IntArray

__all__ = [
    "NEVER",
    "EventRows",
    "PathRows",
    "at_events",
    "completion_times",
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
    x : ndarray of bool, shape (rows, paths)
        Whether the path is completed; columns are contiguous.
    """

    subject: IntArray
    start: FloatArray
    stop: FloatArray
    churned: npt.NDArray[np.bool_]
    x: npt.NDArray[np.bool_]


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


def completion_times(frame: pl.DataFrame, completions: Iterable[Completion]) -> IntArray:
    """Return what :func:`completions` does from places and times, a pattern (see ``first_completions``)."""
    columns = []
    for _, place, time in completions:
        column = np.full(frame.height, NEVER, dtype=np.int64)
        column[place[::-1]] = time[::-1]  # backwards, so that the first of a person stays
        columns.append(column)
    return np.stack(columns).T


def path_rows(frame: pl.DataFrame, first: IntArray) -> PathRows:
    """Cut each subject's time at risk where a path is completed.

    A path acts strictly after its completion, so one completed at the instant of churn or later never acts; one
    completed by entry acts from entry on.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.counting import order_by_number
    from cjm.kernels.spells import cut_spells

    entry = as_array(frame["entry"].to_physical().to_numpy(), np.int64)
    exit_ = as_array(frame["exit"].to_physical().to_numpy(), np.int64)
    subjects, times = [], []
    for column in first.T:
        inside = np.flatnonzero((column > entry) & (column < exit_))
        subjects.append(inside)
        times.append(column[inside])
    subject, time = np.concatenate(subjects), np.concatenate(times)
    order = order_by_number(as_array(subject, np.int64), len(entry))
    offsets = np.concatenate(([0], np.cumsum(np.bincount(subject, minlength=len(entry)))))
    most = len(entry) + len(subject)
    every, starts, stops = (np.empty(most, dtype=np.int64) for _ in range(3))
    count = cut_spells(entry, exit_, as_array(offsets, np.int64), time[order], every, starts, stops)
    every, starts, stops = every[:count], starts[:count], stops[:count]
    final = np.ones(count, dtype=bool)
    final[:-1] = every[1:] != every[:-1]
    zero = origins(frame)[every]
    x = np.empty((first.shape[1], count), dtype=bool)
    for j, column in enumerate(first.T):
        np.less_equal(column[every], starts, out=x[j])
    return PathRows(
        subject=every,
        start=(starts - zero) / DAY_US,
        stop=(stops - zero) / DAY_US,
        churned=final & frame["churned"].to_numpy()[every],
        x=x.T,
    )


def event_rows(journeys: Journeys, frame: pl.DataFrame, gap: int) -> EventRows:
    """Return the events of subjects from entry on that were observed for ``gap`` before the subject's exit."""
    entry, exit_ = (frame[name].to_physical().to_numpy() for name in ("entry", "exit"))
    subject, time, number = numbered_events(journeys, frame, entry, exit_ - gap)
    return EventRows(subject, time, number, frame["churned"].to_numpy()[subject] & (time + gap == exit_[subject]))


def numbered_events(
    journeys: Journeys, frame: pl.DataFrame, earliest: IntArray, latest: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Return subject, time and number of the instants at which subjects acted, within the times given for each.

    They are numbered by person, from their first on; events at one instant are one.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.spells import number_events

    limits = as_array(earliest, np.int64), as_array(latest, np.int64)
    parts = []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        place = places_in_sorted(frame["person"].to_numpy(), arrays.person)
        found = np.empty((3, len(arrays.time)), dtype=np.int64)
        count = number_events(arrays.time, arrays.offsets, place, *limits, *found)
        parts.append(found[:, :count])
    subject, time, number = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    return subject, time, number


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
