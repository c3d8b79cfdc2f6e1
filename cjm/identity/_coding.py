"""A problem to solve: events in time order and links, of all identifiers or of some that nothing connects to others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.identity._evidence import ALWAYS, NEVER, Declared, Evidence
from cjm.identity._names import Names

__all__ = ["Coded", "Region", "code", "declared_links", "times"]

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Region:
    """A part of the evidence that can be solved on its own.

    Attributes
    ----------
    nodes : ndarray of int32
        Nodes, ascending: all of those on the rows.
    rows : ndarray of int64
        Rows of the evidence, ascending.
    links : ndarray of int64
        Its declared links.
    stuck : ndarray of bool, shape (nodes,)
        Nodes that link nothing, as was found before; the rows hold only some of their events.
    """

    nodes: Int32Array
    rows: Int64Array
    links: npt.NDArray[np.integer]
    stuck: Flags


@dataclass(frozen=True)
class Coded:
    """Events in time order.

    Attributes
    ----------
    kinds : tuple of str
        Unique kinds first, then the shared ones; inside each by priority.
    unique : int
        How many of them are unique.
    columns : tuple of int
        Kinds that stand on events.
    time : ndarray of int64, shape (events,)
        Microseconds, ascending; ties in order of arrival.
    order : ndarray of int64, shape (events,)
        Row of each of these events in the evidence (or in the region's rows).
    codes : ndarray of int32, shape (columns, events)
        Nodes on each event, -1 where there is none.
    linking : ndarray of int32, shape (columns, events)
        The same without identifiers that may not be linked at the time.
    declared : Declared
    apart : ndarray of int32, shape (pairs, 2)
    kind : ndarray of int16, shape (nodes,)
    erased, stuck : ndarray of bool, shape (nodes,)
    names : Names
    nodes : ndarray of int32 or None
        What the nodes are called in ``names``; None where it is the same.
    """

    kinds: tuple[str, ...]
    unique: int
    columns: tuple[int, ...]
    time: Int64Array
    order: Int64Array
    codes: Int32Array
    linking: Int32Array
    declared: Declared
    apart: Int32Array
    kind: Int16Array
    erased: Flags
    stuck: Flags
    names: Names
    nodes: Int32Array | None

    @property
    def unique_columns(self) -> int:
        """How many of the columns are unique; they come first."""
        return sum(kind < self.unique for kind in self.columns)

    @cached_property
    def spans(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """First and last event's row, and number of events, of each node; row -1 where it has none."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.identity_walks import spans

        first, last = (np.full(len(self.kind), -1, dtype=np.int64) for _ in range(2))
        events = np.zeros(len(self.kind), dtype=np.int64)
        for nodes in self.codes:
            spans(as_array(nodes, np.int32), first, last, events)
        return first, last, events

    @cached_property
    def first(self) -> Int64Array:
        """First time of each node, on an event or in a link table; ``NEVER`` where it is only spoken of."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.identity_walks import earliest

        found = np.full(len(self.kind), NEVER, dtype=np.int64)
        for nodes in self.codes:
            earliest(as_array(nodes, np.int32), as_array(self.time, np.int64), found)
        for nodes in (self.declared.a, self.declared.b):
            earliest(as_array(nodes, np.int32), as_array(self.declared.since, np.int64), found)
        return found

    def rank(self, nodes: npt.NDArray[np.integer]) -> Int64Array:
        """Return for each of some nodes the place of its text among theirs."""
        return self.names.rank(self.named(nodes))

    def place(self, nodes: npt.NDArray[np.integer]) -> Int64Array:
        """Return for each of some nodes a hash that settles which comes first."""
        return self.names.place(self.named(nodes))

    def named(self, nodes: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Return what nodes are called in ``names``."""
        return nodes if self.nodes is None else self.nodes[nodes]

    def first_code(self, columns: Iterable[int], *, without: Flags | None = None, linking: bool = False) -> Int32Array:
        """Return the node of the first of ``columns`` on each event, -1 for none; skip the nodes in ``without``.

        With ``linking`` only nodes that may be linked at the time.
        """
        code = np.full(len(self.time), -1, dtype=np.int32)
        for column in columns:
            found = (self.linking if linking else self.codes)[column]
            if without is not None and without.any():
                found = np.where(without[found], -1, found)
            code = np.where(code >= 0, code, found)
        return code


def times(values: Int64Array) -> pl.Series:
    """Return microseconds as a column of times; null before and after all others."""
    column = pl.Series(values, dtype=pl.Int64)
    if len(values) and (values.min() == ALWAYS or values.max() == NEVER):
        column = column.set((column == ALWAYS) | (column == NEVER), None)
    return column.cast(TIME)


def code(evidence: Evidence, region: Region | None = None) -> Coded:
    """Return the events of the evidence in time order."""
    time, codes, order = _rows(evidence, region)
    as_of = evidence.policy.as_of
    if isinstance(as_of, int):
        known = np.searchsorted(time, as_of, side="right")
        time, codes, order = time[:known], codes[:, :known], order[:known]
    declared = declared_links(evidence, region)
    columns = tuple(number for number in range(len(evidence.kinds)) if codes[number].max(initial=-1) >= 0)
    codes = codes if len(columns) == len(codes) else codes[list(columns)]
    erased = np.zeros(len(evidence.names), dtype=bool)
    erased[evidence.erased] = True
    kind, apart, nodes = evidence.names.kind, evidence.apart, None
    if len(
        evidence.erased
    ):  # an erased shared identifier is gone; a unique one keeps its place, so that nobody takes it
        gone = erased & (kind >= evidence.unique)
        codes = np.where(gone[codes] & (codes >= 0), -1, codes)
    linking = codes
    if evidence.consent.height:
        allowed = [_allowed(evidence.consent, row, time) for row in codes]
        linking = np.array(allowed, dtype=np.int32).reshape(codes.shape)  # perhaps no column
    stuck = np.zeros(0, dtype=bool)
    if region is not None:
        nodes, stuck = region.nodes, region.stuck
        local = np.full(len(kind) + 1, -1, dtype=np.int32)  # the last for -1
        local[nodes] = np.arange(len(nodes), dtype=np.int32)
        same = linking is codes
        codes = local[codes]
        linking = codes if same else local[linking]
        declared = Declared(local[declared.a], local[declared.b], declared.since, declared.until, declared.source)
        apart = local[apart]
        apart = apart[(apart >= 0).all(axis=1)]
        kind, erased = kind[nodes], erased[nodes]
    else:
        stuck = np.zeros(len(kind), dtype=bool)
    return Coded(
        evidence.kinds, evidence.unique, columns, time, order, codes, linking, declared, apart, kind, erased, stuck,
        evidence.names, nodes,
    )  # fmt: skip


def declared_links(evidence: Evidence, region: Region | None = None) -> Declared:
    """Return the declared links that count: not those of erased shared identifiers, or later than is looked at."""
    links, as_of = evidence.declared, evidence.policy.as_of
    if region is not None:
        links = links.take(region.links)
    if isinstance(as_of, int) and len(links):
        links = links.take(links.since <= as_of)
    if len(evidence.erased):
        gone = evidence.erased[evidence.names.kind[evidence.erased] >= evidence.unique]
        links = links.take(~np.isin(links.a, gone) & ~np.isin(links.b, gone))
    if evidence.consent.height:
        for side in ("a", "b"):
            links = links.take(_allowed(evidence.consent, getattr(links, side), links.since) >= 0)
    return links


def _rows(evidence: Evidence, region: Region | None) -> tuple[Int64Array, Int32Array, Int64Array]:
    """Return time and codes of the rows, in time order, and that order."""
    times_, codes_ = [np.empty(0, dtype=np.int64)], [np.empty((len(evidence.kinds), 0), dtype=np.int32)]
    order_, starts = [np.empty(0, dtype=np.int64)], np.cumsum([0, *(len(part.time) for part in evidence.parts)])
    for number, part in sorted(enumerate(evidence.parts), key=lambda numbered: numbered[1].rank):
        start, stop = starts[number : number + 2]
        if region is None:
            times_.append(part.time)
            codes_.append(part.codes)
            order_.append(np.arange(start, stop, dtype=np.int64))
        else:
            low, high = np.searchsorted(region.rows, [start, stop])
            rows = region.rows[low:high] - start
            times_.append(part.time[rows])
            codes_.append(part.codes[:, rows])
            order_.append(np.arange(low, high, dtype=np.int64))
    time = times_[1] if len(times_) == 2 else np.concatenate(times_)
    codes = codes_[1] if len(codes_) == 2 else np.concatenate(codes_, axis=1)
    order = order_[1] if len(order_) == 2 else np.concatenate(order_)
    if np.any(time[1:] < time[:-1]):
        by_time = np.argsort(time, kind="stable")
        time, codes, order = time[by_time], codes[:, by_time], order[by_time]
    return time, codes, order


def _allowed(consent: pl.DataFrame, nodes: Int32Array, time: Int64Array) -> Int32Array:
    """Return the nodes, -1 where one may not be linked at the time: it is in ``consent`` and outside its intervals."""
    listed = np.isin(nodes, consent["node"].to_numpy())
    if not listed.any():
        return nodes
    at = np.flatnonzero(listed)
    asked = pl.DataFrame({"at": at, "node": nodes[at], "time": time[at]})
    spans = consent.sort("node", "since").with_columns(until=pl.col("until").cum_max().over("node"))
    met = asked.sort("time").join_asof(
        spans.sort("since"), by="node", left_on="time", right_on="since", check_sortedness=False
    )
    refused = met.filter(pl.col("until").is_null() | (pl.col("time") >= pl.col("until")))["at"].to_numpy()
    found = nodes.copy()
    found[refused] = -1
    return found
