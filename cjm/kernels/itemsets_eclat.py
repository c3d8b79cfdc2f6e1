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

__all__ = ["frequent"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
BitArray = npt.NDArray[np.uint64]


@kernel
def _meet(bits: BitArray, a: int, b: int, to: int, words: int) -> int:
    """Write the intersection of the bit sets ``a`` and ``b`` to ``to`` and return its size.

    Indices without sign and the product at the end let the compiler use vector instructions for all of it.
    """
    left, right, out = np.uint64(a * words), np.uint64(b * words), np.uint64(to * words)
    size = np.uint64(0)
    for word in range(np.uint64(words)):
        both = bits[left + word] & bits[right + word]
        bits[out + word] = both
        both -= (both >> np.uint64(1)) & np.uint64(0x5555555555555555)
        both = (both & np.uint64(0x3333333333333333)) + ((both >> np.uint64(2)) & np.uint64(0x3333333333333333))
        both = (both + (both >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        size += (both * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return np.int64(size)  # type: ignore[return-value]


@kernel
def _first_class(
    rows: CodeArray, places: IntArray, lo: int, hi: int, min_count: int, count: IntArray, touched: IntArray
) -> int:
    """Count what stands behind ``places[lo:hi]`` in the rows; put the frequent items first in ``touched``."""
    found = 0
    for index in range(lo, hi):
        place = places[index] + 1
        while rows[place] >= 0:
            item = rows[place]
            if count[item] == 0:
                touched[found] = item
                found += 1
            count[item] += 1
            place += 1
    kept = 0
    for index in range(found):
        item = touched[index]
        if count[item] >= min_count:
            touched[index] = touched[kept]
            touched[kept] = item
            kept += 1
        else:
            count[item] = 0
    return kept


@kernel
def _sort_by(keys: IntArray, items: IntArray, n: int) -> None:
    """Sort ``items[:n]`` by key, then by item (shell sort)."""
    step = 1
    while 3 * step < n:
        step = 3 * step + 1
    while step > 0:
        for right in range(step, n):
            item = items[right]
            left = right
            while left >= step and (
                keys[items[left - step]] > keys[item]
                or (keys[items[left - step]] == keys[item] and items[left - step] > item)
            ):
                items[left] = items[left - step]
                left -= step
            items[left] = item
        step //= 3


@kernel
def _first_bits(
    rows: CodeArray, places: IntArray, lo: int, hi: int, slot: IntArray, bits: BitArray, n_bits: int
) -> None:
    """Set the bit of each row of ``places[lo:hi]`` in the bit set of each item that stands behind and has a slot."""
    words = (hi - lo + 63) >> 6
    for word in range(n_bits):
        bits[word] = 0
    for index in range(lo, hi):
        place = places[index] + 1
        bit = np.uint64(1) << np.uint64((index - lo) & 63)
        word = (index - lo) >> 6
        while rows[place] >= 0:
            if slot[rows[place]] >= 0:
                bits[slot[rows[place]] * words + word] |= bit
            place += 1


@kernel
def frequent(
    rows: CodeArray, places: IntArray, place_offsets: IntArray, support: IntArray, first_item: int, stop_item: int,
    min_count: int, max_length: int, max_sets: int,
) -> tuple[CodeArray, IntArray, IntArray]:  # fmt: skip
    """Find the frequent sets whose smallest item is in ``[first_item, stop_item)``.

    (int32[:], int64[:], int64[:], int64[:], int64 x 5) -> items of the sets end to end, their offsets, their counts.
    For rows and places see ``itemsets_rows``; items are frequent and numbered by ascending ``support``. Ends early,
    with ``max_sets + 1`` sets, when there are more than ``max_sets``.
    """
    n_items = len(support)
    values = np.empty(1024, dtype=np.int32)
    bounds = np.zeros(1024, dtype=np.int64)
    counts = np.empty(1024, dtype=np.int64)
    n_values = 0
    n_sets = 0
    count = np.zeros(n_items, dtype=np.int64)
    slot = np.full(n_items, -1, dtype=np.int64)
    touched = np.empty(n_items, dtype=np.int64)
    path = np.empty(n_items + 1, dtype=np.int32)
    class_at = np.zeros(n_items + 2, dtype=np.int64)
    class_stop = np.zeros(n_items + 2, dtype=np.int64)
    members = np.empty(1024, dtype=np.int64)
    supports = np.empty(1024, dtype=np.int64)
    bits = np.empty(1024, dtype=np.uint64)
    for root in range(first_item, stop_item):
        lo = place_offsets[root]
        hi = place_offsets[root + 1]
        words = (hi - lo + 63) >> 6
        path[0] = root
        length = 1
        size = support[root]
        found = 0
        if max_length > 1:
            found = _first_class(rows, places, lo, hi, min_count, count, touched)
            _sort_by(count, touched, found)
            members = grown(members, found)
            supports = grown(supports, found)
            for index in range(found):
                item = touched[index]
                members[index] = item
                supports[index] = count[item]
                slot[item] = index
            if max_length > 2 and found > 1:
                bits = grown(bits, found * words)
                _first_bits(rows, places, lo, hi, slot, bits, found * words)
            for index in range(found):
                count[members[index]] = 0
                slot[members[index]] = -1
        class_at[1] = 0
        class_stop[1] = found
        while True:
            if n_values + length > len(values):
                values = grown(values, n_values + length)
            for step in range(length):
                values[n_values + step] = path[step]
            n_values += length
            if n_sets + 2 > len(bounds):
                bounds = grown(bounds, n_sets + 2)
                counts = grown(counts, n_sets + 2)
            bounds[n_sets + 1] = n_values
            counts[n_sets] = size
            n_sets += 1
            if n_sets > max_sets:
                return values[:n_values], bounds[: n_sets + 1], counts[:n_sets]
            if length > 1:  # the class of a single item was gathered above
                member = class_at[length - 1] - 1
                stop = class_stop[length - 1]
                top = stop
                if length < max_length:
                    room = 2 * stop - member
                    if room * words > len(bits):
                        bits = grown(bits, room * words)
                    if room > len(members):
                        members = grown(members, room)
                        supports = grown(supports, room)
                    for other in range(member + 1, stop):
                        both = _meet(bits, member, other, top, words)
                        if both >= min_count:
                            members[top] = members[other]
                            supports[top] = both
                            top += 1
                class_at[length] = stop
                class_stop[length] = top
            while length > 0 and class_at[length] == class_stop[length]:
                length -= 1
            if length == 0:
                break
            member = class_at[length]
            class_at[length] += 1
            path[length] = members[member]
            size = supports[member]
            length += 1
    return values[:n_values], bounds[: n_sets + 1], counts[:n_sets]
