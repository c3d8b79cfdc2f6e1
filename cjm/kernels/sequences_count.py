"""How many rows of two groups hold each of given patterns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_index import grown

__all__ = ["count_in_groups"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def count_in_groups(
    values: CodeArray, bounds: IntArray, rows: IntArray, time: IntArray, limited: bool, max_gap: int, within: int,
    places: IntArray, place_offsets: IntArray, group: IntArray,
) -> tuple[IntArray, IntArray]:  # fmt: skip
    """Count the rows of group 0 and 1 that hold each pattern, and those that hold its first steps without the last.

    (int32[:], int64[:], int64[:], int64[:], bool, int64, int64, int64[:], int64[:], int64[:]) -> two int64[:, 2].
    Patterns are in lexicographic order, so that neighbours share the work of what they begin with. ``places`` lists
    all places of each item. An entry is a place where the steps so far can end and the latest start for it; the last
    entry before a place is the best one to reach it from (see ``sequences_mine``).
    """
    n_patterns = len(bounds) - 1
    counts = np.zeros((n_patterns, 2), dtype=np.int64)
    before = np.zeros((n_patterns, 2), dtype=np.int64)
    deepest = 0
    for pattern in range(n_patterns):
        deepest = max(deepest, bounds[pattern + 1] - bounds[pattern])
    path = np.full(deepest, -1, dtype=np.int32)
    filled = np.zeros(deepest + 1, dtype=np.int64)  # entries of depth d end here
    held = np.zeros((deepest + 1, 2), dtype=np.int64)
    for row in range(len(group)):
        held[0, group[row]] += 1
    ends = np.empty(1024, dtype=np.int64)
    starts = np.empty(1024, dtype=np.int64)
    known = 0
    for pattern in range(n_patterns):
        length = bounds[pattern + 1] - bounds[pattern]
        shared = 0
        while shared < min(known, length) and path[shared] == values[bounds[pattern] + shared]:
            shared += 1
        for depth in range(shared, length):
            item = values[bounds[pattern] + depth]
            path[depth] = item
            first = place_offsets[item]
            stop = place_offsets[item + 1]
            top = filled[depth]
            ends = grown(ends, top + stop - first)
            starts = grown(starts, top + stop - first)
            entry = filled[depth - 1] if depth > 0 else 0
            entry_stop = top
            last_row = -1
            held[depth + 1, 0] = 0
            held[depth + 1, 1] = 0
            for index in range(first, stop):
                place = places[index]
                row = rows[place]
                if not limited and row == last_row:
                    continue
                start = place
                if depth > 0:
                    while entry + 1 < entry_stop and ends[entry + 1] < place:
                        entry += 1
                    if entry >= entry_stop or ends[entry] >= place or rows[ends[entry]] != row:
                        continue
                    start = starts[entry]
                    if limited and (time[place] - time[ends[entry]] > max_gap or time[place] - time[start] > within):
                        continue
                ends[top] = place
                starts[top] = start
                top += 1
                if row != last_row:
                    last_row = row
                    held[depth + 1, group[row]] += 1
            filled[depth + 1] = top
        known = length
        for side in range(2):
            counts[pattern, side] = held[length, side]
            before[pattern, side] = held[length - 1, side]
    return counts, before
