"""Frequent sequences in rows of up to 64 events: each item of a row is a mask of the places where it stands.

Here few items are left and many rows hold them, so a table of rows and items is not much larger than the rows
themselves, and every loop runs over all rows of one item without a branch: processors do four or eight rows at a time.
What follows the first place of an item are the bits above its lowest one.

References
----------
Ayres et al. (2002), Sequential pattern mining using a bitmap representation, KDD (there a bit for each place of the
whole data; here for each place of what is left of a row after the pattern so far).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._bits import leading_zeros, trailing_zeros
from cjm.kernels._jit import kernel
from cjm.kernels.sequences_index import grown, grown_table

__all__ = ["grow_masks", "to_masks"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
MaskArray = npt.NDArray[np.uint64]
RowArray = npt.NDArray[np.uint32]
PlaceArray = npt.NDArray[np.uint16]

# Columns of a node: its children, those of them to come, their pairs, its masks and how many rows they have.
_NOWHERE = np.uint16(65)
_BLOCK = 4_096  # rows: what is compared at a time stays in the cache, and counts fit in 16 bits

_FIRST, _LAST, _NEXT, _PAIRS, _MASKS, _ROWS = 0, 1, 2, 3, 4, 5


@kernel
def to_masks(
    data: CodeArray, lo: int, hi: int, width: int, rows: int, masks: MaskArray, starts: PlaceArray, lasts: PlaceArray
) -> None:
    """Write the rows of ``data[lo:hi]`` (codes below ``width``, each row closed by -1) as masks, item by item.

    Places of a row count from 1. ``starts`` and ``lasts`` get the first and the last one of each item; where there is
    none, a place beyond all others and 0.
    """
    for cell in range(width * rows):  # three loops: each is one fill of memory
        masks[cell] = 0
    for cell in range(width * rows):
        starts[cell] = _NOWHERE
    for cell in range(width * rows):
        lasts[cell] = 0
    row = 0
    at = 0
    for place in range(lo, hi):
        item = data[place]
        if item < 0:
            row += 1
            at = 0
        else:
            cell = item * rows + row
            masks[cell] |= np.uint64(1) << np.uint64(at)
            at += 1
            starts[cell] = min(starts[cell], np.uint16(at))
            lasts[cell] = at


@kernel
def _count_pairs(starts: PlaceArray, lasts: PlaceArray, rows: int, width: int, pairs: CodeArray) -> None:
    """Count the rows in which one item comes after another: where its last place lies behind the first of the other."""
    for cell in range(width * width):
        pairs[cell] = 0
    for low in range(0, rows, _BLOCK):
        high = min(low + _BLOCK, rows)
        for one in range(width):
            start = starts[one * rows + low : one * rows + high]
            for other in range(width):
                last = lasts[other * rows + low : other * rows + high]
                count = np.uint16(0)
                for row in range(len(start)):
                    count = np.uint16(count + np.uint16(last[row] > start[row]))
                pairs[one * width + other] += count


@kernel
def _rows_with(start: PlaceArray, rows: int, chosen: RowArray) -> int:
    """List the rows that hold an item; return how many there are."""
    count = 0
    for row in range(rows):
        chosen[count] = row
        count += start[row] != _NOWHERE
    return count


@kernel
def _set_after(mask: MaskArray, chosen: RowArray, rows: int, after: MaskArray) -> None:
    """Set the bits that lie above the lowest one of each mask."""
    for index in range(rows):
        bits = mask[chosen[index]]
        after[index] = ~(bits ^ (bits - np.uint64(1)))


@kernel
def _unite(mask: MaskArray, chosen: RowArray, rows: int, union: MaskArray) -> None:
    for index in range(rows):
        union[index] |= mask[chosen[index]]


@kernel
def _keep_two(union: MaskArray, after: MaskArray, chosen: RowArray, rows: int) -> int:
    """Keep the rows in which two bits or more of ``union`` lie after the item; return how many there are."""
    kept = 0
    for index in range(rows):
        left = union[index] & after[index]
        chosen[kept] = chosen[index]
        after[kept] = after[index]
        kept += 1 if left & (left - np.uint64(1)) else 0
    return kept


@kernel
def _take(
    mask: MaskArray, chosen: RowArray, after: MaskArray, rows: int, left: MaskArray, start: PlaceArray, last: PlaceArray
) -> None:
    """Write what is left of an item in the chosen rows."""
    for index in range(rows):
        bits = mask[chosen[index]] & after[index]
        left[index] = bits
        start[index] = trailing_zeros(bits) + 1
        last[index] = 64 - leading_zeros(bits)


@kernel
def grow_masks(
    masks: MaskArray, starts: PlaceArray, lasts: PlaceArray, rows: int, item: IntArray, support: IntArray,
    first_child: int, stop_child: int, path: CodeArray, length: int,
    min_count: int, min_length: int, max_length: int, max_patterns: int, stop: npt.NDArray[np.uint8],
    values: CodeArray, bounds: IntArray, counts: IntArray, n_patterns: int,
) -> tuple[MaskArray, PlaceArray, PlaceArray, CodeArray, CodeArray, IntArray, IntArray, int]:  # fmt: skip
    """Add all patterns that begin with ``path[:length]`` and go on, below a node with ``rows`` as masks.

    (uint64[:], uint16[:], uint16[:], int64, int64[:], int64[:], int64, int64, int32[:], int64 x 5, uint8[:], int32[:],
    int64[:], int64[:], int64) -> the arrays, longer where they had to be, and how many patterns there are now. ``item``
    and ``support`` are those of the children of the node, of which those from ``first_child`` to ``stop_child`` are
    gone through; the masks of child ``i`` are ``masks[i * rows:(i + 1) * rows]``.
    """
    n_values = bounds[n_patterns]
    after = np.empty(rows, dtype=np.uint64)
    union = np.empty(rows, dtype=np.uint64)
    chosen = np.empty(rows + 1, dtype=np.uint32)
    child = np.empty((len(item) + 64, 2), dtype=np.int64)
    for index in range(len(item)):
        child[index, 0] = item[index]
        child[index, 1] = support[index]
    pairs = np.empty(256, dtype=np.int32)
    node = np.empty((16, 6), dtype=np.int64)
    for column in range(6):
        node[0, column] = 0
    node[0, _LAST] = len(item)
    node[0, _NEXT] = -1
    node[0, _ROWS] = rows
    depth = 0
    while depth >= 0:
        first = node[depth, _FIRST]
        width = node[depth, _LAST] - first
        n = node[depth, _ROWS]
        base = node[depth, _MASKS]
        free = node[depth, _PAIRS]
        if node[depth, _NEXT] < 0:  # the first visit: count pairs of children
            node[depth, _NEXT] = first if depth else first_child
            if n:
                pairs = grown(pairs, free + width * width)
                cells = slice(base, base + width * n)
                _count_pairs(starts[cells], lasts[cells], n, width, pairs[free : free + width * width])
        if node[depth, _NEXT] == (node[depth, _LAST] if depth else stop_child):
            depth -= 1
            continue
        one = node[depth, _NEXT] - first
        node[depth, _NEXT] += 1
        size = length + depth + 1
        path = grown(path, size)
        path[size - 1] = child[first + one, 0]
        if size >= min_length:
            values = grown(values, n_values + size)
            for step in range(size):
                values[n_values + step] = path[step]
            n_values += size
            bounds = grown(bounds, n_patterns + 2)
            counts = grown(counts, n_patterns + 1)
            bounds[n_patterns + 1] = n_values
            counts[n_patterns] = child[first + one, 1]
            n_patterns += 1
            if n_patterns > max_patterns or stop[0]:
                break
        if n == 0 or size == max_length:
            continue
        last = node[depth, _LAST]
        child = grown_table(child, last + width)
        for other in range(width):
            if pairs[free + one * width + other] >= min_count:
                child[last, 0] = child[first + other, 0]
                child[last, 1] = pairs[free + one * width + other]
                last += 1
        if last == node[depth, _LAST]:
            continue
        node = grown_table(node, depth + 2)
        depth += 1
        node[depth, _FIRST] = node[depth - 1, _LAST]
        node[depth, _LAST] = last
        node[depth, _NEXT] = -1
        node[depth, _PAIRS] = free + width * width
        node[depth, _MASKS] = base + width * n
        node[depth, _ROWS] = 0
        if size + 1 == max_length:
            continue
        mine = slice(base + one * n, base + (one + 1) * n)
        taken = _rows_with(starts[mine], n, chosen)
        _set_after(masks[mine], chosen, taken, after)
        for row in range(taken):
            union[row] = 0
        for other in range(width):
            if pairs[free + one * width + other] >= min_count:
                _unite(masks[base + other * n : base + (other + 1) * n], chosen, taken, union)
        taken = _keep_two(union, after, chosen, taken)
        if taken < min_count:
            continue
        node[depth, _ROWS] = taken
        top = base + width * n
        needed = top + (last - node[depth, _FIRST]) * taken
        masks, starts, lasts = grown(masks, needed), grown(starts, needed), grown(lasts, needed)
        for other in range(width):
            if pairs[free + one * width + other] >= min_count:
                _take(
                    masks[base + other * n : base + (other + 1) * n], chosen, after, taken, masks[top : top + taken],
                    starts[top : top + taken], lasts[top : top + taken],
                )  # fmt: skip
                top += taken
    return masks, starts, lasts, path, values, bounds, counts, n_patterns
