"""Building journeys, their sessions, and the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.contracts import CONTRACTS, TIME
from cjm.errors import ArgumentError, InputError
from cjm.journeys import journeys_from_frame

START = datetime(2025, 1, 1, tzinfo=UTC)
Event = tuple[int, int, str, str]


def frame_of(events: list[Event]) -> pl.DataFrame:
    """Person, minute, channel, event."""
    return pl.DataFrame(
        {
            "person": pl.Series([e[0] for e in events], dtype=pl.Int64),
            "time": pl.Series([START + timedelta(minutes=e[1]) for e in events], dtype=TIME),
            "channel": pl.Series([e[2] for e in events], dtype=pl.String),
            "event": pl.Series([e[3] for e in events], dtype=pl.String),
            "order": pl.Series(range(len(events)), dtype=pl.Int64),
        }
    )


events_of_persons = st.lists(
    st.tuples(
        st.integers(1, 4), st.integers(0, 90), st.sampled_from(["web", "a,b", '"']), st.sampled_from(["x", "y é", "->"])
    ),
    min_size=1,
    max_size=60,
)


@settings(deadline=None)
@given(events_of_persons, st.integers(0, 40))
def test_order_codes_and_sessions_against_plain_python(events: list[Event], gap: int) -> None:
    journeys = journeys_from_frame(frame_of(events), gap=gap * 60_000_000)
    expected = []
    session = -1
    for person in sorted({e[0] for e in events}):
        own = sorted((e[1], n, e) for n, e in enumerate(events) if e[0] == person)
        last = None
        for minute, arrival, event in own:
            if last is None or minute - last > gap:
                session += 1
            last = minute
            touchpoint = f"{event[2]}:{event[3]}"
            expected.append(
                (person, START + timedelta(minutes=minute), event[2], event[3], touchpoint, session, None, arrival)
            )
    found = journeys.frame.collect()
    CONTRACTS["JOURNEY_EVENTS"].validate(found)
    assert found.rows() == expected
    sessions, persons = journeys.sessions.collect(), journeys.persons.collect()
    CONTRACTS["SESSIONS"].validate(sessions)
    CONTRACTS["PERSONS"].validate(persons)
    assert sessions["events"].sum() == persons["events"].sum() == len(events)
    assert sessions.height == persons["sessions"].sum() == session + 1
    assert (sessions["duration"] == sessions["end"] - sessions["start"]).all()


def test_a_gap_exactly_as_long_as_the_limit_does_not_cut() -> None:
    journeys = journeys_from_frame(
        frame_of([(1, 0, "w", "a"), (1, 30, "w", "a"), (1, 61, "w", "a")]), gap=30 * 60_000_000
    )
    assert journeys.frame.collect()["session"].to_list() == [0, 0, 1]


def test_filter_keeps_numbers_and_the_end_of_the_data() -> None:
    journeys = journeys_from_frame(frame_of([(1, 0, "w", "a"), (2, 5, "w", "b"), (2, 99, "w", "a")]), gap=1)
    late = journeys.filter(pl.col("event") == "b")
    assert late.frame.collect().select("person", "session").row(0) == (2, 1)
    assert late.end == journeys.end
    nobody = journeys.filter(pl.lit(False))
    assert nobody.frame.collect().schema == journeys.frame.collect_schema()
    assert nobody.sessions.collect().is_empty()
    assert nobody.persons.collect().is_empty()
    assert len(journeys.sample(1, seed=3).arrays.person) == 1
    assert len(journeys.sample(9).arrays.person) == 2


def test_two_touchpoints_of_one_spelling_are_refused() -> None:
    with pytest.raises(InputError, match="both written 'a:b:c'"):
        journeys_from_frame(frame_of([(1, 0, "a:b", "c"), (1, 1, "a", "b:c")]), gap=1)


def log_of(**columns: list[str | None]) -> cjm.EventLog:
    rows = len(next(iter(columns.values())))
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).with_columns(
        time=pl.Series([START + timedelta(minutes=n) for n in range(rows)], dtype=TIME), what=pl.lit("seen")
    )
    return cjm.scan_events({"web": cjm.Source(frame, time="time", event="what", ids={name: name for name in columns})})


def test_without_stitching_a_kind_of_identifier_is_the_person() -> None:
    log = log_of(customer=["a", None, "b", "a"], cookie=["1", "1", "2", "3"])
    journeys = cjm.build_journeys(log, person="customer")
    frame = journeys.frame.collect()
    assert sorted(frame["customer"].to_list()) == ["a", "a", "b"]
    assert frame["person"].n_unique() == 2
    with pytest.raises(ArgumentError, match="either people"):
        cjm.build_journeys(log)
    with pytest.raises(ArgumentError, match='Did you mean "customer"'):
        cjm.build_journeys(log, person="custommer")
    with pytest.raises(InputError, match="no events are left"):
        cjm.build_journeys(log_of(customer=[None], cookie=["1"]), person="customer")


def test_stitched_journeys_number_customers_as_unstitched_ones() -> None:
    log = log_of(cookie=["1", "1", "2"], customer=[None, "a", "b"])
    stitched = cjm.build_journeys(log, cjm.stitch(log))
    plain = cjm.build_journeys(log, person="customer")
    assert set(stitched.arrays.person) == set(plain.arrays.person)
    assert len(stitched.arrays.time) == 3
    assert "customer" not in stitched.frame.collect_schema()
