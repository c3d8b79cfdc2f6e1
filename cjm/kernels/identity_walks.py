"""Walks over events in time order: whose event is each one, where a shared identifier serves several persons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["ANONYMOUS", "ERASED", "LINK", "LIVE", "NOBODY", "OWN", "REPLAY", "SHARED"]
__all__ += ["earliest", "group_rows", "look_ahead", "look_back", "rows_with", "second_partners", "spans"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

_NEVER = np.iinfo(np.int64).max
# Why an event has its person. In a run of one person's events the largest code names the run.
OWN, LINK, LIVE, REPLAY, ANONYMOUS, SHARED, ERASED, NOBODY = 0, 1, 2, 3, 4, 5, 6, 7


@kernel
def spans(codes: Int32Array, first: Int64Array, last: Int64Array, events: Int64Array) -> None:
    """Bring the first and last row of each code, -1 before the first, and how often it occurs up to date.

    Signature: (int32[:], int64[:], int64[:], int64[:]). Negative codes are absent.
    """
    for row in range(len(codes)):
        code = codes[row]
        if code >= 0:
            if events[code] == 0 or row < first[code]:
                first[code] = row
            last[code] = max(last[code], row)
            events[code] += 1


@kernel
def earliest(codes: Int32Array, time: Int64Array, first: Int64Array) -> None:
    """Lower ``first`` of each code to its earliest time. Signature: (int32[:], int64[:], int64[:])."""
    for row in range(len(codes)):
        code = codes[row]
        if code >= 0 and time[row] < first[code]:
            first[code] = time[row]


@kernel
def second_partners(
    nodes: Int32Array, partners: Int32Array, at: Int64Array, held: Int32Array, held_at: Int64Array
) -> Int64Array:
    """Return the rows whose node met another partner before; negative codes are absent.

    Signature: (int32[:], int32[:], int64[:], int32[:], int64[:]) -> int64[:].

    Parameters
    ----------
    at : array of int64, shape (rows,)
        When each row happened; empty: rows count from zero.
    held, held_at : arrays, shape (nodes,)
        State between calls: the first partner that was found, -1 for none, and the earliest ``at`` with it.
    """
    found = np.empty(64, dtype=np.int64)
    count = 0
    for row in range(len(nodes)):
        node, partner = nodes[row], partners[row]
        if node < 0 or partner < 0:
            continue
        now = at[row] if len(at) else row
        if held[node] < 0:
            held[node] = partner
            held_at[node] = now
        elif held[node] == partner:
            held_at[node] = min(held_at[node], now)
        else:
            if count == len(found):
                longer = np.empty(2 * count, dtype=np.int64)
                longer[:count] = found
                found = longer
            found[count] = row
            count += 1
    return found[:count]


@kernel
def group_rows(codes: Int32Array, low: int, high: int) -> Int64Array:
    """Return the rows whose code lies in ``[low, high)``, ordered by code and, within a code, as they come.

    Signature: (int32[:], int64, int64) -> int64[:].
    """
    place = np.zeros(high - low + 1, dtype=np.int64)
    for code in codes:
        if code >= 0:
            place[code - low + 1] += 1
    for code in range(high - low):
        place[code + 1] += place[code]
    rows = np.empty(place[high - low], dtype=np.int64)
    for row in range(len(codes)):
        code = codes[row]
        if code >= 0:
            rows[place[code - low]] = row
            place[code - low] += 1
    return rows


@kernel
def look_back(
    start: int,
    stop: int,
    time: Int64Array,
    owner: Int32Array,
    carriers: Int32Array,
    limit: Int64Array,
    stale: int,
    until: Int64Array,
    last: Int64Array,
    held: Int64Array,
    person: Int32Array,
    reason: npt.NDArray[np.uint8],
    known: Int64Array,
) -> None:
    """Label the events ``[start, stop)`` by what came before them.

    Signature: (int64, int64, int64[:], int32[:], int32[:, :], int64[:], int64, int64[:], int64[:], int64[:], int32[:],
    uint8[:], int64[:]).

    Parameters
    ----------
    time : array of int64, shape (events,)
        Ascending.
    owner : array of int32, shape (events,)
        Person of the unique identifier on the event, -1 where there is none.
    carriers : array of int32, shape (kinds, events)
        Shared identifiers on the event, kinds by priority, -1 where there is none.
    limit : array of int64, shape (identifiers,)
        Row from which on a shared identifier is filled no more. Empty: all are filled.
    stale : int
        Largest age of an owner that still counts.
    until : array of int64, shape (events,)
        For a row that is no event but a declared link: the time at which it ends; -1 for events. Empty: all are events.
    last, held : array of int64, shape (identifiers,)
        State between calls: row of the latest owned event, and of the latest declared link, of each shared identifier,
        -1 before the first.
    person, reason : arrays, shape (events,)
        Results: the owner, or the identifier itself where nobody is known.
    known : array of int64, shape (events,)
        Time from which the owner of an event can be known; the events without one receive theirs.
    """
    for row in range(start, stop):
        if owner[row] >= 0:
            person[row] = owner[row]
            reason[row] = OWN
            seen_on = held if len(until) and until[row] != -1 else last
            for kind in range(len(carriers)):
                code = carriers[kind, row]
                if code >= 0:
                    seen_on[code] = row
            continue
        person[row] = -1
        reason[row] = NOBODY
        known[row] = time[row]
        for kind in range(len(carriers)):
            code = carriers[kind, row]
            if code < 0:
                continue
            if len(limit) and row >= limit[code]:
                if reason[row] == NOBODY:
                    person[row] = code
                    reason[row] = SHARED
                continue
            seen = last[code]
            if seen >= 0 and stale != _NEVER and time[row] - time[seen] > stale:
                seen = -1
            if len(until) and held[code] > seen and time[row] < until[held[code]]:
                seen = held[code]
            if seen >= 0:
                person[row] = owner[seen]
                reason[row] = LIVE
                known[row] = max(time[row], known[seen])
                break
            if reason[row] != ANONYMOUS:
                person[row] = code
                reason[row] = ANONYMOUS


@kernel
def look_ahead(
    start: int,
    stop: int,
    time: Int64Array,
    owner: Int32Array,
    carriers: Int32Array,
    limit: Int64Array,
    replay: int,
    following: Int64Array,
    person: Int32Array,
    reason: npt.NDArray[np.uint8],
    known: Int64Array,
) -> None:
    """Give the events ``[start, stop)`` that :func:`look_back` left anonymous to the owner who comes first after them.

    Signature: (int64, int64, int64[:], int32[:], int32[:, :], int64[:], int64, int64[:], int32[:], uint8[:], int64[:]).
    ``following`` is the state between calls, which go from the last events to the first. Of several identifiers on an
    event the one whose owner comes first decides, whatever its kind: what was known at a time does not change later.
    """
    for row in range(stop - 1, start - 1, -1):
        if owner[row] >= 0:
            for kind in range(len(carriers)):
                code = carriers[kind, row]
                if code >= 0:
                    following[code] = row
        elif reason[row] == ANONYMOUS:
            first = np.int64(-1)
            for kind in range(len(carriers)):
                code = carriers[kind, row]
                if code < 0 or (len(limit) and row >= limit[code]):
                    continue
                seen = following[code]
                if seen >= 0 and (first < 0 or seen < first):
                    first = seen
            if first >= 0 and time[first] - time[row] <= replay:
                person[row] = owner[first]
                reason[row] = REPLAY
                known[row] = known[first]


@kernel
def rows_with(codes: Int32Array, wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which rows carry a node that is wanted. Signature: (int32[:, :], bool[:]) -> bool[:]."""
    found = np.zeros(codes.shape[1], dtype=np.bool_)
    for kind in range(len(codes)):
        for row in range(codes.shape[1]):
            node = codes[kind, row]
            if node >= 0 and wanted[node]:
                found[row] = True
    return found
