"""Baskets as rows of ascending items, end to end, each closed by -1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["basket_rows", "sort_each"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def _sort(values: CodeArray, lo: int, hi: int) -> None:
    for right in range(lo + 1, hi):
        item = values[right]
        left = right
        while left > lo and values[left - 1] > item:
            values[left] = values[left - 1]
            left -= 1
        values[left] = item


@kernel
def sort_each(values: CodeArray, offsets: IntArray) -> None:
    """Sort every set in place (they are short): (int32[:], int64[:])."""
    for index in range(len(offsets) - 1):
        _sort(values, offsets[index], offsets[index + 1])


@kernel
def basket_rows(code: CodeArray, offsets: IntArray, new_code: CodeArray, n_items: int) -> CodeArray:
    """Return the rows of baskets with two kept items or more.

    (int32[:], int64[:], int32[:], int64) -> int32[:]. ``new_code`` is -1 for items that are left out. An item counts
    once a basket.
    """
    room = 0
    for place in range(offsets[0], offsets[-1]):
        room += new_code[code[place]] >= 0
    rows = np.empty(room + len(offsets), dtype=np.int32)
    seen = np.full(n_items, -1, dtype=np.int64)
    top = 0
    for basket in range(len(offsets) - 1):
        first = top
        for place in range(offsets[basket], offsets[basket + 1]):
            item = new_code[code[place]]
            if item >= 0 and seen[item] != basket:
                seen[item] = basket
                rows[top] = item
                top += 1
        length = top - first
        if length < 2:
            top = first
            continue
        if length * length < 4 * n_items:
            _sort(rows, first, top)
        else:  # a long row: read the items off in their order
            top = first
            for item in range(n_items):
                if seen[item] == basket:
                    rows[top] = item
                    top += 1
        rows[top] = -1
        top += 1
    return rows[:top].copy()
