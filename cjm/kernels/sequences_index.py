"""Reduce coded sequences to the items that matter, and list where each item stands.

Kernels copy with loops: a slice assignment would compile for seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = [
    "add_pattern", "closed_rows", "first_places", "grown", "grown_table", "item_supports", "keep_items", "occurrences",
]  # fmt: skip

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def grown(array: npt.NDArray[Any], needed: int) -> npt.NDArray[Any]:
    """Return the array, or a longer copy of it if it has less than ``needed`` places."""
    if needed <= len(array):
        return array
    larger = np.empty(max(needed, 2 * len(array)), dtype=array.dtype)
    for index in range(len(array)):
        larger[index] = array[index]
    return larger


@kernel
def grown_table(table: IntArray, needed: int) -> IntArray:
    """Return the table, or a longer copy of it if it has less than ``needed`` rows."""
    if needed <= len(table):
        return table
    longer = np.empty((max(needed, 2 * len(table)), table.shape[1]), dtype=np.int64)
    for row in range(len(table)):
        for column in range(table.shape[1]):
            longer[row, column] = table[row, column]
    return longer


@kernel
def add_pattern(
    values: CodeArray, bounds: IntArray, counts: IntArray, n_patterns: int, path: CodeArray, length: int, support: int
) -> tuple[CodeArray, IntArray, IntArray]:
    """Write ``path[:length]`` behind the patterns so far: items end to end, their offsets, their supports."""
    top = bounds[n_patterns]
    values = grown(values, top + length)
    bounds = grown(bounds, n_patterns + 2)
    counts = grown(counts, n_patterns + 1)
    for step in range(length):
        values[top + step] = path[step]
    bounds[n_patterns + 1] = top + length
    counts[n_patterns] = support
    return values, bounds, counts


@kernel
def item_supports(code: CodeArray, offsets: IntArray, n_items: int) -> IntArray:
    """Count the sequences that hold each item: (int32[:], int64[:], int64) -> int64[:]."""
    support = np.zeros(n_items, dtype=np.int64)
    seen = np.full(n_items, -1, dtype=np.int64)
    for row in range(len(offsets) - 1):
        for place in range(offsets[row], offsets[row + 1]):
            item = code[place]
            if seen[item] != row:
                seen[item] = row
                support[item] += 1
    return support


@kernel
def keep_items(
    code: CodeArray, offsets: IntArray, new_code: CodeArray
) -> tuple[CodeArray, IntArray, IntArray, IntArray]:
    """Keep and recode the items whose ``new_code`` is not -1.

    (int32[:], int64[:], int32[:]) -> codes, offsets, place of each kept event before, row of each kept event.
    """
    kept = 0
    for place in range(len(code)):
        kept += new_code[code[place]] >= 0
    codes = np.empty(kept, dtype=np.int32)
    source = np.empty(kept, dtype=np.int64)
    rows = np.empty(kept, dtype=np.int64)
    ends = np.zeros(len(offsets), dtype=np.int64)
    top = 0
    for row in range(len(offsets) - 1):
        for place in range(offsets[row], offsets[row + 1]):
            item = new_code[code[place]]
            if item >= 0:
                codes[top] = item
                source[top] = place
                rows[top] = row
                top += 1
        ends[row + 1] = top
    return codes, ends, source, rows


@kernel
def occurrences(code: CodeArray, n_items: int) -> tuple[CodeArray, IntArray]:
    """List the places of each item in order: (int32[:], int64) -> places, offsets by item."""
    count = np.zeros(n_items + 1, dtype=np.int64)
    for place in range(len(code)):
        count[code[place] + 1] += 1
    starts = np.cumsum(count)
    places = np.empty(starts[-1], dtype=np.int32)
    top = starts[:-1].copy()
    for place in range(len(code)):
        item = code[place]
        places[top[item]] = place
        top[item] += 1
    return places, starts


@kernel
def closed_rows(code: CodeArray, offsets: IntArray, new_code: CodeArray) -> CodeArray:
    """Return the rows recoded, without items whose new code is -1, each closed by -1; rows without items are gone."""
    kept = 0
    for row in range(len(offsets) - 1):
        before = kept
        for place in range(offsets[row], offsets[row + 1]):
            kept += new_code[code[place]] >= 0
        kept += kept > before
    rows = np.empty(kept, dtype=np.int32)
    top = 0
    for row in range(len(offsets) - 1):
        before = top
        for place in range(offsets[row], offsets[row + 1]):
            item = new_code[code[place]]
            if item >= 0:
                rows[top] = item
                top += 1
        if top > before:
            rows[top] = -1
            top += 1
    return rows


@kernel
def first_places(rows: CodeArray, place_offsets: IntArray) -> CodeArray:
    """List the first place of each item in each row, item by item; ``place_offsets`` are those of the items."""
    places = np.empty(place_offsets[-1], dtype=np.int32)
    top = place_offsets[:-1].copy()
    seen = np.full(len(top), -1, dtype=np.int64)
    row = 0
    for place in range(len(rows)):
        item = rows[place]
        if item < 0:
            row += 1
        elif seen[item] != row:
            seen[item] = row
            places[top[item]] = place
            top[item] += 1
    return places
