"""The policy ``device split``: unique identifiers make persons, shared ones pass from person to person."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._assignment import Assignment, identifier_rows, map_rows
from cjm.identity._coding import Coded
from cjm.identity._links import EVIDENCE, GUARDED, UNUSED, Guard, Links, link_frame
from cjm.identity._merge import guard_conflicts, link_conflicts, merge, owner_conflicts
from cjm.ragged import offsets_of_sorted

__all__ = ["device_split"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

_NEVER = np.iinfo(np.int64).max


def device_split(
    coded: Coded,
    links: Links,
    guarded: Guard,
    *,
    replay: int | None,
    stale: int | None,
    hindsight: bool,
    max_size: int | None,
) -> Assignment:
    """Assign events; durations in microseconds; without ``hindsight`` the guard knows no later events either."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import LINK, NOBODY, OWN, look_ahead, look_back

    rows, unique_nodes = len(coded.time), int(coded.starts[coded.unique])
    tripped = guarded.tripped
    merged = merge(coded, links, (links.b < unique_nodes) & ~tripped[links.a] & ~tripped[links.b], max_size)
    code = coded.first_code(range(coded.unique))
    owner = np.where(code >= 0, merged.anchor[code], -1)
    known = np.where(code >= 0, np.maximum(coded.time, merged.since[code]), coded.time)

    limit = np.where(tripped, 0, rows) if hindsight else guarded.tripped_at
    fixed = (
        as_array(coded.time, np.int64),
        as_array(owner, np.int32),
        as_array(coded.codes[coded.unique :], np.int32),
        as_array(limit, np.int64),
    )
    person, reason = np.full(rows, -1, dtype=np.int32), np.full(rows, NOBODY, dtype=np.uint8)
    unseen = np.full(len(coded.ids), -1, dtype=np.int64)
    look_back(0, rows, *fixed, _NEVER if stale is None else stale, unseen.copy(), person, reason, known)
    if replay is not None:
        look_ahead(0, rows, *fixed, replay, unseen.copy(), person, reason, known)

    nodes = np.arange(unique_nodes)
    anchor = merged.anchor[:unique_nodes]
    unique_reason = np.where(anchor == nodes, OWN, LINK).astype(np.uint8)
    unique_rows = identifier_rows(coded, nodes, anchor, merged.since[:unique_nodes], unique_reason)
    shared_rows = [_intervals(coded, kind, person, reason, known) for kind in range(coded.unique, len(coded.kinds))]
    evidence = (links.a < unique_nodes) & (links.b >= unique_nodes)
    verdict = merged.verdict.copy()
    verdict[evidence] = np.where(links.first[evidence] < limit[links.b[evidence]], EVIDENCE, GUARDED)
    verdict[links.a >= unique_nodes] = UNUSED
    return Assignment(
        person=person,
        reason=reason,
        known=known,
        rows=pl.concat([unique_rows, *shared_rows]),
        links=link_frame(coded, links, verdict),
        conflicts=pl.concat(
            [
                guard_conflicts(coded, guarded, "links nothing, and events without a unique identifier stay with it"),
                link_conflicts(coded, links, merged),
                owner_conflicts(coded, owner, merged.anchor),
            ]
        ),
    )


def _intervals(
    coded: Coded, kind: int, person: Int32Array, reason: npt.NDArray[np.uint8], known: Int64Array
) -> pl.DataFrame:
    """Return the map rows of a shared kind: the runs of events of one person on each identifier."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import REPLAY, group_rows

    codes = as_array(coded.codes[kind], np.int32)
    rows = group_rows(codes, int(coded.starts[kind]), int(coded.starts[kind + 1]))
    replayed = reason[rows] == REPLAY
    parts = (codes[rows], person[rows], replayed, np.where(replayed, known[rows], 0))
    cuts = np.zeros(len(rows), dtype=np.int64)
    for part in parts:
        cuts[1:] += part[1:] != part[:-1]
    offsets = offsets_of_sorted(np.cumsum(cuts))
    start, stop = rows[offsets[:-1]], rows[offsets[1:] - 1]
    node, first = codes[start], coded.time[start]
    following = pl.DataFrame({"node": node, "first": first}).select(
        pl.when(pl.col("node") == pl.col("node").shift(-1)).then(pl.col("first").shift(-1))
    )
    return map_rows(
        node=node,
        person=person[start],
        valid_to=following.to_series(),
        known=known[start],
        reason=np.maximum.reduceat(reason[rows], offsets[:-1]) if len(rows) else reason[:0],
        first=first,
        last=coded.time[stop],
        events=np.diff(offsets),
    )
