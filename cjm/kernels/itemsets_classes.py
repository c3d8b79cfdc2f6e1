"""The classes that a search for itemsets begins with: what is frequent together with each item, as bit sets.

Rows are read in order, once for the pair counts and once for the bits of as many items as memory allows: to jump to the
rows of one item after another would cost more than all intersections. Bit ``k`` stands for the ``k``-th row of an item
that holds two members of its class behind it; other rows tell nothing about larger sets.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["count_pairs", "fill_bits", "members_of"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
BitArray = npt.NDArray[np.uint64]


@kernel
def count_pairs(rows: CodeArray, first: int, stop: int, pairs: npt.NDArray[np.int32]) -> None:
    """Count in how many rows each item of ``[first, stop)`` has each larger one behind it.

    (int32[:], int64, int64, int32[:, :]) -> None; ``pairs`` has a line for each item of the range and is zero.
    """
    begin = 0
    for place in range(len(rows)):
        if rows[place] >= 0:
            continue
        for left in range(begin, place - 1):
            item = rows[left]
            if item >= stop:
                break
            if item >= first:
                for right in range(left + 1, place):
                    pairs[item - first, rows[right]] += 1
        begin = place + 1


@kernel
def members_of(line: CodeArray, item: int, min_count: int, members: IntArray, supports: IntArray) -> int:
    """List the frequent members of an item's class, rarest first, and put their places in the list into ``line``.

    (int32[:], int64, int64, int64[:], int64[:]) -> int64. ``line`` holds the pair counts of the item and becomes -1 for
    what is no member.
    """
    found = 0
    for other in range(item + 1, len(line)):
        if line[other] >= min_count:
            members[found] = other
            found += 1
    step = 1
    while 3 * step < found:
        step = 3 * step + 1
    while step > 0:  # shell sort; items of one count stay in order only by luck, which the search does not need
        for right in range(step, found):
            other = members[right]
            left = right
            while left >= step and line[members[left - step]] > line[other]:
                members[left] = members[left - step]
                left -= step
            members[left] = other
        step //= 3
    for index in range(found):
        supports[index] = line[members[index]]
    for other in range(len(line)):
        line[other] = -1
    for index in range(found):
        line[members[index]] = index
    return found


@kernel
def fill_bits(
    rows: CodeArray, first: int, begin: int, stop: int, slots: npt.NDArray[np.int32], base: IntArray, stride: IntArray,
    used: IntArray, bits: BitArray,
) -> None:  # fmt: skip
    """Set the bits of the members of the items of ``[begin, stop)``.

    (int32[:], int64 x 3, int32[:, :], int64[:], int64[:], int64[:], uint64[:]) -> None. Line ``item - first`` of
    ``slots`` tells the place of each member (see ``members_of``); the bit set of member ``k`` begins at word
    ``base[item - first] + k * stride[item - first]``, no bits are wanted where ``stride`` is 0, and
    ``used[item - first]`` counts the rows.
    """
    behind = np.empty(slots.shape[1], dtype=np.int64)
    start = 0
    for place in range(len(rows)):
        if rows[place] >= 0:
            continue
        for left in range(start, place - 2):
            item = rows[left]
            if item >= stop:
                break
            line = item - first
            if item < begin or stride[line] == 0:
                continue
            found = 0
            for right in range(left + 1, place):
                slot = slots[line, rows[right]]
                behind[found] = slot
                found += slot >= 0
            if found > 1:
                word = base[line] + (used[line] >> 6)
                bit = np.uint64(1) << np.uint64(used[line] & 63)
                used[line] += 1
                for index in range(found):
                    bits[word + behind[index] * stride[line]] |= bit
        start = place + 1
