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

__all__ = ["frequent", "meet"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
BitArray = npt.NDArray[np.uint64]


@kernel
def meet(bits: BitArray, a: int, b: int, to: int, words: int) -> int:
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
def _search(
    support: int, words: int, min_count: int, max_length: int, max_sets: int, state: IntArray,
    path: CodeArray, class_at: IntArray, class_stop: IntArray, members: IntArray, supports: IntArray, bits: BitArray,
    values: CodeArray, bounds: IntArray, counts: IntArray,
) -> bool:  # fmt: skip
    """Write down the sets that begin with one item until all are there (true) or an array is too short (false).

    ``state`` holds the length of the set to come, the numbers of values and of sets so far. Arrays are not made longer
    here: a variable that may name one array or another costs more in this loop than the work does.
    """
    length, n_values, n_sets = state[0], state[1], state[2]
    while length > 0:
        stop = class_stop[length - 1]
        member = class_at[length - 1] - 1
        room = 2 * stop - member
        if (
            n_values + length > len(values)
            or n_sets + 2 > len(bounds)
            or n_sets > max_sets
            or room > len(members)
            or room * words > len(bits)
        ):
            state[0], state[1], state[2] = length, n_values, n_sets
            return False
        for step in range(length):
            values[n_values + step] = path[step]
        n_values += length
        bounds[n_sets + 1] = n_values
        counts[n_sets] = support if length == 1 else supports[member]
        n_sets += 1
        if length > 1:  # the class of a single item is there already
            top = stop
            if length < max_length:
                for other in range(member + 1, stop):
                    both = meet(bits, member, other, top, words)
                    if both >= min_count:
                        members[top] = members[other]
                        supports[top] = both
                        top += 1
            class_at[length] = stop
            class_stop[length] = top
        while length > 0 and class_at[length] == class_stop[length]:
            length -= 1
        if length > 0:
            path[length] = members[class_at[length]]
            class_at[length] += 1
            length += 1
    state[0], state[1], state[2] = length, n_values, n_sets
    return True


@kernel
def frequent(
    first: int, start: int, stop: int, support: IntArray, kept: IntArray, kept_supports: IntArray, kept_at: IntArray,
    base: IntArray, stride: IntArray, at: IntArray, used: IntArray, first_bits: BitArray,
    min_count: int, max_length: int, max_sets: int,
) -> tuple[CodeArray, IntArray, IntArray]:  # fmt: skip
    """Find the frequent sets whose smallest item is in ``[start, stop)``.

    (int64 x 3, int64[:] x 6, int64[:, :], int64[:, :], uint64[:], int64 x 3) -> items of the sets end to end, their
    offsets, their counts. Items are frequent and numbered by ascending ``support``. The class of item ``first + k`` is
    ``kept[kept_at[k]:kept_at[k + 1]]``; for its bits see ``itemsets_classes.fill_bits``, line ``t`` of ``at`` and
    ``used`` belonging to part ``t`` of the rows. Ends early, with ``max_sets + 1`` sets, when there are more than
    ``max_sets``.
    """
    n_items = len(support)
    values = np.empty(1024, dtype=np.int32)
    bounds = np.zeros(1024, dtype=np.int64)
    counts = np.empty(1024, dtype=np.int64)
    state = np.zeros(3, dtype=np.int64)
    path = np.empty(n_items + 1, dtype=np.int32)
    class_at = np.zeros(n_items + 2, dtype=np.int64)
    class_stop = np.zeros(n_items + 2, dtype=np.int64)
    members = np.empty(max(n_items, 1024), dtype=np.int64)
    supports = np.empty(max(n_items, 1024), dtype=np.int64)
    bits = np.empty(1024, dtype=np.uint64)
    for root in range(start, stop):
        line = root - first
        found = kept_at[line + 1] - kept_at[line]
        words = 0
        for part in range(len(used)):
            words += (used[part, line] + 63) >> 6
        bits = grown(bits, found * words)
        top = 0
        for index in range(found):
            members[index] = kept[kept_at[line] + index]
            supports[index] = kept_supports[kept_at[line] + index]
            for part in range(len(used)):
                source = base[line] + index * stride[line] + at[part, line]
                for word in range((used[part, line] + 63) >> 6):
                    bits[top] = first_bits[source + word]
                    top += 1
        path[0] = root
        class_at[1] = 0
        class_stop[1] = found
        state[0] = 1
        while not _search(
            support[root], words, min_count, max_length, max_sets, state,
            path, class_at, class_stop, members, supports, bits, values, bounds, counts,
        ):  # fmt: skip
            if state[2] > max_sets:
                return values[: state[1]], bounds[: state[2] + 1], counts[: state[2]]
            room = 2 * class_stop[state[0] - 1] + 1
            members = grown(members, room)
            supports = grown(supports, room)
            bits = grown(bits, room * words)
            values = grown(values, state[1] + state[0])
            bounds = grown(bounds, state[2] + 2)
            counts = grown(counts, state[2] + 2)
    return values[: state[1]], bounds[: state[2] + 1], counts[: state[2]]
