"""Loading, coding and sorting, paid once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError, InputError
from cjm.journeys._core import EventArrays, Journeys
from cjm.journeys._sessions import session_numbers
from cjm.ragged import offsets_of_sorted

if TYPE_CHECKING:
    from cjm.events import EventLog
    from cjm.identity import Identities

__all__ = ["build_journeys", "journeys_from_frame"]


def build_journeys(
    log: EventLog, people: Identities | None = None, *, person: str | None = None, gap: Duration = "30m"
) -> Journeys:
    """Sort and code the events of a log by person.

    Parameters
    ----------
    log : EventLog
        From :func:`cjm.scan_events`.
    people : Identities, optional
        From :func:`cjm.stitch`: says whose event each one is.
    person : str, optional
        Instead of ``people``: the kind of identifier that is taken for the person. Events without it are left out;
        its values stay as an attribute.
    gap : duration
        A pause longer than this starts a new session; one exactly as long does not.

    Returns
    -------
    Journeys

    Raises
    ------
    ArgumentError
        Unless exactly one of ``people`` and ``person`` is given, or if ``person`` is no kind of identifier.
    InputError
        When no event is left.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> times = ["2026-01-01T10:00Z", "2026-01-01T10:05Z"]
    >>> frame = pl.DataFrame({"at": times, "what": ["home", "cart"], "who": ["a", "a"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> cjm.build_journeys(log, person="customer")
    Journeys(2 events, 1 persons, 1 sessions, 2 touchpoints)
    """
    if (people is None) == (person is None):
        raise ArgumentError.at(
            "give either people (from cjm.stitch) or person= (a kind of identifier)", where="build_journeys"
        )
    if people is not None:
        events = people.apply(log, known_from="__known").drop(log.kinds).collect()
    else:
        assert person is not None
        if person not in log.kinds:
            raise ArgumentError.unknown("kind of identifier", person, log.kinds, where="build_journeys(person=...)")
        from cjm.identity import person_numbers

        known = log.frame.filter(pl.col(person).is_not_null()).drop(set(log.kinds) - {person}).collect()
        events = known.with_columns(person_numbers(known[person], person).alias("person"))
    if events.is_empty():
        raise InputError.at(
            "no events are left after cleaning",
            where="build_journeys",
            hint="See log.quality() for what was set aside and why",
        )
    return journeys_from_frame(events, gap=to_us(gap, "gap"))


def journeys_from_frame(events: pl.DataFrame, *, gap: int) -> Journeys:
    """Make journeys from events that carry ``person``, in order of arrival.

    Parameters
    ----------
    events : polars.DataFrame
        ``person`` Int64, ``time``, ``channel``, ``event``; ``value`` and attributes if any; perhaps ``__known``, the
        time at which the person could be known. Rows in order of arrival.
    gap : int
        Longest pause inside a session, microseconds.
    """
    names = events.select(pl.col("channel", "event").cast(pl.String))
    touchpoints = _touchpoints(names)
    code = names.join(touchpoints.with_row_index("code"), on=["channel", "event"], how="left", maintain_order="left")[
        "code"
    ]
    coded = events.with_columns(code.cast(pl.Int32).alias("__code")).sort("person", "time", maintain_order=True)
    person = coded["person"].to_numpy()
    time = coded["time"].to_physical().to_numpy()
    offsets = offsets_of_sorted(person)
    known = time
    if "__known" in coded.columns:
        known = np.maximum(time, coded["__known"].to_physical().to_numpy())
    arrays = EventArrays(
        person=person[offsets[:-1]],
        offsets=offsets,
        time=time,
        code=coded["__code"].to_numpy(),
        session=session_numbers(person, time, gap),
        known=known,
    )
    if "value" not in coded.columns:
        coded = coded.with_columns(pl.lit(None, dtype=pl.Float64).alias("value"))
    attributes = coded.drop("person", "time", "channel", "event", "__code", "__known", strict=False)
    ordered = attributes.select("value", pl.exclude("value"))
    return Journeys(arrays, touchpoints, ordered, gap=gap, end=int(np.max(time)))


def _touchpoints(names: pl.DataFrame) -> pl.DataFrame:
    """Return the distinct touchpoints, sorted by name, so that codes depend on nothing but the names."""
    found = (
        names.unique()
        .with_columns(pl.concat_str("channel", pl.lit(":"), "event").alias("touchpoint"))
        .sort("touchpoint", "channel")
        .select("touchpoint", "channel", "event")
    )
    twice = found.filter(pl.col("touchpoint").is_duplicated())
    if not twice.is_empty():
        raise InputError.at(
            f"two touchpoints are both written {twice['touchpoint'][0]!r}: channels {twice['channel'][:2].to_list()}",
            hint='Rename one of the channels so that it holds no ":"',
        )
    return found
