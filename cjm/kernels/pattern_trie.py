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
) -> tuple[CodeArray, CodeArray, IntArray, IntArray, IntArray]:
    """Put sequences, which are in lexicographic order, into a trie, as many as a table of ``max_size`` holds.

    (int32[:], int64[:], int64, int64) -> table, line of each node (-1 where it has no children), parent of each node,
    number of children of each node, node of each sequence. ``table[item * lines + line]`` is the node that an item leads
    to, 0 if there is none. There is room for one sequence at least.
    """
    parent = np.zeros(len(values) + 1, dtype=np.int64)
    items = np.zeros(len(values) + 1, dtype=np.int32)
    children = np.zeros(len(values) + 1, dtype=np.int64)
    node_of = np.empty(len(bounds) - 1, dtype=np.int64)
    path = np.zeros(len(values) + 1, dtype=np.int64)
    n_nodes = 1
    n_lines = 1
    done = 0
    known = 0  # nodes of the sequence before, on ``path``
    for sequence in range(len(bounds) - 1):
        lo = bounds[sequence]
        length = bounds[sequence + 1] - lo
        shared = 0
        while shared < min(known, length) and items[path[shared + 1]] == values[lo + shared]:
            shared += 1
        if done > 0 and (n_lines + length) * n_items > max_size:
            break
        for step in range(shared, length):
            node = path[step]
            n_lines += node > 0 and children[node] == 0
            children[node] += 1
            parent[n_nodes] = node
            items[n_nodes] = values[lo + step]
            path[step + 1] = n_nodes
            n_nodes += 1
        known = length
        node_of[sequence] = path[length]
        done += 1
    line = np.full(n_nodes, -1, dtype=np.int32)
    lines = 0
    for node in range(n_nodes):
        if node == 0 or children[node] > 0:
            line[node] = lines
            lines += 1
    table = np.zeros(n_items * lines, dtype=np.int32)
    for node in range(1, n_nodes):
        table[items[node] * lines + line[parent[node]]] = node
    return table, line, parent[:n_nodes].copy(), children[:n_nodes].copy(), node_of[:done].copy()


@kernel
def count_trie(
    code: CodeArray, offsets: IntArray, first: int, stop: int, group: IntArray, new_code: CodeArray,
    time: IntArray, limited: bool, max_gap: int, within: int,
    table: CodeArray, line: CodeArray, lines: int, children: IntArray, counts: IntArray,
) -> None:  # fmt: skip
    """Add to ``counts`` how many persons of ``[first, stop)`` in each group have the sequence of each node.

    (int32[:], int64[:], int64, int64, int64[:], int32[:], int64[:], bool, int64, int64, int32[:], int32[:], int64,
    int64[:], int64[:, :]) -> None. Persons of group -1 are left out, and so are events whose ``new_code`` is -1.
    """
    n_nodes = len(children)
    met = np.full(n_nodes, -1, dtype=np.int32)  # the last person seen to have it
    end = np.zeros(n_nodes, dtype=np.int64)
    start = np.zeros(n_nodes, dtype=np.int64)
    missing = np.zeros(n_nodes, dtype=np.int64)  # children that the person does not have yet
    active = np.zeros(lines, dtype=np.int32)  # nodes to go on from, a parent before its children
    lines_of = np.zeros(lines, dtype=np.int32)  # their lines
    for person in range(first, stop):
        if group[person] < 0:
            continue
        side = group[person]
        counts[0, side] += 1
        active[0] = 0
        lines_of[0] = 0
        n_active = 1
        missing[0] = children[0]
        for place in range(offsets[person], offsets[person + 1]):
            item = new_code[code[place]]
            if item < 0:
                continue
            now = time[place]
            row = np.uint64(item * lines)
            # children first, so that no event is two steps
            for index in range(n_active - 1, -1, -1):
                child = table[row + np.uint64(lines_of[np.uint64(index)])]
                if child == 0:
                    continue
                known = met[child] == person
                if known and not limited:
                    continue
                node = active[index]
                if limited:
                    if node > 0 and (now - end[node] > max_gap or now - start[node] > within):
                        continue
                    end[child] = now
                    start[child] = start[node] if node > 0 else now
                    if known:
                        continue
                met[child] = person
                counts[child, side] += 1
                if line[child] >= 0:
                    missing[child] = children[child]
                    active[n_active] = child
                    lines_of[n_active] = line[child]
                    n_active += 1
                missing[node] -= 1
                if missing[node] == 0 and not limited:  # what takes its place has been looked at or is new
                    n_active -= 1
                    active[index] = active[n_active]
                    lines_of[index] = lines_of[n_active]
            if n_active == 0:
                break
