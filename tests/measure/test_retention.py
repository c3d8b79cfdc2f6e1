"""Retention against a slow twin, DuckDB SQL, and cases made by hand."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import TOUCHPOINTS, Event, by_person, logs, to_journeys
from splits import (
    GOALS,
    REAL,
    STARTS,
    at,
    check_intervals,
    database,
    difference,
    many_touchpoints,
    real_log,
    same,
    since,
    walk,
    walks,
)

from cjm.errors import ArgumentError
from cjm.measure._retention import retention

few = settings(max_examples=30, deadline=None)
fewer = settings(few, max_examples=25)
LENGTHS = ["1d", "1w", "1mo"]
KINDS = {"classic": None, "rolling": None, "bracket": [0, 1, 3, 20]}


def number(time: int, every: str, zone: str) -> int:
    """The number of the local day, week or month."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).astimezone(ZoneInfo(zone))
    days = (local.date() - date(1970, 1, 5)).days
    return {"1d": days, "1w": days // 7, "1mo": local.year * 12 + local.month}[every]


def slow(
    log: list[Event],
    every: str,
    zone: str,
    kind: str,
    first: str | None,
    returning: list[str] | None,
    split: str | None,
) -> dict[tuple[object, int, int], tuple[int, int]]:
    """(group, cohort, first period of the bracket) to persons and size of the cohort."""
    cohorts: dict[tuple[object, int], list[set[int]]] = defaultdict(list)
    for whole in by_person(log).values():
        parts = [(name, since(whole, start)) for name, start in STARTS.items()] if split == "goal" else [("", whole)]
        for name, events in parts:
            events = events if first is None else since(events, first)
            if events:
                group = {"goal": name, "group": events[0].group, None: None}[split]
                born = number(events[0].time, every, zone)
                counted = [e for e in events if returning is None or e.touchpoint in returning]
                cohorts[group, born].append({number(e.time, every, zone) - born for e in counted})
    # A period is over if the next microsecond is in another one.
    over = number(max(event.time for event in log) + 1, every, zone)
    edges = KINDS[kind] or list(range(over + 1))
    rows = {}
    for (group, born), members in cohorts.items():
        for low, high in pairwise(edges):
            if born + high - 1 < over:
                wanted = range(low, 99_999) if kind == "rolling" else range(low, high)
                rows[group, born, low] = (sum(any(k in wanted for k in active) for active in members), len(members))
    return rows


options = (
    st.sampled_from(LENGTHS),
    st.sampled_from(["UTC", "Europe/Warsaw", "America/Sao_Paulo"]),
    st.sampled_from(list(KINDS)),
    st.sampled_from([None, TOUCHPOINTS[0]]),
    st.sampled_from([None, TOUCHPOINTS[:2], TOUCHPOINTS[3:]]),
)


@few
@given(logs(), *options, st.sampled_from([None, "group", "goal"]))
def test_as_the_slow_twin(
    log: list[Event],
    every: str,
    zone: str,
    kind: str,
    first: str | None,
    returning: list[str] | None,
    split: str | None,
) -> None:
    journeys = to_journeys(log)
    asked = {"every": every, "time_zone": zone, "kind": kind, "brackets": KINDS[kind], "first": first}
    asked |= {"returning": returning, "by": GOALS if split == "goal" else split}
    rows = retention(journeys, **asked)  # type: ignore[arg-type]
    expected = slow(log, every, zone, kind, first, returning, split)
    found = {
        (row.get(split), number(us, every, zone), row["period"]): (row["persons"], row["of"])
        for row, us in zip(rows.iter_rows(named=True), rows["cohort"].to_physical(), strict=True)
    }
    assert found == expected
    assert rows.schema["cohort"] == pl.Datetime("us", zone)
    if kind == "bracket":
        until = dict(zip(KINDS[kind], [high - 1 for high in KINDS[kind][1:]], strict=False))  # type: ignore[index,arg-type]
        assert rows["until"].to_list() == [until[period] for period in rows["period"]]
    check_intervals(rows, "persons", "of", "rate")
    assert rows.equals(rows.sort(*([split] if split else []), "cohort", "period", nulls_last=True))
    assert retention(in_buckets(journeys, 3), **asked).equals(rows)  # type: ignore[arg-type]


@fewer
@given(logs(), st.sampled_from(["classic", "rolling"]))
def test_versus_and_small_numbers(log: list[Event], kind: str) -> None:
    journeys = to_journeys(log)
    expected = slow(log, "1w", "UTC", kind, None, None, "group")
    if all(group != "g" for group, _, _ in expected):
        with pytest.raises(ArgumentError, match="unknown group 'g'"):
            retention(journeys, kind=kind, by="group", versus="g")  # type: ignore[arg-type]
        return
    rows = retention(journeys, kind=kind, by="group", versus="g", min_persons=2)  # type: ignore[arg-type]

    def small(key: tuple[object, int, int]) -> bool:
        persons, of = expected[key]
        return 1 in (persons, of, of - persons)

    assert rows.height == len(expected)
    for row, us in zip(rows.iter_rows(named=True), rows["cohort"].to_physical(), strict=True):
        key = (row["group"], number(us, "1w", "UTC"), row["period"])
        theirs = ("g", *key[1:])
        assert (row["persons"] is None) == (row["rate"] is None) == (row["high"] is None) == small(key)
        assert row["of"] == (None if expected[key][1] == 1 else expected[key][1])
        found = (row["difference"], row["difference_low"], row["difference_high"])
        if key[0] == "g" or theirs not in expected or small(key) or small(theirs):
            assert found == (None, None, None)
        else:
            assert found == pytest.approx(difference(*expected[key], *expected[theirs]))


WEEK = 7 * 1440


def test_only_periods_that_are_over_when_the_data_end() -> None:
    log = walks([(0, "A"), (WEEK, "A")], [(WEEK - 1, "A"), (3 * WEEK - 1 / 60_000_000, "A")])
    assert retention(log).select("period", "persons", "of").rows() == [(0, 2, 2), (1, 1, 2), (2, 1, 2)]
    earlier = walks([(0, "A"), (WEEK, "A")], [(WEEK - 1, "A"), (3 * WEEK - 2 / 60_000_000, "A")])
    assert retention(earlier)["period"].to_list() == [0, 1]
    assert retention(earlier)["cohort"].dt.to_string("%F %T").unique().to_list() == ["2024-01-01 00:00:00"]
    brackets = retention(earlier, kind="bracket", brackets=[0, 1, 2, 3])
    assert brackets.select("period", "until").rows() == [(0, 0), (1, 1)]
    assert retention(walks(walk("AB"))).is_empty()


def test_the_end_of_the_whole_log_counts_after_filter() -> None:
    log = walks([(0, "A"), (1440, "A")], [(5 * 1440, "A")])
    rows = retention(log.filter(pl.col("person") == 0), every="1d")
    assert rows["persons"].to_list() == [1, 1, 0, 0, 0]


def test_rolling_counts_a_return_in_a_period_that_is_not_over() -> None:
    log = walks([(0, "A"), (3 * WEEK, "A")], [(0, "A"), (WEEK, "A")], [(0, "A")])
    assert retention(log)["persons"].to_list() == [3, 1, 0]
    assert retention(log, kind="rolling")["persons"].to_list() == [3, 2, 1]


def test_a_person_counts_once_in_a_bracket() -> None:
    day = 1440
    log = walks([(0, "A"), *((k * day, "A") for k in (1, 2, 2.5, 6))], [(0, "A"), (4 * day, "A")], [(7 * day, "A")])
    rows = retention(log, every="1d", kind="bracket", brackets=[1, 3, 7])
    assert rows.select("period", "until", "persons", "of").rows() == [(1, 2, 1, 2), (3, 6, 2, 2)]


def test_a_cohort_that_begins_at_a_touchpoint() -> None:
    day = 1440
    log = walks(
        [(0, "A"), (day, "install"), (2 * day, "open")],
        [(0, "open"), (1, "A"), (2 * day, "A")],
        [(day, "open"), (day, "install"), (3 * day, "A")],
        [(6 * day, "A")],
    )
    rows = retention(log, every="1d", first="web:install")
    assert rows["of"].unique().to_list() == [2]
    assert rows["persons"].to_list() == [2, 1, 1, 0, 0]
    # What comes before the install, even at the same time, does not count; nor does what is not asked for.
    opened = retention(log, every="1d", first="web:install", returning=["web:open"])
    assert opened["persons"].to_list() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("zone", "times", "starts"),
    [
        # 23 and 25 hours: an hour before midnight of the long day is still that day.
        ("Europe/Warsaw", ["2024-03-30T23:00", "2024-03-31T21:59", "2024-03-31T22:00"], "2024-03-31T00:00:00+01:00"),
        ("Europe/Warsaw", ["2024-10-26T22:00", "2024-10-27T22:59", "2024-10-27T23:00"], "2024-10-27T00:00:00+02:00"),
        # Midnight is skipped: the day begins at 01:00.
        ("America/Sao_Paulo", ["2018-11-04T03:00", "2018-11-05T01:59"], "2018-11-04T01:00:00-02:00"),
        ("Asia/Beirut", ["2021-03-27T22:00", "2021-03-28T20:59", "2021-03-28T21:00"], "2021-03-28T01:00:00+03:00"),
        # At midnight it is 23:00 of the same day again.
        ("Asia/Beirut", ["2021-10-29T21:00", "2021-10-30T21:59", "2021-10-30T22:00"], "2021-10-30T00:00:00+03:00"),
    ],
)
def test_days_with_a_change_of_clocks(zone: str, times: list[str], starts: str) -> None:
    after = datetime.fromisoformat(times[-1]) + timedelta(minutes=1)
    rows = retention(walks(at(*times), at(after.isoformat())), every="1d", time_zone=zone)
    assert [start.isoformat() for start in rows["cohort"]] == [starts]
    assert rows["persons"].to_list() == [1]


