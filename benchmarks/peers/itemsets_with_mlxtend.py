"""Itemsets by FP-growth of mlxtend."""

from __future__ import annotations

from typing import Any

import pandas as pd
from _itemsets import serve
from mlxtend.frequent_patterns import fpgrowth
from mlxtend.preprocessing import TransactionEncoder


def prepare(baskets: list[list[int]], min_count: int) -> Any:
    """Return the table of yes and no that mlxtend works on."""
    encoder = TransactionEncoder()
    table = encoder.fit(baskets).transform(baskets, sparse=len(baskets) > 20_000)
    if len(baskets) > 20_000:
        return pd.DataFrame.sparse.from_spmatrix(table, columns=encoder.columns_)
    return pd.DataFrame(table, columns=encoder.columns_)


def sets(found: tuple[pd.DataFrame, int]) -> list[tuple[list[int], int]]:
    """Return items and counts."""
    frame, n = found
    names = list(frame.attrs["items"])
    return [
        ([names[item] for item in items], round(support * n))
        for items, support in zip(frame["itemsets"], frame["support"], strict=True)
    ]


def mine(table: Any, min_count: int) -> tuple[pd.DataFrame, int]:
    """Mine; half a count less, because the library rounds up what it multiplies back."""
    frame = fpgrowth(table, min_support=(min_count - 0.5) / len(table))
    frame.attrs["items"] = table.columns
    return frame, len(table)


if __name__ == "__main__":
    serve(prepare, mine, sets)
