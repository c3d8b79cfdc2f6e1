"""What every miner of sequences does alike: read the rows, mine, time the call alone, write the patterns.

Standard library only. A row is a line of whole numbers; a pattern is a line of its count and its items. Where a row
holds -1, that ends the items at one time; in a pattern it stands between steps of which one has several items.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from _common import tell, timed

Pattern = tuple[int, Iterable[Iterable[int]]]


def baskets_of(row: list[int]) -> list[list[int]]:
    """Return the items at each time."""
    if -1 not in row:
        return [[item] for item in row]
    baskets: list[list[int]] = [[]]
    for item in row[:-1]:
        if item < 0:
            baskets.append([])
        else:
            baskets[-1].append(item)
    return baskets


def serve(
    load: Callable[[list[list[int]]], Any],
    mine: Callable[[Any, int], Any],
    patterns: Callable[[Any], Iterable[Pattern]],
) -> None:
    """Mine as the command line says; what ``load`` makes of the rows is not timed, nor is ``patterns``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("min_count", type=int)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    tell(begin="load")
    with given.rows.open() as file:
        rows = [list(map(int, line.split())) for line in file]
    together = any(-1 in row for row in rows)
    small = [[1, 2, 3], [1, 3], [2, 3]]
    mine(load([[1, -1, 2, 3, -1], [1, -1, 3, -1], [2, -1, 3, -1]] if together else small), 2)  # compile and import
    data = load(rows)
    tell(begin="mine")
    answer, took = timed(lambda: mine(data, given.min_count), given.runs)
    with given.out.open("w") as file:
        for count, steps in patterns(answer):
            joined = (" -1 " if together else " ").join(" ".join(map(str, sorted(step))) for step in steps)
            file.write(f"{count} {joined}\n")
    tell(name="mine", **took)
