"""The counts and medians that key figures are made of, bucket by bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.journeys import EventArrays, Journeys
from cjm.journeys._bucket import MemoryBucket
from cjm.measure._by import By, Cohort, Period, Slice, slices
from cjm.measure._goal import Goal
from cjm.measure._instances import STATES, instances_of
from cjm.measure._kpi_registry import Kpi
from cjm.measure._kpi_sums import sums_of, totals_of
from cjm.measure._labels import Merged, labels_of
from cjm.periods import Periods, periods
from cjm.ragged import IntArray

__all__ = ["Median", "Runs", "Totals", "count"]

CONTACT, CANCEL, FIRST_VALUE = 4, 2, 1


@dataclass(frozen=True, eq=False)
class Median:
    """Of each group: the number of observations, and the sum of the two in the middle."""

    count: IntArray
    twice: IntArray


@dataclass(frozen=True, eq=False)
class Totals:
    """Counts of all groups; every array has one entry a group.

    Attributes
    ----------
    labels : polars.Series
        The groups; a single one without ``by=``.
    counts : dict of str to ndarray
        By name, as in ``cjm.kernels.measure_kpis``; and ``days``, ``weeks``, ``months``: how many days have as much
        time before them.
    pauses, lengths, waits : Median
    goals : list of (dict of str to ndarray, Median)
        For each goal its counts, and the time that journeys took which reached it.
    more : list of (list of int, list of int)
        For each further figure the sums above and below the line, as multiples of 2**-64.
    """

    labels: pl.Series
    counts: dict[str, IntArray]
    pauses: Median
    lengths: Median
    waits: Median
    goals: list[tuple[dict[str, IntArray], Median]]
    more: list[tuple[list[int], list[int]]]


@dataclass(eq=False)
class _Observed:
    """Numbers with the group of each, slice by slice."""

    values: list[IntArray] = field(default_factory=list)
    groups: list[npt.NDArray[np.int32]] = field(default_factory=list)

    def add(self, values: IntArray, group: npt.NDArray[np.int32], number: int) -> None:
        self.values.append(values[:number].copy())
        self.groups.append(group[:number].copy())

    def median(self, merged: Merged) -> Median:
        from cjm.kernels._jit import as_array
        from cjm.kernels.measure_kpis import middles

        values = np.concatenate(self.values)
        self.values.clear()  # so that they are in memory once
        if len(merged.labels) == 1 and len(values):  # NumPy takes a fifth of the time
            middle = [(len(values) - 1) // 2, len(values) // 2]
            values.partition(middle)
            return Median(np.array([len(values)]), values[middle].sum(keepdims=True))
        group = np.concatenate([places[code] for places, code in zip(merged.places, self.groups, strict=True)])
        number, low, high = middles(as_array(values, np.int64), as_array(group, np.int64), len(merged.labels))
        return Median(number, low + high)


@dataclass(frozen=True, eq=False)
class Runs:
    """Events of one person and group each: run ``i`` is person ``i`` of ``arrays``, in group ``group[i]``."""

    arrays: EventArrays
    group: npt.NDArray[np.int32]

    def journeys(self, part: Slice) -> Journeys:
        """Return them as journeys without attributes, in which a person comes once for each group."""
        whole = part.journeys
        bucket = MemoryBucket(self.arrays, pl.DataFrame())
        return Journeys([bucket], whole.touchpoints, pl.Schema(), rule=whole.rule, start=whole.start, end=whole.end)


def runs_of(part: Slice) -> Runs:
    """Return the events of a slice by person and group."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_kpis import split_runs

    arrays = part.journeys.arrays
    if part.groups is None or len(part.groups.labels) <= 1:
        return Runs(arrays, np.zeros(len(arrays.person), dtype=np.int32))
    offsets, person, group, session_offsets, session, time, code = split_runs(
        as_array(arrays.offsets, np.int64),
        as_array(arrays.session_offsets, np.int64),
        as_array(arrays.time, np.int64),
        as_array(arrays.code, np.int32),
        as_array(part.groups.code, np.int32),
        len(part.groups.labels),
    )
    return Runs(
        EventArrays(arrays.person[person], offsets, time, code, arrays.session_number[session], session_offsets), group
    )


