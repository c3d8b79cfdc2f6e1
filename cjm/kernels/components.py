"""Connected components by union-find, with links that may be refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["ACCEPTED", "APART", "TOO_LARGE", "TWO_VALUES"]
__all__ += ["anchors", "crowded", "flatten", "guarded_components", "settle", "unite", "unite_rows"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ACCEPTED, TWO_VALUES, TOO_LARGE, APART = 0, 1, 2, 3


@kernel
def _join(parent: Int32Array, x: int, y: int) -> None:
    """Join two trees in which no parent is greater than its child."""
    above_x, above_y = parent[x], parent[y]
    while above_x != above_y:
        if above_x > above_y:
            parent[x] = above_y
            if x == above_x:
                return
            x = above_x
            above_x = parent[x]
        else:
            parent[y] = above_x
            if y == above_y:
                return
            y = above_y
            above_y = parent[y]


@kernel
def unite(parent: Int32Array, a: Int32Array, b: Int32Array) -> None:
    """Join the ends of links. Start from ``parent[node] == node``; :func:`flatten` ends it.

    Signature: (int32[:], int32[:], int32[:]).

    References
    ----------
    Rem's algorithm with splicing: Patwary, Blair and Manne (2010), Experiments on union-find algorithms for the
    disjoint-set data structure, SEA 2010, section 2.
    """
    for link in range(len(a)):
        _join(parent, a[link], b[link])


@kernel
def unite_rows(parent: Int32Array, codes: Int32Array, usable: Flags) -> None:
    """Join the usable nodes of each row; ``codes`` has a column a row, -1 where there is none.

    Signature: (int32[:], int32[:, :], bool[:]).
    """
    for row in range(codes.shape[1]):
        held = -1
        for kind in range(len(codes)):
            node = codes[kind, row]
            if node >= 0 and usable[node]:
                if held >= 0:
                    _join(parent, held, node)
                held = node


@kernel
def flatten(parent: Int32Array) -> None:
    """Make ``parent`` of each node the least node of its component. Signature: (int32[:])."""
    for node in range(len(parent)):
        parent[node] = parent[parent[node]]


@kernel
def crowded(root: Int32Array, unique_kind: npt.NDArray[np.int16], kinds: int, max_size: int) -> Flags:
    """Return which roots have a component above ``max_size`` or with two nodes of a kind that is unique.

    Signature: (int32[:], int16[:], int64, int64) -> bool[:].
    """
    size = np.zeros(len(root), dtype=np.int32)
    found = np.zeros((len(root), kinds), dtype=np.bool_)
    bad = np.zeros(len(root), dtype=np.bool_)
    for node in range(len(root)):
        top = root[node]
        size[top] += 1
        if size[top] > max_size:
            bad[top] = True
        kind = unique_kind[node]
        if kind >= 0:
            if found[top, kind]:
                bad[top] = True
            found[top, kind] = True
    return bad


@kernel
def _find(parent: Int32Array, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]  # path halving
        node = parent[node]
    return node


@kernel
def guarded_components(
    a: Int32Array,
    b: Int32Array,
    unique_kind: npt.NDArray[np.int16],
    kinds: int,
    max_size: int,
    apart_a: Int32Array,
    apart_b: Int32Array,
) -> tuple[Int32Array, npt.NDArray[np.uint8]]:
    """Join the ends of the links one by one; refuse a link that would break a rule.

    Signature: (int32[:], int32[:], int16[:], int64, int64, int32[:], int32[:]) -> (int32[:], uint8[:]).

    Parameters
    ----------
    a, b : arrays of int32, shape (links,)
        Nodes of each link, strongest link first.
    unique_kind : array of int16, shape (nodes,)
        Number of the node's kind if a component may hold one value of it only, otherwise -1.
    kinds : int
        How many unique kinds there are.
    max_size : int
        Most nodes of a component.
    apart_a, apart_b : arrays of int32
        Pairs of nodes that must not come together.

    Returns
    -------
    root : array of int32, shape (nodes,)
        One node of the component, the same for all its nodes.
    verdict : array of uint8, shape (links,)
        ``ACCEPTED``, ``TWO_VALUES``, ``TOO_LARGE`` or ``APART``.
    """
    nodes = len(unique_kind)
    parent = np.arange(nodes).astype(np.int32)
    size = np.ones(nodes, dtype=np.int32)
    value = np.full((nodes, kinds), -1, dtype=np.int32)
    for node in range(nodes):
        if unique_kind[node] >= 0:
            value[node, unique_kind[node]] = node
    verdict = np.zeros(len(a), dtype=np.uint8)
    for link in range(len(a)):
        big = _find(parent, a[link])
        small = _find(parent, b[link])
        if big == small:
            continue
        for kind in range(kinds):
            if value[big, kind] >= 0 and value[small, kind] >= 0:
                verdict[link] = TWO_VALUES
        if verdict[link] == ACCEPTED and size[big] + size[small] > max_size:
            verdict[link] = TOO_LARGE
        if verdict[link] == ACCEPTED:
            for pair in range(len(apart_a)):
                one, other = _find(parent, apart_a[pair]), _find(parent, apart_b[pair])
                if (one == big and other == small) or (one == small and other == big):
                    verdict[link] = APART
                    break
        if verdict[link] != ACCEPTED:
            continue
        if size[big] < size[small]:
            big, small = small, big
        parent[small] = big
        size[big] += size[small]
        for kind in range(kinds):
            if value[big, kind] < 0:
                value[big, kind] = value[small, kind]
    root = np.empty(nodes, dtype=np.int32)
    for node in range(nodes):
        root[node] = _find(parent, node)
    return root, verdict


@kernel
def anchors(root: Int32Array, kind: npt.NDArray[np.int16], first: Int64Array) -> tuple[Int32Array, Flags]:
    """Return, at each root, the node of its component of the least kind, then first seen, and which nodes tie with it.

    Signature: (int32[:], int16[:], int64[:]) -> (int32[:], bool[:]). Where there is no component, -1.
    """
    best = np.full(len(root), -1, dtype=np.int32)
    for node in range(len(root)):
        held = best[root[node]]
        if held < 0 or kind[node] < kind[held] or (kind[node] == kind[held] and first[node] < first[held]):
            best[root[node]] = node
    tied = np.zeros(len(root), dtype=np.bool_)
    for node in range(len(root)):
        held = best[root[node]]
        if node != held and kind[node] == kind[held] and first[node] == first[held]:
            tied[node] = True
            tied[held] = True
    return best, tied


@kernel
def _less(data: npt.NDArray[np.uint8], offsets: Int64Array, one: int, other: int) -> bool:
    """Return whether text ``one`` comes before text ``other``, byte by byte."""
    length_one, length_other = offsets[one + 1] - offsets[one], offsets[other + 1] - offsets[other]
    for at in range(min(length_one, length_other)):
        x, y = data[offsets[one] + at], data[offsets[other] + at]
        if x != y:
            return bool(x < y)
    return bool(length_one < length_other)


@kernel
def settle(
    root: Int32Array, node: Int32Array, data: npt.NDArray[np.uint8], offsets: Int64Array, best: Int32Array
) -> None:
    """Set ``best`` of each root to that of some nodes whose text comes first.

    Signature: (int32[:], int32[:], uint8[:], int64[:], int32[:]). Text ``i``, of ``node[i]``, is
    ``data[offsets[i]:offsets[i + 1]]``.
    """
    held = np.full(len(best), -1, dtype=np.int32)
    for at in range(len(node)):
        top = root[at]
        if held[top] < 0 or _less(data, offsets, at, held[top]):
            held[top] = at
            best[top] = node[at]
