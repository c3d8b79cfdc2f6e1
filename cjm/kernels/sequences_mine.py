"""Frequent sequences: PrefixSpan over pointers into the coded events.

A node of the search is a pattern with its entries: the places where it can end. Without time limits the first end of
each row is enough (all that can follow any end follows the first). With limits every end counts, each with the latest
possible start; ends and their starts rise together, so an event is reached best from the last end before it: that one
has both the shortest gap and the latest start.

Without limits an item that is too rare after a pattern is too rare after every continuation of it, so what follows is
copied without such items, once a node, and its children read the shorter copy. (A gap limit breaks this rule.)

Entries and copies of all open nodes share two stacks of memory: nodes are expanded last in, first out, and a node knows
where the memory begins that its children may use.

References
----------
Pei et al. (2001), PrefixSpan: mining sequential patterns efficiently by prefix-projected pattern growth, ICDE.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_index import grown

__all__ = ["frequent"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def _push(node: IntArray, n: int, item: int, support: int, depth: int, lo: int, hi: int, suffix_top: int) -> IntArray:
    if n == len(node):
        longer = np.empty((2 * n, 6), dtype=np.int64)
        for old in range(n):
            for column in range(6):
                longer[old, column] = node[old, column]
        node = longer
    node[n, 0] = item
    node[n, 1] = support
    node[n, 2] = depth
    node[n, 3] = lo
    node[n, 4] = hi
    node[n, 5] = suffix_top
    return node


@kernel
def _count_first(
    suffix: CodeArray, ends: IntArray, lo: int, hi: int, seen: IntArray, tick: int, support: IntArray, touched: IntArray
) -> tuple[int, int]:
    """Count the rows in which each item follows; return how many items do, and how many places were read."""
    found = 0
    read = 0
    for entry in range(lo, hi):
        tick += 1
        place = ends[entry] + 1
        while suffix[place] >= 0:
            item = suffix[place]
            if seen[item] != tick:
                seen[item] = tick
                if support[item] == 0:
                    touched[found] = item
                    found += 1
                support[item] += 1
            place += 1
        read += place - ends[entry]
    return found, read


@kernel
def _project_first(
    suffix: CodeArray, suffix_top: int, ends: IntArray, lo: int, hi: int, seen: IntArray, tick: int, slot: IntArray
) -> int:
    """Copy what follows each entry, without the items that have no slot; enter the first place of each that has one."""
    for entry in range(lo, hi):
        tick += 1
        place = ends[entry] + 1
        while suffix[place] >= 0:
            item = suffix[place]
            if slot[item] >= 0:
                if seen[item] != tick:
                    seen[item] = tick
                    ends[slot[item]] = suffix_top
                    slot[item] += 1
                suffix[suffix_top] = item
                suffix_top += 1
            place += 1
        suffix[suffix_top] = -1
        suffix_top += 1
    return suffix_top


@kernel
def _count_limited(
    code: CodeArray, offsets: IntArray, rows: IntArray, time: IntArray, max_gap: int, within: int,
    ends: IntArray, starts: IntArray, lo: int, hi: int,
    seen: IntArray, tick: int, support: IntArray, size: IntArray, touched: IntArray,
) -> int:  # fmt: skip
    """Count rows and places (``size``) in which each item follows within the limits; return how many items do."""
    found = 0
    row = -1
    for entry in range(lo, hi):
        end = ends[entry]
        if rows[end] != row:
            row = rows[end]
            tick += 1
        last = offsets[row + 1]
        if entry + 1 < hi and rows[ends[entry + 1]] == row:
            last = ends[entry + 1] + 1
        latest = min(time[end] + max_gap, time[starts[entry]] + within)
        for place in range(end + 1, last):
            if time[place] > latest:
                break
            item = code[place]
            size[item] += 1
            if seen[item] != tick:
                seen[item] = tick
                if support[item] == 0:
                    touched[found] = item
                    found += 1
                support[item] += 1
    return found


@kernel
def _fill_limited(
    code: CodeArray, offsets: IntArray, rows: IntArray, time: IntArray, max_gap: int, within: int,
    ends: IntArray, starts: IntArray, lo: int, hi: int, slot: IntArray,
) -> None:  # fmt: skip
    """Write every place that an entry reaches, with the start of that entry."""
    for entry in range(lo, hi):
        end = ends[entry]
        row = rows[end]
        last = offsets[row + 1]
        if entry + 1 < hi and rows[ends[entry + 1]] == row:
            last = ends[entry + 1] + 1
        latest = min(time[end] + max_gap, time[starts[entry]] + within)
        for place in range(end + 1, last):
            if time[place] > latest:
                break
            item = code[place]
            if slot[item] >= 0:
                ends[slot[item]] = place
                starts[slot[item]] = starts[entry]
                slot[item] += 1


@kernel
def frequent(
    code: CodeArray, offsets: IntArray, rows: IntArray, time: IntArray, limited: bool, max_gap: int, within: int,
    places: IntArray, place_offsets: IntArray, item_support: IntArray, first_item: int, stop_item: int,
    min_count: int, min_length: int, max_length: int, max_patterns: int,
) -> tuple[CodeArray, IntArray, IntArray]:  # fmt: skip
    """Find the sequences that begin with an item of ``[first_item, stop_item)`` and enough rows support.

    (int32[:], int64[:], int64[:], int64[:], bool, int64, int64, int64[:], int64[:], int64[:], int64 x 6) -> items of
    the patterns end to end, their offsets, their supports. Ends early, with ``max_patterns + 1`` patterns, when there
    are more than ``max_patterns``. Items are those of ``places`` (see ``occurrences``); each is frequent. ``time`` is
    read only if ``limited``.
    """
    n_items = len(item_support)
    values = np.empty(1024, dtype=np.int32)
    bounds = np.zeros(1024, dtype=np.int64)
    counts = np.empty(1024, dtype=np.int64)
    n_values = 0
    n_patterns = 0
    ends = np.empty(1024, dtype=np.int64)
    starts = np.empty(1024, dtype=np.int64)
    seen = np.full(n_items, -1, dtype=np.int64)
    support = np.zeros(n_items, dtype=np.int64)
    size = np.zeros(n_items, dtype=np.int64)
    slot = np.full(n_items, -1, dtype=np.int64)
    touched = np.empty(n_items, dtype=np.int64)
    path = np.empty(64, dtype=np.int32)
    node = np.empty((1024, 6), dtype=np.int64)  # item, support, depth, entries [lo, hi), free memory for copies
    tick = 0
    suffix = np.full(0 if limited else len(code) + len(offsets), -1, dtype=np.int32)  # rows, each closed by -1
    if not limited:
        for place in range(len(code)):
            suffix[place + rows[place]] = code[place]

    for root in range(first_item, stop_item):
        first = place_offsets[root]
        width = place_offsets[root + 1] - first
        ends = grown(ends, width)
        starts = grown(starts, width)
        for entry in range(width):
            place = places[first + entry]
            ends[entry] = place if limited else place + rows[place]
            starts[entry] = place
        node = _push(node, 0, root, item_support[root], 1, 0, width, len(code) + len(offsets))
        n_nodes = 1
        while n_nodes > 0:
            n_nodes -= 1
            depth = node[n_nodes, 2]
            lo = node[n_nodes, 3]
            hi = node[n_nodes, 4]
            suffix_top = node[n_nodes, 5]
            path = grown(path, depth)
            path[depth - 1] = node[n_nodes, 0]
            if depth >= min_length:
                values = grown(values, n_values + depth)
                for step in range(depth):
                    values[n_values + step] = path[step]
                n_values += depth
                bounds = grown(bounds, n_patterns + 2)
                counts = grown(counts, n_patterns + 1)
                bounds[n_patterns + 1] = n_values
                counts[n_patterns] = node[n_nodes, 1]
                n_patterns += 1
                if n_patterns > max_patterns:
                    return values[:n_values], bounds[: n_patterns + 1], counts[:n_patterns]
            if depth == max_length:
                continue

            read = 0
            if limited:
                found = _count_limited(
                    code, offsets, rows, time, max_gap, within, ends, starts, lo, hi, seen, tick, support, size, touched
                )
            else:
                found, read = _count_first(suffix, ends, lo, hi, seen, tick, support, touched)
            tick += hi - lo
            top = hi
            first_child = n_nodes
            for index in range(found):
                item = touched[index]
                if support[item] >= min_count:
                    width = 0  # a pattern of the last length needs no entries: nothing follows it
                    if depth + 1 < max_length:
                        slot[item] = top
                        width = size[item] if limited else support[item]
                    node = _push(node, n_nodes, item, support[item], depth + 1, top, top + width, suffix_top)
                    n_nodes += 1
                    top += width
            if top > hi:
                ends = grown(ends, top)
                if limited:
                    starts = grown(starts, top)
                    _fill_limited(code, offsets, rows, time, max_gap, within, ends, starts, lo, hi, slot)
                else:
                    suffix = grown(suffix, suffix_top + read)
                    suffix_top = _project_first(suffix, suffix_top, ends, lo, hi, seen, tick, slot)
                    tick += hi - lo
                    for child in range(first_child, n_nodes):
                        node[child, 5] = suffix_top
            for index in range(found):
                item = touched[index]
                support[item] = 0
                size[item] = 0
                slot[item] = -1
    return values[:n_values], bounds[: n_patterns + 1], counts[:n_patterns]
