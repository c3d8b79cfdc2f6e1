"""Counts by key in a hash table: of occurrences, and of the owners they belong to.

A table of all cells would be too large for a million touchpoints, and most cells are empty anyway.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["COLUMNS", "count_batch", "place_entries"]

# Columns of a table. Its first row holds the number of entries, in KEY; each later row is an entry.
KEY, COUNT, OWNERS, LAST = 0, 1, 2, 3
COLUMNS = 4

IntArray = npt.NDArray[np.int64]
SlotArray = npt.NDArray[np.int32]


@kernel
def _hashed(key: int) -> int:
    """Return where to look for ``key`` first; the factor is odd, so that small keys all differ in their last bits."""
    mixed = key * 0x9E3779B97F4A7C1
    return mixed ^ (mixed >> 32)


@kernel
def place_entries(slots: SlotArray, table: IntArray) -> None:
    """Enter all rows of ``table`` in empty ``slots``, whose number is a power of two."""
    last = len(slots) - 1
    for row in range(1, table[0, KEY] + 1):
        slot = _hashed(table[row, KEY]) & last
        while slots[slot] != 0:
            slot = (slot + 1) & last
        slots[slot] = row


@kernel
def count_batch(slots: SlotArray, table: IntArray, batch: IntArray, size: int) -> None:
    """Count the first ``size`` rows (key, owner) of a batch; ``table`` has room for as many new entries.

    An owner is counted unless the occurrence of the key before was theirs: all of an owner come one after the other.
    """
    last = len(slots) - 1
    for i in range(size):
        key, owner = batch[i, 0], batch[i, 1]
        slot = _hashed(key) & last
        row = np.int64(slots[slot])
        while row != 0 and table[row, KEY] != key:
            slot = (slot + 1) & last
            row = np.int64(slots[slot])
        if row == 0:
            table[0, KEY] += 1
            row = table[0, KEY]
            slots[slot] = row
            table[row, KEY] = key
            table[row, COUNT] = 0
            table[row, OWNERS] = 0
            table[row, LAST] = -1
        table[row, COUNT] += 1
        table[row, OWNERS] += table[row, LAST] != owner  # without a branch, which would often be guessed wrong
        table[row, LAST] = owner
