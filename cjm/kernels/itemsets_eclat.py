"""Frequent itemsets: Eclat with bit sets that span only the rows of the first item.

References
----------
Zaki (2000), Scalable algorithms for association mining, IEEE TKDE 12.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_index import grown

__all__ = ["frequent", "sort_each", "sorted_sets"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
BitArray = npt.NDArray[np.uint64]


@kernel
def sorted_sets(rows: IntArray, places: IntArray, place_offsets: IntArray, n_rows: int) -> tuple[CodeArray, IntArray]:
    """Turn lists of places by item (each row once) into rows of ascending items.

    (int64[:], int64[:], int64[:], int64) -> items, offsets by row.
    """
    offsets = np.zeros(n_rows + 1, dtype=np.int64)
    for place in places:
        offsets[rows[place] + 1] += 1
    offsets = np.cumsum(offsets)
    items = np.empty(len(places), dtype=np.int32)
    top = offsets[:-1].copy()
    for item in range(len(place_offsets) - 1):
        for index in range(place_offsets[item], place_offsets[item + 1]):
            row = rows[places[index]]
            items[top[row]] = item
            top[row] += 1
    return items, offsets


@kernel
def sort_each(values: CodeArray, offsets: IntArray) -> None:
    """Sort every set in place (they are short): (int32[:], int64[:])."""
    for index in range(len(offsets) - 1):
        lo = offsets[index]
        for right in range(lo + 1, offsets[index + 1]):
            item = values[right]
            left = right
            while left > lo and values[left - 1] > item:
                values[left] = values[left - 1]
                left -= 1
            values[left] = item


@kernel
def _meet(bits: BitArray, a: int, b: int, to: int, words: int) -> int:
    """Write the intersection of the bit sets ``a`` and ``b`` to ``to`` and return its size."""
    size = np.uint64(0)
    for word in range(words):
        x = bits[a * words + word] & bits[b * words + word]
        bits[to * words + word] = x
        x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
        x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        x += x >> np.uint64(8)
        x += x >> np.uint64(16)
        x += x >> np.uint64(32)
        size += x & np.uint64(0x7F)
    return np.int64(size)  # type: ignore[return-value]


@kernel
def _first_class(
    items: CodeArray, offsets: IntArray, rows: IntArray, places: IntArray, lo: int, hi: int,
    min_count: int, count: IntArray, slot: IntArray,
    members: IntArray, supports: IntArray, bits: BitArray,
) -> tuple[int, IntArray, IntArray, BitArray]:  # fmt: skip
    """Gather the items that are frequent together with the item at ``places[lo:hi]``, as bit sets over its rows."""
    words = (hi - lo + 63) // 64
    for index in range(lo, hi):
        place = places[index]
        for other in range(place + 1, offsets[rows[place] + 1]):
            count[items[other]] += 1
    found = 0
    for item in range(len(count)):
        if count[item] >= min_count:
            members = grown(members, found + 1)
            supports = grown(supports, found + 1)
            members[found] = item
            supports[found] = count[item]
            slot[item] = found
            found += 1
        else:
            slot[item] = -1
        count[item] = 0
    bits = grown(bits, found * words)
    for word in range(found * words):
        bits[word] = 0
    for index in range(lo, hi):
        place = places[index]
        bit = np.uint64(1) << np.uint64((index - lo) & 63)
        word = (index - lo) >> 6
        for other in range(place + 1, offsets[rows[place] + 1]):
            if slot[items[other]] >= 0:
                bits[slot[items[other]] * words + word] |= bit
    return found, members, supports, bits


@kernel
def frequent(
    items: CodeArray, offsets: IntArray, rows: IntArray, places: IntArray, place_offsets: IntArray,
    first_item: int, stop_item: int, min_count: int, max_length: int, max_patterns: int,
) -> tuple[CodeArray, IntArray, IntArray]:  # fmt: skip
    """Find the frequent sets whose smallest item is in ``[first_item, stop_item)``.

    (int32[:], int64[:], int64[:], int64[:], int64[:], int64 x 5) -> items of the sets end to end, their offsets, their
    counts. Rows hold ascending items, each frequent; number them by ascending support for speed. Ends early, with
    ``max_patterns + 1`` sets, when there are more than ``max_patterns``.
    """
    n_items = len(place_offsets) - 1
    values = np.empty(1024, dtype=np.int32)
    bounds = np.zeros(1024, dtype=np.int64)
    counts = np.empty(1024, dtype=np.int64)
    n_values = 0
    n_sets = 0
    count = np.zeros(n_items, dtype=np.int64)
    slot = np.empty(n_items, dtype=np.int64)
    path = np.empty(n_items + 1, dtype=np.int32)
    class_at = np.zeros(n_items + 1, dtype=np.int64)
    class_stop = np.zeros(n_items + 1, dtype=np.int64)
    members = np.empty(1024, dtype=np.int64)
    supports = np.empty(1024, dtype=np.int64)
    bits = np.empty(1024, dtype=np.uint64)
    for root in range(first_item, stop_item):
        lo = place_offsets[root]
        hi = place_offsets[root + 1]
        words = (hi - lo + 63) // 64
        path[0] = root
        length = 1
        support = hi - lo
        found = 0
        if max_length > 1:
            found, members, supports, bits = _first_class(
                items, offsets, rows, places, lo, hi, min_count, count, slot, members, supports, bits
            )
        class_at[1] = 0
        class_stop[1] = found
        while True:
            values = grown(values, n_values + length)
            for step in range(length):
                values[n_values + step] = path[step]
            n_values += length
            bounds = grown(bounds, n_sets + 2)
            counts = grown(counts, n_sets + 1)
            bounds[n_sets + 1] = n_values
            counts[n_sets] = support
            n_sets += 1
            if n_sets > max_patterns:
                return values[:n_values], bounds[: n_sets + 1], counts[:n_sets]
            if length > 1 and length < max_length:  # the class of a single item was gathered above
                member = class_at[length - 1] - 1
                stop = class_stop[length - 1]
                top = stop
                for other in range(member + 1, stop):
                    bits = grown(bits, (top + 1) * words)
                    both = _meet(bits, member, other, top, words)
                    if both >= min_count:
                        members = grown(members, top + 1)
                        supports = grown(supports, top + 1)
                        members[top] = members[other]
                        supports[top] = both
                        top += 1
                class_at[length] = stop
                class_stop[length] = top
            elif length >= max_length:
                class_at[length] = 0
                class_stop[length] = 0
            while length > 0 and class_at[length] == class_stop[length]:
                length -= 1
            if length == 0:
                break
            member = class_at[length]
            class_at[length] += 1
            path[length] = members[member]
            support = supports[member]
            length += 1
    return values[:n_values], bounds[: n_sets + 1], counts[:n_sets]
