"""Counts over the labels of events, in any order of events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.identity_walks import OWN

__all__ = ["count_events", "count_labels", "meet"]

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@kernel
def meet(
    time: Int64Array,
    codes: Int32Array,
    person: Int32Array,
    reason: npt.NDArray[np.uint8],
    until: int,
    unique: int,
    gone: Flags,
    reasons: Int64Array,
    there: Flags,
    met: Flags,
    is_person: Flags,
    since: Int64Array,
) -> None:
    """Mark what is on events, and when each person first has one of their own; count the reasons.

    Signature: (int64[:], int32[:, :], int32[:], uint8[:], int64, int64, bool[:], int64[:], bool[:], bool[:], bool[:],
    int64[:]).

    Parameters
    ----------
    codes : array of int32, shape (kinds, events)
        Unique kinds first; -1 where there is none.
    person : array of int32, shape (events,)
        -1 for nobody.
    until : int
        Later events do not count.
    unique : int
        How many kinds are unique.
    gone : array of bool, shape (nodes,)
        Nodes that count as absent.
    reasons : array of int64
        Raised by how many events have each reason, later ones too.
    there, met, is_person : arrays of bool, shape (nodes,)
        Results: nodes on events, those of them that were on one with another of a unique kind, and persons of events.
    since : array of int64, shape (nodes,)
        Lowered to the earliest time of an event of the person that carries a unique identifier.
    """
    for row in range(len(time)):
        reasons[reason[row]] += 1
        if time[row] > until:
            continue
        carried = 0
        for kind in range(unique):
            if codes[kind, row] >= 0:
                carried += 1
        for kind in range(len(codes)):
            node = codes[kind, row]
            if node >= 0 and not gone[node]:
                there[node] = True
                if carried > (1 if kind < unique else 0):
                    met[node] = True
        if person[row] >= 0:
            is_person[person[row]] = True
            if reason[row] == OWN:
                since[person[row]] = min(since[person[row]], time[row])


@kernel
def count_labels(
    time: Int64Array,
    codes: Int32Array,
    person: Int32Array,
    known: Int64Array,
    until: int,
    unique: int,
    gone: Flags,
    met: Flags,
    is_known: Flags,
    since: Int64Array,
    counts: Int64Array,
) -> None:
    """Add to ``counts``: events never known, those of known persons, of these known later, and before ``since``.

    Signature: (int64[:], int32[:, :], int32[:], int64[:], int64, int64, bool[:], bool[:], bool[:], int64[:], int64[:]).
    Never known is an event without a unique identifier and with others, none of which is in ``met``. ``is_known`` says
    which nodes are known persons; for the rest see :func:`meet`.
    """
    for row in range(len(time)):
        if time[row] > until:
            continue
        some, named = False, False
        for kind in range(len(codes)):
            node = codes[kind, row]
            if node >= 0 and not gone[node]:
                some = True
                named |= kind < unique or met[node]
        if some and not named:
            counts[0] += 1
        owner = person[row]
        if owner >= 0 and is_known[owner]:
            counts[1] += 1
            if known[row] > time[row]:
                counts[2] += 1
            if time[row] < since[owner]:
                counts[3] += 1


@kernel
def count_events(person: Int32Array, nodes: int) -> Int64Array:
    """Return how many events each person has. Signature: (int32[:], int64) -> int64[:]. Negative is nobody."""
    counts = np.zeros(nodes, dtype=np.int64)
    for owner in person:
        if owner >= 0:
            counts[owner] += 1
    return counts
