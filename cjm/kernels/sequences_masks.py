"""Frequent sequences in rows of up to 64 events: each item of a row is a mask of the places where it stands.

Here few items are left and many rows hold them, so a table of rows and items is not much larger than the rows
themselves, and loops run over all rows of one item without a branch: processors do many rows at a time. What follows
the first place of an item are the bits above its lowest one; an item comes after another where its mask is the larger
number once the other's bits up to its lowest one are set.

Most rows are short, and short masks are fast: rows of up to 16, 32 and 64 events lie apart, in three arrays of masks.
One node of the search has a table in each. A table of ``n`` rows and ``width`` items has ``width + 1`` columns one
after the other: the masks of its items, and all of them together.

References
----------
Ayres et al. (2002), Sequential pattern mining using a bitmap representation, KDD (there a bit for each place of the
whole data; here for each place of what is left of a row after the pattern so far).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_index import add_pattern, grown, grown_table

__all__ = ["grow_masks", "to_masks"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
Masks = npt.NDArray[Any]  # uint16, uint32 or uint64

_BLOCK = 4_096  # rows: what is compared at a time stays in the cache, and counts fit in 16 bits

# Columns of a child: its item, its support, its column in the table of the node above.
_ITEM, _SUPPORT, _ABOVE = 0, 1, 2
# Columns of a node: its children, those of them to come, its pairs, where its three tables begin, how many rows they
# have.
_FIRST, _LAST, _NEXT, _STOP, _PAIRS, _BASE, _ROWS = 0, 1, 2, 3, 4, 5, 8
_N_COLUMNS = 11


@kernel
def _fill(data: CodeArray, place: int, stop: int, width: int, masks: Masks, rows: int, row: int) -> None:
    """Write one row: bit ``i`` of the mask of an item says that it is event ``i``."""
    bit = masks.dtype.type(1)
    union = masks.dtype.type(0)
    for at in range(place, stop):
        masks[data[at] * rows + row] |= bit
        union |= bit
        bit = masks.dtype.type(bit << masks.dtype.type(1))
    masks[width * rows + row] = union


@kernel
def _emptied(masks: Masks, cells: int) -> Masks:
    longer = grown(masks, cells)
    for cell in range(cells):
        longer[cell] = 0
    return longer


@kernel
def to_masks(
    data: CodeArray, lo: int, hi: int, width: int, masks: tuple[Masks, Masks, Masks]
) -> tuple[tuple[Masks, Masks, Masks], tuple[int, int, int]]:
    """Write the rows of ``data[lo:hi]`` (codes below ``width``, each row closed by -1) to three tables.

    Return the arrays of the tables, which begin with them, and how many rows each table has.
    """
    short, middle, long = 0, 0, 0
    first = lo
    for place in range(lo, hi):
        if data[place] < 0:
            short += place - first <= 16
            middle += 16 < place - first <= 32
            long += place - first > 32
            first = place + 1
    masks16 = _emptied(masks[0], (width + 1) * short)
    masks32 = _emptied(masks[1], (width + 1) * middle)
    masks64 = _emptied(masks[2], (width + 1) * long)
    row16, row32, row64 = 0, 0, 0
    first = lo
    for place in range(lo, hi):
        if data[place] < 0:
            if place - first <= 16:
                _fill(data, first, place, width, masks16, short, row16)
                row16 += 1
            elif place - first <= 32:
                _fill(data, first, place, width, masks32, middle, row32)
                row32 += 1
            else:
                _fill(data, first, place, width, masks64, long, row64)
                row64 += 1
            first = place + 1
    return (masks16, masks32, masks64), (short, middle, long)


@kernel
def _count_pairs(masks: Masks, rows: int, width: int, asked: npt.NDArray[np.bool_], pairs: CodeArray) -> None:
    """Add the rows in which one item comes after another, ``pairs[one * width + other]``, for pairs that are asked."""
    upto = np.empty(min(rows, _BLOCK), dtype=masks.dtype)
    for low in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - low)
        for one in range(width):
            bits = masks[one * rows + low : one * rows + low + size]
            for row in range(size):
                upto[row] = bits[row] ^ (bits[row] - masks.dtype.type(1))
            for other in range(width):
                if asked[one * width + other]:
                    follows = masks[other * rows + low : other * rows + low + size]
                    count = masks.dtype.type(0)
                    for row in range(size):
                        count = masks.dtype.type(count + masks.dtype.type(follows[row] > upto[row]))
                    pairs[one * width + other] += count


@kernel
def _take(source: Masks, chosen: CodeArray, target: Masks) -> None:
    for row in range(len(target)):
        target[row] = source[chosen[row]]


@kernel
def _leave(target: Masks, after: Masks, union: Masks) -> None:
    """Leave what lies after, and add it to the union."""
    for row in range(len(target)):
        target[row] &= after[row]
        union[row] |= target[row]


@kernel
def _descend(
    masks: Masks, base: int, rows: int, width: int, one: int, below: IntArray, chosen: CodeArray, after: Masks
) -> tuple[Masks, int]:
    """Write the table of item ``one`` of a table behind that: ``below`` are the items that matter, its columns.

    Of rows in which two events or more may be left. Return the array, and how many rows there are.
    """
    taken = 0
    top = base + (width + 1) * rows
    own = masks[base + one * rows : base + (one + 1) * rows]
    all_items = masks[base + width * rows : top]
    for row in range(rows):
        bits = masks.dtype.type(~(own[row] ^ (own[row] - masks.dtype.type(1))))
        left = all_items[row] & bits
        chosen[taken] = row
        after[taken] = bits
        taken += (left & (left - masks.dtype.type(1))) != 0
    end = top + len(below) * taken
    masks = grown(masks, end + taken)
    union = masks[end : end + taken]
    for row in range(taken):
        union[row] = 0
    for index in range(len(below)):
        target = masks[top + index * taken : top + (index + 1) * taken]
        _take(masks[base + below[index] * rows : base + (below[index] + 1) * rows], chosen, target)
        _leave(target, after, union)
    return masks, taken


@kernel
def grow_masks(
    masks: tuple[Masks, Masks, Masks], rows: tuple[int, int, int], item: IntArray, support: IntArray,
    first_child: int, stop_child: int, path: CodeArray, length: int,
    min_count: int, min_length: int, max_length: int, max_patterns: int, stop: npt.NDArray[np.uint8],
    values: CodeArray, bounds: IntArray, counts: IntArray, n_patterns: int,
) -> tuple[tuple[Masks, Masks, Masks], CodeArray, CodeArray, IntArray, IntArray, int]:  # fmt: skip
    """Add all patterns that begin with ``path[:length]`` and go on, below a node with ``rows`` as masks.

    (three tables as ``to_masks`` makes them, int64 x 3, int64[:], int64[:], int64 x 2, int32[:], int64 x 5, uint8[:],
    int32[:], int64[:], int64[:], int64) -> the arrays, longer where they had to be, and how many patterns there are
    now. ``item`` and ``support`` are those of the children of the node, of which those from ``first_child`` to
    ``stop_child`` are gone through.
    """
    masks16, masks32, masks64 = masks
    after16 = np.empty(rows[0] + 1, dtype=np.uint16)
    after32 = np.empty(rows[1] + 1, dtype=np.uint32)
    after64 = np.empty(rows[2] + 1, dtype=np.uint64)
    chosen = np.empty(max(rows) + 1, dtype=np.int32)
    child = np.empty((len(item) + 64, 3), dtype=np.int64)
    for index in range(len(item)):
        child[index, _ITEM] = item[index]
        child[index, _SUPPORT] = support[index]
    pairs = np.empty(256, dtype=np.int32)
    asked = np.empty(256, dtype=np.bool_)
    node = np.zeros((16, _N_COLUMNS), dtype=np.int64)
    node[0, _LAST] = len(item)
    node[0, _NEXT] = -1
    for index in range(3):
        node[0, _ROWS + index] = rows[index]
    depth = 0
    while depth >= 0:
        first = node[depth, _FIRST]
        last = node[depth, _LAST]
        width = last - first
        n16, n32, n64 = node[depth, _ROWS], node[depth, _ROWS + 1], node[depth, _ROWS + 2]
        base16, base32, base64 = node[depth, _BASE], node[depth, _BASE + 1], node[depth, _BASE + 2]
        free = node[depth, _PAIRS]
        if node[depth, _NEXT] < 0:  # the first visit: count pairs of children
            node[depth, _NEXT] = first if depth else first_child
            node[depth, _STOP] = last if depth else stop_child
            if n16 + n32 + n64:
                pairs = grown(pairs, free + width * width)
                asked = grown(asked, width * width)
                above = node[depth - 1, _PAIRS]
                above_width = first - node[depth - 1, _FIRST]
                for one in range(width):
                    for other in range(width):
                        # what is rare here was rare after a shorter pattern
                        asked[one * width + other] = depth == 0 or (
                            pairs[above + child[first + one, _ABOVE] * above_width + child[first + other, _ABOVE]]
                            >= min_count
                        )
                        pairs[free + one * width + other] = 0
                of_node = pairs[free : free + width * width]
                _count_pairs(masks16[base16 : base16 + width * n16], n16, width, asked, of_node)
                _count_pairs(masks32[base32 : base32 + width * n32], n32, width, asked, of_node)
                _count_pairs(masks64[base64 : base64 + width * n64], n64, width, asked, of_node)
        if node[depth, _NEXT] == node[depth, _STOP]:
            depth -= 1
            continue
        one = node[depth, _NEXT] - first
        node[depth, _NEXT] += 1
        size = length + depth + 1
        path = grown(path, size)
        path[size - 1] = child[first + one, _ITEM]
        if size >= min_length:
            values, bounds, counts = add_pattern(
                values, bounds, counts, n_patterns, path, size, child[first + one, _SUPPORT]
            )
            n_patterns += 1
            if n_patterns > max_patterns or stop[0]:
                break
        if n16 + n32 + n64 == 0 or size == max_length:
            continue
        child = grown_table(child, last + width)
        next_last = last
        for other in range(width):
            if pairs[free + one * width + other] >= min_count:
                child[next_last, _ITEM] = child[first + other, _ITEM]
                child[next_last, _SUPPORT] = pairs[free + one * width + other]
                child[next_last, _ABOVE] = other
                next_last += 1
        if next_last == last:
            continue
        node = grown_table(node, depth + 2)
        depth += 1
        node[depth, _FIRST] = last
        node[depth, _LAST] = next_last
        node[depth, _NEXT] = -1
        node[depth, _PAIRS] = free + width * width
        for index in range(3):
            node[depth, _ROWS + index] = 0
        if size + 1 == max_length:
            continue
        below = child[last:next_last, _ABOVE].copy()
        masks16, taken16 = _descend(masks16, base16, n16, width, one, below, chosen, after16)
        masks32, taken32 = _descend(masks32, base32, n32, width, one, below, chosen, after32)
        masks64, taken64 = _descend(masks64, base64, n64, width, one, below, chosen, after64)
        if taken16 + taken32 + taken64 < min_count:
            continue
        node[depth, _ROWS], node[depth, _ROWS + 1], node[depth, _ROWS + 2] = taken16, taken32, taken64
        node[depth, _BASE] = base16 + (width + 1) * n16
        node[depth, _BASE + 1] = base32 + (width + 1) * n32
        node[depth, _BASE + 2] = base64 + (width + 1) * n64
    return (masks16, masks32, masks64), path, values, bounds, counts, n_patterns
