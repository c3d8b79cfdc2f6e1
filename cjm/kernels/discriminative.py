"""The sequences that tell two groups of rows apart best, by a search that leaves out what cannot be among them.

Whoever has a longer sequence has its beginning too, so its counts are no larger in either group. Chi-square is a convex
function of the two counts, so that no continuation scores higher than the better of two: all rows of one group and none
of the other, or the other way round.

References
----------
Morishita and Sese (2000), Traversing itemset lattices with statistical metric pruning, PODS, theorem 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_index import grown

__all__ = ["best_sequences", "chi_square"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]


@kernel
def chi_square(n_true: int, n_false: int, of_true: int, of_false: int) -> float:
    """Return Pearson's chi-square of the fourfold table: (int64 x 4) -> float64."""
    with_it = n_true + n_false
    without = of_true + of_false - with_it
    if with_it == 0 or without == 0:
        return 0.0
    apart = float(n_true) * (of_false - n_false) - float(n_false) * (of_true - n_true)
    return apart * apart / (float(with_it) * without) * (float(of_true + of_false) / (float(of_true) * of_false))


@kernel
def _before(
    score: float, path: CodeArray, length: int, scores: FloatArray, paths: CodeArray, lengths: IntArray, other: int
) -> bool:
    """Tell whether a sequence ranks before the ``other`` of the best: higher score, then shorter, then by its items."""
    if score != scores[other]:
        return score > scores[other]  # type: ignore[no-any-return]
    if length != lengths[other]:
        return length < lengths[other]  # type: ignore[no-any-return]
    for step in range(length):
        if path[step] != paths[other, step]:
            return path[step] < paths[other, step]  # type: ignore[no-any-return]
    return False


@kernel
def _follow(
    code: CodeArray, offsets: IntArray, time: IntArray, group: IntArray, limited: bool, max_gap: int, within: int,
    row_of: IntArray, ends: IntArray, starts: IntArray, lo: int, hi: int, root: bool, seen: IntArray, tick: int,
    counts: IntArray, size: IntArray, touched: IntArray, slot: IntArray,
) -> tuple[int, int]:  # fmt: skip
    """Count what follows the entries, or (where ``slot`` says where to) enter it; return how many items, and the tick.

    An entry is the row, a place where the sequence ends, and the latest start for it. Without limits the first end of a
    row is enough.
    """
    found = 0
    row = -1
    for entry in range(lo, hi):
        if row_of[entry] != row:
            row = row_of[entry]
            tick += 1
        last = offsets[row + 1]
        if limited and entry + 1 < hi and row_of[entry + 1] == row:
            last = ends[entry + 1] + 1
        latest = np.int64(1) << 62
        if limited and not root:
            latest = min(time[ends[entry]] + max_gap, time[starts[entry]] + within)
        for place in range(ends[entry] + 1, last):
            if limited and time[place] > latest:
                break
            item = code[place]
            new = seen[item] != tick
            if not (new or limited):
                continue
            seen[item] = tick
            if slot[item] >= 0:
                row_of[slot[item]] = row
                ends[slot[item]] = place
                starts[slot[item]] = place if root else starts[entry]
                slot[item] += 1
            elif slot[item] == -1:
                if size[item] == 0:
                    touched[found] = item
                    found += 1
                size[item] += 1
                if new:
                    counts[2 * item + group[row]] += 1
    return found, tick


@kernel
def _put(node: IntArray, at: int, item: int, depth: int, width: int, n_false: int, n_true: int) -> None:
    """Write a node: item, depth, first entry (not known yet), number of entries, counts of both groups."""
    node[at, 0] = item
    node[at, 1] = depth
    node[at, 2] = -1
    node[at, 3] = width
    node[at, 4] = n_false
    node[at, 5] = n_true


