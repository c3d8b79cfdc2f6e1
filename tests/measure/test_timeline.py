"""The timeline against a slow twin, DuckDB SQL, and cases made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import Event, by_person, logs, to_journeys
from splits import (
    GOALS,
    REAL,
    STARTS,
    at,
    database,
    day,
    many_touchpoints,
    real_log,
    same,
    since,
    walk,
    walks,
)

from cjm.errors import ArgumentError
from cjm.measure._by import cohort
from cjm.measure._timeline import timeline

few = settings(max_examples=30, deadline=None)
BY = {"nothing": None, "channel": "channel", "touchpoint": "touchpoint", "group": "group", "goal": GOALS} | {
    "cohort": cohort("1d")
}


def slow(log: list[Event], zone: str, by: str) -> dict[tuple[object, object], list[int]]:
    """(local day, group) to the persons of its events."""
    rows: dict[tuple[object, object], list[int]] = {}
    for whole in by_person(log).values():
        parts = [(name, since(whole, start)) for name, start in STARTS.items()] if by == "goal" else [("", whole)]
        for name, events in parts:
            for event in events:
                local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.time)).astimezone(
                    ZoneInfo(zone)
                )
                group = {
                    "nothing": None,
                    "channel": event.channel,
                    "touchpoint": event.touchpoint,
                    "group": event.group,
                    "goal": name,
                    "cohort": day(whole[0]),
                }[by]
                rows.setdefault((local.date(), group), []).append(event.person)
    return rows


@few
@given(
    logs(),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/Sao_Paulo", "Europe/Warsaw"]),
    st.sampled_from(list(BY)),
    st.sampled_from([0, 2]),
)
def test_as_the_slow_twin(log: list[Event], zone: str, by: str, min_persons: int) -> None:
    journeys = to_journeys(log)
    rows = timeline(journeys, time_zone=zone, by=BY[by], min_persons=min_persons)
    found = {(row["period"].date(), row.get(by)): (row["events"], row["persons"]) for row in rows.iter_rows(named=True)}
    assert found == {
        key: (len(persons), len(set(persons))) if len(set(persons)) >= min_persons else (None, None)
        for key, persons in slow(log, zone, by).items()
    }
    assert rows.height == len(found)
    assert rows.equals(rows.sort("period", *([] if by == "nothing" else [by]), nulls_last=True))
    assert timeline(in_buckets(journeys, 3), time_zone=zone, by=BY[by], min_persons=min_persons).equals(rows)


@pytest.mark.parametrize(
    ("zone", "times", "begins"),
    [
        # Clocks go back at 01:00: the day has two midnights, and begins at the first.
        ("America/Havana", ["2022-11-06T04:30", "2022-11-06T05:30", "2022-11-07T04:59"], "2022-11-06T00:00:00-04:00"),
        # Midnight is skipped: the day begins at 01:00.
        ("America/Sao_Paulo", ["2018-11-04T03:00", "2018-11-05T01:59"], "2018-11-04T01:00:00-02:00"),
        ("Asia/Beirut", ["2021-03-27T22:00", "2021-03-28T20:59"], "2021-03-28T01:00:00+03:00"),
        ("Europe/Warsaw", ["2024-03-30T23:00", "2024-03-31T21:59"], "2024-03-31T00:00:00+01:00"),
        ("Europe/Warsaw", ["2024-10-26T22:00", "2024-10-27T22:59"], "2024-10-27T00:00:00+02:00"),
    ],
)
def test_days_with_a_change_of_clocks(zone: str, times: list[str], begins: str) -> None:
    rows = timeline(walks(*[at(time) for time in times]), time_zone=zone)
    assert [period.isoformat() for period in rows["period"]] == [begins]
    assert rows.schema["period"] == pl.Datetime("us", zone)
    assert rows["persons"].to_list() == [len(times)]


def test_months_have_their_own_lengths() -> None:
    rows = timeline(
        walks(at("2024-01-31T22:59", "2024-01-31T23:00", "2024-02-29T22:59", "2024-02-29T23:00")),
        every="1mo",
        time_zone="Europe/Warsaw",
    )
    assert rows["period"].dt.month().to_list() == [1, 2, 3]
    assert rows["events"].to_list() == [1, 2, 1]


def test_months_weeks_and_hours() -> None:
    log = walks([(0, "A"), (30, "A"), (61, "store:A"), (31 * 1440, "A")])
    found = timeline(log, every="1mo")
    assert found.select("channel", "events").rows() == [("store", 1), ("web", 2), ("web", 1)]
    assert timeline(log, every="1w")["period"].dt.weekday().to_list() == [1, 1, 1]
    hours = timeline(log, every="1h", time_zone="Asia/Kathmandu")  # 5 h 45 min ahead: full hours of that zone
    assert hours["period"].dt.minute().unique().to_list() == [0]
    assert hours["events"].to_list() == [1, 1, 1, 1]


def test_parts_of_a_day_are_elapsed_time_from_its_start() -> None:
    log = walks(at("2024-10-27T03:59", "2024-10-27T04:00", "2024-10-27T22:30", "2024-10-27T23:00"))
    rows = timeline(log, every="6h", time_zone="Europe/Warsaw")  # the day has 25 hours: the last part has one
    assert [period.isoformat() for period in rows["period"]] == [
        "2024-10-27T00:00:00+02:00",
        "2024-10-27T05:00:00+01:00",
        "2024-10-27T23:00:00+01:00",
        "2024-10-28T00:00:00+01:00",
    ]


def test_far_apart_and_before_1970() -> None:
    log = walks(at("1899-12-31T23:59", "1900-01-01T00:00", "2024-01-01T00:00"), at("1900-12-31T23:59"))
    assert timeline(log, every="1y").select("events", "persons").rows() == [(1, 1), (2, 2), (1, 1)]


def test_more_groups_than_the_table_has_at_first() -> None:
    rows = timeline(many_touchpoints(1_000_000), every="1y", by="touchpoint")
    assert rows.height == 1_000_000
    assert rows.filter(pl.col("persons") > 1)["touchpoint"].to_list() == ["web:0000000", "web:0500000", "web:0999999"]
    assert rows["events"].sum() == 1_000_005


def test_a_person_with_more_events_than_a_batch() -> None:
    log = walks([(0.001 * i, "A") for i in range(50_000)], walk("AB"), walk("AB"))
    assert timeline(log, by="event").select("events", "persons").rows() == [(50_002, 3), (2, 2)]


def test_journeys_of_one_event_or_none_have_the_same_schema() -> None:
    log = walks(walk("AB"), walk("A"), device=pl.Series([None, "tv", None], dtype=pl.Categorical))
    for by in (None, "channel", "device"):
        full = timeline(log, by=by)
        assert full.columns == ["period", *([by] if by else []), "events", "persons"]
        assert timeline(log.filter(pl.col("person") == 1), by=by).schema == full.schema
        empty = timeline(log.filter(pl.lit(False)), by=by)
        assert empty.is_empty()
        assert empty.schema == full.schema


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": "0d"}, "every=: cannot be read"),
        ({"every": 1}, "every=: cannot be read"),
        ({"time_zone": "Mars/Base"}, "unknown time zone 'Mars/Base'"),
        ({"by": "chanel"}, 'Did you mean "channel"?'),
        ({"by": "persons"}, "the result has a column 'persons' of its own"),
        ({"min_persons": True}, "min_persons=: must be a whole number"),
    ],
)
def test_errors_say_what_is_wrong(options: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        timeline(walks(walk("AB"), persons=[1, 2]), **options)  # type: ignore[arg-type]
    assert words in str(caught.value)


TIMELINE = """
    select epoch_us(date_trunc('{0}', make_timestamp(t))::timestamp) as period, {1}, count(*) as events,
        count(distinct person) as persons from e group by all order by period, {1}
"""


@pytest.mark.parametrize("name", REAL)
def test_real_logs_in_sql(name: str) -> None:
    journeys = real_log(name)
    connection = database(journeys)
    for every, length in (("1d", "day"), ("1w", "week"), ("1mo", "month")):
        for by in ("channel", "touchpoint"):
            found = timeline(journeys, every=every, by=by)
            same(found, connection.sql(TIMELINE.format(length, by)).pl())
            assert timeline(in_buckets(journeys, 5), every=every, by=by).equals(found)
