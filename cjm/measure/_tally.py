"""Counts by key over all paths of a bucket, batch by batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cjm.ragged import IntArray

__all__ = ["tallied"]

_BATCH = 32_768


def tallied(fill: Callable[[int, IntArray], tuple[int, int]], paths: int, longest: int) -> tuple[IntArray, ...]:
    """Return the keys that occur, how often, and with how many owners.

    Parameters
    ----------
    fill : callable
        Given the first path and an array, writes the key and the owner of occurrences into its rows, of whole paths,
        for as long as there is room; returns the path to go on with, and the number of rows.
    paths : int
        Number of paths.
    longest : int
        How many occurrences a path has at most.
    """
    from cjm.kernels.tallies import COLUMNS, count_batch, place_entries

    batch = np.empty((max(_BATCH, longest), 2), dtype=np.int64)
    table = np.zeros((1, COLUMNS), dtype=np.int64)
    slots = np.empty(0, dtype=np.int32)
    path = 0
    while path < paths:
        path, size = fill(path, batch)
        entries = int(table[0, 0]) + 1
        if entries + size > len(table):
            length = 1 << (entries + size).bit_length()
            table = np.concatenate([table[:entries], np.zeros((length - entries, COLUMNS), dtype=np.int64)])
            slots = np.zeros(2 * length, dtype=np.int32)
            place_entries(slots, table)
        count_batch(slots, table, batch, size)
    found = table[1 : int(table[0, 0]) + 1].T
    return found[0], found[1], found[2]
