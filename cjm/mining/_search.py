"""The search for frequent sequences: the data as kernels want them, and the work cut up for threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import numpy.typing as npt

from cjm.errors import RunError
from cjm.mining._family import NO_LIMIT, Family
from cjm.mining._limits import Limits
from cjm.mining._rows import check_size_of_rows, rows_of
from cjm.mining._units import Units
from cjm.progress import bar
from cjm.ragged import Ragged

__all__ = ["search", "supports"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
_PIECES = 3  # for each thread: first items differ a hundredfold in work, and every cut repeats some


def supports(units: Units) -> tuple[IntArray, int]:
    """Return how many units hold each item, and how many units there are."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_index import item_supports

    found = np.zeros(len(units.names), dtype=np.int64)
    n = 0
    for part in units.parts():
        found += item_supports(as_array(part.code, np.int32), as_array(part.offsets, np.int64), len(found))
        n += len(part.offsets) - 1
    return found, n


def search(
    units: Units,
    support: IntArray,
    *,
    min_count: int,
    first: npt.NDArray[np.bool_],
    min_length: int,
    max_length: int | None,
    limits: Limits,
    max_patterns: int,
    threads: int | None,
) -> Family:
    """Mine the items with ``support`` (0 for one that is not wanted) of at least ``min_count``.

    Parameters
    ----------
    first : ndarray of bool
        Items with which a sequence may begin.

    Raises
    ------
    RunError
        If there are more than ``max_patterns`` sequences, or too many events for places of 32 bits.
    """
    items = np.flatnonzero(support >= min_count).astype(np.int32)
    new_code = np.full(len(support), -1, dtype=np.int32)
    new_code[items] = np.arange(len(items), dtype=np.int32)
    prepare = _limited if limits.given or units.above is not None else _free
    mine = prepare(units, new_code, support[items], limits)
    longest = NO_LIMIT if max_length is None else max_length
    allowed = first[items]
    family = _mined(mine, support[items], allowed, (min_count, min_length, longest, max_patterns), threads)
    if len(family.counts) > max_patterns:
        sizes = []
        for length in range(1, min(longest, 12)):
            shorter = _mined(mine, support[items], allowed, (min_count, 1, length, max_patterns), threads)
            if len(shorter.counts) > max_patterns:
                break
            sizes.append(f"{len(shorter.counts):,} with max_length={length}")
        raise RunError.at(
            f"more than {max_patterns:,} sequences are frequent enough ({len(family.counts):,} when the search was "
            f"stopped; {', '.join(sizes) or 'as many even of one step'})",
            where=units.where,
            hint="Raise min_support, lower max_length, or allow more with max_patterns",
        )
    return Family(Ragged(items[family.patterns.values], family.patterns.offsets), family.counts)


Mine = Callable[..., tuple[CodeArray, IntArray, IntArray]]


def _free(units: Units, new_code: CodeArray, support: IntArray, limits: Limits) -> Mine:
    """Return the search without limits, over rows closed by -1."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_index import closed_rows, first_places
    from cjm.kernels.sequences_mine import frequent, pairs_of_items

    recode = as_array(new_code, np.int32)
    rows = [
        closed_rows(as_array(part.code, np.int32), as_array(part.offsets, np.int64), recode) for part in units.parts()
    ]
    code = rows[0] if len(rows) == 1 else np.concatenate(rows)
    check_size_of_rows(len(code), units.where)
    del rows
    place_offsets = np.concatenate(([0], np.cumsum(support))).astype(np.int64)
    places = first_places(code, place_offsets)
    pairs = pairs_of_items(code, len(support))
    return lambda *rest: frequent(code, places, place_offsets, pairs, *rest)


def _limited(units: Units, new_code: CodeArray, support: IntArray, limits: Limits) -> Mine:
    """Return the search under limits, or over events that stand for several items."""
    from cjm.kernels.sequences_baskets import frequent_baskets
    from cjm.kernels.sequences_limits import frequent_limited

    rows = rows_of(units, new_code, len(support), in_time=limits.in_time)
    given = rows.code, rows.row, rows.offsets, rows.event
    items = rows.places, rows.place_offsets, support
    if limits == Limits(joined=True):
        return lambda *rest: frequent_baskets(*given, *items, *rest)
    values = limits.values()
    return lambda *rest: frequent_limited(*given, rows.time, values, *items, *rest)


def _mined(
    mine: Mine,
    support: IntArray,
    allowed: npt.NDArray[np.bool_],
    bounds: tuple[int, int, int, int],
    threads: int | None,
) -> Family:
    """Run the search in pieces; put what they find end to end, which keeps the order of a dictionary."""
    workers = threads or os.cpu_count() or 1
    pieces = _pieces(support, allowed, workers)
    max_patterns = bounds[-1]
    stop = np.zeros(1, dtype=np.uint8)
    found: dict[int, tuple[CodeArray, IntArray, IntArray]] = {}
    total = 0
    with ThreadPoolExecutor(workers) as pool, bar("sequences", len(pieces)) as advance:
        order = sorted(range(len(pieces)), key=lambda index: -pieces[index][0])  # the heaviest first
        waiting: dict[Future[Any], int] = {}
        try:
            for index in order:
                waiting[pool.submit(mine, *pieces[index][1:], *bounds, stop)] = index
            pending = set(waiting)
            while pending and total <= max_patterns:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    found[waiting[future]] = future.result()
                    total += len(found[waiting[future]][2])
                    advance()
        finally:
            stop[0] = 1
            pool.shutdown(wait=False, cancel_futures=True)
    results = [found[index] for index in sorted(found)]
    values = np.concatenate([np.zeros(0, dtype=np.int32), *(result[0] for result in results)])
    lengths = [np.zeros(0, dtype=np.int64), *(np.diff(result[1]) for result in results)]
    offsets = np.concatenate(([0], np.cumsum(np.concatenate(lengths)))).astype(np.int64)
    counts = np.concatenate([np.zeros(0, dtype=np.int64), *(result[2] for result in results)])
    return Family(Ragged(values, offsets), counts)


def _pieces(support: IntArray, allowed: npt.NDArray[np.bool_], workers: int) -> list[tuple[float, int, int, int, int]]:
    """Cut the first items: (work, first item, stop item, part, parts), in the order of items and parts.

    Work grows with the square of support: as many rows, and as many continuations that are frequent. One item that has
    more than a piece of it is cut into parts by its second items; the next items of little work share a piece.
    """
    work = support.astype(np.float64) ** 2
    piece = float(work[allowed].sum()) / (_PIECES * workers)
    pieces: list[tuple[float, int, int, int, int]] = []
    for item in np.flatnonzero(allowed).tolist():
        parts = min(int(np.ceil(work[item] / piece)), 2 * workers) if workers > 1 else 1
        if parts > 1:
            pieces += [(work[item] / parts, item, item + 1, part, parts) for part in range(parts)]
        elif pieces and pieces[-1][2] == item and pieces[-1][4] == 1 and pieces[-1][0] + work[item] <= piece:
            pieces[-1] = (pieces[-1][0] + work[item], pieces[-1][1], item + 1, 0, 1)
        else:
            pieces.append((float(work[item]), item, item + 1, 0, 1))
    return pieces
