"""Frequent sequences without limits on time: PrefixSpan that looks two steps ahead.

A node of the search is a pattern, the items that often follow it (its children) and its rows: what follows the first
place where the pattern can end, without other items, for they are too rare after every continuation as well. One pass
over these rows counts all pairs of children, that is how many rows hold the pattern with two more items. So a child
that nothing follows often, as most do, is told by its count alone, and a child whose rows are written down finds there
only items that often follow it. A row of one item has no pairs and is not kept.

Where pairs are too many to be counted in a table, each child counts what follows it when its turn comes. Nodes lie on
stacks: what belongs to depth ``d`` ends where that of ``d + 1`` begins. Children are taken in ascending order, which
makes the order of patterns that of words in a dictionary.

References
----------
Pei et al. (2001), PrefixSpan: mining sequential patterns efficiently by prefix-projected pattern growth, ICDE.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_index import add_pattern, grown, grown_table
from cjm.kernels.sequences_masks import grow_masks, to_masks

__all__ = ["cut", "frequent", "pairs_of_items"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]

_MOST_PAIRS = 1 << 20  # cells of a table of pairs: 4 MB
_MOST_CELLS = 1 << 25  # cells of a table of masks: 64 MB and more
_SPARSE = 8  # cells of a table of masks for one item of the rows

# Columns of a child: its item, its support, its entries in ends and its own children in follow.
_ITEM, _SUPPORT, _ENDS, _ENDS_STOP, _FOLLOW, _FOLLOW_STOP = 0, 1, 2, 3, 4, 5
# Columns of a node: its children, those of them to come, whether their pairs are counted, where memory is free.
_FIRST, _LAST, _NEXT, _STOP, _COUNTED, _DATA, _FREE_ENDS, _FREE_FOLLOW = 0, 1, 2, 3, 4, 5, 6, 7


@kernel
def _count_after(
    data: CodeArray, ends: CodeArray, lo: int, hi: int, seen: IntArray, tick: int, count: CodeArray
) -> int:
    """Count the rows in which each item follows one of ``ends[lo:hi]``; return how many places were read."""
    read = 0
    for entry in range(lo, hi):
        tick += 1
        place = ends[entry] + 1
        read -= place
        item = data[place]
        while item >= 0:
            count[item] += seen[item] != tick
            seen[item] = tick
            place += 1
            item = data[place]
        read += place
    return read


@kernel
def _project(
    source: CodeArray, ends: CodeArray, lo: int, hi: int, new: CodeArray, data: CodeArray, top: int
) -> tuple[int, int, int]:
    """Write what follows each of ``ends[lo:hi]`` to ``data``, recoded, without items whose new code is negative.

    Only rows of two items or more, each closed by -1. Return where they end, how many they are, and the longest.
    """
    rows = 0
    longest = 0
    for entry in range(lo, hi):
        place = ends[entry] + 1
        first = top
        item = source[place]
        while item >= 0:
            code = new[item]
            data[top] = code
            top += code >= 0
            place += 1
            item = source[place]
        if top - first >= 2:
            longest = max(longest, top - first)
            data[top] = -1
            top += 1
            rows += 1
        else:
            top = first
    return top, rows, longest


@kernel
def _count_pairs(
    data: CodeArray, lo: int, hi: int, width: int, pairs: CodeArray, mark: CodeArray, met: CodeArray
) -> None:
    """Count the rows that hold each pair of items, one after the other: in ``pairs[second * width + first]``.

    ``met`` lists the items of a row in the order in which they first occur; ``mark`` is, of an item met before, one
    more than how many items were met before it or, if it was met more than once, before its last place.
    """
    place = lo
    while place < hi:
        n_met = 0
        item = data[place]
        while item >= 0:
            base = item * width
            last = mark[item]
            for index in range(max(last - 1, 0), n_met):
                pairs[base + met[index]] += 1
            mark[item] = n_met + 1
            met[n_met] = item
            n_met += last == 0
            place += 1
            item = data[place]
        place += 1
        for index in range(n_met):
            mark[met[index]] = 0


@kernel
def pairs_of_items(code: CodeArray, n_items: int) -> CodeArray:
    """Count the rows that hold each pair of items, ``pairs[second * n_items + first]``; none if there are too many.

    (int32[:], int64) -> int32[:]. ``code`` holds the rows, each closed by -1.
    """
    cells = n_items * n_items
    pairs = np.zeros(cells if cells <= min(_MOST_PAIRS, 4 * len(code)) else 0, dtype=np.int32)
    if len(pairs):
        mark = np.zeros(n_items, dtype=np.int32)
        _count_pairs(code, 0, len(code), n_items, pairs, mark, np.empty(n_items + 1, dtype=np.int32))
    return pairs


@kernel
def _list_followers(
    pairs: CodeArray, width: int, index: int, min_count: int, follow: IntArray, top: int
) -> tuple[IntArray, int]:
    """Write the items that often follow the one numbered ``index``, and in how many rows; return where they end."""
    follow = grown_table(follow, top + width)
    for second in range(width):
        if pairs[second * width + index] >= min_count:
            follow[top, 0] = second
            follow[top, 1] = pairs[second * width + index]
            top += 1
    return follow, top


@kernel
def _first_places(
    data: CodeArray, lo: int, hi: int, slot: CodeArray, seen: IntArray, tick: int, ends: CodeArray
) -> int:
    """Enter the first place in each row of every item that has a slot; return the last tick."""
    tick += 1
    for place in range(lo, hi):
        item = data[place]
        if item < 0:
            tick += 1
        elif slot[item] >= 0 and seen[item] != tick:
            seen[item] = tick
            ends[slot[item]] = place
            slot[item] += 1
    return tick


@kernel
def cut(child: IntArray, first: int, last: int, part: int, parts: int) -> tuple[int, int]:
    """Return the children of one part, of about the same work as the others: it grows with the square of support."""
    total = 0.0
    for index in range(first, last):
        total += float(child[index, _SUPPORT]) ** 2
    done = 0.0
    lo = last
    hi = last
    for index in range(first, last):
        mine = min(int(done / total * parts), parts - 1)
        if mine == part and lo == last:
            lo = index
        if mine > part:
            hi = index
            break
        done += float(child[index, _SUPPORT]) ** 2
    return min(lo, hi), hi


@kernel
def frequent(
    code: CodeArray, places: CodeArray, place_offsets: IntArray, item_pairs: CodeArray, first_item: int, stop_item: int,
    part: int, parts: int, min_count: int, min_length: int, max_length: int, max_patterns: int,
    stop: npt.NDArray[np.uint8],
) -> tuple[CodeArray, IntArray, IntArray]:  # fmt: skip
    """Find the sequences that begin with an item of ``[first_item, stop_item)`` and enough rows support.

    (int32[:], int32[:], int64[:], int32[:], int64 x 8, uint8[:]) -> items of the patterns end to end, their offsets,
    their supports, in lexicographic order. ``code`` holds the rows, each closed by -1; ``places`` the first place of
    each item in each row; ``item_pairs`` what ``pairs_of_items`` counted. Of ``parts`` parts into which the second
    items are cut the one numbered ``part`` is done; part 0 has the first item alone as well. Ends early, with
    ``max_patterns + 1`` patterns, when there are more than ``max_patterns``, and with any number when somebody sets
    ``stop``.
    """
    n_items = len(place_offsets) - 1
    values = np.empty(1024, dtype=np.int32)
    bounds = np.zeros(1024, dtype=np.int64)
    counts = np.empty(1024, dtype=np.int64)
    n_patterns = 0

    seen = np.full(n_items, -1, dtype=np.int64)
    mark = np.zeros(n_items, dtype=np.int32)
    met = np.empty(n_items + 1, dtype=np.int32)
    count = np.zeros(n_items, dtype=np.int32)
    new = np.full(n_items, -1, dtype=np.int32)
    pairs = np.empty(1024, dtype=np.int32)
    tick = 0

    data = np.empty(1024, dtype=np.int32)
    ends = np.empty(1024, dtype=np.int32)
    child = np.empty((n_items + 1024, 6), dtype=np.int64)
    follow = np.empty((1024, 2), dtype=np.int64)  # number of an item among the children, support
    node = np.empty((64, 8), dtype=np.int64)
    path = np.empty(64, dtype=np.int32)
    masks = (
        np.empty(1024, dtype=np.uint16),
        np.empty(1024, dtype=np.uint32),
        np.empty(1024, dtype=np.uint64),
    )

    for item in range(n_items):
        child[item, _ITEM] = item
        child[item, _SUPPORT] = place_offsets[item + 1] - place_offsets[item]
        child[item, _ENDS] = place_offsets[item]
        child[item, _ENDS_STOP] = place_offsets[item + 1]
    for column in range(8):
        node[0, column] = 0
    node[0, _LAST] = n_items
    node[0, _NEXT] = first_item
    node[0, _STOP] = stop_item
    if len(item_pairs):
        node[0, _COUNTED] = 1
        for item in range(first_item, stop_item):
            child[item, _FOLLOW] = node[0, _FREE_FOLLOW]
            follow, top = _list_followers(item_pairs, n_items, item, min_count, follow, node[0, _FREE_FOLLOW])
            child[item, _FOLLOW_STOP] = top
            node[0, _FREE_FOLLOW] = top
    depth = 0
    while depth >= 0:
        if node[depth, _NEXT] == node[depth, _STOP]:
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

        # the children of this child
        first = node[depth, _LAST]
        last = first
        width = node[depth, _LAST] - node[depth, _FIRST]
        counted = node[depth, _COUNTED] == 1
        lo = child[one, _ENDS]
        hi = child[one, _ENDS_STOP]
        read = 0
        if counted:
            child = grown_table(child, first + child[one, _FOLLOW_STOP] - child[one, _FOLLOW])
            for index in range(child[one, _FOLLOW], child[one, _FOLLOW_STOP]):
                child[last, _ITEM] = child[node[depth, _FIRST] + follow[index, 0], _ITEM]
                child[last, _SUPPORT] = follow[index, 1]
                last += 1
        else:
            if depth == 0:
                read = _count_after(code, places, lo, hi, seen, tick, count)
            else:
                read = _count_after(data, ends, lo, hi, seen, tick, count)
            tick += hi - lo
            child = grown_table(child, first + width)
            for item in range(width):
                if count[item] >= min_count:
                    child[last, _ITEM] = child[node[depth, _FIRST] + item, _ITEM]
                    child[last, _SUPPORT] = count[item]
                    new[item] = last - first
                    last += 1
                count[item] = 0
        if last == first:
            continue
        for index in range(first, last):
            child[index, _FOLLOW] = 0
            child[index, _FOLLOW_STOP] = 0
        if depth + 2 == len(node):
            node = grown_table(node, depth + 3)
            path = grown(path, depth + 3)
        free = node[depth, _DATA]
        free_ends = node[depth, _FREE_ENDS]
        free_follow = node[depth, _FREE_FOLLOW]
        next_lo = first
        next_stop = last
        if depth == 0 and parts > 1:
            next_lo, next_stop = cut(child, first, last, part, parts)
        depth += 1
        node[depth, _FIRST] = first
        node[depth, _LAST] = last
        node[depth, _NEXT] = next_lo
        node[depth, _STOP] = next_stop
        node[depth, _COUNTED] = 1
        node[depth, _DATA] = free
        node[depth, _FREE_ENDS] = free_ends
        node[depth, _FREE_FOLLOW] = free_follow
        rows = 0
        top = free
        longest = 0
        if length + 1 < max_length:
            if counted:
                for index in range(child[one, _FOLLOW], child[one, _FOLLOW_STOP]):
                    new[follow[index, 0]] = index - child[one, _FOLLOW]
                read = free - node[depth - 2, _DATA] if depth > 1 else len(code)
            data = grown(data, free + read + hi - lo + 2)
            if depth == 1:
                top, rows, longest = _project(code, places, lo, hi, new, data, free)
            else:
                top, rows, longest = _project(data, ends, lo, hi, new, data, free)
        if counted:
            for index in range(child[one, _FOLLOW], child[one, _FOLLOW_STOP]):
                new[follow[index, 0]] = -1
        else:
            for item in range(width):
                new[item] = -1
        if rows < min_count:
            continue
        node[depth, _DATA] = top

        # what follows them
        width = last - first
        if longest <= 64 and width * rows <= min(_MOST_CELLS, _SPARSE * (top - free)):
            masks, tables = to_masks(data, free, top, width, masks)
            masks, path, values, bounds, counts, n_patterns = grow_masks(
                masks, tables, child[first:last, _ITEM], child[first:last, _SUPPORT], next_lo - first,
                next_stop - first, path, length, min_count, min_length, max_length, max_patterns, stop, values, bounds,
                counts, n_patterns,
            )  # fmt: skip
            if n_patterns > max_patterns:
                break
            depth -= 1
            continue
        needs_places = length + 2 < max_length
        if width * width <= min(_MOST_PAIRS, 4 * (top - free)):
            pairs = grown(pairs, width * width)
            for cell in range(width * width):
                pairs[cell] = 0
            _count_pairs(data, free, top, width, pairs, mark, met)
            for index in range(width):
                child[first + index, _FOLLOW] = free_follow
                follow, free_follow = _list_followers(pairs, width, index, min_count, follow, free_follow)
                child[first + index, _FOLLOW_STOP] = free_follow
            node[depth, _FREE_FOLLOW] = free_follow
        else:
            node[depth, _COUNTED] = 0
            needs_places = True
        if needs_places:
            for index in range(width):
                if node[depth, _COUNTED] == 0 or child[first + index, _FOLLOW] < child[first + index, _FOLLOW_STOP]:
                    child[first + index, _ENDS] = free_ends
                    new[index] = free_ends
                    free_ends += child[first + index, _SUPPORT]
            if free_ends > node[depth, _FREE_ENDS]:
                ends = grown(ends, free_ends)
                tick = _first_places(data, free, top, new, seen, tick, ends)
                for index in range(width):
                    child[first + index, _ENDS_STOP] = new[index]
                    new[index] = -1
                node[depth, _FREE_ENDS] = free_ends
    return values[: bounds[n_patterns]], bounds[: n_patterns + 1], counts[:n_patterns]
