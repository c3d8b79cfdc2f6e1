"""Identifiers joined into persons by links, with refusals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._coding import Coded
from cjm.identity._links import find_links, strongest_first
from cjm.identity._numbers import bytes_of

__all__ = ["Merged", "Refused", "merge", "since"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Refused:
    """Links that were refused.

    Attributes
    ----------
    a, b : ndarray of int32
    rule : ndarray of uint8
        Verdict of ``kernels.components``.
    events : ndarray of int64
    """

    a: Int32Array
    b: Int32Array
    rule: npt.NDArray[np.uint8]
    events: Int64Array

    def take(self, chosen: Flags) -> Refused:
        """Return some of the links."""
        return Refused(self.a[chosen], self.b[chosen], self.rule[chosen], self.events[chosen])


@dataclass(frozen=True)
class Merged:
    """Persons made of nodes.

    Attributes
    ----------
    anchor : ndarray of int32, shape (nodes,)
        The node that names the person.
    refused : Refused
    """

    anchor: Int32Array
    refused: Refused


def merge(coded: Coded, columns: Iterable[int], usable: Flags, max_size: int | None) -> Merged:
    """Join usable nodes: no person with two values of a unique kind, above ``max_size`` nodes or with a denied pair.

    Only where plain components would break a rule are links tried one by one, strongest first.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.components import anchors, crowded, flatten, settle, unite, unite_rows

    nodes = len(coded.kind)
    root = np.arange(nodes, dtype=np.int32)
    rows = coded.linking[list(columns)]
    if len(rows) > 1:
        unite_rows(root, as_array(rows, np.int32), as_array(usable, np.bool_))
    declared = coded.declared
    if not usable.all():
        declared = declared.take(np.flatnonzero(usable[declared.a] & usable[declared.b]))
    unite(root, as_array(declared.a, np.int32), as_array(declared.b, np.int32))
    flatten(root)

    unique_kind = np.where(coded.kind < coded.unique, coded.kind, -1)
    most = nodes if max_size is None else max_size
    bad = crowded(as_array(root, np.int32), as_array(unique_kind, np.int16), coded.unique, most)
    together = root[coded.apart[:, 0]] == root[coded.apart[:, 1]]
    bad[root[coded.apart[together, 0]]] = True
    nothing = np.empty(0, dtype=np.int32)
    refused = Refused(nothing, nothing, np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64))
    if bad.any():
        refused = _retry(coded, root, bad[root] & usable, unique_kind, most)

    best, tied = anchors(as_array(root, np.int32), as_array(coded.kind, np.int16), as_array(coded.first, np.int64))
    if tied.any():
        least = np.flatnonzero(tied)
        texts = coded.names.texts.gather(pl.Series(coded.named(least).astype(np.uint32)))
        data, offsets = bytes_of(texts.fill_null("") if texts.null_count() else texts)
        settle(
            as_array(root[least], np.int32),
            as_array(least, np.int32),
            as_array(data, np.uint8),
            as_array(offsets, np.int64),
            best,
        )
    return Merged(best[root], refused)


def _retry(coded: Coded, root: Int32Array, inside: Flags, unique_kind: npt.NDArray[np.integer], most: int) -> Refused:
    """Join the nodes ``inside`` anew, link by link; write their roots."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.components import ACCEPTED, guarded_components

    links = find_links(coded, inside)
    at = np.flatnonzero(inside)
    order = strongest_first(coded, links, at)
    local = np.full(len(root), -1, dtype=np.int32)
    local[at] = np.arange(len(at), dtype=np.int32)
    a, b = links.a[order], links.b[order]
    apart = local[coded.apart]
    apart = apart[(apart >= 0).all(axis=1)]
    found, verdict = guarded_components(
        as_array(local[a], np.int32),
        as_array(local[b], np.int32),
        as_array(unique_kind[at], np.int16),
        coded.unique,
        most,
        as_array(apart[:, 0], np.int32),
        as_array(apart[:, 1], np.int32),
    )
    root[at] = at[found]
    no = verdict != ACCEPTED
    return Refused(a[no], b[no], verdict[no], links.events[order][no])


def since(coded: Coded, columns: Iterable[int], usable: Flags, anchor: Int32Array) -> Int64Array:
    """Return the time from which it could be known that each node belongs to its anchor."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.link_times import connected_since, grow, grow_rows, new_forest

    parent, when = new_forest(len(anchor))
    usable, anchor = as_array(usable, np.bool_), as_array(anchor, np.int32)
    rows = as_array(coded.linking[list(columns)], np.int32)
    if len(rows) > 1:
        grow_rows(parent, when, rows, anchor, usable, as_array(coded.time, np.int64))
    declared = coded.declared
    used = usable[declared.a] & usable[declared.b] & (anchor[declared.a] == anchor[declared.b])
    links = (as_array(part[used], part.dtype) for part in declared.parts[:3])
    grow(parent, when, *links)
    found = coded.first.copy()
    connected_since(parent, when, anchor, found)
    return found
