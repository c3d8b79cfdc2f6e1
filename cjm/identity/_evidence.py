"""What is known about identifiers: events, declared links, and what was said about single identifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.errors import InputError
from cjm.identity._names import Names
from cjm.identity._numbers import hash_ids

__all__ = ["ALWAYS", "NEVER", "AsOf", "Declared", "Evidence", "Log", "Mode", "Part", "Policy", "count_texts"]

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

Mode = Literal["device split", "components"]
AsOf = Literal["end", "event"]

ALWAYS, NEVER = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)  # times before and after all others


class Log(Protocol):
    """What stitching needs of an event log."""

    @property
    def frame(self) -> pl.LazyFrame:
        """Contract EVENTS, in order of source rank, then arrival."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of identifiers, first the one with the highest priority."""


@dataclass(frozen=True)
class Policy:
    """How persons are made; durations and times in microseconds.

    Attributes
    ----------
    mode : {"device split", "components"}
    replay, stale : int or None
    as_of : "end", "event" or int
        An integer is a time: what is later is left out.
    max_per_person, max_size : int or None
    salt : str, bytes or None
    """

    mode: Mode
    replay: int | None
    stale: int | None
    as_of: AsOf | int
    max_per_person: int | None
    max_size: int | None
    salt: str | bytes | None


@dataclass(frozen=True)
class Part:
    """Events of one log, in its order.

    Attributes
    ----------
    log : object
        The log; None where the part was read from disk.
    time : ndarray of int64, shape (events,)
    codes : ndarray of int32, shape (kinds, events)
        Node of each kind on each event, -1 where there is none.
    rank : int
        Where times tie, events of a part with a lower rank come first; of parts with the same, those of the first.
    """

    log: Any
    time: Int64Array
    codes: Int32Array
    rank: int = 0

    def is_of(self, log: Log, evidence: Evidence) -> bool:
        """Return whether these are the events of a log."""
        if self.log is not None:
            return log is self.log
        if not set(log.kinds) <= set(evidence.kinds):
            return False
        other = evidence.with_log(log).parts[-1]
        return bool(np.array_equal(self.time, other.time) and np.array_equal(self.codes, other.codes))


@dataclass(frozen=True)
class Declared:
    """Links of declared tables: ``a`` comes before ``b`` in the order of kinds.

    Attributes
    ----------
    a, b : ndarray of int32
    since, until : ndarray of int64
        ``ALWAYS`` and ``NEVER`` where the table does not say.
    source : ndarray of int16
        Number of the table.
    """

    a: Int32Array
    b: Int32Array
    since: Int64Array
    until: Int64Array
    source: Int16Array

    def __len__(self) -> int:
        return len(self.a)

    def take(self, chosen: npt.NDArray[Any]) -> Declared:
        """Return some of the links."""
        return Declared(self.a[chosen], self.b[chosen], self.since[chosen], self.until[chosen], self.source[chosen])

    def __add__(self, other: Declared) -> Declared:
        if not len(self):
            return other
        return Declared(*(cast("Any", np.concatenate(pair)) for pair in zip(self.parts, other.parts, strict=True)))

    @property
    def parts(self) -> tuple[npt.NDArray[Any], ...]:
        """The columns, in order."""
        return self.a, self.b, self.since, self.until, self.source


_NODES, _TIMES = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
_NO_LINKS = Declared(_NODES, _NODES, _TIMES, _TIMES, np.empty(0, dtype=np.int16))