def test_months_have_their_own_lengths() -> None:
    log = walks(at("2024-01-31T23:30", "2024-02-29T22:30", "2024-02-29T23:30", "2024-04-30T22:00"))
    rows = retention(log, every="1mo", time_zone="Europe/Warsaw")
    assert [start.isoformat() for start in rows["cohort"].unique()] == ["2024-02-01T00:00:00+01:00"]
    assert rows.select("period", "persons").rows() == [(0, 1), (1, 1), (2, 0)]
    assert retention(log, every="1mo")["persons"].to_list() == [1, 1, 0]


def test_a_million_touchpoints() -> None:
    log = many_touchpoints(1_000_000).filter(pl.col("person") > 0)
    assert retention(log, every="1s", first="web:0000000")["persons"].to_list() == [1, 1, 0]


def test_groups_of_the_first_event_and_null() -> None:
    log = walks([(0, "A"), (1440, "store:A")], [(1, "A")], [(2880, "A")], device=["x", "y", None, "x"])
    rows = retention(log, every="1d", by="device").select("device", "period", "persons", "of").rows()
    assert rows == [("x", 0, 1, 1), ("x", 1, 1, 1), (None, 0, 1, 1), (None, 1, 0, 1)]
    assert retention(log, every="1d", by="channel")["channel"].unique().to_list() == ["web"]


