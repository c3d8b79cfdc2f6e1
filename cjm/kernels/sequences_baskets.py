"""Frequent sequences whose steps are sets of items at one time, without limits: PrefixSpan over masks of times.

A node of the search is a pattern with its rows. A row holds the times at which the pattern can end, and the items that
may follow, each with the times at which it is there from the first of these ends on; times are bits of words of 64. An
item comes later if it has a time after the first end, and joins the last step if it has a time among the ends: two
comparisons of words, whatever the number of events. A child's rows are written down without the items that were too
rare beside or after its parent.

References
----------
Pei et al. (2001), PrefixSpan: mining sequential patterns efficiently by prefix-projected pattern growth, ICDE. Ayres et
al. (2002), Sequential pattern mining using a bitmap representation, KDD.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_basket_rows import count_items, enter_hits, open_row, project
from cjm.kernels.sequences_index import add_pattern, grown, grown_table
from cjm.kernels.sequences_mine import cut

__all__ = ["frequent_baskets"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]

# Columns of a child: its code (of an item that joins the step before: the number of items more), support, and hits.
_CODE, _SUPPORT, _HITS, _HITS_STOP = 0, 1, 2, 3
# Columns of a node: its children (those that join from the middle on), those to come, where its lines end,
# its entries, and where memory for hits is free.
_FIRST, _MIDDLE, _LAST, _NEXT, _STOP, _LINE_STOP, _DATA, _TOP, _FREE = 0, 1, 2, 3, 4, 5, 6, 7, 8


@kernel
def frequent_baskets(
    code: CodeArray, rows: CodeArray, offsets: IntArray, event: CodeArray, places: CodeArray, place_offsets: IntArray,
    support: IntArray, first_item: int, stop_item: int, part: int, parts: int, min_count: int, min_length: int,
    max_length: int, max_patterns: int, stop: npt.NDArray[np.uint8],
) -> tuple[CodeArray, IntArray, IntArray]:  # fmt: skip
    """Find the sequences that begin with an item of ``[first_item, stop_item)`` and enough rows support.

    (int32[:], int32[:], int64[:], int32[:], int32[:], int64[:], int64[:], int64 x 8, uint8[:]) -> as
    ``sequences_limits.frequent_limited``, with the same meaning of all arguments: the second half of ``support`` is of
    items that join the step before. Items of one event are in ascending order, each once.
    """
    n_items = len(support) // 2
    values = np.empty(1024, dtype=np.int32)
    bounds = np.zeros(1024, dtype=np.int64)
    counts = np.empty(1024, dtype=np.int64)
    n_patterns = 0
    longest = 1
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    ends = np.zeros((longest >> 6) + 1, dtype=np.uint64)
    last_word = np.full(n_items, -1, dtype=np.int64)
    slot = np.full(n_items, -1, dtype=np.int64)
    slot_beside = np.full(n_items, -1, dtype=np.int64)
    met = np.empty(n_items, dtype=np.int64)
    after = np.zeros(n_items, dtype=np.int64)
    beside = np.zeros(n_items, dtype=np.int64)
    keep = np.zeros(n_items, dtype=np.bool_)
    item = np.empty(1024, dtype=np.int32)
    word = np.empty(1024, dtype=np.int32)
    mask = np.empty(1024, dtype=np.uint64)
    line = np.empty((1024, 2), dtype=np.int64)
    hit_row = np.empty(1024, dtype=np.int32)
    hit_entry = np.empty(1024, dtype=np.int32)
    path = np.empty(64, dtype=np.int32)
    child = np.zeros((n_items + 1024, 4), dtype=np.int64)
    node = np.zeros((64, 9), dtype=np.int64)
    for one in range(n_items):
        child[one, _CODE] = one
        child[one, _SUPPORT] = support[one]
    node[0, _MIDDLE] = n_items
    node[0, _LAST] = n_items
    node[0, _NEXT] = first_item
    node[0, _STOP] = stop_item
    depth = 0
    while depth >= 0:
        if node[depth, _NEXT] == node[depth, _STOP]:
            depth -= 1
            continue
        one = node[depth, _NEXT]
        node[depth, _NEXT] += 1
        path[depth] = child[one, _CODE]
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

        # its rows
        first, middle, last = node[depth, _FIRST], node[depth, _MIDDLE], node[depth, _LAST]
        joins = one >= middle
        last_item = path[depth] - n_items if joins else path[depth]
        data = node[depth, _TOP]
        top = data
        at = node[depth, _LINE_STOP] + 1
        line_stop = at
        if depth == 0:
            row = -1
            for index in range(place_offsets[one], place_offsets[one + 1]):
                if rows[places[index]] != row:
                    row = rows[places[index]]
                    size = top + 2 * (offsets[row + 1] - places[index])
                    item, word, mask = grown(item, size), grown(word, size), grown(mask, size)
                    line = grown_table(line, line_stop + 2)
                    top = open_row(
                        code, event, places[index], offsets[row + 1], last_word, slot, met, item, word, mask,
                        line, line_stop, top,
                    )  # fmt: skip
                    line_stop += 1
        else:
            for other in range(first, middle):
                keep[child[other, _CODE]] = True
            if joins:
                for other in range(one + 1, last):
                    keep[child[other, _CODE] - n_items] = True
            size = top + 2 * (top - node[depth, _DATA])
            item, word, mask = grown(item, size), grown(word, size), grown(mask, size)
            lo, hi = child[one, _HITS], child[one, _HITS_STOP]
            line = grown_table(line, at + hi - lo + 1)
            line_stop, top = project(hit_row, hit_entry, lo, hi, joins, keep, line, at, item, word, mask, ends, top)
            for other in range(first, last):
                keep[child[other, _CODE] % n_items] = False
        if line_stop - at < min_count:
            continue

        # its children
        count_items(line, at, line_stop, item, word, mask, ends, after, beside)
        child = grown_table(child, last + 2 * (last - first))
        new = last
        for other in range(first, middle):
            if after[child[other, _CODE]] >= min_count:
                child[new, _CODE] = child[other, _CODE]
                child[new, _SUPPORT] = after[child[other, _CODE]]
                new += 1
        new_middle = new
        for other in range(middle if joins else first, last if joins else middle):
            code_of = child[other, _CODE] - n_items if joins else child[other, _CODE]
            if code_of > last_item and beside[code_of] >= min_count:
                child[new, _CODE] = code_of + n_items
                child[new, _SUPPORT] = beside[code_of]
                new += 1
        for other in range(first, last):
            after[child[other, _CODE] % n_items] = 0
            beside[child[other, _CODE] % n_items] = 0
        if new == last:
            continue
        free = node[depth, _FREE]
        if length + 1 < max_length:
            for index in range(last, new):
                child[index, _HITS] = free
                if index < new_middle:
                    slot[child[index, _CODE]] = free
                else:
                    slot_beside[child[index, _CODE] - n_items] = free
                free += child[index, _SUPPORT]
                child[index, _HITS_STOP] = free
            hit_row, hit_entry = grown(hit_row, free + 1), grown(hit_entry, free + 1)
            enter_hits(line, at, line_stop, item, word, mask, ends, slot, slot_beside, hit_row, hit_entry, free)
            for index in range(last, new):
                slot[child[index, _CODE] % n_items] = -1
                slot_beside[child[index, _CODE] % n_items] = -1
        next_child, stop_child = last, new
        if depth == 0 and parts > 1:
            next_child, stop_child = cut(child, last, new, part, parts)
        node = grown_table(node, depth + 2)
        path = grown(path, depth + 2)
        depth += 1
        node[depth, _FIRST] = last
        node[depth, _MIDDLE] = new_middle
        node[depth, _LAST] = new
        node[depth, _NEXT] = next_child
        node[depth, _STOP] = stop_child
        node[depth, _LINE_STOP] = line_stop
        node[depth, _DATA] = data
        node[depth, _TOP] = top
        node[depth, _FREE] = free
    return values[: bounds[n_patterns]], bounds[: n_patterns + 1], counts[:n_patterns]
