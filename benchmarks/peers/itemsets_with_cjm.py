"""Itemsets by cjm itself, on one thread."""

from __future__ import annotations

import numpy as np
from _itemsets import serve

from cjm.mining._eclat import frequent_itemsets, item_counts
from cjm.mining._family import Family
from cjm.ragged import Ragged


def prepare(baskets: list[list[int]], min_count: int) -> Ragged:
    """Return the baskets end to end; mine them once, which compiles."""
    offsets = np.concatenate(([0], np.cumsum([len(items) for items in baskets])))
    given = Ragged(np.array([item for items in baskets for item in items], dtype=np.int32), offsets)
    mine(given, min_count)
    return given


def mine(baskets: Ragged, min_count: int) -> Family:
    """Count and search."""
    support, _ = item_counts([baskets], int(baskets.values.max()) + 1)
    return frequent_itemsets([baskets], support, min_count=min_count, threads=1)


if __name__ == "__main__":
    serve(
        prepare,
        mine,
        lambda found: zip((items.tolist() for items in found.patterns), found.counts.tolist(), strict=True),
    )
