"""The policy ``device split``: unique identifiers make persons, shared ones pass from person to person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cjm.identity._assignment import Assignment, dissolved
from cjm.identity._coding import Coded
from cjm.identity._evidence import ALWAYS, NEVER, Declared
from cjm.identity._links import Guard
from cjm.identity._merge import merge, since

__all__ = ["declared_sightings", "device_split"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Timeline:
    """Events and, before the events of their time, declared links of a unique and a shared identifier.

    ``rows`` says where the events are; empty: all rows are events. The rest is what the walks take.
    """

    rows: Int64Array
    time: Int64Array
    owner: Int32Array
    carriers: Int32Array
    known: Int64Array
    until: Int64Array


def device_split(
    coded: Coded, guarded: Guard, *, replay: int | None, stale: int | None, hindsight: bool, max_size: int | None
) -> Assignment:
    """Assign events; durations in microseconds; without ``hindsight`` the guard knows no later events either."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import ANONYMOUS, ERASED, NOBODY, OWN, look_ahead, look_back

    events, unique_columns = len(coded.time), range(coded.unique_columns)
    joins = (coded.kind < coded.unique) & ~guarded.tripped
    whole = merge(coded, unique_columns, joins, max_size)
    merged, theirs = dissolved(coded, whole)
    code, owner = _owners(coded, merged.anchor)
    known = coded.time.copy()
    known_since = None
    if not np.array_equal(merged.anchor, np.arange(len(merged.anchor))):
        known_since = since(coded, unique_columns, joins, merged.anchor)
        known = np.where(code >= 0, np.maximum(known, known_since[code]), known)

    line = _timeline(coded, whole.anchor, merged.anchor, owner, known, known_since, stale)
    limit = np.empty(0, dtype=np.int64)
    if guarded.tripped.any():
        limit = np.where(guarded.tripped, 0, len(line.time)) if hindsight else _limit(guarded, line)
    fixed = (
        as_array(line.time, np.int64),
        as_array(line.owner, np.int32),
        as_array(line.carriers, np.int32),
        as_array(limit, np.int64),
    )
    person, reason = np.full(len(line.time), -1, dtype=np.int32), np.full(len(line.time), NOBODY, dtype=np.uint8)
    unseen = np.full(len(coded.kind), -1, dtype=np.int64)
    until, held = as_array(line.until, np.int64), unseen.copy() if len(line.until) else unseen[:0]
    learnt = line.known
    look_back(
        0, len(line.time), *fixed, NEVER if stale is None else stale, until, unseen.copy(), held, person, reason, learnt
    )
    if replay is not None and hindsight:
        look_ahead(0, len(line.time), *fixed, replay, unseen, person, reason, learnt)
    if len(line.rows):
        person, reason, learnt = person[line.rows], reason[line.rows], learnt[line.rows]

    alone = np.zeros(events, dtype=bool)
    if coded.linking is not coded.codes:  # identifiers that may not be linked keep their own events
        alone = person < 0
    if coded.erased.any():
        gone = (person >= 0) & coded.erased[person]
        reason[gone] = ERASED
        learnt[gone] = coded.time[gone]
        alone |= gone
    if alone.any():
        own = coded.first_code(range(len(coded.columns)), without=coded.erased)
        person[alone] = own[alone]
        reason[alone & (own < 0)] = NOBODY
        reason[alone & (own >= 0) & (reason == NOBODY)] = ANONYMOUS
    assert not np.any(reason[person < 0] == OWN)
    barred = guarded.tripped | theirs
    return Assignment(merged.anchor, barred, guarded.tripped, merged.refused, person, reason, learnt)


def _owners(coded: Coded, anchor: Int32Array) -> tuple[Int32Array, Int32Array]:
    """Return the unique identifier that may link on each event, and the person whose event it is; -1 for none.

    An identifier that may not be linked has its own events to itself. One that was erased is among them: it keeps its
    place in time, so that nobody else takes it.
    """
    columns = range(coded.unique_columns)
    code = coded.first_code(columns, linking=True)
    owner = np.where(code >= 0, anchor[code], -1).astype(np.int32)
    if coded.linking is not coded.codes:
        owner = np.where(owner >= 0, owner, coded.first_code(columns))
    return code, owner


