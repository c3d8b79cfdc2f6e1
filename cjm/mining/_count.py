"""How many persons of each group have each of many sequences."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.mining._family import NO_LIMIT

__all__ = ["count_sequences"]

IntArray = npt.NDArray[np.int64]
_TABLE = 1 << 24  # entries of the table of a trie; more sequences are counted in further passes
_SMALL = 1 << 17  # events a thread, below which more threads are not worth while


def count_sequences(
    samples: Sequence[tuple[Journeys, Callable[[IntArray], IntArray]]],
    sequences: pl.Series,
    max_gap: int | None,
    within: int | None,
    where: str,
) -> tuple[IntArray, IntArray, IntArray]:
    """Count the persons of group 0 and 1 with each sequence, and with each sequence without its last step.

    Parameters
    ----------
    samples
        Journeys, and what gives persons their group (0, 1, or -1: not counted).
    sequences : polars.Series of List(String)
        Touchpoints.
    max_gap, within : int, optional
        Microseconds.

    Returns
    -------
    tuple of three ndarrays of int64
        Two of shape (sequences, 2), and the persons in each group.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.pattern_trie import build_trie

    names = [journeys.touchpoints["touchpoint"].cast(pl.String) for journeys, _ in samples]
    known = pl.concat(names).unique().sort() if len(names) > 1 else names[0]
    ordered = sequences.to_frame("pattern").with_row_index("row").sort("pattern")
    order = ordered["row"].to_numpy()
    steps = ordered["pattern"].explode(empty_as_null=False)
    place = _places(steps, known)
    if (place < 0).any():
        name = steps.filter(pl.Series(place < 0)).min()
        raise ArgumentError.unknown("touchpoint", str(name), known, where=where)
    items, coded = np.unique(place, return_inverse=True)
    code = as_array(coded, np.int32)
    item_of = np.full(len(known), -1, dtype=np.int32)
    item_of[items] = np.arange(len(items), dtype=np.int32)
    lengths = sequences.list.len().to_numpy().astype(np.int64)
    bounds = np.concatenate(([0], np.cumsum(lengths[order])))
    limited = max_gap is not None or within is not None
    gap, span = (NO_LIMIT if limit is None else min(limit, NO_LIMIT) for limit in (max_gap, within))
    new_codes = [as_array(item_of[_places(own, known)] if own is not known else item_of, np.int32) for own in names]
    found = np.zeros((len(sequences), 2), dtype=np.int64)
    before = np.zeros((len(sequences), 2), dtype=np.int64)
    done = 0
    while True:
        table, children, parent, node_of = build_trie(
            code, as_array(bounds[done:], np.int64), max(len(items), 1), _TABLE
        )
        trie = as_array(table, np.int32), as_array(children, np.int64)
        counts = np.zeros((len(parent), 2), dtype=np.int64)
        for (journeys, groups), new_code in zip(samples, new_codes, strict=True):
            for bucket in journeys.buckets():
                group = as_array(groups(bucket.arrays.person), np.int64)
                counts += _in_bucket(bucket, group, new_code, (limited, gap, span), trie, len(parent))
        rows = order[done : done + len(node_of)]
        found[rows] = counts[node_of]
        before[rows] = counts[parent[node_of]]
        done += len(node_of)
        if done >= len(sequences):
            return found, before, counts[0]


def _places(names: pl.Series, known: pl.Series) -> IntArray:
    """Return where each name stands among those that are known, -1 where it does not."""
    table = known.to_frame("name").with_row_index("place")
    place = names.to_frame("name").join(table, on="name", how="left", maintain_order="left")["place"]
    return place.cast(pl.Int64).fill_null(-1).to_numpy()


def _in_bucket(
    bucket: Journeys,
    group: IntArray,
    new_code: npt.NDArray[np.int32],
    limits: tuple[bool, int, int],
    trie: tuple[npt.NDArray[np.int32], IntArray],
    n_nodes: int,
) -> IntArray:
    """Return the persons of each group at each node of the trie; ranges of persons are counted side by side."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.pattern_trie import count_trie

    code = as_array(bucket.arrays.code, np.int32)
    time = as_array(bucket.arrays.time, np.int64)
    offsets = as_array(bucket.arrays.offsets, np.int64)

    def count(first: int, stop: int) -> IntArray:
        counts = np.zeros(2 * n_nodes, dtype=np.int64)
        count_trie(code, offsets, first, stop, group, new_code, time, *limits, *trie, counts)
        return counts.reshape(n_nodes, 2)

    tasks = min(os.cpu_count() or 1, 1 + len(code) // _SMALL)
    cuts = np.searchsorted(offsets, np.linspace(0, len(code), tasks + 1)[1:-1]).tolist()
    cuts = [0, *cuts, len(offsets) - 1]
    if tasks == 1:
        return count(*cuts)
    with ThreadPoolExecutor(tasks) as pool:
        return cast("IntArray", np.sum(list(pool.map(count, cuts[:-1], cuts[1:])), axis=0))
