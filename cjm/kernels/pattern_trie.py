"""Which of many sequences each person has, in one pass over the events: the sequences share their beginnings in a trie.

Node 0 is the empty sequence. A person's state at a node is the last place where its sequence ends and the latest start
of an occurrence that ends there: ends and their starts rise together, so this one is the best to go on from, with any
limits. The children that an event leads to stand side by side in a table, one line an item.

References
----------
Aho and Corasick (1975), Efficient string matching, CACM 18, for a trie of all patterns; here steps may skip events.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["build_trie", "count_trie"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def build_trie(
    values: CodeArray, bounds: IntArray, n_items: int, max_size: int
) -> tuple[CodeArray, IntArray, IntArray, IntArray]:
    """Put sequences, which are in lexicographic order, into a trie, as many as a table of ``max_size`` holds.

    (int32[:], int64[:], int64, int64) -> table, number of children of each node that has some, parent of each node,
    node of each sequence. The nodes that have children (and node 0) come first; ``table[item * len(children) + node]``
    is where an item leads from such a node, 0 if it leads nowhere. There is room for one sequence at least.
    """
    parent = np.zeros(len(values) + 1, dtype=np.int64)
    items = np.zeros(len(values) + 1, dtype=np.int32)
    children = np.zeros(len(values) + 1, dtype=np.int64)
    node_of = np.empty(len(bounds) - 1, dtype=np.int64)
    path = np.zeros(len(values) + 1, dtype=np.int64)
    n_nodes = 1
    inner = 1
    done = 0
    known = 0  # steps of the sequence before, whose nodes are on ``path``
    for sequence in range(len(bounds) - 1):
        lo = bounds[sequence]
        length = bounds[sequence + 1] - lo
        if done > 0 and (inner + length) * n_items > max_size:
            break
        shared = 0
        while shared < min(known, length) and items[path[shared + 1]] == values[lo + shared]:
            shared += 1
        for step in range(shared, length):
            node = path[step]
            inner += node > 0 and children[node] == 0
            children[node] += 1
            parent[n_nodes] = node
            items[n_nodes] = values[lo + step]
            path[step + 1] = n_nodes
            n_nodes += 1
        known = length
        node_of[sequence] = path[length]
        done += 1
    number = np.zeros(n_nodes, dtype=np.int64)
    inside = np.zeros(inner, dtype=np.int64)
    inside[0] = children[0]
    next_inner = 1
    next_leaf = inner
    for node in range(1, n_nodes):
        if children[node] > 0:
            number[node] = next_inner
            inside[next_inner] = children[node]
            next_inner += 1
        else:
            number[node] = next_leaf
            next_leaf += 1
    table = np.zeros(n_items * inner, dtype=np.int32)
    above = np.zeros(n_nodes, dtype=np.int64)
    for node in range(1, n_nodes):
        above[number[node]] = number[parent[node]]
        table[items[node] * inner + number[parent[node]]] = number[node]
    ends = np.empty(done, dtype=np.int64)
    for sequence in range(done):
        ends[sequence] = number[node_of[sequence]]
    return table, inside, above, ends


@kernel
def count_trie(
    code: CodeArray, offsets: IntArray, first: int, stop: int, group: IntArray, new_code: CodeArray,
    time: IntArray, limited: bool, max_gap: int, within: int, table: CodeArray, children: IntArray, counts: IntArray,
) -> None:  # fmt: skip
    """Add to ``counts`` how many persons of ``[first, stop)`` in each group have the sequence of each node.

    (int32[:], int64[:], int64, int64, int64[:], int32[:], int64[:], bool, int64, int64, int32[:], int64[:], int64[:])
    -> None. Persons of group -1 are left out, and so are events whose ``new_code`` is -1. Node ``n`` and group ``g``
    have place ``2 * n + g`` in ``counts``.
    """
    inner = len(children)
    met = np.full(len(counts) // 2, -1, dtype=np.int32)  # the last person seen to have it
    end = np.zeros(len(met) if limited else 0, dtype=np.int64)
    start = np.zeros(len(met) if limited else 0, dtype=np.int64)
    missing = np.zeros(inner, dtype=np.int64)  # children that the person does not have yet
    active = np.zeros(inner, dtype=np.int32)  # nodes to go on from, a parent before its children
    for person in range(first, stop):
        side = group[person]
        if side < 0:
            continue
        counts[side] += 1
        active[0] = 0
        n_active = 1
        missing[0] = children[0]
        for place in range(offsets[person], offsets[person + 1]):
            item = new_code[code[place]]
            if item < 0:
                continue
            now = time[place]
            row = np.uint64(item * inner)
            # children first, so that no event is two steps
            for index in range(n_active - 1, -1, -1):
                node = np.uint64(active[np.uint64(index)])
                child = np.uint64(table[row + node])
                if child == 0 or (not limited and met[child] == person):
                    continue
                if limited:
                    if node > 0 and (now - end[node] > max_gap or now - start[node] > within):
                        continue
                    end[child] = now
                    start[child] = start[node] if node > 0 else now
                    if met[child] == person:
                        continue
                met[child] = person
                counts[child + child + np.uint64(side)] += 1
                if child < np.uint64(inner):
                    missing[child] = children[child]
                    active[n_active] = child
                    n_active += 1
                if not limited:
                    missing[node] -= 1
                    if missing[node] == 0:  # what takes its place has been looked at or is new
                        n_active -= 1
                        active[index] = active[n_active]
            if n_active == 0:
                break
