"""Sequences by pycspade (C++): it takes a share, and rows of (sequence, event, items)."""

from __future__ import annotations

from typing import Any

from _mining import serve
from pycspade import cspade


def load(rows: list[list[int]]) -> tuple[list[tuple[int, int, list[int]]], int]:
    numbered = enumerate((row for row in rows if row), start=1)
    return [(n, place, [item]) for n, row in numbered for place, item in enumerate(row, start=1)], len(rows)


def mine(data: tuple[list[tuple[int, int, list[int]]], int], min_count: int) -> Any:
    events, n = data
    return cspade(data=events, support=min_count / n, maxlen=1000, maxsize=1)


if __name__ == "__main__":
    serve(
        load,
        mine,
        lambda found: (
            (row.noccurs, [item for step in row.items for item in step.elements]) for row in found["mined_objects"]
        ),
    )
