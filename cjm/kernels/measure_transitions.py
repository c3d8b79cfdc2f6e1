"""Which event follows which: how often, for how many persons, after how long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["CELL", "COUNT", "HIGH", "LOW", "PERSONS", "TOTALS", "count_pairs", "put_times"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]

# 16 bytes a pair, so that the pairs met often stay in the cache; what does not fit is moved to a row of totals.
CELL = np.dtype([("time", "i8"), ("last", "i4"), ("count", "u2"), ("persons", "u2")])
_FULL = np.uint16(65_535)
_LONG = 1 << 62

COUNT, PERSONS, HIGH, LOW = 0, 1, 2, 3  # of a row of totals; the time is HIGH * 2**32 + LOW
TOTALS = 4


@kernel
def _add(cells: npt.NDArray[np.void], totals: IntArray, pair: np.uint64, person: np.int32, wait: int) -> None:
    cell = cells[pair]
    count = cell["count"] + np.uint16(1)
    cell["count"] = count
    cell["persons"] += np.uint16(cell["last"] != person)
    cell["last"] = person
    time = cell["time"] + wait
    cell["time"] = time
    if (count == _FULL) | (time >= _LONG):
        totals[pair, COUNT] += count - 1
        totals[pair, PERSONS] += cell["persons"]
        totals[pair, HIGH] += time >> 32
        totals[pair, LOW] += time & 0xFFFFFFFF
        totals[-1, COUNT] += 1
        cell["count"] = 1  # a cell that is in use is never 0
        cell["persons"] = 0
        cell["time"] = 0


@kernel
def count_pairs(
    offsets: IntArray,
    owner: IntArray,
    code: CodeArray,
    time: IntArray,
    group: CodeArray,
    width: int,
    ends: bool,
    cells: npt.NDArray[np.void],
    totals: IntArray,
    where: CodeArray,
) -> None:
    """Count the pairs of neighbours in each path, in a table of all pairs.

    Pair (group * width + source) * width + target is a row of ``cells`` (of type CELL) and of ``totals``, both zero
    before; what is in both together is the result. A last row of ``totals`` counts how often something was moved there,
    so that nobody need look if nothing was. A pair belongs to the ``group`` of its source event (empty: there
    are no groups). With ``ends``, code width - 2 comes before each path and code width - 1 after it, without a time.
    Owners are ascending. Unless ``where`` is empty, it becomes the pair of each event with the one before it in the
    path, or -1.
    """
    wide = np.uint64(width)
    grouped = len(group) > 0
    kept = len(where) > 0
    for path in range(len(offsets) - 1):
        first, stop = offsets[path], offsets[path + 1]
        person = np.int32(owner[path] + 1)
        side = np.uint64(group[first]) * wide if grouped else np.uint64(0)
        source = np.uint64(code[first])
        before = time[first]
        if ends:
            _add(cells, totals, (side + wide - np.uint64(2)) * wide + source, person, 0)
        if kept:
            where[first] = -1
        for event in range(first + 1, stop):
            target = np.uint64(code[event])
            now = time[event]
            pair = (side + source) * wide + target
            _add(cells, totals, pair, person, now - before)
            if kept:
                where[event] = np.int32(pair)
            if grouped:
                side = np.uint64(group[event]) * wide
            source = target
            before = now
        if ends:
            _add(cells, totals, (side + source) * wide + wide - np.uint64(1), person, 0)


@kernel
def put_times(where: CodeArray, time: IntArray, place: IntArray, times: IntArray) -> None:
    """Write the time since the event before to where its pair keeps its times.

    ``place`` is the next free element of ``times`` for each pair, or -1, and goes on with each one written.
    """
    for event in range(len(where)):
        pair = where[event]
        if pair >= 0 and place[pair] >= 0:
            times[place[pair]] = time[event] - time[event - 1]
            place[pair] += 1
