"""The measures against SQL in DuckDB: a seeded log of 50,000 events, and a real one."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure import flow, funnel, kpis, retention, step_matrix, timeline, transitions, variants

HOSPITAL = Path(__file__).parents[3] / "shared" / "data" / "events" / "hospital_billing.parquet"

# Rows of a person in order, numbered from 1, with the event after.
ORDERED = """
    create table e as
    select person, t, channel, touchpoint, session,
        row_number() over (partition by person order by i) as k,
        lead(touchpoint) over (partition by person order by i) as next,
        lead(t) over (partition by person order by i) - t as wait
    from frame
"""
TRANSITIONS = """
    select touchpoint as source, next as target, count(*) as count,
        count(*) / sum(count(*)) over (partition by touchpoint) as share, count(distinct person) as persons,
        cast(floor(quantile_cont(wait, 0.5)) as bigint) as time_p50,
        cast(sum(wait::hugeint) // count(*) as bigint) as time_mean
    from e where next is not null group by touchpoint, next order by count desc, source, target
"""
VARIANTS = """
    select path, len(path) as length, count(*) as count, count(*) / sum(count(*)) over () as share,
        sum(count(*)) over (order by count(*) desc, path) / sum(count(*)) over () as coverage
    from (select list(touchpoint order by k) as path from e group by {}) group by path order by count desc, path
"""


def database(journeys: Journeys) -> duckdb.DuckDBPyConnection:
    columns = ["person", pl.col("time").to_physical().alias("t"), "channel", "touchpoint", "session"]
    frame = journeys.frame.select(columns).with_row_index("i").collect()
    connection = duckdb.connect()
    connection.register("frame", frame.to_arrow())
    connection.execute(ORDERED)
    return connection


def same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    plain = found.with_columns(pl.col(pl.Duration, pl.Datetime).to_physical())
    types = {name: kind for name, kind in plain.schema.items() if kind != pl.List}
    assert plain.equals(expected.cast(types))


@pytest.fixture(scope="module")
def journeys() -> Journeys:
    rng = np.random.default_rng(11)
    n = 50_000
    # Visits of up to 90 minutes, in whole minutes, which makes ties; some channels and events are rare.
    minute = rng.integers(0, 18, n) * 7 * 1440 + rng.integers(0, 2, n) * 1440 + rng.integers(0, 90, n)
    frame = pl.DataFrame(
        {
            "person": np.minimum(rng.geometric(0.0005, n), 5_000),
            "time": pl.Series(minute * 60_000_000 + 1_700_000_000_000_000),
            "channel": pl.Series(["web", "app", "store"]).gather(rng.choice(3, n, p=[0.6, 0.3, 0.1])),
            "event": pl.Series(list("abcdefgh")).gather(np.minimum(rng.geometric(0.35, n), 8) - 1),
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")), pl.col("person").cast(pl.Int64))
    return journeys_from_frame(frame, gap=30 * 60_000_000)


@pytest.fixture(scope="module")
def sql(journeys: Journeys) -> duckdb.DuckDBPyConnection:
    return database(journeys)


def test_transitions(journeys: Journeys, sql: duckdb.DuckDBPyConnection) -> None:
    same(transitions(journeys), sql.sql(TRANSITIONS).pl())


@pytest.mark.parametrize(("by", "key"), [("person", "person"), ("session", "session")])
def test_variants(journeys: Journeys, sql: duckdb.DuckDBPyConnection, by: str, key: str) -> None:
    same(variants(journeys, by=by), sql.sql(VARIANTS.format(key)).pl())


def test_funnel(journeys: Journeys, sql: duckdb.DuckDBPyConnection) -> None:
    steps, week = ["store:b", "app:c", "web:d"], 7 * 86_400_000_000
    found = funnel(journeys, steps, within="7d")
    joins = f"""
        select count(distinct a.person), count(distinct b.person), count(distinct c.person)
        from e a
        left join e b on b.person = a.person and b.k > a.k and b.touchpoint = '{steps[1]}' and b.t - a.t <= {week}
        left join e c on c.person = a.person and c.k > b.k and c.touchpoint = '{steps[2]}' and c.t - a.t <= {week}
        where a.touchpoint = '{steps[0]}'
    """
    assert found["persons"].to_list() == list(sql.execute(joins).fetchall()[0])
    assert found["persons"].is_between(1, 4_999).all()


def test_step_matrix_and_flow(journeys: Journeys, sql: duckdb.DuckDBPyConnection) -> None:
    steps = """
        select k as step, touchpoint, count(*) as persons, (select count(distinct person) from e) as of from e
        where k <= 4 group by k, touchpoint order by step, persons desc, touchpoint
    """
    found = step_matrix(journeys, steps=4).filter(pl.col("touchpoint") != "(end)").drop("share")
    same(found, sql.sql(steps).pl())
    flows = """
        select k as step, touchpoint as source, coalesce(next, '(end)') as target, count(*) as persons from e
        where k <= 4 group by k, touchpoint, next order by step, persons desc, source, target
    """
    same(flow(journeys, steps=4, top=100), sql.sql(flows).pl())


def test_retention(journeys: Journeys, sql: duckdb.DuckDBPyConnection) -> None:
    query = """
        with w as (select person, date_trunc('week', make_timestamp(t)) as week from e),
        c as (select person, min(week) as cohort from w group by person),
        a as (select cohort, datediff('week', cohort, week) as period, count(distinct person) as persons
              from w join c using (person) group by all)
        select epoch_us(cohort::timestamp) as cohort, period, persons,
            (select count(*) from c where c.cohort = a.cohort) as of from a
        where epoch_us((cohort + (period + 1) * interval 7 day)::timestamp) - 1 <= (select max(t) from e)
        order by cohort, period
    """
    found = retention(journeys).select("cohort", "period", "persons", "of").filter(pl.col("persons") > 0)
    assert found.height > 50
    same(found, sql.sql(query).pl())


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_timeline(journeys: Journeys, sql: duckdb.DuckDBPyConnection, every: str) -> None:
    query = f"""
        select epoch_us(date_trunc('{every}', make_timestamp(t))::timestamp) as period, channel, count(*) as events,
            count(distinct person) as persons from e group by all order by period, channel
    """
    same(timeline(journeys, every={"day": "1d", "week": "1w", "month": "1mo"}[every]), sql.sql(query).pl())


def test_kpis(journeys: Journeys, sql: duckdb.DuckDBPyConnection) -> None:
    query = """
        with s as (select person, session, count(*) as n, (max(t) - min(t)) / 1e6 as length from e group by all),
        p as (select person, count(distinct channel) as channels from e group by person)
        select (select count(*) from e), (select count(*) from p), (select count(*) from s),
            (select count(*) from s where n = 1), (select sum(channels) from p),
            (select median(length) from s where n > 1)
    """
    events, persons, sessions, bounces, channels, length = sql.execute(query).fetchall()[0]
    found = dict(kpis(journeys).select("kpi", "value").rows())
    assert (found["events"], found["persons"], found["sessions"]) == (events, persons, sessions)
    assert found["bounce_rate"] == bounces / sessions
    assert found["channels_per_person"] == channels / persons
    assert found["session_length_median"] == pytest.approx(length)
    days = """
        with d as (select distinct person, t // 86400000000 as day from e),
        r as (select unnest(range((select min(day) + 29 from d), (select max(day) + 1 from d))) as day)
        select (select count(*) from d join r using (day)),
            (select count(distinct (r.day, d.person)) from r join d on d.day between r.day - 29 and r.day)
    """
    row = kpis(journeys).row(by_predicate=pl.col("kpi") == "stickiness", named=True)
    assert (row["numerator"], row["denominator"]) == sql.execute(days).fetchall()[0]


def test_the_same_bits_in_every_run(journeys: Journeys) -> None:
    for verb in (kpis, transitions, variants, step_matrix, flow, retention, timeline):
        assert verb(journeys).equals(verb(journeys)), verb.__name__


@pytest.mark.skipif(not HOSPITAL.exists(), reason="the hospital billing log is not beside the checkout")
def test_hospital_billing() -> None:
    frame = pl.read_parquet(HOSPITAL, columns=["case_id", "activity", "timestamp"]).drop_nulls("case_id")
    log = journeys_from_frame(
        frame.select(
            person=pl.col("case_id").rank("dense").cast(pl.Int64),
            time=pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            channel=pl.lit("billing"),
            event="activity",
        ),
        gap=30 * 60_000_000,
    )
    sql = database(log)
    same(transitions(log), sql.sql(TRANSITIONS).pl())
    found = variants(log)
    same(found, sql.sql(VARIANTS.format("person")).pl())
    assert found["count"].sum() == frame["case_id"].n_unique()
