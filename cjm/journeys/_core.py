"""``Journeys``: every person's events, sorted and coded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError
from cjm.journeys._arrays import EventArrays, joined
from cjm.journeys._bucket import Bucket, KeptBucket, MemoryBucket, TakenBucket
from cjm.journeys._frames import event_rows, lazily, person_rows, session_rows
from cjm.journeys._sessions import SessionRule

__all__ = ["Journeys"]

IntArray = npt.NDArray[np.int64]


class Journeys:
    """Events of persons, sorted by person, time and arrival, with coded touchpoints and sessions.

    Made by :func:`cjm.build_journeys` or :func:`cjm.open_journeys`. It holds data and answers no questions: the verbs
    of ``cjm`` take it as their first argument. The events lie in buckets of whole persons, in memory or on disk;
    nothing is read from disk before it is asked for.

    Attributes
    ----------
    touchpoints : polars.DataFrame
        ``touchpoint``, ``channel``, ``event``; row ``i`` belongs to code ``i``; sorted by touchpoint.
    schema : polars.Schema
        ``value`` and the attributes of events, with their types.
    rule : SessionRule
        Where sessions begin.
    start, end : int
        Time of the first event, and time up to which the data are complete (the last event of the log, also after
        ``filter``), microseconds.
    """

    def __init__(
        self,
        buckets: Sequence[Bucket],
        touchpoints: pl.DataFrame,
        schema: pl.Schema,
        *,
        rule: SessionRule,
        start: int,
        end: int,
    ) -> None:
        self._buckets = tuple(buckets)
        self._columns: dict[str, pl.Series] = {}
        self.touchpoints = touchpoints
        self.schema = schema
        self.rule = rule
        self.start = start
        self.end = end

    def __repr__(self) -> str:
        events, persons, sessions = (
            sum(getattr(bucket, name) for bucket in self._buckets) for name in ("events", "persons", "sessions")
        )
        return (
            f"Journeys({events:,} events, {persons:,} persons, {sessions:,} sessions, "
            f"{self.touchpoints.height:,} touchpoints)"
        )

    @property
    def height(self) -> int:
        """Number of events."""
        return sum(bucket.events for bucket in self._buckets)

    def buckets(self) -> Iterator[Journeys]:
        """Yield the journeys bucket by bucket, persons in ascending order; each person is in one of them.

        What a bucket on disk loads is held by what is yielded here and freed with it.
        """
        if len(self._buckets) == 1:
            yield self
            return
        for bucket in self._buckets:
            yield self._of([bucket])

    def parts(self, events: int) -> Iterator[Journeys]:
        """Yield the journeys in parts of whole buckets that have about equally many events, at least ``events``."""
        sizes = np.array([bucket.events for bucket in self._buckets])
        number = max(int(sizes.sum()) // events, 1)
        place = (np.cumsum(sizes) - sizes / 2) * number // max(int(sizes.sum()), 1)
        for part in np.unique(place):
            yield self._of([self._buckets[row] for row in np.flatnonzero(place == part)])

    @cached_property
    def arrays(self) -> EventArrays:
        """Dense arrays for kernels, of all buckets together."""
        return joined([bucket.arrays() for bucket in self._buckets])

    def attribute(self, name: str) -> pl.Series:
        """Return ``value`` or one attribute, one value an event, in the order of ``arrays``; text is Categorical.

        Raises
        ------
        ArgumentError
            If there is no such attribute.
        """
        if name not in self.schema:
            raise ArgumentError.unknown("attribute", name, self.schema.names())
        if name not in self._columns:
            self._columns[name] = pl.concat([bucket.attributes([name]) for bucket in self._buckets])[name]
        return self._columns[name]

    @property
    def attributes(self) -> pl.DataFrame:
        """``value`` and all attributes of events, in the order of ``arrays``; text is Categorical."""
        return pl.DataFrame([self.attribute(name) for name in self.schema])

    @property
    def frame(self) -> pl.LazyFrame:
        """Contract JOURNEY_EVENTS: one row an event. Only the columns that are asked for are made."""
        schema = dict(CONTRACTS["JOURNEY_EVENTS"].columns) | {
            name: pl.String() if isinstance(dtype, pl.Categorical) else dtype for name, dtype in self.schema.items()
        }
        return lazily(self.buckets, event_rows, schema)

    @property
    def sessions(self) -> pl.LazyFrame:
        """Contract SESSIONS: one row a session."""
        return lazily(self.buckets, session_rows, dict(CONTRACTS["SESSIONS"].columns))

    @property
    def persons(self) -> pl.LazyFrame:
        """Contract PERSONS: one row a person."""
        return lazily(self.buckets, person_rows, dict(CONTRACTS["PERSONS"].columns))

    def codes(self, names: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the codes of touchpoints.

        Raises
        ------
        ArgumentError
            For a touchpoint that does not occur, with the nearest one that does.
        """
        known = {name: code for code, name in enumerate(self.touchpoints["touchpoint"].to_list())}
        for name in names:
            if name not in known:
                raise ArgumentError.unknown("touchpoint", name, known)
        return np.array([known[name] for name in names], dtype=np.int32)

    def filter(self, predicate: pl.Expr) -> Journeys:
        """Keep the events for which ``predicate`` (over the columns of ``frame``) is true.

        Person and session numbers and ``end`` stay as they are; persons without events are gone. Sessions are those
        of the whole log: events that were left out may have held two visits together.
        """
        told = self.frame.select(__keep=predicate, __row=pl.col("person").is_null())
        keep = told.collect(engine="streaming")["__keep"]
        if keep.dtype != pl.Boolean:
            raise ArgumentError.at(
                f"the predicate gives {keep.dtype}", where="Journeys.filter", hint="Give one that is true or false"
            )
        return self.keep(keep.fill_null(False).to_numpy())

    def sample(self, n: int, seed: int = 0) -> Journeys:
        """Keep ``n`` persons drawn at random without replacement (all of them if there are fewer)."""
        if n < 0:
            raise ArgumentError.at(f"n is {n}", where="Journeys.sample", hint="Give zero or more")
        count = sum(bucket.persons for bucket in self._buckets)
        chosen = np.zeros(count, dtype=bool)
        chosen[np.random.default_rng(seed).choice(count, size=min(n, count), replace=False)] = True
        lengths = [np.diff(bucket.arrays().offsets) for bucket in self._buckets]
        return self.keep(np.repeat(chosen, np.concatenate(lengths)))

    def take(self, rows: IntArray) -> Journeys:
        """Keep the events in these rows of ``arrays``, given in ascending order, for as long as these journeys last."""
        taken: list[Bucket] = []
        first = 0
        for bucket in self._buckets:
            low, high = np.searchsorted(rows, (first, first + bucket.events))
            taken.append(TakenBucket(bucket, rows[low:high] - first))
            first += bucket.events
        return self._of(taken)

    def keep(self, keep: npt.NDArray[np.bool_]) -> Journeys:
        """Keep the events for which ``keep`` is true, one value for each row of ``arrays``; on disk they stay there."""
        kept: list[Bucket] = []
        first = 0
        for bucket in self._buckets:
            rows = np.flatnonzero(keep[first : first + bucket.events])
            first += bucket.events
            if len(rows) == bucket.events:
                kept.append(bucket)
            elif len(rows) and not isinstance(bucket, MemoryBucket):
                kept.append(KeptBucket(bucket, keep[first - bucket.events : first]))
            elif len(rows):
                kept.append(MemoryBucket(bucket.arrays().take(rows), bucket.attributes(self.schema.names())[rows]))
        if not kept:
            nothing = self._buckets[0]
            rows = np.empty(0, dtype=np.int64)
            kept.append(MemoryBucket(nothing.arrays().take(rows), nothing.attributes(self.schema.names())[rows]))
        return self._of(kept)

    def _of(self, buckets: Sequence[Bucket]) -> Journeys:
        return Journeys(buckets, self.touchpoints, self.schema, rule=self.rule, start=self.start, end=self.end)

    def write(self, path: str | Path, *, bucket_events: int = 2_000_000) -> None:
        """Store the journeys in a new folder; :func:`cjm.open_journeys` reads them back.

        Parameters
        ----------
        path : str or Path
        bucket_events : int
            About how many events a bucket holds: a measure of stored journeys needs memory for one bucket.

        Raises
        ------
        ArgumentError
            If ``bucket_events`` is below 1.
        RunError
            If there is something at ``path`` already, or it cannot be written.
        """
        from cjm.journeys._store import write_journeys

        write_journeys(self, path, bucket_events=bucket_events)
