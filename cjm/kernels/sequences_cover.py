"""Which patterns are covered by a pattern with one step more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["covered", "find_pattern", "pattern_table"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def _home(items: CodeArray, lo: int, hi: int, skip: int, mask: int) -> int:
    """Return the slot at which the search for ``items[lo:hi]`` without place ``skip`` begins."""
    state = 0
    for place in range(lo, hi):
        if place != skip:
            state = (state & 0xFFFFFFFFFF) * 1_000_003 + int(items[place]) + 1  # 40 bits times 20 bits: no overflow
    mixed = ((state ^ (state >> 31)) & 0x7FFFFFFF) * 0x9E3779B1  # 31 bits times 32 bits
    return (mixed >> 28) & mask


@kernel
def pattern_table(values: CodeArray, offsets: IntArray) -> IntArray:
    """Return an open-addressing table of pattern numbers, -1 where empty: (int32[:], int64[:]) -> int64[:]."""
    capacity = 16
    while capacity < 2 * len(offsets):
        capacity *= 2
    table = np.full(capacity, -1, dtype=np.int64)
    for pattern in range(len(offsets) - 1):
        slot = _home(values, offsets[pattern], offsets[pattern + 1], -1, capacity - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (capacity - 1)
        table[slot] = pattern
    return table


@kernel
def find_pattern(
    table: IntArray, values: CodeArray, offsets: IntArray, items: CodeArray, lo: int, hi: int, skip: int
) -> int:
    """Return the number of the pattern ``items[lo:hi]`` without place ``skip``, or -1 if it is not in the table."""
    mask = len(table) - 1
    length = hi - lo - (1 if lo <= skip < hi else 0)
    slot = _home(items, lo, hi, skip, mask)
    while table[slot] >= 0:
        pattern = table[slot]
        start = offsets[pattern]
        if offsets[pattern + 1] - start == length:
            place = lo
            same = 0
            while same < length:
                if place == skip:
                    place += 1
                if items[place] != values[start + same]:
                    break
                place += 1
                same += 1
            if same == length:
                return pattern  # type: ignore[no-any-return]
        slot = (slot + 1) & mask
    return -1


@kernel
def covered(
    values: CodeArray, offsets: IntArray, counts: IntArray, same_count: bool, unbroken: bool, whole: bool
) -> npt.NDArray[np.bool_]:
    """Mark the patterns that another one covers.

    (int32[:], int64[:], int64[:], bool, bool, bool) -> bool[:]. A pattern covers those that it becomes without one of
    its items; if ``unbroken``, those that stand in it side by side. ``same_count``: only if both have the same support
    (the others are closed), else in any case (the others are maximal). ``whole``: mark the pattern that covers another,
    not the one that is covered (with ``same_count``, the others are generators).
    """
    table = pattern_table(values, offsets)
    marked = np.zeros(len(counts), dtype=np.bool_)
    for pattern in range(len(counts)):
        lo = offsets[pattern]
        hi = offsets[pattern + 1]
        if hi - lo == 1:
            continue
        if unbroken:
            for first in range(lo, hi):
                for stop in range(first + 1, hi + 1):
                    if stop - first < hi - lo:
                        part = find_pattern(table, values, offsets, values, first, stop, -1)
                        if part >= 0 and (not same_count or counts[part] == counts[pattern]):
                            marked[pattern if whole else part] = True
        else:
            for skip in range(lo, hi):
                part = find_pattern(table, values, offsets, values, lo, hi, skip)
                if part >= 0 and (not same_count or counts[part] == counts[pattern]):
                    marked[pattern if whole else part] = True
    return marked
