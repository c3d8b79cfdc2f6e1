"""Journey instances: the stretches of a person's events that lead towards a goal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.journeys import Journeys
from cjm.matching import Matches, find_matches
from cjm.measure._goal import Goal
from cjm.ragged import IntArray

__all__ = ["STATES", "Instances", "instances_of"]

STATES = ("reached", "abandoned", "timed out", "open")
_FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Instances:
    """Journeys towards one goal in a bucket, by person, then in the order in which they opened.

    Attributes
    ----------
    owner : ndarray of int64, shape (instances,)
        Row of the person in ``EventArrays.person``, ascending.
    start, end : ndarray of int64, shape (instances,)
        Microseconds; ``end`` is the end of the data where the state is open.
    state : ndarray of uint8, shape (instances,)
        Place of the state in ``STATES``.
    offsets : ndarray of int64, shape (instances + 1,)
        Where the events of each instance begin in ``rows``.
    rows : ndarray of int64
        Rows of the events in ``EventArrays``, ascending in each instance; one event may be in several.
    key : polars.Series
        String: what tells the instances of a person apart; null for a goal without a key.
    """

    owner: IntArray
    start: IntArray
    end: IntArray
    state: npt.NDArray[np.uint8]
    offsets: IntArray
    rows: IntArray
    key: pl.Series


def instances_of(bucket: Journeys, goal: Goal) -> Instances:
    """Return the journeys towards a goal in one bucket.

    Raises
    ------
    ArgumentError
        If the goal names a touchpoint or an attribute that does not occur, with the nearest that does.
    """
    patterns = {
        f"{part} of goal {goal.name}": pattern
        for part, pattern in (("start", goal.start), ("end", goal.end), ("abandon", goal.abandon))
        if pattern is not None
    }
    matches = find_matches(bucket, patterns, occurrence="all")
    found = {name.split(" ")[0]: matches[name] for name in patterns}
    timeout, idle = (_FOREVER if limit is None else min(limit, _FOREVER) for limit in (goal.timeout, goal.idle))
    if goal.key is None:
        return _one_at_a_time(bucket, found, timeout, idle)
    return _one_for_each_key(bucket, goal.key, found, timeout, idle)


def _one_at_a_time(bucket: Journeys, found: dict[str, Matches], timeout: int, idle: int) -> Instances:
    from cjm.kernels._jit import as_array
    from cjm.kernels.instances import ranges, walk

    arrays = bucket.arrays
    room = len(found["start"].end)
    spans = np.empty((room, 3), dtype=np.int64)
    times = np.empty((room, 2), dtype=np.int64)
    state = np.empty(room, dtype=np.uint8)
    count = walk(
        0,
        len(arrays.person),
        as_array(arrays.offsets, np.int64),
        as_array(arrays.time, np.int64),
        as_array(_occurrences(found["start"]), np.int64),
        as_array(_occurrences(found.get("end")), np.int64),
        as_array(_occurrences(found.get("abandon")), np.int64),
        timeout,
        idle,
        bucket.end,
        spans,
        times,
        state,
    )
    owner, first, stop = spans[:count].T
    start, end = times[:count].T
    offsets = _ends(stop - first)
    rows = ranges(as_array(first, np.int64), as_array(offsets, np.int64))
    none = pl.Series("key", [None], dtype=pl.String).new_from_index(0, count)
    return Instances(owner.copy(), start.copy(), end.copy(), state[:count], offsets, rows, none)


def _one_for_each_key(bucket: Journeys, name: str, found: dict[str, Matches], timeout: int, idle: int) -> Instances:
    from cjm.kernels import instances as kernels
    from cjm.kernels._jit import as_array

    arrays = bucket.arrays
    values = bucket.attribute(name).alias("key")
    labels = values.unique(maintain_order=True).drop_nulls()
    codes = labels.to_frame().with_row_index("code")
    joined = values.to_frame().join(codes, on="key", how="left", maintain_order="left")["code"]
    key = joined.cast(pl.Int32).fill_null(-1).to_numpy()
    bits = np.zeros(len(arrays.time), dtype=np.uint8)
    for part, bit in (("start", kernels.START), ("end", kernels.END), ("abandon", kernels.ABANDON)):
        if part in found:
            bits[found[part].end] |= bit
    room = len(found["start"].end)
    spans = np.empty((room, 2), dtype=np.int64)
    times = np.empty((room, 2), dtype=np.int64)
    state = np.empty(room, dtype=np.uint8)

    def walk(at: IntArray, rows: IntArray) -> int:
        count: int = kernels.walk_by_key(
            0,
            len(arrays.person),
            as_array(arrays.offsets, np.int64),
            as_array(arrays.time, np.int64),
            as_array(key, np.int32),
            len(labels),
            as_array(bits, np.uint8),
            timeout,
            idle,
            bucket.end,
            spans,
            times,
            state,
            at,
            rows,
        )
        return count

    lengths = np.zeros(room, dtype=np.int64)
    count = walk(lengths, np.empty(0, dtype=np.int64))
    offsets = _ends(lengths[:count])
    rows = np.empty(offsets[-1], dtype=np.int64)
    walk(offsets[:-1].copy(), rows)
    owner, which = spans[:count].T
    start, end = times[:count].T
    texts = labels.cast(pl.String).gather(which)
    return Instances(owner.copy(), start.copy(), end.copy(), state[:count], offsets, rows, texts)


def _occurrences(found: Matches | None) -> IntArray:
    if found is None:
        return np.empty((0, 2), dtype=np.int64)
    return np.column_stack((found.start, found.end))


def _ends(lengths: IntArray) -> IntArray:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