def _limit(guarded: Guard, line: _Timeline) -> Int64Array:
    """Return the row of the time line from which on each node is filled no more."""
    if not len(line.rows):
        return guarded.tripped_at
    rows = np.append(line.rows, len(line.time))
    return rows[np.minimum(guarded.tripped_at, len(line.rows))]


def _timeline(
    coded: Coded,
    whole: Int32Array,
    anchor: Int32Array,
    owner: Int32Array,
    known: Int64Array,
    known_since: Int64Array | None,
    stale: int | None,
) -> _Timeline:
    """Return the time line; ``whole`` are the anchors with the erased ones among their persons."""
    first = coded.unique_columns
    carriers = coded.linking[first:]
    if coded.linking is not coded.codes:
        carriers = np.where((owner >= 0) & (coded.first_code(range(first), linking=True) < 0), -1, carriers)
    if len(coded.apart):
        carriers = _without_denied(coded, whole, owner, carriers)
    nothing = np.empty(0, dtype=np.int64)
    kinds = np.array(coded.columns[first:], dtype=np.int64)
    links = declared_sightings(coded, whole)
    links = links.take(np.isin(coded.kind[links.b], kinds))
    if not len(links):
        return _Timeline(nothing, coded.time, owner, carriers, known, nothing)
    learnt = links.since if known_since is None else np.maximum(links.since, known_since[links.a])
    ends = links.until.copy()
    open_ = ends == NEVER
    if stale is not None:  # a link without end holds as long as a sighting would; one of all times for ever
        room = np.minimum(links.since[open_], NEVER - stale - 1) + stale + 1
        ends[open_] = np.where(links.since[open_] == ALWAYS, NEVER, room)
    place = np.concatenate([links.since, coded.time])
    row = np.argsort(place, kind="stable")
    back = np.empty(len(row), dtype=np.int64)
    back[row] = np.arange(len(row))
    many = len(links)
    added = np.full((len(carriers), many), -1, dtype=np.int32)
    added[np.searchsorted(kinds, coded.kind[links.b]), np.arange(many)] = links.b
    return _Timeline(
        back[many:],
        place[row],
        np.concatenate([anchor[links.a], owner])[row].astype(np.int32),
        np.concatenate([added, carriers], axis=1)[:, row],
        np.concatenate([learnt, known])[row],
        np.concatenate([ends, np.full(len(coded.time), -1, dtype=np.int64)])[row],
    )


def declared_sightings(coded: Coded, anchor: Int32Array) -> Declared:
    """Return the declared links of a unique and a shared identifier that are not denied, in the order of their start.

    Of links that begin at one time the one whose person comes last counts, so the order of the table does not.
    """
    declared = coded.declared
    chosen = (coded.kind[declared.a] < coded.unique) & (coded.kind[declared.b] >= coded.unique)
    if len(coded.apart):
        pairs = (anchor[declared.a].astype(np.int64) << 32) | declared.b
        chosen &= ~np.isin(pairs, _denied(coded, anchor))
    links = declared.take(chosen)
    person = anchor[links.a]
    return links.take(np.lexsort((links.until, coded.place(person), coded.kind[person], links.since)))


def _denied(coded: Coded, anchor: Int32Array) -> Int64Array:
    """Return keys of pairs of a person and a shared identifier that no link may bring together."""
    a, b = coded.apart[:, 0], coded.apart[:, 1]
    chosen = (coded.kind[a] < coded.unique) & (coded.kind[b] >= coded.unique)
    return (anchor[a[chosen]].astype(np.int64) << 32) | b[chosen]


def _without_denied(coded: Coded, anchor: Int32Array, owner: Int32Array, carriers: Int32Array) -> Int32Array:
    """Return the carriers without those on which a sighting of the event's owner says nothing."""
    keys = _denied(coded, anchor)
    found = carriers.copy()
    for codes in found:
        seen = np.flatnonzero((owner >= 0) & (codes >= 0))
        pairs = (anchor[owner[seen]].astype(np.int64) << 32) | codes[seen]
        codes[seen[np.isin(pairs, keys)]] = -1
    return found
