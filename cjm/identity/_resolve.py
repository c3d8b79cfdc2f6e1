"""From evidence to persons: all of it at once, or anew only for what a change touches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cjm.identity._assignment import Assignment
from cjm.identity._coding import Coded, Region, code
from cjm.identity._components import components
from cjm.identity._device_split import device_split
from cjm.identity._evidence import Evidence
from cjm.identity._links import guard
from cjm.identity._merge import Refused

__all__ = ["clusters", "region_of", "resolve", "revise", "solve"]

Int32Array = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


def solve(coded: Coded, evidence: Evidence) -> Assignment:
    """Return whose events and identifiers they are, events in time order."""
    policy = evidence.policy
    guarded = guard(coded, policy.max_per_person)
    if policy.mode == "components":
        return components(coded, guarded, max_size=policy.max_size)
    return device_split(
        coded,
        guarded,
        replay=policy.replay,
        stale=policy.stale,
        hindsight=policy.as_of != "event",
        max_size=policy.max_size,
    )


def resolve(evidence: Evidence) -> Assignment:
    """Return whose events and identifiers they are, events in the order of the evidence."""
    from cjm.kernels.identity_walks import NOBODY

    coded = code(evidence)
    found = solve(coded, evidence)
    if len(coded.order) == evidence.events and np.array_equal(coded.order, np.arange(evidence.events)):
        return found
    person = np.full(evidence.events, -1, dtype=np.int32)
    reason = np.full(evidence.events, NOBODY, dtype=np.uint8)
    known = np.zeros(evidence.events, dtype=np.int64)
    person[coded.order] = found.person
    reason[coded.order] = found.reason
    known[coded.order] = found.known
    return replace(found, person=person, reason=reason, known=known)


def clusters(evidence: Evidence, before: Int32Array, fixed: Flags, row: int, link: int) -> Int32Array:
    """Return the least node of each cluster: what nothing connects to it can be solved apart from it.

    Parameters
    ----------
    before : ndarray of int32
        Clusters of the nodes that were there before; may be empty.
    fixed : ndarray of bool, shape (nodes,)
        Nodes that connect nothing.
    row, link : int
        Events and declared links from which on ``before`` does not know them.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.components import flatten, unite, unite_rows

    root = np.arange(len(evidence.names), dtype=np.int32)
    root[: len(before)] = before
    usable = as_array(~fixed, np.bool_)
    start = 0
    for part in evidence.parts:
        skip = min(max(row - start, 0), len(part.time))
        unite_rows(root, as_array(part.codes[:, skip:], np.int32), usable)
        start += len(part.time)
    a, b = evidence.declared.a[link:], evidence.declared.b[link:]
    used = ~fixed[a] & ~fixed[b]
    unite(root, as_array(a[used], np.int32), as_array(b[used], np.int32))
    flatten(root)
    return root


def region_of(evidence: Evidence, cluster: Int32Array, fixed: Flags, seeds: Int32Array, row: int) -> Region:
    """Return the part of the evidence that holds the seeds and the events from ``row`` on, whole clusters of it."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import rows_with

    touched = np.zeros(len(cluster), dtype=bool)
    wanted = np.zeros(len(cluster), dtype=bool)
    wanted[seeds] = True
    touched[cluster[wanted & ~fixed]] = True
    start = 0
    for part in evidence.parts:  # events that are new or carry a seed which connects nothing
        skip = min(max(row - start, 0), len(part.time))
        nodes = [part.codes[:, skip:]]
        if np.any(wanted & fixed):
            nodes.append(part.codes[:, rows_with(part.codes, as_array(wanted & fixed, np.bool_))])
        for some in nodes:
            there = some[some >= 0]
            touched[cluster[there[~fixed[there]]]] = True
        start += len(part.time)
    declared = evidence.declared
    if np.any(wanted & fixed):
        for one, other in ((declared.a, declared.b), (declared.b, declared.a)):
            reached = other[wanted[one] & fixed[one] & ~fixed[other]]
            touched[cluster[reached]] = True
    inside = touched[cluster] & ~fixed
    wanted |= inside

    rows, present, start = [np.empty(0, dtype=np.int64)], wanted.copy(), 0
    for part in evidence.parts:
        found = rows_with(part.codes, as_array(wanted, np.bool_))
        skip = min(max(row - start, 0), len(part.time))
        found[skip:] = part.codes[:, skip:].max(axis=0, initial=-1) >= 0
        at = np.flatnonzero(found)
        codes = part.codes[:, at]
        rows.append(at + start)
        start += len(part.time)
        present[codes[codes >= 0]] = True
    # A link lies in one cluster, unless one of its ends connects nothing.
    near = np.flatnonzero(inside[declared.a] | inside[declared.b] if fixed.any() else inside[declared.a])
    present[declared.a[near]] = True
    present[declared.b[near]] = True
    region = np.flatnonzero(present).astype(np.int32)
    return Region(region, np.concatenate(rows), near, fixed[region])


def revise(evidence: Evidence, before: Assignment, region: Region) -> Assignment:
    """Return the assignment of the evidence, of which only the region differs from what was found before."""
    from cjm.kernels.identity_walks import NOBODY

    coded = code(evidence, region)
    found = solve(coded, evidence)
    anchor, bar, tripped = (
        _longer(part, len(evidence.names), fill)
        for part, fill in ((before.anchor, -1), (before.barred, False), (before.tripped, False))
    )
    fresh = np.arange(len(before.anchor), len(anchor), dtype=np.int32)
    anchor[fresh] = fresh
    anchor[region.nodes] = region.nodes[found.anchor]
    bar[region.nodes] = found.barred
    tripped[region.nodes] = found.tripped
    person = _longer(before.person, evidence.events, -1)
    reason = _longer(before.reason, evidence.events, NOBODY)
    known = _longer(before.known, evidence.events, 0)
    person[region.rows], reason[region.rows] = -1, NOBODY  # as_of may leave some out
    rows = region.rows[coded.order]
    person[rows] = np.append(region.nodes, np.int32(-1))[found.person]
    reason[rows] = found.reason
    known[rows] = found.known
    inside = np.zeros(len(anchor), dtype=bool)
    inside[region.nodes] = True
    old = before.refused
    stays = ~inside[old.a] | ~inside[old.b]
    new = found.refused
    refused = Refused(
        np.concatenate([old.a[stays], region.nodes[new.a]]),
        np.concatenate([old.b[stays], region.nodes[new.b]]),
        np.concatenate([old.rule[stays], new.rule]),
        np.concatenate([old.events[stays], new.events]),
    )
    return Assignment(anchor, bar, tripped, refused, person, reason, known)


def _longer(values: npt.NDArray[Any], size: int, fill: Any) -> npt.NDArray[Any]:
    longer = np.empty(size, dtype=values.dtype)
    longer[: len(values)] = values
    longer[len(values) :] = fill
    return longer