def test_journeys_of_one_event_or_none_have_the_same_schema() -> None:
    log = walks(walk("AB"), walk("A"), device=pl.Series([None, "tv", None], dtype=pl.Categorical))
    for asked in ({}, {"by": "device"}, {"kind": "rolling"}, {"kind": "bracket", "brackets": [0, 1]}):
        full = retention(log, every="1m", **asked)  # type: ignore[arg-type]
        assert not full.is_empty()
        assert retention(log.filter(pl.col("person") == 1), every="1m", **asked).schema == full.schema  # type: ignore[arg-type]
        empty = retention(log.filter(pl.lit(False)), every="1m", **asked)  # type: ignore[arg-type]
        assert empty.is_empty()
        assert empty.schema == full.schema


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"every": "0d"}, "every=: cannot be read"),
        ({"every": timedelta(days=1)}, "every=: cannot be read"),
        ({"time_zone": "Mars/Base"}, "unknown time zone 'Mars/Base'"),
        ({"kind": "clasic"}, 'Did you mean "classic"?'),
        ({"kind": "bracket"}, "Write [1, 3, 7, 30]"),
        ({"brackets": [1, 2]}, 'kind="bracket"'),
        ({"kind": "bracket", "brackets": [1, 1]}, "two or more ascending whole numbers"),
        ({"kind": "bracket", "brackets": [1]}, "two or more ascending whole numbers"),
        ({"kind": "bracket", "brackets": [-1, 2]}, "two or more ascending whole numbers"),
        ({"kind": "bracket", "brackets": "13"}, "two or more ascending whole numbers"),
        ({"first": "web:Z"}, "unknown touchpoint 'web:Z'"),
        ({"returning": "web:A"}, "must be a list of touchpoints"),
        ({"by": "period"}, "the result has a column 'period' of its own"),
        ({"versus": "x"}, "there is no by="),
        ({"level": 95}, "must lie between 0 and 1"),
    ],
)
def test_errors_say_what_is_wrong(asked: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        retention(walks(walk("AB"), period=[1, 2]), **asked)  # type: ignore[arg-type]
    assert words in str(caught.value)


RETENTION = """
    with w as (select distinct person, date_trunc('{0}', make_timestamp(t)) as week from e),
    c as (select person, min(week) as cohort from w group by person),
    l as (select person, max(week) as last from w group by person),
    a as (select cohort, datediff('{0}', cohort, week) as period, count(*) as persons
          from w join c using (person) group by all),
    r as (select cohort, datediff('{0}', cohort, last) as period, count(*) as persons
          from l join c using (person) group by all)
    select epoch_us(cohort::timestamp) as cohort, period, {1} as persons,
        (select count(*) from c where c.cohort = {2}.cohort) as of from {2}
    where epoch_us((cohort + (period + 1) * interval 1 {0})::timestamp) - 1 <= (select max(t) from e)
    order by cohort, period
"""


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize(("every", "length"), [("1w", "week"), ("1mo", "month"), ("1d", "day")])
def test_real_logs_in_sql(name: str, every: str, length: str) -> None:
    journeys = real_log(name)
    connection = database(journeys)
    found = retention(journeys, every=every).select("cohort", "period", "persons", "of")
    there = found.filter(pl.col("persons") > 0)
    same(there, connection.sql(RETENTION.format(length, "persons", "a")).pl())
    assert retention(in_buckets(journeys, 5), every=every).select(found.columns).equals(found)
    rolling = retention(journeys, every=every, kind="rolling").select(found.columns)
    keys = ["cohort", "period", "of"]
    assert rolling.select(keys).equals(found.select(keys))
    # The fall from one period to the next is who was last seen there.
    fall = rolling.with_columns(pl.col("persons") - pl.col("persons").shift(-1).over("cohort")).drop_nulls()
    last = connection.sql(RETENTION.format(length, "persons", "r")).pl().cast({"period": pl.Int64})
    both = fall.with_columns(pl.col("cohort").to_physical()).join(last, on=["cohort", "period"], how="left")
    assert (both["persons"] == both["persons_right"].fill_null(0)).all()
