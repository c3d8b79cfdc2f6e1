"""When links first connected two nodes: a forest of the earliest links, grown link by link in any order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["connected_since", "grow", "grow_rows", "new_forest"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

_NEVER = np.iinfo(np.int64).max


@kernel
def new_forest(nodes: int) -> tuple[Int32Array, Int64Array]:
    """Return ``parent`` and ``when`` (time of the link to the parent) of nodes without links."""
    return np.arange(nodes).astype(np.int32), np.full(nodes, _NEVER, dtype=np.int64)


@kernel
def _rank(node: int) -> int:
    """Return a number that is as good as random: it decides who is above whom, and keeps trees shallow."""
    mixed = np.uint32(node) * np.uint32(0x9E3779B1)
    mixed ^= mixed >> np.uint32(15)
    return int(mixed * np.uint32(0x85EBCA6B))


@kernel
def _insert(parent: Int32Array, when: Int64Array, one: int, other: int, time: int) -> None:
    """Take a link into the forest: of the links of a circle the latest is left out.

    A link goes between the highest nodes that earlier ones reach, from the lower to the higher. The link that stood
    there is later, so it is inserted anew, further up.
    """
    while True:
        while when[one] <= time:
            one = parent[one]
        while when[other] <= time:
            other = parent[other]
        if one == other:
            return
        if _rank(one) > _rank(other):
            one, other = other, one
        above, later = parent[one], when[one]
        parent[one] = other
        when[one] = time
        if later == _NEVER:
            return
        one, time = above, later


@kernel
def grow(parent: Int32Array, when: Int64Array, a: Int32Array, b: Int32Array, time: Int64Array) -> None:
    """Insert links. Signature: (int32[:], int64[:], int32[:], int32[:], int64[:])."""
    for link in range(len(a)):
        _insert(parent, when, a[link], b[link], time[link])


@kernel
def grow_rows(
    parent: Int32Array,
    when: Int64Array,
    codes: Int32Array,
    anchor: Int32Array,
    usable: npt.NDArray[np.bool_],
    time: Int64Array,
) -> None:
    """Insert the links between nodes of a row that are usable and of one anchor.

    Signature: (int32[:], int64[:], int32[:, :], int32[:], bool[:], int64[:]).
    """
    for row in range(codes.shape[1]):
        for kind in range(1, len(codes)):
            node = codes[kind, row]
            if node < 0 or not usable[node]:
                continue
            for before in range(kind):
                other = codes[before, row]
                if other >= 0 and usable[other] and anchor[other] == anchor[node]:
                    _insert(parent, when, other, node, time[row])
                    break  # what is before it in the row is connected already


@kernel
def connected_since(parent: Int32Array, when: Int64Array, anchor: Int32Array, since: Int64Array) -> None:
    """Set ``since`` of each node to the time at which it was first connected to its anchor, unless it is the anchor.

    Signature: (int32[:], int64[:], int32[:], int64[:]). It is the latest link on the way between them in the forest.
    """
    for node in range(len(anchor)):
        one, other = node, anchor[node]
        if one == other:
            continue
        latest = np.iinfo(np.int64).min
        while one != other:
            if _rank(other) < _rank(one):
                one, other = other, one
            latest = max(latest, when[one])
            one = parent[one]
        since[node] = latest
