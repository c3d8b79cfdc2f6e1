"""Work in parts, several at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["cuts", "in_threads"]


def in_threads(part: Callable[[int, int], Any], ranges: Iterable[tuple[int, int]]) -> list[Any]:
    """Return the results of ``part`` for each range, in their order; several are computed at once in threads."""
    ranges = list(ranges)
    if len(ranges) < 2:
        return [part(*one) for one in ranges]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda one: part(*one), ranges))


def cuts(size: int, length: int) -> list[tuple[int, int]]:
    """Return the ranges of ``length`` that ``size`` is cut into; the last may be shorter.

    Examples
    --------
    >>> cuts(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(low, min(low + length, size)) for low in range(0, size, length)]
