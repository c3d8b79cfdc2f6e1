"""What every miner of itemsets does alike: read baskets, mine them several times, tell the cost and a digest.

Standard library only, because it runs in the environment of each peer.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from _common import tell, timed


def serve(
    prepare: Callable[[list[list[int]], int], Any],
    mine: Callable[[Any, int], Any],
    sets: Callable[[Any], Iterable[tuple[Iterable[int], int]]],
) -> None:
    """Mine the file of the command line: ``prepare`` and ``sets`` are not timed, ``mine`` is."""
    path, min_count, runs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with path.open() as file:
        baskets = [[int(word) for word in line.split()] for line in file]
    given = prepare(baskets, min_count)
    found, cost = timed(lambda: mine(given, min_count), runs)
    lines = sorted(f"{' '.join(map(str, sorted(items)))}:{count}" for items, count in sets(found))
    tell(name="itemsets", **cost, sets=len(lines), digest=hashlib.sha256("\n".join(lines).encode()).hexdigest())
