"""Sequences by pycspade (C++): it takes a share, and rows of (sequence, event, items)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _mining import Pattern, baskets_of, serve
from pycspade import spade


def load(rows: list[list[int]]) -> tuple[list[tuple[int, int, list[int]]], int]:
    numbered = enumerate((baskets_of(row) for row in rows if row), start=1)
    return [(n, time, items) for n, row in numbered for time, items in enumerate(row, start=1)], len(rows)


def mine(data: tuple[list[tuple[int, int, list[int]]], int], min_count: int) -> Any:
    events, n = data
    return spade(data=events, support=min_count / n, maxlen=1000, maxsize=1000)


def patterns(found: Any) -> Iterator[Pattern]:
    for left in Path("/tmp").glob("cspade-*"):  # its files, which it does not remove
        left.unlink()
    for row in found["mined_objects"]:
        yield row.noccurs, [step.elements for step in row.items]


if __name__ == "__main__":
    serve(load, mine, patterns)
