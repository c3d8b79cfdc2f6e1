"""Which identifiers were seen together, and which of them met too many."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.identity._coding import Coded, times

__all__ = ["EVIDENCE", "GUARDED", "UNUSED", "Guard", "Links", "find_links", "guard", "link_frame", "strongest_first"]

Int64Array = npt.NDArray[np.int64]

# What became of a link; the first three are the verdicts of kernels.components.
_REASONS = pl.Series(["joined", "unique", "max_size", "max_per_person", "evidence", "unused"], dtype=pl.String)
GUARDED, EVIDENCE, UNUSED = 3, 4, 5
_USED = np.array([True, False, False, False, True, False])


@dataclass(frozen=True)
class Links:
    """Pairs of nodes seen on one event; node ``a`` is of the higher priority. Ordered by ``a``, ``b``.

    Attributes
    ----------
    a, b : ndarray of int32
    first, last : ndarray of int64
        First and last event (in time order) that carried both.
    events : ndarray of int64
        How many events carried both.
    """

    a: npt.NDArray[np.int32]
    b: npt.NDArray[np.int32]
    first: Int64Array
    last: Int64Array
    events: Int64Array


@dataclass(frozen=True)
class Guard:
    """What each node met.

    Attributes
    ----------
    met : ndarray of int64, shape (nodes,)
        Most distinct values of one unique kind.
    tripped_at : ndarray of int64, shape (nodes,)
        Event (in time order) with the first value too many; the number of events where there is none.
    tripped : ndarray of bool, shape (nodes,)
    """

    met: Int64Array
    tripped_at: Int64Array
    tripped: npt.NDArray[np.bool_]


def find_links(coded: Coded) -> Links:
    """Return the distinct links of a log."""
    found = []
    for one, other in combinations(range(len(coded.kinds)), 2):
        at = np.flatnonzero((coded.codes[one] >= 0) & (coded.codes[other] >= 0))
        key = (coded.codes[one, at].astype(np.int64) << 32) | coded.codes[other, at]
        found.append(
            pl.DataFrame({"key": key, "at": at})
            .group_by("key")
            .agg(first=pl.col("at").min(), last=pl.col("at").max(), events=pl.len().cast(pl.Int64))
        )
    schema = dict.fromkeys(("key", "first", "last", "events"), pl.Int64)
    frame = pl.concat([pl.DataFrame(schema=schema), *found]).sort("key")
    key, first, last, events = (frame[name].to_numpy() for name in schema)
    return Links((key >> 32).astype(np.int32), (key & 0xFFFFFFFF).astype(np.int32), first, last, events)


def guard(coded: Coded, links: Links, max_per_person: int | None) -> Guard:
    """Count the values of unique kinds that each node met, and find those that met more than allowed."""
    nodes, rows = len(coded.ids), len(coded.time)
    by_a, by_b = links.a < coded.starts[coded.unique], links.b < coded.starts[coded.unique]
    node = np.concatenate((links.b[by_a], links.a[by_b]))
    kind = coded.kind[np.concatenate((links.a[by_a], links.b[by_b]))]
    first = np.concatenate((links.first[by_a], links.first[by_b]))

    order = np.lexsort((first, kind, node))
    node, kind, first = node[order], kind[order], first[order]
    new = np.ones(len(node), dtype=bool)
    new[1:] = (node[1:] != node[:-1]) | (kind[1:] != kind[:-1])
    count = np.arange(len(node)) - np.maximum.accumulate(np.where(new, np.arange(len(node)), 0)) + 1

    met = np.zeros(nodes, dtype=np.int64)
    np.maximum.at(met, node, count)
    tripped_at = np.full(nodes, rows, dtype=np.int64)
    if max_per_person is not None:
        over = count == max_per_person + 1
        np.minimum.at(tripped_at, node[over], first[over])
    return Guard(met, tripped_at, tripped_at < rows)


def strongest_first(coded: Coded, links: Links, chosen: npt.NDArray[np.bool_]) -> Int64Array:
    """Return the chosen links, strongest evidence first: priority of the kinds, number of events, earliest, ids."""
    at = np.flatnonzero(chosen)
    a, b = links.a[at], links.b[at]
    rank = coded.kind[a] + coded.kind[b]
    return at[np.lexsort((b, a, coded.time[links.first[at]], -links.events[at], rank))]


def link_frame(coded: Coded, links: Links, verdict: npt.NDArray[np.integer]) -> pl.DataFrame:
    """Return contract LINKS; ``verdict`` says what became of each link."""
    return pl.DataFrame(
        {
            "kind_a": coded.name_kinds(links.a),
            "id_a": coded.name_ids(links.a),
            "kind_b": coded.name_kinds(links.b),
            "id_b": coded.name_ids(links.b),
            "first_seen": times(coded.time[links.first]),
            "last_seen": times(coded.time[links.last]),
            "events": links.events,
            "used": _USED[verdict],
            "reason": _REASONS.gather(verdict),
        },
        schema=dict(CONTRACTS["LINKS"].columns),
    )