def count(
    journeys: Journeys,
    by: By | None,
    flags: npt.NDArray[np.int32],
    goals: Sequence[Goal],
    more: Sequence[Kpi],
    time_zone: str,
    result: Sequence[str],
) -> Totals:
    """Count everything for each group; ``flags`` says what each touchpoint stands for."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_kpis import GOAL_COUNTS, RUN_COUNTS, goal_counts, run_counts

    channel = journeys.touchpoints["channel"].rank("dense").to_numpy().astype(np.int32) - 1
    channels = int(channel.max()) + 1 if len(channel) else 0
    about = as_array(channel * 8 + flags, np.int32)
    days = periods("1d", time_zone, journeys.start, journeys.end)
    labels: list[pl.Series] = []
    run_sums: list[IntArray] = []
    goal_sums: list[list[IntArray]] = [[] for _ in goals]
    further: list[list[IntArray]] = [[] for _ in more]
    pauses, lengths, waits = _Observed(), _Observed(), _Observed()
    durations = [_Observed() for _ in goals]
    for part in slices(journeys, by, result):
        labels.append(labels_of(part))
        runs = runs_of(part)
        arrays = runs.arrays
        # Memory that is not written to is never taken from the machine.
        rooms = [
            (np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int32))
            for size in (len(arrays.session_number), len(arrays.session_number), len(runs.group))
        ]
        sums = np.zeros((len(labels[-1]), len(RUN_COUNTS)), dtype=np.int64)
        found = run_counts(
            as_array(arrays.offsets, np.int64),
            as_array(runs.group, np.int32),
            as_array(arrays.session_offsets, np.int64),
            as_array(arrays.time, np.int64),
            as_array(arrays.code, np.int32),
            about,
            channels,
            as_array(days.starts, np.int64),
            *_days_of(journeys, by, labels[-1], days),
            sums,
            *rooms[0],
            *rooms[1],
            *rooms[2],
        )
        run_sums.append(sums)
        for observed, room, number in zip((pauses, lengths, waits), rooms, found, strict=True):
            observed.add(*room, number)
        code = np.empty(0, dtype=np.int32) if part.groups is None else part.groups.code
        for i, goal in enumerate(goals):
            instances = instances_of(part.journeys, goal)
            room = (np.empty(len(instances.owner), dtype=np.int64), np.empty(len(instances.owner), dtype=np.int32))
            sums = np.zeros((len(labels[-1]), len(GOAL_COUNTS)), dtype=np.int64)
            number = goal_counts(
                as_array(instances.offsets, np.int64),
                as_array(instances.rows, np.int64),
                as_array(instances.owner, np.int64),
                as_array(instances.end - instances.start, np.int64),
                as_array(instances.state, np.uint8),
                STATES.index("reached"),
                STATES.index("open"),
                as_array(part.journeys.arrays.code, np.int32),
                as_array(code, np.int32),
                about,
                sums,
                *room,
            )
            goal_sums[i].append(sums)
            durations[i].add(*room, number)
        tables = _Tables(part, runs, len(labels[-1]))
        for i, figure in enumerate(more):
            further[i].append(tables.sums(figure))
    merged = Merged(labels)
    counts = dict(zip(RUN_COUNTS, _added(run_sums, merged).T, strict=True))
    first, last = _days_of(journeys, by, merged.labels, days)
    for name, before in (("days", 0), ("weeks", 6), ("months", 29)):
        counts[name] = np.maximum(last - first - before + 1, 0)
    return Totals(
        merged.labels,
        counts,
        pauses.median(merged),
        lengths.median(merged),
        waits.median(merged),
        [
            (dict(zip(GOAL_COUNTS, _added(parts, merged).T, strict=True)), observed.median(merged))
            for parts, observed in zip(goal_sums, durations, strict=True)
        ],
        [(totals_of(sums[:, :4]), totals_of(sums[:, 4:])) for sums in (_added(parts, merged) for parts in further)],
    )


class _Tables:
    """The rows that figures are summed over, and the group of each."""

    def __init__(self, part: Slice, runs: Runs, groups: int) -> None:
        self.part = part
        self.runs = runs
        self.groups = groups

    def sums(self, figure: Kpi) -> IntArray:
        if figure.over == "events":
            groups = self.part.groups
            group = np.zeros(self.part.journeys.height, dtype=np.int32) if groups is None else groups.code
            return sums_of(figure, self.part.journeys.frame, group, self.groups)
        ours = self.runs.journeys(self.part)
        if figure.over == "persons":
            return sums_of(figure, ours.persons, self.runs.group, self.groups)
        arrays = self.runs.arrays
        sessions = np.diff(np.searchsorted(arrays.session_offsets, arrays.offsets))
        return sums_of(figure, ours.sessions, np.repeat(self.runs.group, sessions), self.groups)


def _added(parts: Sequence[IntArray], merged: Merged) -> IntArray:
    total = np.zeros((len(merged.labels), parts[0].shape[1]), dtype=np.int64)
    for places, sums in zip(merged.places, parts, strict=True):
        total[places] += sums
    return total


def _days_of(journeys: Journeys, by: By | None, labels: pl.Series, days: Periods) -> tuple[IntArray, IntArray]:
    """Return the first and the last day that counts for each group: those of the data, of a period, from a cohort on.

    The groups of ``by`` that are periods come without gaps.
    """
    begin = np.full(len(labels), journeys.start)
    end = np.full(len(labels), journeys.end)
    if isinstance(by, Cohort | Period):
        edges = labels.to_physical().to_numpy()
        begin = np.clip(edges, journeys.start, journeys.end)
        if isinstance(by, Period):
            end[:-1] = np.clip(edges[1:] - 1, journeys.start, journeys.end)
    return days.of(begin).astype(np.int64), days.of(end).astype(np.int64)
