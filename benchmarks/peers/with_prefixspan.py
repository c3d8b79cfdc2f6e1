"""Sequences by prefixspan."""

from __future__ import annotations

from typing import Any

from _mining import serve
from prefixspan import PrefixSpan


def mine(rows: list[list[int]], min_count: int) -> Any:
    miner = PrefixSpan(rows)
    miner.maxlen = 10**6
    return miner.frequent(min_count)


if __name__ == "__main__":
    serve(lambda rows: rows, mine, lambda found: ((count, [[item] for item in items]) for count, items in found))
