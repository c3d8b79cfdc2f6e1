"""Clusters of a log that is too large for memory, dealt to buckets that can be solved apart from each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.identity._coded_log import CodedLog

__all__ = ["bucket_of_nodes", "overused"]

Flags = npt.NDArray[np.bool_]
Int64Array = npt.NDArray[np.int64]

_HELD = 4_000_000  # pairs that are made distinct together


def overused(log: CodedLog, unique: int, max_per_person: int | None) -> Flags:
    """Return which shared identifiers met too many values of a unique kind: they connect nothing.

    Unique ones may have as well. They are found where all events of their cluster are.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import second_partners

    found = np.zeros(log.nodes, dtype=bool)
    if max_per_person is None:
        return found
    always = as_array(np.empty(0, dtype=np.int64), np.int64)
    for kind in range(unique):
        held, held_at = np.full(log.nodes, -1, dtype=np.int32), np.zeros(log.nodes, dtype=np.int64)
        pairs: list[Int64Array] = []
        for _, codes in log.pieces():
            for shared in codes[unique:]:
                node, partner = as_array(shared, np.int32), as_array(codes[kind], np.int32)
                rows = second_partners(node, partner, always, held, held_at)
                pairs.append(np.unique((node[rows].astype(np.int64) << 32) | partner[rows]))
            if sum(map(len, pairs)) > _HELD:
                pairs = [np.unique(np.concatenate(pairs))]
        if pairs:
            further = np.unique(np.concatenate(pairs)) >> 32
            found |= np.bincount(further, minlength=log.nodes) >= max_per_person
    return found


def bucket_of_nodes(log: CodedLog, apart: Flags, buckets: int) -> npt.NDArray[np.int16]:
    """Return the bucket of each node: one for a whole cluster. Those ``apart`` connect nothing."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.components import flatten, unite_rows

    root = np.arange(log.nodes, dtype=np.int32)
    usable = as_array(~apart, np.bool_)
    for _, codes in log.pieces():
        unite_rows(root, as_array(codes, np.int32), usable)
    flatten(root)
    mixed = root.astype(np.uint32) * np.uint32(0x9E3779B1)
    return ((mixed >> np.uint32(8)) % np.uint32(buckets)).astype(np.int16)
