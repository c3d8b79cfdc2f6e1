"""What every miner of sequences does alike: read the rows, mine, time the call alone, write the patterns.

Standard library only. A row is a line of whole numbers; a pattern is a line of its count and its items.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from _common import tell, timed

Pattern = tuple[int, Iterable[int]]


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
    small = load([[1, 2, 3], [1, 3]])
    mine(small, 2)  # compile and import
    with given.rows.open() as file:
        data = load([list(map(int, line.split())) for line in file])
    tell(begin="mine")
    answer, took = timed(lambda: mine(data, given.min_count), given.runs)
    with given.out.open("w") as file:
        for count, items in patterns(answer):
            file.write(" ".join(map(str, [count, *items])) + "\n")
    tell(name="mine", **took)