@dataclass(frozen=True)
class Evidence:
    """All that a map of identifiers is made of. A value: what changes it returns another one.

    Attributes
    ----------
    policy : Policy
    kinds : tuple of str
        Unique kinds first, then the shared ones; inside each by priority.
    unique : int
        How many of them are unique.
    names : Names
    parts : tuple of Part
    declared : Declared
    sources : tuple of str
        Names of the declared tables.
    apart : ndarray of int32, shape (pairs, 2)
        Nodes that no link may bring together.
    consent : polars.DataFrame
        ``node``, ``since``, ``until``: when the identifiers that are listed may be linked.
    erased : ndarray of int32
        Nodes whose identifiers were erased.
    marks : ndarray of int64
        A keyed hash of each of them.
    key : bytes
        The key.
    dropped : polars.DataFrame
        ``kind``, ``id``, ``events``: what was taken for no identifier, and how often.
    blocked : dict of str to tuple of str
        Texts of a kind that are no identifiers.
    ignored : tuple of str
        Kinds that are not looked at.
    """

    policy: Policy
    kinds: tuple[str, ...]
    unique: int
    names: Names
    parts: tuple[Part, ...]
    declared: Declared
    sources: tuple[str, ...]
    apart: Int32Array
    consent: pl.DataFrame
    erased: Int32Array
    marks: Int64Array
    key: bytes
    dropped: pl.DataFrame
    blocked: dict[str, tuple[str, ...]]
    ignored: tuple[str, ...]

    @classmethod
    def empty(
        cls,
        policy: Policy,
        kinds: Sequence[str],
        unique: int,
        blocked: dict[str, tuple[str, ...]],
        ignored: Sequence[str],
    ) -> Evidence:
        """Return what is known before anything was read."""
        nodes, times = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        consent = pl.DataFrame(schema={"node": pl.Int32, "since": pl.Int64, "until": pl.Int64})
        dropped = pl.DataFrame(schema={"kind": pl.String, "id": pl.String, "events": pl.Int64})
        return cls(
            policy, tuple(kinds), unique, Names(), (), _NO_LINKS, (), nodes.reshape(0, 2), consent, nodes, times, b"",
            dropped, blocked, tuple(ignored),
        )  # fmt: skip

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(len(part.time) for part in self.parts)

    def nodes_of(self, texts: pl.Series, kind: int | Int16Array) -> Int32Array:
        """Return the node of each identifier of a kind, or of a kind a row; -1 for null.

        Erased ones are known by their mark.
        """
        if not len(self.marks):
            return self.names.encode(texts, kind)
        place = np.argsort(self.marks)
        gone, nodes = np.zeros(len(texts), dtype=bool), np.empty(len(texts), dtype=np.int32)
        for number, name in enumerate(self.kinds):
            hashes = hash_ids(texts, name, self.key)
            at = place[np.minimum(np.searchsorted(self.marks[place], hashes), len(place) - 1)]
            met = (self.marks[at] == hashes) & (np.asarray(kind) == number) & texts.is_not_null().to_numpy()
            gone |= met
            nodes[met] = self.erased[at[met]]
        found = self.names.encode(texts.set(pl.Series(gone), None), kind)
        return np.where(gone, nodes, found)

    def with_dropped(self, dropped: list[pl.DataFrame]) -> Evidence:
        """Return the same with more texts that are no identifiers."""
        if not dropped:
            return self
        together = pl.concat([self.dropped, *dropped]).group_by("kind", "id").agg(pl.col("events").sum())
        return replace(self, dropped=together.sort("kind", "id"))

    def with_log(self, log: Log) -> Evidence:
        """Return the same with the events of one more log."""
        times, codes, dropped = [np.empty(0, dtype=np.int64)], [np.empty((len(self.kinds), 0), dtype=np.int32)], []
        for piece in read_log(log):
            times.append(piece["time"].to_physical().to_numpy())
            rows = np.full((len(self.kinds), piece.height), -1, dtype=np.int32)
            for number, kind in enumerate(self.kinds):
                if kind in piece.columns:
                    texts = piece[kind].cast(pl.String)
                    if self.blocked.get(kind):
                        junk = texts.is_in(self.blocked[kind])
                        dropped.append(count_texts(texts.filter(junk), kind))
                        texts = texts.set(junk, None)
                    rows[number] = self.nodes_of(texts, number)
            codes.append(rows)
        time = np.concatenate(times) if len(times) != 2 else times[1]
        part = Part(log, time, np.concatenate(codes, axis=1) if len(codes) != 2 else codes[1])
        return replace(self.with_dropped(dropped), parts=(*self.parts, part))


def count_texts(texts: pl.Series, kind: str) -> pl.DataFrame:
    """Return ``kind``, ``id``, ``events`` of texts."""
    counted = texts.alias("id").to_frame().group_by("id").agg(events=pl.len().cast(pl.Int64))
    return counted.select(pl.lit(kind).alias("kind"), "id", "events")


def read_log(log: Log) -> Iterator[pl.DataFrame]:
    """Yield the events of a log: piece by piece where it can."""
    if hasattr(log, "pieces"):
        yield from log.pieces()
        return
    CONTRACTS["EVENTS"].validate(log.frame)
    events = log.frame.select("time", *log.kinds).collect()
    if events["time"].null_count():
        row = events["time"].is_null().arg_max()
        raise InputError.at("an event has no time", where=f"row {row} of the log", hint="Set such events aside")
    yield events
