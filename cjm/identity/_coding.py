"""Identifiers as small integers, events in time order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.codes import Dictionary, ranked
from cjm.contracts import CONTRACTS, TIME
from cjm.errors import InputError

__all__ = ["Coded", "Log", "code_events", "times"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


class Log(Protocol):
    """What stitching needs of an event log."""

    @property
    def frame(self) -> pl.LazyFrame:
        """Contract EVENTS, in order of source rank, then arrival."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of identifiers, first the one with the highest priority."""


@dataclass(frozen=True)
class Coded:
    """Events in time order; each distinct identifier is a node, numbered by kind and then by its text.

    So the least of several nodes is the one of the highest-priority kind and, in it, the smallest text.

    Attributes
    ----------
    kinds : tuple of str
        Unique kinds first, then the shared ones; inside each by the log's priority.
    unique : int
        How many of them are unique.
    time : ndarray of int64, shape (events,)
        Microseconds, ascending; ties in order of arrival.
    order : ndarray of int64, shape (events,)
        Row of each of these events in the log.
    codes : ndarray of int32, shape (kinds, events)
        Nodes on each event, -1 where there is none.
    starts : ndarray of int64, shape (kinds + 1,)
        First node of each kind.
    ids : polars.Series
        Text of each node.
    first, last, events : ndarray of int64, shape (nodes,)
        First and last time, and number of events, of each node.
    """

    kinds: tuple[str, ...]
    unique: int
    time: Int64Array
    order: Int64Array
    codes: Int32Array
    starts: Int64Array
    ids: pl.Series
    first: Int64Array
    last: Int64Array
    events: Int64Array

    @cached_property
    def kind(self) -> npt.NDArray[np.int16]:
        """Number of each node's kind."""
        return np.repeat(np.arange(len(self.kinds), dtype=np.int16), np.diff(self.starts))

    def first_code(self, kinds: Iterable[int], *, without: npt.NDArray[np.bool_] | None = None) -> Int32Array:
        """Return the node of the first of ``kinds`` on each event, -1 for none; skip the nodes in ``without``."""
        code = np.full(len(self.time), -1, dtype=np.int32)
        for kind in kinds:
            found = self.codes[kind]
            if without is not None:
                found = np.where(without[found], -1, found)
            code = np.where(code >= 0, code, found)
        return code

    def name_kinds(self, nodes: npt.NDArray[np.integer]) -> pl.Series:
        """Return the kind of each of ``nodes`` by name."""
        return pl.Series(self.kinds, dtype=pl.String).gather(self.kind[nodes])

    def name_ids(self, nodes: npt.NDArray[np.integer]) -> pl.Series:
        """Return the text of each of ``nodes``."""
        return self.ids.gather(nodes)


def times(values: Int64Array) -> pl.Series:
    """Return microseconds as a column of times."""
    return pl.Series(values, dtype=pl.Int64).cast(TIME)


def code_events(log: Log, unique: Sequence[str], shared: Sequence[str]) -> Coded:
    """Read times and identifiers of a log and code them."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import spans

    CONTRACTS["EVENTS"].validate(log.frame)
    kinds = (*unique, *shared)
    moments = log.frame.select("time").collect()["time"]
    if moments.null_count():
        row = moments.is_null().arg_max()
        raise InputError.at("an event has no time", where=f"row {row} of the log", hint="Set such events aside")
    time = moments.to_physical().to_numpy()
    order = np.arange(len(time), dtype=np.int64)
    if np.any(time[1:] < time[:-1]):
        order = np.argsort(time, kind="stable")
        time = time[order]

    texts, codes, starts = [], np.empty((len(kinds), len(time)), dtype=np.int32), [0]
    for number, kind in enumerate(kinds):
        dictionary = Dictionary()
        place, distinct = ranked(dictionary.encode(log.frame.select(pl.col(kind).cast(pl.String)).collect()[kind]))
        place[place >= 0] += starts[-1]
        codes[number] = place[order]
        texts.append(distinct.rename("id"))
        starts.append(starts[-1] + len(distinct))

    first, last, events = (np.zeros(starts[-1], dtype=np.int64) for _ in range(3))
    for nodes in codes:
        spans(as_array(nodes, np.int32), as_array(time, np.int64), first, last, events)
    return Coded(
        kinds, len(unique), time, order, codes, np.array(starts, dtype=np.int64), pl.concat(texts), first, last, events
    )
