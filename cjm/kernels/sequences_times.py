"""When a row goes through the steps of a sequence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["first_occurrences"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def _allowed(
    end: int, start: int, place: int, event: CodeArray, time: IntArray, limits: IntArray, shortest: bool
) -> bool:
    """Tell whether ``place`` keeps the shortest gaps after ``end``, or else all longest limits (see Limits.values)."""
    gap = time[place] - time[end]
    events = event[place] - event[end]
    if shortest:
        return gap >= limits[1] and events >= limits[4]  # type: ignore[no-any-return]
    return gap <= limits[0] and events <= limits[3] and time[place] - time[start] <= limits[2]  # type: ignore[no-any-return]


@kernel
def first_occurrences(
    pattern: CodeArray, rows: CodeArray, event: CodeArray, time: IntArray, limits: IntArray,
    places: CodeArray, place_offsets: IntArray,
) -> IntArray:  # fmt: skip
    """Return the places of the steps in the first occurrence of each row that has one: int64[:, :], a row each.

    (int32[:], int32[:], int32[:], int64[:], int64[6], int32[:], int64[:]) -> int64[:, :]. The occurrence that is
    complete first, and in it every step as late as it can be. An entry is a place where the steps so far can end; the
    last one that the shortest gaps allow before a place is the best to reach it from (see ``sequences_limits``).
    """
    length = len(pattern)
    bounds = np.zeros(length + 1, dtype=np.int64)
    size = 0
    for step in range(length):
        size += place_offsets[pattern[step] + 1] - place_offsets[pattern[step]]
    ends = np.empty(size, dtype=np.int32)
    starts = np.empty(size, dtype=np.int32)
    before = np.full(size, -1, dtype=np.int64)
    top = 0
    for step in range(length):
        entry = bounds[step - 1] if step else 0
        stop = bounds[step]
        for index in range(place_offsets[pattern[step]], place_offsets[pattern[step] + 1]):
            place = places[index]
            row = rows[place]
            start = place
            if step:
                while entry + 1 < stop and (
                    rows[ends[entry + 1]] < row
                    or (
                        rows[ends[entry + 1]] == row
                        and _allowed(ends[entry + 1], starts[entry + 1], place, event, time, limits, True)
                    )
                ):
                    entry += 1
                if (
                    entry >= stop
                    or rows[ends[entry]] != row
                    or not _allowed(ends[entry], starts[entry], place, event, time, limits, True)
                    or not _allowed(ends[entry], starts[entry], place, event, time, limits, False)
                ):
                    continue
                start = starts[entry]
                before[top] = entry
            ends[top] = place
            starts[top] = start
            top += 1
        bounds[step + 1] = top
    count = 0
    last = -1
    for entry in range(bounds[length - 1], bounds[length]):
        count += rows[ends[entry]] != last
        last = rows[ends[entry]]
    found = np.empty((count, length), dtype=np.int64)
    count = 0
    last = -1
    for entry in range(bounds[length - 1], bounds[length]):
        if rows[ends[entry]] != last:
            last = rows[ends[entry]]
            at = entry
            for step in range(length - 1, -1, -1):
                found[count, step] = ends[at]
                at = before[at]
            count += 1
    return found
