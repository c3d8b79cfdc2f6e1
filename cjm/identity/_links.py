"""Which identifiers were seen together, and which of them met too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._coding import Coded

__all__ = ["Guard", "Links", "find_links", "guard", "strongest_first"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Links:
    """Pairs of nodes seen on one event or in a link table; node ``a`` is of the higher priority.

    Attributes
    ----------
    a, b : ndarray of int32
    first, last : ndarray of int64
        First and last time at which both were seen together.
    events : ndarray of int64
        How many events and rows of tables show it.
    sources : ndarray of int64
        Bit 0: events; bit n + 1: link table n.
    """

    a: Int32Array
    b: Int32Array
    first: Int64Array
    last: Int64Array
    events: Int64Array
    sources: Int64Array


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
    tripped: Flags


def find_links(coded: Coded, chosen: Flags | None = None) -> Links:
    """Return the distinct links, or those between nodes that are chosen; ordered by ``a``, ``b``."""
    frames = [_pairs(coded, at, one, other) for one, other, at in _together(coded, chosen)]
    declared = coded.declared
    if chosen is not None:
        declared = declared.take(np.flatnonzero(chosen[declared.a] & chosen[declared.b]))
    if len(declared):
        key = (declared.a.astype(np.int64) << 32) | declared.b
        source = np.int64(1) << (declared.source.astype(np.int64) + 1)
        frames.append(
            pl.DataFrame({"key": key, "time": declared.since, "source": source})
            .group_by("key")
            .agg(
                first=pl.col("time").min(),
                last=pl.col("time").max(),
                events=pl.len().cast(pl.Int64),
                sources=pl.col("source").bitwise_or(),
            )
        )
    names = ("key", "first", "last", "events", "sources")
    frame = pl.concat([pl.DataFrame(schema=dict.fromkeys(names, pl.Int64)), *frames])
    if len(declared) and len(frames) > 1:
        frame = frame.group_by("key").agg(
            pl.col("first").min(), pl.col("last").max(), pl.col("events").sum(), pl.col("sources").bitwise_or()
        )
    frame = frame.sort("key")
    key, first, last, events, sources = (frame[name].to_numpy() for name in names)
    return Links((key >> 32).astype(np.int32), (key & 0xFFFFFFFF).astype(np.int32), first, last, events, sources)


def _together(coded: Coded, chosen: Flags | None) -> Iterator[tuple[int, int, Int64Array]]:
    """Yield two columns and the rows that have (chosen) nodes in both."""
    for one, other in combinations(range(len(coded.columns)), 2):
        a, b = coded.linking[one], coded.linking[other]
        there = (a >= 0) & (b >= 0)
        if chosen is not None:
            there &= chosen[a] & chosen[b]
        yield one, other, np.flatnonzero(there)


def _pairs(coded: Coded, at: Int64Array, one: int, other: int) -> pl.DataFrame:
    key = (coded.linking[one, at].astype(np.int64) << 32) | coded.linking[other, at]
    return (
        pl.DataFrame({"key": key, "time": coded.time[at]})
        .group_by("key")
        .agg(first=pl.col("time").min(), last=pl.col("time").max(), events=pl.len().cast(pl.Int64))
        .with_columns(sources=pl.lit(1, dtype=pl.Int64))
    )


def guard(coded: Coded, max_per_person: int | None) -> Guard:
    """Count the values of unique kinds that each node met, and find those that met more than allowed.

    A node that was stuck before stays so.
    """
    nodes, rows = len(coded.kind), len(coded.time)
    met = np.zeros(nodes, dtype=np.int64)
    tripped_at = np.full(nodes, rows, dtype=np.int64)
    most = nodes if max_per_person is None else max_per_person
    for kind in range(coded.unique):
        for node, count, over in _partners(coded, kind, met, most):
            np.maximum.at(met, node, count)
            if over is not None:
                np.minimum.at(tripped_at, node, over)
    tripped_at[coded.stuck] = 0
    return Guard(met, tripped_at, (met > most) | coded.stuck)


def _partners(
    coded: Coded, kind: int, met: Int64Array, most: int
) -> Iterator[tuple[Int64Array, Int64Array, Int64Array | None]]:
    """Yield nodes, how many values of a unique kind each met, and from which row on it was more than ``most``.

    Most nodes meet one value: they are marked in ``met`` at once, and only the others are looked at closely.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import second_partners

    held, held_at = np.full(len(coded.kind), -1, dtype=np.int32), np.zeros(len(coded.kind), dtype=np.int64)
    found: list[tuple[Int32Array, Int32Array, Int64Array]] = []
    for node, partner, at in _meetings(coded, kind):
        rows = second_partners(
            as_array(node, np.int32), as_array(partner, np.int32), as_array(at, np.int64), held, held_at
        )
        if len(rows):
            found.append((node[rows], partner[rows], rows if not len(at) else at[rows]))
    met[(held >= 0) & (met == 0)] = 1
    if not found:
        return
    node, partner, at = (np.concatenate(parts) for parts in zip(*found, strict=True))
    several = np.unique(node)
    frame = pl.DataFrame(
        {
            "node": np.concatenate([node, several]),
            "partner": np.concatenate([partner, held[several]]),
            "at": np.concatenate([at, held_at[several]]),
        }
    )
    counted = (
        frame.group_by("node", "partner")
        .agg(pl.col("at").min())
        .sort("node", "at")
        .with_columns(count=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("node"))
    )
    total = counted.group_by("node").agg(pl.col("count").max())
    yield total["node"].to_numpy(), total["count"].to_numpy(), None
    over = counted.filter(pl.col("count") == most + 1)
    yield over["node"].to_numpy(), over["count"].to_numpy(), over["at"].to_numpy()


def _meetings(coded: Coded, kind: int) -> Iterator[tuple[Int32Array, Int32Array, Int64Array]]:
    """Yield nodes, the values of a unique kind that they met, and the rows (empty: they count from zero)."""
    if kind in coded.columns:
        column = coded.columns.index(kind)
        for other in range(len(coded.columns)):
            if other != column:
                yield coded.linking[other], coded.linking[column], np.empty(0, dtype=np.int64)
    declared = coded.declared
    for node, partner in permutations((declared.a, declared.b)):
        of_kind = coded.kind[partner] == kind
        if of_kind.any():
            at = np.searchsorted(coded.time, declared.since[of_kind])  # before the events of that time
            yield node[of_kind], partner[of_kind], at


def strongest_first(coded: Coded, links: Links, nodes: npt.NDArray[np.integer]) -> Int64Array:
    """Return links between some nodes, strongest first: priority of the kinds, events, earliest, place."""
    order = np.lexsort((coded.place(nodes), coded.kind[nodes]))
    place = np.zeros(len(coded.kind), dtype=np.int64)
    place[nodes[order]] = np.arange(len(nodes))
    a, b = place[links.a], place[links.b]
    pair = np.minimum(a, b) << 32 | np.maximum(a, b)
    rank = coded.kind[links.a].astype(np.int64) + coded.kind[links.b]
    strength = rank << 48 | (np.int64(1) << 48) - 1 - links.events
    return np.lexsort((pair, links.first, strength))
