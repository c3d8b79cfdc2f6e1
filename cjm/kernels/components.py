"""Connected components by union-find, with links that may be refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["ACCEPTED", "TOO_LARGE", "TWO_VALUES", "anchors", "guarded_components", "known_since"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

ACCEPTED, TWO_VALUES, TOO_LARGE = 0, 1, 2


@kernel
def _find(parent: Int32Array, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]  # path halving
        node = parent[node]
    return node


@kernel
def guarded_components(
    a: Int32Array, b: Int32Array, unique_kind: npt.NDArray[np.int16], kinds: int, max_size: int
) -> tuple[Int32Array, npt.NDArray[np.uint8]]:
    """Join the ends of the links one by one; refuse a link that would break a rule.

    Signature: (int32[:], int32[:], int16[:], int64, int64) -> (int32[:], uint8[:]).

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

    Returns
    -------
    root : array of int32, shape (nodes,)
        One node of the component, the same for all its nodes.
    verdict : array of uint8, shape (links,)
        ``ACCEPTED``, ``TWO_VALUES`` or ``TOO_LARGE``.

    References
    ----------
    Tarjan and van Leeuwen (1984), Worst-case analysis of set union algorithms, JACM 31: linking by size with path
    halving.
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
def anchors(root: Int32Array, kind: npt.NDArray[np.int16], first: Int64Array) -> Int32Array:
    """Return each node's anchor: the node of its component of the least kind, then first seen, then least.

    Signature: (int32[:], int16[:], int64[:]) -> int32[:].
    """
    best = np.full(len(root), -1, dtype=np.int32)
    for node in range(len(root)):
        held = best[root[node]]
        if held < 0 or kind[node] < kind[held] or (kind[node] == kind[held] and first[node] < first[held]):
            best[root[node]] = node
    return best[root]


@kernel
def known_since(a: Int32Array, b: Int32Array, first: Int64Array, anchor: Int32Array, since: Int64Array) -> None:
    """Set ``since`` of each node to the time at which links first connected it to its anchor.

    Signature: (int32[:], int32[:], int64[:], int32[:], int64[:]). Accepted links only, ordered by time (``first``).
    """
    nodes = len(anchor)
    parent = np.arange(nodes).astype(np.int32)
    size = np.ones(nodes, dtype=np.int32)
    following = np.arange(nodes).astype(np.int32)  # the nodes of a component form a ring
    for link in range(len(a)):
        big = _find(parent, a[link])
        small = _find(parent, b[link])
        if big == small:
            continue
        target = _find(parent, anchor[a[link]])
        if target in (big, small):  # those on the other side learn their anchor now, once
            other = small if target == big else big
            node = other
            while True:
                since[node] = first[link]
                node = following[node]
                if node == other:
                    break
        if size[big] < size[small]:
            big, small = small, big
        parent[small] = big
        size[big] += size[small]
        following[big], following[small] = following[small], following[big]
