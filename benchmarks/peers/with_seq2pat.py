"""Sequences by seq2pat, which leaves out patterns of one item."""

from __future__ import annotations

from typing import Any

from _mining import serve
from sequential.seq2pat import Seq2Pat


def mine(rows: list[list[int]], min_count: int) -> Any:
    return Seq2Pat(sequences=rows, max_span=None, n_jobs=1).get_patterns(min_frequency=min_count)


if __name__ == "__main__":
    serve(
        lambda rows: [row for row in rows if row],
        mine,
        lambda found: ((row[-1], [[item] for item in row[:-1]]) for row in found),
    )
