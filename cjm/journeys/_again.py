"""Journeys of a log that has grown: some persons' anew, all others' as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.journeys._arrays import EventArrays, joined
from cjm.journeys._bucket import MemoryBucket
from cjm.journeys._build import events_of
from cjm.journeys._collect import IN_MEMORY, Collector
from cjm.journeys._core import Journeys
from cjm.journeys._order import ordered
from cjm.journeys._store import StoredBucket

if TYPE_CHECKING:
    from cjm.events import EventLog
    from cjm.identity import Identities

__all__ = ["journeys_again"]

IntArray = npt.NDArray[np.int64]


class _Mended:
    """A stored bucket without some of its persons and with others.

    Parameters
    ----------
    bucket : StoredBucket
    fresh : MemoryBucket
        The others.
    gone : ndarray of int64
        Numbers of the persons of ``bucket`` that are not in it any more, and perhaps of others.
    codes : ndarray of int32
        What the codes of touchpoints in ``bucket`` are now.
    first_session : int
    """

    def __init__(
        self,
        bucket: StoredBucket,
        fresh: MemoryBucket,
        gone: IntArray,
        codes: npt.NDArray[np.int32],
        first_session: int,
    ) -> None:
        self._bucket, self._fresh, self._codes, self._first_session = bucket, fresh, codes, first_session
        person, offsets, session_offsets = bucket.runs()
        more = fresh.held
        kept = np.flatnonzero(~np.isin(person, gone))
        sessions = [
            np.diff(np.searchsorted(begins, of))
            for begins, of in ((session_offsets, offsets), (more.session_offsets, more.offsets))
        ]
        person = np.concatenate([person[kept], more.person])
        order = np.argsort(person)
        self._person = person[order]
        self._start = np.concatenate([offsets[kept], more.offsets[:-1] + bucket.events])[order]
        self._length = np.concatenate([np.diff(offsets)[kept], np.diff(more.offsets)])[order]
        self.persons = len(person)
        self.events = int(self._length.sum())
        self.sessions = int(sessions[0][kept].sum() + sessions[1].sum())

    @property
    def _rows(self) -> IntArray:
        """Rows in the order of persons: those of the bucket, then those of the others."""
        before = np.cumsum(self._length) - self._length
        return np.repeat(self._start - before, self._length) + np.arange(self.events)

    def arrays(self) -> EventArrays:
        """Return the arrays."""
        held = self._bucket.arrays()
        both = joined([replace(held, code=self._codes[held.code]), self._fresh.held])
        rows = self._rows
        begins = np.zeros(len(both.time), dtype=bool)
        begins[both.session_offsets[:-1]] = True
        return EventArrays(
            person=self._person,
            offsets=np.append(np.zeros(1, dtype=np.int64), np.cumsum(self._length)),
            time=both.time[rows],
            code=both.code[rows],
            session_number=np.arange(self._first_session, self._first_session + self.sessions),
            session_offsets=np.append(np.flatnonzero(begins[rows]), self.events),
            known_from=None if both.known_from is None else both.known_from[rows],
        )

    def attributes(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some attributes of the events, in the order of the arrays."""
        return pl.concat([self._bucket.attributes(names), self._fresh.attributes(names)])[self._rows]


def journeys_again(
    before: Journeys,
    log: EventLog,
    people: Identities | None = None,
    *,
    person: str | None = None,
    touched: pl.Series,
    in_memory: int = IN_MEMORY,
) -> Journeys | None:
    """Sort and code the events of some persons anew; those of all others are as they were.

    Parameters
    ----------
    before : Journeys
        Of the log as it was, opened from disk; nothing was filtered out.
    log, people, person, in_memory
        As for :func:`cjm.build_journeys`, of the log as it is now.
    touched : polars.Series
        All persons whose events are not what they were: their numbers, or with ``person`` their identifiers.

    Returns
    -------
    Journeys or None
        The same as :func:`cjm.build_journeys` would make of the whole log by the rule that ``before`` has; None where
        only that can tell which columns there are, or what is wrong.
    """
    persons, pieces = events_of(log, people, person)
    collector = Collector(persons, in_memory)
    for piece in pieces:
        collector.add(piece.filter(pl.col("person").is_in(touched.implode())))
    if collector.empty:
        return before
    found, row = collector.touchpoints()
    touchpoints = pl.concat([before.touchpoints, found]).unique().sort("touchpoint", "channel")
    if touchpoints["touchpoint"].is_duplicated().any():
        return None
    rows, codes = (_places(table, touchpoints) for table in (found, before.touchpoints))
    parts = [
        ordered(events, collector.numbers, rows[row], touchpoints["touchpoint"], before.rule, 0)
        for events in collector.parts()
    ]
    arrays, attributes = joined([part for part, _ in parts]), _like(pl.concat([rest for _, rest in parts]), before)
    if attributes is None:
        return None
    gone = touched.to_numpy() if person is None else persons.number_of(touched)
    buckets: list[_Mended] = []
    sessions = first = 0
    for number, bucket in enumerate(before._buckets):
        assert isinstance(bucket, StoredBucket)
        stop = len(arrays.person)
        if number + 1 < len(before._buckets):
            stop = int(np.searchsorted(arrays.person, bucket.runs()[0][-1], side="right"))
        events = slice(int(arrays.offsets[first]), int(arrays.offsets[stop]))
        fresh = MemoryBucket(arrays.of_persons(first, stop), attributes[events])
        buckets.append(_Mended(bucket, fresh, gone, codes, sessions))
        sessions += buckets[-1].sessions
        first = stop
    start, end = min(before.start, collector.start), max(before.end, collector.end)
    return Journeys(buckets, touchpoints, before.schema, rule=before.rule, start=start, end=end)


def _like(attributes: pl.DataFrame, before: Journeys) -> pl.DataFrame | None:
    """Return attributes with the columns that there were before; None if they do not go with these as they are."""
    for name, dtype in attributes.schema.items():
        ours = before.schema.get(name)
        texts = isinstance(dtype, pl.Categorical) and isinstance(ours, pl.Categorical)
        if ours is None or not (texts or dtype in (ours, pl.Null)):
            return None
    missing = [pl.lit(None).alias(name) for name in before.schema if name not in attributes.columns]
    return attributes.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in before.schema.items())


def _places(some: pl.DataFrame, all_: pl.DataFrame) -> npt.NDArray[np.int32]:
    """Return the row of each of some touchpoints in the table of all of them."""
    numbered = all_.with_row_index("row")
    rows = some.join(numbered, on=["channel", "event"], how="left", maintain_order="left")["row"]
    return rows.to_numpy().astype(np.int32)
