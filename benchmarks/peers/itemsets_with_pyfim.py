"""Itemsets by Eclat of PyFIM (C)."""

from __future__ import annotations

import fim
from _itemsets import serve

if __name__ == "__main__":
    serve(
        lambda baskets, min_count: baskets,
        lambda baskets, min_count: fim.eclat(baskets, target="s", supp=-min_count, zmin=1, report="a"),
        lambda found: found,
    )
