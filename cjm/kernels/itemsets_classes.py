"""The classes that a search for itemsets begins with: what is frequent together with each item, as bit sets.

Rows are read in order, once for the pair counts and once for the bits of as many items as memory allows: to jump to the
rows of one item after another would cost more than all intersections. Bit ``k`` stands for the ``k``-th row of an item
that holds two members of its class behind it; other rows tell nothing about larger sets.

To tell which sets are closed one looks at ``whole`` rows: smaller items belong to the class of an item as well, before
the others, and bits stand for all rows with a member.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["classes", "count_pairs", "fill_bits"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
BitArray = npt.NDArray[np.uint64]


@kernel
def count_pairs(rows: CodeArray, first: int, stop: int, whole: bool, pairs: npt.NDArray[np.int32]) -> None:
    """Count in how many rows each item of ``[first, stop)`` has each larger one behind it, or each other one.

    (int32[:], int64, int64, bool, int32[:, :]) -> None; ``pairs`` has a line for each item of the range and is zero. In
    place of the item itself it gets the number of rows with two items or more behind it, or of all.
    """
    begin = 0
    for place in range(len(rows)):
        if rows[place] >= 0:
            continue
        for left in range(begin, place if whole else place - 1):
            item = rows[left]
            if item >= stop:
                break
            if item >= first:
                pairs[item - first, item] += left < place - 2 and not whole
                for right in range(begin if whole else left + 1, place):
                    pairs[item - first, rows[right]] += 1
        begin = place + 1


@kernel
def classes(pairs: npt.NDArray[np.int32], first: int, min_count: int) -> tuple[IntArray, IntArray, IntArray]:
    """List the frequent members of the class of each item from ``first`` on: smaller items, then the others by count.

    (int32[:, :], int64, int64) -> members end to end, their pair counts, offsets by item. ``pairs`` is turned into the
    place of each member in its class, -1 for what is no member.
    """
    offsets = np.zeros(len(pairs) + 1, dtype=np.int64)
    for line in range(len(pairs)):
        pairs[line, first + line] = 0
        found = 0
        for other in range(pairs.shape[1]):
            found += pairs[line, other] >= min_count
        offsets[line + 1] = offsets[line] + found
    members = np.empty(offsets[-1], dtype=np.int64)
    supports = np.empty(offsets[-1], dtype=np.int64)
    for line in range(len(pairs)):
        lo = offsets[line]
        found = 0
        for other in range(pairs.shape[1]):
            if other == first + line:
                lo += found
                found = 0
            elif pairs[line, other] >= min_count:
                members[lo + found] = other
                supports[lo + found] = pairs[line, other]
                found += 1
        step = 1
        while 3 * step < found:
            step = 3 * step + 1
        while step > 0:  # shell sort; the order of members with the same count does not matter
            for right in range(lo + step, lo + found):
                other, support = members[right], supports[right]
                left = right
                while left >= lo + step and supports[left - step] > support:
                    members[left] = members[left - step]
                    supports[left] = supports[left - step]
                    left -= step
                members[left] = other
                supports[left] = support
            step //= 3
        for other in range(pairs.shape[1]):
            pairs[line, other] = -1
        for index in range(offsets[line], offsets[line + 1]):
            pairs[line, members[index]] = index - offsets[line]
    return members, supports, offsets


@kernel
def fill_bits(
    rows: CodeArray, first: int, begin: int, stop: int, slots: npt.NDArray[np.int32], base: IntArray, stride: IntArray,
    at: IntArray, used: IntArray, whole: bool, bits: BitArray,
) -> None:  # fmt: skip
    """Set the bits of the members of the items of ``[begin, stop)`` for some of the rows.

    (int32[:], int64 x 3, int32[:, :], int64[:], int64[:], int64[:], int64[:], bool, uint64[:]) -> None. For item
    ``first + k``, line ``k`` of ``slots`` tells the place of each member (see ``classes``); the bit set of member ``m``
    begins at word ``base[k] + m * stride[k]``, these rows at word ``at[k]`` of it, and ``used[k]`` counts them. No bits
    are wanted where ``stride`` is 0.
    """
    behind = np.empty(slots.shape[1], dtype=np.int64)
    start = 0
    for place in range(len(rows)):
        if rows[place] >= 0:
            continue
        for left in range(start, place if whole else place - 2):
            item = rows[left]
            if item >= stop:
                break
            line = item - first
            if item < begin or stride[line] == 0:
                continue
            found = 0
            for right in range(start if whole else left + 1, place):
                slot = slots[line, rows[right]]
                behind[found] = slot
                found += slot >= 0
            if found > 1 or (whole and found == 1):
                word = base[line] + at[line] + (used[line] >> 6)
                bit = np.uint64(1) << np.uint64(used[line] & 63)
                used[line] += 1
                for index in range(found):
                    bits[word + behind[index] * stride[line]] |= bit
        start = place + 1
