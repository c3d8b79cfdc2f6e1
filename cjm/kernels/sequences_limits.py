"""Frequent sequences under limits on gaps and span, over events that stand for several items, and of steps of several.

A node of the search is a pattern with its entries: every place where it can end, each with the latest possible start.
Ends and their starts rise together, so an event is reached best from the last end that the shortest gap allows: that
one has the shortest gap and the latest start of all. So a place is looked at once for a node, and a row counts for an
item if any occurrence keeps the limits.

Steps of several items are asked for by a limit of their own. Items then come twice: the second half of them are the
same items, joining the step before. An entry is the place of the last item of its step; what joins stands behind it in
the same event.

References
----------
Srikant and Agrawal (1996), Mining sequential patterns: generalizations and performance improvements, EDBT (limits on
gaps, taxonomies, and steps of several items).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_index import add_pattern, grown, grown_table
from cjm.kernels.sequences_mine import cut

__all__ = ["frequent_limited", "reach"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]

# Limits: longest and shortest gap and longest span in microseconds, longest and shortest gap in events; 1: items join.
_MAX_GAP, _MIN_GAP, _WITHIN, _MAX_EVENTS, _MIN_EVENTS, _JOIN = 0, 1, 2, 3, 4, 5
# Columns of a child: its item, its support, its entries.
_ITEM, _SUPPORT, _ENDS, _ENDS_STOP = 0, 1, 2, 3
# Columns of a node: its children, those of them to come, where memory for entries is free.
_FIRST, _NEXT, _STOP, _FREE = 0, 1, 2, 3


@kernel
def _first_after(end: int, place: int, row_stop: int, event: CodeArray, time: IntArray, limits: IntArray) -> int:
    """Return the first place from ``place`` on that the shortest gaps allow after ``end``."""
    while place < row_stop and (
        event[place] < event[end] + limits[_MIN_EVENTS]
        or (limits[_MIN_GAP] > 0 and time[place] < time[end] + limits[_MIN_GAP])
    ):
        place += 1
    return place


@kernel
def reach(
    entry: int, hi: int, ends: CodeArray, starts: CodeArray, place: int, row_stop: int,
    event: CodeArray, time: IntArray, limits: IntArray,
) -> tuple[int, int]:  # fmt: skip
    """Return the places, first and stop, that are reached best from one entry; the next one takes over at the stop.

    ``place`` is where the search for the first may begin: the stop of the entry before in the row, or the entry itself.
    """
    end = ends[entry]
    first = _first_after(end, max(place, end + 1), row_stop, event, time, limits)
    stop = row_stop
    if entry + 1 < hi and ends[entry + 1] < row_stop:
        stop = _first_after(ends[entry + 1], max(first, ends[entry + 1] + 1), row_stop, event, time, limits)
    last_event = event[end] + limits[_MAX_EVENTS]
    if len(time):
        latest = min(time[end] + limits[_MAX_GAP], time[starts[entry]] + limits[_WITHIN])
        last = first
        while last < stop and event[last] <= last_event and time[last] <= latest:
            last += 1
    else:
        last = first
        while last < stop and event[last] <= last_event:
            last += 1
    return first, last


@kernel
def _event_stop(end: int, row_stop: int, event: CodeArray) -> int:
    """Return the first place behind the event of ``end``."""
    place = end + 1
    while place < row_stop and event[place] == event[end]:
        place += 1
    return place


@kernel
def _tally(
    item: int, seen: IntArray, tick: int, support: IntArray, size: IntArray, touched: IntArray, found: int
) -> int:
    """Count an item at one place; return how many items there are by now."""
    size[item] += 1
    if seen[item] != tick:
        seen[item] = tick
        if support[item] == 0:
            touched[found] = item
            found += 1
        support[item] += 1
    return found


@kernel
def _count(
    code: CodeArray, rows: CodeArray, offsets: IntArray, event: CodeArray, time: IntArray, limits: IntArray,
    ends: CodeArray, starts: CodeArray, lo: int, hi: int,
    seen: IntArray, tick: int, support: IntArray, size: IntArray, touched: IntArray,
) -> int:  # fmt: skip
    """Count rows and places (``size``) in which each item follows within the limits; return how many items do."""
    joining = len(support) // 2
    found = 0
    row = -1
    place = 0
    for entry in range(lo, hi):
        if rows[ends[entry]] != row:
            row = rows[ends[entry]]
            tick += 1
            place = 0
        first, stop = reach(entry, hi, ends, starts, place, offsets[row + 1], event, time, limits)
        place = first
        for index in range(first, stop):
            found = _tally(code[index], seen, tick, support, size, touched, found)
        if limits[_JOIN]:
            for index in range(ends[entry] + 1, _event_stop(ends[entry], offsets[row + 1], event)):
                found = _tally(code[index] + joining, seen, tick, support, size, touched, found)
    return found


@kernel
def _enter(item: int, place: int, start: int, slot: IntArray, ends: CodeArray, starts: CodeArray) -> None:
    """Enter a place if its item has a slot."""
    if slot[item] >= 0:
        ends[slot[item]] = place
        starts[slot[item]] = start
        slot[item] += 1


@kernel
def _fill(
    code: CodeArray, rows: CodeArray, offsets: IntArray, event: CodeArray, time: IntArray, limits: IntArray,
    ends: CodeArray, starts: CodeArray, lo: int, hi: int, slot: IntArray,
) -> None:  # fmt: skip
    """Enter every place that is reached, with the start of the entry it is reached from, for items with a slot."""
    joining = len(slot) // 2
    row = -1
    place = 0
    for entry in range(lo, hi):
        if rows[ends[entry]] != row:
            row = rows[ends[entry]]
            place = 0
        first, stop = reach(entry, hi, ends, starts, place, offsets[row + 1], event, time, limits)
        place = first
        for index in range(first, stop):
            _enter(code[index], index, starts[entry], slot, ends, starts)
        if limits[_JOIN]:
            for index in range(ends[entry] + 1, _event_stop(ends[entry], offsets[row + 1], event)):
                _enter(code[index] + joining, index, starts[entry], slot, ends, starts)


@kernel
def frequent_limited(
    code: CodeArray, rows: CodeArray, offsets: IntArray, event: CodeArray, time: IntArray, limits: IntArray,
    places: CodeArray, place_offsets: IntArray, item_support: IntArray, first_item: int, stop_item: int,
    part: int, parts: int, min_count: int, min_length: int, max_length: int, max_patterns: int,
    stop: npt.NDArray[np.uint8],
) -> tuple[CodeArray, IntArray, IntArray]:  # fmt: skip
    """Find the sequences that begin with an item of ``[first_item, stop_item)`` and enough rows support.

    (int32[:], int32[:], int64[:], int32[:], int64[:], int64[6], int32[:], int64[:], int64[:], int64 x 8, uint8[:]) ->
    as ``sequences_mine.frequent``, and with the same meaning of parts, ``max_patterns`` and ``stop``. ``event`` numbers
    the events, on from row to row; items that stand for one event bear its number. ``time`` may be empty if no limit is
    one of time. ``places`` lists all places of each item.
    """
    n_items = len(item_support)
    values = np.empty(1024, dtype=np.int32)
    bounds = np.zeros(1024, dtype=np.int64)
    counts = np.empty(1024, dtype=np.int64)
    n_patterns = 0
    ends = np.empty(1024, dtype=np.int32)
    starts = np.empty(1024, dtype=np.int32)
    seen = np.full(n_items, -1, dtype=np.int64)
    support = np.zeros(n_items, dtype=np.int64)
    size = np.zeros(n_items, dtype=np.int64)
    slot = np.full(n_items, -1, dtype=np.int64)
    touched = np.empty(n_items, dtype=np.int64)
    path = np.empty(64, dtype=np.int32)
    child = np.empty((n_items + 1024, 4), dtype=np.int64)
    node = np.zeros((64, 4), dtype=np.int64)
    tick = 0
    for item in range(n_items):
        child[item, _ITEM] = item
        child[item, _SUPPORT] = item_support[item]
    node[0, _NEXT] = first_item
    node[0, _STOP] = stop_item
    top_child = n_items  # children of the deepest node end here
    depth = 0
    while depth >= 0:
        if node[depth, _NEXT] == node[depth, _STOP]:
            top_child = node[depth, _FIRST]
            depth -= 1
            continue
        one = node[depth, _NEXT]
        node[depth, _NEXT] += 1
        path[depth] = child[one, _ITEM]
        length = depth + 1
        if length >= min_length and (depth > 0 or part == 0):
            values, bounds, counts = add_pattern(values, bounds, counts, n_patterns, path, length, child[one, _SUPPORT])
            n_patterns += 1
            if n_patterns > max_patterns:
                break
        if length == max_length:
            continue
        if stop[0]:
            break
        lo = child[one, _ENDS]
        hi = child[one, _ENDS_STOP]
        free = node[depth, _FREE]
        if depth == 0:
            lo = 0
            hi = place_offsets[path[0] + 1] - place_offsets[path[0]]
            free = hi
            ends = grown(ends, hi)
            starts = grown(starts, hi)
            for index in range(hi):
                ends[index] = places[place_offsets[path[0]] + index]
                starts[index] = ends[index]
        found = _count(
            code, rows, offsets, event, time, limits, ends, starts, lo, hi, seen, tick, support, size, touched
        )
        tick += hi - lo
        first = top_child
        last = first
        top = free
        child = grown_table(child, first + found)
        for index in range(found):
            item = touched[index]
            if support[item] >= min_count:
                place = last  # in ascending order of items
                while place > first and child[place - 1, _ITEM] > item:
                    for column in range(4):
                        child[place, column] = child[place - 1, column]
                    place -= 1
                child[place, _ITEM] = item
                child[place, _SUPPORT] = support[item]
                child[place, _ENDS] = top
                if length + 1 < max_length:  # nothing follows a pattern of the last length
                    slot[item] = top
                    top += size[item]
                child[place, _ENDS_STOP] = top
                last += 1
        if top > free:
            ends = grown(ends, top)
            starts = grown(starts, top)
            _fill(code, rows, offsets, event, time, limits, ends, starts, lo, hi, slot)
        for index in range(found):
            support[touched[index]] = 0
            size[touched[index]] = 0
            slot[touched[index]] = -1
        if last == first:
            continue
        top_child = last
        node = grown_table(node, depth + 2)
        path = grown(path, depth + 2)
        next_child, stop_child = first, last
        if depth == 0 and parts > 1:
            next_child, stop_child = cut(child, first, last, part, parts)
        depth += 1
        node[depth, _FIRST] = first
        node[depth, _NEXT] = next_child
        node[depth, _STOP] = stop_child
        node[depth, _FREE] = top
    return values[: bounds[n_patterns]], bounds[: n_patterns + 1], counts[:n_patterns]