@kernel
def best_sequences(
    code: CodeArray, offsets: IntArray, time: IntArray, group: IntArray, n_items: int,
    limited: bool, max_gap: int, within: int, top_k: int, min_count: int, max_length: int, max_tried: int,
) -> tuple[CodeArray, IntArray, IntArray, FloatArray, int]:  # fmt: skip
    """Return the ``top_k`` sequences with the highest chi-square between rows of group 0 and 1, best first.

    (int32[:], int64[:], int64[:], int64[:], int64, bool, int64 x 6) -> int32[:, :] of items, lengths, int64[:, 2] of
    counts by group, scores, how many sequences were scored (the search ends when these are more than ``max_tried``).
    A sequence that its rows have whenever they have it without the last step is left out. Ends
    are decided by length, then by items, so that the result does not depend on the order of the search.
    """
    n_rows = len(offsets) - 1
    of_true = 0
    for row in range(n_rows):
        of_true += group[row]
    of_false = n_rows - of_true
    row_of = np.empty(n_rows + 1, dtype=np.int64)
    ends = np.empty(n_rows + 1, dtype=np.int64)
    starts = np.zeros(n_rows + 1, dtype=np.int64)
    for row in range(n_rows):
        row_of[row] = row
        ends[row] = offsets[row] - 1
    seen = np.full(n_items, -1, dtype=np.int64)
    slot = np.full(n_items, -1, dtype=np.int64)
    size = np.zeros(n_items, dtype=np.int64)
    counts = np.zeros(2 * n_items, dtype=np.int64)
    touched = np.empty(n_items, dtype=np.int64)
    path = np.empty(max_length, dtype=np.int32)
    scores = np.full(top_k, -1.0, dtype=np.float64)  # sorted, best first
    lengths = np.zeros(top_k, dtype=np.int64)
    paths = np.zeros((top_k, max_length), dtype=np.int32)
    held = np.zeros((top_k, 2), dtype=np.int64)
    node = np.empty((1024, 6), dtype=np.int64)  # open nodes, see ``_put``
    _put(node, 0, -1, 0, n_rows, of_false, of_true)
    node[0, 2] = 0
    n_nodes = 1
    tick = 0
    tried = 0
    while n_nodes > 0 and tried <= max_tried:
        n_nodes -= 1
        depth, lo = node[n_nodes, 1], node[n_nodes, 2]
        hi = lo + node[n_nodes, 3]
        n_false, n_true = node[n_nodes, 4], node[n_nodes, 5]
        if depth > 0:
            path[depth - 1] = node[n_nodes, 0]
        bound = max(chi_square(n_true, 0, of_true, of_false), chi_square(0, n_false, of_true, of_false))
        if depth > 0 and bound < scores[top_k - 1]:
            continue
        found, tick = _follow(
            code, offsets, time, group, limited, max_gap, within, row_of, ends, starts, lo, hi, depth == 0,
            seen, tick, counts, size, touched, slot,
        )  # fmt: skip
        first = n_nodes
        top = hi
        for index in range(found):
            item = touched[index]
            a, b = counts[2 * item + 1], counts[2 * item]
            slot[item] = -2
            if a + b < min_count:
                continue
            tried += 1
            path[depth] = item
            score = chi_square(a, b, of_true, of_false)
            if (depth == 0 or a != n_true or b != n_false) and _before(
                score, path, depth + 1, scores, paths, lengths, top_k - 1
            ):
                place = top_k - 1
                while place > 0 and _before(score, path, depth + 1, scores, paths, lengths, place - 1):
                    scores[place] = scores[place - 1]
                    lengths[place] = lengths[place - 1]
                    held[place, 0] = held[place - 1, 0]
                    held[place, 1] = held[place - 1, 1]
                    for step in range(lengths[place]):
                        paths[place, step] = paths[place - 1, step]
                    place -= 1
                scores[place] = score
                lengths[place] = depth + 1
                held[place, 0] = b
                held[place, 1] = a
                for step in range(depth + 1):
                    paths[place, step] = path[step]
            bound = max(chi_square(a, 0, of_true, of_false), chi_square(0, b, of_true, of_false))
            if depth + 1 < max_length and bound >= scores[top_k - 1]:
                if n_nodes == len(node):
                    longer = np.empty((2 * n_nodes, 6), dtype=np.int64)
                    for old in range(n_nodes):
                        for column in range(6):
                            longer[old, column] = node[old, column]
                    node = longer
                at = n_nodes  # the most promising child last: it is taken first
                while at > first and chi_square(node[at - 1, 5], node[at - 1, 4], of_true, of_false) > score:
                    for column in range(6):
                        node[at, column] = node[at - 1, column]
                    at -= 1
                _put(node, at, item, depth + 1, size[item] if limited else a + b, b, a)
                n_nodes += 1
        for child in range(first, n_nodes):
            node[child, 2] = top
            slot[node[child, 0]] = top
            top += node[child, 3]
        row_of = grown(row_of, top)
        ends = grown(ends, top)
        starts = grown(starts, top)
        for index in range(found):
            item = touched[index]
            counts[2 * item] = 0
            counts[2 * item + 1] = 0
            size[item] = 0
        if top > hi:
            _, tick = _follow(
                code, offsets, time, group, limited, max_gap, within, row_of, ends, starts, lo, hi, depth == 0,
                seen, tick, counts, size, touched, slot,
            )  # fmt: skip
        for index in range(found):
            slot[touched[index]] = -1
    filled = 0
    while filled < top_k and scores[filled] >= 0:
        filled += 1
    return paths[:filled], lengths[:filled], held[:filled], scores[:filled], tried
