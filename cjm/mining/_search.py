"""The search for frequent sequences: the data as kernels want them, and the work cut up for threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cjm.errors import RunError
from cjm.mining._family import NO_LIMIT, Family
from cjm.mining._units import Units
from cjm.progress import bar
from cjm.ragged import Ragged

__all__ = ["Limits", "search", "supports"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
_PIECES = 32  # for each thread: first items differ a hundredfold in work
_MOST = 2**31 - 2**16  # items: places are numbers of 32 bits


@dataclass(frozen=True)
class Limits:
    """Limits on one occurrence of a sequence, inclusive; None where there is none.

    Attributes
    ----------
    max_gap, min_gap, within : int or None
        Microseconds.
    max_gap_events, min_gap_events : int or None
        1 is the very next event.
    """

    max_gap: int | None = None
    min_gap: int | None = None
    within: int | None = None
    max_gap_events: int | None = None
    min_gap_events: int | None = None

    @property
    def in_time(self) -> bool:
        """Whether any limit is one of time."""
        return not (self.max_gap is None and self.min_gap is None and self.within is None)

    @property
    def given(self) -> bool:
        """Whether there is any limit."""
        return self.in_time or not (self.max_gap_events is None and self.min_gap_events is None)

    @property
    def unbroken(self) -> bool:
        """Whether leaving out a step in between may break a limit."""
        return not (self.max_gap is None and self.max_gap_events is None)

    def values(self) -> IntArray:
        """Return the limits as kernels take them."""
        most = [NO_LIMIT if limit is None else min(limit, NO_LIMIT) for limit in (self.max_gap, self.within)]
        most_events = NO_LIMIT if self.max_gap_events is None else min(self.max_gap_events, NO_LIMIT)
        least = min(self.min_gap or 0, NO_LIMIT)
        return np.array([most[0], least, most[1], most_events, min(self.min_gap_events or 1, NO_LIMIT)], dtype=np.int64)


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
    from cjm.kernels.sequences_mine import frequent

    recode = as_array(new_code, np.int32)
    rows = [
        closed_rows(as_array(part.code, np.int32), as_array(part.offsets, np.int64), recode) for part in units.parts()
    ]
    code = rows[0] if len(rows) == 1 else np.concatenate(rows)
    _check(len(code), units)
    del rows
    place_offsets = np.concatenate(([0], np.cumsum(support))).astype(np.int64)
    places = first_places(code, place_offsets)
    return lambda *rest: frequent(code, places, place_offsets, *rest)


def _limited(units: Units, new_code: CodeArray, support: IntArray, limits: Limits) -> Mine:
    """Return the search under limits, or over events that stand for several items."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_index import keep_items, occurrences
    from cjm.kernels.sequences_limits import frequent_limited

    recode = as_array(new_code, np.int32)
    codes, rows, offsets, events, times = [], [], [np.zeros(1, dtype=np.int64)], [], []
    before_rows = before_items = before_events = 0
    for part in units.parts():
        code, ends, source, row = keep_items(as_array(part.code, np.int32), as_array(part.offsets, np.int64), recode)
        codes.append(code)
        rows.append((row + before_rows).astype(np.int32))
        offsets.append(ends[1:] + before_items)
        events.append((part.event[source] + before_events).astype(np.int32))
        times.append(part.time[source] if limits.in_time else np.zeros(0, dtype=np.int64))
        before_rows += len(part.offsets) - 1
        before_items += len(code)
        before_events += int(part.event[-1]) + 1 if len(part.event) else 0
        _check(max(before_items, before_events), units)
    code, row, event = np.concatenate(codes), np.concatenate(rows), np.concatenate(events)
    offset, time = np.concatenate(offsets), np.concatenate(times)
    places, place_offsets = occurrences(as_array(code, np.int32), as_array(row, np.int64), len(support), False)
    fixed: tuple[Any, ...] = (code, row, offset, event, time, limits.values(), places.astype(np.int32), place_offsets)
    return lambda *rest: frequent_limited(*fixed, support, *rest)


def _check(size: int, units: Units) -> None:
    if size > _MOST:
        raise RunError.at(f"{size:,} events are too many", where=units.where, hint="Mine a sample of persons")


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
