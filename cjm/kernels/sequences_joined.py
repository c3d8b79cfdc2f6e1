"""Which patterns of steps of several items are covered by larger ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_cover import find_pattern, pattern_table

__all__ = ["covered_joined"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def covered_joined(
    values: CodeArray, offsets: IntArray, counts: IntArray, n_items: int, same_count: bool, unbroken: bool, whole: bool
) -> npt.NDArray[np.bool_]:
    """Mark the patterns that another one covers, where an item of ``n_items`` or more joins the step before it.

    (int32[:], int64[:], int64[:], int64, bool, bool, bool) -> bool[:]. As ``sequences_cover.covered``. If ``unbroken``,
    a pattern covers what it becomes without one item of a step of several, and its parts of whole steps side by side.
    """
    table = pattern_table(values, offsets)
    marked = np.zeros(len(counts), dtype=np.bool_)
    rest = np.empty(max(1, np.max(np.diff(offsets))) if len(counts) else 1, dtype=np.int32)
    for pattern in range(len(counts)):
        lo = offsets[pattern]
        hi = offsets[pattern + 1]
        if hi - lo == 1:
            continue
        for place in range(lo, hi):
            opens = values[place] < n_items
            goes_on = place + 1 < hi and values[place + 1] >= n_items
            if unbroken and opens and not goes_on:
                continue
            for other in range(lo, place):
                rest[other - lo] = values[other]
            for other in range(place + 1, hi):
                rest[other - lo - 1] = values[other]
            if opens and goes_on:  # the next item opens the step now
                rest[place - lo] -= n_items
            part = find_pattern(table, values, offsets, rest, 0, hi - lo - 1, -1)
            if part >= 0 and (not same_count or counts[part] == counts[pattern]):
                marked[pattern if whole else part] = True
        if unbroken:
            for first in range(lo, hi):
                for stop in range(first + 1, hi + 1):
                    if values[first] < n_items and stop - first < hi - lo and (stop == hi or values[stop] < n_items):
                        part = find_pattern(table, values, offsets, values, first, stop, -1)
                        if part >= 0 and (not same_count or counts[part] == counts[pattern]):
                            marked[pattern if whole else part] = True
    return marked
