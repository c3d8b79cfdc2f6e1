"""Loading, coding and sorting, paid once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from cjm.durations import Duration
from cjm.errors import ArgumentError, InputError
from cjm.journeys._bucket import Bucket
from cjm.journeys._collect import IN_MEMORY, Collector, Persons
from cjm.journeys._core import Journeys
from cjm.journeys._order import ordered
from cjm.journeys._sessions import SessionRule, session_rule

if TYPE_CHECKING:
    from cjm.events import EventLog
    from cjm.identity import Identities, StoredLabels

__all__ = ["build_journeys", "events_of", "journeys_from_frame"]


def build_journeys(
    log: EventLog,
    people: Identities | StoredLabels | None = None,
    *,
    person: str | None = None,
    gap: Duration | None = "30m",
    start_on: Sequence[str] = (),
    end_on: Sequence[str] = (),
    day_in: str | None = None,
    in_memory: int = IN_MEMORY,
) -> Journeys:
    """Sort and code the events of a log by person, and cut them into sessions.

    The log is read piece by piece. What is more than ``in_memory`` is put aside in the system's folder for temporary
    files, in buckets of persons, until the journeys are garbage.

    Parameters
    ----------
    log : EventLog
        From :func:`cjm.scan_events`.
    people : Identities, optional
        From :func:`cjm.stitch`: says whose event each one is.
    person : str, optional
        Instead of ``people``: the kind of identifier that is taken for the person. Events without it are left out;
        its values stay as an attribute.
    gap : duration or None
        A pause longer than this starts a new session; one exactly as long does not. None: pauses do not matter.
    start_on : sequence of str
        Touchpoints that start a session, such as ``["app:open"]``.
    end_on : sequence of str
        Touchpoints that are the last of their session, such as ``["web:logout"]``.
    day_in : str, optional
        A time zone, such as ``"Europe/Warsaw"``: the first event of each calendar day there starts a session.
    in_memory : int
        How many events are held in memory, about 80 bytes each while they are sorted.

    Returns
    -------
    Journeys

    Raises
    ------
    ArgumentError
        Unless exactly one of ``people`` and ``person`` is given; if ``person`` is no kind of identifier; for a
        touchpoint that does not occur or an unknown time zone.
    InputError
        When no event is left.
    RunError
        If what does not fit into memory cannot be put aside.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> times = ["2026-01-01T10:00Z", "2026-01-01T10:05Z"]
    >>> frame = pl.DataFrame({"at": times, "what": ["home", "cart"], "who": ["a", "a"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> cjm.build_journeys(log, person="customer")
    Journeys(2 events, 1 persons, 1 sessions, 2 touchpoints)
    >>> cjm.build_journeys(log, person="customer", start_on=["web:cart"])
    Journeys(2 events, 1 persons, 2 sessions, 2 touchpoints)
    """
    rule = session_rule(gap, start_on, end_on, day_in)
    persons, pieces = events_of(log, people, person)
    collector = Collector(persons, in_memory)
    for piece in pieces:
        collector.add(piece)
    return _journeys(collector, rule)


def events_of(
    log: EventLog, people: Identities | StoredLabels | None, person: str | None
) -> tuple[Persons, Iterator[pl.DataFrame]]:
    """Return how persons are numbered, and the events with ``person``, piece by piece.

    Raises
    ------
    ArgumentError
        As for :func:`build_journeys`.
    """
    if (people is None) == (person is None):
        raise ArgumentError.at(
            "give either people (from cjm.stitch) or person= (a kind of identifier)", where="build_journeys"
        )
    if people is not None:
        return Persons(), _stitched(log, people)
    assert person is not None
    if person not in log.kinds:
        raise ArgumentError.unknown("kind of identifier", person, log.kinds, where="build_journeys(person=...)")
    from cjm.identity import hash_ids

    return Persons(partial(hash_ids, kind=person, salt=None)), _unstitched(log, person)


def _unstitched(log: EventLog, person: str) -> Iterator[pl.DataFrame]:
    others = [kind for kind in log.kinds if kind != person]
    for piece in log.pieces():
        if person in piece.columns:
            known = piece.filter(pl.col(person).is_not_null()) if piece[person].null_count() else piece
            yield known.drop(others, strict=False).with_columns(pl.col(person).alias("person"))


def _stitched(log: EventLog, people: Identities | StoredLabels) -> Iterator[pl.DataFrame]:
    labels = people.labels_of(log)
    row = 0
    for piece in log.pieces(ids=False):
        of_piece = labels.slice(row, piece.height).select("person", pl.col("known_from").alias("__known"))
        row += piece.height
        labelled = piece.drop(log.kinds, strict=False).with_columns(of_piece)
        yield labelled.filter(pl.col("person").is_not_null()) if of_piece["person"].null_count() else labelled


def journeys_from_frame(events: pl.DataFrame, *, gap: int | None, rule: SessionRule | None = None) -> Journeys:
    """Make journeys from events that carry ``person``, in order of arrival.

    Parameters
    ----------
    events : polars.DataFrame
        ``person`` Int64, ``time``, ``channel``, ``event``; ``value`` and attributes if any; perhaps ``__known``, the
        time at which the person could be known. Rows in order of arrival.
    gap : int or None
        Longest pause inside a session, microseconds.
    rule : SessionRule, optional
        Where sessions begin, instead of ``gap``.
    """
    collector = Collector(Persons(), in_memory=events.height)
    collector.add(events.with_columns(pl.col("person").cast(pl.Int64), pl.col("channel", "event").cast(pl.String)))
    return _journeys(collector, rule or SessionRule(gap))


def _journeys(collector: Collector, rule: SessionRule) -> Journeys:
    if collector.empty:
        raise InputError.at(
            "no events are left after cleaning",
            where="build_journeys",
            hint="See log.quality() for what was set aside and why",
        )
    touchpoints, row = collector.touchpoints()
    names = touchpoints["touchpoint"]
    for name in (*rule.start_on, *rule.end_on):
        if name not in names:
            raise ArgumentError.unknown("touchpoint", name, names.to_list(), where="build_journeys")
    numbers = collector.numbers
    buckets: list[Bucket] = []
    sessions = 0
    schema = pl.Schema()
    for pieces in collector.parts():
        arrays, attributes = ordered(pieces, numbers, row, names, rule, sessions)
        schema = attributes.schema
        sessions += len(arrays.session_number)
        buckets.append(collector.bucket(len(buckets), arrays, attributes))
    return Journeys(buckets, touchpoints, schema, rule=rule, start=collector.start, end=collector.end)
