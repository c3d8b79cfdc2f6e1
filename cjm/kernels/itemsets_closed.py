"""Closed and maximal itemsets, without a look at the others: bit sets as in ``itemsets_eclat``, and closure tests.

A set is extended at once by all items that every one of its rows holds. If one of these was to be left out, because all
sets with it were found before, then neither the set nor any larger one with its items is closed, and the search turns
back: so it meets as many sets as there are closed ones.

References
----------
Uno, Asai, Uchida, Arimura (2004), An efficient algorithm for enumerating closed patterns in transaction databases,
Discovery Science. Zaki and Hsiao (2002), CHARM: an efficient algorithm for closed itemset mining, SDM.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.itemsets_eclat import meet
from cjm.kernels.sequences_index import grown

__all__ = ["closed"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
BitArray = npt.NDArray[np.uint64]


@kernel
def _within(bits: BitArray, a: int, b: int, words: int) -> bool:
    """Tell whether the bit set ``b`` holds all of ``a``."""
    word = 0
    while word < words and bits[a * words + word] & ~bits[b * words + word] == np.uint64(0):
        word += 1
    return word == words


@kernel
def _left_out(
    member: int, depth: int, least: int, spare: int, words: int, class_first: IntArray, class_at: IntArray,
    bits: BitArray,
) -> bool:  # fmt: skip
    """Tell whether an item that was left out is in all rows of ``member``, or, if ``least`` is given, in so many."""
    for level in range(depth + 1):
        for other in range(class_first[level], class_at[level] - 1):
            if least == 0:
                if _within(bits, member, other, words):
                    return True
            elif meet(bits, member, other, spare, words) >= least:
                return True
    return False


@kernel
def _search(
    words: int, min_count: int, max_sets: int, maximal: bool, state: IntArray, path: CodeArray,
    path_length: IntArray, class_first: IntArray, class_at: IntArray, class_stop: IntArray,
    members: IntArray, supports: IntArray, bits: BitArray, values: CodeArray, bounds: IntArray, counts: IntArray,
) -> bool:  # fmt: skip
    """Write down the closed sets that begin with one item until all are there (true) or an array is too short (false).

    ``state`` holds the depth of the class that is looked at, the numbers of values and of sets so far. Items of a class
    up to the one in hand were left out; class 0 are items before the first, of which all were.
    """
    depth, n_values, n_sets = state[0], state[1], state[2]
    while depth > 0:
        member, stop = class_at[depth], class_stop[depth]
        if member == stop:
            depth -= 1
            continue
        room = 2 * stop - member + 1
        if (
            n_values + path_length[depth] + stop - member > len(values)
            or n_sets + 2 > len(bounds)
            or n_sets > max_sets
            or room > len(members)
            or room * words > len(bits)
        ):
            state[0], state[1], state[2] = depth, n_values, n_sets
            return False
        class_at[depth] += 1
        if _left_out(member, depth, 0, stop, words, class_first, class_at, bits):
            continue
        length = path_length[depth]
        path[length] = members[member]
        length += 1
        top = stop
        for other in range(member + 1, stop):
            both = meet(bits, member, other, top, words)
            if both == supports[member]:
                path[length] = members[other]
                length += 1
            elif both >= min_count:
                members[top] = members[other]
                supports[top] = both
                top += 1
        if not maximal or (
            top == stop and not _left_out(member, depth, min_count, stop, words, class_first, class_at, bits)
        ):
            for step in range(length):
                values[n_values + step] = path[step]
            n_values += length
            bounds[n_sets + 1] = n_values
            counts[n_sets] = supports[member]
            n_sets += 1
        if top > stop:
            depth += 1
            path_length[depth] = length
            class_first[depth] = stop
            class_at[depth] = stop
            class_stop[depth] = top
    state[0], state[1], state[2] = depth, n_values, n_sets
    return True


@kernel
def closed(
    first: int, start: int, stop: int, support: IntArray, kept: IntArray, kept_supports: IntArray, kept_at: IntArray,
    base: IntArray, stride: IntArray, at: IntArray, used: IntArray, first_bits: BitArray,
    min_count: int, max_sets: int, maximal: bool,
) -> tuple[CodeArray, IntArray, IntArray]:  # fmt: skip
    """Find the closed sets, or the maximal ones, whose smallest item is in ``[start, stop)``.

    (int64 x 3, int64[:] x 6, int64[:, :], int64[:, :], uint64[:], int64 x 2, bool) -> as ``itemsets_eclat.frequent``,
    and from the same, but classes hold smaller items too, and bits are of all rows with any member.
    """
    n_items = len(support)
    values = np.empty(1024 + n_items, dtype=np.int32)
    bounds = np.zeros(1024, dtype=np.int64)
    counts = np.empty(1024, dtype=np.int64)
    state = np.zeros(3, dtype=np.int64)
    path = np.empty(n_items + 1, dtype=np.int32)
    path_length = np.zeros(n_items + 2, dtype=np.int64)
    class_first = np.zeros(n_items + 2, dtype=np.int64)
    class_at = np.zeros(n_items + 2, dtype=np.int64)
    class_stop = np.zeros(n_items + 2, dtype=np.int64)
    members = np.empty(max(n_items, 1024), dtype=np.int64)
    supports = np.empty(max(n_items, 1024), dtype=np.int64)
    bits = np.empty(1024, dtype=np.uint64)
    for root in range(start, stop):
        line = root - first
        words = 0
        for part in range(len(used)):
            words += (used[part, line] + 63) >> 6
        bits = grown(bits, (kept_at[line + 1] - kept_at[line]) * words)
        n_before = 0
        top = 0
        length = 1
        path[0] = root
        left_out = False
        for index in range(kept_at[line], kept_at[line + 1]):  # smaller items come first
            if kept_supports[index] == support[root]:
                if kept[index] < root:
                    left_out = True
                    break
                path[length] = kept[index]
                length += 1
                continue
            n_before += kept[index] < root
            members[top] = kept[index]
            supports[top] = kept_supports[index]
            to = top * words
            for part in range(len(used)):
                source = base[line] + (index - kept_at[line]) * stride[line] + at[part, line]
                for word in range((used[part, line] + 63) >> 6):
                    bits[to] = first_bits[source + word]
                    to += 1
            top += 1
        if left_out:
            continue
        if not maximal or top == 0:
            values = grown(values, state[1] + length)
            bounds = grown(bounds, state[2] + 2)
            counts = grown(counts, state[2] + 1)
            for step in range(length):
                values[state[1] + step] = path[step]
            state[1] += length
            bounds[state[2] + 1] = state[1]
            counts[state[2]] = support[root]
            state[2] += 1
        class_at[0] = n_before + 1
        path_length[1] = length
        class_first[1] = n_before
        class_at[1] = n_before
        class_stop[1] = top
        state[0] = 1
        while not _search(
            words, min_count, max_sets, maximal, state, path, path_length, class_first, class_at, class_stop,
            members, supports, bits, values, bounds, counts,
        ):  # fmt: skip
            if state[2] > max_sets:
                return values[: state[1]], bounds[: state[2] + 1], counts[: state[2]]
            room = 2 * class_stop[state[0]] + 1
            members = grown(members, room)
            supports = grown(supports, room)
            bits = grown(bits, room * words)
            values = grown(values, state[1] + n_items)
            bounds = grown(bounds, state[2] + 2)
            counts = grown(counts, state[2] + 2)
    return values[: state[1]], bounds[: state[2] + 1], counts[: state[2]]
