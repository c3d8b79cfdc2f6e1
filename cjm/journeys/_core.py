"""``Journeys``: every person's events, sorted and coded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS, TIME
from cjm.errors import ArgumentError
from cjm.ragged import offsets_of_sorted

__all__ = ["EventArrays", "Journeys"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class EventArrays:
    """The dense arrays that everything to the right of ``build_journeys`` scans.

    Events of person ``i`` (row ``i`` of ``person``) are ``[offsets[i], offsets[i + 1])`` in ``time``, ``code`` and
    ``session``, ordered by time and, where times tie, by arrival.

    Attributes
    ----------
    person : ndarray of int64, shape (persons,)
        Person numbers, ascending.
    offsets : ndarray of int64, shape (persons + 1,)
    time : ndarray of int64, shape (events,)
        Microseconds since 1970 UTC.
    code : ndarray of int32, shape (events,)
        Row of the touchpoint in ``Journeys.touchpoints``.
    session : ndarray of int64, shape (events,)
        Session numbers, ascending.
    known : ndarray of int64, shape (events,)
        When it could be known whose event it is: its time, or later where stitching looked ahead.
    """

    person: IntArray
    offsets: IntArray
    time: IntArray
    code: npt.NDArray[np.int32]
    session: IntArray
    known: IntArray

    @property
    def person_row(self) -> IntArray:
        """Row of the person for each event."""
        return np.repeat(np.arange(len(self.person), dtype=np.int64), np.diff(self.offsets))


class Journeys:
    """Events of persons, sorted by person, time and arrival, with coded touchpoints and sessions.

    Made by :func:`cjm.build_journeys`. It holds data and answers no questions: the verbs of ``cjm`` take it as their
    first argument.

    Attributes
    ----------
    arrays : EventArrays
        Dense arrays for kernels.
    touchpoints : polars.DataFrame
        ``touchpoint``, ``channel``, ``event``; row ``i`` belongs to code ``i``; sorted by touchpoint.
    attributes : polars.DataFrame
        ``value`` and the attributes of events, one row an event, in the order of ``arrays``.
    gap : int
        Longest pause inside a session, microseconds.
    end : int
        Time up to which the data are complete, microseconds: the last event of the log, also after ``filter``.
    """

    def __init__(
        self, arrays: EventArrays, touchpoints: pl.DataFrame, attributes: pl.DataFrame, *, gap: int, end: int
    ) -> None:
        self.arrays = arrays
        self.touchpoints = touchpoints
        self.attributes = attributes
        self.gap = gap
        self.end = end

    def __repr__(self) -> str:
        return (
            f"Journeys({len(self.arrays.time):,} events, {len(self.arrays.person):,} persons, "
            f"{len(self._session_starts):,} sessions, {self.touchpoints.height:,} touchpoints)"
        )

    @property
    def frame(self) -> pl.LazyFrame:
        """Contract JOURNEY_EVENTS: one row an event."""
        arrays = self.arrays
        decoded = self.touchpoints[arrays.code].select("channel", "event", "touchpoint")
        events = pl.DataFrame(
            {
                "person": arrays.person[arrays.person_row],
                "time": pl.Series(arrays.time).cast(TIME),
            }
        )
        return pl.concat(
            [events, decoded, pl.DataFrame({"session": arrays.session}), self.attributes], how="horizontal"
        ).lazy()

    @property
    def sessions(self) -> pl.LazyFrame:
        """Contract SESSIONS: one row a session."""
        return (
            self.frame.group_by("person", "session", maintain_order=True)
            .agg(
                start=pl.col("time").first(),
                end=pl.col("time").last(),
                duration=pl.col("time").last() - pl.col("time").first(),
                events=pl.len().cast(pl.Int64),
                first=pl.col("touchpoint").first(),
                last=pl.col("touchpoint").last(),
                channels=pl.col("channel").n_unique().cast(pl.Int64),
            )
            .select(list(CONTRACTS["SESSIONS"].columns))
        )

    @property
    def persons(self) -> pl.LazyFrame:
        """Contract PERSONS: one row a person."""
        return (
            self.frame.group_by("person", maintain_order=True)
            .agg(
                first_seen=pl.col("time").first(),
                last_seen=pl.col("time").last(),
                events=pl.len().cast(pl.Int64),
                sessions=pl.col("session").n_unique().cast(pl.Int64),
                channels=pl.col("channel").n_unique().cast(pl.Int64),
            )
            .select(list(CONTRACTS["PERSONS"].columns))
        )

    @cached_property
    def _session_starts(self) -> IntArray:
        return offsets_of_sorted(self.arrays.session)[:-1]

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

        Person and session numbers and ``end`` stay as they are; persons without events are gone.
        """
        keep = self.frame.select(__keep=predicate, __row=pl.col("person")).collect()["__keep"]
        if keep.dtype != pl.Boolean:
            raise ArgumentError.at(
                f"the predicate gives {keep.dtype}", where="Journeys.filter", hint="Give one that is true or false"
            )
        return self._take(np.flatnonzero(keep.fill_null(False).to_numpy()))

    def sample(self, n: int, seed: int = 0) -> Journeys:
        """Keep ``n`` persons drawn at random without replacement (all of them if there are fewer)."""
        if n < 0:
            raise ArgumentError.at(f"n is {n}", where="Journeys.sample", hint="Give zero or more")
        count = len(self.arrays.person)
        chosen = np.zeros(count, dtype=bool)
        chosen[np.random.default_rng(seed).choice(count, size=min(n, count), replace=False)] = True
        return self._take(np.flatnonzero(chosen[self.arrays.person_row]))

    def _take(self, rows: IntArray) -> Journeys:
        arrays = self.arrays
        person = arrays.person[arrays.person_row[rows]]
        offsets = offsets_of_sorted(person)
        taken = EventArrays(
            person=person[offsets[:-1]],
            offsets=offsets,
            time=arrays.time[rows],
            code=arrays.code[rows],
            session=arrays.session[rows],
            known=arrays.known[rows],
        )
        return Journeys(taken, self.touchpoints, self.attributes[rows], gap=self.gap, end=self.end)

    def write(self, path: str) -> None:
        """Store the journeys in a new folder; :func:`cjm.open_journeys` reads them back."""
        from cjm.journeys._store import write_journeys

        write_journeys(self, path)
